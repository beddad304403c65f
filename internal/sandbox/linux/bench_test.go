package linux

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"assay/internal/sandbox"
)

// tinyProgram compiles a static program that exits at once, without a C library.
func tinyProgram(tb testing.TB) []byte {
	tb.Helper()
	dir := tb.TempDir()
	src, bin := filepath.Join(dir, "tiny.c"), filepath.Join(dir, "tiny")
	code := `void _start(void){__asm__ volatile("mov $60,%eax; xor %edi,%edi; syscall");}`
	if err := os.WriteFile(src, []byte(code), 0o600); err != nil {
		tb.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-O1", "-static", "-nostdlib", "-o", bin, src).CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(bin)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o711); err != nil {
			b.Fatal(err)
		}
	}
	d, err := Open(b.Context(), options(dir, 1))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	tiny := tinyProgram(b)
	var out, errs bytes.Buffer
	c := sandbox.Command{
		Args: []string{"./tiny"}, Env: []string{"PATH=/usr/bin:/bin"}, Files: []sandbox.File{{Name: "tiny", Mode: 0o755, Data: tiny}},
		Limits: smallLimits(), Stdout: &out, Stderr: &errs,
	}
	b.ReportAllocs()
	for b.Loop() {
		h, err := d.Start(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		if rep, err := h.Wait(); err != nil || rep.ExitCode != 0 || rep.Signal != "" {
			b.Fatal(rep, err)
		}
	}
}
