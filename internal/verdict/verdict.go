// Package verdict derives judgements from facts. It is pure: it imports nothing of assay, so that the rules of
// design.md section 2 can be read and table-tested in one place.
package verdict

// Status is what became of one run (design.md, section 2).
type Status string

// The run statuses.
const (
	OK                  Status = "ok"
	CompileError        Status = "compile_error"
	RuntimeError        Status = "runtime_error"
	TimeLimitExceeded   Status = "time_limit_exceeded"
	MemoryLimitExceeded Status = "memory_limit_exceeded"
	OutputLimitExceeded Status = "output_limit_exceeded"
	InternalError       Status = "internal_error"
)

// Which limit of time fired, as the "limit" key of a result says it.
const (
	CPULimit  = "cpu"
	WallLimit = "wall"
)

// Facts are what the sandbox observed of one run. Only a limit that really fired is set: a program that kills itself
// with SIGKILL, SIGXCPU or SIGSYS sets none of them.
type Facts struct {
	ExitCode       int    // meaningful when Signal is ""
	Signal         string // name of the signal that ended the program ("SIGSEGV"), or ""
	SourceRefused  bool   // an interpreter found the source wrong before it ran any of it, and said so
	OutputExceeded bool   // a stream wrote more than its limit
	MemoryExceeded bool   // the run's own memory limit was hit and enforced
	CPUExceeded    bool   // the CPU time of all its processes passed the limit
	WallExceeded   bool   // it was still there at the wall limit
}

// Decide gives the status and, for time_limit_exceeded, which limit it was. When several apply the order is compile,
// output, memory, time, runtime (design.md, section 2).
func Decide(f Facts) (status Status, limit string) {
	switch {
	case f.SourceRefused:
		return CompileError, ""
	case f.OutputExceeded:
		return OutputLimitExceeded, ""
	case f.MemoryExceeded:
		return MemoryLimitExceeded, ""
	case f.CPUExceeded:
		return TimeLimitExceeded, CPULimit
	case f.WallExceeded:
		return TimeLimitExceeded, WallLimit
	case f.Signal != "" || f.ExitCode != 0:
		return RuntimeError, ""
	default:
		return OK, ""
	}
}
