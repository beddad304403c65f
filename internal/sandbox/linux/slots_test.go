package linux

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"assay/internal/fault"
	"assay/internal/sandbox"
	"assay/internal/sandbox/sandboxtest"
	"assay/internal/testtime"
)

// TestIdleSlotDies: the init of a slot that nobody uses is killed from outside. At worst the next run fails and says that a
// retry makes sense; then the slot is replaced.
func TestIdleSlotDies(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	sh(t, d, "true")
	s := <-d.free
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Until(t, "the init to end", func() bool {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "stat"))
		return err != nil || strings.Contains(string(b), ") Z ")
	})
	d.free <- s
	h, err := d.Start(t.Context(), sandbox.Command{Args: []string{"/bin/true"}, Limits: smallLimits()})
	if err == nil {
		_, err = h.Wait()
	}
	if fault.CodeOf(err) != fault.Internal || !fault.Retryable(err) {
		t.Errorf("got %v", err)
	}
	worksAgain(t, d)
}

// TestBusySlotDies: the same while a program runs in it.
func TestBusySlotDies(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 2)
	for range 3 {
		h, pid := startWaiting(t, d)
		if err := h.(*run).slot.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rep, err := h.Wait()
		if fault.CodeOf(err) != fault.Internal || !fault.Retryable(err) || rep.Signal != "" || rep.Outputs != nil {
			t.Errorf("got %+v, %v", rep, err)
		}
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("process %s is alive", pid)
		}
		worksAgain(t, d)
	}
}

// startWaiting starts a program that waits and gives its pid on the host.
func startWaiting(t *testing.T, d *Driver) (h sandbox.Handle, pid string) {
	t.Helper()
	h, err := d.Start(t.Context(), sandbox.Command{Args: []string{"/bin/sleep", "1000"}, Limits: smallLimits(), Outputs: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Signal(syscall.SIGCONT); err != nil { // comes back once the program is there
		t.Fatal(err)
	}
	r := h.(*run)
	r.mu.Lock()
	defer r.mu.Unlock()
	b, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(r.prog))
	if err != nil {
		t.Fatal(err)
	}
	_, pid, _ = strings.Cut(string(b), "Pid:")
	pid, _, _ = strings.Cut(strings.TrimSpace(pid), "\n")
	return h, pid
}

// TestProgramKilledOutside: something on the host kills the run's pid 1. That is no fault of the program.
func TestProgramKilledOutside(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	h, _ := startWaiting(t, d)
	h.(*run).signalStub()
	if rep, err := h.Wait(); fault.CodeOf(err) != fault.Internal || !fault.Retryable(err) {
		t.Errorf("got %+v, %v", rep, err)
	}
	worksAgain(t, d)
}

// worksAgain waits until all slots are back and uses each.
func worksAgain(t *testing.T, d *Driver) {
	t.Helper()
	sandboxtest.Until(t, "all slots to come back", func() bool {
		total, free := d.Slots()
		return free == total
	})
	total, _ := d.Slots()
	for range total + 1 {
		if r := sh(t, d, "echo works"); r.stdout != "works\n" {
			t.Errorf("got %+v", r)
		}
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	d, err := Open(t.Context(), options(runDir(t), 2))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h, err := d.Start(ctx, sandbox.Command{Args: []string{"/bin/sleep", "1000"}, Limits: smallLimits()})
	if err != nil {
		t.Fatal(err)
	}
	var closing sync.WaitGroup
	for range 3 {
		closing.Go(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	// Once closing has begun, nothing more is started, and what runs goes on until its caller gives up.
	sandboxtest.Until(t, "closing to begin", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.closed
	})
	if _, err := d.Start(t.Context(), sandbox.Command{Args: []string{"/bin/true"}, Limits: smallLimits()}); fault.CodeOf(err) != fault.Stopping || !fault.Retryable(err) {
		t.Errorf("Start while closing: %v", err)
	}
	cancel()
	if _, err := h.Wait(); fault.CodeOf(err) != fault.Cancelled {
		t.Errorf("the run: %v", err)
	}
	closing.Wait()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.Start(t.Context(), sandbox.Command{Args: []string{"/bin/true"}, Limits: smallLimits()}); fault.CodeOf(err) != fault.Stopping {
		t.Errorf("Start after Close: %v", err)
	}
}

// TestCloseAtOnce: a driver is closed before its slots are there.
func TestCloseAtOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		dir := runDir(t)
		d, err := Open(t.Context(), options(dir, 2))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

// held is what a driver holds of the host.
type held struct {
	descriptors, goroutines, mounts, groups, processes, files int
}

func count(t *testing.T, d *Driver) held {
	t.Helper()
	entries := func(dir string) int {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	h := held{
		descriptors: entries("/proc/self/fd"), goroutines: runtime.NumGoroutine(), mounts: bytes.Count(info, []byte("\n")),
		processes: len(processesIn(t, d.parent.Paths())),
		files:     entries(d.instance.dir) + entries(filepath.Join(d.instance.dir, "artifacts")) + entries(filepath.Dir(d.instance.dir)),
	}
	for _, g := range d.parent.Paths() {
		h.groups += entries(g)
	}
	return h
}

// TestNothingLeaks runs many programs with every kind of ending and counts what the driver holds before and after. It is not
// parallel, so that nobody else's are counted.
func TestNothingLeaks(t *testing.T) {
	d := newDriver(t, 2)
	small := smallLimits()
	small.Output, small.CPUTime, small.Memory = 1000, 5_000_000, 16*sandbox.MiB
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	shell := func(text string) sandbox.Command {
		return sandbox.Command{Args: []string{"/bin/sh", "-c", text}, Env: []string{"PATH=/usr/bin:/bin"}, Limits: smallLimits()}
	}
	limited := func(text string) sandbox.Command {
		c := shell(text)
		c.Limits = small
		return c
	}
	with := func(c sandbox.Command, change func(*sandbox.Command)) sandbox.Command {
		change(&c)
		return c
	}
	endings := []func() (context.Context, sandbox.Command){
		func() (context.Context, sandbox.Command) { return t.Context(), shell("true") },
		func() (context.Context, sandbox.Command) { return t.Context(), shell("kill -9 $$") },
		func() (context.Context, sandbox.Command) { return t.Context(), shell("sleep 100 & setsid sleep 100 &") },
		func() (context.Context, sandbox.Command) { return t.Context(), limited("yes") },
		func() (context.Context, sandbox.Command) { return t.Context(), limited("while :; do :; done") },
		func() (context.Context, sandbox.Command) { return t.Context(), limited("tail /dev/zero") },
		func() (context.Context, sandbox.Command) { return gone, shell("sleep 100") },
		func() (context.Context, sandbox.Command) {
			return t.Context(), sandbox.Command{Args: []string{"./missing"}, Limits: small}
		},
		func() (context.Context, sandbox.Command) { return t.Context(), sandbox.Command{} },
		func() (context.Context, sandbox.Command) {
			return t.Context(), with(shell("cat; echo x > out"), func(c *sandbox.Command) {
				c.Stdin, c.Outputs = strings.NewReader("text"), []string{"*"}
				c.Files = []sandbox.File{{Name: "large", Data: make([]byte, 200_000)}}
			})
		},
		func() (context.Context, sandbox.Command) {
			return t.Context(), with(shell("true"), func(c *sandbox.Command) { c.Stdin = bytes.NewReader(make([]byte, 1<<20)) })
		},
		func() (context.Context, sandbox.Command) {
			return t.Context(), with(shell("tty"), func(c *sandbox.Command) { c.Terminal, c.Stdin = &sandbox.WindowSize{}, strings.NewReader("x") })
		},
	}
	one := func(i int) {
		ctx, c := endings[i%len(endings)]()
		h, err := d.Start(ctx, c)
		if err != nil {
			return
		}
		rep, _ := h.Wait()
		for _, o := range rep.Outputs {
			if a, err := d.Keep(o); err != nil || d.Release(a) != nil {
				t.Errorf("keeping an output: %v", err)
			}
		}
		rep.CloseOutputs()
	}
	settled := func() {
		sandboxtest.Until(t, "the slots", func() bool { total, free := d.Slots(); return total == free })
	}
	for i := range 3 * len(endings) { // until everything is there that is kept
		one(i)
	}
	settled()
	before := count(t, d)
	for i := range testtime.Rounds(1000) {
		one(i)
	}
	settled()
	var now held
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("before %+v, now %+v", before, now)
		}
	})
	sandboxtest.Until(t, "everything to be as before", func() bool {
		now = count(t, d)
		return now.descriptors <= before.descriptors && now.goroutines <= before.goroutines && now.mounts == before.mounts &&
			now.groups == before.groups && now.processes <= before.processes && now.files == before.files
	})
}

// TestSameEveryTime: what makes a program harmless is there in each of many runs, while this process's memory is in motion.
func TestSameEveryTime(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 2)
	stop := make(chan struct{})
	var pressure sync.WaitGroup
	pressure.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				b := make([][]byte, 100)
				for i := range b {
					b[i] = make([]byte, 10_000)
				}
				runtime.GC()
			}
		}
	})
	defer pressure.Wait()
	defer close(stop)
	const script = `while read -r name value; do case $name in Cap*|NoNewPrivs:|Seccomp:|Uid:|Gid:|Groups:) echo "$name" $value;; esac; done < /proc/self/status
for f in /proc/*; do case $f in /proc/[0-9]*) [ $f = /proc/$$ ] || echo $f;; esac; done
for f in /proc/self/fd/*; do echo $f; done
echo x 2>/dev/null > /proc/self/oom_score_adj && echo writable
umask; read -r line < /proc/self/oom_score_adj; echo $line; echo end`
	var want string
	for i := range testtime.Rounds(1000) {
		r := do(t, d, sandbox.Command{Args: []string{"/bin/sh", "-c", script}})
		if i == 0 {
			want = r.stdout
			for _, line := range []string{
				"CapEff: 0000000000000000", "CapPrm: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2",
				"Uid: 1 1 1 1", "Gid: 1 1 1 1", "Groups:", "0022", "1000", "end",
			} {
				if !strings.Contains(want, line+"\n") {
					t.Errorf("%q is missing in %q", line, want)
				}
			}
			if strings.Contains(want, "writable") || strings.Contains(want, "/proc/1\n") {
				t.Errorf("got %q", want)
			}
		}
		if r.stdout != want {
			t.Fatalf("run %d: %q, before %q", i, r.stdout, want)
		}
	}
}
