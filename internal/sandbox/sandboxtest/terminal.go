package sandboxtest

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"assay/internal/sandbox"
)

// terminalTests: a program on a terminal of its own.
func terminalTests() []test {
	return []test{
		{"look", terminalLook},
		{"resize", terminalResize},
		{"interrupt", terminalInterrupt},
		{"interrupt_kills", terminalInterruptKills},
		{"echo", terminalEcho},
		{"output_limit", terminalLimit},
		{"no_terminal", noTerminal},
		{"end_of_input", terminalEnd},
	}
}

func (b *bench) onTerminal(name string, args ...string) sandbox.Command {
	c := b.program(name, args...)
	c.Terminal = &sandbox.WindowSize{Rows: 33, Columns: 77}
	return c
}

func terminalLook(t *testing.T, b *bench) {
	r := b.run(t, b.onTerminal("terminal", "look"))
	r.ok(t)
	if want := "isatty 1 1 1\r\nsession 1 foreground 1\r\ntty 1\r\nsize 33 77\r\n"; r.stdout != want {
		t.Errorf("got %q, want %q", r.stdout, want)
	}
}

func terminalResize(t *testing.T, b *bench) {
	out := newLines()
	c := b.onTerminal("terminal", "resize")
	c.Stdout = out
	h := b.start(t, c)
	out.expect(t, h, "ready")
	if err := h.Resize(sandbox.WindowSize{Rows: 5, Columns: 6}); err != nil {
		t.Fatal(err)
	}
	out.expect(t, h, "signal 28")
	out.expect(t, h, "size 5 6")
	wait(t, h)
	if err := h.Resize(sandbox.WindowSize{Rows: 5, Columns: 6}); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

// typed starts a program on a terminal, waits for "ready" and types.
func (b *bench) typed(t *testing.T, c sandbox.Command, keys string) (sandbox.Handle, *lines) {
	t.Helper()
	reader, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	out := newLines()
	c.Stdin, c.Stdout = reader, out
	h := b.start(t, c)
	out.expect(t, h, "ready")
	if _, err := io.WriteString(writer, keys); err != nil {
		t.Fatal(err)
	}
	return h, out
}

func terminalInterrupt(t *testing.T, b *bench) {
	h, out := b.typed(t, b.onTerminal("terminal", "interrupt"), "\x03")
	out.expect(t, h, "^Csignal 2")
	if rep := wait(t, h); rep.ExitCode != 0 || rep.Signal != "" {
		t.Errorf("%+v", rep)
	}
}

func terminalInterruptKills(t *testing.T, b *bench) {
	h, _ := b.typed(t, b.onTerminal("basic", "say-and-wait"), "\x03")
	if rep := wait(t, h); rep.Signal != "SIGINT" || rep.WallExceeded {
		t.Errorf("%+v", rep)
	}
}

func terminalEcho(t *testing.T, b *bench) {
	h, out := b.typed(t, b.onTerminal("terminal", "echo"), "hello\r")
	out.expect(t, h, "hello")
	out.expect(t, h, "line hello")
	wait(t, h)
}

func terminalLimit(t *testing.T, b *bench) {
	c := b.onTerminal("basic", "write", "1", "-1")
	c.Limits.Output = 5000
	r := b.run(t, c)
	if !r.OutputExceeded || !r.StdoutTruncated || r.stdout != strings.Repeat("x", 5000) {
		t.Errorf("%+v, %d bytes", r.Report, len(r.stdout))
	}
}

func noTerminal(t *testing.T, b *bench) {
	c := b.program("terminal", "look")
	var out bytes.Buffer
	c.Stdout = &out
	h := b.start(t, c)
	if err := h.Resize(sandbox.WindowSize{Rows: 1, Columns: 1}); err == nil {
		t.Error("a run without a terminal was resized")
	}
	wait(t, h)
	if !strings.HasPrefix(out.String(), "isatty 0 0 0\n") || !strings.Contains(out.String(), "tty 0\n") {
		t.Errorf("got %q", out.String())
	}
}

func terminalEnd(t *testing.T, b *bench) {
	c := script("echo ready; cat; echo end")
	c.Terminal = &sandbox.WindowSize{Rows: 24, Columns: 80}
	h, out := b.typed(t, c, "\x04")
	out.expect(t, h, "end")
	if rep := wait(t, h); rep.ExitCode != 0 {
		t.Errorf("%+v", rep)
	}
}
