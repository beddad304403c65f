package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"assay/internal/engine"
	"assay/internal/language"
	"assay/internal/verdict"
)

// runnerFunc is the fake of the engine.
type runnerFunc func(ctx context.Context, r engine.Request) (engine.Result, error)

func (f runnerFunc) Run(ctx context.Context, r engine.Request) (engine.Result, error) {
	return f(ctx, r)
}

// echo answers with the main source as stdout.
func echo(_ context.Context, r engine.Request) (engine.Result, error) {
	zero := 0
	return engine.Result{Status: verdict.OK, Stdout: string(r.Files[0].Content), ExitCode: &zero}, nil
}

type languageList []language.Info

func (l languageList) List(context.Context) []language.Info { return l }

type fixedSlots struct{ total, free int }

func (s fixedSlots) Slots() (total, free int) { return s.total, s.free }

// running is a server on a port of its own.
type running struct {
	t    *testing.T
	addr string
	stop context.CancelFunc
	done chan error // what Serve gave, once
}

// start serves o with the echo runner unless o has another.
func start(t *testing.T, o Options) *running {
	t.Helper()
	if o.Runner == nil {
		o.Runner = runnerFunc(echo)
	}
	if o.Languages == nil {
		o.Languages = languageList{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &running{t: t, addr: ln.Addr().String(), stop: cancel, done: make(chan error, 1)}
	go func() { s.done <- New(o).Serve(ctx, ln); close(s.done) }()
	t.Cleanup(func() { cancel(); <-s.done })
	return s
}

// reply is one answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value", and "Host: x" sets the host.
func (s *running) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.addr+path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{status: res.StatusCode, header: res.Header, body: string(text)}
}

const jsonType = "Content-Type: application/json"

// run posts to /v1/run as JSON.
func (s *running) run(body string, headers ...string) reply {
	s.t.Helper()
	return s.do(http.MethodPost, "/v1/run", body, append([]string{jsonType}, headers...)...)
}

// problem checks that the answer is a well-formed problem and gives it.
func (r reply) problem(t *testing.T) Problem {
	t.Helper()
	var p Problem
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("Content-Type %q of %d %s", got, r.status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	if p.Status != r.status || p.Title == "" || p.Code == "" || p.Detail == "" || p.RequestID == "" || p.RequestID != r.header.Get("X-Request-Id") {
		t.Errorf("incomplete problem: %+v", p)
	}
	return p
}
