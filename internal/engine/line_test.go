package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"assay/internal/fault"
	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// TestLineBusy: two inside, two waiting, the fifth is refused; whoever waits gets a turn.
func TestLineBusy(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, f, nil)
		f.hold = make(chan struct{})
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				if _, err := e.Run(t.Context(), Request{Language: "script", Files: source("x")}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if s := e.Stats(); s.Running != 2 || s.Waiting != 2 || f.starts.Load() != 2 {
			t.Errorf("%+v", s)
		}
		_, err := e.Run(t.Context(), Request{Language: "script", Files: source("x")})
		if fault.CodeOf(err) != fault.Busy || !fault.Retryable(err) {
			t.Errorf("the fifth: %v", err)
		}
		close(f.hold)
		wait.Wait()
		if s := e.Stats(); s.Running != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestCancel: a request that waits leaves at once; one that runs is killed.
func TestCancel(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, f, nil)
		f.hold = make(chan struct{})
		cause := errors.New("client went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				_, err := e.Run(ctx, Request{Language: "script", Files: source("x")})
				if fault.CodeOf(err) != fault.Cancelled || !errors.Is(err, cause) {
					t.Errorf("%v", err)
				}
			})
		}
		synctest.Wait()
		cancel(cause)
		wait.Wait()
		if s := e.Stats(); s.Running != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, f, nil)
		f.hold = make(chan struct{})
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				if _, err := e.Run(t.Context(), Request{Language: "script", Files: source("x")}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		expired, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Drain(expired); !errors.Is(err, context.Canceled) {
			t.Errorf("drain with an ended context: %v", err)
		}
		if _, err := e.Run(t.Context(), Request{Language: "script", Files: source("x")}); fault.CodeOf(err) != fault.Stopping {
			t.Errorf("a request while stopping: %v", err)
		}
		close(f.hold)
		if err := e.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		wait.Wait()
		if err := e.Drain(t.Context()); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

// TestCompileOnce: equal compiles at the same time are one, also when the first who asked gives up.
func TestCompileOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, f, func(o *Options) { o.Slots = 8 })
		f.hold = make(chan struct{})
		first, giveUp := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() {
			if _, err := e.Run(first, Request{Language: "comp", Files: source("x")}); fault.CodeOf(err) != fault.Cancelled {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		for range 3 {
			wait.Go(func() {
				r, err := e.Run(t.Context(), Request{Language: "comp", Files: source("x")})
				if err != nil || r.Status != verdict.OK || !r.Compile.Cached {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
		synctest.Wait()
		giveUp()
		synctest.Wait()
		close(f.hold)
		wait.Wait()
		if f.compiles.Load() != 1 {
			t.Errorf("%d compiles", f.compiles.Load())
		}
		// When everybody gives up the compile ends, and the next one starts anew.
		f.hold = make(chan struct{})
		alone, cancel := context.WithCancel(t.Context())
		wait.Go(func() { _, _ = e.Run(alone, Request{Language: "comp", Files: source("y")}) })
		synctest.Wait()
		cancel()
		wait.Wait()
		close(f.hold)
		if r, err := e.Run(t.Context(), Request{Language: "comp", Files: source("y")}); err != nil || r.Compile.Cached {
			t.Errorf("%+v, %v", r, err)
		}
		if err := e.Close(); err != nil || f.remaining() != 0 {
			t.Errorf("%d artifacts remain, %v", f.remaining(), err)
		}
	})
}

func TestCache(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	e := newEngine(t, f, nil) // 4 entries
	cached := func(r Request) bool {
		t.Helper()
		r.Language = "comp"
		result, err := e.Run(t.Context(), r)
		if err != nil || result.Status != verdict.OK {
			t.Fatalf("%+v, %v", result, err)
		}
		return result.Compile.Cached
	}
	if cached(Request{Files: source("a")}) || !cached(Request{Files: source("a"), Args: []string{"other"}}) {
		t.Error("the same source is compiled once")
	}
	if cached(Request{Files: source("a"), Options: map[string]string{"level": "2"}}) {
		t.Error("other options are another program")
	}
	if cached(Request{Files: []SourceFile{{Name: "b.c", Content: []byte("a")}}}) {
		t.Error("another name is another program")
	}
	for i := range 3 {
		cached(Request{Files: source(fmt.Sprint(i))})
	}
	if cached(Request{Files: source("a")}) {
		t.Error("the least recently used is dropped")
	}
	if n := f.remaining(); n != 4 {
		t.Errorf("%d artifacts are kept", n)
	}
	if s := e.Stats(); s.Programs != 4 || s.ProgramBytes != 4*int64(len("program")) || s.CacheHits != 1 {
		t.Errorf("%+v", s)
	}
	if err := e.Close(); err != nil || f.remaining() != 0 {
		t.Errorf("%d artifacts remain, %v", f.remaining(), err)
	}
}

// TestEvictionInUse: a program is not deleted while a run uses it; the fake checks that, too.
func TestEvictionInUse(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	e := newEngine(t, f, func(o *Options) { o.CacheBytes, o.CacheEntries = 0, 0 })
	var during int
	f.run = func(sandbox.Command) (sandbox.Report, error) { during = f.remaining(); return sandbox.Report{}, nil }
	for range 2 {
		r, err := e.Run(t.Context(), Request{Language: "comp", Files: source("a")})
		if err != nil || r.Compile.Cached || during != 1 || f.remaining() != 0 {
			t.Fatalf("%+v, %v: %d during, %d after", r, err, during, f.remaining())
		}
	}
}

// TestInline: small files that are not programs are held in memory; many large ones are refused.
func TestInline(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.compile = func(sandbox.Command) (sandbox.Report, error) {
		return sandbox.Report{Outputs: []sandbox.Output{f.output("a/A.class", 0o644, "class"), f.output("main", 0o755, "program")}}, nil
	}
	var got sandbox.Command
	f.run = func(c sandbox.Command) (sandbox.Report, error) { got = c; return sandbox.Report{}, nil }
	e := newEngine(t, f, nil)
	if _, err := e.Run(t.Context(), Request{Language: "comp", Files: source("a")}); err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != 2 || string(got.Files[0].Data) != "class" || got.Files[0].Artifact != nil || got.Files[1].Artifact == nil {
		t.Errorf("%+v", got.Files)
	}
	f.compile = func(sandbox.Command) (sandbox.Report, error) {
		var r sandbox.Report
		for i := range maxArtifacts + 1 {
			r.Outputs = append(r.Outputs, f.output(fmt.Sprintf("p%d", i), 0o755, "p"))
		}
		return r, nil
	}
	r, err := e.Run(t.Context(), Request{Language: "comp", Files: source("b")})
	if err != nil || r.Status != verdict.CompileError || f.remaining() != 1 {
		t.Errorf("%+v, %v, %d artifacts", r, err, f.remaining())
	}
}
