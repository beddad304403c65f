// Command pace measures how fast a machine is, for package testtime: the CPU time of a loop and of starting some
// processes, the best of some rounds. An emulated processor is slow at the one and much slower at the other; tests do both. CPU
// time, since other work on the machine is to count for little.
//
//	pace            prints nanoseconds
//	pace BASE       prints by what factor this machine is slower than one that printed BASE; at least 1
package main

import (
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"assay/internal/testtime"
)

const (
	rounds    = 5
	starts    = 20
	hashBytes = 16 << 20 // takes about as long as the starts
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pace:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	best, err := measure()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		fmt.Println(best.Nanoseconds())
		return nil
	}
	base, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || base <= 0 {
		return fmt.Errorf("%q is not a number of nanoseconds", args[0])
	}
	fmt.Printf("%.1f\n", min(max(float64(best)/float64(base), 1), testtime.Most))
	return nil
}

// measure gives the shortest round: what is longer was disturbed.
func measure() (time.Duration, error) {
	buf := make([]byte, 64<<10)
	var best time.Duration
	for range rounds {
		begun, err := used()
		if err != nil {
			return 0, err
		}
		h := fnv.New64a()
		for range hashBytes / len(buf) {
			_, _ = h.Write(buf)
		}
		for range starts {
			if err := exec.Command("/bin/true").Run(); err != nil {
				return 0, err
			}
		}
		ended, err := used()
		if err != nil {
			return 0, err
		}
		if took := ended - begun; best == 0 || took < best {
			best = took
		}
	}
	return best, nil
}

// used is the CPU time of this process and its children.
func used() (time.Duration, error) {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err != nil {
			return 0, err
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum, nil
}
