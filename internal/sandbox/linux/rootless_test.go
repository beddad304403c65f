package linux

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"assay/internal/fault"
	"assay/internal/nobody"
	"assay/internal/sandbox"
	"assay/internal/testtime"
)

// TestRootless runs this package's tests once more as somebody who is not root and has no control group: what they say of the
// driver holds for them, too, but for what conformance_test.go names.
func TestRootless(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 || testtime.Factor() > 1 {
		return // this is that run, or an emulated machine, which has a user of its own for it (test/vm/job.sh)
	}
	cmd := nobody.Command(t, os.Args[0], "-test.run", "^Test(Conformance|SharedID|ClosedFolder|RefusesWithoutGroups|InitIsClosed|NothingInherited|"+
		"DeadInstance|SweepLeavesOthersAlone|OpenRefuses|IdleSlotDies|BusySlotDies|ProgramKilledOutside|Close|CloseAtOnce|"+
		"NothingLeaks|Gentle|Root)$", "-test.v")
	cmd.Env = append(cmd.Env, degradedEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		// Messages of tests, and the verdicts on those that failed.
		lines := regexp.MustCompile(`(?m)^ *(--- FAIL.*|[a-z_]+\.go:\d+: .*)$`).FindAllString(string(out), -1)
		t.Errorf("%v\n%s\n%s", err, strings.Join(lines, "\n"), tail(out))
	}
	const fewest = 100
	if passed := bytes.Count(out, []byte("--- PASS")); passed < fewest {
		t.Errorf("%d tests were run", passed)
	}
}

func tail(out []byte) []byte { return out[max(0, len(out)-1000):] }

// TestSharedID: a program that is its slot's init's user, and the caller's on the host, is kept from both by other means.
func TestSharedID(t *testing.T) {
	t.Parallel()
	if !ownIdentity().shared {
		return // root gives ids of their own
	}
	d := newDriver(t, 1)
	for script, want := range map[string]string{
		// user_namespaces(7): one id is mapped, the caller's.
		"cat /proc/self/uid_map": "1 " + strconv.Itoa(os.Geteuid()) + " 1",
		// Not even its owner can enter a folder of mode 0 without CAP_DAC_OVERRIDE (capabilities(7)), nor change the mode on a
		// read-only mount (chmod(2), EROFS).
		"ls /.private || echo $?; chmod 755 /.private || echo $?":                     "2 1",
		"touch /new || echo $?; touch /etc/new || echo $?; touch /box/new || echo $?": "1 1 1",
		// prlimit(2) lets a user change the limits of their processes; the filter has an exception for the stub.
		"prlimit --pid 1 --cpu=0:0 || echo $?; prlimit --pid $$ --nofile=100:100 && ulimit -n": "1 100",
		// kill(2): so would signals be allowed.
		"kill -9 1 || echo $?; kill -s CONT $$ && echo self": "1 self",
		// A mount point for a device is one itself, so that nobody takes it for a file (readdir(3), d_type).
		"find /dev -type f; find /dev -type c | wc -l": "6",
	} {
		r := sh(t, d, script+" 2>/dev/null")
		if got := strings.Join(strings.Fields(r.stdout), " "); got != want || r.Signal != "" {
			t.Errorf("%s: got %q, want %q: %+v", script, got, want, r.Report)
		}
	}
}

// TestClosedFolder: a program that closes its working folder to its own user has nothing collected, and is no failure of assay's.
func TestClosedFolder(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	r := do(t, d, sandbox.Command{
		Args: []string{"/bin/sh", "-c", "echo x > a; mkdir b; echo x > b/c; chmod 0 b/c b a .; echo done"}, Env: []string{"PATH=/usr/bin:/bin"},
		Outputs: []string{"**"},
	})
	defer r.CloseOutputs()
	if r.stdout != "done\n" || r.ExitCode != 0 {
		t.Errorf("%+v", r)
	}
	if ownIdentity().shared && len(r.Outputs) > 0 {
		t.Errorf("outputs %+v", r.Outputs)
	}
}

// TestRefusesWithoutGroups: that there are no control groups is said, with what to do, unless it was allowed.
func TestRefusesWithoutGroups(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	if d.parent.Version() != 0 {
		return // there are some
	}
	_, err := Open(t.Context(), Options{RunDir: runDir(t), Slots: 1})
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != fault.Degraded || !strings.Contains(f.Message, "cgroup") || !strings.Contains(f.Hint, "--allow-degraded") {
		t.Errorf("opened without control groups: %v", err)
	}
}
