package language

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"assay/internal/fault"
)

// builtin gives a definition with made-up tools, so that the test needs no toolchain.
func builtin(t *testing.T, id string) Language {
	t.Helper()
	d, err := open(t, Options{}).definition(id)
	if err != nil {
		t.Fatal(err)
	}
	l := Language{Definition: d}.with(toolchain{tools: map[string]string{}})
	for name := range d.Requires {
		l.tools[name] = "/" + name
	}
	return l
}

func TestOptions(t *testing.T) {
	t.Parallel()
	cpp := builtin(t, "cpp")
	for _, test := range []struct{ options, flags, field string }{
		{"", "-O2 -I/usr/local/lib/assay/cpp -std=gnu++20 -Wall -static-libstdc++ -fstack-protector", ""},
		{"optimization=3", "-O3 -std=gnu++20 -Wall -static-libstdc++ -fstack-protector", ""},
		{"optimization=-Ofast standard=c++17", "-Ofast -std=gnu++17 -Wall -static-libstdc++ -fstack-protector", ""},
		{"optimisation=O0 std=-std=gnu++23", "-O0 -std=gnu++23 -Wall -static-libstdc++ -fstack-protector", ""},
		{"sanitizers=undefined,address", "-O2 -I/usr/local/lib/assay/cpp -std=gnu++20 -Wall -fsanitize=address -fno-omit-frame-pointer -g1 -fsanitize=undefined -fno-sanitize-recover=undefined -g1 -static-libstdc++ -fstack-protector", ""},
		{"static=all stack-protector=off warnings=none", "-O2 -I/usr/local/lib/assay/cpp -std=gnu++20 -w -static -fno-stack-protector", ""},
		{"static=all sanitizers=address", "", "options.static"},
		{"static=all sanitizers=none", "-O2 -I/usr/local/lib/assay/cpp -std=gnu++20 -Wall -static -fstack-protector", ""},
		{"optimization=9", "", "options.optimization"},
		{"optimization=", "", "options.optimization"},
		{"optimization=-O", "", "options.optimization"},
		{"optimization=2,3", "", "options.optimization"},
		{"standard=c++c++", "", "options.standard"},
		{"colour=red", "", "options.colour"},
		{"std=17 standard=20", "", "options."},
	} {
		options := map[string]string{}
		for _, o := range strings.Fields(test.options) {
			key, value, _ := strings.Cut(o, "=")
			options[key] = value
		}
		plan, err := cpp.Plan(Input{Files: []File{{}}, Options: options})
		if test.field != "" {
			if fault.CodeOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), test.field) || !strings.Contains(err.Error(), "(") {
				t.Errorf("%s: %v", test.options, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.options, err)
			continue
		}
		args := strings.Join(plan.Compile.Args, " ")
		if !strings.Contains(args, " "+test.flags+" -o main main.cpp") {
			t.Errorf("%s: %s", test.options, args)
		}
	}
	if _, err := builtin(t, "python").Plan(Input{Files: []File{{}}, Options: map[string]string{"x": "y"}}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an option of a language without any: %v", err)
	}
}

func TestDerivedLimits(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, test := range []struct {
		id            string
		memory, stack int64
		want          string
	}{
		{"java", 256 * mib, 256 * mib, "-Xmx160m -Xss32768k"},
		{"java", 64 * mib, 8 * mib, "-Xmx16m -Xss8192k"},
		{"java", 1 * mib, 1, "-Xmx16m -Xss256k"},
		{"javascript", 256 * mib, 256 * mib, "--max-old-space-size=192 --stack-size=60000"},
		{"javascript", 256 * mib, 8 * mib, "--max-old-space-size=192 --stack-size=7168"},
		{"javascript", 16 * mib, 1, "--max-old-space-size=16 --stack-size=512"},
	} {
		plan, err := builtin(t, test.id).Plan(Input{Files: []File{{}}, Memory: test.memory, Stack: test.stack})
		if args := strings.Join(plan.Run.Args, " "); err != nil || !strings.Contains(args, test.want) {
			t.Errorf("%s: %s, %v", test.id, args, err)
		}
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	files := []File{{Name: "prog"}, {Name: "lib/b.CPP"}, {Name: "b.h"}, {Name: "in.txt"}}
	plan, err := builtin(t, "cpp").Plan(Input{Files: files, Args: []string{"{x}", "$(y)"}})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(plan.Compile.Args); !slices.Equal(plan.Compile.Args[n-3:], []string{"main", "prog", "lib/b.CPP"}) {
		t.Errorf("%q", plan.Compile.Args)
	}
	if !slices.Equal(plan.Run.Args, []string{"./main", "{x}", "$(y)"}) {
		t.Errorf("%q", plan.Run.Args)
	}
	if _, err := builtin(t, "python").Plan(Input{Files: []File{{}, {Name: "b"}}}); err != nil || files[0].Name != "prog" {
		t.Errorf("the caller's files: %v, %v", files, err)
	}
}

func TestJava(t *testing.T) {
	t.Parallel()
	const hello = " { public static void main(String[] args) {} }"
	for name, test := range map[string]struct {
		files []File
		names string
		main  string
	}{
		"usual":               {[]File{{Content: []byte("public class Main" + hello)}}, "Main.java", "Main"},
		"other name":          {[]File{{Content: []byte("import a.b;\npublic final class Solution" + hello)}}, "Solution.java", "Solution"},
		"wrong file name":     {[]File{{Name: "x.java", Content: []byte("public class Main" + hello)}}, "Main.java", "Main"},
		"not public":          {[]File{{Content: []byte("class Foo" + hello)}}, "Main.java", "Foo"},
		"in a comment":        {[]File{{Content: []byte("// public class A {\n/* public class B { */ class C" + hello)}}, "Main.java", "C"},
		"in a string":         {[]File{{Content: []byte(`class C { String s = "} public class X {"; char c = '"'; public static void main(String[] a) {} }`)}}, "Main.java", "C"},
		"in a text block":     {[]File{{Content: []byte("class C { String s = \"\"\"\n } public class X { \\\"\"\" \"\"\"; public static void main(String... a) {} }")}}, "Main.java", "C"},
		"nested public":       {[]File{{Content: []byte("class A { public static class B { void main() {} } } public class Z" + hello)}}, "Z.java", "Z"},
		"main in another one": {[]File{{Content: []byte("public class A {} class B" + hello)}}, "A.java", "B"},
		"the public main":     {[]File{{Content: []byte("class B" + hello + " public class A" + hello)}}, "A.java", "A"},
		"package":             {[]File{{Content: []byte("package a . b;\npublic class Main" + hello)}}, "Main.java", "a.b.Main"},
		"record":              {[]File{{Content: []byte("public record P(int x, int y)" + hello)}}, "P.java", "P"},
		"enum":                {[]File{{Content: []byte("@SuppressWarnings(\"x\") public enum E { A; public static void main(String[] a) {} }")}}, "E.java", "E"},
		"interface":           {[]File{{Content: []byte("public interface I { static void main(String[] a) {} }")}}, "I.java", "I"},
		"generic":             {[]File{{Content: []byte("public class Box<T extends Comparable<T>> implements A<T>" + hello)}}, "Box.java", "Box"},
		"call of main":        {[]File{{Content: []byte("class A { static { B.main(null); } } class B" + hello)}}, "Main.java", "B"},
		"no class":            {[]File{{Content: []byte("hello")}}, "Main.java", "Main"},
		"unclosed":            {[]File{{Content: []byte("public class A { /* \"")}}, "A.java", "A"},
		"second file":         {[]File{{Name: "A.java", Content: []byte("class A {}")}, {Name: "u/b.java", Content: []byte("package u; public class Two" + hello)}, {Name: "x.txt", Content: []byte("public class Q {}")}}, "A.java u/Two.java x.txt", "u.Two"},
		"name is taken":       {[]File{{Name: "a.java", Content: []byte("public class B" + hello)}, {Name: "B.java"}}, "a.java B.java", "B"},
	} {
		named, mainClass := nameJava(test.files, "Main.java")
		var names []string
		for _, f := range named {
			names = append(names, f.Name)
		}
		if strings.Join(names, " ") != test.names || mainClass != test.main {
			t.Errorf("%s: %q, %q", name, names, mainClass)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	const head = "id: x\nname: X\nsource: {name: m}\n"
	for text, want := range map[string]string{
		"":                                                "x.yaml",
		"id: y\nname: X\n":                                `x.yaml:1: id: is "y"`,
		"id: x\nname: X\n":                                "source.name",
		"id: x\nname: [\n":                                "x.yaml:",
		"id: x\ncolour: red\n":                            `x.yaml:2:1: unknown field "colour"`,
		"id: x\nname: X\nsource: {nome: m}\n":             `x.yaml:3:10: unknown field "nome"`,
		"id: x\nname: X\nsource: {max_mib: a}\n":          "x.yaml:3:",
		head:                                              "run.args: is missing",
		head + "run: {args: [a, \"{b}\"]}\n":              "x.yaml:4: run.args[1]: unknown placeholder {b}",
		head + "run: {args: [\"x{args}\"]}\n":             "run.args[0]: {args} must be an argument of its own",
		head + "run: {args: [\"{\"]}\n":                   "run.args[0]",
		head + "run:\n  args: [a]\n  env: [x]\n":          "x.yaml:6: run.env[0]",
		head + "run: {args: [a], outputs: [b]}\n":         "run.outputs",
		head + "extensions: [py]\nrun: {args: [a]}\n":     "x.yaml:4: extensions[0]",
		head + "requires: {t: [gcc]}\nrun: {args: [a]}\n": "x.yaml:4: requires.t[0]: must be an absolute path",
		head + "compile: {args: [a]}\nrun: {args: [a]}\n": "compile.outputs",
		head + "compile: {args: [a], outputs: [\"[\"]}\nrun: {args: [a]}\n":                                                                                  "compile.outputs[0]",
		head + "run: {args: [a], memory_errors: [{stderr: x}]}\n":                                                                                            "run.memory_errors[0]",
		head + "run: {args: [a], memory_errors: [{exit_code: 1, stderr: (}]}\n":                                                                              "run.memory_errors[0].stderr",
		head + "options: [{name: o, default: z, values: [{name: a}]}]\nrun: {args: [a]}\n":                                                                   "options[0].default",
		head + "version: {args: [\"{source}\"]}\nrun: {args: [a]}\n":                                                                                         "version.args[0]",
		head + "options: [{name: o, default: a, values: [{name: a}]}]\nconflicts: [{option: o, values: [q], with: o, with_values: [a]}]\nrun: {args: [a]}\n": "conflicts[0].values",
	} {
		if _, err := Decode("dir/x.yaml", []byte(text), fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("id: x\nname: X\nsource: {name: m}\nrun: {args: [\"{source}\", \"a{stem}{{\", \"{args}\"]}\n")
	f.Add("id: x\nname: X\nsource: {name: m, naming: java}\nrequires: {t: [/a]}\nrun: {args: [\"{t}\"]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Decode("x.yaml", []byte(text), fstest.MapFS{})
		if err != nil {
			return
		}
		if _, err := (Language{Definition: d}).Plan(Input{Files: []File{{}}}); err != nil {
			t.Errorf("accepted, but it makes no plan: %v", err)
		}
	})
}

func FuzzOptions(f *testing.F) {
	f.Add("standard", "-std=c++20")
	f.Add("sanitizers", "address,,undefined")
	f.Fuzz(func(t *testing.T, name, value string) {
		plan, err := builtin(t, "cpp").Plan(Input{Files: []File{{}}, Options: map[string]string{name: value}})
		if err == nil && len(plan.Compile.Args) > 30 {
			t.Errorf("%q", plan.Compile.Args)
		}
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Error(err)
		}
	})
}

func FuzzScanJava(f *testing.F) {
	f.Add([]byte("package a; /* */ public class A { String s = \"\\\"\"; public static void main(String[] a) {} }"))
	f.Add([]byte("\"\"\" \\"))
	f.Fuzz(func(t *testing.T, source []byte) {
		named, mainClass := nameJava([]File{{Content: source}}, "Main.java")
		if len(named) != 1 || named[0].Name == "" || mainClass == "" || strings.ContainsAny(named[0].Name+mainClass, "/ \n\x00") {
			t.Errorf("%q %q", named[0].Name, mainClass)
		}
	})
}

// TestUnit: a source is named after its unit where the compiler wants that, and after nothing else.
func TestUnit(t *testing.T) {
	t.Parallel()
	d, err := Decode("ada.yaml", []byte("id: ada\nname: Ada\nsource: {name: main.adb, unit: '(?im)^procedure +([^ ]+)', lower: true}\nrun: {args: [\"{source}\", \"{stem}\"]}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l := Language{Definition: d}
	for _, test := range []struct {
		name, source, want string
		more               []File
	}{
		{source: "procedure Hello is", want: "hello.adb"},
		{source: "-- no unit", want: "main.adb"},
		{source: "procedure a/../b is", want: "main.adb"},
		{source: "procedure " + strings.Repeat("x", 65) + " is", want: "main.adb"},
		{name: "src/other.ada", source: "procedure Hello is", want: "src/hello.adb"},
		{name: "other.adb", source: "no", want: "other.adb"},
		{name: "main.adb", source: "procedure Hello is", more: []File{{Name: "hello.adb"}}, want: "main.adb"},
	} {
		given := append([]File{{Name: test.name, Content: []byte(test.source)}}, test.more...)
		plan, err := l.Plan(Input{Files: given})
		if err != nil || plan.Files[0].Name != test.want || plan.Run.Args[0] != test.want || plan.Run.Args[1] != strings.TrimSuffix(test.want, ".adb") {
			t.Errorf("%q %q: %q, %v", test.name, test.source, plan.Run.Args, err)
		}
		if given[0].Name != test.name {
			t.Error("the caller's files were changed")
		}
	}
}

// TestTexts: a script for an interpreter is a file of its own beside the definitions, and reaches it byte for byte.
func TestTexts(t *testing.T) {
	t.Parallel()
	script := "print {x} {{source}} \n\"$1\"\n"
	from := fstest.MapFS{"drivers/run.x": {Data: []byte(script)}}
	text := "id: x\nname: X\nsource: {name: main.x}\nrun: {args: [/bin/x, -e, \"{text:run.x}\", \"{source}\"]}\n"
	d, err := Decode("x.yaml", []byte(text), from)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := (Language{Definition: d}).Plan(Input{Files: []File{{}}})
	if want := []string{"/bin/x", "-e", script, "main.x"}; err != nil || !slices.Equal(plan.Run.Args, want) {
		t.Errorf("%q, %v", plan.Run.Args, err)
	}
	if _, err := Decode("x.yaml", []byte(text), fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "x.yaml: {text:run.x}: ") {
		t.Errorf("a file that is not there: %v", err)
	}
}
