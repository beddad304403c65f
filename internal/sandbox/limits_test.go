package sandbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"assay/internal/fault"
	"assay/internal/sandbox"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, l := range []sandbox.Limits{sandbox.DefaultRun(), sandbox.DefaultCompile()} {
		if err := l.Validate(); err != nil {
			t.Errorf("a default is refused: %v", err)
		}
	}
	for name, c := range map[string]struct {
		change func(*sandbox.Limits)
		field  string // "" is accepted
	}{
		"zero CPU":            {func(l *sandbox.Limits) { l.CPUTime = 0 }, "limits.cpu_time_ms"},
		"negative CPU":        {func(l *sandbox.Limits) { l.CPUTime = -time.Second }, "limits.cpu_time_ms"},
		"least CPU":           {func(l *sandbox.Limits) { l.CPUTime = time.Millisecond }, ""},
		"absurd CPU":          {func(l *sandbox.Limits) { l.CPUTime = 2 * time.Hour }, "limits.cpu_time_ms"},
		"zero wall":           {func(l *sandbox.Limits) { l.WallTime = 0 }, "limits.wall_time_ms"},
		"absurd wall":         {func(l *sandbox.Limits) { l.WallTime = 1 << 62 }, "limits.wall_time_ms"},
		"zero memory":         {func(l *sandbox.Limits) { l.Memory = 0 }, "limits.memory_bytes"},
		"little memory":       {func(l *sandbox.Limits) { l.Memory = sandbox.MiB - 1 }, "limits.memory_bytes"},
		"least memory":        {func(l *sandbox.Limits) { l.Memory = sandbox.MiB }, ""},
		"absurd memory":       {func(l *sandbox.Limits) { l.Memory = 1 << 62 }, "limits.memory_bytes"},
		"negative stack":      {func(l *sandbox.Limits) { l.Stack = -1 }, "limits.stack_bytes"},
		"zero processes":      {func(l *sandbox.Limits) { l.Processes = 0 }, "limits.processes"},
		"one process":         {func(l *sandbox.Limits) { l.Processes = 1 }, ""},
		"negative output":     {func(l *sandbox.Limits) { l.Output = -1 }, "limits.output_bytes"},
		"no output":           {func(l *sandbox.Limits) { l.Output = 0 }, ""},
		"zero file bytes":     {func(l *sandbox.Limits) { l.FileBytes = 0 }, "limits.file_bytes"},
		"zero files":          {func(l *sandbox.Limits) { l.FileCount = 0 }, "limits.file_count"},
		"negative CPU rate":   {func(l *sandbox.Limits) { l.CPUPercent = -1 }, "limits.cpu_percent"},
		"no CPU rate":         {func(l *sandbox.Limits) { l.CPUPercent = 0 }, ""},
		"absurd CPU rate":     {func(l *sandbox.Limits) { l.CPUPercent = 1 << 30 }, "limits.cpu_percent"},
		"one core and a half": {func(l *sandbox.Limits) { l.CPUPercent = 150 }, ""},
	} {
		l := sandbox.DefaultRun()
		c.change(&l)
		err := l.Validate()
		var f *fault.Error
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && (!errors.As(err, &f) || f.Code != fault.Invalid || f.Field != c.field || !strings.HasPrefix(f.Hint, "give ")):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProfile(t *testing.T) {
	t.Parallel()
	l, err := sandbox.Profile("leetcode")
	if err != nil || l.CPUTime != time.Second || l.Memory != 256*sandbox.MiB || l.Stack != 64*sandbox.MiB || l.WallTime != 7*time.Second {
		t.Errorf("%+v, %v", l, err)
	}
	for _, name := range []string{"", "default"} {
		if l, err := sandbox.Profile(name); err != nil || l != sandbox.DefaultRun() {
			t.Errorf("%q: %+v, %v", name, l, err)
		}
	}
	if _, err := sandbox.Profile("codeforces"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an unknown profile: %v", err)
	}
}
