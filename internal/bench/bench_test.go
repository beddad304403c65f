package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestSummaries(t *testing.T) {
	t.Parallel()
	var times []time.Duration
	for i := 200; i > 0; i-- {
		times = append(times, time.Duration(i)*time.Microsecond)
	}
	if got, want := Summarize(times), (Times{200, 1, 100, 198}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if times[0] != 200*time.Microsecond {
		t.Error("the caller's slice was sorted")
	}
	if got, want := SummarizeReadings([]time.Duration{2 * time.Millisecond, 4 * time.Millisecond}), (Readings{2, 2, 4, 3, 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if Summarize(nil) != (Times{}) || SummarizeReadings(nil) != (Readings{}) {
		t.Error("nothing was measured, and there is a figure")
	}
	if got := SummarizeReadings([]time.Duration{0, 1}); got.Spread != 0 {
		t.Errorf("spread of readings with zero: %v", got.Spread)
	}
}

func TestRepeat(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	times, _, err := Repeat(t.Context(), 10, 3, func(context.Context) error { calls.Add(1); return nil })
	if err != nil || len(times) != 10 || calls.Load() != 10 {
		t.Errorf("%d calls, %d times, %v", calls.Load(), len(times), err)
	}
	broken := errors.New("broken")
	calls.Store(0)
	_, _, err = Repeat(t.Context(), 1000, 1, func(context.Context) error {
		if calls.Add(1) == 5 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || calls.Load() != 5 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err = Repeat(ctx, 1000, 2, func(ctx context.Context) error { cancel(); return ctx.Err() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who gives up: %v", err)
	}
}

// answering is a server that checks the request and gives one answer.
func answering(t *testing.T, program []byte, status int, text string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Language string
			Files    []struct {
				Content string `json:"content_base64"`
			}
		}
		data, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(data, &body); err != nil || body.Language != "exe" || len(body.Files) != 1 ||
			body.Files[0].Content != base64.StdEncoding.EncodeToString(program) || r.URL.Path != "/v1/run" {
			t.Errorf("%s %s: %v", r.URL, data, err)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		answer string
		want   string
	}{
		{"ok", 200, `{"status":"ok"}`, ""},
		{"a program that fails", 200, `{"status":"runtime_error"}`, "runtime_error"},
		{"no slot", 503, `{"code":"busy"}`, "503"},
		{"no JSON", 200, `<html>`, "<html>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			program := []byte("\x7fELF\x00\xff")
			client, err := NewHTTP(answering(t, program, tt.status, tt.answer).URL, program, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			err = client.Run(t.Context())
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	program := []byte("\x7fELF tiny")
	target := Target{
		Library: func(context.Context, []byte) (Reading, error) {
			return Reading{CPUTime: 200 * time.Millisecond, Memory: TouchBytes + TouchBytes/100}, nil
		},
		Server:  answering(t, program, 200, `{"status":"ok"}`).URL,
		Command: []string{"/bin/true"},
		Slots:   2,
	}
	var steps []string
	r, err := Measure(t.Context(), target, Options{Runs: 2, Program: program, Progress: func(s string) { steps = append(steps, s) }})
	if err != nil {
		t.Fatal(err)
	}
	if r.Callers != 4 || r.Slots != 2 || r.Library.Latency.Count != 2 || r.HTTP.Latency.Count != 2 || r.Command.Count != 2 || r.Library.PerSec <= 0 || r.HTTP.PerSec <= 0 || len(steps) != 4 {
		t.Errorf("%+v, steps %q", r, steps)
	}
	if c := r.CPUTime; c.Sandbox.Spread != 1 || c.Sandbox.MeanMS != 200 || c.Bare.Count != 2 || c.Bare.MeanMS <= 0 {
		t.Errorf("CPU time: %+v", c)
	}
	if m := r.Memory; m.TouchedBytes != TouchBytes || m.Deviation < 0.0099 || m.Deviation > 0.0101 {
		t.Errorf("memory: %+v", m)
	}

	broken := errors.New("broken")
	target.Library = func(context.Context, []byte) (Reading, error) { return Reading{}, broken }
	if _, err := Measure(t.Context(), target, Options{Runs: 2}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "library") {
		t.Errorf("a library that fails: %v", err)
	}
}

func TestMeasureCommandShowsWhatItSaid(t *testing.T) {
	t.Parallel()
	_, err := measureCommand(t.Context(), []string{"/bin/ls", "--", "/nonexistent"}, []byte("x"), 1)
	if err == nil || !strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("%v", err)
	}
	if _, err := measureCommand(t.Context(), []string{"/nonexistent/assay"}, []byte("x"), 1); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Errorf("%v", err)
	}
}
