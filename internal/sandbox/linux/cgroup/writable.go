package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Writable reports why this process cannot make p's groups. Who is not root can in a group that was handed over as a whole: the
// folder, and the files by which processes are moved and controllers turned on (cgroup-v2.rst, "Delegation").
func Writable(p Parent) error {
	for _, path := range p.Paths() {
		home := filepath.Dir(path)
		for _, file := range []string{home, filepath.Join(home, "cgroup.procs"), filepath.Join(home, "cgroup.subtree_control")} {
			err := unix.Faccessat(unix.AT_FDCWD, file, unix.W_OK, unix.AT_EACCESS)
			if err != nil && (file == home || !errors.Is(err, fs.ErrNotExist)) {
				return fmt.Errorf("version %d, %s is not writable: %w", p.Version(), file, err)
			}
		}
	}
	return nil
}
