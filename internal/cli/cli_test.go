package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"assay/internal/bench"
	"assay/internal/config"
	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/langcheck"
	"assay/internal/language"
	"assay/internal/verdict"
)

// fakeHost records the request and answers with what the test says.
type fakeHost struct {
	result   engine.Result
	err      error
	play     func(ctx context.Context, req engine.Request) error
	findings []Finding
	report   bench.Report
	checked  []CheckedLanguage

	req      engine.Request
	measured bench.Options
	ids      []string
	checks   langcheck.Options
	stdin    string
	closed   bool
	cfg      config.Config
}

func (h *fakeHost) Catalog(config.Config) (Catalog, error) { return fakeCatalog{}, nil }

func (h *fakeHost) OpenRunner(_ context.Context, cfg config.Config, _ string, _ *slog.Logger) (Runner, error) {
	h.cfg = cfg
	return h, nil
}

func (h *fakeHost) Install(_ context.Context, cfg config.Config, ids []string, out io.Writer) error {
	h.cfg, h.ids = cfg, ids
	fmt.Fprintln(out, "installing")
	return h.err
}

func (h *fakeHost) CheckLanguages(_ context.Context, cfg config.Config, ids []string, o langcheck.Options, _ *slog.Logger, tell func(CheckedLanguage)) error {
	h.cfg, h.ids, h.checks = cfg, ids, o
	for _, row := range h.checked {
		tell(row)
	}
	return h.err
}

func (h *fakeHost) Serve(_ context.Context, cfg config.Config, _ *slog.Logger, out io.Writer) error {
	h.cfg = cfg
	fmt.Fprintln(out, "serving")
	return h.err
}

func (h *fakeHost) Examine(context.Context, config.Config, *slog.Logger) ([]Finding, error) {
	return h.findings, h.err
}

func (h *fakeHost) Measure(_ context.Context, _ config.Config, o bench.Options, _ *slog.Logger) (bench.Report, error) {
	h.measured = o
	return h.report, h.err
}

func (h *fakeHost) Run(ctx context.Context, req engine.Request) (engine.Result, error) {
	h.req = req
	if req.Stdin != nil {
		data, err := io.ReadAll(req.Stdin)
		if err != nil {
			return engine.Result{}, err
		}
		h.stdin = string(data)
	}
	if h.play != nil {
		if err := h.play(ctx, req); err != nil {
			return engine.Result{}, err
		}
	}
	return h.result, h.err
}

func (h *fakeHost) Close() error { h.closed = true; return nil }

type fakeCatalog struct{}

func (fakeCatalog) Guess(file string) (string, error) {
	switch filepath.Ext(file) {
	case ".py":
		return "python", nil
	case ".cpp":
		return "cpp", nil
	case ".rs":
		return "", &fault.Error{Code: fault.Unavailable, Message: "language rust is not available: rustc is missing"}
	}
	return "", fault.Invalidf("language", "name it", "cannot tell")
}

func (fakeCatalog) List(context.Context) []language.Info {
	return []language.Info{
		{ID: "cpp", Name: "C++", Version: "12.2.0", Aliases: []string{"c++"}, Extensions: []string{".cpp"}, Available: true, Options: map[string]language.OptionInfo{
			"standard": {Description: "standard", Default: "c++17", Values: []string{"c++17", "c++20"}},
		}},
		{ID: "rust", Name: "Rust", Aliases: []string{}, Extensions: []string{".rs"}, Options: map[string]language.OptionInfo{}, Reason: "rustc is missing"},
	}
}

type outcome struct {
	code        int
	out, errors string
}

func execute(t *testing.T, h *fakeHost, stdin string, args ...string) outcome {
	t.Helper()
	return executeIn(t, t.Context(), h, stdin, args...)
}

func executeIn(t *testing.T, ctx context.Context, h *fakeHost, stdin string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	code := Execute(ctx, Process{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		// A file of settings in the current folder must not matter to a test.
		Environ: []string{config.EnvFile + "=/dev/null/none"},
	}, Build{Version: "1.2.3", Commit: "abc"}, h)
	return outcome{code, out.String(), errs.String()}
}

// executeClean is execute without any variable of the environment.
func executeClean(t *testing.T, h *fakeHost, stdin string, args ...string) outcome {
	t.Helper()
	settings := program(t, "empty.yaml", "")
	return execute(t, h, stdin, append(args[:1:1], append([]string{"--config", settings}, args[1:]...)...)...)
}

func program(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func ptr[T any](v T) *T { return &v }

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		result engine.Result
		err    error
		code   int
		says   string
	}{
		{"ok", engine.Result{Status: verdict.OK, ExitCode: ptr(0)}, nil, 0, ""},
		{"exit 7", engine.Result{Status: verdict.RuntimeError, ExitCode: ptr(7), Message: "exited with code 7"}, nil, 7, "assay: runtime error: exited with code 7 · CPU"},
		{"segfault", engine.Result{Status: verdict.RuntimeError, Signal: ptr("SIGSEGV"), Message: "killed by SIGSEGV\n"}, nil, 139, "runtime error: killed by SIGSEGV ·"},
		{"realtime signal", engine.Result{Status: verdict.RuntimeError, Signal: ptr("SIGRTMIN+2")}, nil, 164, "runtime error"},
		{"unnamed signal", engine.Result{Status: verdict.RuntimeError, Signal: ptr("SIG33")}, nil, 161, "runtime error"},
		{"cpu", engine.Result{Status: verdict.TimeLimitExceeded, Limit: ptr("cpu"), Message: "CPU time limit of 1 s exceeded"}, nil, 124, "assay: CPU time limit of 1 s exceeded ·"},
		{"wall", engine.Result{Status: verdict.TimeLimitExceeded, Limit: ptr("wall")}, nil, 124, "time limit exceeded"},
		{"memory", engine.Result{Status: verdict.MemoryLimitExceeded}, nil, 124, "memory limit exceeded"},
		{"output", engine.Result{Status: verdict.OutputLimitExceeded, Truncated: true}, nil, 124, "output cut off"},
		{"compile", engine.Result{Status: verdict.CompileError, Compile: &engine.Compile{Status: verdict.CompileError, Stderr: "main.cpp:1: no"}}, nil, 1, "main.cpp:1: no\nassay: compile error"},
		{"internal status", engine.Result{Status: verdict.InternalError, Message: "slot lost"}, nil, 3, "slot lost"},
		{
			"not there",
			engine.Result{},
			&fault.Error{Code: fault.Unavailable, Field: "language", Message: "language rust is not available: rustc is missing"}, 2,
			"assay: language rust is not available: rustc is missing\n",
		},
		{"invalid limit", engine.Result{}, fault.Invalidf("limits.cpu_time_ms", "give less", "too much"), 2, "--time-limit: too much (give less)"},
		{"invalid option", engine.Result{}, fault.Invalidf("options.standard", "give c++17", "no"), 2, "--option standard: no"},
		{"setting", engine.Result{}, fmt.Errorf("opening: %w", fault.Invalidf("run-dir", "choose another", "cannot be entered")), 2, "assay: --run-dir: cannot be entered (choose another)"},
		{"degraded", engine.Result{}, &fault.Error{Code: fault.Degraded, Message: "no cgroup"}, 3, "no cgroup"},
		{"internal", engine.Result{}, errors.New("disk on fire"), 3, "disk on fire"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &fakeHost{result: tt.result, err: tt.err}
			got := executeClean(t, h, "", "run", program(t, "a.cpp", "x"))
			if got.code != tt.code {
				t.Errorf("exit code %d, want %d", got.code, tt.code)
			}
			if !strings.Contains(got.errors, tt.says) || (tt.says == "" && got.errors != "") {
				t.Errorf("stderr %q, want %q", got.errors, tt.says)
			}
			if !h.closed {
				t.Error("the runner was not closed")
			}
		})
	}
}

func TestStreamsPassThrough(t *testing.T) {
	t.Parallel()
	h := &fakeHost{
		result: engine.Result{Status: verdict.OK},
		play: func(_ context.Context, req engine.Request) error {
			fmt.Fprint(req.Stdout, "out\x00\xff")
			fmt.Fprint(req.Stderr, "err")
			return nil
		},
	}
	got := executeClean(t, h, "in\r\n\x00", "run", "--language", "python@3.11", program(t, "a", "print()"), "--", "-x", "--json", "a b")
	if got.out != "out\x00\xff" || got.errors != "err" || h.stdin != "in\r\n\x00" || got.code != 0 {
		t.Errorf("%+v, stdin %q", got, h.stdin)
	}
	if h.req.Language != "python@3.11" || strings.Join(h.req.Args, "|") != "-x|--json|a b" || string(h.req.Files[0].Content) != "print()" {
		t.Errorf("request %+v", h.req)
	}
	if _, isFile := h.req.Stdin.(*os.File); isFile {
		t.Error("the program got the caller's own stdin")
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	h := &fakeHost{result: engine.Result{Status: verdict.RuntimeError, ExitCode: ptr(3), Stdout: "<a&b>"}}
	got := executeClean(t, h, "", "run", "--json", program(t, "a.py", ""))
	if got.code != 0 || got.errors != "" || h.req.Stdout != nil || h.req.Stderr != nil {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(got.out, `"stdout":"<a&b>"`) || strings.Count(got.out, "\n") != 1 || !json.Valid([]byte(got.out)) {
		t.Errorf("stdout %s", got.out)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	h := &fakeHost{result: engine.Result{Status: verdict.OK}}
	got := executeClean(t, h, "", "run", "--time-limit", "1500ms", "--wall-limit", "2m", "--memory-limit", "64MB", "--stack-limit", "1GiB",
		"--process-limit", "7", "--output-limit", "1024", "--cpu-percent", "150", "--profile", "leetcode", "--option", "standard=c++20", "-o", "defines=A=B", program(t, "a.cpp", ""))
	l := h.req.Limits
	if got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if *l.CPUTimeMS != 1500 || *l.WallTimeMS != 120000 || *l.MemoryBytes != 64e6 || *l.StackBytes != 1<<30 || *l.Processes != 7 ||
		*l.OutputBytes != 1024 || *l.CPUPercent != 150 || l.Profile != "leetcode" {
		t.Errorf("limits %+v", l)
	}
	if h.req.Options["standard"] != "c++20" || h.req.Options["defines"] != "A=B" {
		t.Errorf("options %v", h.req.Options)
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	py := program(t, "a.py", "")
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"run"}, "no FILE is given"},
		{[]string{"run", "--", py}, "no FILE is given"},
		{[]string{"run", py, "b.py"}, "arguments of the program go behind --"},
		{[]string{"run", "-"}, "--language"},
		{[]string{"run", dir}, "is a directory"},
		{[]string{"run", pipe}, "is not a regular file"},
		{[]string{"run", dir + "/absent.py"}, "no such file"},
		{[]string{"run", program(t, "a.xyz", "")}, "give --language ID"},
		{[]string{"run", program(t, "a.rs", "")}, "assay: language rust is not available: rustc is missing"},
		{[]string{"run", "--language", "", py}, "--language"},
		{[]string{"run", "--stdin", dir + "/absent", py}, "--stdin: "},
		{[]string{"run", "--stdin", "-", "--language", "python", "-"}, "--stdin"},
		{[]string{"run", "--option", "standard", py}, "give KEY=VALUE"},
		{[]string{"run", "--option", "a=1", "--option", "a=2", py}, "is given twice"},
		{[]string{"run", "--profile", "olympic", py}, "--profile: there is no profile"},
		{[]string{"run", "--profile", "", py}, "--profile"},
		{[]string{"run", "--time-limit", "0", py}, "--time-limit: 0 is out of range; give 1ms to 1h0m0s"},
		{[]string{"run", "--time-limit", "-1s", py}, "--time-limit"},
		{[]string{"run", "--time-limit", "2", py}, "give a number with a unit"},
		{[]string{"run", "--time-limit", "1000000h", py}, "--time-limit"},
		{[]string{"run", "--wall-limit", "1us", py}, "--wall-limit"},
		{[]string{"run", "--memory-limit", "0", py}, "--memory-limit"},
		{[]string{"run", "--memory-limit=-5MiB", py}, "--memory-limit"},
		{[]string{"run", "--memory-limit", "99999TiB", py}, "--memory-limit"},
		{[]string{"run", "--memory-limit", "many", py}, "--memory-limit"},
		{[]string{"run", "--memory-limit", "", py}, "--memory-limit"},
		{[]string{"run", "--stack-limit", "1", py}, "--stack-limit"},
		{[]string{"run", "--process-limit", "0", py}, "--process-limit"},
		{[]string{"run", "--process-limit", "1000000", py}, "--process-limit"},
		{[]string{"run", "--output-limit", "-1", py}, "--output-limit"},
		{[]string{"run", "--cpu-percent", "-3", py}, "--cpu-percent"},
		{[]string{"run", "--novel", py}, "--novel"},
		{[]string{"run", "--log-level", "loud", py}, "--log-level"},
		{[]string{"judge", py}, "unknown command"},
		{[]string{"serve", "here"}, "here"},
		{[]string{"serve", "--workers", "-1"}, "--workers"},
		{[]string{"languages", "install"}, "install"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			h := &fakeHost{}
			args := tt.args
			if args[0] != "judge" {
				args = append([]string{args[0], "--config", program(t, "empty.yaml", "")}, args[1:]...)
			}
			got := execute(t, h, "", args...)
			if got.code != exitUsage || !strings.Contains(got.errors, tt.want) || got.out != "" {
				t.Errorf("%+v, want %q", got, tt.want)
			}
			if h.req.Language != "" {
				t.Error("something was run")
			}
		})
	}
}

func TestProgramFromStandardInput(t *testing.T) {
	t.Parallel()
	h := &fakeHost{result: engine.Result{Status: verdict.OK}}
	if got := executeClean(t, h, "print(1)", "run", "--language", "python", "-"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if string(h.req.Files[0].Content) != "print(1)" || h.req.Stdin != nil {
		t.Errorf("source %q, stdin %v", h.req.Files[0].Content, h.req.Stdin)
	}
}

func TestStdinFile(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 10, smallInput + 1} {
		h := &fakeHost{result: engine.Result{Status: verdict.OK}}
		text := strings.Repeat("x", size)
		if got := executeClean(t, h, "other", "run", "--stdin", program(t, "in", text), program(t, "a.py", "")); got.code != 0 || h.stdin != text {
			t.Errorf("size %d: %+v, %d bytes", size, got, len(h.stdin))
		}
		if _, isFile := h.req.Stdin.(*os.File); isFile {
			t.Errorf("size %d: the program got a file of the host", size)
		}
	}
}

func TestELFNeedsNoName(t *testing.T) {
	t.Parallel()
	h := &fakeHost{result: engine.Result{Status: verdict.OK}}
	if got := executeClean(t, h, "", "run", program(t, "a.out", "\x7fELF\x02")); got.code != 0 || h.req.Language != "exe" {
		t.Errorf("%+v, language %q", got, h.req.Language)
	}
}

func TestSignalEndsTheRun(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		ctx, cancel := context.WithCancelCause(t.Context())
		h := &fakeHost{play: func(ctx context.Context, _ engine.Request) error {
			cancel(Interrupted{sig})
			<-ctx.Done()
			return &fault.Error{Code: fault.Cancelled, Message: "the caller went away"}
		}}
		got := executeIn(t, ctx, h, "", "run", "--config", program(t, "empty.yaml", ""), program(t, "a.py", ""))
		if got.code != 128+int(sig) || got.out != "" || !h.closed {
			t.Errorf("%s: %+v, closed %v", sig, got, h.closed)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestReaderGoesAway(t *testing.T) {
	t.Parallel()
	h := &fakeHost{play: func(ctx context.Context, req engine.Request) error {
		if _, err := req.Stdout.Write([]byte("x")); err == nil {
			return errors.New("the write did not fail")
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	code := Execute(t.Context(), Process{
		Args:  []string{"run", "--config", program(t, "empty.yaml", ""), program(t, "a.py", "")},
		Stdin: strings.NewReader(""), Stdout: brokenPipe{}, Stderr: io.Discard,
	}, Build{}, h)
	if code != 128+int(syscall.SIGPIPE) || !h.closed {
		t.Errorf("exit code %d, closed %v", code, h.closed)
	}
}

func TestStatsSummary(t *testing.T) {
	t.Parallel()
	h := &fakeHost{
		result: engine.Result{Status: verdict.OK, CPUTimeMS: 1.844, WallTimeMS: 1234, MemoryBytes: 3 << 20},
		play: func(_ context.Context, req engine.Request) error {
			req.Progress(engine.Event{Kind: engine.RunStarted})
			fmt.Fprint(req.Stderr, "no newline")
			return nil
		},
	}
	got := executeClean(t, h, "", "run", "--stats", program(t, "a.py", ""))
	if want := "no newline\nassay: ok · CPU 1.84 ms · wall 1.23 s · memory 3.0 MiB\n"; got.errors != want {
		t.Errorf("stderr %q, want %q", got.errors, want)
	}
}
