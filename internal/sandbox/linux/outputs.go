package linux

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox"
)

// Bounds on what is collected from a working folder: a program can leave what it likes there.
const (
	maxOutputs     = 4096
	maxOutputDepth = 64
)

// errScratch is wrapped when the host could not take an output file: the slot is as good as before.
var errScratch = errors.New("copying an output file")

// collect opens the files below dir that match a pattern. The program is dead but wrote every name here, so no path is ever
// resolved freely: openat2 keeps each step beneath the folder and follows no link (openat2(2), RESOLVE_*), and
// only regular files count. "**" in a pattern stands for any number of folders.
//
// Together they have at most most bytes, holes included: a file without blocks can be as long as the limit on files, and
// there can be thousands. What goes beyond is left out. Each file is copied to scratch, since what stays open of the run's tmpfs would count for the next run of the slot.
func collect(dir int, patterns []string, most int64, scratch string) ([]sandbox.Output, error) {
	names, err := list(dir, "", 0, nil)
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var out []sandbox.Output
	for _, name := range names {
		if !matchAny(patterns, name) {
			continue
		}
		f, err := openBeneath(dir, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
		if err != nil {
			if skippable(err) {
				continue
			}
			return closeOutputs(out), fmt.Errorf("opening an output file: %w", err)
		}
		o, err := takeOut(f, name, most, scratch)
		_ = f.Close()
		if err != nil {
			return closeOutputs(out), fmt.Errorf("%w: %w", errScratch, err)
		}
		if o != nil {
			most -= o.Size
			out = append(out, *o)
		}
	}
	return out, nil
}

// takeOut copies a regular file to an unnamed one; anything else, and a file of more than most bytes, gives nil.
func takeOut(from *os.File, name string, most int64, scratch string) (*sandbox.Output, error) {
	info, err := from.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return nil, nil
	}
	to, err := os.CreateTemp(scratch, "output-")
	if err != nil {
		return nil, err
	}
	err = os.Remove(to.Name())
	if err == nil {
		_, err = io.Copy(to, io.LimitReader(from, info.Size()))
	}
	if err == nil {
		_, err = to.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return &sandbox.Output{Name: name, Size: info.Size(), Mode: info.Mode().Perm(), File: to}, nil
}

func closeOutputs(out []sandbox.Output) []sandbox.Output {
	r := sandbox.Report{Outputs: out}
	r.CloseOutputs()
	return nil
}

// skippable reports errors that the program brought about: a link, a file without read permission, one that is gone.
func skippable(err error) bool {
	for _, e := range []error{unix.ELOOP, unix.EXDEV, unix.EACCES, unix.ENOENT, unix.ENXIO, unix.ENOTDIR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func openBeneath(dir int, name string, flags uint64) (*os.File, error) {
	for {
		fd, err := unix.Openat2(dir, name, &unix.OpenHow{
			Flags:   flags | unix.O_CLOEXEC | unix.O_NOFOLLOW,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
		})
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if err != unix.EINTR && err != unix.EAGAIN {
			return nil, err
		}
	}
}

// list gives the names of all files below a folder, up to the bounds.
func list(dir int, prefix string, depth int, names []string) ([]string, error) {
	name := prefix
	if name == "" {
		name = "."
	}
	f, err := openBeneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		// Without root, the driver enters only what the program left open to its own user.
		if skippable(err) && (prefix != "" || errors.Is(err, unix.EACCES)) {
			return names, nil
		}
		return nil, fmt.Errorf("reading the working folder: %w", err)
	}
	defer f.Close()
	for len(names) < maxOutputs {
		entries, err := f.ReadDir(256)
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the working folder: %w", err)
		}
		for _, e := range entries {
			switch child := path.Join(prefix, e.Name()); {
			case e.Type() == fs.ModeDir && depth < maxOutputDepth:
				if names, err = list(dir, child, depth+1, names); err != nil {
					return nil, err
				}
			case e.Type().IsRegular() && len(names) < maxOutputs:
				names = append(names, child)
			}
		}
	}
	return names, nil
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if match(strings.Split(p, "/"), strings.Split(name, "/")) {
			return true
		}
	}
	return false
}

// match compares part by part; "**" takes any number of parts.
func match(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for len(pattern) > 1 && pattern[1] == "**" { // each more would multiply the ways to match
				pattern = pattern[1:]
			}
			for i := range len(name) + 1 {
				if match(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}
