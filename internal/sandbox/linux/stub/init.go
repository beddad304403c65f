package stub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Arg0 is the name under which the driver starts this binary to be a slot's init.
const Arg0 = "assay-slot"

// The init's ends of its sockets to the driver.
const (
	ControlFD = 3 // requests, and what becomes of them
	ProcessFD = 4 // descriptors of the processes of a run, which the driver reads only when it needs them
)

// slot is the init's state between runs.
type slot struct {
	setup    Setup
	counters []uintptr // cgroup.Group's StubFiles
	joinRate int       // the group to join for a CPU rate, or -1 when there is none or it was joined
	null     uintptr   // /dev/null, for streams that nobody wants
	dev      int32     // /dev, for the landlock rule
	packet   []byte    // receives requests
	control  [unix.SizeofCmsghdr + 64]byte
	runs     int
	weaker   string // see buildRoot
}

// Main is the init: it builds the root and serves runs until the driver closes the socket. It does not return.
func Main() {
	// One thread makes every run: credentials, the signal mask and no_new_privs belong to threads.
	runtime.LockOSThread()
	// Runs stop this thread for as long as they take, and a collection would wait for it. The init collects
	// between runs, when enough has gathered.
	debug.SetGCPercent(-1)
	s := &slot{packet: make([]byte, MaxInline+4096)}
	if err := s.prepare(); err != nil {
		s.send(append([]byte{MsgFailed}, err.Error()...))
		os.Exit(1)
	}
	s.send(append([]byte{MsgReady}, s.weaker...))
	for large := true; ; {
		// The first time that nobody needs the slot for a while.
		const patience = 50 // milliseconds
		if large {
			if n, _ := unix.Poll([]unix.PollFd{{Fd: ControlFD, Events: unix.POLLIN}}, patience); n == 0 {
				shrink()
				large = false
			}
		}
		err := s.serve()
		if errors.Is(err, io.EOF) {
			os.Exit(0)
		}
		if err != nil {
			s.send(append([]byte{MsgFailed}, err.Error()...))
			os.Exit(1)
		}
	}
}

// prepare receives the set-up and brings the slot into the state that every run starts from.
func (s *slot) prepare() error {
	_, fds, err := s.receive()
	if err != nil {
		return fmt.Errorf("receiving the set-up: %w", err)
	}
	if len(fds) == 0 {
		return errors.New("set-up without its file")
	}
	p, err := mapFile(fds[0])
	if err != nil {
		return err
	}
	defer unmap(p)
	closeAll(fds[:1])
	fds = fds[1:]
	if err := json.Unmarshal(p, &s.setup); err != nil {
		return fmt.Errorf("decoding the set-up: %w", err)
	}
	if err := unix.Sethostname([]byte(s.setup.Hostname)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	dev := -1
	if s.setup.HasDev {
		if len(fds) == 0 {
			return errors.New("set-up without its /dev")
		}
		dev, fds = fds[0], fds[1:]
	}
	if s.weaker, err = buildRoot(&s.setup, dev); err != nil {
		return fmt.Errorf("building the root: %w", err)
	}
	if dev >= 0 {
		_ = unix.Close(dev)
	}
	if err := harden(s.setup.CoreLimit); err != nil {
		return err
	}
	if err := s.takeGroup(fds); err != nil {
		return err
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening /dev/null: %w", err)
	}
	s.null = uintptr(null)
	devDir, err := unix.Open("/dev", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening /dev: %w", err)
	}
	s.dev = int32(devDir)
	return s.filter()
}

// takeGroup makes the group namespace, joins groups and keeps the files that runs need. The root of the namespace is the
// group that this thread is in at the time (cgroup_namespaces(7)).
func (s *slot) takeGroup(fds []int) error {
	rate := 0
	if s.setup.HasRate {
		rate = 1
	}
	if len(fds) != s.setup.Joins+s.setup.Counters+rate {
		return fmt.Errorf("%d files of the cgroup came with the set-up", len(fds))
	}
	if s.setup.InHome {
		if err := newGroupNamespace(); err != nil {
			return err
		}
	}
	for _, fd := range fds[:s.setup.Joins] {
		if err := join(fd); err != nil {
			return err
		}
	}
	if !s.setup.InHome {
		if err := newGroupNamespace(); err != nil {
			return err
		}
	}
	for _, fd := range fds[s.setup.Joins : s.setup.Joins+s.setup.Counters] {
		s.counters = append(s.counters, uintptr(fd))
	}
	s.joinRate = -1
	if s.setup.HasRate {
		s.joinRate = fds[len(fds)-1]
	}
	return nil
}

func newGroupNamespace() error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("making a cgroup namespace: %w", err)
	}
	return nil
}

func join(fd int) error {
	if _, err := unix.Write(fd, []byte("0")); err != nil {
		return fmt.Errorf("joining the cgroup: %w", err)
	}
	return unix.Close(fd)
}

// filter loads the seccomp program: once for the slot, since loading it takes a tenth of a short run's time. Everything that is
// made later inherits it (seccomp(2)). That mounts and namespaces are still possible for the init and the stub is up to
// Setup.Token.
func (s *slot) filter() error {
	n := len(s.setup.Filter) / 8
	if n == 0 {
		return errors.New("no seccomp filter")
	}
	prog := unix.SockFprog{Len: uint16(n), Filter: (*unix.SockFilter)(unsafe.Pointer(&s.setup.Filter[0]))}
	_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(s.setup.FilterFlags),
		uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return fmt.Errorf("loading the seccomp filter: %w", e)
	}
	return nil
}

// shrink gives back what the start took: most of this binary is never used by an init, and a host has many of them.
func shrink() {
	debug.FreeOSMemory()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	var from, to uintptr
	var mode, path string
	for line := range strings.Lines(string(smaps)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasSuffix(key, ":") { // a mapping; what follows describes it
			if n, _ := fmt.Sscanf(line, "%x-%x %4s", &from, &to, &mode); n != 3 {
				return
			}
			_, path, _ = strings.Cut(value, "/")
			continue
		}
		// Pages of a file that nobody has written to come back when they are touched (madvise(2)). A mapping with
		// anonymous pages has been written to, by a dynamic linker for one.
		if path != "" && mode[1] != 'w' && key == "Anonymous:" && strings.HasPrefix(strings.TrimSpace(value), "0 ") {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
}

// serve does one run from request to MsgIdle.
func (s *slot) serve() error {
	p, fds, err := s.receive()
	if err != nil {
		return err
	}
	defer closeAll(fds)
	if len(p) == 4 { // the request is in a file
		if len(fds) == 0 {
			return errors.New("request without its file")
		}
		if p, err = mapFile(fds[0]); err != nil {
			return err
		}
		defer unmap(p)
		fds = fds[1:]
	}
	j, err := s.prepareJob(p, fds)
	if err != nil {
		return err
	}
	if err := s.run(j); err != nil {
		return err
	}
	closeAll(fds)
	s.send([]byte{MsgIdle})
	runtime.KeepAlive(p)
	if s.runs++; s.runs%256 == 0 {
		runtime.GC()
	}
	return nil
}

// run makes the stub, which makes the program, and returns when nothing of them is left.
func (s *slot) run(j *job) error {
	var pid, errno uintptr
	withSignalsBlocked(func() { pid, errno = spawnStub(j) })
	if errno != 0 {
		j.done.Errno = syscall.Errno(errno)
	} else if err := reap(int(pid)); err != nil {
		return err
	}
	if !j.told {
		j.done.Killed = j.done.Errno == 0
		s.send(unsafe.Slice((*byte)(unsafe.Pointer(&j.done)), unsafe.Sizeof(j.done)))
	}
	return nil
}

func reap(pid int) error {
	for {
		_, err := unix.Wait4(pid, nil, unix.WALL, nil)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return fmt.Errorf("waiting for the stub: %w", err)
		}
	}
}

// receive gets one packet and the descriptors that came with it.
func (s *slot) receive() ([]byte, []int, error) {
	for {
		n, cn, flags, _, err := unix.Recvmsg(ControlFD, s.packet, s.control[:], unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("receiving from the driver: %w", err)
		case n == 0:
			return nil, nil, io.EOF
		case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
			return nil, nil, errors.New("a message from the driver was cut")
		}
		fds, err := Descriptors(s.control[:cn])
		return s.packet[:n], fds, err
	}
}

// send gives the driver one packet. When that fails the driver is gone, and the next receive says so.
func (s *slot) send(p []byte) {
	for {
		if err := unix.Sendto(ControlFD, p, unix.MSG_NOSIGNAL, nil); err != syscall.EINTR {
			return
		}
	}
}

func closeAll(fds []int) {
	for i, fd := range fds {
		if fd >= 0 {
			_ = unix.Close(fd)
			fds[i] = -1
		}
	}
}

// mapFile shows the content of a file that the driver wrote. A copy would count towards the slot's memory on version 1, in
// this run and the next ones.
func mapFile(fd int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("reading a message's file: %w", err)
	}
	p, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("reading a message's file of %d bytes: %w", st.Size, err)
	}
	return p, nil
}

func unmap(p []byte) { _ = unix.Munmap(p) } // cannot fail for what Mmap gave
