package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/internal/engine"
	"assay/internal/language"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
	"assay/internal/testtime"
	"assay/internal/verdict"
)

// A slot's init is this very program, started again.
func TestMain(m *testing.M) {
	linux.Main()
	if dir := os.Getenv(precompileEnv); dir != "" {
		if err := precompile(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Times are stretched by package testtime.
const (
	slots       = 2
	fewestCases = 150              // fewer means that the suite was not found whole
	caseTimeout = 2 * time.Minute  // for one case with its compilations
	startTime   = 30 * time.Second // for the slots to be prepared
	settleTime  = 10 * time.Second // for a slot to be clean or replaced after a run
)

// What a compiler may use: bombs need not use up the default, nor as many times this as real compilers need on a slow machine.
const (
	compileCPU, compileWall = 10 * time.Second, 25 * time.Second
	neededCPU, neededWall   = 2 * time.Second, 5 * time.Second
)

// TestHostile runs every case. Cases that look at the host do it when no other case runs, so that what they find is theirs.
func TestHostile(t *testing.T) {
	t.Parallel()
	s := open(t)
	cases := load(t)
	if len(cases) < fewestCases {
		t.Errorf("%d cases were found, %d are the least", len(cases), fewestCases)
	}
	t.Run("cases", func(t *testing.T) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s.do(t, c)
			})
		}
	})
	if err := s.settled(t); err != nil {
		t.Errorf("after the whole suite: %v", err)
	}
}

// load gives all cases.
func load(t *testing.T) map[string]*Case {
	t.Helper()
	cases, err := readCases(os.DirFS("testdata"))
	lose(t, cases, os.Getenv(rootlessEnv))
	if err != nil {
		t.Error(err)
	}
	return cases
}

// readCases reads all case files; those that cannot be read are in the error.
func readCases(root fs.FS) (map[string]*Case, error) {
	shared := func(name string) ([]byte, error) { return fs.ReadFile(root, "shared/"+name) }
	paths, err := fs.Glob(root, "*/*.txtar")
	if err != nil {
		return nil, err
	}
	cases := map[string]*Case{}
	var failed error
	for _, p := range paths {
		data, err := fs.ReadFile(root, p)
		if err != nil {
			return nil, err
		}
		c, err := Parse(data, shared)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p, err))
			continue
		}
		cases[strings.TrimSuffix(p, ".txtar")] = c
	}
	return cases, failed
}

// suite is what all cases share.
type suite struct {
	host   *Host
	engine *engine.Engine
	// alone is held for reading by a case that runs beside others, for writing by what needs the host for itself.
	alone sync.RWMutex
}

// open plants the secrets and makes an engine over the native sandbox.
func open(t *testing.T) *suite {
	t.Helper()
	// Not t.TempDir: the programs' ids must be able to pass through to what a slot shows them.
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	host, err := Plant(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	languages, err := language.Open(language.Options{})
	if err != nil {
		t.Fatal(err)
	}
	runDir := filepath.Join(dir, "run")
	driver, err := linux.Open(t.Context(), linux.Options{
		RunDir: runDir, Slots: slots, Folders: languages.Folders(), AllowDegraded: os.Getenv(rootlessEnv) != "",
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	compile := sandbox.DefaultCompile()
	compile.CPUTime, compile.WallTime = max(compileCPU, testtime.Stretch(neededCPU)), max(compileWall, testtime.Stretch(neededWall))
	run := sandbox.DefaultRun()
	run.CPUTime, run.WallTime = testtime.Stretch(run.CPUTime), testtime.Stretch(run.WallTime)
	s := &suite{host: host, engine: engine.New(engine.Options{
		Sandbox: compiled{driver, os.Getenv(compiledEnv)}, Languages: languages, Slots: slots, MaxWaiting: 1000,
		RunLimits: run, CompileLimits: compile,
		CacheBytes: 64 * sandbox.MiB, CacheEntries: 64,
	})}
	t.Cleanup(func() {
		if err := errors.Join(s.engine.Close(), driver.Close()); err != nil {
			t.Errorf("closing: %v", err)
		}
		if left, err := fs.Glob(os.DirFS(runDir), "*"); err != nil || len(left) > 0 {
			t.Errorf("the driver left %v in its run folder (%v)", left, err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), testtime.Stretch(startTime))
	defer cancel()
	if err := host.Watch(ctx, driver.Slots, func() ([]string, error) { return recordedGroups(runDir) }); err != nil {
		t.Fatalf("before the first case: %v", err)
	}
	return s
}

// recordedGroups lists the control groups below those that instances wrote down in their folders.
func recordedGroups(runDir string) ([]string, error) {
	records, err := filepath.Glob(filepath.Join(runDir, "*", "cgroups"))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, r := range records {
		data, err := os.ReadFile(r)
		if err != nil {
			return nil, err
		}
		for _, group := range strings.Fields(string(data)) {
			err := filepath.WalkDir(group, func(p string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					found = append(found, p)
				}
				return nil // a group may go while it is looked at
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// settled runs host checks, all of them without names.
func (s *suite) settled(t *testing.T, names ...string) error {
	ctx, cancel := context.WithTimeout(t.Context(), testtime.Stretch(settleTime))
	defer cancel()
	return s.host.Check(ctx, names...)
}

// do runs one case.
func (s *suite) do(t *testing.T, c *Case) {
	switch {
	case c.Pair:
		s.alone.Lock()
		defer s.alone.Unlock()
		s.pair(t, c)
	case c.Again:
		s.alone.Lock()
		defer s.alone.Unlock()
		// Free slots are used in turn, so that two runs of each program meet in each slot.
		second := s.second(c)
		s.one(t, c, nil)
		s.one(t, c, nil)
		s.one(t, second, nil)
		s.one(t, second, nil)
	default:
		s.alone.RLock()
		s.one(t, c, nil)
		s.alone.RUnlock()
		if len(c.Host) == 0 {
			return
		}
		s.alone.Lock()
		defer s.alone.Unlock()
	}
	if len(c.Host) > 0 {
		if err := s.settled(t, c.Host...); err != nil {
			t.Error(err)
		}
	}
}

// second makes a case of a case's second program; without one, it is the first once more.
func (s *suite) second(c *Case) *Case {
	if len(c.Second) == 0 {
		return c
	}
	n := *c
	n.Files, n.Language, n.Expect, n.memory = c.Second, c.SecondLanguage, c.SecondExpect, c.SecondMemory
	return &n
}

// pair runs both programs of a case at the same time, and again when one had ended before the other began.
func (s *suite) pair(t *testing.T, c *Case) {
	const attempts = 5
	for range attempts {
		var both [2]span
		var wg sync.WaitGroup
		for i, program := range []*Case{c, s.second(c)} {
			wg.Go(func() { s.one(t, program, &both[i]) })
		}
		wg.Wait()
		if t.Failed() || both[0].start.Before(both[1].end) && both[1].start.Before(both[0].end) {
			return
		}
	}
	t.Errorf("the two programs did not run at the same time in %d attempts", attempts)
}

// span is when a program ran.
type span struct{ start, end time.Time }

// one runs one program and looks at its result.
func (s *suite) one(t *testing.T, c *Case, when *span) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testtime.Stretch(caseTimeout))
	defer cancel()
	req := engine.Request{
		Language: c.Language, Files: c.Files, Options: c.Options, Limits: stretched(c), Stdin: bytes.NewReader(c.Stdin),
	}
	for _, a := range c.Args {
		req.Args = append(req.Args, s.fill(a))
	}
	req.Progress = func(e engine.Event) {
		if e.Kind == engine.RunStarted && when != nil {
			when.start = time.Now()
		}
	}
	result, err := s.engine.Run(ctx, req)
	if when != nil {
		when.end = time.Now()
	}
	if c.Refused != "" {
		if problem := notRefused(c, err); problem != "" {
			t.Error(problem)
		}
		return
	}
	if err != nil {
		t.Errorf("the engine failed: %v", err)
		return
	}
	t.Logf("status %s limit %s exit %s signal %s cpu %.0f ms wall %.0f ms memory %d message %q\n\tstdout %s\n\tstderr %s\n\tcompile %s",
		result.Status, text(result.Limit), text(result.ExitCode), text(result.Signal), result.CPUTimeMS, result.WallTimeMS,
		result.MemoryBytes, result.Message, head(result.Stdout), head(result.Stderr), head(compileText(&result)))
	for _, problem := range s.judge(c, &result) {
		t.Error(problem)
	}
}

// stretched gives a case's limits on a slow machine the time that they mean. The one that the program is to hit stays, unless it
// has something to say before, and where hitting one is one of the allowed ends, they are stretched a little only: it would
// take longer, and show nothing more.
func stretched(c *Case) engine.LimitOverrides {
	const little = 4
	l := c.Limits
	may := slices.Contains(c.Expect, verdict.TimeLimitExceeded)
	must := may && len(c.Expect) == 1 && c.Stdout == nil && len(c.StdoutContains)+len(c.StderrContains) == 0
	for _, limit := range []struct {
		ms   **int64
		stay bool
	}{{&l.CPUTimeMS, must && c.Limit != verdict.WallLimit}, {&l.WallTimeMS, must && c.Limit == verdict.WallLimit}} {
		if *limit.ms == nil || limit.stay {
			continue
		}
		d := time.Duration(**limit.ms) * time.Millisecond
		long := testtime.Stretch(d)
		if may && len(c.Expect) > 1 {
			long = min(long, little*d)
		}
		n := long.Milliseconds()
		*limit.ms = &n
	}
	return l
}

// fill puts what this host is listening on into an argument or an expectation.
func (s *suite) fill(text string) string {
	return strings.NewReplacer(
		"{{port}}", s.host.Port, "{{unix}}", s.host.Unix, "{{abstract}}", s.host.Abstract,
		"{{secret_file}}", s.host.SecretFile, "{{hostname}}", s.host.name, "{{long}}", strings.Repeat("x", 100_000),
	).Replace(text)
}
