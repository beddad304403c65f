package linux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/fault"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux/cgroup"
	"assay/internal/sandbox/linux/stub"
)

// cause is why a run was ended from outside.
type cause uint32

const (
	killedCPU cause = 1 << iota
	killedWall
	killedMemory
	killedOutput
	killedCaller // the context ended, or a writer failed
)

// run is one run: the sandbox.Handle.
type run struct {
	driver  *Driver
	slot    *slot
	limits  sandbox.Limits
	outputs []string
	streams *streams
	ctx     context.Context

	causes atomic.Uint32
	mu     sync.Mutex // guards the descriptors below
	stub   int        // pidfd of pid 1 of the run, or -1
	prog   int        // pidfd of the program, or -1
	over   bool

	workDir int           // descriptor of the working folder, or -1
	start   time.Duration // monotonic, of the execve; valid once prog is
	done    chan struct{}
	report  sandbox.Report
	err     error
}

// Start begins a run in a free slot, and waits for one while there is none. It implements engine.Sandbox.
func (d *Driver) Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error) {
	if err := check(&c); err != nil {
		return nil, err
	}
	if c.Limits.CPUPercent > 0 && !d.parent.HasCPURate() {
		return nil, &fault.Error{
			Code: fault.Unavailable, Field: "limits.cpu_percent", Message: "this host has no cpu cgroup controller",
			Hint: "leave the limit out, or see assay doctor",
		}
	}
	if err := d.enter(); err != nil {
		return nil, err
	}
	s, err := d.acquire(ctx)
	if err != nil {
		d.runs.Done()
		return nil, err
	}
	r := &run{
		driver: d, slot: s, limits: c.Limits, outputs: c.Outputs, ctx: ctx,
		stub: -1, prog: -1, workDir: -1, done: make(chan struct{}),
	}
	if err := r.begin(&c); err != nil {
		d.release(s, false)
		d.runs.Done()
		return nil, fault.Internalf(err, "starting a run")
	}
	go r.supervise()
	return r, nil
}

// begin prepares the slot's group and streams and sends the request.
func (r *run) begin(c *sandbox.Command) error {
	s := r.slot
	err := s.group.Prepare(cgroup.Limits{Memory: c.Limits.Memory, Processes: c.Limits.Processes, CPUPercent: c.Limits.CPUPercent})
	if err != nil {
		return err
	}
	if r.streams, err = openStreams(c, r.driver.identity.program(hostID(r.driver.instance.number, s.number))); err != nil {
		return err
	}
	if s.sample != nil {
		s.sample.Given(r.streams.pass[:], placedBytes(c.Files))
	}
	for _, out := range r.streams.out {
		if out != nil {
			out.over = func() { r.kill(killedOutput) }
			out.fail = func() { r.kill(killedCaller) }
		}
	}
	s.current.Store(r)
	if err := s.request(c, r.streams.pass); err != nil {
		s.current.Store(nil)
		r.streams.closeAll()
		return err
	}
	r.streams.sent()
	return nil
}

// supervise sees a run from its request to its report, and gives the slot back once it is clean.
func (r *run) supervise() {
	stop := func() bool { return true }
	if r.ctx.Done() != nil {
		stop = context.AfterFunc(r.ctx, func() { r.kill(killedCaller) })
	}
	done, err := r.watch()
	stop()
	if err == nil {
		err = r.finish(done)
	}
	r.slot.current.Store(nil)
	broken := err != nil && !errors.Is(err, errScratch)
	if err != nil {
		r.report.CloseOutputs()
		r.report, r.err = sandbox.Report{}, failed(err)
	}
	if broken {
		r.recycle(false)
		r.streams.drain() // the slot is gone, and nobody writes any more
	} else if r.err == nil && cause(r.causes.Load())&killedCaller != 0 {
		r.report.CloseOutputs()
		r.report, r.err = sandbox.Report{}, r.cancelled()
	}
	close(r.done)
	if !broken {
		r.recycle(true)
	}
	r.driver.runs.Done()
}

// failed is the fault of a run that came to nothing through no doing of the program.
func failed(err error) error {
	f := fault.Internalf(err, "running a program")
	if errors.Is(err, unix.ENOSPC) {
		f.Hint = "make room in the run folder"
	}
	return f
}

// recycle waits until the run's mounts and namespaces are gone and gives the slot back.
func (r *run) recycle(good bool) {
	if good {
		m, err := r.idle(time.Now().Add(setupTimeout))
		if err == nil {
			err = m.expect(stub.MsgIdle)
		}
		if err == nil {
			err = r.processes() // nobody may find them in the next run
		}
		if good = err == nil; !good {
			r.driver.log.Error("a slot did not become free", "slot", r.slot.number, "err", err)
		}
	}
	r.closeDescriptors()
	r.driver.release(r.slot, good)
}

// idle waits for the slot's last message of the run. A kill that came too late may still cut a wait short.
func (r *run) idle(deadline time.Time) (message, error) {
	for {
		m, err := r.slot.control.receiveBefore(deadline)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(deadline) {
			return m, err
		}
	}
}

// cancelled says why the caller's side ended the run.
func (r *run) cancelled() error {
	for _, out := range r.streams.out {
		if out != nil && out.err != nil {
			return &fault.Error{Code: fault.Cancelled, Message: "writing the program's output", Err: out.err}
		}
	}
	return &fault.Error{Code: fault.Cancelled, Message: "the run was cancelled", Err: context.Cause(r.ctx)}
}

// watch waits for the end of the run and enforces what the kernel does not end by itself: CPU time of all processes
// together, and wall time.
func (r *run) watch() (stub.Done, error) {
	begun := time.Now()
	next := begun.Add(r.firstLook())
	var killed time.Time
	for {
		m, err := r.next(next, killed.IsZero())
		if err == nil {
			if err = m.expect(stub.MsgDone); err != nil {
				closeAll(m.fds)
				return stub.Done{}, err
			}
			return stub.ParseDone(m.data)
		}
		if errors.Is(err, io.EOF) {
			return stub.Done{}, errors.New("the slot's init is gone")
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return stub.Done{}, err
		}
		now := time.Now()
		if err := r.processes(); err != nil {
			return stub.Done{}, err
		}
		switch {
		case !killed.IsZero() && now.Sub(killed) >= killTimeout:
			return stub.Done{}, errors.New("a killed run does not end")
		case !killed.IsZero(): // woken by a second reason to end it
			next = killed.Add(killTimeout)
		case !r.running() && now.Sub(begun) > setupTimeout:
			return stub.Done{}, errors.New("the program was not started in time")
		case !r.running():
			next = now.Add(soonest)
		default:
			if next, err = r.enforce(now); err != nil {
				return stub.Done{}, err
			}
			if next.IsZero() {
				killed, next = now, now.Add(killTimeout)
			}
		}
	}
}

// next waits for the slot's next message. A run that is to end but was not yet is looked at soon, whatever the deadline.
func (r *run) next(deadline time.Time, alive bool) (message, error) {
	c := r.slot.control
	if err := c.setDeadline(deadline); err != nil {
		return message{}, err
	}
	// After setting the deadline: kill does it the other way round, so one of the two sees the other.
	if alive && r.causes.Load() != 0 {
		if err := c.setDeadline(time.Now().Add(soonest)); err != nil {
			return message{}, err
		}
	}
	return c.receive()
}

// running reports whether the program was executed, as far as processes knows.
func (r *run) running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stub >= 0
}

// processes takes the descriptors of the run's processes from the slot, if it has sent them by now.
func (r *run) processes() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.takeProcesses()
}

func (r *run) takeProcesses() error {
	if r.stub >= 0 || r.over {
		return nil
	}
	m, ok, err := r.slot.started.poll()
	if err != nil || !ok {
		return err
	}
	s, err := stub.ParseStarted(m.data)
	if err == nil && len(m.fds) != r.descriptors() {
		err = fmt.Errorf("the slot sent %d descriptors", len(m.fds))
	}
	if err != nil {
		closeAll(m.fds)
		return err
	}
	r.start = time.Duration(s.Start)
	r.prog, r.stub = m.fds[0], m.fds[1]
	if len(m.fds) == 3 {
		r.workDir = m.fds[2]
	}
	return nil
}

// descriptors is how many the slot sends for this run.
func (r *run) descriptors() int {
	if len(r.outputs) > 0 {
		return 3
	}
	return 2
}

// kill ends the run for a cause.
func (r *run) kill(c cause) {
	r.causes.Or(uint32(c))
	r.signalStub()
	_ = r.slot.control.setDeadline(time.Now().Add(soonest)) // wakes the supervisor; closed is fine
}

// signalStub kills pid 1 of the run; the kernel then kills the rest. It uses a pidfd: the number may be somebody
// else's by now (pidfd_send_signal(2)). A run that has not come that far is ended by the supervisor when it has.
func (r *run) signalStub() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.takeProcesses(); err == nil && r.stub >= 0 {
		if r.slot.sample != nil {
			_ = r.slot.sample.Last() // what is not known now never will be
		}
		_ = unix.PidfdSendSignal(r.stub, unix.SIGKILL, nil, 0) // ESRCH: it is gone already
	}
}

func (r *run) closeDescriptors() {
	r.mu.Lock()
	defer r.mu.Unlock()
	closeAll([]int{r.stub, r.prog, r.workDir})
	r.stub, r.prog, r.workDir, r.over = -1, -1, -1, true
}

// Signal implements sandbox.Handle. The program may already be writing when the stub tells of its start, so a caller that saw
// its output may come too early; Signal then waits.
func (r *run) Signal(sig syscall.Signal) error {
	again := time.NewTicker(soonest)
	defer again.Stop()
	for {
		sent, err := r.trySignal(sig)
		if err != nil {
			return fault.Internalf(err, "sending %s", signalName(sig))
		}
		if sent {
			return nil
		}
		select {
		case <-again.C:
		case <-r.done:
			return nil
		}
	}
}

// trySignal reports false while the program has not started.
func (r *run) trySignal(sig syscall.Signal) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.takeProcesses(); err != nil {
		return false, err
	}
	if r.over {
		return true, nil
	}
	if r.prog < 0 {
		return false, nil
	}
	if err := unix.PidfdSendSignal(r.prog, sig, nil, 0); err != nil && err != unix.ESRCH {
		return false, err
	}
	return true, nil
}

// Resize implements sandbox.Handle.
func (r *run) Resize(size sandbox.WindowSize) error {
	if r.streams.master == nil {
		return fault.Invalidf("terminal", "start the program with one", "the run has no terminal")
	}
	return resize(r.streams.master, size)
}

// Usage implements sandbox.Handle.
func (r *run) Usage() (sandbox.Usage, error) {
	select {
	case <-r.done:
		return sandbox.Usage{CPUTime: r.report.CPUTime}, nil
	default:
	}
	cpu, err := r.slot.group.CPUTime()
	if err != nil {
		return sandbox.Usage{}, fault.Internalf(err, "reading the CPU time")
	}
	memory, err := r.slot.group.Memory()
	if err != nil {
		return sandbox.Usage{}, fault.Internalf(err, "reading the memory")
	}
	return sandbox.Usage{CPUTime: cpu, Memory: memory}, nil
}

// Wait implements sandbox.Handle.
func (r *run) Wait() (sandbox.Report, error) {
	<-r.done
	return r.report, r.err
}
