package sandboxtest

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// endTests: how a program ended is reported as it was, and no way to end looks like another.
func endTests() []test {
	return []test{
		{"exit_codes", exitCodes},
		{"signals", signals},
		{"faults", programFaults},
		{"survivors", survivors},
		{"times", times},
	}
}

func exitCodes(t *testing.T, b *bench) {
	for code := range 256 {
		r := b.run(t, b.program("basic", "exit", strconv.Itoa(code)))
		if r.Facts != (verdict.Facts{ExitCode: code}) {
			t.Errorf("exit %d: %+v", code, r.Report)
		}
	}
}

// signals that a program sends itself are no limits, whatever their names.
func signals(t *testing.T, b *bench) {
	for s := syscall.Signal(1); s <= 64; s++ {
		want := verdict.Facts{Signal: unix.SignalName(s)}
		switch s {
		case unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH, unix.SIGCONT: // these are ignored by default
			want = verdict.Facts{ExitCode: 99}
		case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU: // see the wall limit
			continue
		case 32, 33: // the C library keeps them to itself
			continue
		}
		r := b.run(t, b.program("basic", "kill", strconv.Itoa(int(s))))
		if s >= 34 {
			if !strings.HasPrefix(r.Signal, "SIG") {
				t.Errorf("signal %d: %+v", s, r.Report)
			}
			want.Signal = r.Signal
		}
		if r.Facts != want {
			t.Errorf("signal %d: %+v, want %+v", s, r.Facts, want)
		}
	}
}

func programFaults(t *testing.T, b *bench) {
	for what, want := range map[string]string{"abort": "SIGABRT", "segv": "SIGSEGV", "divide": "SIGFPE"} {
		r := b.run(t, b.program("basic", what))
		if r.Facts != (verdict.Facts{Signal: want}) {
			t.Errorf("%s: %+v", what, r.Report)
		}
	}
	if r := b.run(t, b.program("basic", "raise", "6")); r.Signal != "SIGABRT" {
		t.Errorf("raise: %+v", r.Report)
	}
}

// survivors: the end of the first process is the end of the run, whatever its children hold.
func survivors(t *testing.T, b *bench) {
	for _, what := range []string{"child", "daemon"} {
		r := b.run(t, b.program("basic", what))
		r.ok(t)
		if r.stdout != "parent ends\n" {
			t.Errorf("%s: %q", what, r.stdout)
		}
	}
}

func times(t *testing.T, b *bench) {
	r := b.run(t, b.program("cpu", "burn", "50"))
	r.ok(t)
	if r.WallTime <= 0 || r.CPUTime <= 0 || r.Memory <= 0 {
		t.Errorf("a program that ran used nothing: %+v", r.Report)
	}
	r = b.run(t, sandbox.Command{Args: []string{"./missing"}, Limits: limits()})
	if r.CPUTime != 0 || r.WallTime != 0 {
		t.Errorf("a program that did not run used something: %+v", r.Report)
	}
}
