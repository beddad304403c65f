package sandboxtest

import (
	"bytes"
	"io"
	"strings"
	"syscall"
	"testing"

	"assay/internal/sandbox"
)

// outputTests: files that a program leaves.
func outputTests() []test {
	return []test{
		{"patterns", outputPatterns},
		{"hostile_folder", hostileFolder},
		{"content", outputContent},
		{"many", manyOutputs},
		{"sparse", sparseOutput},
		{"after_a_limit", outputsAfterLimit},
		{"later_runs_cannot_reach_them", outputsAreOwn},
		{"deep", deepOutputs},
	}
}

// outputs runs a script and gives the names of what was collected, one for each line.
func (b *bench) outputs(t *testing.T, text string, patterns ...string) string {
	t.Helper()
	c := script(text)
	c.Outputs = patterns
	r := b.run(t, c)
	r.ok(t)
	var names []string
	for _, o := range r.Outputs {
		names = append(names, o.Name)
	}
	return strings.Join(names, " ")
}

func outputPatterns(t *testing.T, b *bench) {
	const tree = "mkdir -p a/b/c; touch x.txt y.bin .hidden a/x.txt a/b/x.txt a/b/c/x.txt; mkdir d; touch 'd/[1]'"
	for patterns, want := range map[string]string{
		"x.txt":         "x.txt",
		"*":             ".hidden x.txt y.bin",
		"*.txt":         "x.txt",
		"*/*.txt":       "a/x.txt",
		"a/*":           "a/x.txt",
		"**":            ".hidden a/b/c/x.txt a/b/x.txt a/x.txt d/[1] x.txt y.bin",
		"**/x.txt":      "a/b/c/x.txt a/b/x.txt a/x.txt x.txt",
		"a/**/x.txt":    "a/b/c/x.txt a/b/x.txt a/x.txt",
		"a/**":          "a/b/c/x.txt a/b/x.txt a/x.txt",
		"?.txt":         "x.txt",
		"[xy].*":        "x.txt y.bin",
		`d/\[1\]`:       "d/[1]",
		"x.txt x.txt":   "x.txt",
		"y.bin x.txt":   "x.txt y.bin",
		"missing":       "",
		"a":             "",
		"../*":          "",
		"/box/work/*":   "",
		"a/b/c/x.txt *": ".hidden a/b/c/x.txt x.txt y.bin",
	} {
		if got := b.outputs(t, tree, strings.Fields(patterns)...); got != want {
			t.Errorf("%s: got %s, want %s", patterns, got, want)
		}
	}
	if r := b.run(t, script(tree)); r.Outputs != nil {
		t.Errorf("outputs without patterns: %v", r.Outputs)
	}
}

// hostileFolder: only regular files are collected; nothing is followed, opened for its effects, or waited for.
func hostileFolder(t *testing.T, b *bench) {
	got := b.outputs(t, `
		echo good > good
		ln -s /etc/passwd link; ln -s good link2; ln -s . loop; ln -s /proc/self/fd/0 fd; ln -s missing dangling
		ln -s / rootlink; mkdir real; echo x > real/x; ln -s real folderlink
		mkfifo fifo; mkdir empty
		echo secret > unreadable; chmod 0 unreadable
		mkdir closed; echo x > closed/x; chmod 0 closed
		mkdir dead; chmod 300 dead
		echo x > nul; echo x > CON; echo x > aux.txt
		ln good hardlink`, "*", "**/x")
	// Files that the program cannot read itself may come or not: that is up to what the driver may.
	got = strings.ReplaceAll(strings.ReplaceAll(got, " unreadable", ""), "closed/x ", "")
	if want := "CON aux.txt good hardlink nul real/x"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	names := []string{"a\nb", "-rf", "*", "\xff\xfe", "é", " ", "$(id)", "a b", "...", strings.Repeat("n", 255)}
	c := script(`for n; do echo "$n" > "./$n"; done`)
	c.Args, c.Outputs = append(c.Args, append([]string{"sh"}, names...)...), []string{"*"}
	r := b.run(t, c)
	r.ok(t)
	if len(r.Outputs) != len(names) {
		t.Errorf("%d files of %d", len(r.Outputs), len(names))
	}
	for _, o := range r.Outputs {
		if got := read(t, o); got != o.Name+"\n" {
			t.Errorf("%q holds %q", o.Name, got)
		}
	}
}

func read(t *testing.T, o sandbox.Output) string {
	t.Helper()
	p, err := io.ReadAll(o.File)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(p)) != o.Size {
		t.Errorf("%s: size %d, %d bytes read", o.Name, o.Size, len(p))
	}
	return string(p)
}

func outputContent(t *testing.T, b *bench) {
	big := bytes.Repeat(everything(), 30_000)
	c := script("cp in out; : > empty; chmod 751 out; echo changed >> given")
	c.Files = []sandbox.File{{Name: "in", Data: big}, {Name: "given", Data: []byte("given\n")}}
	c.Outputs = []string{"out", "empty", "given"}
	r := b.run(t, c)
	r.ok(t)
	if len(r.Outputs) != 3 {
		t.Fatalf("got %v", r.Outputs)
	}
	if o := r.Outputs[0]; o.Name != "empty" || read(t, o) != "" {
		t.Errorf("%+v", o)
	}
	if o := r.Outputs[1]; o.Name != "given" || read(t, o) != "given\nchanged\n" {
		t.Errorf("%+v", o)
	}
	if o := r.Outputs[2]; o.Name != "out" || o.Mode != 0o751 || read(t, o) != string(big) {
		t.Errorf("%+v", o)
	}
}

func manyOutputs(t *testing.T, b *bench) {
	c := b.program("limits", "files", "3000")
	c.Limits.FileCount = 4000
	c.Outputs = []string{"f*"}
	r := b.run(t, c)
	r.ok(t)
	if len(r.Outputs) != 3000 {
		t.Errorf("%d files", len(r.Outputs))
	}
}

func sparseOutput(t *testing.T, b *bench) {
	c := b.program("limits", "sparse", itoa(8<<20), "sparse")
	c.Outputs = []string{"sparse"}
	r := b.run(t, c)
	r.ok(t)
	if len(r.Outputs) != 1 || read(t, r.Outputs[0]) != string(make([]byte, 8<<20)) {
		t.Errorf("got %+v", r.Outputs)
	}
}

// outputsAfterLimit: what a program wrote is there however it ended.
func outputsAfterLimit(t *testing.T, b *bench) {
	c := script("echo before > out; yes")
	c.Outputs = []string{"*"}
	c.Limits.Output = 1000
	r := b.run(t, c)
	if !r.OutputExceeded || len(r.Outputs) != 1 || read(t, r.Outputs[0]) != "before\n" {
		t.Errorf("%+v", r.Report)
	}
}

// outputsAreOwn: a collected file stays as it was, whatever the next run of the slot does.
func outputsAreOwn(t *testing.T, b *bench) {
	one := b.alone(t)
	c := script("echo first > out")
	c.Outputs = []string{"out"}
	first := one.run(t, c)
	c = script("ls; echo second > out")
	c.Outputs = []string{"out"}
	second := one.run(t, c)
	if second.stdout != "" {
		t.Errorf("the second run found %q", second.stdout)
	}
	if got := read(t, first.Outputs[0]); got != "first\n" {
		t.Errorf("got %q", got)
	}
	if got := read(t, second.Outputs[0]); got != "second\n" {
		t.Errorf("got %q", got)
	}
}

// deepOutputs: no depth of folders is a failure.
func deepOutputs(t *testing.T, b *bench) {
	got := b.outputs(t, "echo x > top; i=0; while [ $i -lt 200 ]; do mkdir d && cd d || exit 0; echo x > f; i=$((i+1)); done", "**")
	if !strings.HasSuffix(got, " top") || !strings.Contains(got, "d/d/d/f") {
		t.Errorf("got %.500s", got)
	}
}

// artifactTests: files that are kept for later runs.
func artifactTests() []test {
	return []test{
		{"keep_and_run", keepAndRun},
		{"read_only", artifactReadOnly},
		{"modes", artifactModes},
		{"invisible", artifactInvisible},
		{"release", artifactRelease},
	}
}

// keepAndRun: the output of one run is the program of the next, in another slot or the same.
func keepAndRun(t *testing.T, b *bench) {
	c := b.program("basic", "exit", "0")
	c.Args, c.Env = []string{"/bin/sh", "-c", "cp basic made; chmod 755 made"}, []string{"PATH=/usr/bin:/bin"}
	c.Outputs = []string{"made"}
	r := b.run(t, c)
	r.ok(t)
	a, err := b.sandbox.Keep(r.Outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	r.CloseOutputs()
	if a.Size != int64(len(b.binaries["basic"])) {
		t.Errorf("size %d", a.Size)
	}
	for range 6 {
		run := sandbox.Command{Args: []string{"bin/it", "exit", "9"}, Limits: limits()}
		run.Files = []sandbox.File{{Name: "bin/it", Mode: 0o755, Artifact: a}}
		if r := b.run(t, run); r.ExitCode != 9 {
			t.Errorf("%+v", r.Report)
		}
	}
	if err := b.sandbox.Release(a); err != nil {
		t.Error(err)
	}
}

// artifactReadOnly: neither its content nor its mode can be changed, now or for the next run.
func artifactReadOnly(t *testing.T, b *bench) {
	a := b.keep(t, "kept", 0o644, []byte("kept\n"))
	for range 2 {
		c := script("cat a; (echo x > a) 2>/dev/null; (echo x >> a) 2>/dev/null; chmod 777 a; truncate -s 0 a; mv a b; rm -f a; cat a")
		c.Files = []sandbox.File{{Name: "a", Mode: 0o644, Artifact: a}}
		r := b.run(t, c)
		if r.stdout != "kept\nkept\n" {
			t.Errorf("got %q, %q", r.stdout, r.stderr)
		}
	}
}

func artifactModes(t *testing.T, b *bench) {
	program := b.keep(t, "kept", 0o755, b.binaries["basic"])
	data := b.keep(t, "kept", 0o644, b.binaries["basic"])
	for _, x := range []struct {
		artifact *sandbox.Artifact
		code     int
	}{{program, 4}, {data, 126}} {
		c := sandbox.Command{Args: []string{"./a", "exit", "4"}, Limits: limits()}
		c.Files = []sandbox.File{{Name: "a", Mode: 0o755, Artifact: x.artifact}}
		if r := b.run(t, c); r.ExitCode != x.code {
			t.Errorf("%+v, want exit code %d", r.Report, x.code)
		}
	}
}

// artifactInvisible: a program sees no artifact but those that its command names.
func artifactInvisible(t *testing.T, b *bench) {
	a := b.keep(t, "kept", 0o644, []byte("not-for-everybody"))
	c := script(`ls -A; ls "$1" "${1%/*}"; cat "$1"; find / -xdev -type f -size -1 2>/dev/null | xargs grep -l not-for-everybody`)
	c.Args = append(c.Args, "sh", a.Path)
	if r := b.run(t, c); r.stdout != "" {
		t.Errorf("found %q", r.stdout)
	}
}

func artifactRelease(t *testing.T, b *bench) {
	a := b.keep(t, "kept", 0o755, b.binaries["basic"])
	out := newLines()
	c := sandbox.Command{Args: []string{"./a", "say-and-wait"}, Limits: limits(), Stdout: out}
	c.Files = []sandbox.File{{Name: "a", Mode: 0o755, Artifact: a}}
	h := b.start(t, c)
	out.expect(t, h, "ready")
	if err := b.sandbox.Release(a); err != nil {
		t.Errorf("while it is shown: %v", err)
	}
	if err := h.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if rep := wait(t, h); rep.Signal != "SIGTERM" {
		t.Errorf("%+v", rep)
	}
	if err := b.sandbox.Release(a); err == nil {
		t.Error("released twice")
	}
	if err := b.sandbox.Release(&sandbox.Artifact{Path: "/etc/passwd"}); err == nil {
		t.Error("released a file of the host")
	}
}
