package seccomp

import "testing"

// TestNumbers checks the filter with numbers from the kernel's table for this architecture (include/uapi/asm-generic/unistd.h),
// not from the package that the policy takes them from.
func TestNumbers(t *testing.T) {
	t.Parallel()
	const arch = 0xC00000B7 // EM_AARCH64, 64 bits, little-endian
	program := compiled(t)
	refusedAlways := map[string]uint32{
		"acct": 89, "add_key": 217, "adjtimex": 171, "bpf": 280, "cachestat": 451, "chroot": 51, "clock_adjtime": 266,
		"clock_settime": 112, "delete_module": 106, "fanotify_init": 262, "fanotify_mark": 263, "finit_module": 273,
		"fsconfig": 431, "fsmount": 432, "fsopen": 430, "fspick": 433, "init_module": 105, "inotify_add_watch": 27,
		"inotify_init1": 26, "inotify_rm_watch": 28, "io_uring_enter": 426, "io_uring_register": 427,
		"io_uring_setup": 425, "kcmp": 272, "kexec_file_load": 294, "kexec_load": 104, "keyctl": 219, "listmount": 458,
		"lookup_dcookie": 18, "mbind": 235, "memfd_secret": 447, "migrate_pages": 238, "mount_setattr": 442,
		"move_mount": 429, "move_pages": 239, "name_to_handle_at": 264, "nfsservctl": 42, "open_by_handle_at": 265,
		"open_tree": 428, "perf_event_open": 241, "pidfd_getfd": 438, "pivot_root": 41, "process_madvise": 440,
		"process_mrelease": 448, "process_vm_readv": 270, "process_vm_writev": 271, "ptrace": 117, "quotactl": 60,
		"quotactl_fd": 443, "reboot": 142, "request_key": 218, "set_mempolicy": 237, "set_mempolicy_home_node": 450,
		"setdomainname": 162, "sethostname": 161, "setns": 268, "settimeofday": 170, "statmount": 457, "swapoff": 225,
		"swapon": 224, "syslog": 116, "umount2": 39, "unshare": 97, "userfaultfd": 282, "vhangup": 58,
	}
	if len(refusedAlways) != len(refusedNumbers()) {
		t.Errorf("the policy refuses %d calls, this table has %d", len(refusedNumbers()), len(refusedAlways))
	}
	for name, number := range refusedAlways {
		if got := answer(t, program, data{arch: arch, number: number}); got == allow || got == kill {
			t.Errorf("%s: %#x", name, got)
		}
	}
	for name, number := range map[string]uint32{
		"read": 63, "write": 64, "execve": 221, "exit_group": 94, "mmap": 222, "futex": 98, "openat": 56, "kill": 129,
		"sched_getaffinity": 123, "getrandom": 278,
	} {
		if got := answer(t, program, data{arch: arch, number: number}); got != allow {
			t.Errorf("%s: %#x", name, got)
		}
	}
	// A network socket, a new user namespace, and 32-bit code.
	for name, d := range map[string]data{
		"socket": {arch: arch, number: 198, args: [6]uint64{2}}, "clone": {arch: arch, number: 220, args: [6]uint64{0x10000000}},
		"clone3": {arch: arch, number: 435}, "mount": {arch: arch, number: 40}, "arm": {arch: 0x40000028, number: 3},
	} {
		if got := answer(t, program, d); got == allow {
			t.Errorf("%s is allowed", name)
		}
	}
}

// refusedNumbers is every number that is refused whatever the arguments.
func refusedNumbers() map[uint32]bool {
	numbers := map[uint32]bool{}
	for _, r := range refusals() {
		for _, call := range r.calls {
			numbers[call] = true
		}
	}
	return numbers
}
