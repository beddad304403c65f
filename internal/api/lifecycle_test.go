package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"assay/internal/engine"
)

func TestPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	s := start(t, Options{
		Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		Runner: runnerFunc(func(context.Context, engine.Request) (engine.Result, error) { panic("a defect") }),
	})
	r := s.run(hello, "X-Request-Id: number-7")
	if p := r.problem(t); r.status != 500 || p.Code != "internal" || strings.Contains(r.body, "defect") {
		t.Errorf("%+v", p)
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	if text := logged.String(); !strings.Contains(text, "number-7") || !strings.Contains(text, "a defect") {
		t.Errorf("log: %s", text)
	}
}

func TestClientThatLeavesCancelsItsRun(t *testing.T) {
	t.Parallel()
	begun, cancelled := make(chan struct{}), make(chan error, 1)
	s := start(t, Options{Runner: runnerFunc(func(ctx context.Context, _ engine.Request) (engine.Result, error) {
		close(begun)
		<-ctx.Done()
		cancelled <- context.Cause(ctx)
		return engine.Result{}, ctx.Err()
	})})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+s.addr+"/v1/run", strings.NewReader(hello))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	go func() { <-begun; leave() }()
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
		t.Error("an answer")
	}
	if cause := <-cancelled; !errors.Is(cause, context.Canceled) {
		t.Errorf("cause %v", cause)
	}
}

func TestDrainLetsRunsFinish(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	s := start(t, Options{Grace: time.Hour, Runner: runnerFunc(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		close(begun)
		select {
		case <-release:
			return echo(ctx, r)
		case <-ctx.Done():
			return engine.Result{}, ctx.Err()
		}
	})})
	answer := make(chan reply, 1)
	go func() { answer <- s.run(hello) }()
	<-begun
	s.stop()
	s.untilClosed()
	close(release)
	if r := <-answer; r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if err := <-s.done; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// untilClosed waits until no connection is taken any more.
func (s *running) untilClosed() {
	for {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
}

func TestDrainCutsOffAfterTheGrace(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	s := start(t, Options{Grace: time.Millisecond, Runner: runnerFunc(func(ctx context.Context, _ engine.Request) (engine.Result, error) {
		close(begun)
		<-ctx.Done()
		return engine.Result{}, fmt.Errorf("run: %w", ctx.Err())
	})})
	go func() { <-begun; s.stop() }()
	r := s.run(hello)
	if p := r.problem(t); r.status != 503 || p.Code != "stopping" || r.header.Get("Retry-After") == "" {
		t.Errorf("%d %+v", r.status, p)
	}
	if err := <-s.done; err == nil {
		t.Error("Serve says that nothing was cut off")
	}
}

func TestDrainingRefusesWork(t *testing.T) {
	t.Parallel()
	o := Options{Runner: runnerFunc(echo), Languages: languageList{}, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
	h, err := newHandler(o, newMetrics(o), newPolicy("127.0.0.1:1", o))
	if err != nil {
		t.Fatal(err)
	}
	h.draining.Store(true)
	for _, call := range []string{"POST /v1/run", "GET /readyz", "GET /healthz"} {
		method, path, _ := strings.Cut(call, " ")
		rec := newRecorder()
		req, err := http.NewRequestWithContext(t.Context(), method, path, strings.NewReader(hello))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "localhost"
		req.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(rec, req)
		if want := map[bool]int{true: 200, false: 503}[path == "/healthz"]; rec.Code != want {
			t.Errorf("%s: %d", call, rec.Code)
		}
	}
}
