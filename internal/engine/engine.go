// Package engine turns a request (a language, files, input) into a result: it validates, compiles, runs and decides,
// with the sandbox doing the work. The command line and the HTTP API call it and nothing else.
package engine

import (
	"context"
	"errors"
	"io"

	"assay/internal/fault"
	"assay/internal/language"
	"assay/internal/sandbox"
)

// Sandbox is what the engine needs of a driver (sandbox/linux).
type Sandbox interface {
	// Start begins a run in a free slot and waits for one if need be. When ctx ends, so does the run, and Wait gives
	// fault.Cancelled.
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
	Network  bool              // the program wants a network

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

// Options configure an engine. Sandbox and Languages are needed; a zero elsewhere is the default.
type Options struct {
	Sandbox   Sandbox
	Languages *language.Catalog

	// Slots is how many requests are worked on at once (default 1), MaxWaiting how many more may wait for their turn.
	Slots, MaxWaiting int
	// Gate is asked before each run; an error (a fault.Degraded) refuses the request. nil never refuses.
	Gate func() error

	// AllowNetwork is the operator's word that a request may ask for a network.
	AllowNetwork bool

	// RunLimits are the defaults of a run (sandbox.DefaultRun), CompileLimits those of a compiler (sandbox.DefaultCompile).
	RunLimits, CompileLimits sandbox.Limits
	// MaxLimits bound what a request may raise its limits to; a zero field bounds nothing.
	MaxLimits sandbox.Limits

	// MaxSource is the size limit of one file (1 MiB; a language may have its own), MaxTotal of all (16 MiB) and MaxStdin
	// of an input that is given as a whole (64 MiB), in bytes. MaxFiles is how many files a request may have (256).
	MaxSource, MaxTotal, MaxStdin int64
	MaxFiles                      int

	// CacheBytes and CacheEntries bound the compiled programs that are kept. With a zero, none is kept.
	CacheBytes   int64
	CacheEntries int
	// CompileText is how many bytes of each of a compiler's streams a Result holds (64 KiB).
	CompileText int
}

// Engine runs requests. Safe for concurrent use.
type Engine struct {
	options Options
	line    *line
	cache   *cache
	keeper  *keeper
}

// New makes an engine. It owns nothing but what it compiles: Close deletes that.
func New(o Options) *Engine {
	setDefault(&o.Slots, 1)
	setDefault(&o.MaxSource, 1*sandbox.MiB)
	setDefault(&o.MaxTotal, 16*sandbox.MiB)
	setDefault(&o.MaxStdin, 64*sandbox.MiB)
	setDefault(&o.MaxFiles, 256)
	setDefault(&o.CompileText, 64<<10)
	setDefault(&o.RunLimits, sandbox.DefaultRun())
	setDefault(&o.CompileLimits, sandbox.DefaultCompile())
	return &Engine{
		options: o, line: newLine(o.Slots, o.MaxWaiting),
		cache: newCache(o.CacheBytes, o.CacheEntries, o.Sandbox.Release), keeper: newKeeper(o.Sandbox.Release),
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Run works on one request: validate, wait for a turn, compile, run, decide. The error is a fault (package fault), and
// never about what the program did. A request that ctx ends is killed and gives fault.Cancelled.
func (e *Engine) Run(ctx context.Context, req Request) (Result, error) {
	j, err := e.newJob(req)
	if err != nil {
		return Result{}, err
	}
	leave, err := e.line.enter(ctx)
	if err != nil {
		return Result{}, err
	}
	defer leave()
	if e.options.Gate != nil {
		if err := e.options.Gate(); err != nil {
			return Result{}, err
		}
	}
	result, err := e.work(ctx, j)
	if err != nil && fault.CodeOf(err) == fault.Internal && fault.Retryable(err) && ctx.Err() == nil && j.rewind() {
		result, err = e.work(ctx, j) // once more, on a fresh slot
	}
	return result, finalFault(ctx, err)
}

// work compiles and runs.
func (e *Engine) work(ctx context.Context, j *job) (Result, error) {
	files := j.files
	var compile *Compile
	if j.plan.Compile != nil {
		built, err := e.build(ctx, j)
		if err != nil {
			return Result{}, err
		}
		if built.program == nil {
			return compileError(built), nil
		}
		defer e.cache.release(built.program)
		compile, files = &built.compile, j.runFiles(built.program)
	} else if shown, kept := e.keeper.show(ctx, files[0], e.options.Sandbox.Keep); kept != nil {
		defer e.keeper.cache.release(kept)
		files = append([]sandbox.File{shown}, files[1:]...)
	}
	result, err := e.run(ctx, j, files)
	if compile != nil {
		result.Compile = compile
	}
	return result, err
}

// finalFault makes sure that an error is a fault, and says when it was the caller who gave up.
func finalFault(ctx context.Context, err error) error {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &fault.Error{Code: fault.Cancelled, Message: "the request was given up", Err: context.Cause(ctx)}
	case errors.As(err, &f):
		return err
	default:
		return fault.Internalf(err, "run the program")
	}
}

// Drain stops taking requests (fault.Stopping) and waits until those that were taken are finished, or ctx ends.
func (e *Engine) Drain(ctx context.Context) error { return e.line.drain(ctx) }

// Close deletes the programs that are kept. Call it after Drain.
func (e *Engine) Close() error { return errors.Join(e.cache.clear(), e.keeper.cache.clear()) }

// Stats are figures for a metrics page.
type Stats struct {
	Running, Waiting  int   // requests
	CacheHits, Misses int64 // compiles saved, compiles done
	Programs          int   // kept compiled programs
	ProgramBytes      int64 // their size
}

// Stats reads the figures.
func (e *Engine) Stats() Stats {
	s := e.cache.stats()
	s.Running, s.Waiting = e.line.counts()
	return s
}
