// Package nobody lets a test that runs as root start a program, often itself, as somebody without any privilege. Only tests import
// it.
package nobody

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"assay/internal/testtime"
)

// ID is a user and group id that no slot, user or service has. Each test process takes another, so that what the kernel
// counts for a user is of one run.
func ID() int { return 0x50000000 + os.Getpid() }

// Command is a copy of a program, to be started as ID with arguments. It works in an empty folder of its own, which is also its
// folder for temporary files, and gets no more of the environment than that and the factor of package testtime.
func Command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	// Not t.TempDir, whose name is too long for some sockets.
	dir, err := os.MkdirTemp("", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary, temp := filepath.Join(dir, filepath.Base(program)), filepath.Join(dir, "tmp")
	// Not by this process: a child that another test starts meanwhile would have the file open for writing, and what is open
	// for writing cannot be executed (execve(2), ETXTBSY).
	if out, err := exec.CommandContext(t.Context(), "cp", program, binary).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(temp, ID(), ID()); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o711, binary: 0o755} { // whatever the umask
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = temp
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + temp, "TMPDIR=" + temp}
	if factor := os.Getenv(testtime.Variable); factor != "" {
		cmd.Env = append(cmd.Env, testtime.Variable+"="+factor)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(ID()), Gid: uint32(ID())}}
	return cmd
}
