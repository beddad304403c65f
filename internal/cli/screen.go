package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"assay/internal/engine"
	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// errReaderGone is the cause of a cancelled run whose output nobody reads any more.
var errReaderGone = errors.New("the reader of the output is gone")

const (
	spinnerPace = 100 * time.Millisecond
	// statsPace is for a terminal, where the line is drawn anew; logPace for a file, where it is repeated.
	statsPace = 200 * time.Millisecond
	logPace   = time.Second
)

// screen shares the terminal between the program's streams, which pass through live, and the status line on stderr.
type screen struct {
	out, err io.Writer
	terminal bool // stderr is one
	mixed    bool // stdout is one too: both show on the same lines
	stats    bool
	paint    paint
	cancel   context.CancelCauseFunc

	mu     sync.Mutex
	drawn  bool          // a status line stands where the cursor is
	inLine bool          // the program's last output on the terminal did not end its line
	quit   chan struct{} // ends the status line that is being drawn; nil without one
	done   chan struct{}
}

func newScreen(p Process, stats bool, cancel context.CancelCauseFunc) *screen {
	return &screen{
		out: p.Stdout, err: p.Stderr, stats: stats, cancel: cancel, paint: paintFor(p.Stderr, p.Environ),
		terminal: isTerminal(p.Stderr), mixed: isTerminal(p.Stdout),
	}
}

// stream is one of the program's streams.
type stream struct {
	s     *screen
	to    io.Writer
	shown bool // its text appears among the status lines
}

func (s *screen) stdout() io.Writer {
	return stream{s, s.out, s.mixed}
}
func (s *screen) stderr() io.Writer { return stream{s, s.err, true} }

// Write passes output on. A reader that went away ends the run.
func (w stream) Write(p []byte) (int, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.shown {
		w.s.erase()
	}
	n, err := w.to.Write(p)
	if w.shown && n > 0 {
		w.s.inLine = p[n-1] != '\n'
	}
	if err != nil {
		w.s.cancel(errReaderGone)
	}
	return n, err
}

// progress follows the steps of a request. It does not block.
func (s *screen) progress(e engine.Event) {
	switch e.Kind {
	case engine.CompileStarted:
		if s.terminal {
			s.start(spinnerPace, spinner())
		}
	case engine.CompileFinished:
		s.stop()
	case engine.RunStarted:
		if s.stats && e.Handle != nil {
			pace := logPace
			if s.terminal {
				pace = statsPace
			}
			s.start(pace, usageLine(e.Handle))
		}
	}
}

func spinner() func() string {
	started, i := time.Now(), 0
	return func() string {
		i++
		return fmt.Sprintf("%c compiling %.1f s", `|/-\`[i%4], time.Since(started).Seconds())
	}
}

func usageLine(h sandbox.Handle) func() string {
	return func() string {
		u, err := h.Usage()
		if err != nil {
			return ""
		}
		return fmt.Sprintf("running · CPU %s · memory %s", milliseconds(float64(u.CPUTime)/1e6), memoryWords(u.Memory))
	}
}

// start draws line again and again until stop.
func (s *screen) start(pace time.Duration, line func() string) {
	s.stop()
	quit, done := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.quit, s.done = quit, done
	s.mu.Unlock()
	go func() {
		defer close(done)
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				if text := line(); text != "" {
					s.draw(text)
				}
			}
		}
	}()
}

// stop ends the status line. Without one it does nothing.
func (s *screen) stop() {
	s.mu.Lock()
	quit, done := s.quit, s.done
	s.quit = nil
	s.mu.Unlock()
	if quit == nil {
		return
	}
	close(quit)
	<-done
	s.mu.Lock()
	s.erase()
	s.mu.Unlock()
}

func (s *screen) draw(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.terminal:
		s.freshLine()
		fmt.Fprintln(s.err, text)
	case !s.inLine: // never over a line that the program has begun
		fmt.Fprintf(s.err, "\r\x1b[K%s", text)
		s.drawn = true
	}
}

// erase removes the status line; the caller holds mu.
func (s *screen) erase() {
	if s.drawn {
		fmt.Fprint(s.err, "\r\x1b[K")
		s.drawn = false
	}
}

// freshLine ends a line that the program left open; the caller holds mu.
func (s *screen) freshLine() {
	if s.inLine {
		fmt.Fprintln(s.err)
		s.inLine = false
	}
}

// compileMessages prints why the program was not compiled. Warnings of one that was are left out: stderr is then the
// program's own.
func (s *screen) compileMessages(c *engine.Compile) {
	if c == nil || c.Status == verdict.OK {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range []string{c.Stdout, c.Stderr} {
		if text == "" {
			continue
		}
		s.freshLine()
		fmt.Fprint(s.err, text)
		s.inLine = !strings.HasSuffix(text, "\n")
	}
}

// summary prints what became of the program, on one line.
func (s *screen) summary(r *engine.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freshLine()
	text := statusWords(r)
	if r.Status == verdict.OK {
		text = s.paint.green(text)
	} else {
		text = s.paint.red(text)
	}
	if r.Status == verdict.CompileError {
		if c := r.Compile; c != nil {
			text += fmt.Sprintf(" · CPU %s", milliseconds(c.CPUTimeMS))
		}
	} else {
		text += fmt.Sprintf(" · CPU %s · wall %s · memory %s", milliseconds(r.CPUTimeMS), milliseconds(r.WallTimeMS), memoryWords(r.MemoryBytes))
	}
	if r.Truncated {
		text += " · output cut off at the limit"
	}
	fmt.Fprintf(s.err, "assay: %s\n", text)
}

// statusWords says what became of the program; the engine's message says which limit, code or signal it was.
func statusWords(r *engine.Result) string {
	words := map[verdict.Status]string{
		verdict.OK:                  "ok",
		verdict.CompileError:        "compile error",
		verdict.RuntimeError:        "runtime error",
		verdict.TimeLimitExceeded:   "time limit exceeded",
		verdict.MemoryLimitExceeded: "memory limit exceeded",
		verdict.OutputLimitExceeded: "output limit exceeded",
		verdict.InternalError:       "internal error",
	}[r.Status]
	message := oneLine(r.Message)
	switch {
	case message == "":
		return words
	case strings.Contains(message, "limit of"): // the message says it all
		return message
	default:
		return words + ": " + message
	}
}

// milliseconds writes a time: ms below one second, s from there on.
func milliseconds(ms float64) string {
	if ms < 1000 {
		return fmt.Sprintf("%.2f ms", ms)
	}
	return fmt.Sprintf("%.2f s", ms/1000)
}

// memoryWords writes an amount of memory.
func memoryWords(n int64) string {
	switch {
	case n >= sandbox.GiB:
		return fmt.Sprintf("%.2f GiB", float64(n)/float64(sandbox.GiB))
	case n >= sandbox.MiB:
		return fmt.Sprintf("%.1f MiB", float64(n)/float64(sandbox.MiB))
	default:
		return fmt.Sprintf("%.0f KiB", float64(n)/float64(sandbox.KiB))
	}
}
