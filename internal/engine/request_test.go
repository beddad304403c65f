package engine

import (
	"bytes"
	"fmt"
	"math"
	"path"
	"strings"
	"testing"
	"time"

	"assay/internal/fault"
	"assay/internal/language"
	"assay/internal/sandbox"
)

func TestValidation(t *testing.T) {
	t.Parallel()
	e := newEngine(t, newFake(t), func(o *Options) {
		o.MaxSource, o.MaxTotal, o.MaxStdin, o.MaxFiles = 100, 150, 10, 3
		o.MaxLimits = sandbox.Limits{CPUTime: 20 * time.Second, Memory: 1 << 30, Processes: 128}
	})
	named := func(names ...string) Request {
		r := Request{Language: "script"}
		for _, n := range names {
			r.Files = append(r.Files, SourceFile{Name: n})
		}
		return r
	}
	limit := func(o LimitOverrides) Request { return Request{Language: "script", Files: source("x"), Limits: o} }
	n := func(v int64) *int64 { return &v }
	i := func(v int) *int { return &v }
	for name, test := range map[string]struct {
		request Request
		code    fault.Code
		field   string
	}{
		"no language":        {Request{Files: source("x")}, fault.Invalid, "language"},
		"unknown language":   {Request{Language: "nope", Files: source("x")}, fault.Unavailable, ""},
		"no file":            {Request{Language: "script"}, fault.Invalid, "source"},
		"many files":         {named("a", "b", "c", "d"), fault.TooLarge, "files"},
		"long source":        {Request{Language: "script", Files: source(strings.Repeat("x", 101))}, fault.TooLarge, "source"},
		"long file":          {Request{Language: "script", Files: []SourceFile{{}, {Name: "b", Content: make([]byte, 101)}}}, fault.TooLarge, "files[1].content"},
		"long together":      {Request{Language: "script", Files: []SourceFile{{Content: make([]byte, 90)}, {Name: "b", Content: make([]byte, 90)}}}, fault.TooLarge, "files"},
		"long stdin":         {Request{Language: "script", Files: source("x"), Stdin: bytes.NewReader(make([]byte, 11))}, fault.TooLarge, "stdin"},
		"parent":             {named("", "../b"), fault.Invalid, "files[1].name"},
		"inner parent":       {named("a/../b"), fault.Invalid, "files[0].name"},
		"absolute":           {named("/etc/passwd"), fault.Invalid, "files[0].name"},
		"second nameless":    {named("", ""), fault.Invalid, "files[1].name"},
		"NUL":                {named("a\x00b"), fault.Invalid, "files[0].name"},
		"newline":            {named("a\nb"), fault.Invalid, "files[0].name"},
		"not UTF-8":          {named("a\xff"), fault.Invalid, "files[0].name"},
		"option":             {named("-rf"), fault.Invalid, "files[0].name"},
		"argument file":      {named("@x"), fault.Invalid, "files[0].name"},
		"dot":                {named("./a"), fault.Invalid, "files[0].name"},
		"slash at the end":   {named("a/"), fault.Invalid, "files[0].name"},
		"long name":          {named(strings.Repeat("a", 256)), fault.Invalid, "files[0].name"},
		"deep":               {named(strings.Repeat("a/", 17) + "b"), fault.Invalid, "files[0].name"},
		"twice":              {named("a", "b", "a"), fault.Invalid, "files[2].name"},
		"twice by default":   {named("", "main.s"), fault.Invalid, "files[1].name"},
		"file and folder":    {named("a/b", "a"), fault.Invalid, "files[0].name"},
		"NUL in an argument": {Request{Language: "script", Files: source("x"), Args: []string{"a", "\x00"}}, fault.Invalid, "args[1]"},
		"long argument":      {Request{Language: "script", Files: source("x"), Args: []string{strings.Repeat("x", 1<<18)}}, fault.TooLarge, "args[0]"},
		"many arguments":     {Request{Language: "script", Files: source("x"), Args: make([]string, 5000)}, fault.TooLarge, "args"},
		"unknown option":     {Request{Language: "comp", Files: source("x"), Options: map[string]string{"colour": "red"}}, fault.Invalid, "options.colour"},
		"option value":       {Request{Language: "comp", Files: source("x"), Options: map[string]string{"level": "9"}}, fault.Invalid, "options.level"},
		"network":            {Request{Language: "script", Files: source("x"), Network: true}, fault.Unavailable, "network"},
		"profile":            {limit(LimitOverrides{Profile: "huge"}), fault.Invalid, "profile"},
		"negative":           {limit(LimitOverrides{CPUTimeMS: n(-1)}), fault.Invalid, "limits.cpu_time_ms"},
		"zero":               {limit(LimitOverrides{MemoryBytes: n(0)}), fault.Invalid, "limits.memory_bytes"},
		"overflow":           {limit(LimitOverrides{WallTimeMS: n(math.MaxInt64)}), fault.Invalid, "limits.wall_time_ms"},
		"underflow":          {limit(LimitOverrides{WallTimeMS: n(math.MinInt64)}), fault.Invalid, "limits.wall_time_ms"},
		"above the maximum":  {limit(LimitOverrides{CPUTimeMS: n(20001)}), fault.Invalid, "limits.cpu_time_ms"},
		"much above it":      {limit(LimitOverrides{CPUTimeMS: n(math.MaxInt64)}), fault.Invalid, "limits.cpu_time_ms"},
		"processes":          {limit(LimitOverrides{Processes: i(129)}), fault.Invalid, "limits.processes"},
		"no processes":       {limit(LimitOverrides{Processes: i(0)}), fault.Invalid, "limits.processes"},
		"rate":               {limit(LimitOverrides{CPUPercent: i(-1)}), fault.Invalid, "limits.cpu_percent"},
		"output":             {limit(LimitOverrides{OutputBytes: n(-1)}), fault.Invalid, "limits.output_bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := e.Run(t.Context(), test.request)
			f, ok := err.(*fault.Error) //nolint:errorlint // it must be the fault itself
			if !ok || f.Code != test.code || f.Field != test.field || f.Message == "" {
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestRunLimits(t *testing.T) {
	t.Parallel()
	n := func(v int64) *int64 { return &v }
	base := sandbox.DefaultRun()
	base.Processes = 99 // the language's
	for name, test := range map[string]struct {
		overrides LimitOverrides
		want      func(*sandbox.Limits)
	}{
		"none":           {LimitOverrides{}, func(*sandbox.Limits) {}},
		"cpu alone":      {LimitOverrides{CPUTimeMS: n(2000)}, func(l *sandbox.Limits) { l.CPUTime, l.WallTime = 2*time.Second, 9*time.Second }},
		"cpu and wall":   {LimitOverrides{CPUTimeMS: n(2000), WallTimeMS: n(3000)}, func(l *sandbox.Limits) { l.CPUTime, l.WallTime = 2*time.Second, 3*time.Second }},
		"memory alone":   {LimitOverrides{MemoryBytes: n(64 << 20)}, func(l *sandbox.Limits) { l.Memory, l.Stack = 64<<20, 64<<20 }},
		"memory, stack":  {LimitOverrides{MemoryBytes: n(64 << 20), StackBytes: n(8 << 20)}, func(l *sandbox.Limits) { l.Memory, l.Stack = 64<<20, 8<<20 }},
		"wall's maximum": {LimitOverrides{CPUTimeMS: n(60000)}, func(l *sandbox.Limits) { l.CPUTime, l.WallTime = time.Minute, 100*time.Second }},
		"default":        {LimitOverrides{Profile: "default"}, func(*sandbox.Limits) {}},
		"leetcode":       {LimitOverrides{Profile: "leetcode"}, func(l *sandbox.Limits) { l.CPUTime, l.WallTime, l.Stack = time.Second, 7*time.Second, 64<<20 }},
		"leetcode memory": {LimitOverrides{Profile: "leetcode", MemoryBytes: n(1 << 30)}, func(l *sandbox.Limits) {
			l.CPUTime, l.WallTime, l.Stack, l.Memory = time.Second, 7*time.Second, 64<<20, 1<<30
		}},
		"no output": {LimitOverrides{OutputBytes: n(0)}, func(l *sandbox.Limits) { l.Output = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			var got sandbox.Limits
			f.run = func(c sandbox.Command) (sandbox.Report, error) { got = c.Limits; return sandbox.Report{}, nil }
			e := newEngine(t, f, func(o *Options) { o.MaxLimits.WallTime = 100 * time.Second })
			_, err := e.Run(t.Context(), Request{Language: "script", Files: source("x"), Limits: test.overrides})
			want := base
			test.want(&want)
			if err != nil || got != want {
				t.Errorf("%+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		size(256 << 20): "256 MiB", size(1536): "1.5 KiB", size(100): "100 B", size(1 << 20): "1 MiB", size(5 << 40): "5 TiB",
		duration(2 * time.Second): "2 s", duration(1500 * time.Millisecond): "1.5 s", duration(10 * time.Millisecond): "10 ms",
		duration(1234 * time.Microsecond): "1.23 ms",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzCheckNames(f *testing.F) {
	for _, s := range []string{"a|b", "../x|y", "a/b|a", "a//b|c", "-x|@y", "a\x00|b", "a/./b|", "é|\xff"} {
		first, second, _ := strings.Cut(s, "|")
		f.Add(first, second)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if checkNames([]language.File{{Name: first}, {Name: second}}) != nil {
			return
		}
		for _, name := range []string{first, second} {
			if name == "" {
				continue
			}
			if path.Clean(name) != name || path.IsAbs(name) || strings.HasPrefix(name, "..") && (name == ".." || name[2] == '/') ||
				strings.ContainsAny(name, "\x00\n") || len(name) > maxPathBytes {
				t.Errorf("%q is accepted", name)
			}
		}
		if second == "" || first == second || strings.HasPrefix(second, first+"/") && first != "" || strings.HasPrefix(first, second+"/") {
			t.Errorf("%q with %q is accepted", first, second)
		}
	})
}

func FuzzLive(f *testing.F) {
	f.Add(10, 20000, 3)
	f.Fuzz(func(t *testing.T, a, b, c int) {
		var sink, all bytes.Buffer
		l := &live{to: &sink}
		for i, n := range []int{a, b, c, a, c} {
			chunk := bytes.Repeat([]byte(fmt.Sprint(i)), (n&math.MaxInt)%30000)
			_, _ = l.Write(chunk)
			all.Write(chunk)
		}
		if !bytes.Equal(sink.Bytes(), all.Bytes()) {
			t.Error("the stream is changed")
		}
		head, tail := all.Bytes(), all.Bytes()
		if len(head) > edgeBytes {
			head, tail = head[:edgeBytes], tail[max(edgeBytes, len(tail)-edgeBytes):]
		}
		if !bytes.HasPrefix(l.kept, head) || !bytes.HasSuffix(l.kept, tail) || len(l.kept) > 2*edgeBytes {
			t.Errorf("%d bytes kept of %d", len(l.kept), all.Len())
		}
	})
}
