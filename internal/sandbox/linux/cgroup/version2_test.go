//go:build cgroup2

// Tests of what only a kernel with version 2 can show. test/vm builds them with the tag and runs them in a machine that has
// nothing else; without version 2 they fail.

package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/testtime"
)

// hogEnv makes this test binary, started again, a program that uses memory: that many MiB.
const hogEnv = "ASSAY_TEST_HOG"

func TestMain(m *testing.M) {
	if text := os.Getenv(hogEnv); text != "" {
		if err := hog(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hog waits for a line, touches fresh memory, gives all of it back, says so and waits for the end of its input.
func hog(text string) error {
	mib, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	b, err := unix.Mmap(-1, 0, mib<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	if err := unix.Munmap(b); err != nil {
		return err
	}
	fmt.Println("given back")
	_, err = io.Copy(io.Discard, in)
	return err
}

// slotGroup makes a slot's group as the driver does.
func slotGroup(t *testing.T) *unifiedGroup {
	t.Helper()
	p := kernelParent(t)
	if p.Version() != 2 {
		t.Fatalf("the groups are of version %d", p.Version())
	}
	g, err := p.New("slot-0", os.Getuid(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := g.Ready(); err != nil {
		t.Fatal(err)
	}
	return g.(*unifiedGroup)
}

// program is a process that was cloned into a group.
type program struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// patience is how long a program may take that is to be killed; then it gets another signal, which a test can tell.
const patience = 20 * time.Second

// cloneInto starts a program in a group.
func cloneInto(t *testing.T, dir *os.File, env string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testtime.Stretch(patience))
	t.Cleanup(cancel)
	p := &program{Cmd: exec.CommandContext(ctx, args[0], args[1:]...)}
	p.Cancel = func() error { return p.Process.Signal(unix.SIGTERM) }
	p.Env = append(os.Environ(), env)
	p.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	p.Stderr = os.Stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	return p
}

func hogIn(t *testing.T, dir *os.File, mib int) *program {
	t.Helper()
	return cloneInto(t, dir, fmt.Sprintf("%s=%d", hogEnv, mib), os.Args[0])
}

// members lists the processes of a group.
func members(t *testing.T, dir string) []string {
	t.Helper()
	return strings.Fields(content(t, dir, "cgroup.procs"))
}

// TestVersion2Peak: what was given back long ago is in the reading, and what an earlier run used is not.
func TestVersion2Peak(t *testing.T) {
	t.Parallel()
	g := slotGroup(t)
	for _, mib := range []int{64, 16, 64} {
		if err := g.Prepare(Limits{Memory: 256 << 20, Processes: 64}); err != nil {
			t.Fatal(err)
		}
		p := hogIn(t, g.Dir(), mib)
		if _, err := io.WriteString(p.in, "\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := p.out.ReadString('\n'); err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		now, err := g.Memory()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(p.in.Close(), p.Wait()); err != nil {
			t.Fatal(err)
		}
		c, err := g.Counters(Start{})
		if err != nil {
			t.Fatal(err)
		}
		// The program itself, a Go binary, takes some of the second 16 MiB.
		if low, high := int64(mib)<<20, int64(mib+16)<<20; c.MemoryPeak < low || c.MemoryPeak > high || now > 16<<20 || c.MemoryHit {
			t.Errorf("%d MiB: %+v, and %d bytes after they were given back", mib, c, now)
		}
	}
}

// TestVersion2OutOfMemory: the kernel ends all of the group, its events say why, and each run's are its own.
func TestVersion2OutOfMemory(t *testing.T) {
	t.Parallel()
	g := slotGroup(t)
	for _, limit := range []int64{32 << 20, 256 << 20, 32 << 20} {
		if err := g.Prepare(Limits{Memory: limit, Processes: 64}); err != nil {
			t.Fatal(err)
		}
		bystander := cloneInto(t, g.Dir(), "", "/bin/cat")
		p := hogIn(t, g.Dir(), 64)
		if _, err := io.WriteString(p.in, "\n"); err != nil {
			t.Fatal(err)
		}
		_, saidErr := p.out.ReadString('\n')
		hit := limit < 64<<20
		if hit != (saidErr != nil) {
			t.Errorf("at %d bytes: the program's line: %v", limit, saidErr)
		}
		if !hit {
			_ = bystander.in.Close()
		}
		_ = p.in.Close()
		for name, err := range map[string]error{"the program": p.Wait(), "the bystander": bystander.Wait()} {
			if exit, ok := errors.AsType[*exec.ExitError](err); hit != (ok && exit.Sys().(syscall.WaitStatus).Signal() == unix.SIGKILL) {
				t.Errorf("at %d bytes: %s ended with %v", limit, name, err)
			}
		}
		c, err := g.Counters(Start{})
		if err != nil || c.MemoryHit != hit || c.HostOOM {
			t.Errorf("at %d bytes: %+v, %v", limit, c, err)
		}
	}
}

// TestVersion2Together: while an instance comes and goes, which moves the process into the leaf and out of it where it is alone,
// others of the same process find their place, and always the same.
func TestVersion2Together(t *testing.T) { //nolint:paralleltest // other tests keep the process in the leaf
	first, err := Find("assay-test-together")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				p, err := Find("assay-test-together")
				if err != nil || !slices.Equal(p.Paths(), first.Paths()) {
					t.Errorf("found %+v, %v; at first %+v", p, err, first)
					return
				}
			}
		})
	}
	for range testtime.Rounds(100) {
		p, err := Find("assay-test-coming-and-going")
		if err == nil {
			err = errors.Join(p.Make(), p.Close())
		}
		if err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	all.Wait()
}

// TestVersion2Kill: one write ends what is in a group and in all below it, which a list of the group's processes does not even show.
func TestVersion2Kill(t *testing.T) {
	t.Parallel()
	g := slotGroup(t)
	below := filepath.Join(g.path, programGroup)
	p := cloneInto(t, g.Dir(), "", "/bin/cat")
	if got := members(t, below); len(got) != 1 || got[0] != strconv.Itoa(p.Process.Pid) {
		t.Errorf("the group of programs holds %v, cloned into it was %d", got, p.Process.Pid)
	}
	if got := members(t, g.path); len(got) != 0 {
		t.Errorf("the group around it holds %v", got)
	}
	if err := killAll(g.path); err != nil {
		t.Fatal(err)
	}
	err := p.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
		t.Errorf("the process below ended with %v", err)
	}
}
