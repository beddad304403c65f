package sandboxtest

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"

	"assay/internal/fault"
	"assay/internal/sandbox"
)

// handleTests: what can be done with a run that was started, and how it is cancelled.
func handleTests() []test {
	return []test{
		{"signal", handleSignal},
		{"signal_is_for_the_program_only", signalNotForChildren},
		{"signal_after_the_end", signalAfterEnd},
		{"signal_at_once", signalAtOnce},
		{"wait_again", waitAgain},
		{"usage", usage},
		{"cancelled_before", cancelledBefore},
		{"cancelled_waiting", cancelledWaiting},
		{"cancelled_running", cancelledRunning},
		{"cancelled_after", cancelledAfter},
	}
}

func handleSignal(t *testing.T, b *bench) {
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM} {
		out := newLines()
		c := b.program("basic", "caught")
		c.Stdout = out
		h := b.start(t, c)
		out.expect(t, h, "ready")
		if err := h.Signal(s); err != nil {
			t.Fatal(err)
		}
		out.expect(t, h, itoa(int(s)))
		if rep := wait(t, h); rep.ExitCode != 0 {
			t.Errorf("%s: %+v", s, rep)
		}
	}
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSEGV} {
		out := newLines()
		c := b.program("basic", "say-and-wait")
		c.Stdout = out
		h := b.start(t, c)
		out.expect(t, h, "ready")
		if err := h.Signal(s); err != nil {
			t.Fatal(err)
		}
		if rep := wait(t, h); rep.Signal == "" || rep.WallExceeded || rep.CPUExceeded || rep.MemoryExceeded || rep.OutputExceeded {
			t.Errorf("%s: %+v", s, rep)
		}
	}
}

// signalNotForChildren: a shell that traps the signal tells of it; its child, which would die of it, lives on.
func signalNotForChildren(t *testing.T, b *bench) {
	reader, writer := io.Pipe()
	defer writer.Close()
	out := newLines()
	c := script(`trap 'echo trapped' TERM; exec 3<&0; { echo ready; cat <&3 >/dev/null; echo "child lives"; } & wait; wait; exit 0`)
	c.Stdin, c.Stdout = reader, out
	h := b.start(t, c)
	out.expect(t, h, "ready")
	if err := h.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	out.expect(t, h, "trapped")
	_ = writer.Close()
	out.expect(t, h, "child lives")
	wait(t, h)
}

func signalAfterEnd(t *testing.T, b *bench) {
	h := b.start(t, b.program("basic", "exit", "3"))
	for range 3 {
		if rep := wait(t, h); rep.ExitCode != 3 {
			t.Errorf("%+v", rep)
		}
		if err := h.Signal(syscall.SIGKILL); err != nil {
			t.Errorf("Signal after the end: %v", err)
		}
		if _, err := h.Usage(); err != nil {
			t.Errorf("Usage after the end: %v", err)
		}
	}
}

// signalAtOnce: a signal that comes before the program is not lost.
func signalAtOnce(t *testing.T, b *bench) {
	for range 50 {
		h := b.start(t, b.program("basic", "wait"))
		if err := h.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if rep := wait(t, h); rep.Signal != "SIGTERM" {
			t.Errorf("%+v", rep)
		}
	}
	h := b.start(t, sandbox.Command{Args: []string{"./missing"}, Limits: limits()})
	if err := h.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a program that cannot start: %v", err)
	}
	wait(t, h)
}

func waitAgain(t *testing.T, b *bench) {
	h := b.start(t, b.program("basic", "exit", "7"))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			rep, err := h.Wait()
			if err != nil || rep.ExitCode != 7 {
				t.Errorf("%+v, %v", rep, err)
			}
		})
	}
	all.Wait()
	first, again := wait(t, h), wait(t, h)
	if first.Facts != again.Facts || first.CPUTime != again.CPUTime || first.WallTime != again.WallTime || first.Memory != again.Memory {
		t.Errorf("%+v, then %+v", first, again)
	}
}

// usage grows while the program runs, and ends up at the report's.
func usage(t *testing.T, b *bench) {
	h := b.start(t, b.program("cpu", "spin"))
	last := sandbox.Usage{}
	for range 5 {
		before := last
		Until(t, "CPU time to pass", func() bool {
			u, err := h.Usage()
			if err != nil {
				t.Fatal(err)
			}
			last = u
			return u.CPUTime > before.CPUTime && u.Memory > 0
		})
	}
	if err := h.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	rep := wait(t, h)
	end, err := h.Usage()
	if err != nil || end.CPUTime != rep.CPUTime {
		t.Errorf("usage %+v, %v; report %+v", end, err, rep)
	}
}

func wantCancelled(t *testing.T, err, cause error) {
	t.Helper()
	if fault.CodeOf(err) != fault.Cancelled || !errors.Is(err, cause) {
		t.Errorf("got %v, want a cancelled fault because of %v", err, cause)
	}
}

func cancelledBefore(t *testing.T, b *bench) {
	cause := errors.New("changed my mind")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	h, err := b.sandbox.Start(ctx, b.program("basic", "wait"))
	if err == nil {
		_, err = h.Wait()
	}
	wantCancelled(t, err, cause)
}

func cancelledWaiting(t *testing.T, b *bench) {
	one := b.alone(t)
	out := newLines()
	c := one.program("basic", "say-and-wait")
	c.Stdout = out
	busy := one.start(t, c)
	out.expect(t, busy, "ready")
	cause := errors.New("waited long enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	got := make(chan error, 2)
	for range cap(got) {
		go func() {
			_, err := one.sandbox.Start(ctx, script("true"))
			got <- err
		}()
	}
	cancel(cause)
	for range cap(got) {
		wantCancelled(t, <-got, cause)
	}
	if err := busy.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rep := wait(t, busy); rep.Signal != "SIGTERM" {
		t.Errorf("the run that was not cancelled: %+v", rep)
	}
	one.run(t, script("true")).ok(t)
}

func cancelledRunning(t *testing.T, b *bench) {
	one := b.alone(t)
	for _, args := range [][]string{{"say-and-wait"}, {"ignore-all"}} {
		cause := errors.New("enough of " + strings.Join(args, " "))
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		out := newLines()
		c := one.program("basic", args...)
		c.Stdout, c.Outputs = out, []string{"*"}
		h, err := one.sandbox.Start(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		out.expect(t, h, "ready")
		cancel(cause)
		rep, err := h.Wait()
		wantCancelled(t, err, cause)
		if rep.Outputs != nil {
			t.Errorf("a cancelled run gave outputs: %+v", rep)
		}
	}
	// Cancelled at any moment, often before the program is there.
	for range 50 {
		ctx, cancel := context.WithCancelCause(t.Context())
		h, err := one.sandbox.Start(ctx, one.program("basic", "wait"))
		if err != nil {
			t.Fatal(err)
		}
		cause := errors.New("at once")
		cancel(cause)
		_, err = h.Wait()
		wantCancelled(t, err, cause)
	}
	one.run(t, script("true")).ok(t)
}

// cancelledAfter: a context that ends later changes nothing.
func cancelledAfter(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(t.Context())
	h, err := b.sandbox.Start(ctx, b.program("basic", "exit", "5"))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, h)
	cancel()
	if rep := wait(t, h); rep.ExitCode != 5 {
		t.Errorf("%+v", rep)
	}
}
