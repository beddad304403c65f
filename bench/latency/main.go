// Command latency measures runs through the library: one driver, one slot unless told otherwise, a program that exits at
// once. Built with the tag "floor" it measures what the kernel alone costs for the same: the processes, namespaces and
// mounts of a run, without limits, filters or a change of user. bench/compare has the two run by turns.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"assay/internal/bench"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
)

// options are the flags.
type options struct {
	program, runDir string
	runs, callers   int
	turns           bool
}

func main() {
	linux.Main()
	var o options
	flag.StringVar(&o.program, "program", "", "static ELF `file` to run")
	flag.StringVar(&o.runDir, "run-dir", "", "scratch `folder` of the sandboxes")
	flag.IntVar(&o.runs, "runs", 1000, "how many runs to time")
	flag.IntVar(&o.callers, "callers", 1, "callers at a time, each with a slot")
	flag.BoolVar(&o.turns, "turns", false, "read numbers from stdin, one on a line, and time so many runs for each; print nanoseconds, one on a line")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, o options) error {
	elf, err := os.ReadFile(o.program)
	if err != nil {
		return err
	}
	d, err := linux.Open(ctx, linux.Options{RunDir: o.runDir, Slots: o.callers})
	if err != nil {
		return err
	}
	defer d.Close()
	command := sandbox.Command{
		Args: []string{"./program"}, Env: []string{"PATH=/usr/bin:/bin"}, Limits: sandbox.DefaultRun(),
		Files: []sandbox.File{{Name: "program", Mode: 0o755, Data: elf}},
	}
	run := func(ctx context.Context) error {
		h, err := d.Start(ctx, command)
		if err != nil {
			return err
		}
		report, err := h.Wait()
		if err == nil && (report.ExitCode != 0 || report.Signal != "") {
			err = fmt.Errorf("the program failed: %+v", report)
		}
		return err
	}
	if _, _, err := bench.Repeat(ctx, 50*o.callers, o.callers, run); err != nil { // warm up
		return err
	}
	if o.turns {
		return takeTurns(ctx, o.callers, run, os.Stdin, os.Stdout)
	}
	times, took, err := bench.Repeat(ctx, o.runs, o.callers, run)
	if err != nil {
		return err
	}
	t := bench.Summarize(times)
	fmt.Printf("min %.0f us, median %.0f us, p99 %.0f us, %.0f runs/s\n", t.MinUS, t.MedianUS, t.P99US, float64(t.Count)/took.Seconds())
	return nil
}

// takeTurns times as many runs as each line says, until there are no more lines.
func takeTurns(ctx context.Context, callers int, run func(context.Context) error, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	buffered := bufio.NewWriter(out)
	for lines.Scan() {
		runs, err := strconv.Atoi(lines.Text())
		if err != nil {
			return fmt.Errorf("reading how many runs: %w", err)
		}
		var times []time.Duration
		if times, _, err = bench.Repeat(ctx, runs, callers, run); err != nil {
			return err
		}
		for _, t := range times {
			fmt.Fprintln(buffered, t.Nanoseconds())
		}
		if err := buffered.Flush(); err != nil {
			return fmt.Errorf("writing the times: %w", err)
		}
	}
	return lines.Err()
}
