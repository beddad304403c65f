package linux

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox"
	"assay/internal/sandbox/linux/stub"
)

// finish turns the end of a run into its report. Nothing of the run is alive any more.
func (r *run) finish(done stub.Done) error {
	counters, err := r.slot.group.Counters()
	if err != nil {
		return err
	}
	if err := r.streams.drain(); err != nil {
		return err
	}
	why := cause(r.causes.Load())
	if done.Killed && why == 0 || counters.HostOOM {
		return errors.New("the run was killed from outside: the host may be out of memory")
	}
	rep := &r.report
	rep.CPUTime = max(0, counters.CPUTime-time.Duration(done.CPUNanos))
	rep.WallTime = time.Duration(done.WallNanos)
	rep.Memory = counters.MemoryPeak
	rep.ForkFailures = counters.ForkFailures
	if out := r.streams.out[0]; out != nil {
		rep.StdoutTruncated = out.truncated
	}
	if out := r.streams.out[1]; out != nil {
		rep.StderrTruncated = out.truncated
	}
	if done.Errno != 0 {
		return r.notExecuted(done)
	}
	if done.Killed {
		rep.Signal = "SIGKILL"
		rep.WallTime = time.Since(r.startedAt)
	} else if status := syscall.WaitStatus(done.Status); status.Signaled() {
		rep.Signal = signalName(status.Signal())
	} else {
		rep.ExitCode = status.ExitStatus()
	}
	rep.OutputExceeded = rep.StdoutTruncated || rep.StderrTruncated
	rep.MemoryExceeded = counters.MemoryHit || why&killedMemory != 0
	rep.CPUExceeded = rep.CPUTime > r.limits.CPUTime
	rep.WallExceeded = why&killedWall != 0 || rep.WallTime > r.limits.WallTime
	if len(r.outputs) > 0 {
		if rep.Outputs, err = collect(r.workDir, r.outputs, r.driver.instance.dir); err != nil {
			return err
		}
	}
	return nil
}

// notExecuted reports a program that could not be executed. Whatever fails before the execve is a failure of assay.
func (r *run) notExecuted(done stub.Done) error {
	e := syscall.Errno(done.Errno)
	if done.Step != stub.StepExec {
		return fmt.Errorf("cannot %s: %w", done.Step, e)
	}
	// What a shell would report (POSIX, Shell Command Language, 2.8.2).
	r.report.ExitCode = 126
	if e == unix.ENOENT {
		r.report.ExitCode = 127
	}
	r.report.StartError = e.Error()
	r.report.WallTime, r.report.CPUTime = 0, 0
	return nil
}

// signalName gives a signal's name, also for the real-time ones, which have none of their own.
func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	const firstRealTime = 34 // as the C library numbers them (signal(7))
	if s >= firstRealTime {
		return fmt.Sprintf("SIGRTMIN+%d", s-firstRealTime)
	}
	return fmt.Sprintf("SIG%d", int(s))
}

var _ sandbox.Handle = (*run)(nil)
