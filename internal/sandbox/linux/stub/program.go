//go:build !floor

package stub

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// floorFlags is for the tag "floor".
const floorFlags = 0

// programProcess is X until its execve: it gives up, step by step, all that a program must not have.
//
//go:noinline
//go:nosplit
//go:norace
//go:nocheckptr
func programProcess(j *job) {
	j.done.Step = StepStdio
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
	j.done.Step = StepRlimit
	for i := range j.rlimits {
		l := &j.rlimits[i]
		if _, e := sys6(unix.SYS_PRLIMIT64, 0, l.which, uintptr(unsafe.Pointer(&l.cur)), 0, 0); e != 0 {
			fail(j, e)
		}
	}
	j.done.Step = StepCgroup
	if j.counters != nil {
		if _, e := sys(unix.SYS_WRITE, j.counters[counterEnter], uintptr(unsafe.Pointer(&zeroText)), 1); e != 0 {
			fail(j, e)
		}
		// From here on the peak is the program's. What is in the group already, earlier runs left in the page cache.
		if _, e := sys6(unix.SYS_PWRITE64, j.counters[counterPeak], uintptr(unsafe.Pointer(&zeroText)), 1, 0, 0); e != 0 {
			fail(j, e)
		}
		j.done.StartMemory = read(j, j.counters[counterMemory])
	}
	if j.landlock {
		restrictWrites(j)
	}
	j.done.Step = StepCredentials
	if _, e := sys(unix.SYS_SETRESGID, ProgramID, ProgramID, ProgramID); e != 0 {
		fail(j, e)
	}
	if _, e := sys(unix.SYS_SETRESUID, ProgramID, ProgramID, ProgramID); e != 0 {
		fail(j, e)
	}
	// A change of the uid from 0 has cleared every set but the bounding one, which is empty already; where the init has the
	// program's own id, this does it (capabilities(7)).
	if _, e := sys(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&j.capHeader)), uintptr(unsafe.Pointer(&j.noCaps)), 0); e != 0 {
		fail(j, e)
	}
	sys6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&j.noSignals)), 0, 8, 0)
	j.done.Step = StepExec
	sys(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&j.clock)), 0)
	j.done.Start = j.clock.Nano()
	j.done.StartCPU = cpuTime(j)
	if j.counters != nil {
		j.done.StartCPU = read(j, j.counters[counterCPU])
	}
	// The last things that the program must not have: descriptors of anything but its streams.
	if _, e := sys(unix.SYS_CLOSE_RANGE, 3, ^uintptr(0)>>32, 0); e != 0 {
		fail(j, e)
	}
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
	j.done.Step = StepLandlock
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
