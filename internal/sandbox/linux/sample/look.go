package sample

import (
	"errors"
	"io/fs"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type unixStat = syscall.Stat_t

// initPID is the slot's init in its own pid namespace; the parent of each run's stub, and of nothing else.
const initPID = 1

// look reads what the run uses now.
func (g *Group) look() error {
	if g.proc == nil {
		return errors.New("a look at a slot that is gone")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begun := spent()
	defer func() { g.cost = spent() - begun }()
	pids, err := g.processes()
	if err != nil {
		return err
	}
	alive := map[int]*process{}
	box := int64(0)
	var children time.Duration
	for _, pid := range pids {
		p, err := g.read(pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		children += p.children
		if p.parent == initPID { // the stub: only what it has waited for is the program's
			box = max(0, g.filesOf(pid)-g.placed)
			continue
		}
		if old := g.alive[pid]; old != nil && old.begun == p.begun {
			p.own = max(p.own, old.own)
		}
		alive[pid] = p
	}
	for pid, old := range g.alive {
		if p := alive[pid]; p == nil || p.begun != old.begun {
			g.gone += old.own
		}
	}
	g.alive = alive
	var own time.Duration
	for _, p := range alive {
		own += p.own
	}
	// What ended is in its parent's account, or as it was last seen. Neither is ever too much.
	g.cpu = max(g.cpu, own+max(children, g.gone))
	g.unwaited = g.gone > children+tick
	if len(alive) > 0 {
		g.weigh(box)
		g.looked = true
	}
	return nil
}

// spent is the CPU time of this thread: what other programs took meanwhile is no reason to look less.
func spent() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// gone reports that a process ended while it was looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// processes lists the run's processes.
func (g *Group) processes() ([]int, error) {
	names, err := g.list(".")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid != initPID {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// filesOf is how many bytes the run's files take, as the stub sees them.
func (g *Group) filesOf(stub int) int64 {
	fd, err := g.open(strconv.Itoa(stub)+"/root/box", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil || st.Type != unix.TMPFS_MAGIC {
		return 0
	}
	// The slot's own /box, before the run's is mounted on it, is part of a root that nobody can fill.
	return int64(st.Blocks-st.Bfree) * st.Bsize
}

// weigh takes the memory of the run. Adding up resident sets is quick, and exact for one process; for several it counts shared
// pages more than once, so that more than was seen yet has to be read exactly, which takes as long as there is memory. A
// tenth of the time at the most is spent on that.
func (g *Group) weigh(box int64) {
	begun := spent()
	mayRead := !time.Now().Before(g.costly)
	if mayRead {
		g.detached = g.memoryFiles()
	}
	var sum usage
	single := int64(0) // of the process that has most
	for _, p := range g.alive {
		sum.add(p.usage)
		single = max(single, p.usage.total(0))
		g.file = max(g.file, p.usage.file)
	}
	total := sum.total(box + g.detached)
	if len(g.alive) > 1 && total > g.peak {
		if !mayRead {
			g.memory = max(single, min(total, g.peak))
			return
		}
		total = g.exact().total(box + g.detached)
	}
	if mayRead {
		const tenth = 10
		g.costly = time.Now().Add(tenth * (spent() - begun))
	}
	g.memory = total
	if total <= g.limit {
		g.over = 0
		g.peak = max(g.peak, total)
		return
	}
	// A process that was made by vfork has its parent's memory for a moment, until its execve: that sum must last.
	const moment = 2
	if g.over++; g.over >= moment || max(single, box+g.detached) > g.limit {
		g.hit, g.peak = true, g.limit
	}
}
