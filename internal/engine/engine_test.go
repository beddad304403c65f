package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"assay/internal/fault"
	"assay/internal/language"
	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// fake is a sandbox that runs Go functions instead of programs.
type fake struct {
	t       testing.TB
	compile func(sandbox.Command) (sandbox.Report, error)
	run     func(sandbox.Command) (sandbox.Report, error)
	hold    chan struct{} // when set, a command waits for a token, or for its end by a signal

	starts, compiles atomic.Int64
	mu               sync.Mutex
	kept             map[string]bool // path -> still there
	folder           string
}

func newFake(t testing.TB) *fake {
	ok := func(sandbox.Command) (sandbox.Report, error) { return sandbox.Report{}, nil }
	f := &fake{t: t, run: ok, kept: map[string]bool{}, folder: t.TempDir()}
	f.compile = func(sandbox.Command) (sandbox.Report, error) {
		return sandbox.Report{Outputs: []sandbox.Output{f.output("main", 0o755, "program")}}, nil
	}
	return f
}

func (f *fake) output(name string, mode fs.FileMode, content string) sandbox.Output {
	file, err := os.CreateTemp(f.folder, "")
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.WriteString(file, content); err != nil {
		f.t.Fatal(err)
	}
	return sandbox.Output{Name: name, Mode: mode, Size: int64(len(content)), File: file}
}

func (f *fake) Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error) {
	f.starts.Add(1)
	return &fakeHandle{fake: f, command: c, ctx: ctx}, nil
}

func (f *fake) Keep(o sandbox.Output) (*sandbox.Artifact, error) {
	file, err := os.CreateTemp(f.folder, "kept-")
	if err == nil {
		_, err = io.Copy(file, io.NewSectionReader(o.File, 0, o.Size))
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept[file.Name()] = true
	return &sandbox.Artifact{Path: file.Name(), Size: o.Size}, nil
}

func (f *fake) Release(a *sandbox.Artifact) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.kept[a.Path] {
		f.t.Errorf("%s was released twice", a.Path)
	}
	f.kept[a.Path] = false
	return nil
}

func (f *fake) there(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept[path]
}

func (f *fake) remaining() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, there := range f.kept {
		if there {
			n++
		}
	}
	return n
}

type fakeHandle struct {
	fake    *fake
	command sandbox.Command
	ctx     context.Context
}

func (h *fakeHandle) Signal(syscall.Signal) error       { return nil }
func (h *fakeHandle) Resize(sandbox.WindowSize) error   { return nil }
func (h *fakeHandle) Usage() (sandbox.Usage, error)     { return sandbox.Usage{}, nil }
func (h *fakeHandle) Wait() (r sandbox.Report, e error) { return h.wait() }

func (h *fakeHandle) wait() (sandbox.Report, error) {
	if h.fake.hold != nil {
		select {
		case <-h.fake.hold:
		case <-h.ctx.Done():
			return sandbox.Report{}, &fault.Error{Code: fault.Cancelled, Message: "the run was cancelled", Err: h.ctx.Err()}
		}
	}
	for _, f := range h.command.Files {
		if f.Artifact != nil && !h.fake.there(f.Artifact.Path) {
			h.fake.t.Errorf("a run uses the deleted artifact %s", f.Artifact.Path)
		}
	}
	if h.command.Args[0] == "/bin/cc" {
		h.fake.compiles.Add(1)
		return h.fake.compile(h.command)
	}
	return h.fake.run(h.command)
}

// catalog has an interpreted language, a compiled one, and one that runs the file itself. Their tools exist on every host.
func catalog(t testing.TB) *language.Catalog {
	c, err := language.Open(language.Options{Builtin: fstest.MapFS{
		"script.yaml": {Data: []byte("id: script\nname: Script\nextensions: [.s]\nsource: {name: main.s}\n" +
			"run:\n  args: [/bin/run, \"{source}\", \"{args}\"]\n  memory_errors: [{exit_code: 1, stderr: 'MemoryError'}]\n" +
			"  syntax_errors: [{exit_code: 1, stderr: '^SyntaxError'}, {exit_code: 0, stdout: '^refused'}]\n  limits: {processes: 99}\n")},
		"comp.yaml": {Data: []byte("id: comp\nname: Comp\nextensions: [.c]\nsource: {name: main.c}\n" +
			"options: [{name: level, default: \"1\", values: [{name: \"1\", args: [-1]}, {name: \"2\", args: [-2]}]}]\n" +
			"compile:\n  args: [/bin/cc, \"{options}\", \"{sources}\"]\n  outputs: [main]\n  memory_errors: [{exit_code: 3, stderr: 'OutOfMemory'}]\n" +
			"run: {args: [./main, \"{args}\"]}\n")},
		"exe.yaml": {Data: []byte("id: exe\nname: Exe\nsource: {name: main, executable: true, max_mib: 2}\nrun: {args: [\"./{source}\", \"{args}\"]}\n")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	return c
}

func newEngine(t testing.TB, f *fake, change func(*Options)) *Engine {
	o := Options{Sandbox: f, Languages: catalog(t), Slots: 2, MaxWaiting: 2, CacheBytes: 1 << 20, CacheEntries: 4}
	if change != nil {
		change(&o)
	}
	return New(o)
}

func source(text string) []SourceFile { return []SourceFile{{Content: []byte(text)}} }

func facts(f verdict.Facts) func(sandbox.Command) (sandbox.Report, error) {
	return func(sandbox.Command) (sandbox.Report, error) {
		return sandbox.Report{Facts: f, CPUTime: 1840 * time.Microsecond, WallTime: 2310 * time.Microsecond, Memory: 1519616}, nil
	}
}

func printing(stdout, stderr string, r sandbox.Report) func(sandbox.Command) (sandbox.Report, error) {
	return func(c sandbox.Command) (sandbox.Report, error) {
		_, _ = io.WriteString(c.Stdout, stdout)
		_, _ = io.WriteString(c.Stderr, stderr)
		return r, nil
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	exit := func(code int) verdict.Facts { return verdict.Facts{ExitCode: code} }
	for name, test := range map[string]struct {
		run     func(sandbox.Command) (sandbox.Report, error)
		status  verdict.Status
		message string
	}{
		"ok":                                  {facts(exit(0)), verdict.OK, ""},
		"exit":                                {facts(exit(3)), verdict.RuntimeError, "exited with code 3"},
		"signal":                              {facts(verdict.Facts{Signal: "SIGSEGV"}), verdict.RuntimeError, "killed by SIGSEGV"},
		"cpu":                                 {facts(verdict.Facts{Signal: "SIGKILL", CPUExceeded: true}), verdict.TimeLimitExceeded, "CPU time limit of 10 s exceeded"},
		"wall":                                {facts(verdict.Facts{Signal: "SIGKILL", WallExceeded: true}), verdict.TimeLimitExceeded, "wall time limit of 25 s exceeded after 1.84 ms"},
		"memory":                              {facts(verdict.Facts{Signal: "SIGKILL", MemoryExceeded: true}), verdict.MemoryLimitExceeded, "memory limit of 256 MiB exceeded"},
		"runtime":                             {printing("", "Traceback\nMemoryError\n", sandbox.Report{Facts: exit(1)}), verdict.MemoryLimitExceeded, "memory limit of 256 MiB exceeded"},
		"other exit code with the same words": {printing("", "MemoryError\n", sandbox.Report{Facts: exit(2)}), verdict.RuntimeError, "exited with code 2"},
		"output": {
			printing("x", "", sandbox.Report{Facts: verdict.Facts{Signal: "SIGKILL", OutputExceeded: true}, StdoutTruncated: true}),
			verdict.OutputLimitExceeded, "output limit of 1 MiB exceeded on stdout",
		},
		"forks":    {printing("", "", sandbox.Report{ForkFailures: 3}), verdict.OK, "3 forks refused: process limit 99"},
		"no start": {printing("", "", sandbox.Report{Facts: exit(126), StartError: "exec format error"}), verdict.RuntimeError, "could not be started: exec format error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.run = test.run
			r, err := newEngine(t, f, nil).Run(t.Context(), Request{Language: "script", Files: source("x")})
			if err != nil || r.Status != test.status || !strings.HasPrefix(r.Message, test.message) || (test.message == "") != (r.Message == "") {
				t.Fatalf("%+v, %v", r, err)
			}
			if (r.Signal == nil) == (r.ExitCode == nil) {
				t.Errorf("either signal or exit code: %+v", r)
			}
			if (r.Limit != nil) != (r.Status == verdict.TimeLimitExceeded) {
				t.Errorf("limit: %+v", r)
			}
			if r.Compile != nil {
				t.Error("an interpreted language has no compile")
			}
		})
	}
}

func TestResultText(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.run = printing("a\xffb\xc3", "grün", sandbox.Report{CPUTime: 1234567 * time.Nanosecond})
	r, err := newEngine(t, f, nil).Run(t.Context(), Request{Language: "script", Files: source("x")})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stdout != "a\uFFFDb\uFFFD" || r.StdoutBase64 != "Yf9iww==" || r.Stderr != "grün" || r.StderrBase64 != "" || r.CPUTimeMS != 1.234 {
		t.Errorf("%+v", r)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var got sandbox.Command
	f.run = func(c sandbox.Command) (sandbox.Report, error) { got = c; return sandbox.Report{}, nil }
	e := newEngine(t, f, nil)
	stdin := bytes.NewReader([]byte("in"))
	req := Request{
		Language: "comp", Stdin: stdin, Args: []string{"$(x)", ""},
		Files: []SourceFile{{Content: []byte("int")}, {Name: "data/in.txt", Content: []byte("d")}, {Name: "b.c", Content: []byte("b")}},
	}
	r, err := e.Run(t.Context(), req)
	if err != nil || r.Compile == nil || r.Compile.Cached || r.Status != verdict.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	names := []string{}
	for _, file := range got.Files {
		names = append(names, file.Name)
	}
	if !slices.Equal(got.Args, []string{"./main", "$(x)", ""}) || got.Stdin != io.Reader(stdin) || !slices.Equal(names, []string{"main", "data/in.txt"}) {
		t.Errorf("%q %q %v", got.Args, names, got.Stdin)
	}
	if got.Files[0].Artifact == nil || got.Files[0].Mode != 0o755 {
		t.Errorf("%+v", got.Files[0])
	}
	if _, err := e.Run(t.Context(), Request{Language: "exe", Files: source("\x7fELF")}); err != nil || got.Files[0].Mode != 0o755 || got.Args[0] != "./main" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCompile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		report  sandbox.Report
		stderr  string
		status  verdict.Status
		message string
	}{
		"error":       {sandbox.Report{Facts: verdict.Facts{ExitCode: 1}}, "main.c:1: error", verdict.CompileError, "compilation failed"},
		"crash":       {sandbox.Report{Facts: verdict.Facts{Signal: "SIGSEGV"}}, "", verdict.CompileError, "compilation failed: the compiler was killed by SIGSEGV"},
		"time":        {sandbox.Report{Facts: verdict.Facts{Signal: "SIGKILL", CPUExceeded: true}}, "", verdict.TimeLimitExceeded, "the compiler hit a limit: CPU time limit of 30 s exceeded"},
		"memory":      {sandbox.Report{Facts: verdict.Facts{ExitCode: 1, MemoryExceeded: true}}, "", verdict.MemoryLimitExceeded, "the compiler hit a limit: memory limit of 1 GiB exceeded"},
		"own memory":  {sandbox.Report{Facts: verdict.Facts{ExitCode: 3}}, "OutOfMemory", verdict.MemoryLimitExceeded, "the compiler hit a limit: memory"},
		"no output":   {sandbox.Report{}, "", verdict.CompileError, "compilation failed: the compiler made no program"},
		"much output": {sandbox.Report{Facts: verdict.Facts{ExitCode: 1}}, strings.Repeat("e", 100<<10), verdict.CompileError, "compilation failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.compile = printing("", test.stderr, test.report)
			e := newEngine(t, f, nil)
			for range 2 {
				r, err := e.Run(t.Context(), Request{Language: "comp", Files: source("x")})
				if err != nil || r.Status != verdict.CompileError || r.Compile == nil || r.Compile.Status != test.status || !strings.HasPrefix(r.Message, test.message) {
					t.Fatalf("%+v, %+v, %v", r, r.Compile, err)
				}
				if r.ExitCode != nil || r.Signal != nil || r.Stdout != "" || r.CPUTimeMS != 0 || r.Compile.Cached {
					t.Errorf("%+v", r)
				}
				if r.Compile.Truncated != (len(test.stderr) > 64<<10) || !strings.HasPrefix(test.stderr, r.Compile.Stderr) || len(r.Compile.Stderr) > 64<<10 {
					t.Errorf("the head of the text: %d bytes, %t", len(r.Compile.Stderr), r.Compile.Truncated)
				}
			}
			if f.starts.Load() != 2 {
				t.Errorf("%d starts: a failed compile is not kept, and nothing is run after it", f.starts.Load())
			}
		})
	}
}

func TestCompileCannotStart(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.compile = printing("", "", sandbox.Report{Facts: verdict.Facts{ExitCode: 127}, StartError: "no such file or directory"})
	_, err := newEngine(t, f, nil).Run(t.Context(), Request{Language: "comp", Files: source("x")})
	if fault.CodeOf(err) != fault.Unavailable {
		t.Error(err)
	}
}

func TestStaticMemory(t *testing.T) {
	t.Parallel()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	memory := int64(1 << 20) // this test is bigger than that
	for name, test := range map[string]struct {
		content []byte
		report  sandbox.Report
		stdout  string
		want    verdict.Status
	}{
		"at exec":      {self, sandbox.Report{Facts: verdict.Facts{Signal: "SIGSEGV"}}, "", verdict.MemoryLimitExceeded},
		"exec refused": {self, sandbox.Report{Facts: verdict.Facts{ExitCode: 126}, StartError: "cannot allocate memory"}, "", verdict.MemoryLimitExceeded},
		"later":        {self, sandbox.Report{Facts: verdict.Facts{Signal: "SIGSEGV"}}, "hi", verdict.RuntimeError},
		"worked":       {self, sandbox.Report{Facts: verdict.Facts{Signal: "SIGSEGV"}, CPUTime: time.Second}, "", verdict.RuntimeError},
		"not an ELF":   {[]byte("#!x"), sandbox.Report{Facts: verdict.Facts{Signal: "SIGKILL"}}, "", verdict.RuntimeError},
		"abort":        {self, sandbox.Report{Facts: verdict.Facts{Signal: "SIGABRT"}}, "", verdict.RuntimeError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.run = printing(test.stdout, "", test.report)
			e := newEngine(t, f, func(o *Options) { o.MaxSource = 64 << 20; o.MaxTotal = 64 << 20 })
			r, err := e.Run(t.Context(), Request{Language: "exe", Files: []SourceFile{{Content: test.content}}, Limits: LimitOverrides{MemoryBytes: &memory}})
			if err != nil || r.Status != test.want {
				t.Errorf("%s %q %v", r.Status, r.Message, err)
			}
		})
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.run = printing("out", strings.Repeat("x", 100000)+"\nMemoryError\n", sandbox.Report{Facts: verdict.Facts{ExitCode: 1}})
	var stdout, stderr bytes.Buffer
	var events []EventKind
	r, err := newEngine(t, f, nil).Run(t.Context(), Request{
		Language: "script", Files: source("x"), Stdout: &stdout, Stderr: &stderr,
		Progress: func(e Event) {
			if (e.Handle != nil) != (e.Kind == RunStarted) {
				t.Error("RunStarted has the handle")
			}
			events = append(events, e.Kind)
		},
	})
	if err != nil || r.Stdout != "" || r.Stderr != "" || stdout.String() != "out" || stderr.Len() < 100000 || r.Status != verdict.MemoryLimitExceeded {
		t.Errorf("%+v %v", r, err)
	}
	if !slices.Equal(events, []EventKind{RunStarted}) {
		t.Error(events)
	}
}

// TestLiveFile: a file as the live stream must not reach the sandbox as a file, where it would have no output limit.
func TestLiveFile(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	f := newFake(t)
	f.run = func(c sandbox.Command) (sandbox.Report, error) {
		if _, isFile := c.Stdout.(*os.File); isFile {
			t.Error("the file was handed over")
		}
		return sandbox.Report{}, nil
	}
	if _, err := newEngine(t, f, nil).Run(t.Context(), Request{Language: "script", Files: source("x"), Stdout: file}); err != nil {
		t.Error(err)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	broken := fault.Internalf(errors.New("slot lost"), "run")
	for name, test := range map[string]struct {
		failures int
		err      error
		write    bool
		stdin    io.Reader
		starts   int64
		ok       bool
	}{
		"mended":         {failures: 1, err: broken, starts: 2, ok: true, stdin: bytes.NewReader([]byte("in"))},
		"twice":          {failures: 2, err: broken, starts: 2},
		"other":          {failures: 1, err: fault.Invalidf("x", "", "y"), starts: 1},
		"not a fault":    {failures: 1, err: errors.New("z"), starts: 1},
		"streamed":       {failures: 1, err: broken, write: true, starts: 1},
		"consumed stdin": {failures: 1, err: broken, stdin: strings.NewReader("in"), starts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			left := test.failures
			f.run = func(c sandbox.Command) (sandbox.Report, error) {
				if c.Stdin != nil {
					if data, _ := io.ReadAll(c.Stdin); string(data) != "in" {
						t.Errorf("stdin is %q", data)
					}
				}
				if test.write {
					_, _ = io.WriteString(c.Stdout, "x")
				}
				if left--; left >= 0 {
					return sandbox.Report{}, test.err
				}
				return sandbox.Report{}, nil
			}
			_, err := newEngine(t, f, nil).Run(t.Context(), Request{Language: "script", Files: source("x"), Stdout: io.Discard, Stdin: test.stdin})
			if (err == nil) != test.ok || f.starts.Load() != test.starts {
				t.Errorf("%v after %d starts", err, f.starts.Load())
			}
			var known *fault.Error
			if err != nil && !errors.As(err, &known) {
				t.Errorf("%v is not a fault", err)
			}
		})
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	e := newEngine(t, f, func(o *Options) { o.Gate = func() error { return &fault.Error{Code: fault.Degraded, Message: "no"} } })
	if _, err := e.Run(t.Context(), Request{Language: "script", Files: source("x")}); fault.CodeOf(err) != fault.Degraded || f.starts.Load() != 0 {
		t.Error(err)
	}
}

func BenchmarkRun(b *testing.B) {
	f := newFake(b)
	e := newEngine(b, f, nil)
	files := source("\x7fELF")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Run(b.Context(), Request{Language: "exe", Files: files}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRunCompiled(b *testing.B) {
	f := newFake(b)
	e := newEngine(b, f, nil)
	files := source(strings.Repeat("int x;\n", 500))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Run(b.Context(), Request{Language: "comp", Files: files}); err != nil {
			b.Fatal(err)
		}
	}
}
