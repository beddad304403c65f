package linux

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// tree makes a file system of texts.
func tree(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			m[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
		}
	}
	return m
}

// place is a machine of files and variables.
func place(files, env map[string]string) machine {
	return machine{
		files: tree(files), getenv: func(key string) string { return env[key] },
		effective: ^uint64(0), refuses: func(outsideCall) bool { return false },
	}
}

// TestAdvice: each finding, as what is there and as what is not.
func TestAdvice(t *testing.T) {
	t.Parallel()
	const (
		swaps  = "Filename Type Size Used Priority\n"
		gov    = "sys/devices/system/cpu/cpu%/cpufreq/scaling_governor"
		intel  = "sys/devices/system/cpu/intel_pstate/no_turbo"
		boost  = "sys/devices/system/cpu/cpufreq/boost"
		smt    = "sys/devices/system/cpu/smt/active"
		thp    = "sys/kernel/mm/transparent_hugepage/enabled"
		aslr   = "proc/sys/kernel/randomize_va_space"
		bits   = "proc/sys/vm/mmap_rnd_bits"
		clone  = "proc/sys/kernel/unprivileged_userns_clone"
		armour = "proc/sys/kernel/apparmor_restrict_unprivileged_userns"
	)
	governor := func(cpu string) string { return strings.Replace(gov, "%", cpu, 1) }
	groups := []string{"c/cpu", "c/memory"}
	for _, c := range []struct {
		name   string
		find   func(machine) Finding
		files  map[string]string
		ok     bool
		detail string // a part
		remedy string // a part, where not ok
	}{
		{"no swap file", machine.swapFinding, nil, true, "off", ""},
		{"no swap", machine.swapFinding, map[string]string{"proc/swaps": swaps}, true, "off", ""},
		{"swap", machine.swapFinding, map[string]string{"proc/swaps": swaps + "/dev/sda2 partition 9 0 -2\n"}, false, "1 area", "swapoff -a"},
		{"no governor", machine.governorFinding, nil, true, "hypervisor", ""},
		{"good governors", machine.governorFinding, map[string]string{governor("0"): "performance\n", governor("1"): "performance\n"}, true, "performance", ""},
		{"one bad governor", machine.governorFinding, map[string]string{governor("0"): "performance\n", governor("11"): "powersave\n"}, false, "1 of 2 processors: cpu11 powersave", "cpupower"},
		{"no turbo", machine.turboFinding, nil, true, "not to be seen", ""},
		{"turbo of Intel on", machine.turboFinding, map[string]string{intel: "0\n"}, false, "on", "echo 1 > /" + intel},
		{"turbo of Intel off", machine.turboFinding, map[string]string{intel: "1\n"}, true, "off", ""},
		{"boost on", machine.turboFinding, map[string]string{boost: "1\n"}, false, "on", "echo 0 > /" + boost},
		{"boost off", machine.turboFinding, map[string]string{boost: "0\n"}, true, "off", ""},
		{"threads unseen", machine.threadsFinding, nil, true, "off", ""},
		{"threads off", machine.threadsFinding, map[string]string{smt: "0\n"}, true, "off", ""},
		{"threads on", machine.threadsFinding, map[string]string{smt: "1\n"}, false, "on", "smt/control"},
		{"huge pages unseen", machine.hugePagesFinding, nil, true, "not to be seen", ""},
		{"huge pages always", machine.hugePagesFinding, map[string]string{thp: "[always] madvise never\n"}, false, "always", "echo madvise"},
		{"huge pages when asked", machine.hugePagesFinding, map[string]string{thp: "always [madvise] never\n"}, true, "madvise", ""},
		{"addresses", machine.addressFinding, map[string]string{aslr: "2\n", bits: "28\n"}, true, "on", ""},
		{"addresses half random", machine.addressFinding, map[string]string{aslr: "1\n"}, false, "is 1", "randomize_va_space=2"},
		{"addresses too random", machine.addressFinding, map[string]string{aslr: "2\n", bits: "32\n"}, false, "is 32", "mmap_rnd_bits=28"},
		{"namespaces for all", machine.unprivilegedFinding, nil, true, "allowed", ""},
		{"Debian's switch on", machine.unprivilegedFinding, map[string]string{clone: "1\n"}, true, "allowed", ""},
		{"Debian's switch off", machine.unprivilegedFinding, map[string]string{clone: "0\n"}, false, "is 0", "unprivileged_userns_clone=1"},
		{"Ubuntu's switch", machine.unprivilegedFinding, map[string]string{armour: "1\n"}, false, "AppArmor", "restrict_unprivileged_userns=0"},
		{"no group", func(m machine) Finding { return m.quotaFinding(nil) }, nil, true, "none", ""},
		{"no quota, version 2", func(m machine) Finding { return m.quotaFinding(groups) }, map[string]string{"c/cpu/cpu.max": "max 100000\n"}, true, "none", ""},
		{"quota, version 2", func(m machine) Finding { return m.quotaFinding(groups) }, map[string]string{"c/cpu/cpu.max": "150000 100000\n"}, false, "1.5 processors in periods of 100 ms", "cpuset"},
		{"no quota, version 1", func(m machine) Finding { return m.quotaFinding(groups) }, map[string]string{"c/cpu/cpu.cfs_quota_us": "-1\n", "c/cpu/cpu.cfs_period_us": "100000\n"}, true, "none", ""},
		{"quota, version 1", func(m machine) Finding { return m.quotaFinding(groups) }, map[string]string{"c/cpu/cpu.cfs_quota_us": "25000\n", "c/cpu/cpu.cfs_period_us": "50000\n"}, false, "0.5 processors in periods of 50 ms", "cpuset"},
		{"no memory limit, version 2", func(m machine) Finding { return m.memoryFinding(groups) }, map[string]string{"c/memory/memory.max": "max\n"}, true, "no limit", ""},
		{"no memory limit, version 1", func(m machine) Finding { return m.memoryFinding(groups) }, map[string]string{"c/memory/memory.limit_in_bytes": "9223372036854771712\n"}, true, "no limit", ""},
		{"enough memory", func(m machine) Finding { return m.memoryFinding(groups) }, map[string]string{"c/memory/memory.max": "4294967296\n"}, true, "4096 MiB", ""},
		{"little memory", func(m machine) Finding { return m.memoryFinding(groups) }, map[string]string{"c/memory/memory.limit_in_bytes": "268435456\n"}, false, "256 MiB", "--workers"},
		{"no kill on version 1", func(m machine) Finding { return m.killFinding(groups) }, nil, true, "version 1", ""},
		{"kill", func(m machine) Finding { return m.killFinding(groups) }, map[string]string{"c/cpu/cgroup.type": "domain\n", "c/cpu/cgroup.kill": ""}, true, "at once", ""},
		{"no kill", func(m machine) Finding { return m.killFinding(groups) }, map[string]string{"c/cpu/cgroup.type": "domain\n"}, false, "one by one", "5.14"},
	} {
		got := explain([]Finding{c.find(place(c.files, nil))})[0]
		if got.OK != c.ok || !strings.Contains(got.Detail, c.detail) || !strings.Contains(got.Remedy, c.remedy) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got.Required || got.Name == "" || got.Meaning == "" || got.OK != (got.Remedy == "") {
			t.Errorf("%s: required, or without a name, a meaning, or a remedy just when it is not there: %+v", c.name, got)
		}
	}
}

// TestEveryFinding: what this very machine gives is complete, whatever it is.
func TestEveryFinding(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range append(Inspect(), Advise(t.TempDir())...) {
		if f.Name == "" || f.Detail == "" || f.Meaning == "" || f.OK != (f.Remedy == "") || seen[f.Name] {
			t.Errorf("incomplete, or there twice: %+v", f)
		}
		seen[f.Name] = true
	}
	if len(seen) < 25 {
		t.Errorf("only %d findings", len(seen))
	}
}

func TestRunDirFinding(t *testing.T) {
	t.Parallel()
	m := place(nil, nil)
	if f := m.runDirFinding("/dev/shm"); !strings.HasPrefix(f.Detail, "/dev/shm") {
		t.Errorf("a folder in memory: %+v", f)
	}
	if f := m.runDirFinding("/proc/there/is/no/such"); !strings.HasPrefix(f.Detail, "/proc") || f.OK {
		t.Errorf("a folder that is not there, on a full file system: %+v", f)
	}
	var st unix.Statfs_t
	if err := unix.Statfs("/proc", &st); err != nil {
		t.Fatal(err)
	}
	if f := m.runDirFinding("/proc"); st.Flags&unix.ST_NOEXEC != 0 && !strings.Contains(f.Detail, "noexec") {
		t.Errorf("noexec: %+v", f)
	}
}
