// Command latency measures runs through the library: one driver, one slot unless told otherwise, a program that exits at
// once. Built with the tag "floor" it measures what the kernel alone costs for the same: the processes, namespaces and
// mounts of a run, without limits, filters or a change of user. bench/run.sh compares the two, run by turns.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
)

func main() {
	linux.Main()
	program := flag.String("program", "", "static ELF `file` to run")
	runs := flag.Int("runs", 1000, "how many runs to time")
	callers := flag.Int("callers", 1, "callers at a time, each with a slot")
	raw := flag.Bool("raw", false, "print each time in microseconds instead of a summary")
	flag.Parse()
	times, total, err := measure(*program, *runs, *callers)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if *raw {
		for _, t := range times {
			fmt.Printf("%.1f\n", float64(t.Nanoseconds())/1000)
		}
		return
	}
	slices.Sort(times)
	at := func(q float64) float64 { return float64(times[int(q*float64(len(times)-1))].Nanoseconds()) / 1000 }
	fmt.Printf("min %.0f us, median %.0f us, p99 %.0f us, %.0f runs/s\n", at(0), at(0.5), at(0.99), float64(len(times))/total.Seconds())
}

func measure(program string, runs, callers int) ([]time.Duration, time.Duration, error) {
	ctx := context.Background()
	elf, err := os.ReadFile(program)
	if err != nil {
		return nil, 0, err
	}
	d, err := linux.Open(ctx, linux.Options{Slots: callers})
	if err != nil {
		return nil, 0, err
	}
	defer d.Close()
	c := sandbox.Command{
		Args: []string{"./program"}, Env: []string{"PATH=/usr/bin:/bin"}, Limits: sandbox.DefaultRun(),
		Files: []sandbox.File{{Name: "program", Mode: 0o755, Data: elf}},
	}
	once := func() (time.Duration, error) {
		start := time.Now()
		h, err := d.Start(ctx, c)
		if err != nil {
			return 0, err
		}
		rep, err := h.Wait()
		if err == nil && (rep.ExitCode != 0 || rep.Signal != "") {
			err = fmt.Errorf("the program failed: %+v", rep)
		}
		return time.Since(start), err
	}
	for range 50 * callers { // warm up
		if _, err := once(); err != nil {
			return nil, 0, err
		}
	}
	times := make([]time.Duration, runs)
	var failed error
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	for caller := range callers {
		wg.Go(func() {
			for i := caller; i < runs; i += callers {
				t, err := once()
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
				times[i] = t
			}
		})
	}
	wg.Wait()
	return times, time.Since(start), failed
}
