package engine

import (
	"fmt"
	"math"
	"time"

	"assay/internal/fault"
	"assay/internal/language"
	"assay/internal/sandbox"
)

// runLimits are the limits of the run: the defaults or a profile, what the language needs, what the request sets.
func (e *Engine) runLimits(l language.Language, o LimitOverrides) (sandbox.Limits, error) {
	limits := e.options.RunLimits
	if o.Profile != "" && o.Profile != "default" {
		var err error
		if limits, err = sandbox.Profile(o.Profile); err != nil {
			return limits, err
		}
	}
	limits = overlay(limits, l.Run.Limits)
	top := &e.options.MaxLimits
	for _, c := range []struct {
		field string
		set   *int64
		to    *int64
		max   int64
		unit  int64
	}{
		{"limits.cpu_time_ms", o.CPUTimeMS, (*int64)(&limits.CPUTime), int64(top.CPUTime), int64(time.Millisecond)},
		{"limits.wall_time_ms", o.WallTimeMS, (*int64)(&limits.WallTime), int64(top.WallTime), int64(time.Millisecond)},
		{"limits.memory_bytes", o.MemoryBytes, &limits.Memory, top.Memory, 1},
		{"limits.stack_bytes", o.StackBytes, &limits.Stack, top.Stack, 1},
		{"limits.output_bytes", o.OutputBytes, &limits.Output, top.Output, 1},
	} {
		if c.set == nil {
			continue
		}
		if c.max > 0 && *c.set > c.max/c.unit {
			return limits, aboveMaximum(c.field, *c.set, c.max/c.unit)
		}
		// Saturated, so that Validate refuses a number that would overflow.
		*c.to = max(min(*c.set, math.MaxInt64/c.unit), math.MinInt64/c.unit) * c.unit
	}
	for _, c := range []struct {
		field    string
		set, to  *int
		max, min int
	}{
		{"limits.processes", o.Processes, &limits.Processes, top.Processes, 0},
		{"limits.cpu_percent", o.CPUPercent, &limits.CPUPercent, top.CPUPercent, 0},
	} {
		if c.set == nil {
			continue
		}
		if c.max > 0 && *c.set > c.max {
			return limits, aboveMaximum(c.field, int64(*c.set), int64(c.max))
		}
		*c.to = *c.set
	}
	if err := limits.Validate(); err != nil {
		return limits, err
	}
	if o.CPUTimeMS != nil && o.WallTimeMS == nil {
		limits.WallTime = atMost(sandbox.WallFor(limits.CPUTime), top.WallTime)
	}
	if o.MemoryBytes != nil && o.StackBytes == nil {
		limits.Stack = atMost(limits.Memory, top.Stack)
		if o.Profile != "" && o.Profile != "default" {
			limits.Stack = min(e.profileStack(o.Profile), limits.Stack)
		}
	}
	return limits, limits.Validate()
}

// profileStack is the stack of a profile, which a request's memory limit does not raise.
func (e *Engine) profileStack(name string) int64 {
	l, err := sandbox.Profile(name)
	if err != nil {
		return math.MaxInt64
	}
	return l.Stack
}

func atMost[T ~int64](value, maximum T) T {
	if maximum > 0 {
		return min(value, maximum)
	}
	return value
}

func aboveMaximum(field string, value, maximum int64) error {
	return fault.Invalidf(field, fmt.Sprintf("give at most %d", maximum), "%d is above this server's maximum", value)
}

// overlay puts what a language needs over the defaults.
func overlay(l sandbox.Limits, needs language.Limits) sandbox.Limits {
	set := func(to *int64, value, unit int64) {
		if value > 0 {
			*to = value * unit
		}
	}
	set((*int64)(&l.CPUTime), needs.CPUTimeMS, int64(time.Millisecond))
	set((*int64)(&l.WallTime), needs.WallTimeMS, int64(time.Millisecond))
	set(&l.Memory, needs.MemoryMiB, sandbox.MiB)
	set(&l.Stack, needs.StackMiB, sandbox.MiB)
	set(&l.Output, needs.OutputKiB, sandbox.KiB)
	set(&l.FileBytes, needs.FileMiB, sandbox.MiB)
	if needs.Processes > 0 {
		l.Processes = needs.Processes
	}
	if needs.FileCount > 0 {
		l.FileCount = needs.FileCount
	}
	return l
}
