package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// statLine is a /proc/PID/stat.
func statLine(pid int, name, state string, parent, started int) *fstest.MapFile {
	return &fstest.MapFile{Data: fmt.Appendf(nil, "%d (%s) %s %d 1 1 0 -1 4194304 %s%d 0 0\n", pid, name, state, parent, strings.Repeat("0 ", 12), started)}
}

func TestReaper(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"1/stat":   statLine(1, "assay", "S", 0, 5),
		"20/stat":  statLine(20, "orphan", "Z", 1, 100),
		"21/stat":  statLine(21, "odd) Z 1 (name", "Z", 1, 101),
		"22/stat":  statLine(22, "busy", "R", 1, 102),
		"23/stat":  statLine(23, "of another", "Z", 22, 103),
		"24/stat":  {Data: []byte("24 (cut")},
		"self/x":   {},
		"25/other": {},
	}
	var waited []int
	r := &reaper{files: files, self: 1, wait: func(pid int) { waited = append(waited, pid) }}
	if r.look(); len(waited) > 0 {
		t.Errorf("waited for %v at the first look", waited)
	}
	files["20/stat"] = statLine(20, "another with the same number", "Z", 1, 200)
	if r.look(); !slices.Equal(waited, []int{21}) {
		t.Errorf("waited for %v at the second look", waited)
	}
	delete(files, "21/stat")
	if r.look(); !slices.Equal(waited, []int{21, 20}) {
		t.Errorf("waited for %v in the end", waited)
	}
}

func FuzzDeadChild(f *testing.F) {
	f.Add([]byte("20 (a) Z 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 0 0 0 0 0 77 0"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, stat []byte) {
		if started, ok := deadChild(stat, 1); ok == (started == "") {
			t.Errorf("%q: %q, %t", stat, started, ok)
		}
	})
}
