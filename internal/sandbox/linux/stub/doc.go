// Package stub is the part of the native driver that runs inside a slot.
//
// A slot is one process, the init: this binary, started again by the driver in new user, pid, mount, network, uts, ipc
// and cgroup namespaces. It builds the root that programs see, once, and then serves one run after another. For each
// run it makes two more processes:
//
//	driver ── socket ──▶ init (S)          once for a slot; root of the slot's user namespace
//	                      └─ stub (P)      once for a run; pid 1 of fresh pid, mount and ipc namespaces
//	                          └─ program (X) uid 1, no capabilities, seccomp and landlock, then execve
//
// P mounts the run's own tmpfs and /proc, places the files, starts X, tells the driver so, waits, and exits; the kernel then
// kills whatever is left in the pid namespace (pid_namespaces(7)) and drops the mounts. X is never pid 1, so that its own
// abort and raise work, and it shares no identity with P.
//
// Both are made by clone(CLONE_VM|CLONE_VFORK): no page table is copied, which is what makes a run cost little more than
// the namespaces themselves. Until its execve such a child runs in S's memory, with S's thread stopped, so it must not
// enter the Go runtime: everything on that way is //go:nosplit, uses raw syscalls only, and takes its data from a job that
// was prepared before. launch.go holds that code and nothing else does.
package stub
