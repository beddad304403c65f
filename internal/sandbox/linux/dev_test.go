package linux

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNodes: without CAP_SYS_ADMIN a slot gets nodes of its own from a folder, where they can be made and used.
func TestNodes(t *testing.T) {
	t.Parallel()
	var st unix.Statfs_t
	dir := t.TempDir()
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if st.Flags&unix.ST_NODEV != 0 {
		t.Fatalf("%s is mounted nodev: set TMPDIR to a folder that is not", dir)
	}
	dir = filepath.Join(dir, "dev-0")
	for range 2 { // the second time over what a slot before left
		paths := nodes(dir)
		if len(paths) != len(devices) {
			t.Fatalf("%d nodes", len(paths))
		}
		for i, path := range paths {
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err != nil {
				t.Fatal(err)
			}
			d := devices[i]
			if filepath.Dir(path) != dir || st.Mode != unix.S_IFCHR|0o666 || uint64(st.Rdev) != unix.Mkdev(d.major, d.minor) {
				t.Errorf("%s: mode %o, number %#x", path, st.Mode, st.Rdev)
			}
		}
		b := make([]byte, 3)
		f, err := os.Open(paths[1])
		if err != nil {
			t.Fatal(err)
		}
		if n, err := f.Read(b); n != len(b) || err != nil {
			t.Errorf("reading zeros: %d, %v", n, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	// Where no folder can be made, or nodes do not work, the host's are shown.
	for _, dir := range []string{"/proc/dev-0", "/proc/there/is/no/such", filepath.Join(dir, "null", "dev-0")} {
		for i, path := range nodes(dir) {
			if path != "/dev/"+devices[i].name {
				t.Errorf("%s: %s", dir, path)
			}
		}
	}
}
