package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"assay/internal/config"
	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/verdict"
)

// Exit codes of assay itself; otherwise `assay run` ends with the program's own.
const (
	exitOK       = 0
	exitFailed   = 1   // a compile error; a doctor's finding
	exitUsage    = 2   // the command line, the settings, or a language that is not there
	exitInternal = 3   // assay failed, or this host cannot run programs safely
	exitLimit    = 124 // a limit ended the program; timeout(1) uses the same
	exitSignal   = 128 // plus the number of the signal
)

// exitError ends a command with a code, without a further message.
type exitError int

func (e exitError) Error() string { return "exit code " + strconv.Itoa(int(e)) }

// usage is an error of the command line: what is wrong, and where help is.
type usage struct{ text, help string }

func (e usage) Error() string { return e.text }

func usageError(cmd *cobra.Command, text string) error {
	return usage{text: text, help: fmt.Sprintf("see %s --help", cmd.CommandPath())}
}

// exitCode prints an error where that is due and gives the code for it.
func (c *command) exitCode(ctx context.Context, err error) int {
	var (
		code     exitError
		bad      usage
		problems config.Problems
		stopped  Interrupted
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(context.Cause(ctx), &stopped) && (errors.Is(err, ctx.Err()) || fault.CodeOf(err) == fault.Cancelled):
		return exitSignal + int(stopped.Signal)
	case errors.As(err, &bad):
		fmt.Fprintf(c.process.Stderr, "assay: %s\n%s\n", bad.text, bad.help)
		return exitUsage
	case errors.As(err, &problems):
		for _, p := range problems {
			fmt.Fprintf(c.process.Stderr, "assay: %s\n", p)
		}
		return exitUsage
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		fmt.Fprintf(c.process.Stderr, "assay: %s\n", err)
		// What has no code of ours and comes from cobra is about the command line ("unknown command").
		if strings.HasPrefix(err.Error(), "unknown command") || strings.HasPrefix(err.Error(), "required flag") {
			return exitUsage
		}
		return exitInternal
	}
	fmt.Fprintf(c.process.Stderr, "assay: %s\n", explain(f, err))
	switch f.Code {
	case fault.Invalid, fault.TooLarge, fault.NotFound, fault.Unavailable:
		return exitUsage
	default:
		return exitInternal
	}
}

// explain words a fault for the command line: fields of the API become flags.
func explain(f *fault.Error, err error) string {
	flag, known := map[string]string{
		"limits.cpu_time_ms": "--time-limit", "limits.wall_time_ms": "--wall-limit", "limits.memory_bytes": "--memory-limit",
		"limits.stack_bytes": "--stack-limit", "limits.processes": "--process-limit", "limits.output_bytes": "--output-limit",
		"limits.cpu_percent": "--cpu-percent", "profile": "--profile", "stdin": "--stdin", "language": "", "source": "FILE", "args": "ARGS",
	}[f.Field]
	if option, ok := strings.CutPrefix(f.Field, "options."); ok {
		flag, known = "--option "+option, true
	}
	if slices.ContainsFunc(config.Table(), func(s config.Setting) bool { return s.Name == f.Field }) {
		flag, known = "--"+f.Field, true
	}
	if !known {
		return err.Error()
	}
	named := *f
	named.Field = flag
	return named.Error()
}

// runCode is the exit code of `assay run` for a result.
func runCode(r *engine.Result) int {
	switch r.Status {
	case verdict.OK:
		return exitOK
	case verdict.CompileError:
		return exitFailed
	case verdict.TimeLimitExceeded, verdict.MemoryLimitExceeded, verdict.OutputLimitExceeded:
		return exitLimit
	case verdict.RuntimeError:
		if r.Signal != nil {
			return exitSignal + signalNumber(*r.Signal)
		}
		if r.ExitCode != nil {
			return *r.ExitCode
		}
	}
	return exitInternal
}

// signalNumber gives the number of a signal by name. Those without a name of their own are called SIG and their
// number, or SIGRTMIN and a distance.
func signalNumber(name string) int {
	if n := unix.SignalNum(name); n != 0 {
		return int(n)
	}
	const firstRealtime = 34 // as the C library counts them: it keeps 32 and 33 to itself
	if rest, ok := strings.CutPrefix(name, "SIGRTMIN"); ok {
		n, _ := strconv.Atoi(strings.TrimPrefix(rest, "+"))
		return firstRealtime + n
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(name, "SIG"))
	return n
}

// Interrupted is the cause of a context that a signal ended.
type Interrupted struct{ Signal syscall.Signal }

func (i Interrupted) Error() string { return "stopped by " + unix.SignalName(i.Signal) }

// WithSignals gives a context that SIGINT, SIGTERM or SIGHUP ends, with Interrupted as the cause. A second signal
// takes its usual course and kills the process at once. stop ends the watch.
func WithSignals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A closed pipe must come back as an error of the write, so that the run is ended in order. Ignoring the signal
	// would be inherited by programs; a channel that nobody reads is not.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		select {
		case s := <-caught:
			signal.Stop(caught)
			cancel(Interrupted{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(caught)
		cancel(nil)
	}
}
