// Package fault holds the one error type of assay. A fault is always ours or the caller's: what the
// untrusted program did is a status (package verdict), never a fault.
//
// Every layer returns faults for conditions that somebody above acts on: the command line picks an exit code
// from the Code, the HTTP layer a status, a worker decides by Retry whether to try elsewhere.
package fault

import (
	"errors"
	"fmt"
)

// Code is the condition that a caller can switch on. The texts are stable: clients see them.
type Code string

// The conditions. Each is mapped to an HTTP status in internal/api and to an exit code in internal/cli.
const (
	// Invalid: the request is wrong; Field names the part and Hint the remedy.
	Invalid Code = "invalid"
	// TooLarge: the request, or a part of it, is over a size limit.
	TooLarge Code = "too_large"
	// NotFound: the thing named does not exist.
	NotFound Code = "not_found"
	// Unavailable: it exists but this host cannot do it (a missing toolchain, say).
	Unavailable Code = "unavailable"
	// Busy: no slot, and the waiting line is full.
	Busy Code = "busy"
	// Stopping: this process is shutting down.
	Stopping Code = "stopping"
	// Cancelled: the caller went away or gave up.
	Cancelled Code = "cancelled"
	// Degraded: the host lacks an isolation mechanism, or a probe found one broken.
	Degraded Code = "degraded"
	// Internal: a defect or a failure of the host.
	Internal Code = "internal"
)

// Error is a fault: what failed, what to do about it, and whether the same call may succeed later.
type Error struct {
	Code    Code
	Field   string // for Invalid and TooLarge: the field in the API's spelling, as "limits.cpu_time_ms"
	Message string // one sentence in lower case, no full stop
	Hint    string // what to do next; may be empty
	Retry   bool   // the same call may succeed later, here or on another host
	Err     error  // the cause, if any
}

// Error gives message, field, cause and hint on one line.
func (e *Error) Error() string {
	text := e.Message
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is a fault with the same code, so that errors.Is(err, &Error{Code: Busy}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Message == ""
}

// CodeOf gives the code of the first fault in err's chain: Internal when there is none, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Retryable reports whether the first fault in err's chain says that a retry makes sense.
func Retryable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Retry
}

// Invalidf is a fault of the request: the field in the API's spelling, what is wrong, and the remedy.
func Invalidf(field, hint, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// Internalf wraps a failure of ours that a retry on a fresh slot may mend.
func Internalf(err error, format string, args ...any) *Error {
	return &Error{Code: Internal, Message: fmt.Sprintf(format, args...), Retry: true, Err: err}
}
