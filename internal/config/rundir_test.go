package config

import (
	"os"
	"strconv"
	"testing"
)

func TestRunDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tc := range []struct {
		name, session string
		euid          int
		want          string
	}{
		{"a session", dir, 1000, dir + "/assay"},
		{"no session", "", 1000, "/tmp/assay-1000"},
		{"not a path", "run", 1000, "/tmp/assay-1000"},
		{"a folder that is not there", dir + "/none", 1000, "/tmp/assay-1000"},
	} {
		if got := RunDir(tc.euid, func(string) string { return tc.session }); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	if got := RunDir(0, func(string) string { return dir }); got != "/run/assay" && got != "/dev/shm/assay" {
		t.Errorf("root's is %s", got)
	}
}

// TestRunDirIsResolved: what Load gives is a folder, whether nobody names one or somebody asks for auto.
func TestRunDirIsResolved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := RunDir(os.Geteuid(), func(string) string { return dir })
	for _, env := range [][]string{nil, {"ASSAY_RUN_DIR=auto"}} {
		c, _, err := Load(Sources{Environ: append(env, "XDG_RUNTIME_DIR="+dir)})
		if err != nil || c.RunDir != want {
			t.Errorf("%s: %q, %v; want %q", strconv.Quote(dir), c.RunDir, err, want)
		}
	}
}
