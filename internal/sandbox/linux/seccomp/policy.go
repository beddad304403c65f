package seccomp

import "golang.org/x/sys/unix"

// cloneNamespaces are the CLONE_NEW flags that clone(2) takes, CLONE_NEWTIME's bit being part of the exit signal there.
const cloneNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// newest is the newest call that the policy below was checked against: mseal of Linux 6.10. It has the same number on every
// architecture.
const newest = unix.SYS_MSEAL

// refusal groups calls that are refused for one reason.
type refusal struct {
	reason string
	answer unix.Errno
	calls  []uint32
}

// refusals are the calls that no program may make, whatever the arguments. docs/sandbox.md shows this table.
func refusals() []refusal {
	return append([]refusal{
		{
			"asynchronous I/O in the kernel goes round every filter: its workers make calls that seccomp never sees",
			unix.ENOSYS,
			[]uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER},
		},
		{
			"bpf loads code into the kernel, perf reads what other programs do, and userfaultfd stretches kernel races",
			unix.EPERM,
			[]uint32{unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD},
		},
		{
			"keyrings belong to a user, not to a namespace, and outlive a run",
			unix.ENOSYS,
			[]uint32{unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY},
		},
		{
			"reading or steering another process: a program has no business with the memory of any but itself",
			unix.EPERM,
			[]uint32{
				unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP,
				unix.SYS_PIDFD_GETFD, unix.SYS_PROCESS_MADVISE, unix.SYS_PROCESS_MRELEASE,
			},
		},
		{
			"mounts and roots: the sandbox is made of them",
			unix.EPERM,
			[]uint32{
				unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT,
				unix.SYS_OPEN_TREE, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
				unix.SYS_MOUNT_SETATTR, unix.SYS_STATMOUNT, unix.SYS_LISTMOUNT,
			},
		},
		{
			"new or other namespaces: a user namespace would give capabilities over kernel code",
			unix.EPERM,
			[]uint32{unix.SYS_UNSHARE, unix.SYS_SETNS},
		},
		{
			"the machine itself: modules, another kernel, reboot, swap, accounting, quotas, its log",
			unix.EPERM,
			[]uint32{
				unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD,
				unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT,
				unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
			},
		},
		{
			"clocks and names that others see",
			unix.EPERM,
			[]uint32{
				unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME,
				unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
			},
		},
		{
			"opening files by handle goes round the root (the shocker exploit)",
			unix.EPERM,
			[]uint32{unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT},
		},
		{
			"watching or probing shared files tells what other runs do",
			unix.ENOSYS,
			[]uint32{
				unix.SYS_FANOTIFY_INIT, unix.SYS_FANOTIFY_MARK, unix.SYS_INOTIFY_INIT1, unix.SYS_INOTIFY_ADD_WATCH,
				unix.SYS_INOTIFY_RM_WATCH, unix.SYS_CACHESTAT,
			},
		},
		{
			"memory placement and memory outside the group's control",
			unix.EPERM,
			[]uint32{
				unix.SYS_MBIND, unix.SYS_MIGRATE_PAGES, unix.SYS_MOVE_PAGES, unix.SYS_SET_MEMPOLICY,
				unix.SYS_SET_MEMPOLICY_HOME_NODE, unix.SYS_MEMFD_SECRET,
			},
		},
		{
			"old calls without users, each a piece of kernel less",
			unix.ENOSYS,
			[]uint32{unix.SYS_LOOKUP_DCOOKIE, unix.SYS_NFSSERVCTL},
		},
	}, archRefusals()...)
}

// policy is the whole filter: the refusals, and the calls that depend on an argument.
func policy() []rule {
	var rules []rule
	for _, r := range refusals() {
		for _, call := range r.calls {
			rules = append(rules, rule{number: call, do: errno(r.answer)})
		}
	}
	onlyUnix := &check{arg: 0, values: []uint32{unix.AF_UNIX}, except: true}
	return append(rules,
		// No network: not even addresses of its own, so that nothing (ports in TIME_WAIT, counters) is left in the
		// slot's network namespace. AF_VSOCK, AF_ALG and others are not namespaced, or are rarely used kernel code.
		rule{unix.SYS_SOCKET, errno(unix.EAFNOSUPPORT), onlyUnix},
		rule{unix.SYS_SOCKETPAIR, errno(unix.EAFNOSUPPORT), onlyUnix},
		rule{unix.SYS_CLONE, errno(unix.EPERM), &check{arg: 0, mask: cloneNamespaces, token: true}},
		// clone3 takes its flags from memory, where a filter cannot look; libraries fall back on clone when it is missing.
		rule{unix.SYS_CLONE3, errno(unix.ENOSYS), &check{token: true}},
		rule{unix.SYS_MOUNT, errno(unix.EPERM), &check{token: true}},
		// Typing into somebody's terminal (CVE-2017-5226) and the console's paste buffer.
		rule{unix.SYS_IOCTL, errno(unix.EPERM), &check{arg: 1, values: []uint32{unix.TIOCSTI, unix.TIOCLINUX}}},
		// Being told of what others read in a folder, or held up at a file, on inodes that slots may share.
		rule{unix.SYS_FCNTL, errno(unix.EPERM), &check{arg: 1, values: []uint32{unix.F_NOTIFY, unix.F_SETLEASE}}},
		// RLIMIT_CORE must stay: a piped core_pattern starts a program of the host as root (core(5)). So must the stub's limits.
		rule{unix.SYS_SETRLIMIT, errno(unix.EPERM), &check{arg: 0, values: []uint32{unix.RLIMIT_CORE}}},
		rule{unix.SYS_PRLIMIT64, errno(unix.EPERM), &check{arg: 1, values: []uint32{unix.RLIMIT_CORE}, given: 2, or: &equal{0, stubPID}}},
		// Signals reach the stub as little as they reach any pid 1, but a program that finds it there should be told no.
		rule{unix.SYS_KILL, errno(unix.EPERM), &check{arg: 0, values: []uint32{stubPID}}},
		// Linux, and turning address randomisation off, which sanitizers do, are all that programs need.
		rule{unix.SYS_PERSONALITY, errno(unix.EPERM), &check{arg: 0, values: []uint32{0, 0xffffffff, addrNoRandomize}, except: true}},
	)
}

// stubPID is the stub's number in the run's pid namespace. Where a slot has but one id, the stub is the program's own user, whom the
// kernel lets change its limits, so that a program could end it (prlimit(2)).
const stubPID = 1

// addrNoRandomize is ADDR_NO_RANDOMIZE of personality(2).
const addrNoRandomize = 0x0040000

// Flags are the flags to load the filter with. SPEC_ALLOW: before Linux 5.16, a filter turned on the mitigation of
// Speculative Store Bypass for the process, which costs programs up to half their speed and would make two hosts judge
// differently; programs of one run share nothing with others that it could protect (seccomp(2)).
const Flags = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
