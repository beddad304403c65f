package sandboxtest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"assay/internal/fault"
	"assay/internal/sandbox"
)

// streamTests: fds 0 to 2.
func streamTests() []test {
	return []test{
		{"input_bytes", inputBytes},
		{"input_kinds", inputKinds},
		{"input_not_read", inputNotRead},
		{"opened_anew", openedAnew},
		{"input_file_is_sealed", inputSealed},
		{"nothing_else_is_open", onlyStreams},
		{"output_bytes", outputBytes},
		{"output_limit", outputLimit},
		{"flood", flood},
		{"live", live},
		{"pipe_between_commands", pipeBetween},
		{"discarded", discarded},
		{"writer_fails", writerFails},
		{"modes_stay_inside", modesStayInside},
		{"files_are_handed_over", filesHandedOver},
	}
}

// everything is each byte and each thing that readers of text change.
func everything() []byte {
	b := []byte("\xef\xbb\xbfbom\r\nline\rnul\x00\xff\xfe\xc3\x28'\"$(id)`id`\\\x04\x1a\n\n")
	for i := range 256 {
		b = append(b, byte(i))
	}
	return b
}

func inputBytes(t *testing.T, b *bench) {
	for _, in := range [][]byte{nil, {0}, []byte("\n"), []byte("no newline"), everything(), bytes.Repeat(everything(), 1000)} {
		for kind, stdin := range map[string]io.Reader{"bytes": bytes.NewReader(in), "pipe": struct{ io.Reader }{bytes.NewReader(in)}} {
			c := script("cat")
			c.Stdin = stdin
			r := b.run(t, c)
			r.ok(t)
			if r.stdout != string(in) {
				t.Errorf("%s: %d bytes became %d", kind, len(in), len(r.stdout))
			}
		}
	}
}

func inputKinds(t *testing.T, b *bench) {
	in := bytes.Repeat([]byte("0123456789"), 100_000)
	path := t.TempDir() + "/in"
	if err := os.WriteFile(path, in, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	half := bytes.NewReader(in)
	if _, err := half.Seek(int64(len(in)/2), io.SeekStart); err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	go func() {
		for part := range bytes.Lines(bytes.ReplaceAll(in, []byte("9"), []byte("\n"))) {
			_, _ = writer.Write(part)
		}
		_ = writer.Close()
	}()
	for _, x := range []struct {
		name  string
		stdin io.Reader
		want  string
	}{
		{"nothing", nil, "0\n"},
		{"file", file, "1000000\n"},
		{"bytes", bytes.NewReader(in), "1000000\n"},
		{"half-read bytes", half, "500000\n"},
		{"string", strings.NewReader("abc"), "3\n"},
		{"many small writes", reader, "1000000\n"},
	} {
		c := b.program("basic", "count")
		c.Stdin = x.stdin
		if r := b.run(t, c); r.stdout != x.want {
			t.Errorf("%s: got %q, want %q", x.name, r.stdout, x.want)
		}
	}
}

// inputNotRead: a program need not read its input, or may close it; that is no error, and nothing waits for the rest.
func inputNotRead(t *testing.T, b *bench) {
	endless, writer := io.Pipe()
	defer writer.Close()
	for name, stdin := range map[string]func() io.Reader{
		"large bytes": func() io.Reader { return bytes.NewReader(make([]byte, 32<<20)) },
		// A reader of its own for each run: a read may go on for a moment after a run has ended (sandbox.Command.Stdin).
		"large pipe": func() io.Reader { return struct{ io.Reader }{bytes.NewReader(make([]byte, 32<<20))} },
		"no end":     func() io.Reader { return endless },
	} {
		for _, args := range [][]string{{"exit", "0"}, {"close-input"}} {
			c := b.program("basic", args...)
			c.Stdin = stdin()
			if r := b.run(t, c); r.ExitCode != 0 || r.Signal != "" {
				t.Errorf("%s, %s: %+v", name, args, r)
			}
		}
	}
}

// inputSealed: input that comes from memory cannot be changed by the program.
func inputSealed(t *testing.T, b *bench) {
	c := script("echo changed > /dev/stdin; echo changed >&0; cat")
	c.Stdin = bytes.NewReader([]byte("original"))
	if r := b.run(t, c); r.stdout != "original" {
		t.Errorf("got %q", r.stdout)
	}
}

// openedAnew: programs open their streams by name, as is usual in contests and scripts.
func openedAnew(t *testing.T, b *bench) {
	for name, stdin := range map[string]io.Reader{
		"nothing": nil, "bytes": bytes.NewReader([]byte("in\n")), "reader": struct{ io.Reader }{strings.NewReader("in\n")},
	} {
		c := script("cat /dev/stdin && echo out >/dev/stdout && echo err >/dev/stderr")
		c.Stdin = stdin
		want := "in\nout\n"
		if stdin == nil {
			want = "out\n"
		}
		if r := b.run(t, c); r.ExitCode != 0 || r.stdout != want || r.stderr != "err\n" {
			t.Errorf("%s: stdout %q, stderr %q, %+v", name, r.stdout, r.stderr, r.Report)
		}
	}
}

func onlyStreams(t *testing.T, b *bench) {
	for range 3 {
		c := b.program("basic", "descriptors")
		c.Outputs = []string{"*"}
		if r := b.run(t, c); r.stdout != "0 1 2 \n" {
			t.Errorf("open descriptors: %q", r.stdout)
		}
	}
}

func outputBytes(t *testing.T, b *bench) {
	c := script("cat in; cat in >&2")
	c.Files = []sandbox.File{{Name: "in", Data: everything()}}
	r := b.run(t, c)
	r.ok(t)
	if r.stdout != string(everything()) || r.stderr != string(everything()) {
		t.Errorf("got %q and %q", r.stdout, r.stderr)
	}
}

func outputLimit(t *testing.T, b *bench) {
	for _, limit := range []int{0, 1, 4095, 4096, 65536, 100_000} {
		for _, over := range []int{-1, 0, 1, 5000} {
			wrote := limit + over
			if wrote < 0 {
				continue
			}
			c := script("head -c " + itoa(wrote) + " /dev/zero | tr '\\0' x >&$FD")
			c.Limits.Output = int64(limit)
			for fd, name := range []string{1: "stdout", 2: "stderr"} {
				if fd == 0 {
					continue
				}
				c.Env = []string{"PATH=/usr/bin:/bin", "FD=" + itoa(fd)}
				r := b.run(t, c)
				text, truncated, other := r.stdout, r.StdoutTruncated, r.StderrTruncated
				if fd == 2 {
					text, truncated, other = r.stderr, r.StderrTruncated, r.StdoutTruncated
				}
				if text != strings.Repeat("x", min(limit, wrote)) {
					t.Errorf("%s, limit %d, %d written: %d delivered", name, limit, wrote, len(text))
				}
				if truncated != (over > 0) || r.OutputExceeded != (over > 0) || other {
					t.Errorf("%s, limit %d, %d written: %+v", name, limit, wrote, r.Report)
				}
				if over <= 0 {
					r.ok(t)
				}
			}
		}
	}
}

// flood: endless output ends the run by itself, long before a limit on time, and what fitted is kept.
func flood(t *testing.T, b *bench) {
	for fd, name := range []string{1: "stdout", 2: "stderr"} {
		if fd == 0 {
			continue
		}
		c := b.program("basic", "write", itoa(fd), "-1")
		c.Limits.Output = 10_000
		r := b.run(t, c)
		if !r.OutputExceeded || r.CPUExceeded || r.WallExceeded || r.Signal != "SIGKILL" {
			t.Errorf("%s: %+v", name, r.Report)
		}
		if len(r.stdout)+len(r.stderr) != 10_000 {
			t.Errorf("%s: %d and %d bytes", name, len(r.stdout), len(r.stderr))
		}
	}
	c := script("while :; do echo out; echo err >&2; done")
	c.Limits.Output = 1000
	r := b.run(t, c)
	if !r.OutputExceeded || !strings.HasPrefix(r.stdout, "out\nout\n") || !strings.HasPrefix(r.stderr, "err\nerr\n") {
		t.Errorf("both: %+v", r)
	}
}

// live: output is delivered while the program runs, and input reaches it then.
func live(t *testing.T, b *bench) {
	reader, writer := io.Pipe()
	defer writer.Close()
	out := newLines()
	c := b.program("basic", "talk")
	c.Stdin, c.Stdout = reader, out
	h := b.start(t, c)
	out.expect(t, h, "first")
	if _, err := io.WriteString(writer, "hello\n"); err != nil {
		t.Fatal(err)
	}
	out.expect(t, h, "got hello")
	if rep := wait(t, h); rep.ExitCode != 0 {
		t.Errorf("%+v", rep)
	}
}

// pipeBetween joins two commands; the pipe takes more than it can hold, without a limit, and its end is seen.
func pipeBetween(t *testing.T, b *bench) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	from, to := b.program("basic", "write", "1", "10000000"), b.program("basic", "count")
	var out bytes.Buffer
	from.Limits.Output = 10
	from.Stdout, to.Stdin, to.Stdout = w, r, &out
	first, second := b.start(t, from), b.start(t, to)
	if err := errors.Join(r.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if rep := wait(t, first); rep.ExitCode != 0 || rep.OutputExceeded {
		t.Errorf("the first: %+v", rep)
	}
	if rep := wait(t, second); rep.ExitCode != 0 || out.String() != "10000000\n" {
		t.Errorf("the second: %+v, %q", rep, out.String())
	}
}

// discarded streams still have a limit.
func discarded(t *testing.T, b *bench) {
	c := b.program("basic", "write", "1", "100")
	rep := wait(t, b.start(t, c))
	if rep.ExitCode != 0 || rep.OutputExceeded {
		t.Errorf("within: %+v", rep)
	}
	c.Limits.Output = 99
	rep = wait(t, b.start(t, c))
	if !rep.OutputExceeded || !rep.StdoutTruncated {
		t.Errorf("beyond: %+v", rep)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// writerFails: nobody wants the output any more, so the run is ended and the caller told why.
func writerFails(t *testing.T, b *bench) {
	gone := errors.New("the reader is gone")
	for _, args := range [][]string{{"write", "1", "-1"}, {"say-and-wait"}} {
		c := b.program("basic", args...)
		c.Limits.Output = sandbox.GiB
		c.Stdout = failingWriter{gone}
		_, err := b.start(t, c).Wait()
		if !errors.Is(err, gone) || fault.CodeOf(err) != fault.Cancelled {
			t.Errorf("%s: got %v", args, err)
		}
	}
}

// modesStayInside: what a program does to the flags of its streams is not the driver's or the next run's problem.
func modesStayInside(t *testing.T, b *bench) {
	one := b.alone(t)
	for range 2 {
		r := one.run(t, one.program("traces", "leave"))
		r.ok(t)
		if !strings.HasSuffix(r.stdout, "left\n") {
			t.Errorf("got %q", r.stdout)
		}
		r = one.run(t, one.program("basic", "write", "1", "1000000"))
		r.ok(t)
		if len(r.stdout) != 1_000_000 {
			t.Errorf("got %d bytes", len(r.stdout))
		}
	}
}

// filesHandedOver: files for output are the program's own, and their flags are left as they are.
func filesHandedOver(t *testing.T, b *bench) {
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags := func() int {
		n, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := flags()
	c := script("echo out; echo err >&2")
	c.Stdout, c.Stderr = f, f
	if rep := wait(t, b.start(t, c)); rep.ExitCode != 0 {
		t.Errorf("%+v", rep)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil || string(got) != "out\nerr\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if after := flags(); after != before {
		t.Errorf("the file's flags went from %x to %x", before, after)
	}
}
