package engine

import (
	"context"
	"io"
	"slices"

	"assay/internal/language"
	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// run runs the program and makes the result of the facts.
func (e *Engine) run(ctx context.Context, j *job, files []sandbox.File) (Result, error) {
	command := sandbox.Command{
		Args: j.plan.Run.Args, Env: j.plan.Run.Env, Files: files, Limits: j.limits, Stdin: j.stdin,
	}
	var stdout, stderr capture
	command.Stdout, command.Stderr = j.stdout.or(&stdout, j.limits.Output), j.stderr.or(&stderr, j.limits.Output)
	report, err := e.execute(ctx, command, j)
	report.CloseOutputs()
	if err != nil {
		return Result{}, err
	}
	facts := classify(report.Facts, &j.language.Run, j.stdout.edgesOr(&stdout), j.stderr.edgesOr(&stderr))
	if facts.SourceRefused {
		return refusal(facts, &report, &stdout, &stderr), nil
	}
	static := int64(0)
	if !facts.MemoryExceeded && neverRan(&report, &stdout, &stderr) {
		if static = staticMemory(j.plan.Run.Args[0], files); static > j.limits.Memory {
			facts.MemoryExceeded = true
		}
	}
	return newResult(facts, &report, j.limits, &stdout, &stderr, static), nil
}

// execute starts a command and waits for its end. When ctx ends the sandbox kills it. j is nil for a compiler.
func (e *Engine) execute(ctx context.Context, command sandbox.Command, j *job) (sandbox.Report, error) {
	handle, err := e.options.Sandbox.Start(ctx, command)
	if err != nil {
		return sandbox.Report{}, err
	}
	if j != nil {
		j.tell(RunStarted, handle)
	}
	return handle.Wait()
}

// classify adds to the facts what a runtime said itself: that it ran out of memory, or that it refused the source.
func classify(f verdict.Facts, p *language.Phase, stdout, stderr []byte) verdict.Facts {
	ends := func(known []language.Ending) bool {
		return slices.ContainsFunc(known, func(e language.Ending) bool { return e.Matches(f.ExitCode, f.Signal, stdout, stderr) })
	}
	f.MemoryExceeded = f.MemoryExceeded || ends(p.MemoryErrors)
	f.SourceRefused = ends(p.SyntaxErrors)
	return f
}

// refusal is the result of a source that the interpreter refused: what it said is a compiler's message. What went to live
// streams is not said again.
func refusal(f verdict.Facts, report *sandbox.Report, stdout, stderr *capture) Result {
	b := built{message: "compilation failed", compile: Compile{
		Status: verdict.CompileError, ExitCode: &f.ExitCode, CPUTimeMS: milliseconds(report.CPUTime),
		Truncated: stdout.truncated || stderr.truncated || report.StdoutTruncated || report.StderrTruncated,
	}}
	b.compile.Stdout, b.compile.StdoutBase64 = text(stdout.data)
	b.compile.Stderr, b.compile.StderrBase64 = text(stderr.data)
	return compileError(b)
}

// edgeBytes is how much of each end of a stream is searched for a runtime's last words.
const edgeBytes = 8 << 10

// capture keeps the head of a stream. The driver enforces the output limit; this bound is the backstop.
type capture struct {
	data      []byte
	limit     int
	truncated bool
}

func (c *capture) Write(p []byte) (int, error) {
	if room := c.limit - len(c.data); len(p) > room {
		c.data = append(c.data, p[:max(0, room)]...)
		c.truncated = true
		return len(p), nil
	}
	c.data = append(c.data, p...)
	return len(p), nil
}

// edges gives both ends of what was kept.
func (c *capture) edges() []byte { return ends(c.data) }

func ends(data []byte) []byte {
	if len(data) <= 2*edgeBytes {
		return data
	}
	both := make([]byte, 0, 2*edgeBytes+1)
	both = append(both, data[:edgeBytes]...)
	both = append(both, '\n')
	return append(both, data[len(data)-edgeBytes:]...)
}

// live passes a stream on while the program runs. A file is never handed over as it is, since the sandbox would not
// limit what is written to it. The two ends are kept for classify.
type live struct {
	to      io.Writer
	written bool
	kept    []byte // the first edgeBytes, then what came last
}

func (l *live) Write(p []byte) (int, error) {
	l.written = true
	rest := p
	if room := edgeBytes - len(l.kept); room > 0 {
		n := min(room, len(rest))
		l.kept, rest = append(l.kept, rest[:n]...), rest[n:]
	}
	if len(rest) > edgeBytes {
		rest = rest[len(rest)-edgeBytes:]
	}
	if len(rest) > 0 {
		if over := len(l.kept) - edgeBytes + len(rest) - edgeBytes; over > 0 {
			l.kept = append(l.kept[:edgeBytes], l.kept[edgeBytes+min(over, len(l.kept)-edgeBytes):]...)
		}
		l.kept = append(l.kept, rest...)
	}
	return l.to.Write(p)
}

// or is the writer of a stream: the live one, or the capture for the result.
func (l *live) or(c *capture, limit int64) io.Writer {
	if l != nil {
		return l
	}
	c.limit = int(limit)
	return c
}

func (l *live) edgesOr(c *capture) []byte {
	if l != nil {
		return l.kept
	}
	return c.edges()
}

// used reports whether anything was passed on, so that a second try would repeat it.
func (l *live) used() bool { return l != nil && l.written }
