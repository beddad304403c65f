package sandboxtest

import (
	"bytes"
	"strings"
	"testing"

	"assay/internal/sandbox"
)

// startTests: what a program is given arrives byte for byte, and what cannot be executed is reported as a fact.
func startTests() []test {
	return []test{
		{"args", argsArrive},
		{"many_args", manyArgsArrive},
		{"env", envArrives},
		{"files", filesArrive},
		{"large_file", largeFileArrives},
		{"errors", startErrors},
		{"files_beyond_memory", filesBeyondMemory},
	}
}

// odd are texts that shells, C strings, line readers and decoders stumble over.
func odd() []string {
	return []string{
		"", " ", "'", `"`, "$(id)", "`id`", "${HOME}", "a b", "a\nb", "a\r\nb", "\\", "\\n", "%s%n", "-rf", "--", "*", "~", ";ls", "|", "&",
		"\xff\xfe", "\xef\xbb\xbfbom", "\xed\xa0\x80", "\x01\x7f", "é中\U0001f600", "\u202e", strings.Repeat("x", 100_000),
	}
}

func argsArrive(t *testing.T, b *bench) {
	c := b.program("basic", append([]string{"args"}, odd()...)...)
	r := b.run(t, c)
	r.ok(t)
	if want := strings.Join(c.Args, "\x00") + "\x00"; r.stdout != want {
		t.Errorf("got %.300q, want %.300q", r.stdout, want)
	}
}

func manyArgsArrive(t *testing.T, b *bench) {
	c := b.program("basic", "args")
	for range 20_000 {
		c.Args = append(c.Args, "argument")
	}
	r := b.run(t, c)
	r.ok(t)
	if want := strings.Join(c.Args, "\x00") + "\x00"; r.stdout != want {
		t.Errorf("got %d bytes, want %d", len(r.stdout), len(want))
	}
}

func envArrives(t *testing.T, b *bench) {
	for _, env := range [][]string{nil, {"A=1"}, append([]string{"A=1", "A=2", "PATH="}, odd()...)} {
		c := b.program("basic", "env")
		c.Env = env
		r := b.run(t, c)
		r.ok(t)
		want := ""
		for _, e := range env {
			want += e + "\x00"
		}
		if r.stdout != want {
			t.Errorf("got %.300q, want %.300q", r.stdout, want)
		}
	}
}

func filesArrive(t *testing.T, b *bench) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, content := range [][]byte{nil, every, []byte("\xef\xbb\xbfa\r\nb\x00"), []byte("no newline")} {
		c := script(`cat "$1"; stat -c '%a %u' "$1" >&2`)
		for _, name := range []string{"plain", "a folder/and/another/file", "-rf", "*", "$(id)", "a\nb", "\xff", "...", "é", " "} {
			c.Files = []sandbox.File{{Name: name, Mode: 0o640, Data: content}}
			c.Args = append(c.Args[:3:3], "sh", "./"+name)
			r := b.run(t, c)
			r.ok(t)
			if r.stdout != string(content) || !strings.HasPrefix(r.stderr, "640 ") {
				t.Errorf("%q: got %q and %q", name, r.stdout, r.stderr)
			}
		}
	}
	c := script("stat -c %a default && test -w sub/default && : > sub/new && rm sub/default")
	c.Files = []sandbox.File{{Name: "default"}, {Name: "sub/default"}, {Name: "sub/other/x"}}
	r := b.run(t, c)
	r.ok(t)
	if r.stdout != "644\n" {
		t.Errorf("mode of a file without one: %q", r.stdout)
	}
}

// largeFileArrives: more than any socket message holds, and more than the limit on written bytes, which is not for what is
// given to the program.
func largeFileArrives(t *testing.T, b *bench) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	c := script("cmp big copy && wc -c < big")
	c.Files = []sandbox.File{{Name: "big", Data: content}, {Name: "copy", Data: content}}
	c.Limits.FileBytes = sandbox.MiB
	r := b.run(t, c)
	r.ok(t)
	if strings.TrimSpace(r.stdout) != "16777216" {
		t.Errorf("got %q", r.stdout)
	}
}

// filesBeyondMemory: what the program is given need not count as its memory. Where a driver counts it, files that do not fit
// the limit are refused or have the run hit it; they are never a failure of assay.
func filesBeyondMemory(t *testing.T, b *bench) {
	c := script("true")
	c.Limits.Memory = 16 * sandbox.MiB
	c.Files = []sandbox.File{{Name: "big", Data: make([]byte, 64<<20)}}
	h, err := b.sandbox.Start(t.Context(), c)
	if err == nil {
		var rep sandbox.Report
		if rep, err = h.Wait(); err == nil {
			if !rep.MemoryExceeded && rep.ExitCode != 0 {
				t.Errorf("got %+v", rep)
			}
		}
	}
	if err != nil {
		wantInvalid(t, err, "files")
	}
	for _, size := range []int{15 << 20, 16 << 20} { // little is left for the program, or nothing
		c.Files[0].Data = make([]byte, size)
		if r := b.run(t, c); r.ExitCode != 0 || r.Signal != "" && !r.MemoryExceeded {
			t.Errorf("%d bytes: %+v", size, r.Report)
		}
	}
}

func startErrors(t *testing.T, b *bench) {
	elf := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 200)...)
	for _, c := range []struct {
		name string
		args []string
		file sandbox.File
		code int
	}{
		{"missing", []string{"./missing"}, sandbox.File{Name: "x"}, 127},
		{"missing folder", []string{"/nowhere/x"}, sandbox.File{Name: "x"}, 127},
		{"no search in PATH", []string{"sh"}, sandbox.File{Name: "x"}, 127},
		{"not executable", []string{"./x"}, sandbox.File{Name: "x", Mode: 0o644, Data: []byte("#!/bin/sh\n")}, 126},
		{"folder", []string{"./d"}, sandbox.File{Name: "d/x"}, 126},
		{"not a folder", []string{"./x/y"}, sandbox.File{Name: "x"}, 126},
		{"bad ELF", []string{"./x"}, sandbox.File{Name: "x", Mode: 0o755, Data: elf}, 126},
		{"text without a first line", []string{"./x"}, sandbox.File{Name: "x", Mode: 0o755, Data: []byte("echo no\n")}, 126},
		{"empty file", []string{"./x"}, sandbox.File{Name: "x", Mode: 0o755}, 126},
		{"interpreter is missing", []string{"./x"}, sandbox.File{Name: "x", Mode: 0o755, Data: []byte("#!/nowhere/sh\n")}, 127},
		{"argument is too long", []string{"/bin/true", strings.Repeat("x", 1<<20)}, sandbox.File{Name: "x"}, 126},
		{"name is too long", []string{"./" + strings.Repeat("x", 5000)}, sandbox.File{Name: "x"}, 126},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := b.run(t, sandbox.Command{Args: c.args, Files: []sandbox.File{c.file}, Limits: limits()})
			if r.ExitCode != c.code || r.StartError == "" || r.Signal != "" || r.stdout != "" {
				t.Errorf("got %+v", r)
			}
			r.StartError, r.ExitCode = "", 0
			r.ok(t)
		})
	}
	// A program that ends so by itself is no start error.
	for _, code := range []string{"126", "127"} {
		if r := b.run(t, b.program("basic", "exit", code)); r.StartError != "" {
			t.Errorf("exit %s: start error %q", code, r.StartError)
		}
	}
}
