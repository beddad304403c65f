package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// waits is a program that says that it is there and then stays, with a child.
const waits = "sleep 100000 &\necho ready\nwait\n"

func TestSignalsEndTheRun(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			mark := fmt.Sprintf("mark-%d-%s", os.Getpid(), sig)
			cmd := assay(t, "run", file(t, "a.sh", waits), "--", mark)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
				t.Fatalf("%q, %v", line, err)
			}
			if len(processes(t, mark)) < 2 { // assay and the program
				t.Fatal("the program is not seen among the processes: the check below would prove nothing")
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 128+int(sig) {
				t.Errorf("exit code %d, want %d", code, 128+int(sig))
			}
			if left := processes(t, mark); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

func TestReaderGoesAway(t *testing.T) {
	t.Parallel()
	cmd := assay(t, "run", file(t, "a.sh", "while :; do echo x; done"))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if line, err := bufio.NewReader(r).ReadString('\n'); err != nil || line != "x\n" {
		t.Fatalf("%q, %v", line, err)
	}
	r.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGPIPE) {
		t.Errorf("exit code %d, %v", code, cmd.ProcessState)
	}
}

// processes gives the command lines that have a word.
func processes(t *testing.T, word string) []string {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		text, err := os.ReadFile(entry)
		if err == nil && bytes.Contains(text, []byte(word)) {
			found = append(found, entry+": "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}
