package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Arg0 is the name under which this binary, inside a sandbox, is the probe program.
const Arg0 = "assay-probe"

// secretKey is the one variable, beside GOMAXPROCS, that the probe program is given.
const secretKey = "ASSAY_PROBE"

// Main takes over when this process is the probe program inside a sandbox, and then does not return. Outside it is never
// started under that name.
func Main() {
	if len(os.Args) < 2 || filepath.Base(os.Args[0]) != Arg0 {
		return
	}
	switch os.Args[1] {
	case "look":
		canary := ""
		if len(os.Args) > 2 {
			canary = os.Args[2]
		}
		if err := json.NewEncoder(os.Stdout).Encode(look(canary)); err != nil {
			os.Exit(1)
		}
	case "hog":
		hog()
	default:
		os.Exit(2)
	}
	os.Exit(0)
}

// look tries what must not work. Each try returns nil if it was refused.
func look(canary string) []Result {
	tries := []struct {
		name string
		try  func() error
	}{
		{"host file", func() error { return hostFiles(canary) }},
		{"network", network},
		{"uid", identity},
		{"capabilities", capabilities},
		{"system calls", systemCalls},
		{"processes", processes},
		{"environment", environment},
		{"descriptors", descriptors},
		{"leftovers", leftovers},
	}
	results := make([]Result, 0, len(tries))
	for _, t := range tries {
		r := Result{Name: t.name, OK: true, Detail: "holds"}
		if err := t.try(); err != nil {
			r.OK, r.Detail = false, err.Error()
		}
		results = append(results, r)
	}
	return results
}

func hostFiles(canary string) error {
	for _, path := range []string{canary, "/etc/shadow", "/root", "/home", "/var", "/run", "/sys/kernel", "/proc/sys", "/proc/1"} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s can be seen", path)
		}
	}
	for _, dir := range []string{"/", "/usr", "/etc", "/dev", "/box"} {
		f, err := os.CreateTemp(dir, "probe")
		if err == nil {
			_ = f.Close()
			return fmt.Errorf("%s can be written to", dir)
		}
	}
	return nil
}

func network() error {
	for name, family := range map[string]int{
		"IPv4": unix.AF_INET, "IPv6": unix.AF_INET6, "netlink": unix.AF_NETLINK, "packet": unix.AF_PACKET,
		"vsock": unix.AF_VSOCK, "alg": unix.AF_ALG,
	} {
		if fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0); err == nil {
			_ = unix.Close(fd)
			return fmt.Errorf("a socket of family %s can be made", name)
		}
	}
	if list, err := net.Interfaces(); err == nil && len(list) > 1 {
		return fmt.Errorf("%d network interfaces can be seen", len(list))
	}
	return nil
}

func identity() error {
	if uid, gid := unix.Getuid(), unix.Getgid(); uid == 0 || gid == 0 {
		return fmt.Errorf("uid %d, gid %d", uid, gid)
	}
	// Without root, assay cannot let go of groups of its own (user_namespaces(7), setgroups). They are none of the slot's, which has
	// only group 1, and show as this one; with root there are none, which the driver's tests see to.
	const unmapped = 65534
	groups, err := unix.Getgroups()
	if err != nil || slices.ContainsFunc(groups, func(g int) bool { return g != unmapped }) {
		return fmt.Errorf("supplementary groups %v", groups)
	}
	if unix.Setuid(0) == nil {
		return errors.New("the program can become root")
	}
	return nil
}

func capabilities() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	want := map[string]string{"NoNewPrivs": "1", "Seccomp": "2"}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		if strings.HasPrefix(key, "Cap") {
			if n, err := strconv.ParseUint(value, 16, 64); err != nil || n != 0 {
				return fmt.Errorf("%s is %s", key, value)
			}
		}
		if w, ok := want[key]; ok && value != w {
			return fmt.Errorf("%s is %s", key, value)
		}
	}
	return nil
}

func systemCalls() error {
	if unix.Mount("tmpfs", "/box/work", "tmpfs", 0, "") == nil {
		return errors.New("mount works")
	}
	if unix.Unshare(unix.CLONE_NEWUSER) == nil {
		return errors.New("a user namespace can be made")
	}
	for name, call := range map[string]uintptr{
		"io_uring_setup": unix.SYS_IO_URING_SETUP, "bpf": unix.SYS_BPF, "keyctl": unix.SYS_KEYCTL, "ptrace": unix.SYS_PTRACE,
		"userfaultfd": unix.SYS_USERFAULTFD, "perf_event_open": unix.SYS_PERF_EVENT_OPEN,
	} {
		if _, _, e := unix.Syscall(call, 0, 0, 0); e != unix.EPERM && e != unix.ENOSYS {
			return fmt.Errorf("%s gives %v", name, e)
		}
	}
	return nil
}

func processes() error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n != os.Getpid() {
			return fmt.Errorf("process %d can be seen", n)
		}
	}
	if os.Getpid() == 1 {
		return errors.New("the program is pid 1")
	}
	if unix.Kill(1, unix.SIGKILL) == nil {
		return errors.New("the stub can be killed")
	}
	return nil
}

func environment() error {
	for _, kv := range os.Environ() {
		if key, _, _ := strings.Cut(kv, "="); key != secretKey && key != "GOMAXPROCS" {
			return fmt.Errorf("%s is set", key)
		}
	}
	return nil
}

// descriptors looks for open files that nobody handed over. The runtime's own are an epoll and an event descriptor.
func descriptors() error {
	for fd := 3; fd < 256; fd++ {
		target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err == nil && !strings.HasPrefix(target, "anon_inode:") && !strings.HasPrefix(target, "/proc/") {
			return fmt.Errorf("descriptor %d is open: %s", fd, target)
		}
	}
	return nil
}

// leftovers looks for what an earlier run left, and leaves all of it for the next.
func leftovers() error {
	const name = "probe-leftover"
	for _, dir := range []string{"/box/work", "/tmp", "/dev/shm"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name() != Arg0 {
				return fmt.Errorf("%s holds %s", dir, e.Name())
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			return fmt.Errorf("%s cannot be written to: %w", dir, err)
		}
	}
	const key = 0x61737361
	if _, _, e := unix.Syscall(unix.SYS_SHMGET, key, 4096, 0); e == 0 {
		return errors.New("a System V memory segment was left")
	}
	// Without control groups there is no such memory.
	if _, _, e := unix.Syscall(unix.SYS_SHMGET, key, 4096, unix.IPC_CREAT|0o600); e != 0 && e != unix.ENOSYS {
		return fmt.Errorf("shmget: %w", e)
	}
	// An abstract socket lives in the network namespace, which belongs to the slot.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return fmt.Errorf("making a unix socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: "@" + name}); err != nil {
		return fmt.Errorf("an abstract socket was left: %w", err)
	}
	return nil
}

// hog touches memory until it is stopped, up to ten times what it may have.
func hog() {
	const chunk = 1 << 20
	for range 10 * hogLimit / chunk {
		b, err := unix.Mmap(-1, 0, chunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
		if err != nil {
			os.Exit(1)
		}
		*(*byte)(unsafe.Pointer(&b[0])) = 1
	}
}
