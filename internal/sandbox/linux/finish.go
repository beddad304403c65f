package linux

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox"
	"assay/internal/sandbox/linux/cgroup"
	"assay/internal/sandbox/linux/stub"
)

// finish turns the end of a run into its report. Nothing of the run is alive any more.
func (r *run) finish(done stub.Done) error {
	r.streams.drain()
	counters, err := r.slot.group.Counters(cgroup.Start{
		CPU: done.StartCPU, Memory: done.StartMemory,
		Waited: done.Waited, Resident: done.Resident, Files: done.Files, Touched: done.Faults * int64(os.Getpagesize()),
	})
	if err != nil {
		return err
	}
	why := cause(r.causes.Load())
	if done.Killed && why == 0 || counters.HostOOM {
		return errors.New("the run was killed from outside: the host may be out of memory")
	}
	rep := &r.report
	rep.CPUTime = max(0, counters.CPUTime)
	if done.CPU >= 0 {
		rep.CPUTime = time.Duration(done.CPU)
	}
	rep.WallTime = time.Duration(done.End - done.Start)
	rep.Memory = max(counters.MemoryPeak, touched(done))
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
		rep.WallTime = monotonic() - time.Duration(done.Start)
	} else if status := syscall.WaitStatus(done.Status); status.Signaled() {
		rep.Signal = signalName(status.Signal())
	} else {
		rep.ExitCode = status.ExitStatus()
	}
	rep.OutputExceeded = rep.StdoutTruncated || rep.StderrTruncated
	rep.MemoryExceeded = counters.MemoryHit || why&killedMemory != 0
	if rep.Memory = min(rep.Memory, r.limits.Memory); rep.MemoryExceeded {
		rep.Memory = r.limits.Memory
	}
	rep.CPUExceeded = why&killedCPU != 0 || rep.CPUTime > r.limits.CPUTime
	rep.WallExceeded = why&killedWall != 0 || rep.WallTime > r.limits.WallTime
	if len(r.outputs) > 0 {
		if err := r.processes(); err != nil {
			return err
		}
		if rep.Outputs, err = collect(r.workDir, r.outputs, r.limits.FileBytes, r.driver.instance.dir); err != nil {
			return err
		}
	}
	return nil
}

// chargeBatch is how much memory the kernel charges to a group at a time (MEMCG_CHARGE_BATCH, 64 pages): a program that takes
// less may find it charged already. The pages that it touched are then the better reading.
const chargeBatch = 64 * 4096

// touched is the reading of last resort: what the program touched, one batch at the most. Of a killed program that is not
// known.
func touched(done stub.Done) int64 {
	if done.Killed {
		return chargeBatch
	}
	return min(done.Faults*int64(os.Getpagesize()), chargeBatch)
}

// notExecuted reports a program that could not be executed. Whatever fails before the execve is a failure of assay.
func (r *run) notExecuted(done stub.Done) error {
	e := done.Errno
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

// monotonic is the clock of Done and Started.
func monotonic() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	return time.Duration(ts.Nano())
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
