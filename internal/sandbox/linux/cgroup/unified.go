package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// unifiedParent is an instance's group on version 2 (Documentation/admin-guide/cgroup-v2.rst).
type unifiedParent struct {
	own  string // the group that it lies in
	dir  string
	rate bool
}

// supervisor is the leaf that assay moves itself into where its own group must have no processes.
const supervisor = "assay-supervisor"

func findUnified(h *hierarchy, name string) Parent {
	own := h.own
	// An instance started from another's service finds itself in the leaf: its groups go beside it.
	if filepath.Base(own) == supervisor {
		own = filepath.Dir(own)
	}
	return &unifiedParent{own: own, dir: filepath.Join(own, name), rate: h.has("cpu")}
}

func (p *unifiedParent) Make() error {
	want := []string{"memory", "pids"}
	if p.rate {
		want = append(want, "cpu")
	}
	if err := enable(p.own, want); err != nil {
		// "No internal processes": only an empty group, or the root, may have controllers for its children.
		if moveErr := moveSelf(filepath.Join(p.own, supervisor)); moveErr != nil {
			return errors.Join(fmt.Errorf("%w: %w", ErrMissing, err), moveErr)
		}
		if err := enable(p.own, want); err != nil {
			return fmt.Errorf("%w: %w", ErrMissing, err)
		}
	}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		return fmt.Errorf("making the instance's group: %w", err)
	}
	if err := enable(p.dir, want); err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return nil
}

// enable turns controllers on for the groups below dir. All in one write, so that a refused memory controller also keeps
// the threaded ones off, which would change the group's type (cgroup-v2.rst, "Threads").
func enable(dir string, controllers []string) error {
	file := filepath.Join(dir, "cgroup.subtree_control")
	on, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the controllers of %s: %w", dir, err)
	}
	var missing []string
	for _, c := range controllers {
		if !slices.Contains(strings.Fields(string(on)), c) {
			missing = append(missing, "+"+c)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := os.WriteFile(file, []byte(strings.Join(missing, " ")), 0); err != nil {
		return fmt.Errorf("turning on %s for the groups below %s: %w", strings.Join(missing, " "), dir, err)
	}
	return nil
}

func moveSelf(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making a leaf for assay itself: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("moving assay into a leaf: %w", err)
	}
	return nil
}

func (p *unifiedParent) Version() int     { return 2 }
func (p *unifiedParent) HasCPURate() bool { return p.rate }
func (p *unifiedParent) Paths() []string  { return []string{p.dir} }
func (p *unifiedParent) Close() error     { return removeTree(p.dir) }

// unifiedGroup is a slot's group on version 2.
type unifiedGroup struct {
	path string
	dir  *os.File

	memoryMax, swapMax, memoryPeak, memoryNow, memoryEvents, cpuStat, cpuMax, pidsMax, pidsEvents counterFile

	used      bool
	canReset  bool // memory.peak can be reset for this open file (Linux 6.12)
	limits    Limits
	baseCPU   atomic.Int64
	cache     cacheFile
	baseUsage int64
	baseCache int64
	baseKills int64
	baseOOM   int64
	baseForks int64
}

func (p *unifiedParent) New(name string, _ func()) (Group, error) {
	g := &unifiedGroup{path: filepath.Join(p.dir, name)}
	if err := g.open(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// open makes the group and opens every file that runs read or write.
func (g *unifiedGroup) open() (err error) {
	if err := os.Mkdir(g.path, 0o755); err != nil {
		return fmt.Errorf("making a slot's group: %w", err)
	}
	if g.dir, err = os.Open(g.path); err != nil {
		return fmt.Errorf("opening a slot's group: %w", err)
	}
	for _, f := range []struct {
		to       *counterFile
		name     string
		flag     int
		optional bool
	}{
		{&g.memoryMax, "memory.max", os.O_RDWR, false},
		{&g.swapMax, "memory.swap.max", os.O_RDWR, true}, // absent without swap accounting
		{&g.memoryNow, "memory.current", os.O_RDONLY, false},
		{&g.memoryEvents, "memory.events", os.O_RDONLY, false},
		{&g.cpuStat, "cpu.stat", os.O_RDONLY, false},
		{&g.cpuMax, "cpu.max", os.O_RDWR, true},
		{&g.pidsMax, "pids.max", os.O_RDWR, false},
		{&g.pidsEvents, "pids.events", os.O_RDONLY, false},
	} {
		c, err := openCounter(g.path, f.name, f.flag)
		if err != nil {
			if f.optional && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return err
		}
		*f.to = c
	}
	stat, err := openCounter(g.path, "memory.stat", os.O_RDONLY)
	if err != nil {
		return err
	}
	g.cache = cacheFile{counterFile: stat, all: "file", shared: "shmem"}
	if g.memoryPeak, err = openCounter(g.path, "memory.peak", os.O_RDWR); err == nil {
		g.canReset = g.memoryPeak.write("r") == nil
	} else if g.memoryPeak, err = openCounter(g.path, "memory.peak", os.O_RDONLY); err != nil {
		return fmt.Errorf("%w (memory.peak needs Linux 5.19)", err)
	}
	// One process killed for memory is the end of the whole run.
	if err := os.WriteFile(filepath.Join(g.path, "memory.oom.group"), []byte("1"), 0); err != nil {
		return fmt.Errorf("having the kernel end runs as a whole: %w", err)
	}
	if g.swapMax.f != nil {
		return g.swapMax.write("0")
	}
	return nil
}

// renew replaces the group by a new one, for a kernel that cannot reset the peak.
func (g *unifiedGroup) renew() error {
	if err := g.Close(); err != nil {
		return err
	}
	*g = unifiedGroup{path: g.path}
	return g.open()
}

func (g *unifiedGroup) JoinFiles() ([]*os.File, *os.File) { return nil, nil }
func (g *unifiedGroup) StubFiles() []*os.File             { return nil }
func (g *unifiedGroup) Dir() *os.File                     { return g.dir }

func (g *unifiedGroup) Prepare(l Limits) error {
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
	used, err := g.cpuStat.field("usage_usec")
	if err != nil {
		return err
	}
	g.baseCPU.Store(used)
	return nil
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
	used, err := g.cpuStat.field("usage_usec")
	return time.Duration(used-g.baseCPU.Load()) * time.Microsecond, err
}

func (g *unifiedGroup) Memory() (int64, error) {
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

func (g *unifiedGroup) Close() error {
	if g.dir != nil {
		_ = g.dir.Close()
	}
	for _, f := range []counterFile{
		g.memoryMax, g.swapMax, g.memoryPeak, g.memoryNow, g.memoryEvents, g.cpuStat, g.cpuMax, g.pidsMax, g.pidsEvents,
		g.cache.counterFile,
	} {
		f.close()
	}
	if !strings.HasPrefix(filepath.Base(g.path), "slot-") {
		return fmt.Errorf("refusing to remove %s: not a slot's group", g.path)
	}
	return removeGroup(g.path)
}
