package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"assay/internal/fault"
)

// run answers POST /v1/run: decode, run, encode. It is a plain handler because its overhead is measured; see
// docs/decisions/0003-http.md.
func (h *handler) run(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		h.fail(w, r, stopping())
		return
	}
	if err := checkContentType(r.Header); err != nil {
		h.fail(w, r, err)
		return
	}
	body, release, err := h.readBody(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	defer release()
	req, err := decodeRun(body)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	result, err := h.o.Runner.Run(r.Context(), req)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.metrics.ran(req.Language, result.Status)

	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // the answer is never HTML, and programs print a lot of <, > and &
	if err := encoder.Encode(result); err != nil {
		h.fail(w, r, fault.Internalf(err, "write the result as JSON"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
	_, _ = w.Write(out.Bytes()) // an error means that the client went away
}

// checkContentType wants application/json in so many words: a form of another site's page cannot send that.
func checkContentType(header http.Header) error {
	unsupported := func(message string) error {
		return &refusal{
			status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", field: "Content-Type", message: message,
			hint: "send Content-Type: application/json",
		}
	}
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return unsupported("the body is compressed, which is not supported")
	}
	given := header.Get("Content-Type")
	if given == "application/json" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(given)
	switch charset := params["charset"]; {
	case given == "":
		return unsupported("the Content-Type is missing")
	case err != nil || kind != "application/json":
		return unsupported("the Content-Type is " + clip(given))
	case charset != "" && !strings.EqualFold(charset, "utf-8"):
		return unsupported("the charset is " + clip(charset) + "; JSON is UTF-8")
	}
	return nil
}

// Small bodies are simply read. The large ones of all requests together are bounded, so that many callers with slow or
// waiting requests cannot fill the memory.
const (
	smallBody   = 1 << 20
	bodyFactor  = 16 // so many bodies of the largest size at once
	firstBuffer = 4 << 20
)

// readBody reads the body within the limits of size and time. release must be called once body, and all that shares its
// memory, is no longer needed.
func (h *handler) readBody(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	most := h.o.MaxBody
	if r.ContentLength > most {
		return nil, nil, bodyTooLarge(most)
	}
	uncount, err := h.reserve(r.ContentLength)
	if err != nil {
		return nil, nil, err
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // the last answer's; "100 Continue" is written now
	_ = control.SetReadDeadline(time.Now().Add(h.o.BodyTimeout))
	buffer, ok := h.buffers.Get().(*bytes.Buffer)
	if !ok {
		buffer = new(bytes.Buffer)
	}
	buffer.Reset()
	if r.ContentLength > 0 {
		buffer.Grow(int(min(r.ContentLength, firstBuffer)) + bytes.MinRead)
	}
	_, err = buffer.ReadFrom(http.MaxBytesReader(w, r.Body, most))
	if err == nil {
		// From here on net/http watches the connection: when the client goes away, the context ends.
		_ = control.SetReadDeadline(time.Time{})
		r.Body = http.NoBody
		return buffer.Bytes(), func() { uncount(); h.reuse(r, buffer) }, nil
	}
	uncount()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, nil, bodyTooLarge(most)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, &refusal{
			status: http.StatusRequestTimeout, code: "timeout", header: "Connection", value: "close",
			message: fmt.Sprintf("the body did not arrive within %s", h.o.BodyTimeout), hint: "send it faster, or less of it",
		}
	case errors.Is(err, io.ErrUnexpectedEOF), r.Context().Err() != nil:
		return nil, nil, &fault.Error{Code: fault.Cancelled, Message: "the body ended too early", Err: err}
	default:
		return nil, nil, malformed("the body cannot be read: "+clip(err.Error()), "check Content-Length and Transfer-Encoding")
	}
}

// keepBuffer is the largest buffer that waits for another body.
const keepBuffer = 8 << 20

// reuse keeps a buffer for the next request. Not that of a request which was given up: what worked on it may still be at it,
// when others wait for the same compile.
func (h *handler) reuse(r *http.Request, buffer *bytes.Buffer) {
	if r.Context().Err() == nil && buffer.Cap() <= keepBuffer {
		h.buffers.Put(buffer)
	}
}

// reserve counts a large body; length is -1 when it is not known.
func (h *handler) reserve(length int64) (release func(), err error) {
	if length < 0 {
		length = h.o.MaxBody
	}
	if length <= smallBody {
		return func() {}, nil
	}
	if h.bodies.Add(length) > bodyFactor*h.o.MaxBody {
		h.bodies.Add(-length)
		return nil, &fault.Error{Code: fault.Busy, Message: "too many large requests at once", Hint: "try again soon", Retry: true}
	}
	return func() { h.bodies.Add(-length) }, nil
}

// Bounds of discardBody.
const (
	discardMost = 64 << 20
	discardTime = 10 * time.Second
)

// discardBody reads what is left of a refused body, within bounds. Many clients send everything before they read anything: when the
// connection is closed on them half-way, they see a broken connection instead of the answer.
func (h *handler) discardBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength > discardMost || r.Header.Get("Expect") != "" {
		return // a client that expects "100 Continue" waits for the answer
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(min(h.o.BodyTimeout, discardTime)))
	_, _ = io.CopyN(io.Discard, r.Body, discardMost)
	_ = control.SetReadDeadline(time.Time{})
}

func bodyTooLarge(most int64) error {
	return &fault.Error{
		Code: fault.TooLarge, Field: "body", Message: fmt.Sprintf("is over the limit of %d bytes", most),
		Hint: "send less, or raise the server's limit",
	}
}
