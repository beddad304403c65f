package sandboxtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"assay/internal/fault"
	"assay/internal/sandbox"
)

// refusedTests: a command that makes no sense is refused before anything is started, and the error names the field.
func refusedTests() []test {
	tests := []test{{"a_refusal_costs_no_slot", refusalCostsNothing}}
	for _, r := range refusals() {
		tests = append(tests, test{r.name, func(t *testing.T, b *bench) {
			c := script("true")
			r.change(&c)
			h, err := b.sandbox.Start(t.Context(), c)
			if err == nil {
				rep, werr := h.Wait()
				t.Fatalf("started: %+v, %v", rep, werr)
			}
			wantInvalid(t, err, r.field)
		}})
	}
	return tests
}

// wantInvalid checks for a fault of the request that names a field, or an element of it.
func wantInvalid(t *testing.T, err error, field string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != fault.Invalid || !strings.HasPrefix(f.Field, field) || f.Message == "" || f.Hint == "" {
		t.Errorf("got %v (%#v), want an invalid %q with a message and a hint", err, f, field)
	}
}

type refused struct {
	name, field string
	change      func(*sandbox.Command)
}

func refusals() []refused {
	file := func(name string) func(*sandbox.Command) {
		return func(c *sandbox.Command) { c.Files = []sandbox.File{{Name: name}} }
	}
	list := []refused{
		{"no_args", "args", func(c *sandbox.Command) { c.Args = nil }},
		{"empty_program", "args", func(c *sandbox.Command) { c.Args[0] = "" }},
		{"nul_in_args", "args[2]", func(c *sandbox.Command) { c.Args[2] = "a\x00b" }},
		{"nul_in_env", "env[0]", func(c *sandbox.Command) { c.Env = []string{"A=\x00"} }},
		{"bad_pattern", "outputs[1]", func(c *sandbox.Command) { c.Outputs = []string{"a", "[a"} }},
		{"file_twice", "files[1].name", func(c *sandbox.Command) { c.Files = []sandbox.File{{Name: "a"}, {Name: "a"}} }},
		{"file_and_folder", "files[", func(c *sandbox.Command) { c.Files = []sandbox.File{{Name: "a"}, {Name: "a/b"}} }},
		{"folder_and_file", "files[", func(c *sandbox.Command) { c.Files = []sandbox.File{{Name: "a/b/c"}, {Name: "a/b"}} }},
		{"cpu_time", "limits.cpu_time_ms", func(c *sandbox.Command) { c.Limits.CPUTime = 0 }},
		{"cpu_time_below", "limits.cpu_time_ms", func(c *sandbox.Command) { c.Limits.CPUTime = -time.Second }},
		{"wall_time", "limits.wall_time_ms", func(c *sandbox.Command) { c.Limits.WallTime = 0 }},
		{"memory", "limits.memory_bytes", func(c *sandbox.Command) { c.Limits.Memory = 1 }},
		{"memory_above", "limits.memory_bytes", func(c *sandbox.Command) { c.Limits.Memory = 1 << 62 }},
		{"stack", "limits.stack_bytes", func(c *sandbox.Command) { c.Limits.Stack = 1 }},
		{"processes", "limits.processes", func(c *sandbox.Command) { c.Limits.Processes = 0 }},
		{"output", "limits.output_bytes", func(c *sandbox.Command) { c.Limits.Output = -1 }},
		{"file_bytes", "limits.file_bytes", func(c *sandbox.Command) { c.Limits.FileBytes = 0 }},
		{"file_count", "limits.file_count", func(c *sandbox.Command) { c.Limits.FileCount = 0 }},
		{"cpu_percent", "limits.cpu_percent", func(c *sandbox.Command) { c.Limits.CPUPercent = -1 }},
	}
	for i, name := range []string{
		"", ".", "..", "/", "/etc/passwd", "../x", "a/../x", "a/..", "a//b", "a/", "./a", "a/./b", "a\x00b",
		strings.Repeat("x", 300), strings.Repeat("x/", 200) + "x", strings.Repeat("x/", 3000) + "x",
	} {
		list = append(list, refused{fmt.Sprintf("file_name_%d", i), "files[0].name", file(name)})
	}
	return list
}

func refusalCostsNothing(t *testing.T, b *bench) {
	one := b.alone(t)
	for range 5 {
		if _, err := one.sandbox.Start(t.Context(), sandbox.Command{Limits: limits()}); err == nil {
			t.Fatal("started")
		}
	}
	one.run(t, script("true")).ok(t)
}
