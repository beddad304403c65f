package linux

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox/linux/cgroup"
	"assay/internal/sandbox/linux/sample"
	"assay/internal/sandbox/linux/stub"
)

// Times after which a step that takes microseconds is held to have failed.
const (
	setupTimeout = 30 * time.Second // building a root; placing a run's files and executing a program from a cold disk
	killTimeout  = 30 * time.Second // after a kill: freeing gigabytes of memory takes its time
)

// slot is one prepared sandbox. One run at a time uses it.
type slot struct {
	number  int
	cmd     *exec.Cmd
	control *control
	started *control // descriptors of processes, read only when a run must be ended or signalled
	group   cgroup.Group
	sample  *sample.Group       // is group where that is no control group
	current atomic.Pointer[run] // whom an out-of-memory event is for
	packet  []byte              // encodes requests
	weaker  string              // what the init found weaker than it could be
}

// Ids on the host: each slot of each instance has two that nobody else uses, so that no quota and no permission is
// shared. They lie far above those of people, services and subordinate ranges (login.defs(5): up to 600,100,000).
const (
	firstHostID  = 0x60000000
	idsPerSlot   = 2
	slotsPerHost = 4096 // of one instance
)

func hostID(instance, slot int) int {
	return firstHostID + (instance*slotsPerHost+slot%slotsPerHost)*idsPerSlot
}

// newSlot starts an init and waits until its root is built. The calling goroutine must be locked to a thread that lives as
// long as the driver: the kernel ends the init when that thread goes (prctl(2), PR_SET_PDEATHSIG).
func (d *Driver) newSlot(number int) (_ *slot, err error) {
	s := &slot{number: number, packet: make([]byte, 0, 4096)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.destroy())
		}
	}()
	id := hostID(d.instance.number, number)
	s.group, err = d.parent.New(fmt.Sprintf("slot-%d", number), d.identity.owner(id), s.outOfMemory)
	if err != nil {
		return nil, err
	}
	s.sample, _ = s.group.(*sample.Group)
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	s.control = newControl(ours)
	ours, processes, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer processes.Close()
	s.started = newControl(ours)
	s.cmd = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{stub.Arg0},
		// No preemption signals, and no more threads than the runtime cannot do without.
		Env:         []string{"GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1"},
		Dir:         "/",
		Stderr:      os.Stderr, // for a crash report of the init; programs have streams of their own
		ExtraFiles:  []*os.File{theirs, processes},
		SysProcAttr: d.identity.attributes(id),
	}
	if home := s.group.Home(); home != nil {
		s.cmd.SysProcAttr.UseCgroupFD, s.cmd.SysProcAttr.CgroupFD = true, int(home.Fd())
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the slot's init: %w", err)
	}
	if err := s.setUp(d.setup); err != nil {
		return nil, fmt.Errorf("setting up the slot: %w", err)
	}
	return s, nil
}

// setUp sends the set-up and waits for the answer.
func (s *slot) setUp(setup stub.Setup) error {
	always, rate := s.group.JoinFiles()
	var files []*os.File
	if dev, err := newDev(); err == nil {
		defer dev.Close()
		setup.HasDev = true
		files = append(files, dev)
	} else {
		setup.Devices = nodes(filepath.Join(filepath.Dir(setup.Mountpoint), fmt.Sprintf("dev-%d", s.number)))
		for _, l := range devLinks {
			setup.Links = append(slices.Clip(setup.Links), stub.Link{Target: l.target, Name: "/dev/" + l.name})
		}
	}
	files = append(append(files, always...), s.group.StubFiles()...)
	setup.Joins, setup.Counters, setup.HasRate = len(always), len(s.group.StubFiles()), rate != nil
	setup.InHome = s.group.Home() != nil
	if rate != nil {
		files = append(files, rate)
	}
	p, err := json.Marshal(setup)
	if err != nil {
		return err
	}
	body, err := memoryFile("setup", p)
	if err != nil {
		return err
	}
	defer body.Close()
	fds := []int{int(body.Fd())}
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	if err := s.control.send(stub.BodyFileRequest(), fds); err != nil {
		return err
	}
	m, err := s.control.receiveBefore(time.Now().Add(setupTimeout))
	if err != nil {
		return err
	}
	if err := m.expect(stub.MsgReady); err != nil {
		return err
	}
	s.weaker = string(m.data[1:])
	if s.sample != nil {
		if err := s.sample.Attach(s.cmd.Process.Pid); err != nil {
			return err
		}
	}
	return s.group.Ready()
}

// memoryFile is an unnamed file in memory with some content.
func memoryFile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a %s file: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(content); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the %s file: %w", name, err), f.Close())
	}
	return f, nil
}

// outOfMemory ends the run that the kernel has just taken a process of.
func (s *slot) outOfMemory() {
	if r := s.current.Load(); r != nil {
		r.kill(killedMemory)
	}
}

// destroy ends the init, and with its pid namespace everything in the slot, and removes the control group.
func (s *slot) destroy() error {
	var failed error
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // its status says only that it was killed
	}
	for _, c := range []*control{s.control, s.started} {
		if c != nil {
			failed = errors.Join(failed, c.close())
		}
	}
	if s.group != nil {
		failed = errors.Join(failed, s.group.Close())
	}
	return failed
}
