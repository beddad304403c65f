package langcheck

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/verdict"
	"assay/languages"
)

// TestBuiltinPrograms: every language that assay brings along has all its programs, but the one that is none.
func TestBuiltinPrograms(t *testing.T) {
	t.Parallel()
	definitions, err := fs.Glob(languages.Files, "*.yaml")
	if err != nil || len(definitions) == 0 {
		t.Fatal(definitions, err)
	}
	for _, file := range definitions {
		id := strings.TrimSuffix(file, ".yaml")
		if id == "exe" {
			continue
		}
		if _, err := Load(id, languages.Files); err != nil {
			t.Error(err)
		}
	}
	programs, err := fs.Glob(languages.Files, "probe/*.txtar")
	if err != nil || len(programs) != len(definitions)-1 {
		t.Errorf("%d files of programs for %d languages, %v", len(programs), len(definitions)-1, err)
	}
}

// complete is a file with a program for each check but those that are named.
func complete(head string, but ...string) string {
	var b strings.Builder
	b.WriteString(head)
	for _, name := range sources() {
		if !strings.Contains(" "+strings.Join(but, " ")+" ", " "+name+" ") {
			b.WriteString("-- " + name + " --\nprogram " + name + "\n")
		}
	}
	return b.String()
}

func TestParse(t *testing.T) {
	t.Parallel()
	p, err := Parse("x.txtar", []byte(complete("without: {threads: it has none}\noverflow: memory_limit_exceeded\noptions: {standard: \"17\"}\n", "threads", "files")+
		"-- files/main.x --\na\n-- files/lib/helper.x --\nb\n"))
	if err != nil {
		t.Fatal(err)
	}
	if f := p.files["files"]; len(f) != 2 || f[0].Name != "main.x" || f[1].Name != "lib/helper.x" || string(f[1].Content) != "b\n" || p.files["hello"][0].Name != "" {
		t.Errorf("%+v", p.files)
	}
	for name, test := range map[string]struct{ text, want string }{
		"no program":      {complete("", "sleep"), `there is no program "sleep"`},
		"unknown check":   {complete("") + "-- hallo --\n", `"hallo" is not one of the checks: hello,`},
		"shared program":  {complete("") + "-- large --\n", `"large" is not one of the checks`},
		"unknown excuse":  {complete("without: {nope: x}\n"), `without: "nope" is not one of the checks`},
		"no reason":       {complete("without: {threads: \" \"}\n", "threads"), "without.threads: say why"},
		"excuse and have": {complete("without: {threads: x}\n"), "without.threads: there is a program for it"},
		"overflow":        {complete("overflow: ok\n"), `overflow: "ok" is not runtime_error or memory_limit_exceeded`},
		"unknown field":   {complete("colour: red\n"), "colour"},
		"not YAML":        {complete("{\n"), "x.txtar"},
	} {
		if _, err := Parse("x.txtar", []byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "x.txtar") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load("x", fstest.MapFS{}); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a language without programs: %v", err)
	}
	first, second := fstest.MapFS{"probe/x.txtar": {Data: []byte("wrong: [\n")}}, fstest.MapFS{"probe/x.txtar": {Data: []byte(complete(""))}}
	if _, err := Load("x", fstest.MapFS{}, second, first); err != nil {
		t.Error(err)
	}
	if _, err := Load("x", first, second); err == nil {
		t.Error("the first file system does not win")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(complete("without: {threads: x}\n", "threads")))
	f.Add([]byte("-- hello/../x --\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("x", data)
		if err == nil && len(p.files["hello"]) == 0 && p.notes.Without["hello"] == "" {
			t.Error("accepted without a program and without a reason")
		}
	})
}

// perfect is a runner whose programs all do what the checks want.
type perfect struct {
	spoil func(check string, req *engine.Request, r *engine.Result) // changes one result
	seen  map[string]int
	limit map[string]engine.LimitOverrides
}

func (p *perfect) Run(_ context.Context, req engine.Request) (engine.Result, error) {
	check := strings.TrimSpace(strings.TrimPrefix(string(req.Files[0].Content), "program "))
	var stdin string
	if req.Stdin != nil {
		data, err := io.ReadAll(req.Stdin)
		if err != nil {
			return engine.Result{}, err
		}
		stdin = string(data)
	}
	if check == "echo" && len(stdin) > 1000 {
		check = "large"
	}
	p.seen[check]++
	p.limit[check] = req.Limits
	zero, one, three, cpu, wall := 0, 1, 3, verdict.CPULimit, verdict.WallLimit
	r := engine.Result{Status: verdict.OK, ExitCode: &zero}
	switch check {
	case "hello":
		r.Stdout = "Hello, world!\n"
	case "echo", "large":
		r.Stdout = stdin
	case "args":
		r.Stdout = strings.Join(req.Args, "\n") + "\n"
	case "unicode":
		r.Stdout = "héllo wörld ✓ 日本語 🎉\n" + stdin
	case "files":
		r.Stdout = "helper says 42\n"
	case "recursion":
		r.Stdout = "50005000\n"
	case "threads":
		r.Stdout = "10\n"
	case "clean":
		r.Stdout = "clean\n"
	case "syntax":
		r = engine.Result{Status: verdict.CompileError, Compile: &engine.Compile{Stderr: "line 1: no"}}
	case "exit":
		r.Status, r.ExitCode = verdict.RuntimeError, &three
	case "exception":
		r.Status, r.ExitCode, r.Stdout, r.Stderr = verdict.RuntimeError, &one, "before\n", "boom"
	case "overflow":
		r.Status, r.ExitCode = verdict.RuntimeError, &one
	case "memory":
		r.Status = verdict.MemoryLimitExceeded
	case "output":
		r.Status, r.Truncated, r.Stdout = verdict.OutputLimitExceeded, true, strings.Repeat("y", 1<<20)
	case "spin":
		r.Status, r.Limit = verdict.TimeLimitExceeded, &cpu
	case "sleep":
		r.Status, r.Limit = verdict.TimeLimitExceeded, &wall
	}
	if p.spoil != nil {
		p.spoil(check, &req, &r)
	}
	return r, nil
}

func run(t *testing.T, head string, but []string, o Options, spoil func(string, *engine.Request, *engine.Result)) (outcomes map[string]Outcome, p *perfect) {
	t.Helper()
	programs, err := Parse("x", []byte(complete(head, but...)))
	if err != nil {
		t.Fatal(err)
	}
	p = &perfect{spoil: spoil, seen: map[string]int{}, limit: map[string]engine.LimitOverrides{}}
	outcomes = map[string]Outcome{}
	if err := Run(t.Context(), p, "x", programs, o, func(out Outcome) { outcomes[out.Check] = out }); err != nil {
		t.Fatal(err)
	}
	return outcomes, p
}

func TestAllPass(t *testing.T) {
	t.Parallel()
	outcomes, p := run(t, "", nil, Options{}, nil)
	if len(outcomes) != len(Names()) {
		t.Errorf("%d outcomes", len(outcomes))
	}
	for name, o := range outcomes {
		if o.State != Passed || o.Detail != "" {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if p.seen["clean"] != 2 || p.seen["hello"] != 1 {
		t.Errorf("runs: %v", p.seen)
	}
}

// TestEachCanFail: every check notices what it is there for.
func TestEachCanFail(t *testing.T) {
	t.Parallel()
	type spoil = func(req *engine.Request, r *engine.Result)
	status := func(s verdict.Status) spoil { return func(_ *engine.Request, r *engine.Result) { r.Status = s } }
	stdout := func(s string) spoil { return func(_ *engine.Request, r *engine.Result) { r.Stdout = s } }
	noise := func(_ *engine.Request, r *engine.Result) { r.Stderr = "warning" }
	other := "other"
	for check, spoils := range map[string][]spoil{
		"hello":     {stdout("Hello"), noise, status(verdict.RuntimeError), status(verdict.InternalError)},
		"echo":      {stdout("first line\n"), noise},
		"args":      {stdout("one\n")},
		"unicode":   {stdout("h?llo\n")},
		"files":     {stdout("")},
		"large":     {func(_ *engine.Request, r *engine.Result) { r.Stdout = r.Stdout[:len(r.Stdout)-1] }},
		"recursion": {status(verdict.RuntimeError)},
		"threads":   {stdout("9\n")},
		"clean":     {stdout("dirty\n")},
		"syntax": {
			status(verdict.RuntimeError), func(_ *engine.Request, r *engine.Result) { r.Compile = nil },
			func(_ *engine.Request, r *engine.Result) { r.Compile = &engine.Compile{} },
		},
		"exit": {func(_ *engine.Request, r *engine.Result) { one := 1; r.ExitCode = &one }, func(_ *engine.Request, r *engine.Result) { r.ExitCode = nil }, status(verdict.OK)},
		"exception": {
			status(verdict.OK), stdout("boom\n"), status(verdict.CompileError), func(_ *engine.Request, r *engine.Result) { r.Stderr = "" },
		},
		"overflow": {status(verdict.MemoryLimitExceeded), status(verdict.TimeLimitExceeded)},
		"memory":   {status(verdict.RuntimeError)},
		"output":   {status(verdict.OK), stdout("y"), func(_ *engine.Request, r *engine.Result) { r.Truncated = false }},
		"spin":     {func(_ *engine.Request, r *engine.Result) { r.Limit = &other }, func(_ *engine.Request, r *engine.Result) { r.Limit = nil }},
		"sleep":    {func(_ *engine.Request, r *engine.Result) { r.Limit = &other }, status(verdict.OK)},
	} {
		for i, s := range spoils {
			outcomes, _ := run(t, "", nil, Options{}, func(c string, req *engine.Request, r *engine.Result) {
				if c == check {
					s(req, r)
				}
			})
			for name, o := range outcomes {
				if (o.State == Failed) != (name == check) || (o.Detail == "") != (o.State == Passed) {
					t.Errorf("%s, spoiled in way %d: %+v", check, i, o)
				}
			}
		}
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	outcomes, p := run(t, "without: {threads: none, echo: no input}\noverflow: memory_limit_exceeded\n", []string{"threads", "echo"}, Options{},
		func(check string, _ *engine.Request, r *engine.Result) {
			if check == "overflow" {
				r.Status = verdict.MemoryLimitExceeded
			}
		})
	for name, o := range outcomes {
		want := Passed
		if name == "threads" || name == "echo" || name == "large" {
			want = Absent
		}
		if o.State != want {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if p.seen["echo"]+p.seen["large"]+p.seen["threads"] != 0 {
		t.Errorf("runs: %v", p.seen)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	outcomes, p := run(t, "", nil, Options{Only: []string{"spin", "sleep", "hello"}, TimeFactor: 3}, nil)
	if len(outcomes) != 3 || *p.limit["spin"].CPUTimeMS != 3000 || *p.limit["sleep"].WallTimeMS != 6000 || p.limit["hello"].CPUTimeMS != nil {
		t.Errorf("%v %+v", outcomes, p.limit)
	}
	for _, o := range []Options{{Only: []string{"nope"}}, {TimeFactor: -1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if err := (Options{Only: Names()}).Validate(); err != nil {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Run(context.Context, engine.Request) (engine.Result, error) {
	return engine.Result{}, errors.New("no slot")
}

func TestRunnerFails(t *testing.T) {
	t.Parallel()
	p, err := Parse("x", []byte(complete("")))
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), broken{}, "x", p, Options{}, func(o Outcome) { t.Errorf("%+v", o) }); err == nil || !strings.Contains(err.Error(), "checking hello of language x: no slot") {
		t.Error(err)
	}
}
