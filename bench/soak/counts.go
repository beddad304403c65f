package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// counts are what must not grow.
type counts struct {
	descriptors, processes, goroutines, mounts, groups, files int64
	slotDescriptors, slotMounts                               int64 // of the processes of slots
	diskBytes, resident, slotResident                         int64
}

// figure is one of the counts; slack is how much it may grow.
type figure struct {
	name         string
	value, slack int64
}

func (c counts) figures() []figure {
	const kept = 4096 // KiB that the allocator of one process may keep, of memory that it was once asked for
	return []figure{
		{"descriptors", c.descriptors, 0},
		{"descriptors of slots", c.slotDescriptors, 0},
		{"processes", c.processes, 0},
		{"goroutines", c.goroutines, 0},
		{"mounts", c.mounts, 0},
		{"mounts of slots", c.slotMounts, 0},
		{"control groups", c.groups, 0},
		{"files in the run folder", c.files, 0},
		{"bytes in the run folder", c.diskBytes, 0},
		{"resident KiB", c.resident, kept},
		{"resident KiB of slots", c.slotResident, kept * c.processes},
	}
}

// read counts for this process, all below it, and the run folder.
func read(runDir string) (c counts, err error) {
	self := os.Getpid()
	if c.descriptors, err = entries("/proc/self/fd"); err != nil {
		return c, err
	}
	if c.mounts, err = lines("/proc/self/mountinfo"); err != nil {
		return c, err
	}
	if c.resident, err = residentKiB(self); err != nil {
		return c, err
	}
	c.goroutines = int64(runtime.NumGoroutine())
	children, err := descendants(self)
	if err != nil {
		return c, err
	}
	c.processes = int64(len(children))
	for _, pid := range children {
		fds, err := entries(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return c, err
		}
		mounts, err := lines(fmt.Sprintf("/proc/%d/mountinfo", pid))
		if err != nil {
			return c, err
		}
		resident, err := residentKiB(pid)
		if err != nil {
			return c, err
		}
		c.slotDescriptors += fds
		c.slotMounts += mounts
		c.slotResident += resident
	}
	if c.groups, err = groups(children); err != nil {
		return c, err
	}
	err = filepath.WalkDir(runDir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		c.files++
		c.diskBytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		return nil
	})
	return c, err
}

func entries(folder string) (int64, error) {
	list, err := os.ReadDir(folder)
	return int64(len(list)), err
}

func lines(file string) (int64, error) {
	text, err := os.ReadFile(file)
	return int64(bytes.Count(text, []byte("\n"))), err
}

// residentKiB is the resident memory of a process.
func residentKiB(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm of process %d: %q", pid, text)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()) / 1024, err
}

// descendants are all processes below one, zombies included.
func descendants(pid int) ([]int, error) {
	var all []int
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	for _, file := range tasks {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the thread has ended
		} else if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			below, err := descendants(child)
			if err != nil {
				return nil, err
			}
			all = append(all, child)
			all = append(all, below...)
		}
	}
	return all, nil
}

// groups counts the control groups next to those of the slots, in every hierarchy, and all below.
func groups(slots []int) (int64, error) {
	var parents []string
	for _, pid := range slots {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
			if len(parts) == 3 && strings.Contains(parts[2], "assay-") {
				parent := filepath.Join("/sys/fs/cgroup", strings.TrimPrefix(parts[1], "name="), filepath.Dir(parts[2]))
				parents = append(parents, parent)
			}
		}
	}
	slices.Sort(parents)
	count := int64(0)
	for _, parent := range slices.Compact(parents) {
		err := filepath.WalkDir(parent, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				count++
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	if count == 0 && len(slots) > 0 {
		return 0, errors.New("the control groups of the slots were not found")
	}
	return count, nil
}
