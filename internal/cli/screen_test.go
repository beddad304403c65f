package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"assay/internal/engine"
	"assay/internal/sandbox"
)

// sink is a terminal for two streams.
type sink struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// fakeRun is a run that can be measured.
type fakeRun struct{ sandbox.Handle }

func (fakeRun) Usage() (sandbox.Usage, error) {
	return sandbox.Usage{CPUTime: 1500 * time.Millisecond, Memory: 5 << 20}, nil
}

func (fakeRun) Signal(syscall.Signal) error { return errors.New("not needed") }

func terminalScreen(to *sink, stats bool) *screen {
	return &screen{out: to, err: to, terminal: true, mixed: true, stats: stats, cancel: func(error) {}}
}

func TestSpinnerWhileCompiling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var to sink
		s := terminalScreen(&to, false)
		s.progress(engine.Event{Kind: engine.CompileStarted})
		<-time.After(spinnerPace*3 + 1)
		synctest.Wait()
		s.progress(engine.Event{Kind: engine.CompileFinished})
		text := to.text.String()
		if strings.Count(text, "compiling 0.") != 3 || !strings.HasSuffix(text, "\r\x1b[K") {
			t.Errorf("%q", text)
		}
		s.stop()
	})
}

func TestStatsGiveWayToOutput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var to sink
		s := terminalScreen(&to, true)
		s.progress(engine.Event{Kind: engine.RunStarted, Handle: fakeRun{}})
		<-time.After(statsPace + 1)
		synctest.Wait()
		fmt.Fprint(s.stdout(), "half a line")
		<-time.After(statsPace * 3) // nothing is drawn over it
		synctest.Wait()
		fmt.Fprint(s.stderr(), ", whole\n")
		s.stop()
		if want := "\r\x1b[Krunning · CPU 1.50 s · memory 5.0 MiB\r\x1b[Khalf a line, whole\n"; to.text.String() != want {
			t.Errorf("%q, want %q", to.text.String(), want)
		}
	})
}

func TestStatsInAFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out, errs sink
		s := &screen{out: &out, err: &errs, stats: true, cancel: func(error) {}}
		s.progress(engine.Event{Kind: engine.CompileStarted}) // no spinner
		s.progress(engine.Event{Kind: engine.RunStarted, Handle: fakeRun{}})
		<-time.After(logPace*2 + 1)
		synctest.Wait()
		s.stop()
		if got := errs.text.String(); strings.Count(got, "running") != 2 || strings.Contains(got, "\x1b") || out.text.Len() > 0 {
			t.Errorf("%q", got)
		}
	})
}

func TestWithSignals(t *testing.T) {
	ctx, stop := WithSignals(t.Context())
	defer stop()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	var got Interrupted
	if !errors.As(context.Cause(ctx), &got) || got.Signal != syscall.SIGHUP {
		t.Errorf("cause %v", context.Cause(ctx))
	}
}

func TestColours(t *testing.T) {
	t.Parallel()
	p := paint{on: true}
	if got := p.red("x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	for _, environ := range [][]string{nil, {"NO_COLOR=1"}, {"TERM=dumb"}} {
		if paintFor(&sink{}, environ).on {
			t.Errorf("%v: colours without a terminal", environ)
		}
	}
	if got := oneLine("a\n\x1b[31m\tb\u009bc"); got != "a [31m b c" {
		t.Errorf("%q", got)
	}
}
