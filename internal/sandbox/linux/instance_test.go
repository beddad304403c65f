package linux

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"assay/internal/fault"
	"assay/internal/sandbox"
	"assay/internal/sandbox/sandboxtest"
	"assay/internal/testtime"
)

// instanceEnv makes this test binary, started again, an instance that runs a program until it is killed.
const instanceEnv = "ASSAY_TEST_INSTANCE"

// serveInstance is that instance. It prints its number once the program runs.
func serveInstance(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testtime.Stretch(time.Minute))
	defer cancel()
	d, err := Open(ctx, options(dir, 3))
	if err != nil {
		return err
	}
	if _, err := d.Keep(sandbox.Output{Name: "kept", File: os.Stdin}); err != nil {
		return err
	}
	out, in := io.Pipe()
	h, err := d.Start(ctx, sandbox.Command{
		Args: []string{"/bin/sh", "-c", "setsid sleep 1000 & echo ready; sleep 1000"}, Limits: sandbox.DefaultRun(), Stdout: in,
		Env: []string{"PATH=/usr/bin:/bin"},
	})
	if err != nil {
		return err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return err
	}
	// A slot that is just being started holds the lock for a moment longer than its instance.
	for _, free := d.Slots(); free < 2; _, free = d.Slots() {
		runtime.Gosched()
	}
	if _, err := os.Stdout.WriteString(strconv.Itoa(d.instance.number) + "\n"); err != nil {
		return err
	}
	_, err = h.Wait()
	return err
}

// groupsOf reads which control groups an instance noted down.
func groupsOf(t *testing.T, dir string, number int) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(number), cgroupsFile))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b))
}

// processesIn lists the processes of groups and of those below them.
func processesIn(t *testing.T, groups []string) []string {
	t.Helper()
	var pids []string
	for _, g := range groups {
		err := filepath.WalkDir(g, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.IsDir() {
				return err
			}
			for _, file := range []string{"tasks", "cgroup.procs"} {
				if b, err := os.ReadFile(filepath.Join(path, file)); err == nil {
					pids = append(pids, strings.Fields(string(b))...)
					break
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return pids
}

// descendants lists the processes below one.
func descendants(t *testing.T, root int) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parents := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has just ended
		}
		if fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:])); len(fields) > 1 {
			parents[filepath.Base(filepath.Dir(f))] = fields[1]
		}
	}
	var pids []string
	for pid := range parents {
		for up := parents[pid]; up != ""; up = parents[up] {
			if up == strconv.Itoa(root) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// TestDeadInstance kills an instance with a program running. Its successor removes everything of it, and a live instance
// beside it notices nothing.
func TestDeadInstance(t *testing.T) {
	t.Parallel()
	dir := runDir(t)
	live, err := Open(t.Context(), options(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = live.Close() })
	kept := keep(t, live)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), instanceEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || number == live.instance.number {
		t.Fatalf("instance %q, %v", line, err)
	}
	groups := groupsOf(t, dir, number)
	pids := processesIn(t, groups)
	if len(groups) == 0 {
		pids = descendants(t, cmd.Process.Pid)
	}
	if len(pids) < 3 {
		t.Fatalf("processes of the instance: %v", pids)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the instance was not killed")
	}
	// A successor with fewer slots, so that the dead one's further groups are not made again.
	next, err := Open(t.Context(), options(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = next.Close() })
	if next.instance.number != number {
		t.Errorf("the successor is instance %d, not %d", next.instance.number, number)
	}
	for _, g := range groups {
		for _, slot := range []string{"slot-1", "slot-2"} {
			if _, err := os.Stat(filepath.Join(g, slot)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s/%s: %v", g, slot, err)
			}
		}
	}
	for _, pid := range pids {
		sandboxtest.Until(t, "process "+pid+" to end", func() bool {
			_, err := os.Stat("/proc/" + pid)
			return errors.Is(err, fs.ErrNotExist)
		})
	}
	if left, err := os.ReadDir(filepath.Join(dir, strconv.Itoa(number), "artifacts")); err != nil || len(left) != 0 {
		t.Errorf("artifacts %v, %v", left, err)
	}
	if _, err := os.Stat(kept.Path); err != nil {
		t.Errorf("the live instance's artifact: %v", err)
	}
	for _, d := range []*Driver{live, next} {
		if r := do(t, d, sandbox.Command{Args: []string{"/bin/echo", "works"}}); r.stdout != "works\n" {
			t.Errorf("instance %d: %+v", d.instance.number, r)
		}
	}
	if err := errors.Join(live.Close(), next.Close()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left in the run folder: %v, %v", left, err)
	}
	for _, g := range groups {
		if _, err := os.Stat(g); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("group %s: %v", g, err)
		}
	}
}

func keep(t *testing.T, d *Driver) *sandbox.Artifact {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := d.Keep(sandbox.Output{Name: "kept", Size: 1, File: f})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSweepLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	dir := runDir(t)
	foreign := []string{"notes", "x.lock", "7.lock.old", "folder/file"}
	for _, name := range foreign {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	// What a dead instance leaves: a folder and a lock file that nobody holds, or one of the two.
	for _, name := range []string{"5/artifacts/1", "5.lock", "6/root/x", "8.lock"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(t.Context(), options(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for _, name := range foreign {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"5", "5.lock", "6", "6.lock", "8.lock", "0", "0.lock"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	var f *fault.Error
	if os.Geteuid() != 0 { // slots are who owns the folder
		if err := os.Chmod(closed, 0o777); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), options(closed, 1))
		if !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != "run-dir" {
			t.Errorf("a folder that others can write to: %v", err)
		}
	} else if _, err := Open(t.Context(), options(filepath.Join(closed, "run"), 1)); !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != "run-dir" || !strings.Contains(f.Hint, closed) && !strings.Contains(f.Hint, "chmod") {
		t.Errorf("a folder that others cannot enter: %v", err)
	}
	for _, slots := range []int{-1, slotsPerHost} {
		if _, err := Open(t.Context(), options(runDir(t), slots)); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%d slots: %v", slots, err)
		}
	}
	file := filepath.Join(runDir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), options(file, 1)); !errors.As(err, &f) || f.Hint == "" {
		t.Errorf("a file: %v", err)
	}
}

// TestHostIDs: no two slots of any instances share an id.
func TestHostIDs(t *testing.T) {
	t.Parallel()
	if a, b := hostID(0, slotsPerHost-1)+idsPerSlot, hostID(1, 0); a != b {
		t.Errorf("the first instance's ids end at %d, the second's begin at %d", a, b)
	}
	if n := hostID(maxInstances-1, slotsPerHost-1) + idsPerSlot; int64(n) > 1<<32-2 {
		t.Errorf("ids reach %d", n)
	}
}
