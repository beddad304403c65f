// Package probe checks the sandbox from the inside: it runs a program of its own in it, which tries what a program must
// not be able to do, and looks at what came of it. It runs before the first job and then every few minutes; while a
// probe fails, nothing else is run.
package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"assay/internal/fault"
	"assay/internal/sandbox"
)

// Sandbox is what the probes need of a driver.
type Sandbox interface {
	Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error)
	Keep(o sandbox.Output) (*sandbox.Artifact, error)
	Release(a *sandbox.Artifact) error
}

// Result is what one probe found.
type Result struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Set is the probes of one sandbox. It is safe for concurrent use.
type Set struct {
	sandbox Sandbox
	log     *slog.Logger
	canary  string // a file of the host that the inside must not be able to read
	mu      sync.Mutex
	program *sandbox.Artifact
	err     atomic.Pointer[error]
}

// New makes the probes. canary is a file of the host whose content no program may see.
func New(s Sandbox, canary string, log *slog.Logger) *Set {
	p := &Set{sandbox: s, log: log, canary: canary}
	p.fail(errors.New("the first probes have not run yet"))
	return p
}

// Err is nil while the last round of probes passed; else it is a fault.Degraded that says which failed.
func (p *Set) Err() error {
	if err := p.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *Set) fail(err error) {
	var f error = &fault.Error{
		Code: fault.Degraded, Message: "the sandbox does not hold", Retry: true, Err: err,
		Hint: "run assay doctor on this host",
	}
	p.err.Store(&f)
}

// Watch runs the probes at each interval, for the first time after one, until ctx ends.
func (p *Set) Watch(ctx context.Context, interval time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			p.Run(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Run does one round of probes and keeps its outcome for Err.
func (p *Set) Run(ctx context.Context) []Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	results, err := p.round(ctx)
	if err != nil {
		if ctx.Err() != nil || fault.CodeOf(err) == fault.Stopping {
			return results // a round that was broken off says nothing
		}
		results = append(results, Result{Name: "run", Detail: err.Error()})
	}
	var failed []error
	for _, r := range results {
		if !r.OK {
			failed = append(failed, fmt.Errorf("%s: %s", r.Name, r.Detail))
		}
	}
	if len(failed) == 0 {
		p.err.Store(nil)
		return results
	}
	p.fail(errors.Join(failed...))
	p.log.Error("a probe of the sandbox failed: nothing is run until it passes", "err", errors.Join(failed...))
	return results
}

// Close lets go of the probe program.
func (p *Set) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.program == nil {
		return nil
	}
	err := p.sandbox.Release(p.program)
	p.program = nil
	return err
}

// round runs the program twice, the second time to look for what the first left, and then once to hit its memory limit.
func (p *Set) round(ctx context.Context) ([]Result, error) {
	if err := p.keepProgram(); err != nil {
		return nil, err
	}
	var results []Result
	for range 2 {
		report, out, err := p.execute(ctx, "look", p.canary)
		if err != nil {
			return nil, err
		}
		var got []Result
		if err := json.Unmarshal(out, &got); err != nil || report.ExitCode != 0 || report.Signal != "" {
			return nil, fmt.Errorf("the probe program ended with exit code %d, signal %q and wrote %q", report.ExitCode, report.Signal, out)
		}
		results = merge(results, got)
	}
	report, _, err := p.execute(ctx, "hog")
	if err != nil {
		return results, err
	}
	return append(results, Result{
		Name: "memory limit", OK: report.MemoryExceeded,
		Detail: fmt.Sprintf("a program over %d MiB: limit enforced: %t", hogLimit/sandbox.MiB, report.MemoryExceeded),
	}), nil
}

// merge keeps the first failure of each probe.
func merge(old, now []Result) []Result {
	if old == nil {
		return now
	}
	for i := range old {
		if i < len(now) && old[i].OK {
			old[i] = now[i]
		}
	}
	return old
}

// keepProgram puts this very binary where runs can be shown it.
func (p *Set) keepProgram() error {
	if p.program != nil {
		return nil
	}
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return fault.Internalf(err, "opening the probe program")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fault.Internalf(err, "opening the probe program")
	}
	p.program, err = p.sandbox.Keep(sandbox.Output{Name: "assay", Size: info.Size(), Mode: 0o755, File: f})
	return err
}

// hogLimit is the memory limit of the probes. The program needs a few MiB of it.
const hogLimit = 64 * sandbox.MiB

func (p *Set) execute(ctx context.Context, args ...string) (sandbox.Report, []byte, error) {
	limits := sandbox.DefaultRun()
	limits.CPUTime, limits.WallTime, limits.Memory = 5*time.Second, 20*time.Second, hogLimit
	var out bytes.Buffer
	h, err := p.sandbox.Start(ctx, sandbox.Command{
		// The name in args[0] has the binary be the probe; the file's name is what is executed.
		Args:  append([]string{"./" + Arg0}, args...),
		Files: []sandbox.File{{Name: Arg0, Mode: 0o755, Artifact: p.program}},
		// The runtime takes its threads and heap from these.
		Env:    []string{"GOMAXPROCS=2", secretKey + "=" + strings.Repeat("s", 8)},
		Limits: limits, Stdout: &out,
	})
	if err != nil {
		return sandbox.Report{}, nil, err
	}
	report, err := h.Wait()
	return report, out.Bytes(), err
}
