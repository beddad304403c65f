// Command idle starts `assay serve`, leaves it alone, and prints the memory that it and its slots hold and the CPU time that
// they use meanwhile.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// The bars of docs/performance.md: a process that wakes up now and then is as good as idle.
const (
	maxResidentKB = 40_000
	maxCPUShare   = 0.001
)

// tick is the unit of CPU time in /proc (sysconf(_SC_CLK_TCK), which is 100 on every Linux that Go supports).
const tick = 10 * time.Millisecond

func main() {
	assay := flag.String("assay", "bin/assay", "assay's `binary`")
	runDir := flag.String("run-dir", "", "scratch `folder` of the sandboxes")
	length := flag.Duration("for", 10*time.Second, "how long to watch")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := watch(ctx, *assay, *runDir, *length); err != nil {
		fmt.Fprintln(os.Stderr, "idle:", err)
		os.Exit(1)
	}
}

func watch(ctx context.Context, assay, runDir string, length time.Duration) (err error) {
	cmd := exec.CommandContext(ctx, assay, "serve", "--listen", "127.0.0.1:0", "--run-dir", runDir, "--log-level", "error")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting assay serve: %w", err)
	}
	defer func() { err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()) }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return fmt.Errorf("assay serve did not become ready: %q, %w", line, err)
	}
	server := cmd.Process.Pid
	// What the start-up has left to do is not idling.
	if err := wait(ctx, min(length, 5*time.Second)); err != nil {
		return err
	}
	slots, err := children(server)
	if err != nil {
		return err
	}
	all := append([]int{server}, slots...)
	before, err := cpuTime(all)
	if err != nil {
		return err
	}
	if err := wait(ctx, length); err != nil {
		return err
	}
	after, err := cpuTime(all)
	if err != nil {
		return err
	}
	return print(server, slots, after-before, length)
}

func print(server int, slots []int, used, length time.Duration) error {
	own, err := memory(server)
	if err != nil {
		return err
	}
	proportional := own.proportional
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "IDLE SERVER\tFIGURE\tBAR\t")
	fmt.Fprintf(w, "resident, assay serve\t%.1f MB\t≤ %.0f MB\t%s\n", float64(own.resident)/1000, float64(maxResidentKB)/1000, met(own.resident <= maxResidentKB))
	for _, pid := range slots {
		m, err := memory(pid)
		if err != nil {
			return err
		}
		proportional += m.proportional
		fmt.Fprintf(w, "resident, init of a slot\t%.1f MB\t-\t\n", float64(m.resident)/1000)
	}
	fmt.Fprintf(w, "all together, shared pages counted once\t%.1f MB\t≤ %.0f MB\t%s\n",
		float64(proportional)/1000, float64(maxResidentKB)/1000, met(proportional <= maxResidentKB))
	share := used.Seconds() / length.Seconds()
	fmt.Fprintf(w, "CPU time in %s, all together\t%s (%.2f %%)\t≤ %g %%\t%s\n", length, used, 100*share, 100*maxCPUShare, met(share <= maxCPUShare))
	return w.Flush()
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "NOT MET"
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// children are the processes that the threads of one have started.
func children(pid int) ([]int, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			pids = append(pids, child)
		}
	}
	return pids, nil
}

// usage is memory in units of 1,000 bytes. Proportional memory shares each page among those that map it.
type usage struct{ resident, proportional int64 }

func memory(pid int) (usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return usage{}, err
	}
	value := func(name string) (int64, error) {
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, name+":"); ok {
				kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				return kib * 1024 / 1000, err
			}
		}
		return 0, fmt.Errorf("process %d: no %s in smaps_rollup", pid, name)
	}
	var u usage
	if u.resident, err = value("Rss"); err != nil {
		return u, err
	}
	u.proportional, err = value("Pss")
	return u, err
}

// cpuTime is the CPU time of some processes so far.
func cpuTime(pids []int) (time.Duration, error) {
	total := time.Duration(0)
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// The name, in parentheses, may hold anything.
		_, rest, ok := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 13 {
			return 0, fmt.Errorf("stat of process %d: %q", pid, text)
		}
		for _, field := range fields[11:13] { // utime and stime
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("stat of process %d: %w", pid, err)
			}
			total += time.Duration(n) * tick
		}
	}
	return total, nil
}
