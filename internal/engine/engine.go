// Package engine turns a request (a language, files, input) into a result: it validates, compiles, runs and decides,
// with the sandbox doing the work. The command line and the HTTP API call it and nothing else.
package engine

import (
	"context"
	"io"

	"assay/internal/sandbox"
)

// Sandbox is what the engine needs of a driver (sandbox/linux).
type Sandbox interface {
	// Start begins a run in a free slot and waits for one if need be.
	Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error)
	// Keep moves an output to where later commands can use it as an artifact.
	Keep(o sandbox.Output) (*sandbox.Artifact, error)
	// Release deletes an artifact once no run uses it.
	Release(a *sandbox.Artifact) error
}

// Request is one program to compile and run.
type Request struct {
	Language string            // an id, alias, or id@version
	Files    []SourceFile      // the first is the main source
	Args     []string          // the program's own arguments
	Options  map[string]string // the language's options
	Limits   LimitOverrides    // what the request sets; the rest is the language's default

	Stdin io.Reader // nil is empty
	// Stdout and Stderr, when set, get the program's streams live instead of the Result.
	Stdout, Stderr io.Writer
	// Progress, when set, is told of each step; it must not block.
	Progress func(Event)
}

// SourceFile is one file of a submission. An empty name is given the language's.
type SourceFile struct {
	Name    string
	Content []byte
}

// LimitOverrides are limits that a request sets: a nil field keeps the default. Units are those of the API.
type LimitOverrides struct {
	Profile     string `json:"-"`
	CPUTimeMS   *int64 `json:"cpu_time_ms,omitempty"`
	WallTimeMS  *int64 `json:"wall_time_ms,omitempty"`
	MemoryBytes *int64 `json:"memory_bytes,omitempty"`
	StackBytes  *int64 `json:"stack_bytes,omitempty"`
	Processes   *int   `json:"processes,omitempty"`
	OutputBytes *int64 `json:"output_bytes,omitempty"`
	CPUPercent  *int   `json:"cpu_percent,omitempty"`
}

// Event is one step of a request's progress.
type Event struct {
	Kind   EventKind
	Handle sandbox.Handle // for RunStarted: the live run, for readings and signals
}

// EventKind says which step.
type EventKind int

// The steps, in order; compile events only where something is compiled.
const (
	CompileStarted EventKind = iota
	CompileFinished
	RunStarted
)
