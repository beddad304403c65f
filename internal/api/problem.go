package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"assay/internal/fault"
)

// Problem is the body of every error (RFC 9457, application/problem+json).
type Problem struct {
	Type      string `json:"type" doc:"Always about:blank; switch on code." example:"about:blank"`
	Title     string `json:"title" doc:"The status in words." example:"Unprocessable Entity"`
	Status    int    `json:"status" doc:"The HTTP status." example:"422"`
	Detail    string `json:"detail" doc:"What is wrong, for people." example:"limits.cpu_time_ms: must be a number"`
	Code      string `json:"code" doc:"What is wrong, for programs; stable." example:"invalid" enum:"invalid,malformed,too_large,not_found,unavailable,busy,stopping,degraded,cancelled,internal,unauthorized,forbidden,misdirected,method_not_allowed,unsupported_media_type,timeout"`
	Field     string `json:"field,omitempty" doc:"The part of the request that is wrong." example:"limits.cpu_time_ms"`
	Hint      string `json:"hint,omitempty" doc:"What to do about it." example:"give a whole number of milliseconds"`
	RequestID string `json:"request_id" doc:"Also in the X-Request-Id header and in the server's log." example:"4JQ2TZ5KQ3W7L6XAHB2VYN5E7M"`
}

// statusClientGone is what the log shows for a caller who left; nobody reads the answer.
const statusClientGone = 499

// What Retry-After says, in seconds: a slot is free again soon; a process that stops is replaced within some seconds.
const (
	retryBusy     = 1
	retryStopping = 5
)

// refusal is an error of HTTP itself, for which the engine has no fault.
type refusal struct {
	status                     int
	code, field, message, hint string
	header, value              string // one more header
}

func (e *refusal) Error() string { return e.message }

func unauthorized(message string) error {
	return &refusal{
		status: http.StatusUnauthorized, code: "unauthorized", message: message,
		hint: "send Authorization: Bearer TOKEN", header: "WWW-Authenticate", value: "Bearer",
	}
}

func malformed(message, hint string) error {
	return &refusal{status: http.StatusBadRequest, code: "malformed", message: message, hint: hint}
}

// problemOf maps an error to its answer; retryAfter is 0 when no time can be named. It is the only place where a fault
// meets an HTTP status.
func problemOf(ctx context.Context, err error) (p Problem, retryAfter int) {
	var r *refusal
	if errors.As(err, &r) {
		return Problem{Status: r.status, Code: r.code, Field: r.field, Detail: r.message, Hint: r.hint}, 0
	}
	f := faultOf(ctx, err)
	p = Problem{Code: string(f.Code), Field: f.Field, Detail: f.Message, Hint: f.Hint}
	if f.Field != "" {
		p.Detail = f.Field + ": " + f.Message
	}
	switch f.Code {
	case fault.Invalid, fault.Unavailable:
		p.Status = http.StatusUnprocessableEntity
	case fault.TooLarge:
		p.Status = http.StatusRequestEntityTooLarge
	case fault.NotFound:
		p.Status = http.StatusNotFound
	case fault.Busy:
		p.Status, retryAfter = http.StatusServiceUnavailable, retryBusy
	case fault.Stopping:
		p.Status, retryAfter = http.StatusServiceUnavailable, retryStopping
	case fault.Degraded:
		p.Status = http.StatusServiceUnavailable
	case fault.Cancelled:
		p.Status = statusClientGone
	default:
		// The text of a failure of ours may hold paths of the host: it goes to the log only.
		p.Status, p.Code, p.Field = http.StatusInternalServerError, string(fault.Internal), ""
		p.Detail = "assay failed; the program is not to blame"
		p.Hint = "look for the request id in the server's log"
		if f.Retry {
			p.Hint = "try again; look for the request id in the server's log if it stays"
		}
	}
	return p, retryAfter
}

// faultOf finds the fault in err, or makes one of a bare context error.
func faultOf(ctx context.Context, err error) *fault.Error {
	var f *fault.Error
	if !errors.As(err, &f) {
		f = &fault.Error{Code: fault.Internal, Err: err}
		if errors.Is(err, context.Canceled) {
			f = &fault.Error{Code: fault.Cancelled, Message: "the caller went away"}
		}
	}
	if f.Code == fault.Cancelled {
		// A stop of the server cancels runs too, and says so as the cause.
		var cause *fault.Error
		if errors.As(context.Cause(ctx), &cause) {
			return cause
		}
	}
	return f
}

// fail answers with the problem for err and logs what an operator should see.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, retryAfter := problemOf(r.Context(), err)
	id := w.Header().Get("X-Request-Id")
	if p.Status >= http.StatusInternalServerError {
		level := slog.LevelWarn
		if p.Code == string(fault.Internal) {
			level = slog.LevelError
		}
		h.log.Log(r.Context(), level, "request failed", "request_id", id, "code", p.Code, "path", r.URL.Path, "error", err)
	}
	h.metrics.faults.WithLabelValues(p.Code).Inc()
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	var x *refusal
	if errors.As(err, &x) && x.header != "" {
		w.Header().Set(x.header, x.value)
	}
	if p.Status != http.StatusRequestTimeout && p.Status != statusClientGone {
		h.discardBody(w, r)
	}
	writeProblem(w, p)
}

// writeProblem sends p. It fills the members that follow from the others.
func writeProblem(w http.ResponseWriter, p Problem) {
	p.Type, p.Title, p.RequestID = "about:blank", http.StatusText(p.Status), w.Header().Get("X-Request-Id")
	if p.Status == statusClientGone {
		p.Title = "Client Closed Request"
	}
	body, err := json.Marshal(p)
	if err != nil { // a struct of strings and a number always marshals
		http.Error(w, p.Detail, p.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n'))
}
