package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"assay/internal/nobody"
)

// asNobody prepares a command line for somebody who is not root and has no control group. hello.c is there.
func asNobody(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := nobody.Command(t, made.binary, args...)
	source := "#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n"
	if err := os.WriteFile(filepath.Join(cmd.Dir, "hello.c"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	// A session's folder, which is where the run folder goes.
	cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+cmd.Dir)
	return cmd
}

func TestRunWithoutRoot(t *testing.T) {
	t.Parallel()
	got := finish(t, asNobody(t, "run", "hello.c"), nil)
	if got.code != 3 || !strings.Contains(got.errors, "cgroup") || !strings.Contains(got.errors, "--allow-degraded") {
		t.Errorf("without control groups: %+v", got)
	}
	cmd := asNobody(t, "run", "--allow-degraded", "hello.c")
	if got := finish(t, cmd, nil); got.code != 0 || got.out != "hello\n" {
		t.Errorf("allowed: %+v", got)
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "assay")); err != nil {
		t.Errorf("the run folder is not in the session's: %v", err)
	}
	if got := finish(t, asNobody(t, "run", "--allow-degraded", "--cpu-percent", "50", "hello.c"), nil); got.code == 0 || !strings.Contains(got.errors, "cpu cgroup controller") {
		t.Errorf("a CPU rate: %+v", got)
	}
}

func TestDoctorWithoutRoot(t *testing.T) {
	t.Parallel()
	got := finish(t, asNobody(t, "doctor", "--json"), nil)
	var report struct {
		Findings []struct {
			Name, Remedy string
			OK, Required bool
		}
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.code != 1 {
		t.Fatalf("%+v: %v", got, err)
	}
	for _, f := range report.Findings {
		switch {
		case f.Name == "cgroup":
			if f.OK || !f.Required || f.Remedy == "" {
				t.Errorf("%+v", f)
			}
		case f.Required && !f.OK:
			t.Errorf("%+v", f)
		}
	}
}

func TestServeWithoutRoot(t *testing.T) {
	t.Parallel()
	cmd := asNobody(t, "serve", "--allow-degraded", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errors log
	cmd.Stderr = &errors
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ready := strings.CutPrefix(strings.TrimSpace(line), "assay is ready: ")
	if err != nil || !ready {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("not ready: %q, %v: %s", line, err, errors.String())
	}
	response, err := http.Post(address+"/v1/run", "application/json", strings.NewReader(`{"language":"python","source":"print(6 * 7)"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got result
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || got.Stdout != "42\n" || got.CPUTimeMS <= 0 {
		t.Errorf("%+v, %v: %s", got, err, errors.String())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server did not stop in order: %v: %s", err, errors.String())
	}
}
