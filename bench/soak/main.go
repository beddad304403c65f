// Command soak does many runs in a row, a third of them killed by limits, and looks at what grows: descriptors, processes,
// goroutines, mounts, control groups, memory, and files below the run folder. The first look comes after the warm-up, the
// last at the end. The programs are those of bench/testdata; bench/run.sh compiles them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"text/tabwriter"
	"time"

	"assay/internal/bench"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
)

// slots and callers: as many of each, so that slots are used evenly.
const slots = 2

func main() {
	linux.Main()
	programs := flag.String("programs", "", "`folder` of the compiled programs")
	runDir := flag.String("run-dir", "", "scratch `folder` of the sandboxes, for this command alone")
	runs := flag.Int("runs", 20_000, "runs in all")
	warmUp := flag.Int("warm-up", 1000, "runs before the first look")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *warmUp < 1 || *runs <= *warmUp || *runDir == "" {
		fmt.Fprintln(os.Stderr, "soak: give a -run-dir, and more -runs than -warm-up")
		os.Exit(2)
	}
	if err := soak(ctx, *programs, *runDir, *warmUp, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func soak(ctx context.Context, programs, runDir string, warmUp, runs int) (err error) {
	kinds, err := readKinds(programs)
	if err != nil {
		return err
	}
	driver, err := linux.Open(ctx, linux.Options{RunDir: runDir, Slots: slots})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	s := soaker{driver: driver, kinds: kinds}

	begun := time.Now()
	if _, _, err := bench.Repeat(ctx, warmUp, slots, s.run); err != nil {
		return err
	}
	before, err := look(ctx, driver, runDir)
	if err != nil {
		return err
	}
	if _, _, err := bench.Repeat(ctx, runs-warmUp, slots, s.run); err != nil {
		return err
	}
	after, err := look(ctx, driver, runDir)
	if err != nil {
		return err
	}
	s.print(time.Since(begun))
	return compare(before, after, warmUp, runs)
}

// compare prints both looks. A count must not have grown at all; memory may have, by what allocators keep.
func compare(before, after counts, warmUp, runs int) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "\nWHAT\tAFTER %d RUNS\tAFTER %d RUNS\t\n", warmUp, runs)
	grown := false
	for i, f := range before.figures() {
		now := after.figures()[i]
		word := "met"
		if now.value > f.value+f.slack {
			word, grown = "NOT MET", true
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", f.name, f.value, now.value, word)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if grown {
		return errors.New("something grew")
	}
	return nil
}

// look reads the counts once the slots are idle, so that no run under way is counted.
func look(ctx context.Context, driver *linux.Driver, runDir string) (counts, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if total, free := driver.Slots(); total == free {
			debug.FreeOSMemory()
			return read(runDir)
		}
		select {
		case <-ctx.Done():
			return counts{}, ctx.Err()
		case <-tick.C:
		}
	}
}

// readKinds reads the programs: two runs of three end well, the third is ended by one limit or another.
func readKinds(folder string) ([]kind, error) {
	small := sandbox.DefaultRun()
	cpu, memory, output, wall := small, small, small, small
	cpu.CPUTime = 5 * time.Millisecond
	memory.Memory, memory.Stack = 16*sandbox.MiB, 16*sandbox.MiB
	output.Output = 4 * sandbox.KiB
	wall.WallTime = 20 * time.Millisecond
	kinds := []kind{
		{name: "ends by itself", file: "touch", args: []string{"1"}, limits: small, ended: func(r sandbox.Report) bool {
			return r.ExitCode == 0 && r.Signal == ""
		}},
		{name: "CPU limit", file: "spin", args: []string{"1000000000000"}, limits: cpu, ended: func(r sandbox.Report) bool { return r.CPUExceeded }},
		{name: "memory limit", file: "touch", args: []string{"100"}, limits: memory, ended: func(r sandbox.Report) bool { return r.MemoryExceeded }},
		{name: "output limit", file: "flood", limits: output, ended: func(r sandbox.Report) bool { return r.OutputExceeded }},
		{name: "wall limit", file: "sleep", limits: wall, ended: func(r sandbox.Report) bool { return r.WallExceeded }},
	}
	for i := range kinds {
		k := &kinds[i]
		var err error
		if k.elf, err = os.ReadFile(filepath.Join(folder, k.file)); err != nil {
			return nil, err
		}
	}
	return kinds, nil
}
