package probe_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assay/internal/fault"
	"assay/internal/probe"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
	"assay/internal/testtime"
)

func TestMain(m *testing.M) {
	linux.Main()
	probe.Main()
	os.Exit(m.Run())
}

func openDriver(t *testing.T) (*linux.Driver, string) {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	d, err := linux.Open(t.Context(), linux.Options{RunDir: dir, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	canary := filepath.Join(dir, "canary")
	if err := os.WriteFile(canary, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	return d, canary
}

func TestSandboxHolds(t *testing.T) {
	t.Parallel()
	d, canary := openDriver(t)
	p := probe.New(patient{d}, canary, slog.Default())
	if fault.CodeOf(p.Err()) != fault.Degraded {
		t.Errorf("before the first round: %v", p.Err())
	}
	for round := range 2 {
		results := p.Run(t.Context())
		if len(results) < 10 {
			t.Errorf("round %d: only %d results", round, len(results))
		}
		for _, r := range results {
			if !r.OK {
				t.Errorf("round %d: %s: %s", round, r.Name, r.Detail)
			}
		}
		if err := p.Err(); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// patient is a sandbox with the time limits that a slow machine needs.
type patient struct{ *linux.Driver }

func (p patient) Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error) {
	c.Limits.CPUTime, c.Limits.WallTime = testtime.Stretch(c.Limits.CPUTime), testtime.Stretch(c.Limits.WallTime)
	return p.Driver.Start(ctx, c)
}

// leaky is a sandbox that gives programs a variable of the host.
type leaky struct{ patient }

func (l leaky) Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error) {
	c.Env = append(c.Env, "HOST_SECRET=1")
	return l.patient.Start(ctx, c)
}

// blind is a sandbox without a memory limit worth the name.
type blind struct{ patient }

func (b blind) Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error) {
	c.Limits.Memory *= 100
	return b.patient.Start(ctx, c)
}

func TestBrokenSandboxIsFound(t *testing.T) {
	t.Parallel()
	d, canary := openDriver(t)
	for want, s := range map[string]probe.Sandbox{"environment: HOST_SECRET is set": leaky{patient{d}}, "memory limit": blind{patient{d}}} {
		p := probe.New(s, canary, slog.New(slog.DiscardHandler))
		p.Run(t.Context())
		if err := p.Err(); fault.CodeOf(err) != fault.Degraded || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
