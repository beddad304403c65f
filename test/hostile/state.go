package hostile

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// read takes the present state of the host.
func (h *Host) read() (state, error) {
	s := state{}
	var err error
	if s["mounts"], err = mountPoints(); err != nil {
		return nil, err
	}
	if s["processes"], err = descendants(os.Getpid()); err != nil {
		return nil, err
	}
	if s["sysv_ipc"], err = ipcObjects(); err != nil {
		return nil, err
	}
	if s["cgroups"], err = h.groups(); err != nil {
		return nil, err
	}
	return s, nil
}

// mountPoints lists the mounts of this process's namespace.
func mountPoints() ([]string, error) {
	return lines("/proc/self/mountinfo", func(fields []string) string {
		if len(fields) < 5 {
			return ""
		}
		return fields[4]
	})
}

// ipcObjects lists the System V objects of this process's namespace, by kind, key and id.
func ipcObjects() ([]string, error) {
	var all []string
	for _, kind := range []string{"shm", "sem", "msg"} {
		found, err := lines("/proc/sysvipc/"+kind, func(fields []string) string {
			if len(fields) < 2 || fields[0] == "key" {
				return ""
			}
			return kind + " " + fields[0] + " " + fields[1]
		})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// lines gives what pick makes of each line of a file; "" is left out.
func lines(path string, pick func(fields []string) string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the host's state: %w", err)
	}
	defer f.Close()
	var out []string
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if entry := pick(strings.Fields(sc.Text())); entry != "" {
			out = append(out, entry)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return out, nil
}

// descendants lists the names of all processes below a process, whatever pid namespace they are in. Names and not
// numbers: a slot that was replaced has other numbers.
func descendants(root int) ([]string, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	type process struct {
		name   string
		parent int
	}
	all := map[int]process{}
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		// The name stands in brackets and may hold any character.
		open, end := strings.IndexByte(string(data), '('), strings.LastIndexByte(string(data), ')')
		fields := strings.Fields(string(data[end+1:]))
		pid, err := strconv.Atoi(strings.TrimSpace(string(data[:max(open, 0)])))
		if err != nil || open < 0 || end < open || len(fields) < 2 || fields[0] == "Z" {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		all[pid] = process{string(data[open+1 : end]), parent}
	}
	var names []string
	for pid, p := range all {
		for up, ok := p, true; ok; up, ok = all[up.parent] {
			if up.parent == root && pid != root {
				names = append(names, p.name)
				break
			}
		}
	}
	return names, nil
}
