package language

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"assay/internal/fault"
	"assay/languages"
)

// contract is the list of language ids that design.md 5.1 fixes.
const contract = `c cpp objective-c python pypy javascript typescript coffeescript java kotlin scala groovy clojure go rust
csharp fsharp vb php ruby perl raku lua luajit r octave haskell ocaml sml erlang elixir lisp scheme racket d nim crystal vala
haxe fortran pascal ada cobol modula2 prolog nasm gas forth basic algol68 icon bash awk sed jq sqlite tcl bc swift dart zig
julia exe`

func open(t testing.TB, o Options) *Catalog {
	t.Helper()
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBuiltin holds for every definition that assay brings along.
func TestBuiltin(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(contract)
	slices.Sort(want)
	if have := c.IDs(); !slices.Equal(have, want) {
		t.Errorf("the contract has the languages\n%q, there are\n%q", want, have)
	}
	for _, id := range c.IDs() {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			d, err := c.definition(id)
			if err != nil {
				t.Fatal(err)
			}
			checkSearch(t, c, d)
			checkExpansion(t, d)
			if d.Install.Prepare != "" {
				if _, err := languages.Files.Open("prepare/" + d.Install.Prepare); err != nil {
					t.Error(err)
				}
			}
			// These have no package where assay can install: their makers' archives are unpacked by hand.
			byHand := []string{"dart", "fsharp", "julia", "swift", "vb", "zig"}
			if len(d.Requires) > 0 && d.Install.empty() && !slices.Contains(byHand, id) {
				t.Error("the definition does not say how to install the tools")
			}
		})
	}
}

// checkSearch: the word search must find what the definition says, or an alias would be lost.
func checkSearch(t *testing.T, c *Catalog, d *Definition) {
	for _, word := range slices.Concat(d.Aliases, d.Extensions) {
		if !mentions(c.files[d.ID].data, word) {
			t.Errorf("the search does not find %q", word)
		}
		if word != strings.ToLower(word) {
			t.Errorf("%q is not in lower case", word)
		}
	}
}

func checkExpansion(t *testing.T, d *Definition) {
	l := Language{Definition: d}.with(toolchain{tools: map[string]string{}})
	for name, candidates := range d.Requires {
		l.tools[name] = candidates[0]
	}
	in := Input{Files: []File{{Content: []byte("program")}}, Args: []string{"a b", ""}, Memory: 256 << 20, Stack: 256 << 20}
	plan, err := l.Plan(in)
	takesArgs := !slices.Contains([]string{"basic", "bc", "sqlite"}, d.ID)
	if !takesArgs {
		if fault.CodeOf(err) != fault.Invalid {
			t.Errorf("a language that has no arguments: %v", err)
		}
		in.Args = nil
		plan, err = l.Plan(in)
	}
	if err != nil {
		t.Fatal(err)
	}
	steps := []Step{plan.Run}
	if plan.Compile != nil {
		steps = append(steps, *plan.Compile)
	}
	// Scripts have braces of their own.
	left := regexp.MustCompile(`\{(source|stem|sources|options|args|main_class|heap_mib|stack_kib|memory_mib|option:.*|text:.*)\}`)
	for _, step := range steps {
		if step.Args[0] == "" {
			t.Errorf("no program: %q", step.Args)
		}
		for _, a := range slices.Concat(step.Args, step.Env) {
			if !strings.Contains(a, "\n") && left.MatchString(a) {
				t.Errorf("a placeholder is left in %q", a)
			}
		}
	}
	if n := len(plan.Run.Args); takesArgs && !slices.Equal(plan.Run.Args[n-2:], []string{"a b", ""}) {
		t.Errorf("the program's arguments are lost: %q", plan.Run.Args)
	}
}

// here is a catalog whose tools are files that exist.
func here(t *testing.T) (c *Catalog, tool string) {
	t.Helper()
	tool = filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\necho tool 3.11.2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	fs := fstest.MapFS{
		"good.yaml": {Data: []byte("id: good\nname: Good\naliases: [gd, go+]\nextensions: [.good]\nsource: {name: main.good}\n" +
			"requires: {tool: [/nonexistent/x, " + tool + "]}\nversion: {args: [\"{tool}\"], pattern: 'tool ([0-9.]+)', option: standard}\n" +
			"options:\n  - {name: standard, prefixes: [v], default: \"17\", values: [{name: \"17\", args: [-17]}, {name: \"20\", args: [-20]}]}\n" +
			"run: {args: [\"{tool}\", \"{options}\", \"{source}\"]}\n")},
		"gone.yaml": {Data: []byte("id: gone\nname: Gone\nsource: {name: main.gone}\nrequires: {tool: [/nonexistent/gone]}\n" +
			"install: {apt: [gone-tools]}\nrun: {args: [\"{tool}\"]}\n")},
		"bad.yaml": {Data: []byte("id: bad\nname: Bad\nsource: {name: m}\nrun: {args: [x], colour: red}\n")},
	}
	return open(t, Options{Builtin: fs, CacheFile: filepath.Join(t.TempDir(), "versions.json")}), tool
}

func TestLookup(t *testing.T) {
	t.Parallel()
	c, tool := here(t)
	for _, test := range []struct {
		name, id, message string
		code              fault.Code
		run               []string
	}{
		{name: "good", id: "good", run: []string{tool, "-17", "main.good"}},
		{name: "GOOD", id: "good"},
		{name: "gd", id: "good"},
		{name: "go+", id: "good"},
		{name: "good@3", id: "good"},
		{name: "gd@3.11", id: "good"},
		{name: "good@3.11.2", id: "good"},
		{name: "good@20", id: "good", run: []string{tool, "-20", "main.good"}},
		{name: "good@v20", id: "good", run: []string{tool, "-20", "main.good"}},
		{name: "good@3.1", code: fault.Unavailable, message: "language good@3.1 is not available: this host has good@3.11.2, and good@ with one of 17, 20"},
		{name: "good@", code: fault.Unavailable, message: "language good@ is not available: "},
		{name: "gone", code: fault.Unavailable, message: "language gone is not available: /nonexistent/gone was not found; install it with: apt-get install gone-tools"},
		{name: "nope", code: fault.Unavailable, message: "language nope is not available: there is no such language"},
		{name: "Good", id: "good"},
		{name: "main.good", code: fault.Unavailable, message: "language main.good is not available: "},
		{name: "../good", code: fault.Unavailable, message: "language ../good is not available: "},
		{name: strings.Repeat("x", 10000), code: fault.Unavailable, message: "language xxx"},
		{name: "bad", code: fault.Unavailable, message: "bad.yaml:4:"},
		{name: "", code: fault.Invalid, message: "language: is missing"},
	} {
		l, err := c.Lookup(test.name)
		if test.code != "" {
			if fault.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.message) || len(err.Error()) > 400 {
				t.Errorf("Lookup(%q) = %v", test.name, err)
			}
			continue
		}
		if err != nil || l.ID != test.id {
			t.Errorf("Lookup(%q) = %v", test.name, err)
			continue
		}
		plan, err := l.Plan(Input{Files: []File{{}}})
		if err != nil || test.run != nil && !slices.Equal(plan.Run.Args, test.run) {
			t.Errorf("Lookup(%q): %q, %v", test.name, plan.Run.Args, err)
		}
	}
}

func TestByExtension(t *testing.T) {
	t.Parallel()
	c, _ := here(t)
	for name, good := range map[string]bool{"a.good": true, "dir.x/A.GOOD": true, "good": false, "a.": false, "a": false, "a.yaml": false, "": false} {
		l, err := c.ByExtension(name)
		if good != (err == nil) || good && l.ID != "good" || !good && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("ByExtension(%q) = %v", name, err)
		}
	}
}

// TestOverride: a folder adds languages and replaces built-in ones, and its mistakes do not harm the others.
func TestOverride(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"python.yaml": "id: python\nname: My Python\nsource: {name: main.py}\nrun: {args: [/bin/true]}\n",
		"mine.yaml":   "id: mine\nname: Mine\naliases: [js]\nsource: {name: main.mine}\nrun: {args: [/bin/true]}\n",
		"wrong.yaml":  "id: wrong\nname: [js\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := open(t, Options{Dir: dir})
	for name, want := range map[string]string{"python": "My Python", "js": "Mine", "exe": "ELF executable"} {
		if l, err := c.Lookup(name); err != nil || l.Name != want {
			t.Errorf("Lookup(%q) = %v", name, err)
		}
	}
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "wrong.yaml:") {
		t.Errorf("Check = %v", err)
	}
	if _, err := Open(Options{Dir: filepath.Join(dir, "nope")}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("Open of a missing folder: %v", err)
	}
	if _, err := Open(Options{Tools: map[string]string{"nope.compiler": "/bin/true"}}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("Open with a tool of no language: %v", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	c, tool := here(t)
	infos := c.List(t.Context())
	data, err := json.Marshal(infos)
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) != 3 || infos[0].ID != "bad" || infos[0].Available || infos[0].Reason == "" || strings.Contains(string(data), "null") {
		t.Errorf("%s", data)
	}
	if gone, good := infos[1], infos[2]; gone.ID != "gone" || gone.Available || good.Version != "3.11.2" || !good.Available {
		t.Errorf("%s", data)
	}
	// Another process with the same file does not ask the toolchain again, until the tool changes.
	again := open(t, Options{Builtin: c.options.Builtin, CacheFile: c.options.CacheFile})
	if err := os.Chmod(tool, 0o600); err != nil {
		t.Fatal(err)
	}
	if infos := again.List(t.Context()); infos[2].Version != "3.11.2" {
		t.Errorf("not from the file: %+v", infos[2])
	}
	if err := os.WriteFile(tool, []byte("#!/bin/sh\necho tool 3.12.10\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tool, 0o755); err != nil {
		t.Fatal(err)
	}
	if infos := again.List(t.Context()); infos[2].Version != "3.12.10" {
		t.Errorf("after the tool changed: %+v", infos[2])
	}
}

func TestTools(t *testing.T) {
	t.Parallel()
	c, _ := here(t)
	set := open(t, Options{Builtin: c.options.Builtin, Tools: map[string]string{"gone.tool": "/bin/sh"}})
	l, err := set.Lookup("gone")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := l.Plan(Input{Files: []File{{}}})
	if err != nil || plan.Run.Args[0] != "/bin/sh" {
		t.Errorf("%q, %v", plan.Run.Args, err)
	}
	if l.Identity() == "" || !errors.Is(nilError(c.Lookup("gone")), &fault.Error{Code: fault.Unavailable}) {
		t.Error("the setting leaked, or the tool has no identity")
	}
}

func nilError(_ Language, err error) error { return err }

func BenchmarkLookupCold(b *testing.B) {
	for b.Loop() {
		c := open(b, Options{})
		if _, err := c.ByExtension("a.cpp"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		open(b, Options{})
	}
}

func BenchmarkLookupWarm(b *testing.B) {
	c := open(b, Options{})
	for b.Loop() {
		if _, err := c.Lookup("c++"); err != nil {
			b.Fatal(err)
		}
	}
}
