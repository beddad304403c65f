package api

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// ServeHTTP is what every request passes: an id, headers, the checks of Host and origin, then the route; at the end a
// panic becomes an answer, and log and metrics are written.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	rec := &recorder{ResponseWriter: w, control: http.NewResponseController(w), timeout: h.o.WriteTimeout}
	header := w.Header()
	header.Set("X-Request-Id", requestID(r.Header.Get("X-Request-Id")))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")

	h.metrics.inFlight.Inc()
	defer h.finish(rec, r, start)

	switch {
	case !h.policy.hostAllowed(r.Host):
		h.fail(rec, r, &refusal{
			status: http.StatusMisdirectedRequest, code: "misdirected", field: "Host",
			message: "this server does not answer to the host " + clip(r.Host),
			hint:    "use the address it listens on, or add the name to its configured hosts",
		})
	case isWrite(r.Method) && crossSite(r):
		h.fail(rec, r, &refusal{
			status: http.StatusForbidden, code: "forbidden", field: "Origin",
			message: "a page of another site must not call this",
			hint:    "call it from its own page, or from a program that is not a browser",
		})
	default:
		h.mux.ServeHTTP(rec, r)
	}
}

func isWrite(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// finish is deferred by ServeHTTP.
func (h *handler) finish(rec *recorder, r *http.Request, start time.Time) {
	h.metrics.inFlight.Dec()
	id := rec.Header().Get("X-Request-Id")
	if cause := recover(); cause != nil {
		if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it in the same way
			panic(cause)
		}
		h.log.Error("panic in a request", "request_id", id, "path", r.URL.Path, "panic", cause, "stack", string(debug.Stack()))
		if rec.status != 0 {
			panic(http.ErrAbortHandler) // half an answer is out: only closing the connection tells the client
		}
		writeProblem(rec, Problem{
			Status: http.StatusInternalServerError, Code: "internal",
			Detail: "assay failed; the program is not to blame", Hint: "look for the request id in the server's log",
		})
	}
	took := time.Since(start)
	h.metrics.observe(r.Pattern, rec.status, took)
	if h.log.Enabled(r.Context(), slog.LevelDebug) {
		h.log.Debug("request", "request_id", id, "method", r.Method, "path", r.URL.Path, "status", rec.status,
			"bytes", rec.bytes, "duration", took, "remote", r.RemoteAddr)
	}
}

// requestID takes the caller's id when it is safe to log and to send back, and else makes one.
func requestID(given string) string {
	if given == "" || len(given) > 64 {
		return rand.Text()
	}
	for _, c := range []byte(given) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return rand.Text()
		}
	}
	return given
}

// recorder remembers status and size, and bounds the time of writing from the answer's first byte on: the run before it
// may take hours, so a timeout of the whole request would not do.
type recorder struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	status  int
	bytes   int64
}

// WriteHeader notes the status and starts the clock. A writer without deadlines (in tests) goes without.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
		_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts what was sent.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController through.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
