package e2e

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	helloC    = "#include <stdio.h>\nint main(void) { puts(\"hello\"); }\n"
	spinC     = "int main(void) { volatile unsigned i = 0; for (;;) i++; }\n"
	catPython = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())\n"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file, text string
		args             []string
		code             int
		out, errors      string
	}{
		{"C", "a.c", helloC, nil, 0, "hello\n", ""},
		{"C++", "a.cpp", "#include <iostream>\nint main() { std::cout << \"hello\\n\"; }\n", nil, 0, "hello\n", ""},
		{"Python", "a.py", "print('hello')", nil, 0, "hello\n", ""},
		{"Bash", "a.sh", "echo hello", nil, 0, "hello\n", ""},
		{"own code", "a.py", "import sys; print('x'); sys.exit(7)", nil, 7, "x\n", "runtime error: exited with code 7"},
		{"code 124 of its own", "a.sh", "exit 124", nil, 124, "", "exited with code 124"},
		{"signal", "a.c", "#include <stdlib.h>\nint main(void) { abort(); }\n", nil, 134, "", "SIGABRT"},
		{"kills itself", "a.sh", "kill -KILL $$", nil, 137, "", "SIGKILL"},
		{"CPU limit", "a.c", spinC, []string{"--time-limit", "100ms"}, 124, "", "CPU time limit of 100 ms exceeded"},
		{"wall limit", "a.sh", "sleep 1000", []string{"--wall-limit", "100ms"}, 124, "", "wall time limit of 100 ms exceeded"},
		{"memory limit", "a.py", "x = b'x' * (1 << 30)", []string{"--memory-limit", "64MiB"}, 124, "", "memory limit of 64 MiB exceeded"},
		{"output limit", "a.sh", "while :; do echo 0123456789; done", []string{"--output-limit", "22"}, 124, "0123456789\n0123456789\n", "output limit of 22 B exceeded"},
		{"does not compile", "a.c", "int main(void) { return missing; }\n", nil, 1, "", "missing"},
		{"arguments", "a.sh", `printf '<%s>' "$@"`, []string{"--", "-x", "a b", "$(id)", "--json", ""}, 0, "<-x><a b><$(id)><--json><>", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{file(t, tt.file, tt.text)}, tt.args...)
			got := run(t, args...)
			if got.code != tt.code || got.out != tt.out {
				t.Errorf("exit code %d, stdout %q; want %d, %q\nstderr: %s", got.code, got.out, tt.code, tt.out, got.errors)
			}
			if tt.errors == "" && got.errors != "" || !strings.Contains(got.errors, tt.errors) {
				t.Errorf("stderr %q, want %q", got.errors, tt.errors)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	r := runJSON(t, file(t, "a.c", helloC))
	if r.Status != "ok" || r.Stdout != "hello\n" || r.ExitCode == nil || *r.ExitCode != 0 || r.Signal != nil || r.Limit != nil {
		t.Errorf("%+v", r)
	}
	if r.Compile == nil || r.Compile.Status != "ok" || r.CPUTimeMS <= 0 || r.WallTimeMS <= 0 || r.MemoryBytes <= 0 {
		t.Errorf("%+v", r)
	}
	r = runJSON(t, "--time-limit", "100ms", file(t, "a.c", spinC))
	if r.Status != "time_limit_exceeded" || r.Limit == nil || *r.Limit != "cpu" {
		t.Errorf("%+v", r)
	}
	r = runJSON(t, file(t, "a.py", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
	if r.Status != "runtime_error" || r.Signal == nil || *r.Signal != "SIGSEGV" || r.ExitCode != nil || r.Compile != nil {
		t.Errorf("%+v", r)
	}
	r = runJSON(t, file(t, "a.c", "int main(void) { return missing; }"))
	if r.Status != "compile_error" || r.ExitCode != nil || r.CPUTimeMS != 0 || r.MemoryBytes != 0 || r.Compile == nil || !strings.Contains(r.Compile.Stderr, "missing") {
		t.Errorf("%+v", r)
	}
	r = runJSON(t, file(t, "a.sh", `printf 'a\377b'`))
	if r.Stdout != "a\ufffdb" || r.StdoutBase64 != "Yf9i" {
		t.Errorf("%+v", r)
	}
}

func TestStdin(t *testing.T) {
	t.Parallel()
	const text = "a\r\nb\x00\xff\ufeff$(id) '\"\\\n"
	program := file(t, "a.py", catPython)
	if got := finish(t, assay(t, "run", program), strings.NewReader(text)); got.out != text {
		t.Errorf("through a pipe: %q", got.out)
	}
	if got := run(t, "--stdin", file(t, "in", text), program); got.out != text {
		t.Errorf("from --stdin: %q", got.out)
	}
	if got := finish(t, assay(t, "run", "--language", "python", "-"), strings.NewReader(catPython)); got.out != "" || got.code != 0 {
		t.Errorf("the program from standard input: %+v", got)
	}
	if got := finish(t, assay(t, "run", "--language", "python", "--stdin", file(t, "in", text), "-"), strings.NewReader(catPython)); got.out != text {
		t.Errorf("both: %q", got.out)
	}
	large := strings.Repeat("0123456789abcdef", 1<<19)
	if got := run(t, "--output-limit", "64MiB", "--stdin", file(t, "in", large), program); got.out != large {
		t.Errorf("8 MiB: %d bytes came back, exit code %d, %s", len(got.out), got.code, got.errors)
	}
}

// A program that does not read its input must not keep assay waiting for it.
func TestUnreadStdinDoesNotHold(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if got := finish(t, assay(t, "run", file(t, "a.sh", "echo done")), r); got.out != "done\n" || got.code != 0 {
		t.Errorf("%+v", got)
	}
}

// The streams are live: the answer to the first line comes before the second is sent.
func TestStreamsAreLive(t *testing.T) {
	t.Parallel()
	cmd := assay(t, "run", file(t, "a.sh", `while read -r line; do echo "<$line>"; done; echo end >&2; exit 3`))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	for _, word := range []string{"one", "two"} {
		if _, err := io.WriteString(stdin, word+"\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := lines.ReadString('\n'); err != nil || line != "<"+word+">\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	stdin.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.HasPrefix(errs.String(), "end\n") {
		t.Errorf("exit code %d, stderr %q", code, errs.String())
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nowhere.yaml"), []byte(`id: nowhere
name: Nowhere
extensions: [.nowhere]
source: {name: main.nowhere}
requires: {tool: [/usr/bin/there-is-no-such-tool]}
run: {args: ["{tool}", "{source}"]}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	py := file(t, "a.py", "print(1)")
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"unknown language":     {[]string{"--language", "klingon", py}, "language klingon is not available: "},
		"unavailable language": {[]string{"--languages-dir", dir, "--language", "nowhere", py}, "language nowhere is not available: "},
		"unavailable by name":  {[]string{"--languages-dir", dir, file(t, "a.nowhere", "")}, "language nowhere is not available: "},
		"unknown version":      {[]string{"--language", "python@1.5", py}, "language python@1.5 is not available: "},
		"unknown option":       {[]string{"--option", "speed=fast", file(t, "a.c", helloC)}, "speed"},
		"option value":         {[]string{"--option", "optimization=O9", file(t, "a.c", helloC)}, "optimization"},
		"limit":                {[]string{"--memory-limit", "-1", py}, "--memory-limit"},
		"extension":            {[]string{file(t, "a.xyz", "")}, "--language"},
		"no file":              {[]string{"/nonexistent.py"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := run(t, tt.args...); got.code != 2 || !strings.Contains(got.errors, tt.want) || got.out != "" {
				t.Errorf("%+v, want %q", got, tt.want)
			}
		})
	}
}

func TestCompilerPathIsASetting(t *testing.T) {
	t.Parallel()
	wrapper := filepath.Join(t.TempDir(), "cc")
	got := run(t, "--compilers", "c="+wrapper, file(t, "a.c", helloC))
	if got.code != 2 || !strings.Contains(got.errors, wrapper) {
		t.Errorf("a compiler that does not exist: %+v", got)
	}
	if got := run(t, "--compilers", "c=/usr/bin/gcc", file(t, "a.c", helloC)); got.code != 0 || got.out != "hello\n" {
		t.Errorf("%+v", got)
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	got := run(t, "--stats", file(t, "a.sh", "echo x"))
	if got.code != 0 || got.out != "x\n" || !strings.Contains(got.errors, "assay: ok · CPU ") {
		t.Errorf("%+v", got)
	}
}

func TestLanguagesAndDoctorAndVersion(t *testing.T) {
	t.Parallel()
	got := finish(t, assay(t, "languages"), nil)
	if got.code != 0 || !strings.Contains(got.out, "\npython ") {
		t.Errorf("languages: %+v", got)
	}
	if got := finish(t, assay(t, "doctor"), nil); got.code != 0 || !strings.Contains(got.out, "probe") {
		t.Errorf("doctor: %+v", got)
	}
	if got := finish(t, assay(t, "version"), nil); got.code != 0 || !strings.HasPrefix(got.out, "assay ") {
		t.Errorf("version: %+v", got)
	}
}
