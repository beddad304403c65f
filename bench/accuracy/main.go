// Command accuracy checks the readings: the CPU time of a fixed loop, alone and split over children, against what the
// program itself is told (getrusage) and against the bare loop in the same go, and the peak memory of a program that touches a known
// amount. The programs are those of bench/testdata; bench/run.sh compiles them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"assay/internal/bench"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
)

// The bars of docs/performance.md.
const (
	maxSpreadRatio = 1.2
	maxDifference  = 0.03
	maxDeviation   = 0.03
)

const (
	touchMiB    = 100
	memoryRuns  = 10
	numChildren = "4"
)

func main() {
	linux.Main()
	programs := flag.String("programs", "", "`folder` of the compiled programs")
	runDir := flag.String("run-dir", "", "scratch `folder` of the sandboxes")
	runs := flag.Int("runs", 30, "readings of each kind")
	loop := flag.Duration("loop", 200*time.Millisecond, "how long the bare loop takes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, *programs, *runDir, *runs, *loop); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, programs, runDir string, runs int, loop time.Duration) (err error) {
	spin, touch := filepath.Join(programs, "spin"), filepath.Join(programs, "touch")
	driver, err := linux.Open(ctx, linux.Options{RunDir: runDir, Slots: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	iterations, err := calibrate(ctx, spin, loop)
	if err != nil {
		return err
	}
	boxed := func(program string, args ...string) (sandbox.Report, string, error) {
		return runBoxed(ctx, driver, program, args...)
	}

	// By turns, so that a change of the processor's speed meets all four.
	var single, split, bare, bareSplit []time.Duration
	var own, ownSplit []time.Duration // what the boxed programs were told
	for range runs {
		for _, kind := range []struct {
			into, own *[]time.Duration
			args      []string
		}{
			{&single, &own, []string{iterations}},
			{&bare, nil, []string{iterations}},
			{&split, &ownSplit, []string{iterations, numChildren}},
			{&bareSplit, nil, []string{iterations, numChildren}},
		} {
			if kind.own == nil {
				reading, err := runBare(ctx, spin, kind.args...)
				if err != nil {
					return err
				}
				*kind.into = append(*kind.into, reading)
				continue
			}
			report, told, err := boxed(spin, kind.args...)
			if err != nil {
				return err
			}
			micros, err := strconv.ParseInt(strings.TrimSpace(told), 10, 64)
			if err != nil {
				return fmt.Errorf("what spin was told: %w", err)
			}
			*kind.into = append(*kind.into, report.CPUTime)
			*kind.own = append(*kind.own, time.Duration(micros)*time.Microsecond)
		}
	}
	var peaks []int64
	for range memoryRuns {
		report, _, err := boxed(touch, strconv.Itoa(touchMiB))
		if err != nil {
			return err
		}
		peaks = append(peaks, report.Memory)
	}
	return print(single, own, bare, split, ownSplit, bareSplit, peaks)
}

func print(single, own, bare, split, ownSplit, bareSplit []time.Duration, peaks []int64) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "CPU TIME, ms\tREADINGS\tMIN\tMAX\tMEAN\tMAX/MIN")
	row := func(name string, times []time.Duration) bench.Readings {
		r := bench.SummarizeReadings(times)
		fmt.Fprintf(w, "%s\t%d\t%.3f\t%.3f\t%.3f\t%.4f\n", name, r.Count, r.MinMS, r.MaxMS, r.MeanMS, r.Spread)
		return r
	}
	a := row("the loop in the sandbox", single)
	row("the same runs, by their own getrusage", own)
	b := row("the bare loop, getrusage", bare)
	c := row("over "+numChildren+" children, in the sandbox", split)
	row("the same runs, by their own getrusage", ownSplit)
	d := row("over "+numChildren+" children, bare", bareSplit)
	slices.Sort(peaks)
	peak := float64(peaks[len(peaks)/2]) / float64(sandbox.MiB)

	fmt.Fprintln(w, "\nREADING\tFIGURE\tBAR\t")
	judge := func(name string, figure, limit float64, format string) {
		word := "met"
		if figure > limit {
			word = "NOT MET"
		}
		fmt.Fprintf(w, "%s\t"+format+"\t≤ %g\t%s\n", name, figure, limit, word)
	}
	judge("spread in the sandbox / bare", a.Spread/b.Spread, maxSpreadRatio, "%.4f")
	judge("CPU time against the same run's getrusage, median", abs(medianRatio(single, own)-1), maxDifference, "%.4f")
	judge("the same over "+numChildren+" children", abs(medianRatio(split, ownSplit)-1), maxDifference, "%.4f")
	judge("split over children against alone", abs(c.MeanMS/a.MeanMS-1), maxDifference, "%.4f")
	judge(fmt.Sprintf("peak memory of %d MiB (%.3f MiB)", touchMiB, peak), abs(peak/touchMiB-1), maxDeviation, "%.4f")
	fmt.Fprintf(w, "for comparison: split against alone, bare\t%.4f\t-\t\n", abs(d.MeanMS/b.MeanMS-1))
	fmt.Fprintf(w, "for comparison: by minimum, split against alone\t%.4f\t-\t\n", abs(c.MinMS/a.MinMS-1))
	return w.Flush()
}

// medianRatio compares pair by pair.
func medianRatio(a, b []time.Duration) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = float64(a[i]) / float64(b[i])
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func abs(x float64) float64 { return max(x, -x) }

// calibrate gives the iterations that take the bare loop about that long.
func calibrate(ctx context.Context, spin string, loop time.Duration) (string, error) {
	const first = 100_000_000
	var took []time.Duration
	for range 5 {
		t, err := runBare(ctx, spin, strconv.Itoa(first))
		if err != nil {
			return "", err
		}
		took = append(took, max(t, time.Microsecond))
	}
	return strconv.FormatInt(int64(float64(first)*float64(loop)/float64(slices.Min(took))), 10), nil
}

// runBoxed runs a program in the sandbox and gives what it printed. It must exit with 0.
func runBoxed(ctx context.Context, driver *linux.Driver, program string, args ...string) (sandbox.Report, string, error) {
	elf, err := os.ReadFile(program)
	if err != nil {
		return sandbox.Report{}, "", err
	}
	limits := sandbox.DefaultRun()
	limits.CPUTime, limits.WallTime = time.Minute, 2*time.Minute
	var out strings.Builder
	h, err := driver.Start(ctx, sandbox.Command{
		Args: append([]string{"./program"}, args...), Limits: limits,
		Files: []sandbox.File{{Name: "program", Mode: 0o755, Data: elf}}, Stdout: &out,
	})
	if err != nil {
		return sandbox.Report{}, "", err
	}
	report, err := h.Wait()
	if err == nil && (report.ExitCode != 0 || report.Signal != "") {
		err = fmt.Errorf("%s failed: %+v", filepath.Base(program), report)
	}
	return report, out.String(), err
}

// runBare runs a program of bench/testdata as it is and gives the CPU time of it and its children, from wait4.
func runBare(ctx context.Context, program string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("running %s bare: %w", program, err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
