package sample

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// process is one process as it was last seen.
type process struct {
	parent   int
	begun    int64         // when, in the kernel's ticks since its boot: a number used again belongs to another process
	own      time.Duration // CPU time of all its threads
	children time.Duration // of those that it has waited for, with theirs
	usage    usage
}

// usage is memory in bytes, by what it is.
type usage struct {
	private int64 // pages of nobody's file
	other   int64 // page tables
	shared  int64 // mapped shared memory, and mapped files of the run
	file    int64 // mapped files of the host; not the run's memory
}

func (u *usage) add(v usage) {
	u.private += v.private
	u.other += v.other
	u.shared += v.shared
	u.file += v.file
}

// total is the memory of a run whose files take so many bytes. Some of these may be mapped, and are in shared, too: the
// larger of both is surely used.
func (u usage) total(files int64) int64 { return u.private + u.other + max(u.shared, files) }

// open opens a file below the slot's /proc.
func (g *Group) open(path string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(int(g.proc.Fd()), path, flags|unix.O_CLOEXEC, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, fmt.Errorf("opening %s of a slot: %w", path, err)
		}
		return fd, nil
	}
}

// contents reads a file below the slot's /proc, up to what fits in buf. The kernel makes such a file anew for each read from its
// beginning, so one read gives one state.
func (g *Group) contents(path string, buf []byte) ([]byte, error) {
	fd, err := g.open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s of a slot: %w", path, err)
		}
		return buf[:n], nil
	}
}

// list gives the names in a folder below the slot's /proc.
func (g *Group) list(path string) ([]string, error) {
	fd, err := g.open(path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return names, fmt.Errorf("listing %s of a slot: %w", path, err)
	}
	return names, nil
}

// tick is the unit of times in /proc (sysconf(3), _SC_CLK_TCK: 100 on every architecture that assay runs on).
const tick = 10 * time.Millisecond

// Fields of /proc/PID/stat, counted from the state, which comes behind the name (proc_pid_stat(5)).
const (
	fieldParent   = 1
	fieldUser     = 11
	fieldSystem   = 12
	fieldChildren = 13 // user, then system
	fieldBegun    = 19
	fieldsNeeded  = 20
)

// read looks at one process.
func (g *Group) read(pid int) (*process, error) {
	var buf [4096]byte
	name := strconv.Itoa(pid)
	stat, err := g.contents(name+"/stat", buf[:])
	if err != nil {
		return nil, err
	}
	p, err := parseStat(stat)
	if err != nil {
		return nil, fmt.Errorf("process %d of a slot: %w", pid, err)
	}
	// In nanoseconds, but of the first thread only, and of kernels with scheduler statistics.
	if text, err := g.contents(name+"/schedstat", buf[:]); err == nil {
		if first, _, ok := bytes.Cut(text, []byte(" ")); ok {
			p.own = max(p.own, time.Duration(integer(first)))
		}
	}
	status, err := g.contents(name+"/status", buf[:])
	if err != nil {
		return nil, err
	}
	p.usage = parseStatus(status)
	return p, nil
}

// parseStat takes /proc/PID/stat apart. The name in brackets may hold anything.
func parseStat(text []byte) (*process, error) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < fieldsNeeded {
		return nil, fmt.Errorf("its stat has %d fields", len(fields))
	}
	ticks := func(i int) time.Duration { return time.Duration(integer(fields[i])) * tick }
	return &process{
		parent: int(integer(fields[fieldParent])), begun: integer(fields[fieldBegun]),
		own:      ticks(fieldUser) + ticks(fieldSystem),
		children: ticks(fieldChildren) + ticks(fieldChildren+1),
	}, nil
}

// parseStatus reads the memory from /proc/PID/status. A process that has ended has none.
func parseStatus(text []byte) usage {
	var u usage
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		switch string(key) {
		case "RssAnon", "VmSwap", "HugetlbPages":
			u.private += kibibytes(value)
		case "VmPTE":
			u.other += kibibytes(value)
		case "RssShmem":
			u.shared += kibibytes(value)
		case "RssFile":
			u.file += kibibytes(value)
		}
	}
	return u
}

// kibibytes reads "  123 kB" as bytes.
func kibibytes(text []byte) int64 {
	return integer(bytes.TrimSuffix(bytes.TrimSpace(text), []byte(" kB"))) << 10
}

// integer reads a decimal number; what is none is 0.
func integer(text []byte) int64 {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// exact adds up what is each process's own share of its pages (proc_pid_smaps_rollup(5)).
func (g *Group) exact() usage {
	var sum usage
	var buf [4096]byte
	for pid, p := range g.alive {
		text, err := g.contents(strconv.Itoa(pid)+"/smaps_rollup", buf[:])
		if err != nil { // it has ended, or is about to
			continue
		}
		sum.add(parseRollup(text))
		sum.other += p.usage.other
	}
	return sum
}

func parseRollup(text []byte) usage {
	var u usage
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		switch string(key) {
		case "Pss_Anon", "SwapPss":
			u.private += kibibytes(value)
		case "Pss_Shmem":
			u.shared += kibibytes(value)
		case "Private_Hugetlb", "Shared_Hugetlb":
			u.private += kibibytes(value)
		}
	}
	return u
}

// memoryFiles adds up the memory files that the run's processes have open, each once: nobody need map them.
func (g *Group) memoryFiles() int64 {
	seen := map[uint64]bool{}
	var sum int64
	for pid := range g.alive {
		dir := strconv.Itoa(pid) + "/fd"
		names, err := g.list(dir)
		if err != nil { // it has ended
			continue
		}
		for _, name := range names {
			var st unix.Stat_t
			if unix.Fstatat(int(g.proc.Fd()), dir+"/"+name, &st, 0) != nil || st.Dev != g.memfd || seen[st.Ino] || g.given[st.Ino] {
				continue
			}
			seen[st.Ino] = true
			const block = 512 // of st_blocks, whatever the file system (stat(3type))
			sum += st.Blocks * block
		}
	}
	return sum
}

// initPeak is the largest resident set that the slot's init ever had.
func (g *Group) initPeak() (int64, error) {
	var buf [4096]byte
	text, err := g.contents(strconv.Itoa(initPID)+"/status", buf[:])
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			return kibibytes(value), nil
		}
	}
	return 0, nil
}
