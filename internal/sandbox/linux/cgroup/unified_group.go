package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// unifiedGroup is a slot's group on version 2. It holds two groups: one for the slot's own processes and one for its programs.
// A process may make another in a group only if it may write to that and to the nearest group around both, and sees them in
// its group namespace (cgroup_attach_permissions, kernel/cgroup/cgroup.c). So the slot owns its group and that of programs,
// and the root of its namespace is the outer one. That takes four steps: the init starts in the outer group, makes the
// namespace, joins its own group, and then Ready turns on the limits for the two, when no process is between them any more.
type unifiedGroup struct {
	path        string
	owner       int
	controllers []string
	home        *os.File // the group itself
	join        *os.File // for the init, to leave it

	mu   sync.RWMutex // guards what follows: renew replaces all of it
	used bool
	programs
}

// programs is the group of a slot's programs.
type programs struct {
	dir *os.File

	memoryMax, swapMax, memoryPeak, memoryNow, memoryEvents, cpuStat, cpuMax, pidsMax, pidsEvents counterFile

	canReset  bool // memory.peak can be reset for this open file (Linux 6.12)
	limits    Limits
	cache     cacheFile
	baseCPU   int64
	baseUsage int64
	baseCache int64
	baseKills int64
	baseOOM   int64
	baseForks int64
}

// The two groups in a slot's group.
const (
	initGroup    = "init"
	programGroup = "run"
)

func (p *unifiedParent) New(name string, owner int, _ func()) (Group, error) {
	g := &unifiedGroup{path: filepath.Join(p.dir, name), owner: owner, controllers: p.controllers}
	if err := g.make(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *unifiedGroup) make() (err error) {
	if err := makeOwned(g.path, g.owner); err != nil {
		return err
	}
	if g.home, err = os.Open(g.path); err != nil {
		return fmt.Errorf("opening a slot's group: %w", err)
	}
	inner := filepath.Join(g.path, initGroup)
	if err := os.Mkdir(inner, 0o755); err != nil {
		return fmt.Errorf("making a group for a slot's init: %w", err)
	}
	if g.join, err = os.OpenFile(filepath.Join(inner, "cgroup.procs"), os.O_WRONLY, 0); err != nil {
		return fmt.Errorf("opening the group of a slot's init: %w", err)
	}
	return nil
}

// makeOwned makes a group whose processes are the owner's to place.
func makeOwned(dir string, owner int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("making a slot's group: %w", err)
	}
	if owner == os.Geteuid() {
		return nil // it is theirs already
	}
	// The slot's init is started in here by assay, which may write only to what its group may, where a container took root's
	// right to all files away.
	procs := filepath.Join(dir, "cgroup.procs")
	if err := os.Chmod(procs, 0o664); err != nil {
		return fmt.Errorf("handing a group to its slot: %w", err)
	}
	if err := os.Chown(procs, owner, -1); err != nil {
		return fmt.Errorf("handing a group to its slot: %w", err)
	}
	return nil
}

func (g *unifiedGroup) Ready() error {
	if err := enable(g.path, g.controllers); err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open()
}

// open makes the group of programs and opens every file that runs read or write.
func (g *unifiedGroup) open() (err error) {
	dir := filepath.Join(g.path, programGroup)
	if err := makeOwned(dir, g.owner); err != nil {
		return err
	}
	if g.dir, err = os.Open(dir); err != nil {
		return fmt.Errorf("opening a slot's group: %w", err)
	}
	if err := openCounters([]wanted{
		{&g.memoryMax, dir, "memory.max", os.O_RDWR, false},
		{&g.swapMax, dir, "memory.swap.max", os.O_RDWR, true}, // absent without swap accounting
		{&g.memoryNow, dir, "memory.current", os.O_RDONLY, false},
		{&g.memoryEvents, dir, "memory.events", os.O_RDONLY, false},
		{&g.cache.counterFile, dir, "memory.stat", os.O_RDONLY, false},
		{&g.cpuStat, dir, "cpu.stat", os.O_RDONLY, false},
		{&g.cpuMax, dir, "cpu.max", os.O_RDWR, true},
		{&g.pidsMax, dir, "pids.max", os.O_RDWR, false},
		{&g.pidsEvents, dir, "pids.events", os.O_RDONLY, false},
	}); err != nil {
		return err
	}
	g.cache.all, g.cache.shared = "file", "shmem"
	if g.memoryPeak, err = openCounter(dir, "memory.peak", os.O_RDWR); err == nil {
		g.canReset = g.memoryPeak.write("r") == nil
	} else if g.memoryPeak, err = openCounter(dir, "memory.peak", os.O_RDONLY); err != nil {
		return fmt.Errorf("%w (memory.peak needs Linux 5.19)", err)
	}
	// One process killed for memory is the end of the whole run.
	if err := os.WriteFile(filepath.Join(dir, "memory.oom.group"), []byte("1"), 0); err != nil {
		return fmt.Errorf("having the kernel end runs as a whole: %w", err)
	}
	if g.swapMax.f != nil {
		return g.swapMax.write("0")
	}
	return nil
}

// renew replaces the group of programs by a new one, for a kernel that cannot reset the peak.
func (g *unifiedGroup) renew() error {
	g.closeFiles()
	g.programs = programs{}
	if err := removeGroup(filepath.Join(g.path, programGroup)); err != nil {
		return err
	}
	return g.open()
}

func (g *unifiedGroup) JoinFiles() ([]*os.File, *os.File) { return []*os.File{g.join}, nil }
func (g *unifiedGroup) StubFiles() []*os.File             { return nil }
func (g *unifiedGroup) Home() *os.File                    { return g.home }
func (g *unifiedGroup) Dir() *os.File                     { return g.dir }

func (g *unifiedGroup) Prepare(l Limits) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.used && !g.canReset {
		if err := g.renew(); err != nil {
			return err
		}
	}
	g.used = true
	if err := g.setLimits(l); err != nil {
		return err
	}
	if g.canReset {
		if err := g.memoryPeak.write("r"); err != nil {
			return err
		}
	}
	var err error
	if g.baseUsage, err = g.memoryNow.number(); err != nil {
		return err
	}
	if g.baseCache, err = g.cache.before(g.baseUsage); err != nil {
		return err
	}
	g.baseCPU, err = g.cpuStat.field("usage_usec")
	return err
}

func (g *unifiedGroup) setLimits(l Limits) error {
	if l.Memory != g.limits.Memory {
		if err := g.memoryMax.set(l.Memory); err != nil {
			return err
		}
	}
	if l.Processes != g.limits.Processes {
		if err := g.pidsMax.set(int64(l.Processes)); err != nil {
			return err
		}
	}
	if l.CPUPercent != g.limits.CPUPercent {
		if g.cpuMax.f == nil {
			return fmt.Errorf("%w: cpu, which a CPU rate needs", ErrMissing)
		}
		quota := "max"
		if l.CPUPercent > 0 {
			quota = strconv.FormatInt(int64(l.CPUPercent)*ratePeriod/100, 10)
		}
		if err := g.cpuMax.write(fmt.Sprintf("%s %d", quota, ratePeriod)); err != nil {
			return err
		}
	}
	g.limits = l
	return nil
}

func (g *unifiedGroup) CPUTime() (time.Duration, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	used, err := g.cpuStat.field("usage_usec")
	return time.Duration(used-g.baseCPU) * time.Microsecond, err
}

func (g *unifiedGroup) Memory() (int64, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n, err := g.memoryNow.number()
	return max(0, n-g.baseUsage), err
}

func (g *unifiedGroup) Counters(start Start) (Counters, error) {
	var c Counters
	var err error
	if c.CPUTime, err = g.CPUTime(); err != nil {
		return c, err
	}
	c.CPUTime -= time.Duration(start.CPU)
	peak, err := g.memoryPeak.number()
	if err != nil {
		return c, err
	}
	lost, err := g.cache.lost(g.baseCache)
	if err != nil {
		return c, err
	}
	c.MemoryPeak = max(0, peak-g.baseUsage+lost)
	var buf [4096]byte
	events, err := g.memoryEvents.read(buf[:])
	if err != nil {
		return c, err
	}
	kills, oom := field(events, "oom_kill"), field(events, "oom")
	// oom_kill counts kills by any killer, oom only those for this group's limit.
	c.MemoryHit = oom > g.baseOOM
	c.HostOOM = kills > g.baseKills && !c.MemoryHit
	if c.MemoryHit {
		c.MemoryPeak = g.limits.Memory
	}
	g.baseKills, g.baseOOM = kills, oom
	forks, err := g.pidsEvents.field("max")
	if err != nil {
		return c, err
	}
	c.ForkFailures, g.baseForks = forks-g.baseForks, forks
	return c, nil
}

func (g *unifiedGroup) closeFiles() {
	if g.dir != nil {
		_ = g.dir.Close()
	}
	for _, f := range []counterFile{
		g.memoryMax, g.swapMax, g.memoryPeak, g.memoryNow, g.memoryEvents, g.cpuStat, g.cpuMax, g.pidsMax, g.pidsEvents,
		g.cache.counterFile,
	} {
		f.close()
	}
}

func (g *unifiedGroup) Close() error {
	for _, f := range []*os.File{g.home, g.join} {
		if f != nil {
			_ = f.Close()
		}
	}
	g.closeFiles()
	if !strings.HasPrefix(filepath.Base(g.path), "slot-") {
		return fmt.Errorf("refusing to remove %s: not a slot's group", g.path)
	}
	return removeTree(g.path)
}
