package stub

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// harden does once, for the init, what every later process of the slot inherits: it drops the bounding set, forbids
// new privileges, and puts back to its default whatever assay may have inherited from the shell, service manager or
// container that started it. It runs on the thread that makes all runs.
func harden(coreLimit uint64) error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		// EINVAL: a capability that this kernel does not have.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("dropping capability %d from the bounding set: %w", c, err)
		}
	}
	// They brought the capabilities here where the init is not uid 0 (capabilities(7)).
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clearing the ambient capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	// Programs go first when the host runs out of memory, never the server (proc_pid_oom_score_adj(5)). Before the next step,
	// which gives this file to the host's root.
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0); err != nil {
		return fmt.Errorf("raising the out-of-memory score: %w", err)
	}
	// The memory of init and stub is not for programs: no ptrace, no /proc/PID/mem, no core (prctl(2)).
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("clearing the dumpable attribute: %w", err)
	}
	for _, l := range []rlimit{
		{unix.RLIMIT_CORE, coreLimit, coreLimit},
		{unix.RLIMIT_NOFILE, openFiles, openFiles},
		{unix.RLIMIT_MEMLOCK, lockedBytes, lockedBytes},
		{unix.RLIMIT_MSGQUEUE, queueBytes, queueBytes},
		{unix.RLIMIT_RTPRIO, 0, 0},
		{unix.RLIMIT_NICE, 0, 0},
		{rlimitSigpending, pendingSignals, pendingSignals},
		{unix.RLIMIT_AS, unix.RLIM_INFINITY, unix.RLIM_INFINITY},
		{unix.RLIMIT_DATA, unix.RLIM_INFINITY, unix.RLIM_INFINITY},
	} {
		if err := setLimit(l); err != nil {
			return err
		}
	}
	unix.Umask(0)
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 0); err != nil && err != unix.EACCES && err != unix.EPERM {
		return fmt.Errorf("resetting the nice value: %w", err)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_PERSONALITY, 0, 0, 0); e != 0 {
		return fmt.Errorf("resetting the personality: %w", e)
	}
	if err := resetIgnoredSignals(); err != nil {
		return err
	}
	// A slot's programs cannot make user namespaces, and with them capabilities over kernel code (user_namespaces(7)).
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		return fmt.Errorf("forbidding further user namespaces: %w", err)
	}
	return nil
}

// Limits that are the same for every run.
const (
	openFiles        = 1024        // the usual soft limit: select(2) breaks above it
	lockedBytes      = 64 << 10    // locked pages escape reclaim; a few are for key material
	queueBytes       = 800 << 10   // POSIX message queues: the kernel's default
	pendingSignals   = 4096        // queued signals hold kernel memory
	rlimitSigpending = uintptr(11) // RLIMIT_SIGPENDING of every architecture but alpha, mips and sparc
)

// setLimit sets a limit, or leaves it as low as whoever started assay made it.
func setLimit(l rlimit) error {
	var old unix.Rlimit
	if err := unix.Prlimit(0, int(l.which), nil, &old); err != nil {
		return fmt.Errorf("reading limit %d: %w", l.which, err)
	}
	// Raising a hard limit needs a capability in the first user namespace, which the init does not have.
	n := unix.Rlimit{Cur: min(l.cur, old.Max), Max: min(l.max, old.Max)}
	if err := unix.Prlimit(0, int(l.which), &n, nil); err != nil {
		return fmt.Errorf("setting limit %d: %w", l.which, err)
	}
	return nil
}

// sigaction is the kernel's struct sigaction of amd64 and arm64.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// resetIgnoredSignals puts ignored signals back to their default: execve keeps "ignore" (execve(2)), and nohup or
// systemd's IgnoreSIGPIPE would otherwise reach the programs.
func resetIgnoredSignals() error {
	const ignore = 1
	for sig := uintptr(1); sig <= 64; sig++ {
		var a sigaction
		if _, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&a)), 8, 0, 0); e != 0 {
			continue // a signal that this kernel does not have
		}
		if a.handler != ignore {
			continue
		}
		a = sigaction{}
		if _, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&a)), 0, 8, 0, 0); e != 0 {
			return fmt.Errorf("resetting signal %d: %w", sig, e)
		}
	}
	return nil
}

// withSignalsBlocked runs f with every signal blocked on this thread, so that none meets the processes that f makes
// before they have left this program's memory.
func withSignalsBlocked(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all, old := ^uint64(0), uint64(0)
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	f()
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
}
