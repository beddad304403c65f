package engine

import "assay/internal/verdict"

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
