package linux

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox"
)

// streams are the driver's ends of a run's fds 0 to 2.
type streams struct {
	pass   [3]*os.File // what the program gets
	own    [3]bool     // pass[i] was made here and is closed once it has been sent
	feed   *os.File    // write end of the program's input
	master *os.File    // of the terminal
	out    [2]*collector
	copies sync.WaitGroup // of the collectors
}

// collector copies one stream to its writer, up to the limit.
type collector struct {
	from      *os.File
	to        io.Writer
	limit     int64
	over      func() // called once when more than the limit came
	fail      func() // called once when the writer failed
	delivered int64
	truncated bool
	err       error // of the writer
}

// openStreams makes what a command's streams need; owner is the program's id on the host, see openTerminal. The run starts copying only when it was sent.
func openStreams(c *sandbox.Command, owner int) (_ *streams, err error) {
	s := &streams{}
	defer func() {
		if err != nil {
			s.closeAll()
		}
	}()
	if c.Terminal != nil {
		return s, s.openTerminal(c, owner)
	}
	if err := s.openInput(c.Stdin); err != nil {
		return s, err
	}
	for i, w := range []io.Writer{c.Stdout, c.Stderr} {
		if f, ok := w.(*os.File); ok {
			if err := makeBlocking(f); err != nil {
				return s, err
			}
			s.pass[i+1] = f
			continue
		}
		r, p, err := pipe(unix.O_NONBLOCK, 0)
		if err != nil {
			return s, err
		}
		s.pass[i+1], s.own[i+1] = p, true
		s.out[i] = &collector{from: r, to: w, limit: c.Limits.Output}
	}
	return s, nil
}

// openInput prepares fd 0.
func (s *streams) openInput(in io.Reader) error {
	switch in := in.(type) {
	case nil:
		f, err := os.Open(os.DevNull)
		if err != nil {
			return fmt.Errorf("opening an empty input: %w", err)
		}
		s.pass[0], s.own[0] = f, true
	case *os.File:
		s.pass[0] = in
		return makeBlocking(in)
	case *bytes.Reader:
		f, err := sealedFile(in)
		if err != nil {
			return err
		}
		s.pass[0], s.own[0] = f, true
	default:
		r, w, err := pipe(0, unix.O_NONBLOCK)
		if err != nil {
			return err
		}
		s.pass[0], s.own[0], s.feed = r, true, w
		go func() {
			// A program need not read its input: that the other end is closed is no error.
			_, _ = io.Copy(w, in)
			_ = w.Close()
		}()
	}
	return nil
}

// makeBlocking clears the mode that Go gives the files of os.Pipe, for which no program is prepared.
func makeBlocking(f *os.File) error {
	fd, err := rawFD(f)
	if err != nil {
		return err
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_NONBLOCK != 0 {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		return fmt.Errorf("handing over %s: %w", f.Name(), err)
	}
	return nil
}

// pipe makes a pipe whose ends are blocking or not as asked for. The mode belongs to an end, so what a program does to its
// own does not reach the driver's (pipe(2), fcntl(2)).
func pipe(readMode, writeMode int) (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	// A program may open its streams anew, by the names /dev/stdin, /dev/stdout and /dev/stderr: a new open asks for the
	// permissions of the pipe, which would be its maker's alone (pipe(7), proc_pid_fd(5)).
	err = unix.Fchmod(fds[0], 0o666)
	if readMode != 0 {
		err = errors.Join(err, unix.SetNonblock(fds[0], true))
	}
	if writeMode != 0 {
		err = errors.Join(err, unix.SetNonblock(fds[1], true))
	}
	if err != nil {
		closeAll(fds[:])
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}

// sealedFile holds what is left of r in memory, so that nobody can change it, the program included (memfd_create(2)).
func sealedFile(r *bytes.Reader) (*os.File, error) {
	fd, err := unix.MemfdCreate("input", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("making an input file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "input")
	if _, err := r.WriteTo(f); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the input file: %w", err), f.Close())
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	if err == nil {
		_, err = unix.Seek(fd, 0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sealing the input file: %w", err), f.Close())
	}
	return f, nil
}

// sent closes the program's ends and starts to copy.
func (s *streams) sent() {
	s.closeOwn()
	for _, c := range s.out {
		if c != nil {
			s.copies.Add(1)
			go func() {
				defer s.copies.Done()
				c.copy()
			}()
		}
	}
}

func (s *streams) closeOwn() {
	for i, own := range s.own {
		if own {
			_ = s.pass[i].Close()
			s.own[i] = false
		}
	}
}

// closeAll lets go of everything, for a run that was never sent.
func (s *streams) closeAll() {
	s.closeOwn()
	for _, c := range s.out {
		if c != nil {
			_ = c.from.Close()
		}
	}
	if s.feed != nil {
		_ = s.feed.Close()
	}
	if s.master != nil {
		_ = s.master.Close()
	}
}

// drain takes what is still in the streams. Every process of the run is gone, so nothing can come any more; but the slot
// may still hold the other ends, so their end need not come either.
func (s *streams) drain() {
	if s.feed != nil {
		_ = s.feed.Close() // ends the copy of an input that was not read to its end
	}
	for _, c := range s.out {
		if c != nil {
			_ = c.from.SetReadDeadline(past) // closed already is fine
		}
	}
	s.copies.Wait()
	for _, c := range s.out {
		if c != nil {
			c.rest()
			_ = c.from.Close()
		}
	}
}

// past is a deadline that makes a waiting read return.
var past = time.Unix(1, 0)

// copy reads while the program runs, until the end of the stream or a deadline.
func (c *collector) copy() {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := c.from.Read(*buf)
		c.take((*buf)[:n])
		if err != nil {
			return
		}
	}
}

// rest reads what is there without waiting.
func (c *collector) rest() {
	conn, err := c.from.SyscallConn()
	if err != nil {
		return
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	_ = conn.Control(func(fd uintptr) {
		for {
			n, err := unix.Read(int(fd), *buf)
			if n > 0 {
				c.take((*buf)[:n])
			} else if err != unix.EINTR {
				return // the end, EAGAIN, or EIO of a terminal
			}
		}
	})
}

// take delivers what fits the limit. It drops the rest rather than leave a writer waiting while it is being killed.
func (c *collector) take(p []byte) {
	fits := min(int64(len(p)), c.limit-c.delivered)
	c.delivered += fits
	if fits > 0 && c.to != nil && c.err == nil {
		if _, c.err = c.to.Write(p[:fits]); c.err != nil {
			c.fail()
		}
	}
	if fits < int64(len(p)) && !c.truncated {
		c.truncated = true
		c.over()
	}
}

// buffers are reused between streams: a page for each read of a short output, up to a pipe's capacity.
var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}
