package engine

import (
	"context"
	"fmt"
	"io"

	"assay/internal/fault"
	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// What a compile may leave behind. Small files that are not executable (class files, scripts) are held in memory and
// written anew for each run, since showing one to a sandbox costs more than writing it; others become artifacts.
const (
	inlineBytes  = 1 << 20
	inlineTotal  = 16 << 20
	maxArtifacts = 64
)

// build compiles, or takes what an equal compile gave.
func (e *Engine) build(ctx context.Context, j *job) (built, error) {
	j.tell(CompileStarted, nil)
	defer j.tell(CompileFinished, nil)
	return e.cache.get(ctx, keyOf(j), func(ctx context.Context) (built, error) { return e.compile(ctx, j) })
}

// compile runs the compiler in the sandbox and keeps what it makes.
func (e *Engine) compile(ctx context.Context, j *job) (built, error) {
	stdout, stderr := capture{limit: e.options.CompileText}, capture{limit: e.options.CompileText}
	report, err := e.execute(ctx, sandbox.Command{
		Args: j.plan.Compile.Args, Env: j.plan.Compile.Env, Files: j.files, Outputs: j.plan.Compile.Outputs,
		Limits: j.compile, Stdout: &stdout, Stderr: &stderr,
	}, nil)
	if err != nil {
		return built{}, err
	}
	defer report.CloseOutputs()
	if report.StartError != "" {
		return built{}, &fault.Error{
			Code: fault.Unavailable, Message: fmt.Sprintf("the compiler of language %s could not be started: %s", j.language.ID, report.StartError),
			Hint: "`assay doctor` checks the toolchains",
		}
	}
	facts := classify(report.Facts, j.language.Definition.Compile, stdout.edges(), stderr.edges())
	status, limit := verdict.Decide(facts)
	b := built{compile: Compile{
		Status: status, CPUTimeMS: milliseconds(report.CPUTime),
		Truncated: stdout.truncated || stderr.truncated || report.StdoutTruncated || report.StderrTruncated,
	}}
	c := &b.compile
	c.Stdout, c.StdoutBase64 = text(stdout.data)
	c.Stderr, c.StderrBase64 = text(stderr.data)
	if facts.Signal == "" {
		c.ExitCode = &facts.ExitCode
	}
	switch status {
	case verdict.OK:
		if err := e.keep(&b, &report); err != nil {
			return built{}, err
		}
		if b.program == nil {
			c.Status = verdict.CompileError
		}
	case verdict.RuntimeError:
		c.Status = verdict.CompileError
		b.message = compileMessage(facts)
	default:
		b.message = "the compiler hit a limit: " + limitMessage(status, limit, j.compile, &report)
	}
	return b, nil
}

// keep turns a compiler's outputs into a program. Without usable ones b.program stays nil and b.message says why.
func (e *Engine) keep(b *built, report *sandbox.Report) error {
	if len(report.Outputs) == 0 {
		b.message = "compilation failed: the compiler made no program"
		return nil
	}
	p := &program{}
	inlined := int64(0)
	for _, o := range report.Outputs {
		f := sandbox.File{Name: o.Name, Mode: o.Mode.Perm()}
		if o.Mode&0o111 == 0 && o.Size <= inlineBytes && inlined+o.Size <= inlineTotal {
			data := make([]byte, o.Size)
			if _, err := io.ReadFull(io.NewSectionReader(o.File, 0, o.Size), data); err != nil {
				e.forget(p)
				return fault.Internalf(err, "read the compiler's output %q", o.Name)
			}
			f.Data = data
			inlined += o.Size
		} else {
			if len(p.artifacts) == maxArtifacts {
				e.forget(p)
				b.message = fmt.Sprintf("compilation failed: the compiler made more than %d programs or large files", maxArtifacts)
				return nil
			}
			a, err := e.options.Sandbox.Keep(o)
			if err != nil {
				e.forget(p)
				return fault.Internalf(err, "keep the compiler's output %q", o.Name)
			}
			f.Artifact = a
			p.artifacts = append(p.artifacts, a)
		}
		p.files = append(p.files, f)
		p.bytes += o.Size
	}
	b.program = p
	return nil
}

// forget deletes what was kept of a program that did not come about.
func (e *Engine) forget(p *program) {
	for _, a := range p.artifacts {
		_ = e.options.Sandbox.Release(a)
	}
}

// compileMessage says how a compiler failed that hit no limit.
func compileMessage(f verdict.Facts) string {
	if f.Signal != "" {
		return "compilation failed: the compiler was killed by " + f.Signal
	}
	return "compilation failed"
}
