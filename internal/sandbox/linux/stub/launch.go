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
	StepExec // execve; with errno 0: the program ran
	StepTell // telling the driver of it
)

// String names the step as error messages do.
func (s Step) String() string {
	names := [...]string{
		"clone the stub", "mount the run's folders", "place files", "clone the program", "set up streams",
		"set limits", "prepare the cgroup", "drop privileges", "restrict with landlock", "execute", "tell the driver",
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
	argv0        *byte
	argv, envv   **byte
	stdio        [3]uintptr
	terminal     bool
	weighFiles   bool // no group counts them
	wantDir      bool
	tmpfsData    *byte
	entries      []entry
	rlimits      []rlimit
	capHeader    [2]uint32 // of capset(2)
	noCaps       [6]uint32
	token        uintptr                // see Setup.Token
	counters     *[counterFiles]uintptr // on version 1; else nil
	cloneArgs    *cloneArgs             // version 2: for clone3 into the group; else nil
	landlock     bool
	landlockAttr landlockRuleset
	boxRule      landlockPathBeneath
	devRule      landlockPathBeneath
	startedMsg   *unix.Msghdr
	startedFDs   *[3]int32 // where startedMsg's control data holds the descriptors

	started    Started
	done       Done
	told       bool // the stub has sent done
	pidfd      int32
	waitStatus uint32
	usage      unix.Rusage
	statfs     unix.Statfs_t
	number     [32]byte
	stubCPU    int64 // CPU time of the stub when it went on after the execve
	clock      unix.Timespec
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

// ProgramID is the program's uid and gid inside the slot's user namespace. It is mapped to a host id that nobody else
// has; 0, another, is the init's and the stub's.
const ProgramID = 1

// stubFlags are the flags of the clone that makes the stub.
const stubFlags = unix.CLONE_VM | unix.CLONE_VFORK | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC |
	floorFlags | uintptr(unix.SIGCHLD)

// vfork makes a process by clone (args: flags, stack, parent_tid) or clone3 (args, size). The kernel ignores a6.
//
//go:noescape
func vfork(trap, a1, a2, a3, a6 uintptr) (pid, errno uintptr)

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
	j.done.Errno = e
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
	pid, errno = vfork(unix.SYS_CLONE, stubFlags, 0, 0, j.token)
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
	j.done.Step = StepFiles
	for i := range j.entries {
		place(j, &j.entries[i])
	}
	j.done.Step = StepSpawn
	pid, errno := spawnProgram(j)
	if errno != 0 {
		fail(j, syscall.Errno(errno))
	}
	if j.done.Errno != 0 { // the program's process failed before or in its execve
		exit(1)
	}
	if j.counters != nil {
		j.stubCPU = cpuTime(j)
	}
	tellStarted(j)
	await(j, pid)
	if j.weighFiles {
		j.done.Files = filesUsed(j)
	}
	if j.counters != nil {
		used := cpuTime(j) - j.stubCPU
		j.done.CPU = read(j, j.counters[counterCPU]) - j.done.StartCPU - used
	}
	sys6(unix.SYS_SENDTO, ControlFD, uintptr(unsafe.Pointer(&j.done)), unsafe.Sizeof(j.done), unix.MSG_NOSIGNAL, 0)
	j.told = true
	exit(0) // the driver need not wait for the end of the mounts and namespaces
}

// The files in job.counters.
const (
	counterEnter = iota // to join the group of memory
	counterCPU
	counterMemory
	counterPeak
	counterFiles
)

// cpuTime is the CPU time of the calling process in nanoseconds. Asking for it brings the group's counter up to date with
// it, too (task_sched_runtime, kernel/sched/core.c).
//
//go:nosplit
//go:norace
//go:nocheckptr
func cpuTime(j *job) int64 {
	sys(unix.SYS_CLOCK_GETTIME, unix.CLOCK_PROCESS_CPUTIME_ID, uintptr(unsafe.Pointer(&j.clock)), 0)
	return j.clock.Nano()
}

// read gives the number in a file of the group.
//
//go:nosplit
//go:norace
//go:nocheckptr
func read(j *job, fd uintptr) int64 {
	size, e := sys6(unix.SYS_PREAD64, fd, uintptr(unsafe.Pointer(&j.number)), unsafe.Sizeof(j.number), 0, 0)
	if e != 0 {
		fail(j, e)
	}
	var n int64
	for i := range j.number {
		if uintptr(i) < size && j.number[i] >= '0' && j.number[i] <= '9' {
			n = n*10 + int64(j.number[i]-'0')
		}
	}
	return n
}

// filesUsed is how many bytes the run's tmpfs holds (statfs(2)).
//
//go:nosplit
//go:norace
//go:nocheckptr
func filesUsed(j *job) int64 {
	if _, e := sys(unix.SYS_STATFS, uintptr(unsafe.Pointer(&boxPath)), uintptr(unsafe.Pointer(&j.statfs)), 0); e != 0 {
		return 0
	}
	return int64(j.statfs.Blocks-j.statfs.Bfree) * j.statfs.Bsize
}

// await reaps until the program has ended, ends what it left, and reaps that. When pid 1 has no children there is no
// process left in its namespace.
//
//go:nosplit
//go:norace
//go:nocheckptr
func await(j *job, pid uintptr) {
	for {
		r, e := sys6(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&j.waitStatus)), unix.WALL,
			uintptr(unsafe.Pointer(&j.usage)), 0)
		if e == syscall.EINTR {
			continue
		}
		if e != 0 { // ECHILD
			return
		}
		j.done.Waited += j.usage.Utime.Nano() + j.usage.Stime.Nano()
		if r != pid {
			continue
		}
		j.done.Resident = j.usage.Maxrss << 10
		sys(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&j.clock)), 0)
		j.done.End = j.clock.Nano()
		j.done.Status = j.waitStatus
		j.done.Faults = j.usage.Minflt + j.usage.Majflt
		// Everything but pid 1 itself. No fork gets away: one that meets a signal does not complete (kernel/fork.c).
		sys(unix.SYS_KILL, ^uintptr(0), uintptr(unix.SIGKILL), 0)
	}
}

// mountBox gives the run its own tmpfs with the three writable folders, and its own /proc.
//
//go:nosplit
//go:norace
//go:nocheckptr
func mountBox(j *job) {
	j.done.Step = StepMount
	box, work := uintptr(unsafe.Pointer(&boxPath)), uintptr(unsafe.Pointer(&workPath))
	mount(j, uintptr(unsafe.Pointer(&tmpfsType)), box, uintptr(unsafe.Pointer(&tmpfsType)),
		unix.MS_NOSUID|unix.MS_NODEV, uintptr(unsafe.Pointer(j.tmpfsData)))
	mkdir(j, work, 0o755)
	if _, e := sys6(unix.SYS_FCHOWNAT, atCWD, work, ProgramID, ProgramID, 0); e != 0 {
		fail(j, e)
	}
	mkdir(j, uintptr(unsafe.Pointer(&tmpPath)), 0o1777)
	mkdir(j, uintptr(unsafe.Pointer(&shmPath)), 0o1777)
	mount(j, uintptr(unsafe.Pointer(&procType)), uintptr(unsafe.Pointer(&procPath)), uintptr(unsafe.Pointer(&procType)),
		unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, uintptr(unsafe.Pointer(&procData)))
	if _, e := sys(unix.SYS_CHDIR, work, 0, 0); e != 0 {
		fail(j, e)
	}
}

// mount is mount(2) with the token in the register that the call does not use, where the slot's filter looks for it.
//
//go:nosplit
//go:norace
func mount(j *job, source, target, kind, flags, data uintptr) {
	if _, _, e := syscall.RawSyscall6(unix.SYS_MOUNT, source, target, kind, flags, data, j.token); e != 0 {
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
		if _, e := sys6(unix.SYS_FCHOWNAT, atCWD, path, ProgramID, ProgramID, 0); e != 0 {
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
	if _, e := sys(unix.SYS_FCHOWN, fd, ProgramID, ProgramID); e != 0 {
		fail(j, e)
	}
	sys(unix.SYS_CLOSE, fd, 0, 0)
	if f.kind == entryArtifact {
		// The bind takes nosuid, nodev and read-only from the artifacts mount of the slot's root.
		mount(j, uintptr(unsafe.Pointer(f.from)), path, 0, unix.MS_BIND, 0)
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
		failTelling(j, e)
	}
	j.startedFDs[1] = int32(self)
	if j.wantDir {
		dir, e := sys6(unix.SYS_OPENAT, atCWD, uintptr(unsafe.Pointer(&workPath)),
			unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0, 0)
		if e != 0 {
			failTelling(j, e)
		}
		j.startedFDs[2] = int32(dir)
	}
	j.started.Start = j.done.Start
	if _, e := sys(unix.SYS_SENDMSG, ProcessFD, uintptr(unsafe.Pointer(j.startedMsg)), unix.MSG_NOSIGNAL); e != 0 {
		failTelling(j, e)
	}
}

//go:nosplit
//go:norace
func failTelling(j *job, e syscall.Errno) {
	j.done.Step = StepTell
	fail(j, e)
}

// spawnProgram makes the program's process and returns once it has executed the program or failed to.
//
//go:noinline
//go:nosplit
//go:norace
//go:nocheckptr
func spawnProgram(j *job) (pid uintptr, errno uintptr) {
	if j.cloneArgs != nil {
		pid, errno = vfork(unix.SYS_CLONE3, uintptr(unsafe.Pointer(j.cloneArgs)), unsafe.Sizeof(cloneArgs{}), 0, j.token)
	} else {
		pid, errno = vfork(unix.SYS_CLONE, unix.CLONE_VM|unix.CLONE_VFORK|unix.CLONE_PIDFD|uintptr(unix.SIGCHLD), 0,
			uintptr(unsafe.Pointer(&j.pidfd)), 0)
	}
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	programProcess(j)
	return 0, 0
}
