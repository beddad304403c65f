package stub

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// residentFile is how much of this process's memory is mapped files, in KiB (proc_pid_status(5)).
func residentFile(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("no RssFile in %s", b)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestShrink: file pages go, and the process goes on: those of a dynamically linked binary that hold relocations stay.
func TestShrink(t *testing.T) { //nolint:paralleltest // other tests would bring pages back
	before := residentFile(t)
	shrink()
	if after := residentFile(t); after >= before {
		t.Errorf("%d KiB of files before, %d after", before, after)
	}
}
