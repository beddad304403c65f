// Package sandboxtest is the conformance suite of sandbox drivers: Run checks everything that package sandbox and design.md,
// section 4, promise to those who use a driver, and nothing that only one driver has. Each driver's own test calls it.
//
// The programs that the suite runs are C files in testdata, compiled once for each Run, and shell scripts. They run in the
// sandbox only.
package sandboxtest

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/internal/sandbox"
	"assay/internal/testtime"
)

// Sandbox is what a driver offers.
type Sandbox interface {
	Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error)
	Keep(o sandbox.Output) (*sandbox.Artifact, error)
	Release(a *sandbox.Artifact) error
}

// Open gives a driver with a number of slots. It closes it by t.Cleanup.
type Open func(t *testing.T, slots int) Sandbox

// Slots of the driver that most of the suite shares, and the processes that a run may have there.
const (
	sharedSlots      = 3
	defaultProcesses = 16
)

// Without is what a driver cannot promise on a host that lacks something. The checks that depend on it look for what is left.
type Without struct {
	// CPURate: runs with Limits.CPUPercent are refused. Nothing but a control group slows a group of processes down.
	CPURate bool
	// ForkCount: the kernel refuses forks, but does not tell how many.
	ForkCount bool
	// ExactMemory: memory is looked at from time to time, so that what a program takes in its last milliseconds may not be read.
	ExactMemory bool
}

// Run checks a driver.
func Run(t *testing.T, open Open, without Without) {
	t.Helper()
	binaries := compile(t)
	b := newBench(t, open, sharedSlots, binaries)
	b.without = without
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Start", startTests()},
		{"Refused", refusedTests()},
		{"End", endTests()},
		{"Streams", streamTests()},
		{"Terminal", terminalTests()},
		{"Handle", handleTests()},
		{"Time", timeTests()},
		{"Memory", memoryTests()},
		{"Limits", limitTests()},
		{"Outputs", outputTests()},
		{"Artifacts", artifactTests()},
		{"Isolation", isolationTests()},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, x := range group.tests {
				t.Run(x.name, func(t *testing.T) {
					t.Parallel()
					x.run(t, b)
				})
			}
		})
	}
}

// test is one check.
type test struct {
	name string
	run  func(t *testing.T, b *bench)
}

//go:embed testdata/*.c
var sources embed.FS

// compile builds every program of testdata and gives them by name.
func compile(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := sources.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	binaries := map[string][]byte{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, f := range files {
		all.Go(func() {
			name := strings.TrimSuffix(f.Name(), ".c")
			bin, err := compileOne(t.Context(), dir, name)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			binaries[name] = bin
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return binaries
}

func compileOne(ctx context.Context, dir, name string) ([]byte, error) {
	text, err := sources.ReadFile("testdata/" + name + ".c")
	if err != nil {
		return nil, err
	}
	source, binary := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
	if err := os.WriteFile(source, text, 0o600); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "gcc", "-O1", "-Wall", "-static", "-pthread", "-s", "-o", binary, source).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("compiling %s: %w\n%s", name, err, out)
	}
	return os.ReadFile(binary)
}

// bench is a driver with the programs kept in it.
type bench struct {
	sandbox  Sandbox
	open     Open
	binaries map[string][]byte
	kept     map[string]*sandbox.Artifact
	without  Without
}

func newBench(t *testing.T, open Open, slots int, binaries map[string][]byte) *bench {
	t.Helper()
	b := &bench{sandbox: open(t, slots), open: open, binaries: binaries, kept: map[string]*sandbox.Artifact{}}
	for name, content := range binaries {
		b.kept[name] = b.keep(t, name, 0o755, content)
	}
	return b
}

// alone is a driver with one slot, so that two runs after each other have the same.
func (b *bench) alone(t *testing.T) *bench {
	t.Helper()
	one := newBench(t, b.open, 1, b.binaries)
	one.without = b.without
	return one
}

// keep makes an artifact of some content.
func (b *bench) keep(t *testing.T, name string, mode os.FileMode, content []byte) *sandbox.Artifact {
	t.Helper()
	path := filepath.Join(t.TempDir(), "artifact")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := b.sandbox.Keep(sandbox.Output{Name: name, Size: int64(len(content)), Mode: mode, File: f})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// limits are small ones that every program of the suite fits in.
func limits() sandbox.Limits {
	return sandbox.Limits{
		CPUTime: testtime.Stretch(10 * time.Second), WallTime: testtime.Stretch(60 * time.Second), Memory: 256 * sandbox.MiB, Stack: 8 * sandbox.MiB,
		Processes: defaultProcesses, Output: sandbox.MiB, FileBytes: 64 * sandbox.MiB, FileCount: 1000,
	}
}

// program is a command for one of the suite's programs.
func (b *bench) program(name string, args ...string) sandbox.Command {
	return sandbox.Command{
		Args: append([]string{"./" + name}, args...), Limits: limits(),
		Files: []sandbox.File{{Name: name, Mode: 0o755, Artifact: b.kept[name]}},
	}
}

// script is a command for the shell.
func script(text string) sandbox.Command {
	return sandbox.Command{Args: []string{"/bin/sh", "-c", text}, Env: []string{"PATH=/usr/bin:/bin"}, Limits: limits()}
}

// result is a report with the streams.
type result struct {
	sandbox.Report
	stdout, stderr string
}

// run runs a command to its end; streams that it leaves nil are collected.
func (b *bench) run(t *testing.T, c sandbox.Command) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if c.Stdout == nil {
		c.Stdout = &stdout
	}
	if c.Stderr == nil && c.Terminal == nil {
		c.Stderr = &stderr
	}
	h := b.start(t, c)
	rep := wait(t, h)
	return result{rep, stdout.String(), stderr.String()}
}

func (b *bench) start(t *testing.T, c sandbox.Command) sandbox.Handle {
	t.Helper()
	h, err := b.sandbox.Start(t.Context(), c)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return h
}

// wait gives the report of a run that must not fail.
func wait(t *testing.T, h sandbox.Handle) sandbox.Report {
	t.Helper()
	rep, err := h.Wait()
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	t.Cleanup(rep.CloseOutputs)
	return rep
}

// ok checks that a program ended with exit code 0 and no limit.
func (r result) ok(t *testing.T) {
	t.Helper()
	if r.ExitCode != 0 || r.Signal != "" || r.OutputExceeded || r.MemoryExceeded || r.CPUExceeded || r.WallExceeded || r.StartError != "" {
		t.Fatalf("the program did not end well: %+v\nstdout: %.2000s\nstderr: %.2000s", r.Report, r.stdout, r.stderr)
	}
}

// Until waits for a condition, for a minute at the most, stretched by testtime.
func Until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	giveUp := time.After(testtime.Stretch(time.Minute))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-giveUp:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// lines is a writer that gives the lines it was written, as they come.
type lines struct {
	mu   sync.Mutex
	text []byte
	out  chan string
}

func newLines() *lines { return &lines{out: make(chan string, 1000)} }

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	for {
		line, rest, found := bytes.Cut(l.text, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.out <- string(bytes.TrimSuffix(line, []byte("\r")))
		l.text = rest
	}
}

// expect waits for a line. That the run ends instead is a failure.
func (l *lines) expect(t *testing.T, h sandbox.Handle, want string) {
	t.Helper()
	ended := make(chan sandbox.Report, 1)
	go func() {
		rep, _ := h.Wait()
		ended <- rep
	}()
	select {
	case got := <-l.out:
		if got != want {
			t.Fatalf("got the line %q, want %q", got, want)
		}
		return
	case rep := <-ended:
		select {
		case got := <-l.out:
			if got == want {
				return
			}
			t.Fatalf("got the line %q, want %q", got, want)
		default:
			t.Fatalf("the run ended without the line %q: %+v", want, rep)
		}
	}
}
