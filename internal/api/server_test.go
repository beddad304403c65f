package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/language"
	"assay/internal/verdict"
)

const hello = `{"language":"python","source":"print(1)"}`

func TestRun(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	r := s.run(`{"language":"c","source":"<&>\u0000 \ud83d\ude00"}`)
	if r.status != 200 || r.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	var keys map[string]any
	if err := json.Unmarshal([]byte(r.body), &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range strings.Fields("status limit stdout stderr exit_code signal cpu_time_ms wall_time_ms memory_bytes truncated message compile") {
		if _, ok := keys[key]; !ok {
			t.Errorf("no %q in %s", key, r.body)
		}
	}
	if keys["stdout"] != "<&>\x00 😀" || !strings.Contains(r.body, "<&>") {
		t.Errorf("body %s", r.body)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxBody: 1000})
	long := `{"language":"c","source":"` + strings.Repeat("x", 1000) + `"}`
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
	}{
		{"form", "POST", "/v1/run", hello, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		{"text", "POST", "/v1/run", hello, []string{"Content-Type: text/plain"}, 415, "unsupported_media_type"},
		{"multipart", "POST", "/v1/run", hello, []string{"Content-Type: multipart/form-data; boundary=x"}, 415, "unsupported_media_type"},
		{"no type", "POST", "/v1/run", hello, nil, 415, "unsupported_media_type"},
		{"broken type", "POST", "/v1/run", hello, []string{"Content-Type: application/json; charset"}, 415, "unsupported_media_type"},
		{"other charset", "POST", "/v1/run", hello, []string{"Content-Type: application/json; charset=latin1"}, 415, "unsupported_media_type"},
		{"compressed", "POST", "/v1/run", hello, []string{jsonType, "Content-Encoding: gzip"}, 415, "unsupported_media_type"},
		{"empty", "POST", "/v1/run", "", []string{jsonType}, 400, "malformed"},
		{"too large", "POST", "/v1/run", long, []string{jsonType}, 413, "too_large"},
		{"wrong method", "GET", "/v1/run", "", nil, 405, "method_not_allowed"},
		{"preflight", "OPTIONS", "/v1/run", "", nil, 405, "method_not_allowed"},
		{"writing a list", "DELETE", "/v1/languages", "", nil, 405, "method_not_allowed"},
		{"writing the page", "POST", "/", "", nil, 405, "method_not_allowed"},
		{"nothing there", "GET", "/v2/run", "", nil, 404, "not_found"},
		{"nothing to write", "POST", "/v1/other", "{}", []string{jsonType}, 404, "not_found"},
		{"foreign host", "POST", "/v1/run", hello, []string{jsonType, "Host: evil.example"}, 421, "misdirected"},
		{"foreign host reads", "GET", "/healthz", "", []string{"Host: evil.example"}, 421, "misdirected"},
		{"foreign origin", "POST", "/v1/run", hello, []string{jsonType, "Origin: http://evil.example"}, 403, "forbidden"},
		{"no origin", "POST", "/v1/run", hello, []string{jsonType, "Origin: null"}, 403, "forbidden"},
		{"other port", "POST", "/v1/run", hello, []string{jsonType, "Origin: http://127.0.0.1:1"}, 403, "forbidden"},
		{"two origins", "POST", "/v1/run", hello, []string{jsonType, "Origin: http://" + s.addr, "Origin: http://evil.example"}, 403, "forbidden"},
		{"cross-site", "POST", "/v1/run", hello, []string{jsonType, "Sec-Fetch-Site: cross-site"}, 403, "forbidden"},
		{"same-site", "POST", "/v1/run", hello, []string{jsonType, "Sec-Fetch-Site: same-site"}, 403, "forbidden"},
		{"odd site with own origin", "POST", "/v1/run", hello, []string{jsonType, "Sec-Fetch-Site: cross-site", "Origin: http://" + s.addr}, 403, "forbidden"},
		{"wrong token", "POST", "/v1/run", hello, []string{jsonType, "Authorization: Bearer x"}, 401, "unauthorized"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := s.do(tt.method, tt.path, tt.body, tt.headers...)
			p := r.problem(t)
			if r.status != tt.status || p.Code != tt.code || p.Hint == "" {
				t.Errorf("%d %+v, want %d %s", r.status, p, tt.status, tt.code)
			}
			if r.status == 405 && r.header.Get("Allow") == "" {
				t.Error("no Allow")
			}
			if r.status == 401 && r.header.Get("WWW-Authenticate") != "Bearer" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Hosts: []string{"judge.example"}})
	for _, headers := range [][]string{
		{jsonType},
		{"Content-Type: application/json; charset=utf-8"},
		{"Content-Type: APPLICATION/JSON;charset=UTF-8"},
		{jsonType, "Origin: http://" + s.addr},
		{jsonType, "Origin: https://judge.example", "Host: judge.example"},
		{jsonType, "Sec-Fetch-Site: same-origin", "Origin: http://" + s.addr},
		{jsonType, "Sec-Fetch-Site: none"},
		{jsonType, "Host: localhost:1"},
	} {
		if r := s.do("POST", "/v1/run", hello, headers...); r.status != 200 {
			t.Errorf("%v: %d %s", headers, r.status, r.body)
		}
	}
	if r := s.do("GET", "/v1/languages", "", "Origin: http://evil.example"); r.status != 200 || r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a read from another site: %d %v", r.status, r.header)
	}
}

func TestChunkedBodyHasALimit(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxBody: 1000})
	body := io.MultiReader(strings.NewReader(`{"language":"c","source":"`), strings.NewReader(strings.Repeat("x", 5000)))
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.addr+"/v1/run", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("status %d", res.StatusCode)
	}
}

// A client that sends everything before it reads gets its answer, and can go on with the connection.
func TestRefusedBodyIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxBody: 1000})
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	const length = 20 << 20
	for _, kind := range []string{"application/json", "text/plain"} {
		head := fmt.Sprintf("POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", kind, length)
		if _, err := io.WriteString(conn, head+strings.Repeat("x", length)); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if want := map[string]int{"application/json": 413, "text/plain": 415}[kind]; res.StatusCode != want {
			t.Errorf("%s: status %d", kind, res.StatusCode)
		}
	}
}

func TestSlowBodyEnds(t *testing.T) {
	t.Parallel()
	s := start(t, Options{BodyTimeout: time.Millisecond})
	r := s.raw("POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
	if r.StatusCode != 408 {
		t.Errorf("status %d", r.StatusCode)
	}
}

// raw sends text as it is and gives the answer.
func (s *running) raw(text string) *http.Response {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func TestLargeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxHeader: 1000})
	if r := s.do("GET", "/healthz", "", "X-Long: "+strings.Repeat("x", 10_000)); r.status != 431 {
		t.Errorf("status %d", r.status)
	}
}

func TestLargeBodiesTogetherAreBounded(t *testing.T) {
	t.Parallel()
	h := &handler{o: Options{MaxBody: 2 << 20}}
	var releases []func()
	for range bodyFactor {
		release, err := h.reserve(-1)
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	if _, err := h.reserve(2 << 20); fault.CodeOf(err) != fault.Busy {
		t.Errorf("one too many: %v", err)
	}
	if _, err := h.reserve(smallBody); err != nil {
		t.Errorf("a small one: %v", err)
	}
	for _, release := range releases {
		release()
	}
	if n := h.bodies.Load(); n != 0 {
		t.Errorf("%d bytes left", n)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	for _, path := range []string{"/healthz", "/nothing", "/v1/languages", "/openapi.json"} {
		h := s.do("GET", path, "").header
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
			h.Get("Referrer-Policy") == "" || h.Get("X-Request-Id") == "" {
			t.Errorf("%s: %v", path, h)
		}
	}
	for given, same := range map[string]bool{"abc-1.2_X": true, "a b": false, "é": false, strings.Repeat("x", 65): false, "x\"y": false} {
		got := s.do("GET", "/healthz", "", "X-Request-Id: "+given).header.Get("X-Request-Id")
		if (got == given) != same || got == "" {
			t.Errorf("id %q became %q", given, got)
		}
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Languages: languageList{{ID: "c", Name: "C", Aliases: []string{}, Extensions: []string{".c"}, Options: map[string]language.OptionInfo{}, Versions: []language.VersionInfo{}, Available: true}}})
	want := `{"languages":[{"id":"c","name":"C","version":"","aliases":[],"extensions":[".c"],"options":{},"versions":[],"available":true,"reason":""}]}`
	if r := s.do("GET", "/v1/languages", ""); r.status != 200 || strings.TrimSpace(r.body) != want || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s", r.status, r.header, r.body)
	}
	none := start(t, Options{})
	if r := none.do("GET", "/v1/languages", ""); strings.TrimSpace(r.body) != `{"languages":[]}` {
		t.Errorf("empty list: %s", r.body)
	}
	if r := s.do("HEAD", "/v1/languages", ""); r.status != 200 || r.body != "" {
		t.Errorf("HEAD: %d", r.status)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	reason := errors.New("probe uid failed")
	s := start(t, Options{AdminToken: "secret", Ready: func() error { return reason }})
	if r := s.do("GET", "/healthz", ""); r.status != 200 {
		t.Errorf("healthz %d", r.status)
	}
	r := s.do("GET", "/readyz", "", "Authorization: Bearer wrong") // never needs a token, so a wrong one does no harm
	if p := r.problem(t); r.status != 503 || p.Code != "degraded" || !strings.Contains(p.Detail, "probe uid failed") {
		t.Errorf("%+v", p)
	}
	if r := start(t, Options{Ready: func() error { return nil }}).do("GET", "/readyz", ""); r.status != 200 {
		t.Errorf("readyz %d", r.status)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, Options{
		Slots: fixedSlots{4, 3}, Waiting: func() int { return 2 }, Version: "1.2",
		Runner: runnerFunc(func(_ context.Context, r engine.Request) (engine.Result, error) {
			if r.Language == "evil" {
				return engine.Result{}, fault.Invalidf("language", "", "there is no such language")
			}
			return engine.Result{Status: verdict.RuntimeError}, nil
		}),
	})
	s.run(`{"language":"Python@3.11","source":""}`)
	s.run(`{"language":"evil","source":""}`)
	s.do("GET", "/evil-path", "")
	r := s.do("GET", "/metrics", "")
	for _, line := range []string{
		`assay_runs_total{language="python",status="runtime_error"} 1`, `assay_slots 4`, `assay_slots_free 3`, `assay_runs_waiting 2`,
		`assay_build_info{version="1.2"} 1`, `assay_http_problems_total{code="invalid"} 1`, `assay_http_requests_in_flight 1`,
		`assay_http_request_duration_seconds_count{route="POST /v1/run",status="200"} 1`, `assay_http_request_duration_seconds_count{route="/",status="404"} 1`,
	} {
		if !slices.Contains(strings.Split(r.body, "\n"), line) {
			t.Errorf("no line %s", line)
		}
	}
	if !strings.Contains(r.body, "\nprocess_open_fds ") || strings.Contains(r.body, "evil") {
		t.Errorf("metrics:\n%s", r.body)
	}
}
