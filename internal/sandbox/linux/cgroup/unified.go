package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unifiedParent is an instance's group on version 2 (Documentation/admin-guide/cgroup-v2.rst).
type unifiedParent struct {
	home        string // the group that it lies in
	dir         string
	controllers []string
}

// supervisor is the leaf that assay moves itself into where its own group must have no processes, since only a group without
// them may have limited ones.
const supervisor = "assay-supervisor"

// findUnified chooses the group that this process is in, if that can have limited groups below it. It cannot once others
// are in it, who are not ours to move: a login session is such a group. Then the choice is the one around it, which has the
// controllers on, or else they would not be here.
func findUnified(h *hierarchy, name string) (Parent, error) {
	p := &unifiedParent{home: h.own, controllers: []string{"memory", "pids"}}
	if h.has("cpu") {
		p.controllers = append(p.controllers, "cpu")
	}
	switch missing, err := missing(h.own, p.controllers); {
	case filepath.Base(h.own) == supervisor:
		// An instance started from another's service finds itself in the leaf: its groups go beside it.
		p.home = h.home()
	case err != nil:
		return nil, err
	case len(missing) == 0 || isRoot(h.own) || alone(h.own):
	case h.own != h.top:
		p.home = filepath.Dir(h.own)
	default:
		return nil, fmt.Errorf("%w: %s has processes beside assay, so no group below it can have limits", ErrNotAlone, h.own)
	}
	p.dir = filepath.Join(p.home, name)
	return p, nil
}

// home is the group that this process would be in without the leaf.
func (h *hierarchy) home() string {
	if filepath.Base(h.own) == supervisor {
		return filepath.Dir(h.own)
	}
	return h.own
}

// settledMounts is findMounts at a moment when no instance is on its way into the leaf or out of it: several of one process
// may be, and halfway the leaf has no controllers, and the group around it nobody in it. Until unlock, none is.
func settledMounts() (m *mounts, unlock func(), err error) {
	for {
		m, err = findMounts()
		if err != nil || m.unified == nil {
			return m, func() {}, err
		}
		home := m.unified.home()
		unlock, err = lock(home)
		if err != nil {
			return m, func() {}, nil // what is wrong with the group is for the caller to find
		}
		if m, err = findMounts(); err == nil && m.unified != nil && m.unified.home() == home {
			return m, unlock, nil
		}
		unlock()
	}
}

// isRoot reports whether a group is the hierarchy's own root, which may have both processes and limited groups.
func isRoot(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.type"))
	return errors.Is(err, fs.ErrNotExist)
}

// alone reports whether this process is the only one in a group.
func alone(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	return err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(os.Getpid())
}

func (p *unifiedParent) Make() error {
	unlock, err := lock(p.home)
	if err != nil {
		return err
	}
	defer unlock()
	if alone(p.home) {
		if err := moveSelf(filepath.Join(p.home, supervisor)); err != nil {
			return err
		}
	}
	if err := enable(p.home, p.controllers); err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		return fmt.Errorf("making the instance's group: %w", err)
	}
	if err := enable(p.dir, p.controllers); err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return nil
}

// missing lists which controllers are not turned on for the groups below dir.
func missing(dir string, controllers []string) ([]string, error) {
	on, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return nil, fmt.Errorf("reading the controllers of %s: %w", dir, err)
	}
	var off []string
	for _, c := range controllers {
		if !slices.Contains(strings.Fields(string(on)), c) {
			off = append(off, c)
		}
	}
	return off, nil
}

// enable turns controllers on for the groups below dir. All in one write, so that a refused memory controller also keeps
// the threaded ones off, which would change the group's type (cgroup-v2.rst, "Threads").
func enable(dir string, controllers []string) error {
	off, err := missing(dir, controllers)
	if err != nil || len(off) == 0 {
		return err
	}
	text := "+" + strings.Join(off, " +")
	if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(text), 0); err != nil {
		return fmt.Errorf("turning on %s for the groups below %s: %w", text, dir, err)
	}
	return nil
}

func moveSelf(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making a leaf for assay itself: %w", err)
	}
	if err := join(dir); err != nil {
		return fmt.Errorf("moving assay into a leaf: %w", err)
	}
	return nil
}

func join(dir string) error { return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0) }

func (p *unifiedParent) Version() int     { return 2 }
func (p *unifiedParent) HasCPURate() bool { return slices.Contains(p.controllers, "cpu") }
func (p *unifiedParent) Paths() []string  { return []string{p.dir} }

func (p *unifiedParent) Close() error {
	if err := removeTree(p.dir); err != nil {
		return err
	}
	leaf := filepath.Join(p.home, supervisor)
	if !alone(leaf) {
		return nil
	}
	unlock, err := lock(p.home)
	if err != nil {
		return err
	}
	defer unlock()
	if disable(p.home) && join(p.home) == nil {
		_ = unix.Rmdir(leaf) // nobody minds an empty group
	}
	return nil
}

// lock keeps other instances from moving and from turning controllers on or off in a group meanwhile.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("opening a group: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if err != unix.EINTR {
			return nil, errors.Join(fmt.Errorf("locking the group %s: %w", dir, err), f.Close())
		}
	}
}

// disable undoes enable for a group that has no other below it than the leaf, and reports whether it could.
func disable(home string) bool {
	entries, err := os.ReadDir(home)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != supervisor {
			return false
		}
	}
	on, err := os.ReadFile(filepath.Join(home, "cgroup.subtree_control"))
	if err != nil {
		return false
	}
	var text string
	for _, c := range strings.Fields(string(on)) {
		text += "-" + c + " "
	}
	return text == "" || os.WriteFile(filepath.Join(home, "cgroup.subtree_control"), []byte(text), 0) == nil
}

// removeLeaf removes the leaf that a dead instance left beside its group, once that is empty.
func removeLeaf(group string) error {
	home := filepath.Dir(group)
	leaf := filepath.Join(home, supervisor)
	if _, err := os.Stat(leaf); err != nil {
		return nil
	}
	unlock, err := lock(home)
	if err != nil {
		return err
	}
	defer unlock()
	if unix.Rmdir(leaf) == nil { // the kernel refuses while anybody is in it
		disable(home)
	}
	return nil
}
