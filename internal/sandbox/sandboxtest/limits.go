package sandboxtest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"assay/internal/fault"
	"assay/internal/sandbox"
	"assay/internal/testtime"
	"assay/internal/verdict"
)

func itoa(n int) string { return strconv.Itoa(n) }

// timeTests: CPU and wall time, as limits and as readings.
func timeTests() []test {
	return []test{
		{"cpu_limit", cpuLimit},
		{"cpu_within", cpuWithin},
		{"wall_limit", wallLimit},
		{"cpu_reading", cpuReading},
		{"sleeping_is_free", sleepingIsFree},
		{"cpu_percent", cpuPercent},
	}
}

func cpuLimit(t *testing.T, b *bench) {
	for _, args := range [][]string{{"spin"}, {"threads", "4"}, {"children"}} {
		c := b.program("cpu", args...)
		c.Limits.CPUTime = 200 * time.Millisecond
		r := b.run(t, c)
		if r.Facts != (verdict.Facts{Signal: "SIGKILL", CPUExceeded: true}) {
			t.Errorf("%s: %+v", args, r.Report)
		}
		// What a program's process does before its execve is allowed for, up to 2 ms: more on a stretched machine.
		if r.CPUTime < c.Limits.CPUTime+2*time.Millisecond-testtime.Stretch(2*time.Millisecond) {
			t.Errorf("%s: ended for its CPU time after %v of %v", args, r.CPUTime, c.Limits.CPUTime)
		}
	}
}

func cpuWithin(t *testing.T, b *bench) {
	c := b.program("cpu", "burn", "100")
	c.Limits.CPUTime = testtime.Stretch(5 * time.Second)
	b.run(t, c).ok(t)
}

// wallLimit: whatever a program waits for, and whoever holds its streams then.
func wallLimit(t *testing.T, b *bench) {
	for name, c := range map[string]sandbox.Command{
		"wait":       b.program("basic", "wait"),
		"stop":       b.program("basic", "stop"),
		"ignore-all": b.program("basic", "ignore-all"),
		"grandchild": script("sleep 1000 & sleep 1000"),
		"no input":   b.program("basic", "wait"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Limits.WallTime = 200 * time.Millisecond
			r := b.run(t, c)
			if r.Facts != (verdict.Facts{Signal: "SIGKILL", WallExceeded: true}) {
				t.Errorf("%+v", r.Report)
			}
			if r.WallTime < c.Limits.WallTime {
				t.Errorf("ended for its wall time after %v of %v", r.WallTime, c.Limits.WallTime)
			}
		})
	}
}

// cpuReading compares the report with what the program reads of itself, which is all but its start and end. On a busy
// machine those may take long once, but not each time.
func cpuReading(t *testing.T, b *bench) {
	const attempts = 5
	ends := testtime.Stretch(3 * time.Millisecond)
	for _, args := range [][]string{{"burn", "200"}, {"burn-in-children", "100"}} {
		var seen []string
		for range attempts {
			r := b.run(t, b.program("cpu", args...))
			r.ok(t)
			micros, err := strconv.ParseInt(strings.TrimSpace(r.stdout), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			own := time.Duration(micros) * time.Microsecond
			if r.CPUTime >= own*97/100 && r.CPUTime <= own*103/100+ends {
				seen = nil
				break
			}
			seen = append(seen, fmt.Sprintf("%v for %v", r.CPUTime, own))
		}
		if seen != nil {
			t.Errorf("%s: the reports say, for what the programs do: %s", args, strings.Join(seen, ", "))
		}
	}
}

func sleepingIsFree(t *testing.T, b *bench) {
	asleep := testtime.Stretch(200 * time.Millisecond).Round(time.Millisecond)
	r := b.run(t, script(fmt.Sprintf("sleep %.3f", asleep.Seconds())))
	r.ok(t)
	if r.CPUTime > r.WallTime/2 || r.WallTime < asleep {
		t.Errorf("%+v", r.Report)
	}
}

// cpuPercent: a run at half a core takes about twice its CPU time; at full speed the same program takes less.
func cpuPercent(t *testing.T, b *bench) {
	if b.without.CPURate {
		c := b.program("basic", "exit", "0")
		c.Limits.CPUPercent = 25
		if _, err := b.sandbox.Start(t.Context(), c); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("a CPU rate is not refused: %v", err)
		}
		return
	}
	c := b.program("cpu", "burn", "300")
	c.Limits.CPUPercent = 25
	r := b.run(t, c)
	r.ok(t)
	if r.WallTime < r.CPUTime*2 {
		t.Errorf("at 25 percent: %v of CPU time in %v", r.CPUTime, r.WallTime)
	}
	one := b.alone(t)
	c = one.program("cpu", "burn", "300")
	c.Limits.CPUPercent = 10
	c.Limits.CPUTime = 30 * time.Millisecond
	if r := one.run(t, c); !r.CPUExceeded || r.WallExceeded {
		t.Errorf("with a CPU limit: %+v", r.Report)
	}
	// The next run of the slot is not slowed any more: at 10 percent it would run into its wall limit.
	c = one.program("cpu", "burn", "1000")
	c.Limits.WallTime = 9 * time.Second // not stretched: nor is what 10 percent make of it
	one.run(t, c).ok(t)
}

// memoryTests: one limit over all kinds of memory.
func memoryTests() []test {
	return []test{
		{"limit", memoryLimit},
		{"within", memoryWithin},
		{"reading", memoryReading},
		{"small_programs", memorySmall},
		{"other_kills", memoryOtherKills},
		{"placed_files", memoryPlacedFiles},
		{"after_large_files", memoryAfterLargeFiles},
		{"after_many_args", memoryAfterManyArgs},
	}
}

func memoryLimit(t *testing.T, b *bench) {
	for _, what := range []string{"touch", "shared", "populate", "tmpfs", "shm", "memfd", "child"} {
		most := 96
		if b.without.ExactMemory {
			most = 512 // so that it takes a while
		}
		c := b.program("memory", what, itoa(most<<20))
		c.Limits.Memory = 32 * sandbox.MiB
		c.Limits.FileBytes = sandbox.GiB
		r := b.run(t, c)
		if r.Facts != (verdict.Facts{Signal: "SIGKILL", MemoryExceeded: true}) || strings.Contains(r.stdout, "done") {
			t.Errorf("%s: %+v", what, r)
		}
		if r.Memory < c.Limits.Memory*9/10 || r.Memory > c.Limits.Memory*11/10 {
			t.Errorf("%s: %d bytes were read at a limit of %d", what, r.Memory, c.Limits.Memory)
		}
	}
}

func memoryWithin(t *testing.T, b *bench) {
	for _, what := range []string{"touch", "shared", "populate", "tmpfs", "shm", "memfd", "child"} {
		c := b.program("memory", what, itoa(40<<20))
		c.Limits.Memory = 64 * sandbox.MiB
		r := b.run(t, c)
		r.ok(t)
		if r.stdout != "done\n" {
			t.Errorf("%s: %q", what, r.stdout)
		}
		least := 39 * sandbox.MiB
		if b.without.ExactMemory && what == "memfd" { // gone with the process, and in no account of it
			least = 1
		}
		if r.Memory < least || r.Memory > 50*sandbox.MiB {
			t.Errorf("%s: 40 MiB were read as %d bytes", what, r.Memory)
		}
	}
}

// memoryReading: what a program takes, within three percent, and the same when the slot held much or little before.
func memoryReading(t *testing.T, b *bench) {
	one := b.alone(t)
	for _, before := range []int{1, 200, 1, 150} {
		one.run(t, one.program("memory", "touch", itoa(before<<20))).ok(t)
		r := one.run(t, one.program("memory", "touch", itoa(100<<20)))
		r.ok(t)
		if low, high := 97*sandbox.MiB, 103*sandbox.MiB; r.Memory < low || r.Memory > high {
			t.Errorf("after %d MiB: 100 MiB were read as %d bytes", before, r.Memory)
		}
	}
}

// memorySmall: a tiny program after a huge one is tiny.
func memorySmall(t *testing.T, b *bench) {
	one := b.alone(t)
	one.run(t, one.program("memory", "tmpfs", itoa(50<<20))).ok(t)
	r := one.run(t, one.program("basic", "exit", "0"))
	r.ok(t)
	if r.Memory <= 0 || r.Memory > 4*sandbox.MiB {
		t.Errorf("read as %d bytes", r.Memory)
	}
}

// memoryOtherKills: a program that is killed, by itself or a child, while it holds much, did not hit its limit.
func memoryOtherKills(t *testing.T, b *bench) {
	c := script("head -c 40000000 /dev/zero > big; kill -9 $$")
	c.Limits.Memory = 64 * sandbox.MiB
	if r := b.run(t, c); r.Facts != (verdict.Facts{Signal: "SIGKILL"}) {
		t.Errorf("%+v", r.Report)
	}
}

// memoryPlacedFiles: what a program is given is not what it uses, however long it runs.
func memoryPlacedFiles(t *testing.T, b *bench) {
	c := script("sleep 0.1")
	c.Files = []sandbox.File{{Name: "big", Data: make([]byte, 48<<20)}}
	c.Limits.Memory = 32 * sandbox.MiB
	r := b.run(t, c)
	r.ok(t)
	if r.Memory > 8*sandbox.MiB {
		t.Errorf("read as %d bytes", r.Memory)
	}
}

// memoryAfterLargeFiles: what earlier runs of the slot were given leaves no less for the next one.
func memoryAfterLargeFiles(t *testing.T, b *bench) {
	one := b.alone(t)
	for range 3 {
		c := script("true")
		c.Files = []sandbox.File{{Name: "big", Data: make([]byte, 48<<20)}}
		one.run(t, c).ok(t)
		c = one.program("memory", "touch", itoa(24<<20))
		c.Limits.Memory = 32 * sandbox.MiB
		r := one.run(t, c)
		r.ok(t)
		if r.Memory > 26*sandbox.MiB {
			t.Errorf("24 MiB were read as %d bytes", r.Memory)
		}
	}
}

// memoryAfterManyArgs: nor does what is needed to start a program add up.
func memoryAfterManyArgs(t *testing.T, b *bench) {
	one := b.alone(t)
	c := sandbox.Command{Args: []string{"/bin/true"}, Limits: limits()}
	for range 30_000 {
		c.Args = append(c.Args, "x")
	}
	for range testtime.Rounds(100) {
		one.run(t, c).ok(t)
	}
	small := one.program("basic", "exit", "0")
	small.Limits.Memory = 16 * sandbox.MiB
	one.run(t, small).ok(t)
}

// limitTests: processes, files and stack.
func limitTests() []test {
	return []test{
		{"processes", processLimit},
		{"process_limit_of_one", processLimitOfOne},
		{"file_bytes", fileBytes},
		{"file_count", fileCount},
		{"file_size", fileSize},
		{"stack", stackLimit},
		{"descriptors", descriptorLimit},
	}
}

func processLimit(t *testing.T, b *bench) {
	for _, what := range []string{"fork", "threads"} {
		for _, limit := range []int{2, 10, 40} {
			c := b.program("limits", what, "100")
			c.Limits.Processes = limit
			r := b.run(t, c)
			r.ok(t)
			if want := itoa(limit) + " EAGAIN\n"; r.stdout != want || !b.forksCounted(r) {
				t.Errorf("%s at %d: %q, %d failures", what, limit, r.stdout, r.ForkFailures)
			}
		}
		c := b.program("limits", what, "10")
		c.Limits.Processes = 10
		r := b.run(t, c)
		r.ok(t)
		if r.stdout != "10 ok\n" || r.ForkFailures != 0 {
			t.Errorf("%s within: %q, %d failures", what, r.stdout, r.ForkFailures)
		}
	}
}

// forksCounted reports whether refused forks are in a report, where the driver counts them.
func (b *bench) forksCounted(r result) bool { return b.without.ForkCount || r.ForkFailures > 0 }

func processLimitOfOne(t *testing.T, b *bench) {
	c := b.program("limits", "fork", "2")
	c.Limits.Processes = 1
	if r := b.run(t, c); r.stdout != "1 EAGAIN\n" || !b.forksCounted(r) {
		t.Errorf("%+v", r)
	}
}

// fileBytes is one sum for all writable folders, and holds for several files as for one.
func fileBytes(t *testing.T, b *bench) {
	for _, dir := range []string{".", "/tmp", "/dev/shm"} {
		c := b.program("limits", "many", itoa(8<<20), dir)
		c.Limits.FileBytes = 4 * sandbox.MiB
		r := b.run(t, c)
		r.ok(t)
		if want := "2097152 ok\n2097152 ok\n0 ENOSPC\n0 ENOSPC\n"; r.stdout != want {
			t.Errorf("%s: %q", dir, r.stdout)
		}
	}
	c := script("head -c 2000000 /dev/zero > /tmp/a && head -c 2000000 /dev/zero > b; echo $?; head -c 2000000 /dev/zero > /dev/shm/c; echo $?")
	c.Limits.FileBytes = 4 * sandbox.MiB
	if r := b.run(t, c); r.stdout != "0\n1\n" {
		t.Errorf("together: %q %q", r.stdout, r.stderr)
	}
}

func fileCount(t *testing.T, b *bench) {
	c := b.program("limits", "files", "5000")
	c.Limits.FileCount = 100
	r := b.run(t, c)
	r.ok(t)
	if r.stdout != "100 ENOSPC\n" {
		t.Errorf("got %q", r.stdout)
	}
	c = b.program("limits", "files", "100")
	c.Limits.FileCount = 100
	if r := b.run(t, c); r.stdout != "100 ok\n" {
		t.Errorf("within: %q", r.stdout)
	}
}

// fileSize: one file, even one that takes no space, ends with SIGXFSZ, which is the program's own death.
func fileSize(t *testing.T, b *bench) {
	c := b.program("limits", "sparse", itoa(64<<20), "sparse")
	c.Limits.FileBytes = 4 * sandbox.MiB
	if r := b.run(t, c); r.Facts != (verdict.Facts{Signal: "SIGXFSZ"}) {
		t.Errorf("sparse: %+v", r.Report)
	}
	c = b.program("limits", "big-ignoring", itoa(64<<20), "big")
	c.Limits.FileBytes = 4 * sandbox.MiB
	r := b.run(t, c)
	r.ok(t)
	if r.stdout != "4194304 EFBIG\n" && r.stdout != "4194304 ENOSPC\n" {
		t.Errorf("big: %q", r.stdout)
	}
}

func stackLimit(t *testing.T, b *bench) {
	c := b.program("limits", "stack", "50000") // about 51 MiB
	c.Limits.Stack = 64 * sandbox.MiB
	b.run(t, c).ok(t)
	c.Limits.Stack = 8 * sandbox.MiB
	if r := b.run(t, c); r.Facts != (verdict.Facts{Signal: "SIGSEGV"}) {
		t.Errorf("%+v", r.Report)
	}
}

func descriptorLimit(t *testing.T, b *bench) {
	r := b.run(t, b.program("limits", "descriptors", "1000000"))
	r.ok(t)
	if !strings.HasSuffix(r.stdout, " EMFILE\n") {
		t.Errorf("got %q", r.stdout)
	}
}
