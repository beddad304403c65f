package linux

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	Detail   string // what was found
	Remedy   string // what to do, when not OK
}

// Inspect looks at what this host offers. It changes nothing and takes about a millisecond.
func Inspect() []Finding {
	return []Finding{
		kernelFinding(),
		rootFinding(),
		namespaceFinding(),
		cgroupFinding(),
		rateFinding(),
		seccompFinding(),
		landlockFinding(),
		overlayFinding(),
		coreFinding(),
		overcommitFinding(),
	}
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
	f := Finding{Name: "root", Required: true, Detail: fmt.Sprintf("uid %d", os.Geteuid()), Remedy: "start assay as root"}
	f.OK = os.Geteuid() == 0
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

func cgroupFinding() Finding {
	f := Finding{Name: "cgroup", Required: true}
	parent, err := cgroup.Find("assay-doctor")
	if err != nil {
		f.Detail, f.Remedy = err.Error(), "boot with the memory, pids and cpuacct controllers, or give assay a delegated group"
		return f
	}
	f.OK, f.Detail = true, fmt.Sprintf("version %d", parent.Version())
	// Making groups must be possible where they go.
	for _, p := range parent.Paths() {
		if err := unix.Access(filepath.Dir(p), unix.W_OK); err != nil {
			f.OK = false
			f.Detail += ", not writable"
			f.Remedy = "mount the cgroup file system writable (docker: --cgroupns=private and writable cgroups; systemd: Delegate=yes)"
			break
		}
	}
	return f
}

func rateFinding() Finding {
	f := Finding{Name: "cpu rate", Detail: "limits.cpu_percent works", Remedy: "boot with the cpu cgroup controller"}
	if parent, err := cgroup.Find("assay-doctor"); err == nil && parent.HasCPURate() {
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
