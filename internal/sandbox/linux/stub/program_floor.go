//go:build floor

package stub

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// floorFlags: the uts namespace is the slot's in assay, and new for each run in the floor.
const floorFlags = unix.CLONE_NEWUTS

// programProcess of the tag "floor" is what bench/floor measures: the namespaces, mounts and processes of a run and nothing that
// protects anybody. A binary with it must never run a program that is not trusted.
//
//go:noinline
//go:nosplit
//go:norace
//go:nocheckptr
func programProcess(j *job) {
	for i := range j.stdio {
		if _, e := sys(unix.SYS_DUP3, j.stdio[i], uintptr(i), 0); e != 0 {
			fail(j, e)
		}
	}
	j.done.Step = StepExec
	sys(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&j.clock)), 0)
	j.done.Start = j.clock.Nano()
	_, e := sys(unix.SYS_EXECVE, uintptr(unsafe.Pointer(j.argv0)), uintptr(unsafe.Pointer(j.argv)),
		uintptr(unsafe.Pointer(j.envv)))
	fail(j, e)
}
