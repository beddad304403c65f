package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"assay/internal/bench"
)

// Bounds of what `assay bench` takes; more is a slip.
const (
	maxBenchRuns    = 1_000_000
	maxBenchCallers = 1024
	maxBenchProgram = 16 << 20
)

func (c *command) benchCommand() *cobra.Command {
	var (
		runs, callers int
		program       string
		asJSON        bool
	)
	cmd := &cobra.Command{
		Use:   "bench [flags]",
		Short: "Measure what runs cost on this machine",
		Long: `Measure what runs cost on this machine: the time of one run and the runs per second, through the library and over HTTP on
loopback, the time of a whole "assay run", and how steady the readings of CPU time and memory are. Takes about half a
minute. Nothing is judged: docs/performance.md says what to expect, and the folder bench compares with other engines.`,
		Example: "  assay bench\n  assay bench --runs 5000 --callers 8\n  assay bench --json --program ./a.out",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runs < 1 || runs > maxBenchRuns {
				return usageError(cmd, fmt.Sprintf("--runs %d: give 1 to %d", runs, maxBenchRuns))
			}
			if callers < 0 || callers > maxBenchCallers {
				return usageError(cmd, fmt.Sprintf("--callers %d: give 1 to %d, or 0 for two for each slot", callers, maxBenchCallers))
			}
			elf, err := readBenchProgram(program)
			if err != nil {
				return usageError(cmd, err.Error())
			}
			cfg, log, err := c.settings(cmd, false)
			if err != nil {
				return err
			}
			o := bench.Options{Runs: runs, Callers: callers, Program: elf}
			if isTerminal(c.process.Stderr) && !asJSON {
				o.Progress = func(step string) { fmt.Fprintf(c.process.Stderr, "measuring %s\n", step) }
			}
			report, err := c.host.Measure(cmd.Context(), cfg, o, log)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(c.process.Stdout).Encode(report)
			} else {
				err = printReport(c.process.Stdout, &report)
			}
			if err != nil {
				return fmt.Errorf("printing the measurements: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().IntVar(&runs, "runs", 1000, "runs to time, for each way to run")
	cmd.Flags().IntVar(&callers, "callers", 0, "callers at a time when runs per second are counted (default two for each slot)")
	cmd.Flags().StringVar(&program, "program", "", "static ELF file to time instead of a program that exits at once; it must exit with 0")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	addSettings(cmd, false)
	return cmd
}

// readBenchProgram reads the file of --program; without one it gives nil.
func readBenchProgram(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--program: %w", err)
	}
	defer f.Close()
	elf, err := io.ReadAll(io.LimitReader(f, maxBenchProgram+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("--program: %w", err)
	case len(elf) > maxBenchProgram:
		return nil, fmt.Errorf("--program: %s has more than %d bytes", oneLine(name), maxBenchProgram)
	case len(elf) < 4 || string(elf[:4]) != "\x7fELF":
		return nil, fmt.Errorf("--program: %s is not an ELF file", oneLine(name))
	}
	return elf, nil
}

func printReport(out io.Writer, r *bench.Report) error {
	row := func(texts ...string) []cell {
		cells := make([]cell, len(texts))
		for i, t := range texts {
			cells[i].text = t
		}
		return cells
	}
	times := func(name string, t bench.Times, rest string) []cell {
		return row(name, milli(t.MinUS), milli(t.MedianUS), milli(t.P99US), rest)
	}
	fmt.Fprintf(out, "%d processors (%s), %d slots, %d callers for runs/s; times in ms\n\n", r.CPUs, r.Arch, r.Slots, r.Callers)
	err := writeTable(out, [][]cell{
		row("ONE RUN", "MIN", "MEDIAN", "P99", "RUNS/S"),
		times("library", r.Library.Latency, fmt.Sprintf("%.0f", r.Library.PerSec)),
		times("POST /v1/run", r.HTTP.Latency, fmt.Sprintf("%.0f", r.HTTP.PerSec)),
		times("assay run, cold", r.Command, ""),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	readings := func(name string, r bench.Readings) []cell {
		return row(name, fmt.Sprintf("%.2f", r.MinMS), fmt.Sprintf("%.2f", r.MaxMS), fmt.Sprintf("%.2f", r.MeanMS), fmt.Sprintf("%.3f", r.Spread))
	}
	err = writeTable(out, [][]cell{
		row("CPU TIME OF ONE LOOP", "MIN", "MAX", "MEAN", "MAX/MIN"),
		readings("in the sandbox", r.CPUTime.Sandbox),
		readings("bare, by getrusage", r.CPUTime.Bare),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\npeak memory of a program that touches %d MiB: %.2f MiB (%+.2f %%)\n",
		r.Memory.TouchedBytes>>20, float64(r.Memory.MeasuredBytes)/(1<<20), 100*r.Memory.Deviation)
	return err
}

func milli(us float64) string { return fmt.Sprintf("%.3f", us/1000) }
