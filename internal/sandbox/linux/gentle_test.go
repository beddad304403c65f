package linux

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"assay/internal/sandbox"
)

func TestGentle(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	r := do(t, d, sandbox.Command{Args: []string{"/bin/echo", "hello"}})
	if r.stdout != "hello\n" || r.ExitCode != 0 || r.Signal != "" {
		t.Errorf("echo: %+v", r)
	}
	r = do(t, d, sandbox.Command{Args: []string{"/bin/cat"}, Stdin: bytes.NewReader([]byte("a\x00b"))})
	if r.stdout != "a\x00b" {
		t.Errorf("cat: %+v", r)
	}
}

// TestRoot: what a program sees of file systems is what this driver means to show, and nothing else.
func TestRoot(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	for script, want := range map[string]string{
		"id":                            "uid=1(assay) gid=1(assay) groups=1(assay)",
		"pwd":                           "/box/work",
		"hostname":                      "sandbox",
		"ls -A /box":                    "shm tmp work",
		"ls -A /box/work /tmp/":         "/box/work: /tmp/:",
		"ls /dev":                       "fd full null random shm stderr stdin stdout tty urandom zero",
		"readlink /tmp /dev/shm":        "/box/tmp /box/shm",
		"stat -c '%a %u %F' /box/work/": "755 1 directory",
		"stat -c %a /tmp/ /dev/shm/":    "1777 1777",
		"cut -d: -f1 /etc/passwd":       "root assay",
		"ls /.private":                  "",
		// Groups are, as far as it can see, topmost ones, or bear the names that the driver gives: nothing of the host's.
		"cut -d: -f3 /proc/self/cgroup | sed 's|^/assay-[0-9a-f]*-[0-9]*/slot-[0-9]*$|/|; s|^/run$|/|' | sort -u": "/",
		// What is not read-only is the run's own tmpfs and /proc.
		"cut -d' ' -f5,6 /proc/self/mountinfo | grep -v ' ro' | cut -d' ' -f1 | grep -v ^/dev | sort -u": "/box /proc",
		"ls /proc | grep -v '^[0-9]'": "self thread-self",
	} {
		r := sh(t, d, script+" 2>/dev/null")
		if got := strings.Join(strings.Fields(r.stdout), " "); got != want {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
	top := strings.Fields(sh(t, d, "ls -A /").stdout)
	for _, name := range top {
		if !slices.Contains([]string{".private", "bin", "box", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "tmp", "usr"}, name) {
			t.Errorf("/%s is shown", name)
		}
	}
}
