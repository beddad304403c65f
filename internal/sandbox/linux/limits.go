package linux

import (
	"runtime"
	"time"
)

// soonest is the least time between two looks at a run's CPU time: the kernel's counters are exact at any moment, but a
// look costs a few microseconds.
const soonest = time.Millisecond

// setUpCPU bounds what the counter may hold beyond the program's own: the steps before its execve on version 1.
const setUpCPU = 2 * time.Millisecond

// firstLook is when a run can first have reached a limit: its CPU time on all CPUs at once, or its wall time.
func (r *run) firstLook() time.Duration {
	return r.patience(min(r.limits.WallTime, max(soonest, r.limits.CPUTime/time.Duration(runtime.NumCPU()))))
}

// enforce ends the run if a limit is reached, and says when to look next; the zero time once the run was killed.
func (r *run) enforce(now time.Time) (time.Time, error) {
	if r.causes.Load() != 0 {
		r.signalStub()
		return time.Time{}, nil
	}
	used, err := r.slot.group.CPUTime()
	if err != nil {
		return time.Time{}, err
	}
	left := r.limits.CPUTime + setUpCPU - used
	if left <= 0 {
		r.kill(killedCPU)
		return time.Time{}, nil
	}
	wallLeft := r.limits.WallTime - (monotonic() - r.start)
	if wallLeft <= 0 {
		r.kill(killedWall)
		return time.Time{}, nil
	}
	return now.Add(r.patience(min(wallLeft, max(soonest, left/time.Duration(runtime.NumCPU()))))), nil
}

// patience bounds a wait where nothing but looks tells how much memory is used.
func (r *run) patience(wait time.Duration) time.Duration {
	if r.slot.sample == nil {
		return wait
	}
	least, most := r.slot.sample.Patience()
	return max(least, min(wait, most))
}
