//go:build cgroup2

// Tests of what only a kernel with control groups of version 2 can show (see cgroup/version2_test.go).

package linux

import (
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"assay/internal/sandbox"
)

// TestVersion2Groups: a program is in its group from its first instruction, cloned into it, and the slot's own processes never are.
func TestVersion2Groups(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	if d.parent.Version() != 2 {
		t.Fatalf("the groups are of version %d", d.parent.Version())
	}
	h, pid := startWaiting(t, d)
	slot := filepath.Join(d.parent.Paths()[0], "slot-0")
	program := processesIn(t, []string{filepath.Join(slot, "run")})
	if !slices.Equal(program, []string{pid}) {
		t.Errorf("the group of programs holds %v; the program is %s", program, pid)
	}
	own := processesIn(t, []string{filepath.Join(slot, "init")})
	if init := strconv.Itoa(h.(*run).slot.cmd.Process.Pid); len(own) != 2 || !slices.Contains(own, init) {
		t.Errorf("the group of the slot holds %v; its init is %s, the stub is the other", own, init)
	}
	h.(*run).kill(killedCaller)
	_, _ = h.Wait()
	// Nobody joins by itself: what a program does before its first instruction is not counted.
	r := do(t, d, sandbox.Command{Args: []string{"/bin/cat", "/proc/self/cgroup"}})
	if r.stdout != "0::/run\n" {
		t.Errorf("a program is in %q", r.stdout)
	}
}
