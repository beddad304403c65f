package linux

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"assay/internal/fault"
	"assay/internal/sandbox/linux/cgroup"
)

// Finding is what Inspect learned of one mechanism.
type Finding struct {
	Name     string
	OK       bool
	Required bool   // without it the driver starts only with Options.AllowDegraded, if at all
	Advice   bool   // not about safety: steadiness of readings, or comfort
	Detail   string // what was found
	Meaning  string // what the mechanism is for, and what is lost without it
	Remedy   string // what to do, when not OK: one command, or a flag of the container
}

// Inspect looks at what this host offers. It changes nothing and takes about a millisecond.
func Inspect() []Finding {
	here, groups := thisMachine(), lookForGroups()
	findings := []Finding{
		kernelFinding(),
		rootFinding(),
		namespaceFinding(),
		here.cgroupFinding(groups),
		here.rateFinding(groups),
		seccompFinding(),
		landlockFinding(),
		overlayFinding(),
		coreFinding(),
		overcommitFinding(),
	}
	if here.euid != 0 {
		findings = append(findings, here.unprivilegedFinding())
	}
	return explain(append(findings, here.containerFindings(groups.version)...))
}

// refuseDegraded fails when a required mechanism is missing and nobody allowed to go on without.
func refuseDegraded(o Options) error {
	var missing []string
	var remedies []string
	for _, f := range Inspect() {
		if f.Required && !f.OK {
			missing = append(missing, f.Name+" ("+f.Detail+")")
			remedies = append(remedies, f.Remedy)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if o.AllowDegraded {
		o.Logger.Warn("running without isolation mechanisms", "missing", missing)
		return nil
	}
	return &fault.Error{
		Code: fault.Degraded, Message: "this host lacks " + strings.Join(missing, ", "),
		Hint: strings.Join(remedies, "; ") + "; or start with --allow-degraded",
	}
}

// oldestKernel has everything that the driver uses on both control group versions: memory.peak (5.19), Landlock with
// renames (5.19), mount_setattr (5.12), close_range (5.9), hidepid and subset for each proc mount (5.8), openat2 (5.6).
const (
	oldestMajor = 5
	oldestMinor = 19
)

func kernelFinding() Finding {
	f := Finding{Name: "kernel", Required: true, Remedy: fmt.Sprintf("use Linux %d.%d or newer", oldestMajor, oldestMinor)}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		f.Detail = err.Error()
		return f
	}
	f.Detail = "Linux " + unix.ByteSliceToString(u.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(f.Detail, "Linux %d.%d", &major, &minor); err != nil {
		return f
	}
	f.OK = major > oldestMajor || major == oldestMajor && minor >= oldestMinor
	return f
}

func rootFinding() Finding {
	f := Finding{Name: "root", OK: os.Geteuid() == 0, Detail: "each slot has ids of its own", Remedy: "start assay as root"}
	if !f.OK {
		f.Detail = fmt.Sprintf("every slot is uid %d on the host, as assay itself", os.Geteuid())
	}
	return f
}

func namespaceFinding() Finding {
	f := Finding{Name: "namespaces", Required: true, OK: true, Detail: "user, pid, mount, net, ipc, uts, cgroup"}
	for _, n := range []string{"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"} {
		if _, err := os.Stat("/proc/self/ns/" + n); err != nil {
			f.OK, f.Detail, f.Remedy = false, "no "+n+" namespaces", "use a kernel with CONFIG_NAMESPACES and CONFIG_USER_NS"
			return f
		}
	}
	if n, ok := readNumber("/proc/sys/user/max_user_namespaces"); ok && n == 0 {
		f.OK, f.Detail, f.Remedy = false, "user namespaces are switched off", "sysctl -w user.max_user_namespaces=10000"
	}
	return f
}

func (m machine) cgroupFinding(groups hostGroups) Finding {
	f := Finding{Name: "cgroup", Required: true}
	switch err := groups.find; {
	case errors.Is(err, cgroup.ErrNotAlone):
		f.Detail, f.Remedy = err.Error(), m.remedy(remedies{
			host:       m.rootOr("start assay alone in a group (systemd-run --scope -p Delegate=yes)", userGroupRemedy),
			docker:     "without --init, with assay as the container's first process (others may be started later, by docker exec)",
			kubernetes: "command: [assay, serve], with no shell around it",
		})
		return f
	case err != nil:
		f.Detail, f.Remedy = err.Error(), m.remedy(remedies{
			host:   m.rootOr("boot with the memory, pids and cpuacct controllers, or give assay a delegated group", userGroupRemedy),
			docker: "--cgroupns=private, with an engine that has the memory, pids and cpuacct controllers",
		})
		return f
	}
	f.OK, f.Detail = true, fmt.Sprintf("version %d", groups.version())
	// Making groups must be possible where they go.
	if err := groups.writable; err != nil {
		f.OK, f.Detail = false, err.Error()
		f.Remedy = m.remedy(writableRemedies(groups.version(), m.euid))
	}
	return f
}

// rootOr is the one text for root and the other for anybody else.
func (m machine) rootOr(root, other string) string {
	if m.euid == 0 {
		return root
	}
	return other
}

// userGroupRemedy has systemd hand the caller a group in which assay is alone (systemd.resource-control(5), Delegate=).
const userGroupRemedy = "systemd-run --user --scope -p Delegate=yes assay …"

// writableRemedies are the ways to groups that can be written to.
func writableRemedies(version, euid int) remedies {
	r := remedies{
		host:       "mount the cgroup file system writable (systemd: Delegate=yes)",
		docker:     "--security-opt writable-cgroups=true (Docker 28 or newer; docs/containers.md has a way for older ones)",
		kubernetes: "writable cgroups of the runtime (containerd: cgroup_writable = true), or securityContext.privileged: true",
	}
	if euid != 0 {
		r.host = userGroupRemedy
		if version == 1 {
			r.host = "start assay as root: version 1 cannot be handed to anybody else"
		}
	}
	if version == 1 {
		r.docker = "--cgroup-parent /GROUP -v /sys/fs/cgroup/C/GROUP:/sys/fs/cgroup/C for C in memory, pids, cpu, cpuacct (docs/containers.md)"
	}
	return r
}

func (m machine) rateFinding(groups hostGroups) Finding {
	f := Finding{
		Name: "cpu rate", Detail: "limits.cpu_percent works",
		Remedy: m.rootOr("boot with the cpu cgroup controller", "as for cgroup, with the cpu controller"),
	}
	if groups.find == nil && groups.writable == nil && groups.parent.HasCPURate() {
		f.OK = true
		return f
	}
	f.Detail = "no cpu controller: runs with limits.cpu_percent are refused"
	return f
}

func seccompFinding() Finding {
	f := Finding{Name: "seccomp", Required: true, Remedy: "use a kernel with CONFIG_SECCOMP_FILTER"}
	// The actions are listed exactly where filters are supported (seccomp(2), /proc interfaces).
	if b, err := os.ReadFile("/proc/sys/kernel/seccomp/actions_avail"); err == nil {
		f.OK, f.Detail = strings.Contains(string(b), "kill_process"), "filters, "+strings.TrimSpace(string(b))
		return f
	}
	f.Detail = "no filters"
	return f
}

func landlockFinding() Finding {
	abi := landlockABI()
	f := Finding{Name: "landlock", OK: abi >= minLandlock, Detail: fmt.Sprintf("ABI %d", abi)}
	if !f.OK {
		f.Detail += ": the second layer under the read-only mounts is missing"
		f.Remedy = "boot with lsm=landlock,… on Linux 5.19 or newer"
	}
	return f
}

func overlayFinding() Finding {
	f := Finding{Name: "overlayfs", Detail: "each slot has a view of the toolchains of its own"}
	b, err := os.ReadFile("/proc/filesystems")
	if f.OK = err == nil && strings.Contains(string(b), "\toverlay\n"); !f.OK {
		f.Detail = "not loaded: programs in two slots can tell each other things by locks on toolchain files"
		f.Remedy = "modprobe overlay"
	}
	return f
}

func coreFinding() Finding {
	f := Finding{Name: "core dumps", OK: true, Detail: "none from programs"}
	b, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err == nil && strings.HasPrefix(string(b), "|") {
		f.Detail = "core_pattern starts a program of the host; RLIMIT_CORE=1 keeps it from running"
		f.Remedy = "sysctl -w kernel.core_pattern=core"
		f.OK = false
	}
	return f
}

func overcommitFinding() Finding {
	f := Finding{Name: "overcommit", OK: true, Detail: "vm.overcommit_memory is not 2"}
	if n, ok := readNumber("/proc/sys/vm/overcommit_memory"); ok && n == 2 {
		f.OK, f.Detail = false, "vm.overcommit_memory is 2: runtimes that reserve much address space fail at random"
		f.Remedy = "sysctl -w vm.overcommit_memory=0"
	}
	return f
}

func readNumber(path string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil && !errors.Is(err, strconv.ErrRange)
}
