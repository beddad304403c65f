package linux

import (
	"bytes"
	"testing"

	"assay/internal/sandbox"
)

func TestGentle(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	r := do(t, d, sandbox.Command{Args: []string{"/bin/echo", "hello"}})
	if r.stdout != "hello\n" || r.ExitCode != 0 || r.Signal != "" {
		t.Errorf("echo: %+v", r)
	}
	r = do(t, d, sandbox.Command{Args: []string{"/bin/cat"}, Stdin: bytes.NewReader([]byte("a\x00b"))})
	if r.stdout != "a\x00b" {
		t.Errorf("cat: %+v", r)
	}
	t.Logf("%+v", sh(t, d, "id; pwd; ls -la / /box /dev; cat /proc/self/status | grep -E 'Cap|Sec|NoNew|Uid'; cat /proc/self/mountinfo /proc/self/cgroup; ls /proc; ulimit -a"))
}
