package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// runMessage says in words what happened; "" for a program that ended well.
func runMessage(status verdict.Status, limit string, f verdict.Facts, report *sandbox.Report, limits sandbox.Limits, static int64) string {
	var parts []string
	switch status {
	case verdict.OK:
	case verdict.RuntimeError:
		switch {
		case report.StartError != "":
			parts = append(parts, "could not be started: "+report.StartError)
		case f.Signal != "":
			parts = append(parts, "killed by "+f.Signal+signalWords(f.Signal))
		default:
			parts = append(parts, "exited with code "+strconv.Itoa(f.ExitCode))
		}
	case verdict.MemoryLimitExceeded:
		if static > limits.Memory {
			parts = append(parts, fmt.Sprintf("memory limit of %s exceeded: the program's static data alone takes %s", size(limits.Memory), size(static)))
			break
		}
		fallthrough
	default:
		parts = append(parts, limitMessage(status, limit, limits, report))
	}
	switch n := report.ForkFailures; {
	case n == 1:
		parts = append(parts, fmt.Sprintf("1 fork refused: process limit %d", limits.Processes))
	case n > 1:
		parts = append(parts, fmt.Sprintf("%d forks refused: process limit %d", n, limits.Processes))
	}
	return strings.Join(parts, "; ")
}

// limitMessage says which limit was hit, and how much it is.
func limitMessage(status verdict.Status, limit string, limits sandbox.Limits, report *sandbox.Report) string {
	switch {
	case status == verdict.OutputLimitExceeded:
		stream := "stdout or stderr"
		if report.StdoutTruncated != report.StderrTruncated {
			stream = "stdout"
			if report.StderrTruncated {
				stream = "stderr"
			}
		}
		return fmt.Sprintf("output limit of %s exceeded on %s", size(limits.Output), stream)
	case status == verdict.MemoryLimitExceeded:
		return fmt.Sprintf("memory limit of %s exceeded", size(limits.Memory))
	case limit == verdict.CPULimit:
		return fmt.Sprintf("CPU time limit of %s exceeded", duration(limits.CPUTime))
	case limit == verdict.WallLimit:
		return fmt.Sprintf("wall time limit of %s exceeded after %s of CPU time", duration(limits.WallTime), duration(report.CPUTime))
	default:
		return string(status)
	}
}

// signalWords explains the signals that people meet.
func signalWords(signal string) string {
	switch signal {
	case "SIGSEGV":
		return " (invalid memory access or stack overflow)"
	case "SIGABRT":
		return " (aborted)"
	case "SIGFPE":
		return " (integer division by zero or overflow)"
	case "SIGILL", "SIGTRAP":
		return " (invalid instruction or trap)"
	case "SIGBUS":
		return " (invalid memory access)"
	case "SIGSYS":
		return " (system call of a foreign kind, or raised by itself)"
	default:
		return ""
	}
}

// size writes bytes for people: "256 MiB", "1.5 GiB", "100 B".
func size(n int64) string {
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(n), 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return number(value) + " " + units[unit]
}

// duration writes a time for people: milliseconds below a second, then seconds.
func duration(d time.Duration) string {
	if d < time.Second {
		return number(float64(d.Microseconds())/1000) + " ms"
	}
	return number(d.Seconds()) + " s"
}

// number has two decimals at most.
func number(v float64) string {
	text := strconv.FormatFloat(v, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
