package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a running `assay serve`.
type server struct {
	cmd  *exec.Cmd
	url  string
	log  *log
	once sync.Once
}

// log collects the server's stderr while it runs.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serve starts a server on a free port and waits until it says that it is ready.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{cmd: assay(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...), log: &log{}}
	s.cmd.Stderr = s.log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "assay is ready: ")
	if err != nil || !ok {
		s.stop()
		t.Fatalf("%q, %v\n%s", line, err, s.log)
	}
	s.url = address
	return s
}

// stop sends SIGTERM and waits for the end.
func (s *server) stop() int {
	s.once.Do(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
	})
	return s.cmd.ProcessState.ExitCode()
}

// call makes a request and gives status and body.
func (s *server) call(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestServe(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json", "/metrics"} {
		if status, body := s.call(t, "GET", path, ""); status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	status, body := s.call(t, "POST", "/v1/run", `{"language":"c","source":"#include <stdio.h>\nint main(void) { int n; scanf(\"%d\", &n); printf(\"%d\\n\", n * 2); return 3; }\n","stdin":"21"}`)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if r := decode(t, body); r.Status != "runtime_error" || r.Stdout != "42\n" || *r.ExitCode != 3 || r.Compile == nil || r.Compile.Cached {
		t.Errorf("%s", body)
	}
	// `assay run` works beside it, with the same run folder.
	if got := run(t, file(t, "a.c", helloC)); got.code != 0 || got.out != "hello\n" {
		t.Errorf("assay run beside the server: %+v", got)
	}
	if status, body := s.call(t, "GET", "/readyz", ""); status != 200 {
		t.Errorf("afterwards: %d %s", status, body)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.log)
	}
}

func TestLanguagesAreTheSameBothWays(t *testing.T) {
	t.Parallel()
	s := serve(t)
	status, body := s.call(t, "GET", "/v1/languages", "")
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	var overHTTP, onTheCommandLine map[string]any
	if err := json.Unmarshal([]byte(body), &overHTTP); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(finish(t, assay(t, "languages", "--json"), nil).out), &onTheCommandLine); err != nil {
		t.Fatal(err)
	}
	delete(overHTTP, "$schema")
	if !reflect.DeepEqual(overHTTP, onTheCommandLine) {
		t.Errorf("over HTTP %v\non the command line %v", overHTTP, onTheCommandLine)
	}
}

// SIGTERM finishes what runs: the run below is in the middle of its work when the signal comes.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	s := serve(t, "--workers", "1")
	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer, 1)
	mark := "drain-" + strings.ReplaceAll(s.url, ":", "-")
	go func() {
		// It ends when the server has been told to stop: it waits for a second of its own.
		source := `for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done; echo finished`
		status, body := s.call(t, "POST", "/v1/run", fmt.Sprintf(`{"language":"bash","source":%q,"args":[%q]}`, source, mark))
		answers <- answer{status, body}
	}()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for len(processes(t, mark)) == 0 {
		select {
		case a := <-answers:
			t.Fatalf("answered before the program was seen: %+v", a)
		case <-t.Context().Done():
			t.Fatal("the program never started")
		case <-look.C:
		}
	}
	code := s.stop()
	a := <-answers
	if a.status != 200 || !strings.Contains(a.body, "finished") || code != 0 {
		t.Errorf("%+v, exit code %d\n%s", a, code, s.log)
	}
}

func TestServeRefusesStrangers(t *testing.T) {
	t.Parallel()
	got := finish(t, assay(t, "serve", "--listen", "0.0.0.0:0"), nil)
	if got.code != 2 || !strings.Contains(got.errors, "ASSAY_ADMIN_TOKEN") || got.out != "" {
		t.Errorf("%+v", got)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got := finish(t, assay(t, "serve", "--listen", strings.TrimPrefix(s.url, "http://")), nil)
	if got.code != 2 || !strings.Contains(got.errors, "listen") {
		t.Errorf("%+v", got)
	}
}
