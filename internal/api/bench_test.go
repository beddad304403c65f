package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"assay/internal/engine"
)

// sink is a http.ResponseWriter that costs nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

var benchBodies = []struct{ name, body string }{
	{"small", hello},
	{"64KiB", `{"language":"c","source":"` + strings.Repeat(`int x;\n`, 64<<10/8) + `","stdin":"1 2\n","limits":{"cpu_time_ms":1000}}`},
	{"1MiBbase64", `{"language":"exe","files":[{"content_base64":"` + strings.Repeat("AAAA", 1<<18) + `"}]}`},
}

func benchmark(b *testing.B, h http.Handler, body string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://127.0.0.1/v1/run", bytes.NewReader([]byte(body)))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		w := &sink{header: make(http.Header)}
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}

// small is a runner that answers at once.
func small(context.Context, engine.Request) (engine.Result, error) {
	return engine.Result{Status: "ok", Stdout: "1\n"}, nil
}

// BenchmarkRun is everything that assay adds to net/http around one run, with a runner that does nothing.
func BenchmarkRun(b *testing.B) {
	o := Options{Runner: runnerFunc(small), Languages: languageList{}, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
	h, err := newHandler(o, newMetrics(o), newPolicy("127.0.0.1:80", o))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range benchBodies {
		b.Run(c.name, func(b *testing.B) { benchmark(b, h, c.body) })
	}
}

// BenchmarkHuma is the same call through huma's own decoding and validation, without any of our checks around it: what
// docs/decisions/0003-http.md compares with.
func BenchmarkHuma(b *testing.B) {
	mux := http.NewServeMux()
	documented := humago.New(mux, documentConfig("bench"))
	type input struct{ Body runRequest }
	type output struct{ Body engine.Result }
	huma.Register(documented, huma.Operation{OperationID: "run", Method: http.MethodPost, Path: "/v1/run", MaxBodyBytes: 32 << 20},
		func(ctx context.Context, in *input) (*output, error) {
			result, err := small(ctx, engine.Request{Language: in.Body.Language, Files: []engine.SourceFile{{Content: []byte(in.Body.Source)}}})
			return &output{Body: result}, err
		})
	for _, c := range benchBodies {
		b.Run(c.name, func(b *testing.B) { benchmark(b, mux, c.body) })
	}
}

// BenchmarkDecode is the strict decoder alone; BenchmarkDecodeStruct is encoding/json into a struct, for comparison.
func BenchmarkDecode(b *testing.B) {
	for _, c := range benchBodies {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeRun([]byte(c.body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeStruct(b *testing.B) {
	for _, c := range benchBodies {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var v runRequest
				if err := json.Unmarshal([]byte(c.body), &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
