package sandbox

import (
	"fmt"
	"time"

	"assay/internal/fault"
)

// Binary units, as in "256 MiB".
const (
	KiB int64 = 1 << 10
	MiB int64 = 1 << 20
	GiB int64 = 1 << 30
)

// Limits bound one run. Every limit is enforced by the kernel where the kernel has a mechanism for it.
type Limits struct {
	CPUTime    time.Duration // user and system time of all processes together
	WallTime   time.Duration // from exec
	Memory     int64         // bytes, all processes together, files in the writable folders included; no swap
	Stack      int64         // bytes for the main thread of each process
	Processes  int           // processes and threads together
	Output     int64         // bytes, for each of stdout and stderr
	FileBytes  int64         // bytes in the writable folders together
	FileCount  int           // inodes in the writable folders together
	CPUPercent int           // rate: 100 is one core; 0 is no rate limit
}

// DefaultRun is the default for running a program (design.md, section 4).
func DefaultRun() Limits {
	return Limits{
		CPUTime: 10 * time.Second, WallTime: 25 * time.Second,
		Memory: 256 * MiB, Stack: 256 * MiB, Processes: 64,
		Output: 1 * MiB, FileBytes: 64 * MiB, FileCount: 4096,
	}
}

// DefaultCompile is the default for compiling (design.md, section 4).
func DefaultCompile() Limits {
	return Limits{
		CPUTime: 30 * time.Second, WallTime: 60 * time.Second,
		Memory: 1 * GiB, Stack: 1 * GiB, Processes: 256,
		Output: 1 * MiB, FileBytes: 512 * MiB, FileCount: 4096,
	}
}

// Profile gives a named set of limits for runs: "default" or "leetcode".
func Profile(name string) (Limits, error) {
	l := DefaultRun()
	switch name {
	case "", "default":
	case "leetcode":
		l.CPUTime, l.WallTime = time.Second, WallFor(time.Second)
		l.Memory, l.Stack = 256*MiB, 64*MiB
	default:
		return Limits{}, fault.Invalidf("profile", `use "default" or "leetcode"`, "there is no profile %q", name)
	}
	return l, nil
}

// WallFor is the wall limit that goes with a CPU limit when none is given: 2 × CPU + 5 s (design.md, section 4).
func WallFor(cpu time.Duration) time.Duration { return 2*cpu + 5*time.Second }

// Bounds of what Validate accepts: below the lower ones nothing can run, above the upper ones a number is a slip.
const (
	minCPUTime, maxCPUTime     = time.Millisecond, time.Hour
	minWallTime, maxWallTime   = time.Millisecond, 4 * time.Hour
	minMemory, maxMemory       = 1 * MiB, 1024 * GiB
	minStack, maxStack         = 64 * KiB, 1024 * GiB
	minProcesses, maxProcesses = 1, 32768
	minOutput, maxOutput       = 0, 4 * GiB
	minFileBytes, maxFileBytes = 64 * KiB, 1024 * GiB
	minFileCount, maxFileCount = 16, 10_000_000
	maxCPUPercent              = 100 * 1024
)

// Validate checks every limit. The error names the field as the API spells it.
func (l Limits) Validate() error {
	for _, c := range []struct {
		field           string
		value, min, max int64
		unit            string
	}{
		{"limits.cpu_time_ms", l.CPUTime.Milliseconds(), minCPUTime.Milliseconds(), maxCPUTime.Milliseconds(), "ms"},
		{"limits.wall_time_ms", l.WallTime.Milliseconds(), minWallTime.Milliseconds(), maxWallTime.Milliseconds(), "ms"},
		{"limits.memory_bytes", l.Memory, minMemory, maxMemory, "bytes"},
		{"limits.stack_bytes", l.Stack, minStack, maxStack, "bytes"},
		{"limits.processes", int64(l.Processes), minProcesses, maxProcesses, "processes"},
		{"limits.output_bytes", l.Output, minOutput, maxOutput, "bytes"},
		{"limits.file_bytes", l.FileBytes, minFileBytes, maxFileBytes, "bytes"},
		{"limits.file_count", int64(l.FileCount), minFileCount, maxFileCount, "files"},
		{"limits.cpu_percent", int64(l.CPUPercent), 0, maxCPUPercent, "percent"},
	} {
		if c.value < c.min || c.value > c.max {
			return fault.Invalidf(c.field, fmt.Sprintf("give %d to %d %s", c.min, c.max, c.unit), "%d is out of range", c.value)
		}
	}
	return nil
}
