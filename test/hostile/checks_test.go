package hostile

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/testtime"
	"assay/internal/verdict"
)

// TestJudge shows that each expectation of a case can fail.
func TestJudge(t *testing.T) {
	t.Parallel()
	s := &suite{host: &Host{Secret: "the-secret", Port: "4711", name: "host"}}
	zero, limit, signal := 0, verdict.CPULimit, "SIGKILL"
	four, ten := int64(4), int64(10)
	good := engine.Result{Status: verdict.OK, Stdout: "x\ndone\n", ExitCode: &zero}
	ok := []verdict.Status{verdict.OK}
	other, no, yes := "other\n", false, true
	seven := 7
	for _, tc := range []struct {
		name   string
		c      Case
		change func(*engine.Result)
		want   string // "" for no problem
	}{
		{"good", Case{Expect: ok}, nil, ""},
		{"status", Case{Expect: []verdict.Status{verdict.RuntimeError}}, nil, "status ok"},
		{"compile status", Case{Expect: ok, CompileStatus: ok}, nil, "compile status"},
		{"escape on stdout", Case{Expect: ok}, func(r *engine.Result) { r.Stdout = "ESCAPED: x\ndone\n" }, "ESCAPED: x"},
		{"a known escape", Case{Expect: ok, known: "by x"}, func(r *engine.Result) { r.Stdout = "ESCAPED: by x\ndone\n" }, ""},
		{"another than the known one", Case{Expect: ok, known: "by x"}, func(r *engine.Result) { r.Stdout = "ESCAPED: y\ndone\n" }, "ESCAPED: y"},
		{"escape on stderr", Case{Expect: ok}, func(r *engine.Result) { r.Stderr = "ESCAPED: x" }, "ESCAPED: x"},
		{"escape in base64", Case{Expect: ok}, func(r *engine.Result) { r.StderrBase64 = "RVNDQVBFRDogeA==" }, "ESCAPED: x"},
		{"died early", Case{Expect: ok}, func(r *engine.Result) { r.Stdout = "x\n" }, "did not come to its end"},
		{"may die", Case{Expect: ok, Killed: true}, func(r *engine.Result) { r.Stdout = "x\n" }, ""},
		{"contains", Case{Expect: ok, StdoutContains: []string{"{{port}}"}}, nil, "stdout lacks"},
		{"contains not", Case{Expect: ok, StdoutNotContains: []string{"x"}}, nil, "stdout has"},
		{"stderr contains", Case{Expect: ok, StderrContains: []string{"x"}}, nil, "stderr lacks"},
		{"exact", Case{Expect: ok, Stdout: &other}, nil, "not exactly"},
		{"signal", Case{Expect: ok, Signal: "SIGSEGV"}, func(r *engine.Result) { r.Signal = &signal }, "signal SIGKILL"},
		{"limit", Case{Expect: ok, Limit: verdict.WallLimit}, func(r *engine.Result) { r.Limit = &limit }, "limit cpu"},
		{"exit code", Case{Expect: ok, ExitCode: &seven}, nil, "exit code 0"},
		{"no exit code", Case{Expect: ok, ExitCode: &zero}, func(r *engine.Result) { r.ExitCode = nil }, "exit code none"},
		{"truncated", Case{Expect: ok, Truncated: &yes}, nil, "truncated is false"},
		{"not truncated", Case{Expect: ok, Truncated: &no}, func(r *engine.Result) { r.Truncated = true }, "truncated is true"},
		{"memory", Case{Expect: ok, memory: &ten}, nil, "at least 10"},
		{"too much output", Case{Expect: ok, Limits: engine.LimitOverrides{OutputBytes: &four}}, nil, "more output"},
		{"not UTF-8", Case{Expect: ok}, func(r *engine.Result) { r.Message = "\xff" }, "not UTF-8"},
		{"secret", Case{Expect: ok}, func(r *engine.Result) { r.Compile = &engine.Compile{Stderr: "the-secret"} }, "secret is in"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := good
			if tc.change != nil {
				tc.change(&r)
			}
			got := strings.Join(s.judge(&tc.c, &r), "; ")
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("problems %q, want %q", got, tc.want)
			}
		})
	}
	if p := notRefused(&Case{Refused: "options"}, fault.Invalidf("options.x", "", "no")); p != "" {
		t.Errorf("a refusal that was wanted: %s", p)
	}
	for _, err := range []error{nil, fault.Internalf(nil, "options"), fault.Invalidf("stdin", "", "no")} {
		if notRefused(&Case{Refused: "options"}, err) == "" {
			t.Errorf("%v passes for a refusal of options", err)
		}
	}
}

// TestHostChecks shows that the checks of the host can fail. It does not run beside TestHostile, which would take the process
// that it starts for a leftover.
func TestHostChecks(t *testing.T) { //nolint:paralleltest // see above
	free, groups := 2, []string{"/a"}
	h, err := Plant(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	if err := h.Watch(t.Context(), func() (int, int) { return 2, free }, func() ([]string, error) { return groups, nil }); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel() // every check has one try
	for _, name := range []string{"slots", "canary", "connections", "hostname", "cgroups", "sysv_ipc", "mounts"} {
		if err := h.Check(over, name); err != nil {
			t.Errorf("before anything happened: %v", err)
		}
	}

	free, groups = 1, []string{"/a", "/a/left"}
	h.name += "-not"
	h.before["mounts"] = h.before["mounts"][1:]
	if err := os.WriteFile(h.SecretFile, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	c, err := net.Dial("unix", h.Unix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil { // the connection was counted before it was answered
		t.Fatal(err)
	}
	_ = c.Close()
	h.before["processes"] = nil
	for _, name := range []string{"slots", "canary", "connections", "hostname", "cgroups", "mounts"} {
		if err := h.Check(over, name); err == nil {
			t.Errorf("%s does not notice", name)
		}
	}
	// The new process needs a moment to be seen under its own name.
	soon, stop := context.WithTimeout(t.Context(), testtime.Stretch(time.Minute))
	defer stop()
	err = eventually(soon, func() error {
		if err := h.Check(over, "processes"); err == nil || !strings.Contains(err.Error(), "sleep") {
			return errors.New("a new process is not noticed")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
