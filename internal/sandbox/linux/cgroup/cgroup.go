// Package cgroup makes, limits, reads and removes the control groups of slots, on version 1 and version 2, found at start.
//
// Each slot has one group, kept from run to run: making groups is slow, and deleted ones linger in the kernel. A run begins with
// Prepare, which sets the limits; all that is read afterwards is a difference.
//
// On version 2 a program is cloned into its group, which holds nothing else; init and stub have one beside it
// (unified_group.go). On version 1 there is no such clone. There the
// thread that makes all runs of a slot joins the groups of CPU time and processes once, and what it makes inherits them; what
// init and stub use is read and taken off. The group of memory is joined by each program's process before its execve:
// its out-of-memory killer must find nobody else. Whoever joins does so by itself, as a thread: moving another process takes
// milliseconds when that was not done for a while, for the kernel then waits until nobody forks
// (cgroup_procs_write_start, kernel/cgroup/cgroup.c).
//
// All groups of an instance lie below one group of its own, which lies below the group that assay was started in. No other group
// is written to, but for version 2's rule that a group with controllers has no processes of its own: there assay moves
// itself, and only itself, into a leaf beside the slots. Where others are in its group, its instance's group lies beside
// theirs.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits are the limits that a group enforces.
type Limits struct {
	Memory     int64 // bytes; no swap beyond it
	Processes  int   // processes and threads
	CPUPercent int   // 100 is one core; 0 is no rate
}

// Start is what the run's own processes have read: counters at the program's execve and, in those behind the blank line, what the kernel
// told at the end of what was waited for, which a group has no need of.
type Start struct {
	CPU    int64 // version 1: the group's CPU time; version 2: what was used of it before the execve; nanoseconds
	Memory int64 // version 1: bytes in the group

	Waited   int64 // CPU time from clone on, nanoseconds
	Resident int64 // largest resident set of a process, bytes; that of the slot's init may be larger
	Touched  int64 // memory that the program's first process touched, bytes
	Files    int64 // what the run's files took, bytes, those that it was given included
}

// Counters are what a run used of its group, since its Start.
type Counters struct {
	CPUTime      time.Duration
	MemoryPeak   int64 // bytes
	MemoryHit    bool  // the group's own limit was hit, and a process was killed or an allocation refused for it
	HostOOM      bool  // a process was killed by an out-of-memory killer though the group was below its limit
	ForkFailures int64 // forks refused by the limit on processes
}

// Group is the control group of one slot. Only CPUTime and Memory are safe for concurrent use.
type Group interface {
	// JoinFiles are, on version 1, the files to which the thread that makes all runs writes "0" once: those in always at
	// the start, rate before the first run with a CPU rate (nil without that controller). On version 2 always is one file,
	// which the init uses after it has made its group namespace in Home.
	JoinFiles() (always []*os.File, rate *os.File)
	// StubFiles are, on version 1, the files that a run's own processes use at its execve and end: the one to join the group
	// of memory, the CPU time, the memory, and the peak of memory, which is reset. On version 2 there are none.
	StubFiles() []*os.File
	// Home is the group to start the slot's init in (version 2), or nil.
	Home() *os.File
	// Ready is called once the init has joined what it has to, before the first Prepare.
	Ready() error
	// Dir is the group to clone the next run into (version 2), or nil. It may change with each Prepare.
	Dir() *os.File
	// Prepare sets the limits of the next run.
	Prepare(Limits) error
	// CPUTime is the CPU time since Prepare, which may be a little more than the program's.
	CPUTime() (time.Duration, error)
	// Memory is what the group holds now, in bytes.
	Memory() (int64, error)
	// Counters reads what the run used. Nothing may be left in the group.
	Counters(Start) (Counters, error)
	// Close kills whatever is in the group and removes it.
	Close() error
}

// Parent is the one group of an instance that all its slots' groups lie below.
type Parent interface {
	// New makes the group of a slot. owner is the host's user id of the slot's init. Where the kernel kills only one process of a group that is out of memory, oom is
	// called then, so that the caller ends the run; never once Counters has returned.
	New(name string, owner int, oom func()) (Group, error)
	// Paths are the folders of this group, to be removed by a later instance if this one dies.
	Paths() []string
	// Make makes the group.
	Make() error
	// Version is 1 or 2.
	Version() int
	// HasCPURate reports whether Limits.CPUPercent can be enforced.
	HasCPURate() bool
	// Close removes the group. All slots' groups must be closed.
	Close() error
}

// ErrMissing is wrapped by errors that say which controller cannot be had.
var ErrMissing = errors.New("cgroup controller is missing")

// ErrNotAlone is wrapped by the error that the group which assay was started in holds processes that are not assay's to move,
// on version 2, and that there is no group around it.
var ErrNotAlone = errors.New("the control group is shared")

// Find chooses where the instance's group will be: on version 2 where that has the memory and pids controllers, else on
// version 1. It changes nothing.
func Find(name string) (Parent, error) {
	mounts, unlock, err := settledMounts()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if mounts.unified != nil && mounts.unified.has("memory") && mounts.unified.has("pids") {
		return findUnified(mounts.unified, name)
	}
	return findLegacy(mounts, name)
}

// Remove removes groups that a dead instance left, with what is in them, children first. Groups that are gone already are no error.
func Remove(paths []string) error {
	var failed error
	for _, p := range paths {
		if err := removeTree(p); err != nil {
			failed = errors.Join(failed, err)
		}
		failed = errors.Join(failed, removeLeaf(p))
	}
	return failed
}

func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing cgroup %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return removeGroup(dir)
}

// removeGroup kills what is in a group and removes it. A dying process may hold the group for a moment, so it tries for
// some seconds before it gives up.
func removeGroup(dir string) error {
	const tries = 200
	wait := 100 * time.Microsecond
	for i := 0; ; i++ {
		err := unix.Rmdir(dir)
		if err == nil || err == unix.ENOENT {
			return nil
		}
		if err != unix.EBUSY || i == tries {
			return fmt.Errorf("removing cgroup %s: %w", dir, err)
		}
		if err := killAll(dir); err != nil {
			return err
		}
		time.Sleep(wait)
		wait = min(wait*2, 50*time.Millisecond)
	}
}

// killAll ends every process of a group.
func killAll(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); err == nil {
		return nil // version 2, Linux 5.14
	}
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil // gone
	}
	for pid := range strings.FieldsSeq(string(b)) {
		// 0 is a process of another pid namespace: never pass that to kill, it would mean the own process group.
		if n, err := strconv.Atoi(pid); err == nil && n > 1 {
			_ = unix.Kill(n, unix.SIGKILL)
		}
	}
	return nil
}

// counterFile is an open file of a group that holds numbers.
type counterFile struct {
	f *os.File
}

func openCounter(dir, name string, flag int) (counterFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), flag, 0)
	if err != nil {
		return counterFile{}, fmt.Errorf("opening the group's %s: %w", name, err)
	}
	return counterFile{f}, nil
}

// wanted is one file of a group that is to be opened.
type wanted struct {
	to        *counterFile
	dir, name string
	flag      int
	optional  bool // it may not be there
}

func openCounters(list []wanted) error {
	for _, w := range list {
		c, err := openCounter(w.dir, w.name, w.flag)
		if err != nil {
			if w.optional && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return err
		}
		*w.to = c
	}
	return nil
}

func (c counterFile) close() {
	if c.f != nil {
		_ = c.f.Close()
	}
}

// read gives the file's content; buf must be large enough for it.
func (c counterFile) read(buf []byte) ([]byte, error) {
	for {
		n, err := unix.Pread(int(c.f.Fd()), buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", c.f.Name(), err)
		}
		return bytes.TrimSpace(buf[:n]), nil
	}
}

// number reads a file with one number in it.
func (c counterFile) number() (int64, error) {
	var buf [32]byte
	b, err := c.read(buf[:])
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", c.f.Name(), err)
	}
	return n, nil
}

// field reads the number behind a key of a file of "key number" lines; 0 when the key is not there.
func (c counterFile) field(key string) (int64, error) {
	var buf [4096]byte
	b, err := c.read(buf[:])
	if err != nil {
		return 0, err
	}
	return field(b, key), nil
}

func field(b []byte, key string) int64 {
	for line := range bytes.Lines(b) {
		k, v, found := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if found && string(k) == key {
			n, err := strconv.ParseInt(string(v), 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

func (c counterFile) write(text string) error {
	for {
		_, err := unix.Pwrite(int(c.f.Fd()), []byte(text), 0)
		if err == unix.EINTR {
			continue // lowering a memory limit gives up when a signal comes, the runtime's own among them
		}
		if err != nil {
			return fmt.Errorf("writing %q to %s: %w", text, c.f.Name(), err)
		}
		return nil
	}
}

func (c counterFile) set(n int64) error { return c.write(strconv.FormatInt(n, 10)) }
