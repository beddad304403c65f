package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"assay/internal/sandbox"
	"assay/internal/testtime"
)

// stateEnv makes this test binary, started again, print what a program finds itself to be.
const stateEnv = "ASSAY_TEST_STATE"

func printState(dir string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), testtime.Stretch(time.Minute))
	defer cancel()
	d, err := Open(ctx, options(dir, 1))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	h, err := d.Start(ctx, sandbox.Command{
		Args: []string{"/bin/sh", "-c", "grep -E '^(Sig(Ign|Blk|Cgt)|Seccomp|NoNewPrivs|Cap|Groups)' /proc/self/status; umask; ulimit -a; env; ls /proc/self/fd"},
		Env:  []string{"PATH=/usr/bin:/bin"}, Limits: sandbox.DefaultRun(), Stdout: os.Stdout, Stderr: os.Stderr,
	})
	if err != nil {
		return err
	}
	rep, err := h.Wait()
	if err == nil && (rep.ExitCode != 0 || rep.Signal != "") {
		err = fmt.Errorf("the program ended with %+v", rep.Facts)
	}
	return err
}

// processLimit is the line of ulimit that depends on how many threads the slot's init has, where RLIMIT_NPROC is the limit.
var processLimit = regexp.MustCompile(`(?m)^process .*\n`)

// TestNothingInherited: how assay was started, by a shell, nohup or a service manager, is not seen by programs.
func TestNothingInherited(t *testing.T) {
	t.Parallel()
	state := func(before string) string {
		cmd := exec.CommandContext(t.Context(), "/bin/bash", "-c", before+` exec "$0"`, os.Args[0])
		cmd.Env = append(os.Environ(), stateEnv+"="+runDir(t))
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", before, err, out, errs.String())
		}
		return processLimit.ReplaceAllString(string(out), "")
	}
	want := state("")
	for _, line := range []string{"SigIgn:\t0000000000000000\n", "SigBlk:\t0000000000000000\n", "\n0022\n"} {
		if !strings.Contains(want, line) {
			t.Errorf("%q is missing in %q", line, want)
		}
	}
	for _, before := range []string{
		"trap '' HUP INT PIPE TERM USR1 CHLD RTMIN;", "umask 077;", "ulimit -Sn 512; ulimit -Sl 8;", "ulimit -Ss 1024; ulimit -Sv 100000000; ulimit -Sd 50000000;",
		"ulimit -Sc 1000;", "exec 7</dev/null 8>/dev/null;", "export SECRET=1 LD_PRELOAD= GODEBUG=;", "ulimit -Sf 1000000; ulimit -St 1000;", "setsid true;",
	} {
		if got := state(before); got != want {
			t.Errorf("after %q: %q, otherwise %q", before, got, want)
		}
	}
}

// TestInitIsClosed: the process that makes all runs of a slot has given up what it needs no more, and shows nothing of itself.
// Programs cannot see it at all; this is the layer below that.
func TestInitIsClosed(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	sh(t, d, "true")
	s := <-d.free
	defer func() { d.free <- s }()
	proc := "/proc/" + strconv.Itoa(s.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(string(status), line) {
			t.Errorf("the init does not have %q:\n%s", line, status)
		}
	}
	private, err := os.Stat(proc + "/root/.private")
	if err != nil {
		t.Fatal(err)
	}
	if private.Mode().Perm() != 0 {
		t.Errorf("the artifacts lie in a folder of mode %v", private.Mode())
	}
	host, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(host), d.instance.dir) {
		t.Error("the slot's mounts are seen on the host")
	}
	mounts, err := os.ReadFile(proc + "/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, " shared:") || strings.Contains(line, " master:") {
			t.Errorf("mount events travel: %s", line)
		}
	}
	for _, ns := range []string{"user", "pid_for_children", "mnt", "net", "uts", "ipc", "cgroup"} {
		inside, err := os.Readlink(proc + "/ns/" + ns)
		if err != nil {
			t.Fatal(err)
		}
		outside, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			t.Fatal(err)
		}
		if inside == outside {
			t.Errorf("the slot is in the host's %s namespace", ns)
		}
	}
}
