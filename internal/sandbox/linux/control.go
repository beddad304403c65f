package linux

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox/linux/stub"
)

// control is the driver's end of the socket to a slot: packets in order, with descriptors (unix(7), SOCK_SEQPACKET).
type control struct {
	file *os.File
	raw  syscall.RawConn
	buf  []byte
	oob  []byte

	// The outcome of the last attempt to receive; step is kept as a field so that waiting allocates nothing.
	step      func(fd uintptr) bool
	n, oobn   int
	recvFlags int
	err       error
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "slot control"), os.NewFile(uintptr(fds[1]), "slot control"), nil
}

func newControl(f *os.File) *control {
	c := &control{file: f, buf: make([]byte, 4096), oob: make([]byte, unix.CmsgSpace(4*4))}
	c.raw, c.err = f.SyscallConn()
	c.step = func(fd uintptr) bool {
		for {
			c.n, c.oobn, c.recvFlags, _, c.err = unix.Recvmsg(int(fd), c.buf, c.oob, unix.MSG_CMSG_CLOEXEC)
			if c.err != unix.EINTR {
				return c.err != unix.EAGAIN
			}
		}
	}
	return c
}

// message is one packet from inside a slot.
type message struct {
	data []byte // valid until the next receive
	fds  []int  // the receiver closes them
}

// expect checks the kind of a message.
func (m message) expect(kind byte) error {
	switch {
	case m.data[0] == kind:
		return nil
	case m.data[0] == stub.MsgFailed:
		return errors.New(string(m.data[1:]))
	default:
		return fmt.Errorf("unexpected message %q from the slot", m.data[0])
	}
}

// setDeadline bounds the wait of receive, also of one under way.
func (c *control) setDeadline(t time.Time) error {
	if err := c.file.SetReadDeadline(t); err != nil {
		return fmt.Errorf("waiting for the slot: %w", err)
	}
	return nil
}

// receiveBefore is setDeadline and receive.
func (c *control) receiveBefore(deadline time.Time) (message, error) {
	if err := c.setDeadline(deadline); err != nil {
		return message{}, err
	}
	return c.receive()
}

// receive waits for the next packet; past the deadline it gives os.ErrDeadlineExceeded, and io.EOF once the slot is gone.
func (c *control) receive() (message, error) {
	if err := c.raw.Read(c.step); err != nil {
		return message{}, err
	}
	return c.message()
}

// poll gives the next packet if there is one.
func (c *control) poll() (message, bool, error) {
	if err := c.raw.Control(func(fd uintptr) { c.step(fd) }); err != nil {
		return message{}, false, err
	}
	if c.err == unix.EAGAIN {
		return message{}, false, nil
	}
	m, err := c.message()
	return m, err == nil, err
}

// message takes what was received apart.
func (c *control) message() (message, error) {
	if c.err != nil {
		return message{}, fmt.Errorf("receiving from the slot: %w", c.err)
	}
	fds, err := stub.Descriptors(c.oob[:c.oobn])
	m := message{data: c.buf[:c.n], fds: fds}
	if err != nil {
		return m, err
	}
	if c.n == 0 {
		return m, io.EOF
	}
	if c.recvFlags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		closeAll(m.fds)
		return message{}, errors.New("a message from the slot was cut")
	}
	return m, nil
}

// send gives the slot one packet with descriptors. The init reads at once whenever it is idle, so this does not wait.
func (c *control) send(p []byte, fds []int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	var err error
	cerr := c.raw.Control(func(fd uintptr) {
		for {
			if err = unix.Sendmsg(int(fd), p, rights, nil, unix.MSG_NOSIGNAL); err != unix.EINTR {
				return
			}
		}
	})
	if err = errors.Join(cerr, err); err != nil {
		return fmt.Errorf("sending to the slot: %w", err)
	}
	return nil
}

func (c *control) close() error { return c.file.Close() }

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
