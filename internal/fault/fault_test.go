package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"assay/internal/fault"
)

func TestError(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("outer: %w", &fault.Error{
		Code: fault.Busy, Field: "slots", Message: "all are busy", Hint: "wait", Retry: true, Err: io.ErrUnexpectedEOF,
	})
	if got, want := err.Error(), "outer: slots: all are busy: unexpected EOF (wait)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, &fault.Error{Code: fault.Busy}) || errors.Is(err, &fault.Error{Code: fault.Invalid}) {
		t.Error("a fault is matched by its code")
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if fault.CodeOf(err) != fault.Busy || !fault.Retryable(err) {
		t.Errorf("%s, %t", fault.CodeOf(err), fault.Retryable(err))
	}
	if fault.CodeOf(nil) != "" || fault.CodeOf(io.EOF) != fault.Internal || fault.Retryable(io.EOF) {
		t.Error("errors that are no faults")
	}
}
