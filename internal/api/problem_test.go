package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"assay/internal/engine"
	"assay/internal/fault"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		code   string
		retry  string
	}{
		{"invalid", fault.Invalidf("limits.processes", "give 1 to 9", "is out of range"), 422, "invalid", ""},
		{"too large", &fault.Error{Code: fault.TooLarge, Field: "source", Message: "is too large"}, 413, "too_large", ""},
		{"not found", &fault.Error{Code: fault.NotFound, Message: "there is no such language"}, 404, "not_found", ""},
		{"unavailable", &fault.Error{Code: fault.Unavailable, Message: "no compiler"}, 422, "unavailable", ""},
		{"busy", &fault.Error{Code: fault.Busy, Message: "the line is full"}, 503, "busy", "1"},
		{"stopping", stopping(), 503, "stopping", "5"},
		{"degraded", &fault.Error{Code: fault.Degraded, Message: "a probe failed"}, 503, "degraded", ""},
		{"cancelled", &fault.Error{Code: fault.Cancelled, Message: "gone"}, 499, "cancelled", ""},
		{"bare cancel", context.Canceled, 499, "cancelled", ""},
		{"internal", fault.Internalf(errors.New("open /secret"), "mount /secret"), 500, "internal", ""},
		{"bare", errors.New("open /secret"), 500, "internal", ""},
		{"wrapped", fmt.Errorf("run: %w", &fault.Error{Code: fault.Busy, Message: "the line is full"}), 503, "busy", "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Runner: runnerFunc(func(context.Context, engine.Request) (engine.Result, error) {
				return engine.Result{}, tt.err
			})})
			r := s.run(`{"language":"c","source":"x"}`)
			p := r.problem(t)
			if r.status != tt.status || p.Code != tt.code || r.header.Get("Retry-After") != tt.retry {
				t.Errorf("%d %s Retry-After %q, want %d %s %q", r.status, p.Code, r.header.Get("Retry-After"), tt.status, tt.code, tt.retry)
			}
			if strings.Contains(r.body, "/secret") {
				t.Errorf("the answer tells a path of the host: %s", r.body)
			}
			if tt.name == "invalid" && (p.Field != "limits.processes" || p.Hint != "give 1 to 9" || p.Detail != "limits.processes: is out of range") {
				t.Errorf("%+v", p)
			}
		})
	}
}
