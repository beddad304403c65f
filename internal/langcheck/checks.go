// Package langcheck puts every language through the same checks: hello, input, arguments, Unicode, each way to fail,
// each limit, several files, threads, and that nothing is left for the next run. What belongs here: the checks, and what
// must come of them. The programs are data (languages/probe), one file for each language.
package langcheck

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"assay/internal/engine"
	"assay/internal/verdict"
)

// A check is one thing that every language must do.
type check struct {
	name   string
	source string // the check whose program it runs, if not its own
	args   []string
	stdin  func() []byte
	limits func(*engine.LimitOverrides)
	rounds int // how often the program is run; 0 is once
	want   func(r *engine.Result, n *notes) error
}

const (
	echoed   = "first line\n\n  spaces  and\ttabs \nlast line\n"
	greek    = "Ελληνικά και 🚀\n"
	unicoded = "héllo wörld ✓ 日本語 🎉\n" + greek
)

// arguments hold what a shell would not leave alone.
func arguments() []string { return []string{"one", "two words", `$(x) "quoted" 'too' \n`, "ünï ✓"} }

// checks are all checks, in the order of the table.
func checks() []check {
	return []check{
		{name: "hello", want: prints("Hello, world!\n")},
		{name: "echo", stdin: func() []byte { return []byte(echoed) }, want: prints(echoed)},
		{name: "args", args: arguments(), want: prints(strings.Join(arguments(), "\n") + "\n")},
		{name: "unicode", stdin: func() []byte { return []byte(greek) }, want: prints(unicoded)},
		{name: "files", want: prints("helper says 42\n")},
		{name: "large", source: "echo", stdin: megabyte, want: printsMegabyte},
		{name: "recursion", want: prints("50005000\n")},
		{name: "threads", want: prints("10\n")},
		{name: "clean", rounds: 2, want: prints("clean\n")},
		{name: "syntax", want: refused},
		{name: "exit", want: exits(3)},
		{name: "exception", want: fails},
		{name: "overflow", limits: patient, want: overflows},
		{name: "memory", limits: patient, want: exceeds(verdict.MemoryLimitExceeded, "")},
		{name: "output", limits: patient, want: floods},
		{name: "spin", limits: impatient, want: exceeds(verdict.TimeLimitExceeded, verdict.CPULimit)},
		{name: "sleep", limits: func(l *engine.LimitOverrides) { l.WallTimeMS = pointer(2000) }, want: exceeds(verdict.TimeLimitExceeded, verdict.WallLimit)},
	}
}

// Names gives the names of the checks, in the order of the table.
func Names() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.name)
	}
	return names
}

// sources are the checks that have a program of their own.
func sources() []string {
	var names []string
	for _, c := range checks() {
		if c.source == "" {
			names = append(names, c.name)
		}
	}
	return names
}

// megabyte is 1,000,000 bytes of numbered lines.
func megabyte() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 1_000_000; i++ {
		fmt.Fprintf(&b, "%08d abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789\n", i)
	}
	b.Truncate(999_999)
	b.WriteByte('\n')
	return b.Bytes()
}

// patient gives slow languages the time that it takes to fill 256 MiB or a stream.
func patient(l *engine.LimitOverrides) {
	l.CPUTimeMS, l.WallTimeMS = pointer(60_000), pointer(120_000)
}

// impatient ends a busy loop soon, with a wall limit that a loaded machine does not reach before.
func impatient(l *engine.LimitOverrides) {
	l.CPUTimeMS, l.WallTimeMS = pointer(1000), pointer(120_000)
}

func pointer(n int64) *int64 { return &n }

// prints wants a good end, exactly this output, and no word on stderr.
func prints(stdout string) func(*engine.Result, *notes) error {
	return func(r *engine.Result, _ *notes) error {
		switch {
		case r.Status != verdict.OK:
			return unexpected(r, verdict.OK)
		case r.Stdout != stdout:
			return fmt.Errorf("stdout differs: %s", difference(r.Stdout, stdout))
		case r.Stderr != "":
			return fmt.Errorf("stderr is not empty: %s", shorten(r.Stderr))
		default:
			return nil
		}
	}
}

func printsMegabyte(r *engine.Result, n *notes) error { return prints(string(megabyte()))(r, n) }

// refused wants a compile error with a message.
func refused(r *engine.Result, _ *notes) error {
	switch {
	case r.Status != verdict.CompileError:
		return unexpected(r, verdict.CompileError)
	case r.Compile == nil || r.Compile.Stdout+r.Compile.Stderr == "":
		return fmt.Errorf("the compile error says nothing")
	default:
		return nil
	}
}

func exits(code int) func(*engine.Result, *notes) error {
	return func(r *engine.Result, _ *notes) error {
		switch {
		case r.Status != verdict.RuntimeError:
			return unexpected(r, verdict.RuntimeError)
		case r.ExitCode == nil || *r.ExitCode != code:
			return fmt.Errorf("want exit code %d: %s", code, r.Message)
		default:
			return nil
		}
	}
}

// fails wants an uncaught exception: what was printed before it is there, and so is what the runtime says of it.
func fails(r *engine.Result, _ *notes) error {
	switch {
	case r.Status != verdict.RuntimeError:
		return unexpected(r, verdict.RuntimeError)
	case !strings.HasPrefix(r.Stdout, "before\n"):
		return fmt.Errorf("what was printed before the exception is not there: %s", shorten(r.Stdout))
	case r.Stderr == "" && r.Stdout == "before\n":
		return fmt.Errorf("the exception leaves no message")
	default:
		return nil
	}
}

// overflows wants endless recursion to end as the language says.
func overflows(r *engine.Result, n *notes) error {
	want := n.Overflow
	if want == "" {
		want = verdict.RuntimeError
	}
	if r.Status != want {
		return unexpected(r, want)
	}
	return nil
}

func exceeds(want verdict.Status, limit string) func(*engine.Result, *notes) error {
	return func(r *engine.Result, _ *notes) error {
		if r.Status != want || limit != "" && (r.Limit == nil || *r.Limit != limit) {
			return unexpected(r, want)
		}
		return nil
	}
}

// floods wants an output limit with what fitted kept.
func floods(r *engine.Result, _ *notes) error {
	switch {
	case r.Status != verdict.OutputLimitExceeded:
		return unexpected(r, verdict.OutputLimitExceeded)
	case !r.Truncated || len(r.Stdout) < 1<<20:
		return fmt.Errorf("%d bytes of output were kept, truncated is %t", len(r.Stdout), r.Truncated)
	default:
		return nil
	}
}

// unexpected says what came instead, with the words of compiler or program that explain it.
func unexpected(r *engine.Result, want verdict.Status) error {
	var words []string
	add := func(name, text string) {
		if text != "" {
			words = append(words, name+": "+shorten(text))
		}
	}
	add("message", r.Message)
	if r.Compile != nil && r.Compile.Status != verdict.OK {
		add("compiler's stdout", r.Compile.Stdout)
		add("compiler's stderr", r.Compile.Stderr)
	}
	add("stdout", r.Stdout)
	add("stderr", r.Stderr)
	return fmt.Errorf("%s, want %s; %s", r.Status, want, strings.Join(words, "; "))
}

// shown is how much of a text a message holds.
const shown = 400

func shorten(s string) string {
	if len(s) > shown {
		return fmt.Sprintf("%q… (%d bytes)", s[:shown], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// difference shows where two texts part.
func difference(got, want string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	around := func(s string) string { return shorten(s[max(0, min(i, len(s))-20):min(len(s), i+40)]) }
	return fmt.Sprintf("at byte %d got %s, want %s", i, around(got), around(want))
}

// known reports whether a check has that name.
func known(name string) bool { return slices.Contains(Names(), name) }
