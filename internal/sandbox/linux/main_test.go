package linux

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/internal/sandbox"
	"assay/internal/testtime"
)

// degradedEnv has drivers opened where a mechanism is missing, too.
const degradedEnv = "ASSAY_TEST_DEGRADED"

func TestMain(m *testing.M) {
	Main()
	if dir := os.Getenv(instanceEnv); dir != "" {
		if err := serveInstance(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(stateEnv); dir != "" {
		if err := printState(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runDir is a temporary folder that slots can reach.
func runDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// options are those of every test; degradedEnv says whether the host may lack something.
func options(dir string, slots int) Options {
	return Options{RunDir: dir, Slots: slots, AllowDegraded: os.Getenv(degradedEnv) != ""}
}

// newDriver opens a driver in a folder of its own.
func newDriver(t *testing.T, slots int) *Driver {
	t.Helper()
	d, err := Open(t.Context(), options(runDir(t), slots))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// result is a report with the streams.
type result struct {
	sandbox.Report
	stdout, stderr string
}

func smallLimits() sandbox.Limits {
	l := sandbox.DefaultRun()
	l.CPUTime, l.WallTime = testtime.Stretch(5*time.Second), testtime.Stretch(10*time.Second)
	return l
}

// do runs a command to its end.
func do(t *testing.T, d *Driver, c sandbox.Command) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if c.Stdout == nil {
		c.Stdout = &stdout
	}
	if c.Stderr == nil {
		c.Stderr = &stderr
	}
	if c.Limits == (sandbox.Limits{}) {
		c.Limits = smallLimits()
	}
	h, err := d.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := h.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return result{rep, stdout.String(), stderr.String()}
}

// sh runs a shell script.
func sh(t *testing.T, d *Driver, script string) result {
	t.Helper()
	return do(t, d, sandbox.Command{
		Args: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Stdin: strings.NewReader(""),
	})
}
