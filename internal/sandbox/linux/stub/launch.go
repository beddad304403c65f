package stub

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Everything in this file runs between a clone(CLONE_VM|CLONE_VFORK) and an execve or exit_group, in the memory of the
// init and on its stack, while the init's thread is stopped. The Go runtime does not know these processes exist. So:
// //go:nosplit on every function (the linker checks that the whole chain fits the stack that is left), no allocation, no
// channel, no lock, no panic, no pointer stores, and only raw system calls. Each signal is blocked from before the first
// clone until the program's last steps. The functions read and write one job, which the init prepared.

// Step says how far a run came; in a Done it tells where the run ended.
type Step uint32

// The steps of a run, in order.
const (
	StepClone Step = iota // making the stub
	StepMount             // the stub's own mounts
	StepFiles             // placing files
	StepSpawn             // making the program's process
	StepStdio             // the program's process: its streams and terminal
	StepRlimit
	StepCgroup
	StepCredentials
	StepLandlock
	StepSeccomp
	StepExec // execve; with errno 0: the program ran
)

// String names the step as error messages do.
func (s Step) String() string {
	names := [...]string{
		"clone the stub", "mount the run's folders", "place files", "clone the program", "set up streams",
		"set limits", "join the cgroup", "drop privileges", "restrict with landlock", "load the seccomp filter", "execute",
	}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown step"
}

// rlimit is struct rlimit64 and which limit it is (getrlimit(2)).
type rlimit struct {
	which    uintptr
	cur, max uint64
}

// entry is one file or folder to make below the working folder.
type entry struct {
	kind entryKind
	mode uint32
	path *byte   // absolute
	data *byte   // content
	size uintptr // of data
	from *byte   // for entryArtifact: the kept file
}

type entryKind uint8

const (
	entryDir entryKind = iota
	entryFile
	entryArtifact
)

// job is the data of one run. The first part is prepared by the init, the second filled in on the way.
type job struct {
	argv0      *byte
	argv, envv **byte
	stdio      [3]uintptr
	terminal   bool
	wantDir    bool
	tmpfsData  *byte
	entries    []entry
	rlimits    [4]rlimit
	control    uintptr // the socket to the driver

	stubFlags    uintptr    // of the clone that makes the stub
	joins        []uintptr  // version 1: group files to write "0" to
	cloneArgs    *cloneArgs // version 2: for clone3 into the group; else nil
	landlock     bool
	landlockAttr landlockRuleset
	boxRule      landlockPathBeneath
	devRule      landlockPathBeneath
	filter       *unix.SockFprog
	filterFlags  uintptr
	startedMsg   *unix.Msghdr
	startedFDs   *[3]int32 // where startedMsg's control data holds the descriptors

	step       Step
	errno      syscall.Errno
	pidfd      int32
	waitStatus uint32
	status     uint32
	exited     bool
	joined     unix.Timespec // CPU time of the program's process when it joined the group
	executed   unix.Timespec // the same, last thing before execve
	start, end unix.Timespec // CLOCK_MONOTONIC
	noSignals  uint64
}

// cloneArgs is struct clone_args up to the cgroup member (clone(2); Linux 5.7).
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal uint64
	stack, stackSize, tls, setTID, setTIDSize     uint64
	cgroup                                        uint64
}

// landlockRuleset is struct landlock_ruleset_attr up to what ABI 1 knows (landlock(7)).
type landlockRuleset struct{ handledFS uint64 }

// landlockPathBeneath is struct landlock_path_beneath_attr, which the kernel packs to 12 bytes.
type landlockPathBeneath struct {
	allowed uint64
	fd      int32
}

// Constant paths and texts, as C strings.
var (
	boxPath   = [...]byte{'/', 'b', 'o', 'x', 0}
	workPath  = [...]byte{'/', 'b', 'o', 'x', '/', 'w', 'o', 'r', 'k', 0}
	tmpPath   = [...]byte{'/', 'b', 'o', 'x', '/', 't', 'm', 'p', 0}
	shmPath   = [...]byte{'/', 'b', 'o', 'x', '/', 's', 'h', 'm', 0}
	procPath  = [...]byte{'/', 'p', 'r', 'o', 'c', 0}
	procType  = [...]byte{'p', 'r', 'o', 'c', 0}
	tmpfsType = [...]byte{'t', 'm', 'p', 'f', 's', 0}
	zeroText  = [...]byte{'0'}
	// procData hides the processes of others, the stub's among them, and everything that is not about a process
	// (proc(5): hidepid, subset; per mount since Linux 5.8).
	procData = [...]byte{
		'h', 'i', 'd', 'e', 'p', 'i', 'd', '=', 'i', 'n', 'v', 'i', 's', 'i', 'b', 'l', 'e', ',',
		's', 'u', 'b', 's', 'e', 't', '=', 'p', 'i', 'd', 0,
	}
)

// Ids inside the slot's user namespace. Both are mapped to host ids that nobody else has.
const (
	initID    = 0
	programID = 1
)

// vfork makes a process by clone (args: flags, stack, parent_tid) or clone3 (args, size).
//
//go:noescape
func vfork(trap, a1, a2, a3 uintptr) (pid, errno uintptr)

//go:nosplit
//go:norace
func sys(trap, a1, a2, a3 uintptr) (uintptr, syscall.Errno) {
	r, _, e := syscall.RawSyscall(trap, a1, a2, a3)
	return r, e
}

//go:nosplit
//go:norace
func sys6(trap, a1, a2, a3, a4, a5 uintptr) (uintptr, syscall.Errno) {
	r, _, e := syscall.RawSyscall6(trap, a1, a2, a3, a4, a5, 0)
	return r, e
}

//go:nosplit
//go:norace
func exit(code uintptr) {
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, code, 0, 0)
	}
}

// fail records where and why a run cannot go on, and ends the calling process.
//
//go:nosplit
//go:norace
func fail(j *job, e syscall.Errno) {
	j.errno = e
	exit(127)
}

// spawnStub makes the stub and returns once it is gone: the calling thread is stopped in between. The child must not
// touch this frame, so it goes on in a function of its own and never comes back.
//
//go:noinline
//go:nosplit
//go:norace
//go:nocheckptr
func spawnStub(j *job) (pid uintptr, errno uintptr) {
	pid, errno = vfork(unix.SYS_CLONE, j.stubFlags, 0, 0)
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	stubProcess(j)
	return 0, 0
}

// stubProcess is P: pid 1 of the run. See doc.go.
//
//go:noinline
//go:nosplit
//go:norace
//go:nocheckptr
func stubProcess(j *job) {
	mountBox(j)
	j.step = StepFiles
	for i := range j.entries {
		place(j, &j.entries[i])
	}
	j.step = StepSpawn
	pid, errno := spawnProgram(j)
	if errno != 0 {
		fail(j, syscall.Errno(errno))
	}
	if j.errno != 0 { // the program's process failed before or in its execve
		sys6(unix.SYS_WAIT4, pid, 0, unix.WALL, 0, 0)
		exit(1)
	}
	tellStarted(j)
	for {
		r, e := sys6(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&j.waitStatus)), unix.WALL, 0, 0)
		if e == syscall.EINTR {
			continue
		}
		if e != 0 || r == pid {
			break
		}
	}
	sys(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&j.end)), 0)
	j.status = j.waitStatus
	j.exited = true
	exit(0) // and with pid 1 goes everything else that the program left (pid_namespaces(7))
}

// mountBox gives the run its own tmpfs with the three writable folders, and its own /proc.
//
//go:nosplit
//go:norace
//go:nocheckptr
func mountBox(j *job) {
	j.step = StepMount
	box, work := uintptr(unsafe.Pointer(&boxPath)), uintptr(unsafe.Pointer(&workPath))
	if _, e := sys6(unix.SYS_MOUNT, uintptr(unsafe.Pointer(&tmpfsType)), box, uintptr(unsafe.Pointer(&tmpfsType)),
		unix.MS_NOSUID|unix.MS_NODEV, uintptr(unsafe.Pointer(j.tmpfsData))); e != 0 {
		fail(j, e)
	}
	mkdir(j, work, 0o755)
	if _, e := sys6(unix.SYS_FCHOWNAT, atCWD, work, programID, programID, 0); e != 0 {
		fail(j, e)
	}
	mkdir(j, uintptr(unsafe.Pointer(&tmpPath)), 0o1777)
	mkdir(j, uintptr(unsafe.Pointer(&shmPath)), 0o1777)
	if _, e := sys6(unix.SYS_MOUNT, uintptr(unsafe.Pointer(&procType)), uintptr(unsafe.Pointer(&procPath)),
		uintptr(unsafe.Pointer(&procType)), unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC,
		uintptr(unsafe.Pointer(&procData))); e != 0 {
		fail(j, e)
	}
	if _, e := sys(unix.SYS_CHDIR, work, 0, 0); e != 0 {
		fail(j, e)
	}
}

// atCWD is AT_FDCWD as a system call argument.
const atCWD = ^uintptr(100 - 1)

//go:nosplit
//go:norace
func mkdir(j *job, path uintptr, mode uintptr) {
	if _, e := sys(unix.SYS_MKDIRAT, atCWD, path, mode); e != 0 {
		fail(j, e)
	}
}

// place makes one entry below the working folder. Nothing untrusted has run yet, so paths are safe to use.
//
//go:nosplit
//go:norace
//go:nocheckptr
func place(j *job, f *entry) {
	path := uintptr(unsafe.Pointer(f.path))
	if f.kind == entryDir {
		mkdir(j, path, uintptr(f.mode))
		if _, e := sys6(unix.SYS_FCHOWNAT, atCWD, path, programID, programID, 0); e != 0 {
			fail(j, e)
		}
		return
	}
	fd, e := sys6(unix.SYS_OPENAT, atCWD, path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC,
		uintptr(f.mode), 0)
	if e != 0 {
		fail(j, e)
	}
	data, left := uintptr(unsafe.Pointer(f.data)), f.size
	for left > 0 {
		n, e := sys(unix.SYS_WRITE, fd, data, left)
		if e != 0 {
			fail(j, e)
		}
		data, left = data+n, left-n
	}
	if _, e := sys(unix.SYS_FCHOWN, fd, programID, programID); e != 0 {
		fail(j, e)
	}
	sys(unix.SYS_CLOSE, fd, 0, 0)
	if f.kind == entryArtifact {
		// The bind takes nosuid, nodev and read-only from the artifacts mount of the slot's root.
		if _, e := sys6(unix.SYS_MOUNT, uintptr(unsafe.Pointer(f.from)), path, 0, unix.MS_BIND, 0); e != 0 {
			fail(j, e)
		}
	}
}

// tellStarted sends the driver what it needs to signal, end and read the run.
//
//go:nosplit
//go:norace
//go:nocheckptr
func tellStarted(j *job) {
	j.startedFDs[0] = j.pidfd
	self, e := sys(unix.SYS_PIDFD_OPEN, 1, 0, 0) // of itself: it is pid 1 here
	if e != 0 {
		fail(j, e)
	}
	j.startedFDs[1] = int32(self)
	if j.wantDir {
		dir, e := sys6(unix.SYS_OPENAT, atCWD, uintptr(unsafe.Pointer(&workPath)),
			unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0, 0)
		if e != 0 {
			fail(j, e)
		}
		j.startedFDs[2] = int32(dir)
	}
	if _, e := sys(unix.SYS_SENDMSG, j.control, uintptr(unsafe.Pointer(j.startedMsg)), unix.MSG_NOSIGNAL); e != 0 {
		fail(j, e)
	}
}

// spawnProgram makes the program's process and returns once it has executed the program or failed to.
//
//go:noinline
//go:nosplit
//go:norace
//go:nocheckptr
func spawnProgram(j *job) (pid uintptr, errno uintptr) {
	if j.cloneArgs != nil {
		pid, errno = vfork(unix.SYS_CLONE3, uintptr(unsafe.Pointer(j.cloneArgs)), unsafe.Sizeof(cloneArgs{}), 0)
	} else {
		pid, errno = vfork(unix.SYS_CLONE, unix.CLONE_VM|unix.CLONE_VFORK|unix.CLONE_PIDFD|uintptr(unix.SIGCHLD), 0,
			uintptr(unsafe.Pointer(&j.pidfd)))
	}
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	programProcess(j)
	return 0, 0
}

// programProcess is X until its execve: it gives up, step by step, all that a program must not have.
//
//go:noinline
//go:nosplit
//go:norace
//go:nocheckptr
func programProcess(j *job) {
	j.step = StepStdio
	sys(unix.SYS_SETSID, 0, 0, 0) // no terminal of anybody else's (TIOCSTI, ioctl_tty(2))
	for i := range j.stdio {
		if _, e := sys(unix.SYS_DUP3, j.stdio[i], uintptr(i), 0); e != 0 {
			fail(j, e)
		}
	}
	if j.terminal {
		if _, e := sys(unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0); e != 0 {
			fail(j, e)
		}
	}
	sys(unix.SYS_UMASK, 0o022, 0, 0)
	j.step = StepRlimit
	for i := range j.rlimits {
		l := &j.rlimits[i]
		if _, e := sys6(unix.SYS_PRLIMIT64, 0, l.which, uintptr(unsafe.Pointer(&l.cur)), 0, 0); e != 0 {
			fail(j, e)
		}
	}
	if j.landlock {
		restrictWrites(j)
	}
	j.step = StepCgroup
	sys(unix.SYS_CLOCK_GETTIME, unix.CLOCK_PROCESS_CPUTIME_ID, uintptr(unsafe.Pointer(&j.joined)), 0)
	for i := range j.joins {
		if _, e := sys(unix.SYS_WRITE, j.joins[i], uintptr(unsafe.Pointer(&zeroText)), 1); e != 0 {
			fail(j, e)
		}
	}
	j.step = StepCredentials
	if _, e := sys(unix.SYS_SETRESGID, programID, programID, programID); e != 0 {
		fail(j, e)
	}
	// All capability sets but the bounding set, which is empty already, are cleared by this (capabilities(7)).
	if _, e := sys(unix.SYS_SETRESUID, programID, programID, programID); e != 0 {
		fail(j, e)
	}
	if _, e := sys(unix.SYS_CLOSE_RANGE, 3, ^uintptr(0)>>32, 0); e != 0 {
		fail(j, e)
	}
	sys6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&j.noSignals)), 0, 8, 0)
	j.step = StepSeccomp
	if _, e := sys(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, j.filterFlags, uintptr(unsafe.Pointer(j.filter))); e != 0 {
		fail(j, e)
	}
	j.step = StepExec
	sys(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&j.start)), 0)
	sys(unix.SYS_CLOCK_GETTIME, unix.CLOCK_PROCESS_CPUTIME_ID, uintptr(unsafe.Pointer(&j.executed)), 0)
	_, e := sys(unix.SYS_EXECVE, uintptr(unsafe.Pointer(j.argv0)), uintptr(unsafe.Pointer(j.argv)),
		uintptr(unsafe.Pointer(j.envv)))
	fail(j, e)
}

// restrictWrites leaves the program write access to its own folders and to /dev only. Mounts say the same already; what
// this adds is /proc/self: no write to mem, which ignores page protection, or to any other of its files (landlock(7)).
//
//go:nosplit
//go:norace
//go:nocheckptr
func restrictWrites(j *job) {
	j.step = StepLandlock
	set, e := sys(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&j.landlockAttr)), unsafe.Sizeof(j.landlockAttr), 0)
	if e != 0 {
		fail(j, e)
	}
	box, e := sys6(unix.SYS_OPENAT, atCWD, uintptr(unsafe.Pointer(&boxPath)), unix.O_PATH|unix.O_CLOEXEC, 0, 0)
	if e != 0 {
		fail(j, e)
	}
	j.boxRule.fd = int32(box)
	for i := 0; i < 2; i++ {
		rule := &j.boxRule
		if i == 1 {
			rule = &j.devRule
		}
		if _, e := sys6(unix.SYS_LANDLOCK_ADD_RULE, set, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(rule)), 0, 0); e != 0 {
			fail(j, e)
		}
	}
	if _, e := sys(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); e != 0 {
		fail(j, e)
	}
}
