package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"assay/internal/config"
	"assay/internal/engine"
	"assay/internal/sandbox"
)

// limitFlags are the texts of the flags that set limits.
type limitFlags struct {
	profile, cpu, wall, memory, stack, processes, output, percent string
}

// Bounds that the texts are checked against before anything is opened. They are the widest that any host accepts;
// the sandbox has the last word.
const (
	maxCPU       = time.Hour
	maxWall      = 4 * time.Hour
	maxBytes     = 1024 * sandbox.GiB
	maxOutput    = 4 * sandbox.GiB
	maxProcesses = 32768
	maxPercent   = 100 * 1024
)

func (l *limitFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&l.profile, "profile", "", "named set of limits: default or leetcode (1 s, 256MiB, stack 64MiB)")
	flags.StringVar(&l.cpu, "time-limit", "", "CPU time of all processes together, as 2s or 1500ms (default 10s, or the language's)")
	flags.StringVar(&l.wall, "wall-limit", "", "time on the clock (default 2 x CPU + 5s)")
	flags.StringVar(&l.memory, "memory-limit", "", "memory of all processes together, as 256MiB (default 256MiB, or the language's)")
	flags.StringVar(&l.stack, "stack-limit", "", "stack of the main thread, as 64MiB (default: as the memory limit)")
	flags.StringVar(&l.processes, "process-limit", "", "processes and threads together (default 64, or the language's)")
	flags.StringVar(&l.output, "output-limit", "", "bytes of stdout and of stderr, each (default 1MiB)")
	flags.StringVar(&l.percent, "cpu-percent", "", "rate of CPU use; 100 is one processor (default: no limit)")
}

// overrides parses the limits that were given. The error names the flag and the remedy.
func (l *limitFlags) overrides(flags *pflag.FlagSet) (engine.LimitOverrides, error) {
	o := engine.LimitOverrides{Profile: l.profile}
	if flags.Changed("profile") {
		if _, err := sandbox.Profile(l.profile); err != nil || l.profile == "" {
			return o, fmt.Errorf("--profile: there is no profile %q; give default or leetcode", l.profile)
		}
	}
	for _, p := range []struct {
		flag, text string
		parse      func(flag, text string) error
	}{
		{"time-limit", l.cpu, durationInto(&o.CPUTimeMS, maxCPU)},
		{"wall-limit", l.wall, durationInto(&o.WallTimeMS, maxWall)},
		{"memory-limit", l.memory, sizeInto(&o.MemoryBytes, sandbox.MiB, maxBytes)},
		{"stack-limit", l.stack, sizeInto(&o.StackBytes, 64*sandbox.KiB, maxBytes)},
		{"process-limit", l.processes, countInto(&o.Processes, maxProcesses)},
		{"output-limit", l.output, sizeInto(&o.OutputBytes, 1, maxOutput)},
		{"cpu-percent", l.percent, countInto(&o.CPUPercent, maxPercent)},
	} {
		if !flags.Changed(p.flag) {
			continue
		}
		if err := p.parse("--"+p.flag, p.text); err != nil {
			return o, err
		}
	}
	return o, nil
}

func durationInto(target **int64, most time.Duration) func(flag, text string) error {
	return func(flag, text string) error {
		d, err := config.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%s: %w; give a number with a unit, as 2s or 1500ms", flag, err)
		}
		if d < time.Millisecond || d > most {
			return fmt.Errorf("%s: %s is out of range; give 1ms to %s", flag, text, most)
		}
		ms := d.Milliseconds()
		*target = &ms
		return nil
	}
}

func sizeInto(target **int64, least, most int64) func(flag, text string) error {
	return func(flag, text string) error {
		n, err := config.ParseSize(text)
		if err != nil {
			return fmt.Errorf("%s: %w; give bytes, or a number with a unit, as 256MiB or 64MB", flag, err)
		}
		if n < least || n > most {
			return fmt.Errorf("%s: %s is out of range; give %s to %s", flag, text, config.FormatSize(least), config.FormatSize(most))
		}
		*target = &n
		return nil
	}
}

func countInto(target **int, most int) func(flag, text string) error {
	return func(flag, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return fmt.Errorf("%s: %q is not usable; give a whole number from 1 to %d", flag, text, most)
		}
		*target = &n
		return nil
	}
}
