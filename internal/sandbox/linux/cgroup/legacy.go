package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// legacyParent is an instance's group in each version 1 hierarchy (cgroups(7); Documentation/admin-guide/cgroup-v1).
type legacyParent struct {
	dirs map[string]string // controller to folder; controllers mounted together share one
	rate bool
}

func findLegacy(m *mounts, name string) (Parent, error) {
	p := &legacyParent{dirs: map[string]string{}}
	for _, c := range []string{"memory", "pids", "cpuacct", "cpu"} {
		h := m.legacy[c]
		if h == nil {
			if c == "cpu" {
				continue
			}
			return nil, fmt.Errorf("%w: %s is in neither version 1 nor version 2 hierarchies", ErrMissing, c)
		}
		p.dirs[c] = filepath.Join(h.own, name)
	}
	_, p.rate = p.dirs["cpu"]
	return p, nil
}

func (p *legacyParent) Make() error {
	for _, dir := range p.Paths() {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("making the instance's group: %w", err)
		}
	}
	return nil
}

func (p *legacyParent) Version() int     { return 1 }
func (p *legacyParent) HasCPURate() bool { return p.rate }

func (p *legacyParent) Paths() []string {
	var paths []string
	seen := map[string]bool{}
	for _, dir := range p.dirs {
		if !seen[dir] {
			seen[dir] = true
			paths = append(paths, dir)
		}
	}
	return paths
}

func (p *legacyParent) Close() error { return Remove(p.Paths()) }

// legacyGroup is a slot's group in each version 1 hierarchy. Its fields are the open files of those groups.
type legacyGroup struct {
	paths    []string
	joins    []*os.File
	joinRate *os.File
	enter    *os.File
	oomFile  *os.File
	flushed  chan struct{}

	memoryLimit, swapLimit, memoryPeak, memoryNow, memoryOOM counterFile
	cpuUsage, quota, period                                  counterFile
	pidsLimit, pidsEvents                                    counterFile

	limits    Limits // as they stand in the files
	cache     cacheFile
	baseCPU   atomic.Int64
	baseCache int64
	baseKills int64
	baseForks int64
}

func (p *legacyParent) New(name string, _ int, oom func()) (_ Group, err error) {
	g := &legacyGroup{flushed: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	seen := map[string]bool{}
	for _, c := range []string{"memory", "pids", "cpuacct", "cpu"} {
		parent, ok := p.dirs[c]
		if !ok || seen[parent] {
			continue
		}
		seen[parent] = true
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, fmt.Errorf("making a slot's group: %w", err)
		}
		g.paths = append(g.paths, dir)
		f, err := os.OpenFile(filepath.Join(dir, "tasks"), os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("opening a slot's group: %w", err)
		}
		switch c {
		case "cpu":
			g.joinRate = f
		case "memory":
			g.enter = f
		default:
			g.joins = append(g.joins, f)
		}
	}
	if err := g.open(p, name); err != nil {
		return nil, err
	}
	return g, g.watch(filepath.Join(p.dirs["memory"], name), oom)
}

// open opens every file that runs read or write.
func (g *legacyGroup) open(p *legacyParent, name string) error {
	memory, pids := filepath.Join(p.dirs["memory"], name), filepath.Join(p.dirs["pids"], name)
	list := []wanted{
		{&g.memoryLimit, memory, "memory.limit_in_bytes", os.O_RDWR, false},
		{&g.swapLimit, memory, "memory.memsw.limit_in_bytes", os.O_RDWR, true}, // absent without swap accounting
		{&g.memoryPeak, memory, "memory.max_usage_in_bytes", os.O_RDWR, false},
		{&g.memoryNow, memory, "memory.usage_in_bytes", os.O_RDONLY, false},
		{&g.memoryOOM, memory, "memory.oom_control", os.O_RDONLY, false},
		{&g.cache.counterFile, memory, "memory.stat", os.O_RDONLY, false},
		{&g.cpuUsage, filepath.Join(p.dirs["cpuacct"], name), "cpuacct.usage", os.O_RDONLY, false},
		{&g.pidsLimit, pids, "pids.max", os.O_RDWR, false},
		{&g.pidsEvents, pids, "pids.events", os.O_RDONLY, true}, // since Linux 4.5
	}
	if dir, ok := p.dirs["cpu"]; ok {
		list = append(list,
			wanted{&g.quota, filepath.Join(dir, name), "cpu.cfs_quota_us", os.O_RDWR, true},
			wanted{&g.period, filepath.Join(dir, name), "cpu.cfs_period_us", os.O_RDWR, true})
	}
	g.cache.all, g.cache.shared = "cache", "shmem"
	return openCounters(list)
}

// flushMark is written to the eventfd by flush; the kernel adds 1 for each event.
const flushMark = 1 << 32

// watch has the kernel tell of each time that the group is out of memory. The killer may take one child of many and leave
// the run alive, so oom ends it (cgroup-v1/memory.rst, "OOM Control").
func (g *legacyGroup) watch(dir string, oom func()) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("making an eventfd: %w", err)
	}
	g.oomFile = os.NewFile(uintptr(fd), "oom eventfd")
	line := fmt.Sprintf("%d %d", fd, g.memoryOOM.f.Fd())
	if err := os.WriteFile(filepath.Join(dir, "cgroup.event_control"), []byte(line), 0); err != nil {
		return fmt.Errorf("asking to be told of out of memory: %w", err)
	}
	f := g.oomFile
	go func() {
		var b [8]byte
		for {
			if _, err := f.Read(b[:]); err != nil {
				return // closed with the group
			}
			count := binary.NativeEndian.Uint64(b[:])
			if count%flushMark > 0 {
				oom()
			}
			if count >= flushMark {
				g.flushed <- struct{}{}
			}
		}
	}()
	return nil
}

// flush waits until no event of the run that has ended can reach the next one any more.
func (g *legacyGroup) flush() error {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], flushMark)
	if _, err := g.oomFile.Write(b[:]); err != nil {
		return fmt.Errorf("flushing out-of-memory events: %w", err)
	}
	<-g.flushed
	return nil
}

func (g *legacyGroup) Home() *os.File { return nil }
func (g *legacyGroup) Dir() *os.File  { return nil }
func (g *legacyGroup) Ready() error   { return nil }

func (g *legacyGroup) StubFiles() []*os.File {
	return []*os.File{g.enter, g.cpuUsage.f, g.memoryNow.f, g.memoryPeak.f}
}

func (g *legacyGroup) JoinFiles() ([]*os.File, *os.File) { return g.joins, g.joinRate }

func (g *legacyGroup) Prepare(l Limits) error {
	if err := g.setLimits(l); err != nil {
		return err
	}
	usage, err := g.memoryNow.number()
	if err != nil {
		return err
	}
	if g.baseCache, err = g.cache.before(usage); err != nil {
		return err
	}
	used, err := g.cpuUsage.number()
	if err != nil {
		return err
	}
	g.baseCPU.Store(used)
	return nil
}

// ownProcesses are init and stub.
const ownProcesses = 2

func (g *legacyGroup) setLimits(l Limits) error {
	if l.Memory != g.limits.Memory {
		if err := g.setMemory(l.Memory); err != nil {
			return err
		}
	}
	if l.Processes != g.limits.Processes {
		if err := g.pidsLimit.set(int64(l.Processes) + ownProcesses); err != nil {
			return err
		}
	}
	if l.CPUPercent != g.limits.CPUPercent {
		if g.quota.f == nil {
			return fmt.Errorf("%w: cpu, which a CPU rate needs", ErrMissing)
		}
		quota := int64(-1)
		if l.CPUPercent > 0 {
			quota = int64(l.CPUPercent) * ratePeriod / 100
		}
		if err := g.period.set(ratePeriod); err != nil {
			return err
		}
		if err := g.quota.set(quota); err != nil {
			return err
		}
	}
	g.limits = l
	return nil
}

// ratePeriod is the period of a CPU rate in microseconds, the kernel's default. The quota of 1 percent is then 1 ms, the
// least that the kernel takes (sched-bwc.rst).
const ratePeriod = 100_000

// setMemory moves the limit of memory and of memory with swap, which may never be below it, so that no swap is used.
func (g *legacyGroup) setMemory(bytes int64) error {
	steps := []counterFile{g.memoryLimit, g.swapLimit}
	if g.limits.Memory != 0 && bytes > g.limits.Memory { // a new group has no limit yet
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, f := range steps {
		if f.f == nil {
			continue
		}
		if err := f.set(bytes); err != nil {
			return err
		}
	}
	return nil
}

func (g *legacyGroup) CPUTime() (time.Duration, error) {
	used, err := g.cpuUsage.number()
	return time.Duration(used - g.baseCPU.Load()), err
}

func (g *legacyGroup) Memory() (int64, error) {
	return g.memoryNow.number()
}

func (g *legacyGroup) Counters(start Start) (Counters, error) {
	var c Counters
	used, err := g.cpuUsage.number()
	if err != nil {
		return c, err
	}
	c.CPUTime = time.Duration(used - start.CPU)
	peak, err := g.memoryPeak.number()
	if err != nil {
		return c, err
	}
	lost, err := g.cache.lost(g.baseCache)
	if err != nil {
		return c, err
	}
	c.MemoryPeak = max(0, peak-start.Memory+lost)
	kills, err := g.memoryOOM.field("oom_kill")
	if err != nil {
		return c, err
	}
	nearLimit := peak >= g.limits.Memory-g.limits.Memory/16
	if kills > g.baseKills {
		// Version 1 counts kills by any killer. The group's own limit was the cause only if usage came near it.
		c.MemoryHit, c.HostOOM = nearLimit, !nearLimit
		if c.MemoryHit {
			c.MemoryPeak = g.limits.Memory
		}
	}
	if nearLimit || kills > g.baseKills {
		if err := g.flush(); err != nil {
			return c, err
		}
	}
	g.baseKills = kills
	if g.pidsEvents.f != nil {
		forks, err := g.pidsEvents.field("max")
		if err != nil {
			return c, err
		}
		c.ForkFailures, g.baseForks = forks-g.baseForks, forks
	}
	return c, nil
}

func (g *legacyGroup) Close() error {
	if g.oomFile != nil {
		_ = g.oomFile.Close()
	}
	for _, f := range append(g.joins, g.joinRate, g.enter) {
		if f != nil {
			_ = f.Close()
		}
	}
	for _, f := range []counterFile{
		g.memoryLimit, g.swapLimit, g.memoryPeak, g.memoryNow, g.memoryOOM, g.cpuUsage, g.quota, g.period,
		g.pidsLimit, g.pidsEvents, g.cache.counterFile,
	} {
		f.close()
	}
	var failed error
	for _, dir := range g.paths {
		if !strings.HasPrefix(filepath.Base(dir), "slot-") {
			return fmt.Errorf("refusing to remove %s: not a slot's group", dir)
		}
		failed = errors.Join(failed, removeGroup(dir))
	}
	return failed
}
