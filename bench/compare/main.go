// Command compare runs one tiny static program through assay and through other engines, by turns in one run, so that
// whatever else the machine does hits all alike, and prints medians, minimums, and the ratios that docs/performance.md
// sets bars for. An engine that is not there is listed with the reason. bench/run.sh builds what it needs and starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"assay/internal/bench"
)

// options are the flags.
type options struct {
	assay, library, floor string
	goJudge               string
	rounds                int
	throughput            time.Duration
	callers               int
}

func main() {
	var o options
	flag.StringVar(&o.assay, "assay", "bin/assay", "assay's `binary`")
	flag.StringVar(&o.library, "library", "", "`binary` of bench/latency")
	flag.StringVar(&o.floor, "floor", "", "`binary` of bench/latency, built with the tag floor")
	flag.StringVar(&o.goJudge, "go-judge", os.Getenv("GO_JUDGE_URL"), "`URL` of a go-judge (default $GO_JUDGE_URL)")
	flag.IntVar(&o.rounds, "rounds", 20, "how often each gets its turn")
	flag.DurationVar(&o.throughput, "throughput", time.Second, "length of one turn when runs per second are counted")
	flag.IntVar(&o.callers, "callers", 4, "callers at a time when runs per second are counted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// contender is one way to run the program. Those that could not be prepared have a reason instead of a run.
type contender struct {
	name   string
	reason string // why it is not measured; empty: it is
	turn   int    // runs in one turn, for the latency
	loaded bool   // takes part in the comparison of throughputs

	// run runs the program once; batch, where set, so many times, and times them itself. Both end with an error unless the
	// program exits with 0.
	run   func(ctx context.Context) error
	batch func(ctx context.Context, runs int) ([]time.Duration, error)
	close func() error

	times  []time.Duration
	perSec []float64
}

func compare(ctx context.Context, o options) (err error) {
	programs, err := bench.Make(runtime.GOARCH)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "assay-compare-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	defer os.RemoveAll(dir)
	// The processes of slots and of user namespaces are other users, and must be able to enter.
	if err := os.Chmod(dir, 0o711); err != nil {
		return fmt.Errorf("opening the scratch folder: %w", err)
	}
	box := filepath.Join(dir, "box")
	if err := os.Mkdir(box, 0o755); err != nil {
		return fmt.Errorf("making a folder for the program: %w", err)
	}
	tiny := filepath.Join(box, "tiny.elf")
	if err := os.WriteFile(tiny, programs.Exit, 0o755); err != nil {
		return fmt.Errorf("writing the program: %w", err)
	}

	fmt.Printf("%d processors, %s; load before: %s\n", runtime.NumCPU(), kernel(), load())
	all := prepare(ctx, o, scratch{dir: dir, box: box, tiny: tiny, elf: programs.Exit})
	defer func() {
		for _, c := range all {
			if c.close != nil {
				err = errors.Join(err, c.close())
			}
		}
	}()
	if err := takeTurns(ctx, o, all); err != nil {
		return err
	}
	fmt.Printf("load after: %s\n", load())
	return report(os.Stdout, o, all)
}

// scratch is what the contenders share.
type scratch struct {
	dir, box, tiny string
	elf            []byte
}

// prepare makes all contenders. One that cannot be made keeps its place, with the reason.
func prepare(ctx context.Context, o options, s scratch) []*contender {
	makers := []struct {
		name   string
		turn   int
		loaded bool
		make   func(context.Context, options, scratch, *contender) error
	}{
		{libraryName, 100, false, func(ctx context.Context, o options, s scratch, c *contender) error {
			return prepareLatency(ctx, o.library, filepath.Join(s.dir, "library"), s, c)
		}},
		{floorName, 100, false, func(ctx context.Context, o options, s scratch, c *contender) error {
			return prepareLatency(ctx, o.floor, filepath.Join(s.dir, "floor"), s, c)
		}},
		{httpName, 100, true, prepareHTTP},
		{bwrapName, 30, true, prepareBwrap},
		{goJudgeName, 50, true, prepareGoJudge},
		{runcName, 5, false, prepareRunc},
		{dockerName, 1, false, prepareDocker},
		{coldName, 5, false, prepareCold},
	}
	var all []*contender
	for _, m := range makers {
		c := &contender{name: m.name, turn: m.turn, loaded: m.loaded}
		if err := m.make(ctx, o, s, c); err != nil {
			c.reason = err.Error()
		} else if err := c.warmUp(ctx); err != nil {
			c.reason = "does not work here: " + err.Error()
		}
		all = append(all, c)
	}
	return all
}

// warmUp proves that the contender works, and has it reach its steady state.
func (c *contender) warmUp(ctx context.Context) error {
	_, err := c.time(ctx, max(3, c.turn/2))
	return err
}

// time times so many runs.
func (c *contender) time(ctx context.Context, runs int) ([]time.Duration, error) {
	if c.batch != nil {
		return c.batch(ctx, runs)
	}
	times, _, err := bench.Repeat(ctx, runs, 1, c.run)
	return times, err
}

// takeTurns measures. Each round begins with another contender, so that none always runs in the wake of the same one.
func takeTurns(ctx context.Context, o options, all []*contender) error {
	for round := range o.rounds {
		for i := range all {
			c := all[(i+round)%len(all)]
			if c.reason != "" {
				continue
			}
			times, err := c.time(ctx, c.turn)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			c.times = append(c.times, times...)
		}
	}
	for round := range max(1, o.rounds/4) {
		for i := range all {
			c := all[(i+round)%len(all)]
			if c.reason != "" || !c.loaded {
				continue
			}
			perSec, err := c.load(ctx, o.callers, o.throughput)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			c.perSec = append(c.perSec, perSec)
		}
	}
	return nil
}

// load counts runs per second with some callers.
func (c *contender) load(ctx context.Context, callers int, length time.Duration) (float64, error) {
	// A short count first says how many runs fill the time.
	const probe = 20
	_, took, err := bench.Repeat(ctx, probe*callers, callers, c.run)
	if err != nil {
		return 0, err
	}
	runs := max(callers, int(float64(probe*callers)*length.Seconds()/took.Seconds()))
	_, took, err = bench.Repeat(ctx, runs, callers, c.run)
	return float64(runs) / took.Seconds(), err
}
