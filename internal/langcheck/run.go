package langcheck

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"assay/internal/engine"
	"assay/internal/verdict"
)

// Runner compiles and runs programs (package engine).
type Runner interface {
	Run(ctx context.Context, req engine.Request) (engine.Result, error)
}

// Outcome is what came of one check.
type Outcome struct {
	Check string `json:"check"`
	// State is "passed", "failed", or "absent" when the language has no means for it.
	State string `json:"state"`
	// Detail says what was wrong, or why the language has no means.
	Detail     string  `json:"detail"`
	WallTimeMS float64 `json:"wall_time_ms"` // compiling included
}

// The states of an Outcome.
const (
	Passed = "passed"
	Failed = "failed"
	Absent = "absent"
)

// Options choose what is run.
type Options struct {
	// Only names the checks to run; empty is all.
	Only []string
	// TimeFactor stretches the time limits, for a machine that is slower than people's; 0 is 1.
	TimeFactor float64
}

// Validate names the check that there is not.
func (o Options) Validate() error {
	for _, name := range o.Only {
		if !known(name) {
			return fmt.Errorf("there is no check %q; the checks are %v", name, Names())
		}
	}
	if o.TimeFactor < 0 {
		return fmt.Errorf("the time factor %g is negative", o.TimeFactor)
	}
	return nil
}

// Run puts one language, or one version of it ("python@3.11"), through the checks, and tells of each outcome as it
// comes. The error is the runner's: assay failed, or ctx ended.
func Run(ctx context.Context, runner Runner, language string, p *Programs, o Options, tell func(Outcome)) error {
	for _, c := range checks() {
		if len(o.Only) > 0 && !slices.Contains(o.Only, c.name) {
			continue
		}
		outcome, err := one(ctx, runner, language, p, &c, o)
		if err != nil {
			return fmt.Errorf("checking %s of language %s: %w", c.name, language, err)
		}
		tell(outcome)
	}
	return nil
}

// one does one check.
func one(ctx context.Context, runner Runner, language string, p *Programs, c *check, o Options) (Outcome, error) {
	source := c.name
	if c.source != "" {
		source = c.source
	}
	outcome := Outcome{Check: c.name, State: Passed}
	if reason, without := p.notes.Without[source]; without {
		outcome.State, outcome.Detail = Absent, reason
		return outcome, nil
	}
	req := p.Request(source, language)
	req.Args = c.args
	if c.limits != nil {
		c.limits(&req.Limits)
	}
	stretch(&req.Limits, o.TimeFactor)
	began := time.Now()
	for range max(1, c.rounds) {
		if c.stdin != nil {
			req.Stdin = bytes.NewReader(c.stdin())
		}
		result, err := runner.Run(ctx, req)
		if err != nil {
			return outcome, err
		}
		if err := c.want(&result, &p.notes); err != nil {
			outcome.State, outcome.Detail = Failed, err.Error()
			if result.Status == verdict.InternalError {
				outcome.Detail = "internal error: " + outcome.Detail
			}
			break
		}
	}
	outcome.WallTimeMS = float64(time.Since(began).Microseconds()) / 1000
	return outcome, nil
}

// stretch multiplies the time limits. Those of a check that sets none are the language's, which suffice on any machine.
func stretch(l *engine.LimitOverrides, factor float64) {
	if factor == 0 {
		return
	}
	for _, limit := range []**int64{&l.CPUTimeMS, &l.WallTimeMS} {
		if *limit != nil {
			*limit = pointer(int64(float64(**limit) * factor))
		}
	}
}
