// Package e2e tests the real binary from outside, as design.md 5.1 and 5.2 promise it: real programs, real sandboxes.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/test/built"
)

// patience is how long anything may take before the test gives up on it. It is no expectation.
const patience = 2 * time.Minute

// made is what TestMain makes for all tests.
var made struct{ binary, runDir, settings string }

func TestMain(m *testing.M) {
	built.Main(m, func(a built.Assay) error {
		made.binary, made.runDir, made.settings = a.Binary, a.RunDir, filepath.Join(a.Dir, "settings.yaml")
		return os.WriteFile(made.settings, nil, 0o600)
	})
}

// assay prepares a command line of the binary, with nothing of the caller's settings.
func assay(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, made.binary, args...)
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "TERM=dumb", "ASSAY_RUN_DIR=" + made.runDir, "ASSAY_CONFIG=" + made.settings,
	}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// done is what a command left.
type done struct {
	code        int
	out, errors string
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd, stdin io.Reader) done {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%q: %v", cmd.Args, err)
	}
	return done{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// run is `assay run` with an empty stdin.
func run(t *testing.T, args ...string) done {
	t.Helper()
	return finish(t, assay(t, append([]string{"run"}, args...)...), nil)
}

// result is the object of --json, with every key that the contract names.
type result struct {
	Status       string
	Limit        *string
	Stdout       string
	Stderr       string
	StdoutBase64 string `json:"stdout_base64"`
	ExitCode     *int   `json:"exit_code"`
	Signal       *string
	CPUTimeMS    float64 `json:"cpu_time_ms"`
	WallTimeMS   float64 `json:"wall_time_ms"`
	MemoryBytes  int64   `json:"memory_bytes"`
	Truncated    bool
	Message      string
	Compile      *struct {
		Status   string
		Stderr   string
		ExitCode *int `json:"exit_code"`
		Cached   bool
	}
}

// runJSON is `assay run --json`, which always exits 0.
func runJSON(t *testing.T, args ...string) result {
	t.Helper()
	d := run(t, append([]string{"--json"}, args...)...)
	if d.code != 0 || d.errors != "" {
		t.Fatalf("exit code %d, stderr %q", d.code, d.errors)
	}
	return decode(t, d.out)
}

// decode reads a result strictly and checks that every key is there.
func decode(t *testing.T, text string) result {
	t.Helper()
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, key := range strings.Fields("status limit stdout stderr exit_code signal cpu_time_ms wall_time_ms memory_bytes truncated message compile") {
		if _, ok := keys[key]; !ok {
			t.Errorf("the key %s is missing", key)
		}
	}
	var r result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return r
}

// file writes a program.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
