// Package sample takes the place of package cgroup where no control group can be made: for who is not root and was handed
// none. It looks at the processes of a run again and again, through the /proc of the slot, and has the run ended when they have
// used too much. That is weaker than a group, in what it sees and when:
//
//   - CPU time and memory are known as of the last look. A run can go over a limit by what it takes between two of them.
//   - CPU time of a process that ended between two looks is known once its parent has waited for it; if that never does (it
//     ignores SIGCHLD), what it took since the last look before its end is lost.
//   - Memory that no process maps is seen only if it is in the run's files or in a memfd that somebody has open: not what
//     lies in pipes, sockets, message queues, detached System V segments and other memory of the kernel.
//   - Refused forks are not counted.
//
// At the end of a run that was not killed, what the kernel has counted for the processes that were waited for takes the
// place of the looks where it is more; for a program that waits for its children that is exact.
//
// The limit on processes is RLIMIT_NPROC, which package stub sets: the kernel counts it for each user namespace, so it is as good
// as a group's.
package sample

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox/linux/cgroup"
)

// Parent is the cgroup.Parent of slots without groups.
type Parent struct{}

// New implements cgroup.Parent; oom is called when a look finds more memory than the limit.
func (Parent) New(_ string, _ int, oom func()) (cgroup.Group, error) { return &Group{oom: oom}, nil }

// Paths implements cgroup.Parent.
func (Parent) Paths() []string { return nil }

// Make implements cgroup.Parent.
func (Parent) Make() error { return nil }

// Version implements cgroup.Parent.
func (Parent) Version() int { return 0 }

// HasCPURate implements cgroup.Parent.
func (Parent) HasCPURate() bool { return false }

// Close implements cgroup.Parent.
func (Parent) Close() error { return nil }

// Group is the cgroup.Group of a slot without one. It is safe for concurrent use.
type Group struct {
	oom func()

	mu    sync.Mutex
	proc  *os.File // /proc of the slot: its init is 1, all others are of the run
	memfd uint64   // device of memory files
	run
}

// run is what is known of the run under way.
type run struct {
	limit  int64            // of memory, bytes
	given  map[uint64]bool  // memory files that the program was given, by inode: not its own
	placed int64            // bytes of the run's files that were there before it
	alive  map[int]*process // as of the last look
	gone   time.Duration    // own CPU time of processes that are no more, as last seen
	// unwaited says that some of that is in nobody's account: what such processes take after a look is lost.
	unwaited bool

	cost     time.Duration // CPU time of the last look
	looked   bool
	cpu      time.Duration
	memory   int64
	peak     int64
	file     int64 // pages of files in the resident set of the process that has most
	detached int64 // bytes of memory files that were open at the last look at them
	hit      bool

	costly time.Time // when the next reading that takes long is allowed
	over   int       // exact readings in a row that were over the limit
}

// Attach has the group look at the processes of the slot whose init has this number on the host. The init shows its /proc to
// who made its user namespace (ptrace(2), "Ptrace access mode checking").
func (g *Group) Attach(init int) error {
	proc, err := os.Open(fmt.Sprintf("/proc/%d/root/proc", init))
	if err != nil {
		return fmt.Errorf("opening the slot's /proc: %w", err)
	}
	fd, err := unix.MemfdCreate("device", unix.MFD_CLOEXEC)
	if err != nil {
		return errors.Join(fmt.Errorf("making a memory file: %w", err), proc.Close())
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return errors.Join(fmt.Errorf("looking at a memory file: %w", err), proc.Close())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.proc, g.memfd = proc, st.Dev
	return nil
}

// Given tells what the next run gets and need not account for: streams, and bytes of files placed in its folders. Called after Prepare.
func (g *Group) Given(files []*os.File, placed int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.placed = placed
	for _, f := range files {
		if f == nil {
			continue
		}
		if info, err := f.Stat(); err == nil {
			if st, ok := info.Sys().(*unixStat); ok && st.Dev == g.memfd {
				g.given[st.Ino] = true
			}
		}
	}
}

// Bounds on the time between two looks. A look takes about 0.1 ms for a process; share times that is the least, too.
const (
	soonest = time.Millisecond
	latest  = 10 * time.Millisecond
	share   = 4
	// fastest is how fast one processor can take memory, bytes in a second: about what clearing pages reaches.
	fastest = 4 << 30
)

// Patience is when CPUTime is to be called again: at most after the time in which all processors together could take the memory that is
// left, and soon while CPU time gets lost; but a run of many processes gets no more than its share of looks.
func (g *Group) Patience() (least, most time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	least, most = max(soonest, share*g.cost), soonest
	if !g.unwaited {
		left := float64(max(0, g.limit-g.memory)) / (fastest * float64(runtime.NumCPU()))
		most = min(latest, time.Duration(left*float64(time.Second)))
	}
	return least, max(least, most)
}

// JoinFiles implements cgroup.Group.
func (g *Group) JoinFiles() (always []*os.File, rate *os.File) { return nil, nil }

// StubFiles implements cgroup.Group.
func (g *Group) StubFiles() []*os.File { return nil }

// Home implements cgroup.Group.
func (g *Group) Home() *os.File { return nil }

// Dir implements cgroup.Group.
func (g *Group) Dir() *os.File { return nil }

// Ready implements cgroup.Group.
func (g *Group) Ready() error { return nil }

// Prepare implements cgroup.Group.
func (g *Group) Prepare(l cgroup.Limits) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run = run{limit: l.Memory, given: map[uint64]bool{}, alive: map[int]*process{}}
	return nil
}

// CPUTime implements cgroup.Group: it is a look.
func (g *Group) CPUTime() (time.Duration, error) {
	g.mu.Lock()
	err := g.look()
	over := g.over > 0 && g.hit
	cpu := g.cpu
	g.mu.Unlock()
	if over {
		g.oom()
	}
	return cpu, err
}

// Last is a look that ends nothing, before a run is ended for another reason.
func (g *Group) Last() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.look()
}

// Memory implements cgroup.Group.
func (g *Group) Memory() (int64, error) {
	_, err := g.CPUTime()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.memory, err
}

// Counters implements cgroup.Group.
func (g *Group) Counters(start cgroup.Start) (cgroup.Counters, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := cgroup.Counters{
		CPUTime:    max(g.cpu, time.Duration(start.Waited)) - time.Duration(start.CPU),
		MemoryPeak: g.peak, MemoryHit: g.hit,
	}
	c.MemoryPeak = max(c.MemoryPeak, start.Files-g.placed)
	init, err := g.initPeak()
	if err != nil {
		return c, err
	}
	// The program began in the init's memory, which is in the kernel's reading. Both are near the truth only: each thread and
	// processor keeps some pages to itself before it adds them up (Documentation/filesystems/proc.rst, statm).
	const clearly = 2
	if resident := start.Resident - g.file; start.Resident > clearly*init {
		c.MemoryPeak = max(c.MemoryPeak, resident)
		c.MemoryHit = c.MemoryHit || g.looked && resident > g.limit
	} else {
		c.MemoryPeak = max(c.MemoryPeak, min(start.Resident, start.Touched))
	}
	return c, nil
}

// Close implements cgroup.Group. The processes end with the slot's init.
func (g *Group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.proc == nil {
		return nil
	}
	err := g.proc.Close()
	g.proc = nil
	return err
}

var (
	_ cgroup.Parent = Parent{}
	_ cgroup.Group  = (*Group)(nil)
)
