package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

const testToken = 0x1122334455667788

// data is struct seccomp_data.
type data struct {
	arch, number uint32
	args         [6]uint64
}

func (d data) bytes() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, d.number)
	b = le.AppendUint32(b, d.arch)
	b = le.AppendUint64(b, 0) // instruction pointer
	for _, a := range d.args {
		b = le.AppendUint64(b, a)
	}
	return b
}

// run is the kernel's interpreter for the part of classic BPF that seccomp allows and Compile uses.
func run(program []unix.SockFilter, d data) (action, error) {
	in := d.bytes()
	var acc uint32
	for pc := 0; pc < len(program); pc++ {
		i := program[pc]
		jump := func(yes bool) {
			if yes {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			if i.K%4 != 0 || int(i.K)+4 > len(in) {
				return 0, fmt.Errorf("load from %d", i.K)
			}
			acc = binary.LittleEndian.Uint32(in[i.K:])
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(acc == i.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(acc >= i.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump(acc&i.K != 0)
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(i.K)
		case unix.BPF_RET | unix.BPF_K:
			return action(i.K), nil
		default:
			return 0, fmt.Errorf("instruction %d has the code %#x", pc, i.Code)
		}
	}
	return 0, errors.New("the program ends without an answer")
}

// expected reads the policy as its types say, without any tree.
func expected(d data) action {
	if d.arch != auditArch || foreign > 0 && d.number >= foreign {
		return kill
	}
	if d.number > newest {
		return errno(unix.ENOSYS)
	}
	for _, r := range policy() {
		if r.number == d.number && applies(r.check, d.args) {
			return r.do
		}
	}
	return allow
}

func applies(c *check, args [6]uint64) bool {
	if c == nil {
		return true
	}
	if c.or != nil && uint32(args[c.or.arg]) == c.or.value {
		return true
	}
	if c.token && args[5] == testToken || c.given != 0 && args[c.given] == 0 {
		return false
	}
	low := uint32(args[c.arg])
	if c.mask != 0 {
		return low&c.mask != 0
	}
	if c.token {
		return true
	}
	for _, v := range c.values {
		if v == low {
			return !c.except
		}
	}
	return c.except
}

func compiled(tb testing.TB) []unix.SockFilter {
	tb.Helper()
	program, err := Compile(testToken, false)
	if err != nil {
		tb.Fatal(err)
	}
	if len(program) > 4096 { // BPF_MAXINSNS
		tb.Fatalf("%d instructions", len(program))
	}
	return program
}

func answer(tb testing.TB, program []unix.SockFilter, d data) action {
	tb.Helper()
	got, err := run(program, d)
	if err != nil {
		tb.Fatalf("%+v: %v", d, err)
	}
	return got
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	program := compiled(t)
	eperm, enosys, noFamily := errno(unix.EPERM), errno(unix.ENOSYS), errno(unix.EAFNOSUPPORT)
	const high = 0xffffffff00000000
	call := func(number uint32, args ...uint64) data {
		d := data{arch: auditArch, number: number}
		copy(d.args[:], args)
		return d
	}
	for _, c := range []struct {
		name string
		data data
		want action
	}{
		{"read", call(unix.SYS_READ), allow},
		{"execve", call(unix.SYS_EXECVE), allow},
		{"i386", data{arch: unix.AUDIT_ARCH_I386, number: unix.SYS_READ}, kill},
		{"another byte order", data{arch: auditArch &^ 0x40000000, number: unix.SYS_READ}, kill},
		{"no architecture", data{number: unix.SYS_READ}, kill},
		{"newest", call(newest), allow},
		{"after the newest", call(newest + 1), enosys},
		{"far away", call(5000), enosys},
		{"TIOCSTI", call(unix.SYS_IOCTL, 0, unix.TIOCSTI), eperm},
		{"TIOCSTI with high bits", call(unix.SYS_IOCTL, 0, high|unix.TIOCSTI), eperm},
		{"TIOCLINUX", call(unix.SYS_IOCTL, 0, unix.TIOCLINUX), eperm},
		{"TIOCGWINSZ", call(unix.SYS_IOCTL, 0, unix.TIOCGWINSZ), allow},
		{"TIOCSTI as another argument", call(unix.SYS_IOCTL, unix.TIOCSTI, unix.TIOCGWINSZ, unix.TIOCSTI), allow},
		{"AF_UNIX", call(unix.SYS_SOCKET, unix.AF_UNIX), allow},
		{"AF_UNIX with high bits", call(unix.SYS_SOCKET, high|unix.AF_UNIX), allow}, // the kernel takes an int
		{"AF_INET", call(unix.SYS_SOCKET, unix.AF_INET), noFamily},
		{"AF_INET6", call(unix.SYS_SOCKET, unix.AF_INET6), noFamily},
		{"AF_NETLINK", call(unix.SYS_SOCKET, unix.AF_NETLINK), noFamily},
		{"AF_VSOCK", call(unix.SYS_SOCKET, unix.AF_VSOCK), noFamily},
		{"AF_ALG", call(unix.SYS_SOCKET, unix.AF_ALG), noFamily},
		{"AF_UNSPEC", call(unix.SYS_SOCKET, 0), noFamily},
		{"pair of AF_UNIX", call(unix.SYS_SOCKETPAIR, unix.AF_UNIX), allow},
		{"pair of AF_TIPC", call(unix.SYS_SOCKETPAIR, unix.AF_TIPC), noFamily},
		{"thread", call(unix.SYS_CLONE, unix.CLONE_VM|unix.CLONE_THREAD|unix.CLONE_SIGHAND|unix.CLONE_FILES), allow},
		{"fork", call(unix.SYS_CLONE, uint64(unix.SIGCHLD)), allow},
		{"clone3", call(unix.SYS_CLONE3), enosys},
		{"mount", call(unix.SYS_MOUNT), eperm},
		{"mount with the token", call(unix.SYS_MOUNT, 0, 0, 0, 0, 0, testToken), allow},
		{"mount with half of it", call(unix.SYS_MOUNT, 0, 0, 0, 0, 0, testToken&0xffffffff), eperm},
		{"mount with the other half", call(unix.SYS_MOUNT, 0, 0, 0, 0, 0, testToken&high), eperm},
		{"mount with the token elsewhere", call(unix.SYS_MOUNT, 0, 0, 0, 0, testToken, 0), eperm},
		{"umount has no token", call(unix.SYS_UMOUNT2, 0, 0, 0, 0, 0, testToken), eperm},
		{"core limit", call(unix.SYS_SETRLIMIT, unix.RLIMIT_CORE), eperm},
		{"core limit with high bits", call(unix.SYS_SETRLIMIT, high|unix.RLIMIT_CORE), eperm},
		{"stack limit", call(unix.SYS_SETRLIMIT, unix.RLIMIT_STACK), allow},
		{"core limit by prlimit", call(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CORE, 1), eperm},
		{"with a pointer of high bits only", call(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CORE, 1<<32), eperm},
		{"with high bits in the limit", call(unix.SYS_PRLIMIT64, 0, high|unix.RLIMIT_CORE, 1), eperm},
		{"reading the core limit", call(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CORE, 0, 1), allow},
		{"stack limit by prlimit", call(unix.SYS_PRLIMIT64, 2, unix.RLIMIT_STACK, 1), allow},
		{"limits of the stub", call(unix.SYS_PRLIMIT64, 1, unix.RLIMIT_CPU, 1), eperm},
		{"reading limits of the stub", call(unix.SYS_PRLIMIT64, high|1, unix.RLIMIT_CPU, 0, 1), eperm},
		{"signal to the stub", call(unix.SYS_KILL, 1, uint64(unix.SIGKILL)), eperm},
		{"signal to all", call(unix.SYS_KILL, ^uint64(0), uint64(unix.SIGKILL)), allow},
		{"F_SETLEASE", call(unix.SYS_FCNTL, 0, unix.F_SETLEASE), eperm},
		{"F_NOTIFY", call(unix.SYS_FCNTL, 0, unix.F_NOTIFY), eperm},
		{"F_SETFL", call(unix.SYS_FCNTL, 0, unix.F_SETFL), allow},
		{"clone3 with the token", call(unix.SYS_CLONE3, 0, 0, 0, 0, 0, testToken), allow},
		{"personality", call(unix.SYS_PERSONALITY, 0), allow},
		{"asking for it", call(unix.SYS_PERSONALITY, 0xffffffff), allow},
		{"without address randomisation", call(unix.SYS_PERSONALITY, 0x40000), allow},
		{"READ_IMPLIES_EXEC", call(unix.SYS_PERSONALITY, 0x400000), eperm},
		{"both", call(unix.SYS_PERSONALITY, 0x440000), eperm},
	} {
		if got := answer(t, program, c.data); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
	for flag := range uint64(32) {
		args := []uint64{1<<flag | uint64(unix.SIGCHLD)}
		want := allow
		if 1<<flag&uint64(cloneNamespaces) != 0 {
			want = eperm
		}
		if got := answer(t, program, call(unix.SYS_CLONE, args...)); got != want {
			t.Errorf("clone flag %#x: %#x, want %#x", uint64(1)<<flag, got, want)
		}
		if got := answer(t, program, call(unix.SYS_CLONE, args[0]|high, 0, 0, 0, 0, 0)); got != want {
			t.Errorf("clone flag %#x with high bits: %#x, want %#x", uint64(1)<<flag, got, want)
		}
		if got := answer(t, program, call(unix.SYS_CLONE, args[0], 0, 0, 0, 0, testToken)); got != allow {
			t.Errorf("clone flag %#x with the token: %#x", uint64(1)<<flag, got)
		}
	}
	if foreign > 0 {
		for _, n := range []uint32{foreign, foreign | unix.SYS_READ, foreign | 520, 0xffffffff, 0x80000000} {
			if got := answer(t, program, call(n)); got != kill {
				t.Errorf("call %#x of x32: %#x", n, got)
			}
		}
	}
}

// TestRefusals: each call of the table is refused as the table says, whatever its arguments, and the table is complete: it
// has a reason for each, and none twice.
func TestRefusals(t *testing.T) {
	t.Parallel()
	program := compiled(t)
	seen := map[uint32]bool{}
	for _, r := range refusals() {
		if r.reason == "" || r.answer != unix.EPERM && r.answer != unix.ENOSYS {
			t.Errorf("%+v", r)
		}
		for _, n := range r.calls {
			if seen[n] {
				t.Errorf("call %d is in the table twice", n)
			}
			seen[n] = true
			for _, args := range [][6]uint64{{}, {1, 2, 3, 4, 5, 6}, {5: testToken}} {
				if got := answer(t, program, data{auditArch, n, args}); got != errno(r.answer) {
					t.Errorf("call %d: %#x", n, got)
				}
			}
		}
	}
	// What must never pass, spelled out here as well, so that a line lost from the table is noticed.
	for _, n := range []uint32{
		unix.SYS_PTRACE, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY,
		unix.SYS_REQUEST_KEY, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_CLONE3, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT,
		unix.SYS_CHROOT, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_MOUNT_SETATTR,
		unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_PROCESS_VM_READV,
		unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_INIT_MODULE,
		unix.SYS_FINIT_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SYSLOG, unix.SYS_SETHOSTNAME,
		unix.SYS_FANOTIFY_INIT, unix.SYS_INOTIFY_INIT1, unix.SYS_MEMFD_SECRET, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME,
	} {
		if got := answer(t, program, data{arch: auditArch, number: n}); got == allow {
			t.Errorf("call %d passes", n)
		}
	}
}

// TestTree: the tree agrees with the policy for every number and for arguments around everything that it looks at.
func TestTree(t *testing.T) {
	t.Parallel()
	program := compiled(t)
	values := []uint64{0, 1, unix.AF_UNIX, unix.AF_INET, unix.TIOCSTI, unix.TIOCLINUX, unix.RLIMIT_CORE, unix.F_SETLEASE, unix.F_NOTIFY, 0x40000, cloneNamespaces, 1 << 32, ^uint64(0)}
	for n := range uint32(601) {
		for _, v := range values {
			for _, sixth := range []uint64{0, testToken, testToken + 1, testToken + 1<<32} {
				for _, third := range []uint64{0, 1, 1 << 32} {
					d := data{auditArch, n, [6]uint64{v, v, third, v, v, sixth}}
					if got, want := answer(t, program, d), expected(d); got != want {
						t.Fatalf("%+v: %#x, want %#x", d, got, want)
					}
				}
			}
		}
	}
}

func TestCompileRefusesBadPolicies(t *testing.T) {
	t.Parallel()
	if _, err := compile([]rule{{number: 5, do: kill}, {number: 5, do: allow}}, newest, 1); err == nil {
		t.Error("two rules for one call")
	}
	if _, err := compile([]rule{{number: newest + 1, do: kill}}, newest, 1); err == nil {
		t.Error("a rule for a call newer than the newest")
	}
	for _, rules := range [][]rule{nil, {{number: 0, do: kill}}, {{number: newest, do: kill}}, {{number: 0, do: kill}, {number: 1, do: kill}}} {
		program, err := compile(rules, newest, 1)
		if err != nil {
			t.Fatal(err)
		}
		for n := range uint32(600) {
			want := allow
			if n > newest {
				want = errno(unix.ENOSYS)
			}
			for _, r := range rules {
				if r.number == n {
					want = kill
				}
			}
			if got := answer(t, program, data{arch: auditArch, number: n}); got != want {
				t.Errorf("%v, call %d: %#x, want %#x", rules, n, got, want)
			}
		}
	}
}

func FuzzFilter(f *testing.F) {
	program := compiled(f)
	f.Add(uint32(auditArch), uint32(unix.SYS_IOCTL), uint64(0), uint64(unix.TIOCSTI), uint64(0), uint64(0))
	f.Add(uint32(auditArch), uint32(unix.SYS_CLONE), uint64(unix.CLONE_NEWUSER), uint64(0), uint64(0), uint64(testToken))
	f.Add(uint32(unix.AUDIT_ARCH_I386), uint32(1), uint64(0), uint64(0), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, arch, number uint32, first, second, third, sixth uint64) {
		d := data{arch, number, [6]uint64{0: first, 1: second, 2: third, 5: sixth}}
		if got, want := answer(t, program, d), expected(d); got != want {
			t.Errorf("%+v: %#x, want %#x", d, got, want)
		}
	})
}
