package linux

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/fault"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux/stub"
)

// check refuses a command that cannot be run as it says.
func check(c *sandbox.Command) error {
	if err := c.Limits.Validate(); err != nil {
		return err
	}
	if len(c.Args) == 0 || c.Args[0] == "" {
		return fault.Invalidf("args", "name the program", "the argument list is empty")
	}
	for field, list := range map[string][]string{"args": c.Args, "env": c.Env} {
		for i, s := range list {
			if strings.ContainsRune(s, 0) {
				return fault.Invalidf(fmt.Sprintf("%s[%d]", field, i), "remove it", "contains a NUL byte")
			}
		}
	}
	for i, p := range c.Outputs {
		if _, err := path.Match(p, ""); err != nil {
			return fault.Invalidf(fmt.Sprintf("outputs[%d]", i), "escape brackets with a backslash, or close them", "%q is not a pattern", p)
		}
	}
	return checkFiles(c)
}

// checkFiles refuses files that cannot all be placed.
func checkFiles(c *sandbox.Command) error {
	seen := map[string]bool{}
	for i := range c.Files {
		if err := checkName(c.Files[i].Name); err != nil {
			return fault.Invalidf(fmt.Sprintf("files[%d].name", i), "give a relative path without . and ..", "%v", err)
		}
		if seen[c.Files[i].Name] {
			return fault.Invalidf(fmt.Sprintf("files[%d].name", i), "name each file once", "%q is there twice", c.Files[i].Name)
		}
		seen[c.Files[i].Name] = true
	}
	for _, dir := range parents(c.Files) {
		if seen[dir] {
			i := slices.IndexFunc(c.Files, func(f sandbox.File) bool { return f.Name == dir })
			return fault.Invalidf(fmt.Sprintf("files[%d].name", i), "choose another name", "%q is a folder of another file", dir)
		}
	}
	return nil
}

// placedBytes is what files take of the run's tmpfs: artifacts nothing, others whole pages.
func placedBytes(files []sandbox.File) int64 {
	const page = 4096
	sum := int64(0)
	for i := range files {
		if files[i].Artifact == nil {
			sum += (int64(len(files[i].Data)) + page - 1) / page * page
		}
	}
	return sum
}

// Bounds on names of files in the working folder: the kernel's (limits.h) for the whole, and a depth nobody needs more of.
const (
	maxPath  = 1024
	maxDepth = maxOutputDepth // what one run leaves another can be given
)

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > maxPath:
		return fmt.Errorf("is longer than %d bytes", maxPath)
	case strings.ContainsRune(name, 0):
		return errors.New("contains a NUL byte")
	case name != path.Clean(name) || path.IsAbs(name) || name == "." || name == ".." || strings.HasPrefix(name, "../"):
		return fmt.Errorf("%q is not a plain relative path", name)
	case strings.Count(name, "/") >= maxDepth:
		return fmt.Errorf("is deeper than %d folders", maxDepth)
	}
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > unix.NAME_MAX {
			return fmt.Errorf("has a part longer than %d bytes", unix.NAME_MAX)
		}
	}
	return nil
}

// request sends a command to the slot.
func (s *slot) request(c *sandbox.Command, pass [3]*os.File) error {
	q := stub.Request{
		Terminal: c.Terminal != nil, WorkDir: len(c.Outputs) > 0, Rate: c.Limits.CPUPercent > 0,
		Stack: uint64(c.Limits.Stack), FileSize: uint64(c.Limits.FileBytes),
		// Only a backstop, in whole seconds and for each process alone: the driver watches the group's CPU time. The kernel counts
		// for it by ticks, which on a virtual processor run a tenth and more ahead of the group's clock, so it is far behind.
		CPUSeconds: 2*uint64((c.Limits.CPUTime+time.Second-1)/time.Second) + 1,
		Args:       c.Args, Env: c.Env,
	}
	if s.sample != nil {
		q.Processes = uint64(c.Limits.Processes)
	}
	q.Dirs = parents(c.Files)
	for i := range c.Files {
		f := &c.Files[i]
		out := stub.RequestFile{Name: f.Name, Mode: uint32(f.Mode.Perm()), Data: f.Data}
		if out.Mode == 0 {
			out.Mode = 0o644
		}
		if f.Artifact != nil {
			out.Artifact, out.Data = path.Base(f.Artifact.Path), nil
		}
		q.Files = append(q.Files, out)
	}
	// What was placed is not the program's writing. Four inodes are the tmpfs's own folders.
	q.TmpfsBytes = uint64(c.Limits.FileBytes + placedBytes(c.Files))
	q.TmpfsNodes = uint64(c.Limits.FileCount + len(q.Files) + len(q.Dirs) + 4)
	return s.sendRequest(&q, pass)
}

// sendRequest sends a small request as it is and a large one in a file, with the descriptors that go with it.
func (s *slot) sendRequest(q *stub.Request, pass [3]*os.File) error {
	var fds [5]int
	n := 0
	group := s.group.Dir()
	q.CloneInto = group != nil
	s.packet = q.Append(s.packet[:0])
	packet := s.packet
	if len(packet) > stub.MaxInline {
		f, err := memoryFile("request", packet)
		if err != nil {
			return err
		}
		defer f.Close()
		s.packet, packet = nil, stub.BodyFileRequest() // a large buffer is not kept
		fds[n] = int(f.Fd())
		n++
	}
	if group != nil {
		fds[n] = int(group.Fd())
		n++
	}
	for _, f := range pass {
		fd, err := rawFD(f)
		if err != nil {
			return err
		}
		fds[n] = fd
		n++
	}
	return s.control.send(packet, fds[:n])
}

// rawFD gives a file's descriptor without changing its mode, as Fd would.
func rawFD(f *os.File) (int, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("passing %s: %w", f.Name(), err)
	}
	fd := -1
	if err := conn.Control(func(n uintptr) { fd = int(n) }); err != nil {
		return -1, fmt.Errorf("passing %s: %w", f.Name(), err)
	}
	return fd, nil
}

// parents lists the folders that files lie in, outer ones first.
func parents(files []sandbox.File) []string {
	var dirs []string
	seen := map[string]bool{}
	for i := range files {
		name := files[i].Name
		for j := range len(name) {
			if name[j] == '/' && !seen[name[:j]] {
				seen[name[:j]] = true
				dirs = append(dirs, name[:j])
			}
		}
	}
	return dirs
}
