package sandboxtest

import (
	"io"
	"strconv"
	"strings"
	"testing"

	"assay/internal/sandbox"
)

// isolationTests: what a program finds itself to be, and what it finds of others.
func isolationTests() []test {
	return []test{
		{"state", programState},
		{"state_is_the_same_in_each_run", sameState},
		{"nothing_is_left", nothingLeft},
		{"side_by_side", sideBySide},
		{"host_files", hostFiles},
	}
}

// state runs the program that prints what it is and gives the values by name; names that come several times are joined.
func (b *bench) state(t *testing.T, change func(*sandbox.Command)) map[string]string {
	t.Helper()
	c := b.program("state")
	if change != nil {
		change(&c)
	}
	r := b.run(t, c)
	r.ok(t)
	values := map[string]string{}
	for line := range strings.Lines(r.stdout) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if old, ok := values[name]; ok {
			value = old + "," + value
		}
		values[name] = value
	}
	return values
}

func programState(t *testing.T, b *bench) {
	l := limits()
	l.CPUTime, l.Stack, l.FileBytes = 3_000_000_000, 16*sandbox.MiB, 32*sandbox.MiB
	got := b.state(t, func(c *sandbox.Command) { c.Limits = l })
	want := map[string]string{
		"session-leader": "1", "group-leader": "1", "ids": "1 1 1 1 groups 0", "cwd": "/box/work", "umask": "022",
		"dumpable": "1", "personality": "0", "nice": "0", "scheduler": "0", "pdeathsig": "0",
		"stack": "16777216 16777216", "nofile": "1024 1024", "rtprio": "0 0", "nicelimit": "0 0",
		"as": "-1 -1", "data": "-1 -1", "fsize": "33554432 33554432", "memlock": "65536 65536",
		"CapInh": zeroCaps, "CapPrm": zeroCaps, "CapEff": zeroCaps, "CapBnd": zeroCaps, "CapAmb": zeroCaps,
		"NoNewPrivs": "1", "Seccomp:": "2", "Threads": "1",
		"descriptor": "0 flags 0,1 flags 0,2 flags 0", "blocked": "", "not-default": "",
		"proc-self": got["pid"], "proc1": "ENOENT", "kill1": "EPERM",
		"mount:/": "ro nosuid nodev", "mount:/usr": "ro nosuid nodev", "mount:/box/work": "rw nosuid nodev",
		"mount:/tmp/": "rw nosuid nodev", "mount:/dev/shm/": "rw nosuid nodev", "mount:/proc": "rw nosuid nodev noexec",
		"open:/usr/bin/env": "EACCES", "open:/etc/passwd": "EACCES", "open:/proc/self/uid_map": "EACCES",
		"inet": "EAFNOSUPPORT", "inet6": "EAFNOSUPPORT", "netlink": "EAFNOSUPPORT", "unix": "allowed", "unshare": "EPERM",
		"mknod-fifo": "allowed", "setuid": "EPERM", "chown": "EPERM", "rename-across": "allowed",
	}
	if n := got["pid"]; n == "1" {
		t.Errorf("the program is pid %s, so its own signals do not work", n)
	}
	for name, value := range want {
		// Which of the read-only mount and the other layers answers first is up to the driver; and an id that the user
		// namespace does not have is no valid one.
		if got[name] == "EROFS" && value == "EACCES" || got[name] == "EINVAL" && (name == "setuid" || name == "chown") {
			continue
		}
		if got[name] != value {
			t.Errorf("%s: got %q, want %q", name, got[name], value)
		}
	}
	for name, value := range got {
		if strings.HasPrefix(name, "absent:") && value != "1" {
			t.Errorf("%s is there", strings.TrimPrefix(name, "absent:"))
		}
	}
	for _, name := range []string{"mknod-device", "private", "kill-parent", "open:/proc/self/mem", "open:/proc/self/oom_score_adj"} {
		if v := got[name]; v == "allowed" || v == "" {
			t.Errorf("%s: %q", name, v)
		}
	}
	if cpu := strings.Fields(got["cpu"]); len(cpu) != 2 || !within(cpu[0], 3, 10) {
		t.Errorf("the backstop for CPU time is %q s", got["cpu"])
	}
	if core := strings.Fields(got["core"]); len(core) != 2 || !within(core[1], 0, 1) {
		t.Errorf("core files may have %q bytes", got["core"])
	}
	for _, name := range []string{"msgqueue", "sigpending"} {
		if v := strings.Fields(got[name]); len(v) != 2 || !within(v[1], 0, 1<<20) {
			t.Errorf("%s: %q", name, got[name])
		}
	}
	if procs := got["proc"]; strings.ContainsAny(strings.ReplaceAll(procs, "thread-self", ""), "0123456789") {
		t.Errorf("/proc shows other processes: %s", procs)
	}
}

const zeroCaps = "0000000000000000"

func within(text string, low, high int64) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n >= low && n <= high
}

// sameState: a run starts as every other does, whatever ran before.
func sameState(t *testing.T, b *bench) {
	one := b.alone(t)
	first := one.state(t, nil)
	for range 20 {
		one.run(t, one.program("traces", "leave"))
		again := one.state(t, nil)
		for name, value := range first {
			if again[name] != value {
				t.Errorf("%s was %q and is %q", name, value, again[name])
			}
		}
	}
}

// nothingLeft: a program leaves a trace of every kind, in the only slot there is, and the next finds none.
func nothingLeft(t *testing.T, b *bench) {
	one := b.alone(t)
	// No other test locks this file, which is one for all slots.
	const locked = "/usr/bin/env"
	if r := one.run(t, one.program("traces", "find", locked)); r.stdout != "looked\n" {
		t.Errorf("the first run found %q", r.stdout)
	}
	for range 5 {
		r := one.run(t, one.program("traces", "leave", locked))
		r.ok(t)
		if r.stdout != "left\n" {
			t.Errorf("not every trace could be left: %q", r.stdout)
		}
		// No other test locks this file, which is one for all slots.
		const locked = "/usr/bin/env"
		if r := one.run(t, one.program("traces", "find", locked)); r.stdout != "looked\n" {
			t.Errorf("found %q", r.stdout)
		}
	}
}

// sideBySide: a program looks while another holds traces of every kind, but for locks on the toolchain's files, which are
// shown to both.
func sideBySide(t *testing.T, b *bench) {
	reader, writer := io.Pipe()
	defer writer.Close()
	out := newLines()
	c := b.program("traces", "keep")
	c.Stdin, c.Stdout = reader, out
	h := b.start(t, c)
	out.expect(t, h, "left")
	if r := b.run(t, b.program("traces", "find")); r.stdout != "looked\n" {
		t.Errorf("found %q", r.stdout)
	}
	_ = writer.Close()
	if rep := wait(t, h); rep.ExitCode != 0 {
		t.Errorf("%+v", rep)
	}
}

// hostFiles: a file of the host, readable by all there, is not there.
func hostFiles(t *testing.T, b *bench) {
	a := t.TempDir()
	c := script(`ls "$1" /root /home /var/lib /srv /opt/.. 2>/dev/null | grep -v -x -E 'bin|box|dev|etc|lib.*|proc|sbin|tmp|usr|/.*:|'; echo done`)
	c.Args = append(c.Args, "sh", a)
	if r := b.run(t, c); r.stdout != "done\n" {
		t.Errorf("found %q", r.stdout)
	}
}
