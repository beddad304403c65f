package linux

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"assay/internal/config"
)

// Advise looks at what makes readings steady or features available, and at the run folder, runDir: none of it is required. It
// changes nothing.
func Advise(runDir string) []Finding {
	here, groups := thisMachine(), ownGroups()
	if runDir == "" {
		runDir = config.RunDir(here.euid, here.getenv)
	}
	advice := []Finding{
		here.swapFinding(),
		here.governorFinding(),
		here.turboFinding(),
		here.threadsFinding(),
		here.hugePagesFinding(),
		here.addressFinding(),
		here.quotaFinding(groups),
		here.memoryFinding(groups),
		here.killFinding(groups),
	}
	if here.euid == 0 {
		advice = append(advice, here.unprivilegedFinding()) // Inspect has it for others
	}
	for i := range advice {
		advice[i].Advice = true
	}
	return explain(append(advice, here.runDirFinding(runDir)))
}

// ownGroups are the folders of the control groups that assay is in, without the leading slash.
func ownGroups() []string {
	groups := lookForGroups()
	if groups.find != nil {
		return nil
	}
	var dirs []string
	for _, p := range groups.parent.Paths() {
		dirs = append(dirs, strings.TrimPrefix(path.Dir(p), "/"))
	}
	return dirs
}

// groupFile is the content of the first of some files that a group has, and its folder.
func (m machine) groupFile(groups []string, names ...string) (text, dir string) {
	for _, name := range names {
		for _, dir := range groups {
			if text := m.text(path.Join(dir, name)); text != "" {
				return text, dir
			}
		}
	}
	return "", ""
}

func (m machine) swapFinding() Finding {
	f := Finding{Name: "swap", OK: true, Detail: "off", Remedy: "swapoff -a"}
	if lines := strings.Count(m.text("proc/swaps"), "\n"); lines > 0 { // the first line is a heading
		f.OK, f.Detail = false, fmt.Sprintf("%d areas in use", lines)
	}
	return f
}

// governorFinding reads how processors choose their clock rate (Documentation/admin-guide/pm/cpufreq.rst).
func (m machine) governorFinding() Finding {
	f := Finding{Name: "cpu governor", OK: true, Detail: "not to be seen here; a hypervisor or firmware decides"}
	names, _ := fs.Glob(m.files, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor") // a well-formed pattern
	var other []string
	for _, name := range names {
		f.Detail = "performance"
		if g := m.text(name); g != "performance" {
			cpu := path.Base(path.Dir(path.Dir(name)))
			other = append(other, cpu+" "+g)
		}
	}
	if len(other) > 0 {
		f.OK = false
		f.Detail = fmt.Sprintf("%d of %d processors: %s", len(other), len(names), other[0])
		f.Remedy = "cpupower frequency-set -g performance, on the host"
	}
	return f
}

func (m machine) turboFinding() Finding {
	f := Finding{Name: "cpu turbo", OK: true, Detail: "not to be seen here"}
	const intel, others = "sys/devices/system/cpu/intel_pstate/no_turbo", "sys/devices/system/cpu/cpufreq/boost"
	if n, ok := m.number(intel); ok {
		if f.OK = n == 1; !f.OK {
			f.Remedy = "echo 1 > /" + intel
		}
	} else if n, ok := m.number(others); ok {
		if f.OK = n == 0; !f.OK {
			f.Remedy = "echo 0 > /" + others
		}
	} else {
		return f
	}
	if f.Detail = "off"; !f.OK {
		f.Detail = "on"
	}
	return f
}

func (m machine) threadsFinding() Finding {
	f := Finding{Name: "hyper-threading", OK: true, Detail: "off, or not to be seen here"}
	const file = "sys/devices/system/cpu/smt/active"
	if n, ok := m.number(file); ok && n == 1 {
		f.OK, f.Detail, f.Remedy = false, "on: two runs can share a core", "echo off > /sys/devices/system/cpu/smt/control, or use half as many --workers"
	}
	return f
}

func (m machine) hugePagesFinding() Finding {
	f := Finding{Name: "huge pages", OK: true, Detail: "not to be seen here"}
	const file = "sys/kernel/mm/transparent_hugepage/enabled"
	text := m.text(file)
	if text == "" {
		return f
	}
	_, chosen, _ := strings.Cut(text, "[")
	chosen, _, _ = strings.Cut(chosen, "]")
	f.Detail = chosen
	if f.OK = chosen != "always"; !f.OK {
		f.Remedy = "echo madvise > /" + file
	}
	return f
}

// mostRandomBits is what sanitizers of GCC up to 13 and Clang up to 17 can bear (vm.mmap_rnd_bits).
const mostRandomBits = 28

func (m machine) addressFinding() Finding {
	f := Finding{Name: "address randomisation", OK: true, Detail: "on"}
	if n, ok := m.number("proc/sys/kernel/randomize_va_space"); ok && n != 2 {
		f.OK, f.Detail, f.Remedy = false, fmt.Sprintf("kernel.randomize_va_space is %d", n), "sysctl -w kernel.randomize_va_space=2"
		return f
	}
	if n, ok := m.number("proc/sys/vm/mmap_rnd_bits"); ok && n > mostRandomBits {
		f.OK, f.Detail = false, fmt.Sprintf("vm.mmap_rnd_bits is %d: sanitizers of older compilers fail now and then", n)
		f.Remedy = fmt.Sprintf("sysctl -w vm.mmap_rnd_bits=%d", mostRandomBits)
	}
	return f
}

// unprivilegedFinding reads the switches that distributions have for user namespaces made without root.
func (m machine) unprivilegedFinding() Finding {
	f := Finding{Name: "unprivileged namespaces", Required: m.euid != 0, OK: true, Detail: "allowed"}
	if n, ok := m.number("proc/sys/kernel/unprivileged_userns_clone"); ok && n == 0 {
		f.OK, f.Detail, f.Remedy = false, "kernel.unprivileged_userns_clone is 0", "sysctl -w kernel.unprivileged_userns_clone=1, on the host"
	} else if n, ok := m.number("proc/sys/kernel/apparmor_restrict_unprivileged_userns"); ok && n == 1 && m.unconfined() {
		f.OK, f.Detail = false, "AppArmor takes their rights away"
		f.Remedy = "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, on the host, or give assay an AppArmor profile with userns"
	}
	return f
}

// unconfined reports whether no AppArmor profile says what this process may do (apparmor(7), /proc/PID/attr/current).
func (m machine) unconfined() bool {
	label := m.text("proc/self/attr/current")
	return label == "" || label == "unconfined"
}

// quotaFinding looks for a CPU quota on the groups of assay itself: it stops programs for most of each 100 ms.
func (m machine) quotaFinding(groups []string) Finding {
	f := Finding{Name: "cpu quota", OK: true, Detail: "none on assay's own group"}
	text, dir := m.groupFile(groups, "cpu.max", "cpu.cfs_quota_us")
	if period := m.text(path.Join(dir, "cpu.cfs_period_us")); dir != "" && period != "" {
		text += " " + period
	}
	var used, period float64
	if n, _ := fmt.Sscan(text, &used, &period); n == 2 && period > 0 && used > 0 {
		f.OK, f.Detail = false, fmt.Sprintf("%.3g processors in periods of %g ms", used/period, period/1000)
		f.Remedy = m.remedy(remedies{
			host: "take the quota off, and bind assay to whole processors (cpuset)", docker: "--cpuset-cpus instead of --cpus",
			kubernetes: "whole processors as request and limit, with the static CPU manager policy",
		})
	}
	return f
}

// comfortable is the memory that a server with a few slots at the default limits needs.
const comfortable = 1 << 30

func (m machine) memoryFinding(groups []string) Finding {
	f := Finding{Name: "memory of the group", OK: true, Detail: "no limit on assay's own group"}
	text, _ := m.groupFile(groups, "memory.max", "memory.limit_in_bytes")
	n, err := strconv.ParseInt(text, 10, 64)
	const none = 1 << 60 // version 1 writes a number near the largest one
	if err != nil || n >= none {
		return f
	}
	f.Detail = fmt.Sprintf("%d MiB for assay and all its runs together", n>>20)
	if f.OK = n >= comfortable; !f.OK {
		f.Remedy = m.remedy(remedies{
			host: "raise the limit above --workers times --max-memory", docker: "--memory with more than --workers times --max-memory",
			kubernetes: "resources.limits.memory above --workers times --max-memory",
		})
	}
	return f
}

// killFinding is about version 2: whether a group can be ended in one step. The hierarchy's root has no such file.
func (m machine) killFinding(groups []string) Finding {
	f := Finding{Name: "cgroup kill", OK: true, Detail: "not needed on version 1"}
	if text, dir := m.groupFile(groups, "cgroup.type"); text != "" {
		f.Detail = "whole groups are ended at once"
		if !m.exists(path.Join(dir, "cgroup.kill")) {
			f.OK, f.Detail, f.Remedy = false, "no cgroup.kill: leftovers are ended one by one", "use Linux 5.14 or newer"
		}
	}
	return f
}

// runDirFinding looks at the file system of the run folder, or of the nearest folder around it that is there.
func (m machine) runDirFinding(dir string) Finding {
	f := Finding{Name: "run folder", OK: true}
	var st unix.Statfs_t
	for {
		if err := unix.Statfs(dir, &st); err == nil || dir == path.Dir(dir) {
			break
		}
		dir = path.Dir(dir)
	}
	free := uint64(st.Bsize) * st.Bavail >> 20
	const least = 256 // MiB: some compiled programs
	f.Detail = fmt.Sprintf("%s: %d MiB free", dir, free)
	switch {
	case st.Flags&unix.ST_NOEXEC != 0:
		f.OK, f.Detail = false, dir+" is mounted noexec"
		f.Remedy = m.remedy(noexecRemedies(dir))
	case st.Flags&unix.ST_NODEV != 0 && !m.has(capability{"SYS_ADMIN", unix.CAP_SYS_ADMIN}):
		f.OK, f.Detail = false, dir+" is mounted nodev, so slots share the nodes of /dev"
		f.Remedy = m.remedy(noexecRemedies(dir))
	case free < least:
		f.OK, f.Advice, f.Remedy = false, true, "make room, or choose another folder with --run-dir"
	case st.Type != unix.TMPFS_MAGIC:
		// In a container the mount table shows programs the names of the engine's folders.
		f.OK, f.Advice = false, m.engine() == ""
		f.Detail += ", not in memory"
		f.Remedy = m.remedy(remedies{
			host: "choose a folder on a tmpfs with --run-dir", docker: "--tmpfs " + DefaultRunDir + ":exec,dev,mode=711",
			kubernetes: "an emptyDir with medium: Memory at " + DefaultRunDir,
		})
	}
	return f
}

func noexecRemedies(dir string) remedies {
	return remedies{
		host: "mount -o remount,exec,dev " + dir + ", or choose another folder with --run-dir", docker: "--tmpfs " + dir + ":exec,dev,mode=711",
		kubernetes: "an emptyDir at " + dir,
	}
}
