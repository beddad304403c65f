package engine

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// Result is what `assay run --json` prints and `POST /v1/run` answers (design.md, 5.1): every key is always there.
type Result struct {
	Status       verdict.Status `json:"status"`
	Limit        *string        `json:"limit"` // "cpu" or "wall" after time_limit_exceeded, else null
	Stdout       string         `json:"stdout"`
	Stderr       string         `json:"stderr"`
	StdoutBase64 string         `json:"stdout_base64,omitempty"` // only when stdout is not valid UTF-8
	StderrBase64 string         `json:"stderr_base64,omitempty"`
	ExitCode     *int           `json:"exit_code"` // null after a signal and after a compile error
	Signal       *string        `json:"signal"`
	CPUTimeMS    float64        `json:"cpu_time_ms"`
	WallTimeMS   float64        `json:"wall_time_ms"`
	MemoryBytes  int64          `json:"memory_bytes"`
	Truncated    bool           `json:"truncated"`
	Message      string         `json:"message"`
	Compile      *Compile       `json:"compile"` // null for interpreted languages
}

// Compile is the compiler's part of a Result.
type Compile struct {
	Status       verdict.Status `json:"status"` // ok, compile_error, or the limit that the compiler hit
	Stdout       string         `json:"stdout"`
	Stderr       string         `json:"stderr"`
	StdoutBase64 string         `json:"stdout_base64,omitempty"`
	StderrBase64 string         `json:"stderr_base64,omitempty"`
	ExitCode     *int           `json:"exit_code"`
	CPUTimeMS    float64        `json:"cpu_time_ms"`
	Truncated    bool           `json:"truncated"`
	Cached       bool           `json:"cached"`
}

// newResult makes the result of a run from its facts. static is the size of an ELF file's segments if that decided.
func newResult(f verdict.Facts, report *sandbox.Report, limits sandbox.Limits, stdout, stderr *capture, static int64) Result {
	status, limit := verdict.Decide(f)
	r := Result{
		Status: status, CPUTimeMS: milliseconds(report.CPUTime), WallTimeMS: milliseconds(report.WallTime), MemoryBytes: report.Memory,
		Truncated: stdout.truncated || stderr.truncated || report.StdoutTruncated || report.StderrTruncated,
	}
	r.Stdout, r.StdoutBase64 = text(stdout.data)
	r.Stderr, r.StderrBase64 = text(stderr.data)
	if f.Signal != "" {
		r.Signal = &f.Signal
	} else {
		r.ExitCode = &f.ExitCode
	}
	if limit != "" {
		r.Limit = &limit
	}
	r.Message = runMessage(status, limit, f, report, limits, static)
	return r
}

// compileError is the result of a program that was not compiled: nothing ran, so there is nothing to tell but that.
func compileError(b built) Result {
	return Result{Status: verdict.CompileError, Message: b.message, Compile: &b.compile}
}

// milliseconds with the resolution of a microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// text gives a stream as UTF-8, and the bytes in base64 when they are not.
func text(data []byte) (s, encoded string) {
	s = string(data)
	if utf8.ValidString(s) {
		return s, ""
	}
	return replaceInvalid(s), base64.StdEncoding.EncodeToString(data)
}

// replaceInvalid puts one U+FFFD for each byte that is not part of valid UTF-8.
func replaceInvalid(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 64)
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}
