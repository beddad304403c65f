package linux

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox"
)

// openTerminal makes a pseudo-terminal for fds 0 to 2 (pty(7)). The program's end is opened through the other, not by a path
// (TIOCGPTPEER, ioctl_tty(2)).
//
// It belongs to the program's id on the host, owner, or, with -1, to who made it: programs open their terminal anew as /dev/tty.
func (s *streams) openTerminal(c *sandbox.Command, owner int) error {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("opening a terminal: %w", err)
	}
	s.master = os.NewFile(uintptr(fd), "terminal")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("unlocking the terminal: %w", err)
	}
	peer, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if e != 0 {
		return fmt.Errorf("opening the program's end of the terminal: %w", e)
	}
	s.pass[0], s.own[0] = os.NewFile(peer, "terminal"), true
	s.pass[1], s.pass[2] = s.pass[0], s.pass[0]
	if err := resize(s.master, *c.Terminal); err != nil {
		return err
	}
	if owner >= 0 {
		if err := unix.Fchown(int(peer), owner, owner); err != nil {
			return fmt.Errorf("handing over the terminal: %w", err)
		}
	}
	// Reading ends with EIO once the program's end is closed everywhere.
	s.out[0] = &collector{from: s.master, to: c.Stdout, limit: c.Limits.Output}
	if c.Stdin != nil {
		go func() { _, _ = io.Copy(s.master, c.Stdin) }()
	}
	return nil
}

func resize(master *os.File, size sandbox.WindowSize) error {
	conn, err := master.SyscallConn()
	if err != nil {
		return fmt.Errorf("resizing the terminal: %w", err)
	}
	cerr := conn.Control(func(fd uintptr) {
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Columns})
	})
	if cerr != nil {
		return nil // the run is over, and with it the terminal
	}
	if err != nil {
		return fmt.Errorf("resizing the terminal: %w", err)
	}
	return nil
}
