package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mounts are the hierarchies of this host, each at the group that this process is in.
type mounts struct {
	unified *hierarchy
	legacy  map[string]*hierarchy // by controller
}

// hierarchy is one mounted hierarchy.
type hierarchy struct {
	own         string   // folder of the group that this process is in
	top         string   // the outermost group that can be seen
	readOnly    bool     // the mount is
	controllers []string // that groups below home can have
}

// better reports whether a mount shows the hierarchy better than the one found before it, if any: it lies on top of that, or
// can be written to while that cannot. Containers have their own group read-only, and perhaps another mount beside it or on
// top.
func (h *hierarchy) better(old *hierarchy) bool {
	return old == nil || h.top == old.top || old.readOnly && !h.readOnly
}

func (h *hierarchy) has(controller string) bool {
	for _, c := range h.controllers {
		if c == controller {
			return true
		}
	}
	return false
}

// findMounts reads which hierarchies there are and where this process is in them (cgroups(7), proc_pid_cgroup(5),
// proc_pid_mountinfo(5)).
func findMounts() (*mounts, error) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("finding the own cgroup: %w", err)
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("finding cgroup mounts: %w", err)
	}
	m := parseMounts(string(groups), string(info))
	if m.unified != nil {
		if b, err := os.ReadFile(filepath.Join(m.unified.home(), "cgroup.controllers")); err == nil {
			m.unified.controllers = strings.Fields(string(b))
		}
	}
	return m, nil
}

// parseMounts joins the two files: a group's path is relative to the hierarchy's root, and a mount may show only a part.
func parseMounts(groups, mountinfo string) *mounts {
	paths := map[string]string{} // controller, or "" for version 2, to path
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for c := range strings.SplitSeq(parts[1], ",") {
			paths[c] = parts[2]
		}
	}
	m := &mounts{legacy: map[string]*hierarchy{}}
	for line := range strings.Lines(mountinfo) {
		before, after, found := strings.Cut(strings.TrimSpace(line), " - ")
		fields, tail := strings.Fields(before), strings.Fields(after)
		if !found || len(fields) < 6 || len(tail) < 3 {
			continue
		}
		root, point := unescape(fields[3]), unescape(fields[4])
		readOnly := hasOption(fields[5], "ro") || hasOption(tail[2], "ro")
		// at is the hierarchy as this mount shows it, or nil when it does not show the own group.
		at := func(controller string) *hierarchy {
			path, ok := paths[controller]
			if !ok {
				return nil
			}
			own, ok := below(point, root, path)
			if !ok {
				return nil
			}
			return &hierarchy{own: own, top: point, readOnly: readOnly}
		}
		switch tail[0] {
		case "cgroup2":
			if h := at(""); h != nil && h.better(m.unified) {
				m.unified = h
			}
		case "cgroup":
			for c := range strings.SplitSeq(tail[2], ",") {
				if h := at(c); h != nil && h.better(m.legacy[c]) {
					h.controllers = []string{c}
					m.legacy[c] = h
				}
			}
		}
	}
	return m
}

// hasOption looks for a word in a list of mount options.
func hasOption(options, word string) bool {
	return slices.Contains(strings.Split(options, ","), word)
}

// below maps a group's path to a folder, given a mount that shows the hierarchy from root on.
func below(point, root, path string) (string, bool) {
	if root == "/" {
		return filepath.Join(point, path), true
	}
	if path == root {
		return point, true
	}
	if rest, ok := strings.CutPrefix(path, root+"/"); ok {
		return filepath.Join(point, rest), true
	}
	return "", false
}

// unescape undoes mountinfo's octal escapes of blank, tab, newline and backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
