package sample

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox/linux/cgroup"
)

// helperEnv makes this test binary, started again in a pid namespace, the parent of a run: it is then what a slot's stub is.
const helperEnv = "SAMPLE_TEST_HELPER"

func TestMain(m *testing.M) {
	if script := os.Getenv(helperEnv); script != "" {
		helper(script)
	}
	os.Exit(m.Run())
}

// helper is the init of a slot, and starts a stub of one process.
func helper(script string) {
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		panic(err)
	}
	// The shell is what the stub is: its children are the run, and what they use it has waited for.
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	const first = 3 // of the files that the test passes on
	if f := os.NewFile(first, "given"); unix.Fstat(first, &unix.Stat_t{}) == nil {
		cmd.ExtraFiles = []*os.File{f}
	}
	if err := cmd.Run(); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// slot is what a script runs in: what it starts are the processes of a run.
type slot struct{ group *Group }

// start runs a script that prints a line, and ends when its input does.
func start(t *testing.T, limit int64, oom func(), script string, given ...*os.File) *slot {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+script)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = given
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	g, err := Parent{}.New("", 0, oom)
	if err != nil {
		t.Fatal(err)
	}
	group := g.(*Group)
	if err := group.Attach(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := group.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := group.Prepare(cgroup.Limits{Memory: limit}); err != nil {
		t.Fatal(err)
	}
	return &slot{group}
}

// wait is how a Python program of these tests says that it is ready, and waits for its end.
const wait = `import sys; print("ready", flush=True); sys.stdin.read()`

// TestCPUTime: of processes that live, of those that were waited for (proc_pid_stat(5), cutime), and of those that nobody waits for.
func TestCPUTime(t *testing.T) {
	t.Parallel()
	const spin = "import time\nwhile time.process_time() < 0.2: pass"
	for name, script := range map[string]string{
		"alive":            "python3 -c '" + spin + "\n" + wait + "'; true",
		"waited for":       "python3 -c '" + spin + "'; echo ready; cat",
		"child of a child": "sh -c \"python3 -c '" + spin + "'; true\"; echo ready; cat",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, 1<<30, func() {}, script)
			got, err := s.group.CPUTime()
			if err != nil {
				t.Fatal(err)
			}
			if got < 180*time.Millisecond || got > 400*time.Millisecond {
				t.Errorf("200 ms were read as %v", got)
			}
		})
	}
}

// TestMemory: mapped memory of each kind, memory files that nobody maps, and pages that processes share, which count once.
func TestMemory(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, text := range map[string]string{
		"private": "b = bytearray(50 << 20)",
		"shared":  "import mmap; b = mmap.mmap(-1, 50 << 20)\nfor i in range(0, 50 << 20, 4096): b[i] = 1",
		"memfd":   "import os; f = os.memfd_create(\"x\"); os.write(f, bytes(50 << 20))",
		"forked":  "import os; b = bytearray(50 << 20)\nfor i in range(3):\n  if os.fork() == 0:\n    os.dup2(os.open(\"/dev/null\", 0), 1)\n    os.read(0, 1); os._exit(0)\nimport time; time.sleep(0.1)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, 1<<30, func() {}, "python3 -c '"+text+"\n"+wait+"'; true")
			got, err := s.group.Memory()
			if err != nil {
				t.Fatal(err)
			}
			if got < 50*mib || got > 75*mib {
				t.Errorf("50 MiB and an interpreter were read as %d bytes", got)
			}
		})
	}
}

// TestMemoryLimit: a look that finds too much says so.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int64]bool{30 << 20: true, 200 << 20: false} {
		t.Run(strconv.FormatInt(limit, 10), func(t *testing.T) {
			t.Parallel()
			told := false
			s := start(t, limit, func() { told = true }, "python3 -c 'b = bytearray(50 << 20)\n"+wait+"'; true")
			if _, err := s.group.CPUTime(); err != nil {
				t.Fatal(err)
			}
			c, err := s.group.Counters(cgroup.Start{})
			if err != nil || told != want || c.MemoryHit != want {
				t.Errorf("told %v, counters %+v, %v", told, c, err)
			}
			least, most := s.group.Patience()
			if want && least != most || least < soonest || least < share*s.group.cost || most < least {
				t.Errorf("the next look is in %v to %v", least, most)
			}
		})
	}
}

// TestGiven: what a program was given is not its memory.
func TestGiven(t *testing.T) {
	t.Parallel()
	fd, err := unix.MemfdCreate("input", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "input")
	defer f.Close()
	if _, err := f.Write(make([]byte, 8<<20)); err != nil {
		t.Fatal(err)
	}
	s := start(t, 1<<30, func() {}, "sh -c 'echo ready; read x'; true", f)
	before, err := s.group.Memory()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.group.Prepare(cgroup.Limits{Memory: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	s.group.Given([]*os.File{nil, f}, 0)
	after, err := s.group.Memory()
	if err != nil {
		t.Fatal(err)
	}
	if before < 8<<20 || after >= 8<<20 {
		t.Errorf("%d bytes, and %d without what was given", before, after)
	}
}

// TestCounters: what the kernel tells of processes that were waited for takes the place of looks that saw less.
func TestCounters(t *testing.T) {
	t.Parallel()
	s := start(t, 1<<30, func() {}, "echo ready; cat; true")
	init, err := s.group.initPeak()
	if err != nil || init < 1<<20 {
		t.Fatalf("the init's peak is %d, %v", init, err)
	}
	for _, tc := range []struct {
		start  cgroup.Start
		cpu    time.Duration
		memory int64
	}{
		{cgroup.Start{CPU: 1000, Waited: 5000}, 4000, 0},
		{cgroup.Start{Resident: init, Touched: 70_000}, 0, 70_000},
		{cgroup.Start{Files: 90_000, Touched: 70_000}, 0, 90_000 - 8192},
		{cgroup.Start{Resident: 50_000, Touched: 70_000}, 0, 50_000},
		{cgroup.Start{Resident: init + 4096, Touched: 70_000}, 0, 70_000},
		{cgroup.Start{Resident: 2*init + 4096, Touched: 70_000}, 0, 2*init + 4096},
	} {
		if err := s.group.Prepare(cgroup.Limits{Memory: 1 << 30}); err != nil {
			t.Fatal(err)
		}
		s.group.Given(nil, 8192)
		c, err := s.group.Counters(tc.start)
		if err != nil || c.CPUTime != tc.cpu || c.MemoryPeak != tc.memory || c.MemoryHit {
			t.Errorf("%+v: %+v, %v", tc.start, c, err)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	p, err := parseStat([]byte("7 (a) b ( c) S 3 7 7 0 -1 4194304 91 0 0 0 12 5 30 2 20 0 1 0 987 1000 50"))
	if err != nil || *p != (process{parent: 3, begun: 987, own: 170 * time.Millisecond, children: 320 * time.Millisecond}) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, text := range []string{"", "7 (a", "7 (a) S 3"} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	u := parseStatus([]byte("Name:\tRssAnon: 9 kB\nVmPTE:\t 4 kB\nRssAnon:\t 10 kB\nRssFile:\t 20 kB\nRssShmem:\t 30 kB\nVmSwap:\t 1 kB\n"))
	if u != (usage{private: 11 << 10, other: 4 << 10, shared: 30 << 10, file: 20 << 10}) {
		t.Errorf("%+v", u)
	}
	u = parseRollup([]byte("00400000-7fff---p 00000000 00:00 0 [rollup]\nPss:  9 kB\nPss_Anon: 5 kB\nPss_File: 3 kB\nPss_Shmem: 7 kB\nSwapPss: 2 kB\n"))
	if u != (usage{private: 7 << 10, shared: 7 << 10}) {
		t.Errorf("%+v", u)
	}
	if got := (usage{private: 1, other: 2, shared: 4}).total(3); got != 7 {
		t.Errorf("shared memory that is more than the files: %d", got)
	}
	if got := (usage{private: 1, shared: 4}).total(8); got != 9 {
		t.Errorf("files that are more than what is shared: %d", got)
	}
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("7 (a) S 3 7 7 0 -1 4194304 91 0 0 0 12 5 30 2 20 0 1 0 987 1000 50"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := parseStat(text); (p == nil) == (err == nil) {
			t.Errorf("%+v, %v", p, err)
		}
		parseStatus(text)
		parseRollup(text)
	})
}
