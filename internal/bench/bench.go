package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Reading is what one run was measured to use.
type Reading struct {
	CPUTime time.Duration
	Memory  int64 // peak, bytes
}

// Target is what is measured: the same engine through its three doors.
type Target struct {
	// Library runs a program of the language exe once. A program that does not end with exit code 0 is an error. It
	// must be safe for concurrent use.
	Library func(ctx context.Context, program []byte) (Reading, error)
	// Server is the address of an HTTP server, as in "http://127.0.0.1:8080".
	Server string
	// Command is the command that runs a program cold, without the name of the file, which comes last.
	Command []string
	// Slots is how many runs can be under way at once.
	Slots int
}

// Options say how much is measured; a zero field is the default.
type Options struct {
	Runs    int    // of each latency and throughput (1000)
	Callers int    // at a time, for the throughput (two for each slot)
	Program []byte // what is run; nil is a program that exits at once
	// Progress, when set, is told what comes next.
	Progress func(step string)
}

// Report is what was measured.
type Report struct {
	CPUs    int        `json:"cpus"`
	Arch    string     `json:"arch"`
	Slots   int        `json:"slots"`
	Callers int        `json:"callers"`
	Library Door       `json:"library"`
	HTTP    Door       `json:"http"`
	Command Times      `json:"command"`
	CPUTime CPUReading `json:"cpu_time"`
	Memory  Peak       `json:"memory"`
}

// Door is one way to the engine: the time of a run when there is one caller, and runs per second with several.
type Door struct {
	Latency Times   `json:"latency"`
	PerSec  float64 `json:"runs_per_second"`
}

// CPUReading compares the readings of a fixed loop in the sandbox with those that the kernel gives for the bare loop.
type CPUReading struct {
	Sandbox Readings `json:"sandbox"`
	Bare    Readings `json:"bare"`
}

// Peak is the reading for a program that touches a known amount of memory.
type Peak struct {
	TouchedBytes  int64   `json:"touched_bytes"`
	MeasuredBytes int64   `json:"measured_bytes"` // median
	Deviation     float64 `json:"deviation"`      // of MeasuredBytes from TouchedBytes; 0.01 is 1 % more
}

// How often the costly things are repeated, whatever Options says.
const (
	cpuRuns    = 30
	memoryRuns = 10
	coldRuns   = 30
	warmUp     = 20 // runs before each clock starts, for each caller
)

// Measure takes all measurements, one after the other.
func Measure(ctx context.Context, t Target, o Options) (Report, error) {
	programs, err := Make(runtime.GOARCH)
	if err != nil {
		return Report{}, err
	}
	if o.Program == nil {
		o.Program = programs.Exit
	}
	if o.Runs == 0 {
		o.Runs = 1000
	}
	if o.Callers == 0 {
		o.Callers = 2 * t.Slots // so that no slot waits for a caller
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	r := Report{CPUs: runtime.NumCPU(), Arch: runtime.GOARCH, Slots: t.Slots, Callers: o.Callers}

	o.Progress("runs through the library and over HTTP")
	client, err := NewHTTP(t.Server, o.Program, o.Callers)
	if err != nil {
		return Report{}, err
	}
	defer client.Close()
	err = o.measureDoors(ctx, []way{
		{"the library", &r.Library, func(ctx context.Context) error {
			_, err := t.Library(ctx, o.Program)
			return err
		}},
		{"HTTP", &r.HTTP, client.Run},
	})
	if err != nil {
		return Report{}, err
	}
	o.Progress("cold runs of the command")
	if r.Command, err = measureCommand(ctx, t.Command, o.Program, min(coldRuns, o.Runs)); err != nil {
		return Report{}, fmt.Errorf("measuring the command: %w", err)
	}
	o.Progress("readings of CPU time")
	if r.CPUTime, err = measureCPU(ctx, t, programs.Spin, min(cpuRuns, o.Runs)); err != nil {
		return Report{}, fmt.Errorf("measuring readings of CPU time: %w", err)
	}
	o.Progress("readings of memory")
	if r.Memory, err = measureMemory(ctx, t, programs.Touch, min(memoryRuns, o.Runs)); err != nil {
		return Report{}, fmt.Errorf("measuring readings of memory: %w", err)
	}
	return r, nil
}

// way is a door with what goes through it.
type way struct {
	name string
	door *Door
	run  func(context.Context) error
}

// turns is in how many parts the runs of the doors are taken, one door after the other, so that what else the machine
// does meets both.
const turns = 10

// measureDoors times runs one by one, then together.
func (o *Options) measureDoors(ctx context.Context, ways []way) error {
	repeat := func(w way, runs, callers int) ([]time.Duration, time.Duration, error) {
		times, took, err := Repeat(ctx, runs, callers, w.run)
		if err != nil {
			err = fmt.Errorf("measuring %s: %w", w.name, err)
		}
		return times, took, err
	}
	for _, callers := range []int{1, o.Callers} {
		times, took := make([][]time.Duration, len(ways)), make([]time.Duration, len(ways))
		for _, w := range ways {
			if _, _, err := repeat(w, warmUp*callers, callers); err != nil {
				return err
			}
		}
		for turn := range turns {
			runs := (turn+1)*o.Runs/turns - turn*o.Runs/turns
			for i, w := range ways {
				each, all, err := repeat(w, runs, callers)
				if err != nil {
					return err
				}
				times[i], took[i] = append(times[i], each...), took[i]+all
			}
		}
		for i, w := range ways {
			if w.door.Latency.Count == 0 { // the first pass, with one caller
				w.door.Latency = Summarize(times[i])
			}
			w.door.PerSec = float64(o.Runs) / took[i].Seconds()
		}
	}
	return nil
}

// Repeat calls run so many times from callers goroutines. It gives the time of each call, and the time of all together. The first
// error ends it.
func Repeat(parent context.Context, runs, callers int, run func(context.Context) error) ([]time.Duration, time.Duration, error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	times := make([]time.Duration, runs)
	var all sync.WaitGroup
	begun := time.Now()
	for caller := range callers {
		all.Go(func() {
			for i := caller; i < runs && ctx.Err() == nil; i += callers {
				start := time.Now()
				if err := run(ctx); err != nil {
					cancel(err) // the first one counts
					return
				}
				times[i] = time.Since(start)
			}
		})
	}
	all.Wait()
	took := time.Since(begun)
	if err := parent.Err(); err != nil {
		return nil, 0, err // rather than what became of a run that was cut off
	}
	return times, took, context.Cause(ctx)
}

// measureCommand times whole processes.
func measureCommand(ctx context.Context, command []string, program []byte, runs int) (Times, error) {
	file, remove, err := place(program)
	if err != nil {
		return Times{}, err
	}
	defer remove()
	times, _, err := Repeat(ctx, runs, 1, func(ctx context.Context) error {
		_, err := execute(ctx, append(slices.Clone(command), file)...)
		return err
	})
	return Summarize(times), err
}

// measureCPU reads the CPU time of the loop in the sandbox and bare, by turns, so that both meet the same conditions.
func measureCPU(ctx context.Context, t Target, spin []byte, runs int) (CPUReading, error) {
	file, remove, err := place(spin)
	if err != nil {
		return CPUReading{}, err
	}
	defer remove()
	var boxed, bare []time.Duration
	for range runs {
		reading, err := t.Library(ctx, spin)
		if err != nil {
			return CPUReading{}, err
		}
		boxed = append(boxed, reading.CPUTime)
		state, err := execute(ctx, file)
		if err != nil {
			return CPUReading{}, err
		}
		bare = append(bare, state.UserTime()+state.SystemTime())
	}
	return CPUReading{Sandbox: SummarizeReadings(boxed), Bare: SummarizeReadings(bare)}, nil
}

func measureMemory(ctx context.Context, t Target, touch []byte, runs int) (Peak, error) {
	var peaks []int64
	for range runs {
		reading, err := t.Library(ctx, touch)
		if err != nil {
			return Peak{}, err
		}
		peaks = append(peaks, reading.Memory)
	}
	slices.Sort(peaks)
	p := Peak{TouchedBytes: TouchBytes, MeasuredBytes: peaks[len(peaks)/2]}
	p.Deviation = float64(p.MeasuredBytes)/float64(p.TouchedBytes) - 1
	return p, nil
}

// place writes a program to where it can be executed. Call remove at the end.
func place(program []byte) (file string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "assay-bench-")
	if err != nil {
		return "", nil, fmt.Errorf("making a folder for the program: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	file = filepath.Join(dir, "program.elf")
	if err := os.WriteFile(file, program, 0o755); err != nil {
		remove()
		return "", nil, fmt.Errorf("writing the program: %w", err)
	}
	return file, remove, nil
}

// execute runs a command outside of any sandbox; only programs that were made here, and assay itself, get here.
func execute(ctx context.Context, args ...string) (*os.ProcessState, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fmt.Errorf("%s: %w: %.300s", filepath.Base(args[0]), err, out)
		}
		return nil, fmt.Errorf("starting %s: %w", args[0], err)
	}
	return cmd.ProcessState, nil
}
