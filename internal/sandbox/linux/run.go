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

	workDir   int       // descriptor of the working folder, or -1; the supervisor's
	startedAt time.Time // when the slot said so
	done      chan struct{}
	report    sandbox.Report
	err       error
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
	if r.streams, err = openStreams(c); err != nil {
		return err
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

// supervise sees a run from its request to its report.
func (r *run) supervise() {
	stop := func() bool { return true }
	if r.ctx.Done() != nil {
		stop = context.AfterFunc(r.ctx, func() { r.kill(killedCaller) })
	}
	done, err := r.watch()
	stop()
	r.slot.current.Store(nil)
	if err == nil {
		err = r.finish(done)
	}
	r.closeDescriptors()
	if err != nil {
		r.report.CloseOutputs()
		r.report = sandbox.Report{}
		r.err = fault.Internalf(err, "running a program")
	}
	r.driver.release(r.slot, err == nil)
	if err != nil {
		// The slot is gone, so the streams have ended.
		_ = r.streams.drain()
	}
	if cause(r.causes.Load())&killedCaller != 0 {
		r.report.CloseOutputs()
		r.report, r.err = sandbox.Report{}, r.cancelled()
	}
	r.driver.runs.Done()
	close(r.done)
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

// watch receives the slot's messages and enforces what the kernel does not end by itself: CPU time of all processes
// together, and wall time.
func (r *run) watch() (stub.Done, error) {
	var killed time.Time
	next := time.Now().Add(setupTimeout)
	for {
		m, err := r.slot.control.receive(next)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			switch now := time.Now(); {
			case r.startedAt.IsZero() || !killed.IsZero() && now.Sub(killed) >= killTimeout:
				return stub.Done{}, errors.New("the slot does not answer")
			case !killed.IsZero():
				next = killed.Add(killTimeout)
			default:
				if next, err = r.enforce(r.startedAt, now); err != nil {
					return stub.Done{}, err
				}
				if next.IsZero() {
					killed = now
					next = now.Add(killTimeout)
				}
			}
			continue
		case errors.Is(err, io.EOF):
			return stub.Done{}, errors.New("the slot's init is gone")
		case err != nil:
			return stub.Done{}, err
		}
		switch m.data[0] {
		case stub.MsgStarted:
			if err := r.started(m.fds); err != nil {
				return stub.Done{}, err
			}
			r.startedAt = time.Now()
			next = r.startedAt.Add(r.firstLook())
		case stub.MsgDone:
			return stub.ParseDone(m.data)
		default:
			closeAll(m.fds)
			return stub.Done{}, m.expect(stub.MsgDone)
		}
	}
}

// started takes the descriptors of a run's processes, and ends a run that was killed before there was anything to kill.
func (r *run) started(fds []int) error {
	if len(fds) < 2 || len(r.outputs) > 0 && len(fds) != 3 {
		closeAll(fds)
		return fmt.Errorf("the slot sent %d descriptors", len(fds))
	}
	r.mu.Lock()
	r.prog, r.stub = fds[0], fds[1]
	r.mu.Unlock()
	if len(fds) == 3 {
		r.workDir = fds[2]
	}
	if r.causes.Load() != 0 {
		r.signalStub()
	}
	return nil
}

// kill ends the run for a cause.
func (r *run) kill(c cause) {
	r.causes.Or(uint32(c))
	r.signalStub()
}

// signalStub kills pid 1 of the run; the kernel then kills the rest. It uses a pidfd: the number may be somebody
// else's by now (pidfd_send_signal(2)).
func (r *run) signalStub() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stub >= 0 {
		_ = unix.PidfdSendSignal(r.stub, unix.SIGKILL, nil, 0) // ESRCH: it is gone already
	}
}

func (r *run) closeDescriptors() {
	r.mu.Lock()
	defer r.mu.Unlock()
	closeAll([]int{r.stub, r.prog, r.workDir})
	r.stub, r.prog, r.workDir, r.over = -1, -1, -1, true
}

// Signal implements sandbox.Handle.
func (r *run) Signal(sig syscall.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.prog < 0 {
		if r.over {
			return nil
		}
		return fault.Invalidf("signal", "wait for the program's first output", "the program has not started yet")
	}
	if err := unix.PidfdSendSignal(r.prog, sig, nil, 0); err != nil && err != unix.ESRCH {
		return fault.Internalf(err, "sending %s", unix.SignalName(sig))
	}
	return nil
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
