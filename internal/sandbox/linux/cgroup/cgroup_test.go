package cgroup

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// legacyInfo is how a host with version 1 mounts its hierarchies.
const legacyInfo = `24 1 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
25 24 0:23 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory
26 24 0:24 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:10 - cgroup cgroup rw,cpu,cpuacct
27 24 0:25 / /sys/fs/cgroup/pids rw,nosuid - cgroup cgroup rw,pids
28 24 0:26 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
`

func TestParseMounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, groups, info string
		unified            string
		legacy             map[string]string
	}{
		{"nothing", "", "", "", nil},
		{"no mounts", "0::/a\n1:memory:/b\n", "", "", nil},
		{"version 2", "0::/user.slice/x.scope\n", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/user.slice/x.scope", nil},
		{"version 2 at its root", "0::/\n", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup", nil},
		{
			"version 1", "4:memory:/m\n3:cpu,cpuacct:/c\n2:pids:/\n1:name=systemd:/s\n", legacyInfo, "",
			map[string]string{
				"memory": "/sys/fs/cgroup/memory/m", "cpu": "/sys/fs/cgroup/cpu,cpuacct/c", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/c",
				"pids": "/sys/fs/cgroup/pids", "name=systemd": "/sys/fs/cgroup/systemd/s",
			},
		},
		{
			"both", "4:memory:/m\n0::/u\n", legacyInfo + "29 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"/sys/fs/cgroup/unified/u",
			map[string]string{"memory": "/sys/fs/cgroup/memory/m"},
		},
		{"container with a bind of its part", "0::/docker/abc\n", "30 1 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "/sys/fs/cgroup", nil},
		{"below the part", "0::/docker/abc/x/y\n", "30 1 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "/sys/fs/cgroup/x/y", nil},
		{"another part", "0::/docker/abcd\n", "30 1 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "", nil},
		{
			"a part, then the whole", "0::/b\n", "30 1 0:26 /a /mnt rw - cgroup2 cgroup rw\n31 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
			"/sys/fs/cgroup/b", nil,
		},
		{
			"read-only, then on top of it", "4:memory:/g/abc\n",
			"31 1 0:32 /g/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n32 31 0:32 /g /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "",
			map[string]string{"memory": "/sys/fs/cgroup/memory/abc"},
		},
		{
			"read-only, then elsewhere", "0::/g/abc\n",
			"31 1 0:32 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n32 1 0:32 /g /groups rw - cgroup2 cgroup rw\n", "/groups/abc", nil,
		},
		{
			"writable, then read-only elsewhere", "0::/g/abc\n",
			"31 1 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n32 1 0:32 /g /groups ro - cgroup2 cgroup rw\n", "/sys/fs/cgroup/g/abc", nil,
		},
		{
			"a file system that is read-only", "0::/g\n",
			"31 1 0:32 / /a rw - cgroup2 cgroup ro,nsdelegate\n32 1 0:32 / /b rw - cgroup2 cgroup rw\n", "/b/g", nil,
		},
		{"the first of two", "0::/b\n", "30 1 0:26 / /one rw - cgroup2 c rw\n31 1 0:26 / /two rw - cgroup2 c rw\n", "/one/b", nil},
		{"blanks", "0::/a b\n", `30 1 0:26 / /sys/fs/c\040g\011\134 rw - cgroup2 c rw` + "\n", "/sys/fs/c g\t\\/a b", nil},
		{"colon in a name", "0::/a:b\n", "30 1 0:26 / /c rw - cgroup2 c rw\n", "/c/a:b", nil},
		{"rubbish", "x\n1:2\n\n:::\n", "a - b\n - cgroup2\n1 2 3 4 5 - cgroup2 x rw\n- - -\n30 1 0:26 / /c - cgroup2 c\n", "", nil},
	} {
		got := parseMounts(c.groups, c.info)
		unified, legacy := "", map[string]string{}
		if got.unified != nil {
			unified = got.unified.own
		}
		for controller, h := range got.legacy {
			legacy[controller] = h.own
		}
		if unified != c.unified || !maps.Equal(legacy, c.legacy) {
			t.Errorf("%s: got %q and %v", c.name, unified, legacy)
		}
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add("4:memory:/m\n0::/u\n", legacyInfo)
	f.Add("0::/docker/abc\n", `30 1 0:26 /docker\040 /sys rw - cgroup2 cgroup rw`)
	f.Fuzz(func(t *testing.T, groups, info string) {
		m := parseMounts(groups, info)
		for c, h := range m.legacy {
			if h == nil || h.own == "" || !h.has(c) {
				t.Errorf("%q: %+v", c, h)
			}
		}
		if m.unified != nil && m.unified.own == "" {
			t.Error("a hierarchy without a folder")
		}
	})
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "/a": "/a", `\040`: " ", `a\012b\134c`: "a\nb\\c", `\04`: `\04`, `\`: `\`, `\999`: `\999`, `\400`: `\400`, `\1234`: "S4", `\303\251`: "é",
	} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestField(t *testing.T) {
	t.Parallel()
	const events = "low 0\nhigh 1\nmax 22\noom 3\noom_kill 4\noom_group_kill 5\nbad x\nhuge 99999999999999999999\nalone\n"
	for key, want := range map[string]int64{
		"low": 0, "high": 1, "max": 22, "oom": 3, "oom_kill": 4, "kill": 0, "bad": 0, "huge": 0, "alone": 0, "": 0, "missing": 0,
	} {
		if got := field([]byte(events), key); got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
}

// files makes a folder of plain files in the place of a group's. What the kernel does when they are written is its own.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEnable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after string }{
		{"", "+memory +pids +cpu"},
		{"cpuset memory", "+pids +cpu"},
		{"cpu memory pids", "cpu memory pids"}, // untouched
	} {
		dir := files(t, map[string]string{"cgroup.subtree_control": c.before})
		if err := enable(dir, []string{"memory", "pids", "cpu"}); err != nil {
			t.Fatal(err)
		}
		if got := content(t, dir, "cgroup.subtree_control"); got != c.after {
			t.Errorf("%q became %q", c.before, got)
		}
	}
	if err := enable(t.TempDir(), []string{"memory"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
}

// unifiedFiles is a group of version 2 before its first run.
func unifiedFiles() map[string]string {
	return map[string]string{
		"memory.max": "", "memory.swap.max": "", "memory.peak": "5000\n", "memory.current": "1000\n",
		"memory.events": "low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\n", "cpu.stat": "usage_usec 3000\nuser_usec 1\n", "cpu.max": "",
		"pids.max": "", "pids.events": "max 5\n",
	}
}

func openUnified(t *testing.T, dir string) *unifiedGroup {
	t.Helper()
	g := &unifiedGroup{path: filepath.Join(dir, "slot-0")}
	for name, to := range map[string]*counterFile{
		"memory.max": &g.memoryMax, "memory.peak": &g.memoryPeak, "memory.current": &g.memoryNow, "memory.events": &g.memoryEvents,
		"cpu.stat": &g.cpuStat, "cpu.max": &g.cpuMax, "pids.max": &g.pidsMax, "pids.events": &g.pidsEvents,
	} {
		c, err := openCounter(dir, name, os.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.close)
		*to = c
	}
	return g
}

func set(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUnifiedCounters(t *testing.T) {
	t.Parallel()
	dir := files(t, unifiedFiles())
	g := openUnified(t, dir)
	g.baseOOM, g.baseKills, g.baseForks = 1, 2, 5 // as earlier runs left them
	if err := g.Prepare(Limits{Memory: 1 << 20, Processes: 7, CPUPercent: 50}); err != nil {
		t.Fatal(err)
	}
	if m, p, c := content(t, dir, "memory.max"), content(t, dir, "pids.max"), content(t, dir, "cpu.max"); m != "1048576" || p != "7" || c != "50000 100000" {
		t.Errorf("limits %q %q %q", m, p, c)
	}
	set(t, dir, "cpu.stat", "usage_usec 9000\n")
	set(t, dir, "memory.peak", "70000\n")
	set(t, dir, "memory.current", "31000\n")
	if cpu, err := g.CPUTime(); err != nil || cpu != 6*time.Millisecond {
		t.Errorf("CPU time %v, %v", cpu, err)
	}
	if m, err := g.Memory(); err != nil || m != 30000 {
		t.Errorf("memory %d, %v", m, err)
	}
	for _, c := range []struct {
		events, pids string
		want         Counters
	}{
		{"oom 1\noom_kill 2\n", "max 5\n", Counters{}},
		{"oom 2\noom_kill 3\n", "max 8\n", Counters{MemoryHit: true, ForkFailures: 3}},
		{"oom 2\noom_kill 3\n", "max 8\n", Counters{}},              // counted once
		{"oom 2\noom_kill 4\n", "max 8\n", Counters{HostOOM: true}}, // killed, but not for this group's limit
		{"oom 3\noom_kill 4\n", "max 9\n", Counters{MemoryHit: true, ForkFailures: 1}},
	} {
		set(t, dir, "memory.events", c.events)
		set(t, dir, "pids.events", c.pids)
		c.want.CPUTime, c.want.MemoryPeak = 5*time.Millisecond, 69000
		if c.want.MemoryHit {
			c.want.MemoryPeak = 1 << 20
		}
		got, err := g.Counters(Start{CPU: int64(time.Millisecond)})
		if err != nil || got != c.want {
			t.Errorf("%q: %+v, %v", c.events, got, err)
		}
	}
	set(t, dir, "memory.peak", "rubbish")
	if _, err := g.Counters(Start{}); err == nil {
		t.Error("rubbish was read as a number")
	}
}

func TestUnifiedWithoutRate(t *testing.T) {
	t.Parallel()
	g := openUnified(t, files(t, unifiedFiles()))
	g.cpuMax = counterFile{}
	if err := g.setLimits(Limits{Memory: 1 << 20, Processes: 1, CPUPercent: 10}); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v", err)
	}
}

// TestUnifiedPlace: where the instance's group goes, by what the own group is like.
func TestUnifiedPlace(t *testing.T) {
	t.Parallel()
	self := strconv.Itoa(os.Getpid()) + "\n"
	for _, c := range []struct {
		name, own, top, on, procs string
		root                      bool
		home                      string // below the hierarchy's root
		refused                   bool
	}{
		{name: "at the root", own: "", top: "", procs: "1\n" + self, root: true, home: ""},
		{name: "alone in a service", own: "svc", top: "", procs: self, home: "svc"},
		{name: "in a login session", own: "user/session", top: "", procs: "1\n" + self, home: "user"},
		{name: "in a container, alone", own: "c", top: "c", procs: self, home: "c"},
		{name: "in a container, with others", own: "c", top: "c", procs: "0\n" + self, refused: true},
		{name: "controllers are on", own: "c", top: "c", on: "cpu memory pids\n", home: "c"},
		{name: "in the leaf", own: "svc/" + supervisor, top: "", procs: "1\n" + self, home: "svc"},
	} {
		root := t.TempDir()
		own := filepath.Join(root, c.own)
		if err := os.MkdirAll(own, 0o700); err != nil {
			t.Fatal(err)
		}
		set(t, own, "cgroup.subtree_control", c.on)
		set(t, own, "cgroup.procs", c.procs)
		if !c.root {
			set(t, own, "cgroup.type", "domain\n")
		}
		p, err := findUnified(&hierarchy{own: own, top: filepath.Join(root, c.top), controllers: []string{"memory", "pids", "cpu"}}, "x")
		if c.refused {
			if !errors.Is(err, ErrNotAlone) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if want := filepath.Join(root, c.home, "x"); !slices.Equal(p.Paths(), []string{want}) || !p.HasCPURate() {
			t.Errorf("%s: %+v, want %s", c.name, p, want)
		}
	}
}

// TestRemoveLeaf: the leaf of a dead instance goes with its group, and what was turned on for them is off again, unless others
// have groups there.
func TestRemoveLeaf(t *testing.T) {
	t.Parallel()
	for others, want := range map[string]string{"": "-memory -pids ", "other": "memory pids"} {
		dir := files(t, map[string]string{"cgroup.subtree_control": "memory pids"})
		for _, d := range []string{"x", supervisor, others} {
			if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := Remove([]string{filepath.Join(dir, "x")}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, supervisor)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the leaf: %v", err)
		}
		if got := content(t, dir, "cgroup.subtree_control"); got != want {
			t.Errorf("beside %q: the controllers are %q", others, got)
		}
	}
}

func TestParents(t *testing.T) {
	t.Parallel()
	one := &hierarchy{own: "/c/all"}
	p, err := findLegacy(&mounts{legacy: map[string]*hierarchy{"memory": {own: "/c/m"}, "pids": one, "cpuacct": one, "cpu": one}}, "x")
	if err != nil {
		t.Fatal(err)
	}
	paths := p.Paths()
	slices.Sort(paths)
	if !slices.Equal(paths, []string{"/c/all/x", "/c/m/x"}) || !p.HasCPURate() || p.Version() != 1 {
		t.Errorf("%v", paths)
	}
	_, err = findLegacy(&mounts{legacy: map[string]*hierarchy{"memory": one, "cpuacct": one}}, "x")
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "pids") {
		t.Errorf("without pids: %v", err)
	}
	p, err = findLegacy(&mounts{legacy: map[string]*hierarchy{"memory": one, "pids": one, "cpuacct": one}}, "x")
	if err != nil || p.HasCPURate() {
		t.Errorf("without cpu: %v", err)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"a/b/c", "a/d", "keep"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove([]string{filepath.Join(dir, "a"), filepath.Join(dir, "gone")}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "keep" {
		t.Errorf("%v, %v", left, err)
	}
	for _, g := range []Group{&unifiedGroup{path: dir}, &legacyGroup{paths: []string{dir}}} {
		if err := g.Close(); err == nil || !strings.Contains(err.Error(), "not a slot's group") {
			t.Errorf("closing another's group: %v", err)
		}
	}
}

// kernelParent makes a parent of the test's own with whatever the host has.
func kernelParent(t *testing.T) Parent {
	t.Helper()
	p, err := Find("assay-test-" + strings.ToLower(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Remove(p.Paths()), p.Make()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestKernelGroup makes a real group with whatever the host has, and reads it.
func TestKernelGroup(t *testing.T) {
	t.Parallel()
	p := kernelParent(t)
	g, err := p.New("slot-0", os.Getuid(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Ready(); err != nil {
		t.Fatal(err)
	}
	for _, l := range []Limits{{Memory: 16 << 20, Processes: 3}, {Memory: 64 << 20, Processes: 9}, {Memory: 8 << 20, Processes: 1}} {
		if err := g.Prepare(l); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
		if c, err := g.Counters(Start{}); err != nil || c.MemoryHit || c.HostOOM || c.ForkFailures != 0 {
			t.Errorf("%+v: %+v, %v", l, c, err)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	for _, path := range p.Paths() {
		if _, err := os.Stat(filepath.Join(path, "slot-0")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
