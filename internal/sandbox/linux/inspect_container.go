package linux

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is what findings are read from. Tests give their own.
type machine struct {
	files     fs.FS // the root folder
	getenv    func(string) string
	euid      int
	effective uint64 // capabilities, as bits
	// refuses reports whether a filter in front of the kernel refuses a call that the kernel itself would answer.
	refuses func(outsideCall) bool
}

func thisMachine() machine {
	m := machine{files: os.DirFS("/"), getenv: os.Getenv, euid: os.Geteuid(), refuses: refused}
	m.effective = effective(m.text("proc/self/status"))
	return m
}

// text is the content of a file without blanks around it, or "".
func (m machine) text(path string) string {
	b, err := fs.ReadFile(m.files, path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (m machine) number(path string) (int64, bool) {
	n, err := strconv.ParseInt(m.text(path), 10, 64)
	return n, err == nil
}

func (m machine) exists(path string) bool {
	_, err := fs.Stat(m.files, path)
	return err == nil
}

// Engines that containers are told apart by.
const (
	docker     = "docker"
	podman     = "podman"
	kubernetes = "kubernetes"
	otherKind  = "container"
)

// firstPIDs is the host's own pid namespace: its number is part of the kernel's interface (PROC_PID_INIT_INO,
// include/uapi/linux/nsfs.h and include/linux/proc_ns.h).
const firstPIDs = "pid:[4026531836]"

// engine names what the container is of that assay runs in; "" is none that can be seen. A mark alone is not enough: machines
// are installed from container images, with the mark in them.
func (m machine) engine() string {
	if pids, err := fs.ReadLink(m.files, "proc/self/ns/pid"); err == nil && pids == firstPIDs && !m.layeredRoot() {
		return ""
	}
	groups := m.text("proc/self/cgroup")
	switch {
	case m.getenv("KUBERNETES_SERVICE_HOST") != "" || strings.Contains(groups, "kubepods"):
		return kubernetes
	case m.exists("run/.containerenv") || strings.Contains(groups, "libpod"):
		return podman
	case m.exists(".dockerenv") || strings.Contains(groups, "/docker"):
		return docker
	case m.getenv("container") != "" || m.exists("run/systemd/container"):
		return otherKind
	}
	return ""
}

// layeredRoot reports whether / is an overlay, as in containers that share the host's processes.
func (m machine) layeredRoot() bool {
	for line := range strings.Lines(m.text("proc/self/mountinfo")) {
		before, after, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(before); len(fields) > 4 && fields[4] == "/" {
			return strings.HasPrefix(after, "overlay ")
		}
	}
	return false
}

// remedies are one way out for each kind of place; without an entry it is the host's.
type remedies struct{ host, docker, kubernetes string }

func (m machine) remedy(r remedies) string {
	engine := m.engine()
	switch {
	case engine == kubernetes && r.kubernetes != "":
		return "pod: " + r.kubernetes
	case engine == podman && r.docker != "":
		return "podman run " + strings.NewReplacer("systempaths=unconfined", "unmask=ALL",
			"writable-cgroups=true (Docker 28 or newer; docs/containers.md has a way for older ones)", "unmask=/sys/fs/cgroup").Replace(r.docker)
	case engine != "" && r.docker != "":
		return "docker run " + r.docker
	}
	return r.host
}

// containerFindings are about what containers take away.
func (m machine) containerFindings(groupVersion func() int) []Finding {
	return []Finding{
		m.containerFinding(),
		m.capabilityFinding(groupVersion),
		m.idFinding(),
		m.filterFinding(),
		m.procFinding(),
		m.nodeFinding(),
	}
}

func (m machine) containerFinding() Finding {
	f := Finding{Name: "container", OK: true, Detail: "none seen"}
	if engine := m.engine(); engine != "" {
		f.Detail = "inside one: " + engine
		if m.getenv("HOSTNAME") != "" {
			f.Detail += " " + m.getenv("HOSTNAME")
		}
	}
	return f
}

// neededCapabilities are those that the driver uses: a slot's ids are mapped with the first two, and on version 2 its group is
// handed to it with the third. The version is asked for only where it matters.
func (m machine) neededCapabilities(version func() int) []capability {
	needed := []capability{{"SETUID", unix.CAP_SETUID}, {"SETGID", unix.CAP_SETGID}}
	if chown := (capability{"CHOWN", unix.CAP_CHOWN}); m.has(chown) || version() == 2 {
		needed = append(needed, chown)
	}
	return needed
}

type capability struct {
	name string // without CAP_
	bit  uint
}

// effective reads the effective capabilities from /proc/self/status: 0 when they are not there.
func effective(status string) uint64 {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

func (m machine) has(c capability) bool { return m.effective>>c.bit&1 == 1 }

// withoutRoot is the detail of what only root has use for.
const withoutRoot = "not needed without root"

func (m machine) capabilityFinding(version func() int) Finding {
	f := Finding{Name: "capabilities", Required: m.euid == 0, OK: true, Detail: withoutRoot}
	if m.euid != 0 {
		return f
	}
	var have, missing, flags, adds []string
	for _, c := range m.neededCapabilities(version) {
		have = append(have, c.name)
		if !m.has(c) {
			missing = append(missing, "CAP_"+c.name)
			flags = append(flags, "--cap-add "+c.name)
			adds = append(adds, `"`+c.name+`"`)
		}
	}
	f.Detail = "has " + strings.Join(have, ", ")
	if len(missing) > 0 {
		f.OK = false
		f.Detail = "lacks " + strings.Join(missing, ", ")
		f.Remedy = m.remedy(remedies{
			host:       "start assay with " + strings.Join(missing, ", ") + " (systemd: CapabilityBoundingSet=)",
			docker:     strings.Join(flags, " "),
			kubernetes: "securityContext.capabilities.add: [" + strings.Join(adds, ", ") + "]",
		})
	}
	return f
}

// idFinding checks that the ids of slots exist here: a container in a user namespace has few.
func (m machine) idFinding() Finding {
	f := Finding{Name: "user ids", Required: m.euid == 0, OK: true, Detail: withoutRoot}
	if m.euid != 0 {
		return f
	}
	f.Detail = fmt.Sprintf("ids from %d on can be used", firstHostID)
	for _, file := range []string{"proc/self/uid_map", "proc/self/gid_map"} {
		if text := m.text(file); text != "" && !mapsIDs(text, firstHostID, maxInstances*slotsPerHost*idsPerSlot) {
			f.OK = false
			f.Detail = fmt.Sprintf("ids from %d on are not mapped into this user namespace", firstHostID)
			f.Remedy = m.remedy(remedies{
				host: "start assay outside the user namespace", docker: "--userns=host", kubernetes: "hostUsers: true",
			})
		}
	}
	return f
}

// mapsIDs reports whether one line of a uid_map covers n ids from first on (user_namespaces(7)).
func mapsIDs(text string, first, n int64) bool {
	for line := range strings.Lines(text) {
		var inside, outside, length int64
		if got, _ := fmt.Sscan(line, &inside, &outside, &length); got == 3 && inside <= first && first+n <= inside+length {
			return true
		}
	}
	return false
}

// outsideCall is a system call that the sandbox is made with, and that containers' filters refuse by default.
type outsideCall struct {
	name   string
	number uintptr
	args   [3]uintptr // such that the kernel refuses, changing nothing, and before it looks at capabilities
}

// outsideCalls are answered with EINVAL or EFAULT by the kernel itself. pivot_root looks at capabilities first, so it is
// asked for only by who has those (mayMount).
func outsideCalls(mayMount bool) []outsideCall {
	calls := []outsideCall{
		// A new user namespace cannot share its creator's root (clone(2)).
		{"clone", unix.SYS_CLONE, [3]uintptr{unix.CLONE_NEWUSER | unix.CLONE_FS | uintptr(unix.SIGCHLD)}},
		{"unshare", unix.SYS_UNSHARE, [3]uintptr{unix.CLONE_PTRACE}},
		{"mount", unix.SYS_MOUNT, [3]uintptr{}},
		{"umount2", unix.SYS_UMOUNT2, [3]uintptr{0, ^uintptr(0)}},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR, [3]uintptr{^uintptr(0), 0, 1 << 31}},
	}
	if mayMount {
		calls = append(calls, outsideCall{"pivot_root", unix.SYS_PIVOT_ROOT, [3]uintptr{}})
	}
	return calls
}

// refused makes the call: a filter answers EPERM, or pretends that the kernel does not have it.
func refused(c outsideCall) bool {
	r, _, e := unix.RawSyscall(c.number, c.args[0], c.args[1], c.args[2])
	if c.number == unix.SYS_CLONE && e == 0 && r == 0 { // something that is not Linux has made a process
		unix.Exit(0)
	}
	return e == unix.EPERM || e == unix.EACCES || e == unix.ENOSYS
}

func (m machine) filterFinding() Finding {
	f := Finding{Name: "seccomp profile", Required: true, OK: true, Detail: "lets the sandbox's system calls through"}
	var names []string
	for _, c := range outsideCalls(m.has(capability{"SYS_ADMIN", unix.CAP_SYS_ADMIN})) {
		if m.refuses(c) {
			names = append(names, c.name)
		}
	}
	if len(names) > 0 {
		f.OK = false
		f.Detail = "refuses " + strings.Join(names, ", ")
		f.Remedy = m.remedy(remedies{
			host:       "start assay without the filter (systemd: SystemCallFilter=, RestrictNamespaces=)",
			docker:     "--security-opt seccomp=deploy/docker/seccomp.json",
			kubernetes: "securityContext.seccompProfile: {type: Localhost, localhostProfile: assay.json} with deploy/docker/seccomp.json",
		})
	}
	return f
}

// procFinding looks for what hides parts of /proc: the kernel then refuses a fresh one in a user namespace (mount_too_revealing,
// fs/namespace.c). What is mounted on the kernel's own empty folders does not count.
func (m machine) procFinding() Finding {
	f := Finding{Name: "proc", Required: true, OK: true, Detail: "nothing hides a part of /proc"}
	harmless := []string{"/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd"}
	var hidden []string
	for line := range strings.Lines(m.text("proc/self/mountinfo")) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], "/proc/") && !slices.Contains(harmless, fields[4]) &&
			!slices.Contains(hidden, fields[4]) {
			hidden = append(hidden, fields[4])
		}
	}
	if len(hidden) > 0 {
		const some = 3
		f.OK = false
		f.Detail = "hidden: " + strings.Join(hidden[:min(some, len(hidden))], ", ")
		if len(hidden) > some {
			f.Detail += fmt.Sprintf(" and %d more", len(hidden)-some)
		}
		f.Remedy = m.remedy(remedies{
			host: "umount " + hidden[0], docker: "--security-opt systempaths=unconfined", kubernetes: "securityContext.procMount: Unmasked",
		})
	}
	return f
}

// nodeFinding is about device nodes of each slot's own (nodes, newDev).
func (m machine) nodeFinding() Finding {
	f := Finding{Name: "device nodes", OK: true, Detail: "each slot has nodes of its own"}
	if m.euid != 0 {
		f.OK, f.Detail, f.Remedy = false, "without root, slots share the nodes of /dev", "start assay as root"
	} else if !m.has(capability{"MKNOD", unix.CAP_MKNOD}) {
		f.OK, f.Detail = false, "without CAP_MKNOD, slots share the nodes of /dev"
		f.Remedy = m.remedy(remedies{
			host: "start assay with CAP_MKNOD", docker: "--cap-add MKNOD", kubernetes: `securityContext.capabilities.add: ["MKNOD"]`,
		})
	}
	return f
}
