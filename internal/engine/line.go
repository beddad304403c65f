package engine

import (
	"context"
	"fmt"
	"sync"

	"assay/internal/fault"
)

// line is the bounded waiting line before the slots: at most slots requests are inside, at most waiting more stand in
// line, in the order in which they came.
type line struct {
	slots chan struct{} // holds one token for each request inside
	max   int           // inside and waiting together

	mu       sync.Mutex
	present  int // inside and waiting
	stopping bool
	empty    chan struct{} // closed when stopping and nobody is present
}

func newLine(slots, waiting int) *line {
	return &line{slots: make(chan struct{}, slots), max: slots + max(0, waiting), empty: make(chan struct{})}
}

// enter waits for a turn. leave must be called once, when the request is done.
func (l *line) enter(ctx context.Context) (leave func(), err error) {
	if err := l.join(); err != nil {
		return nil, err
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots; l.quit() }, nil
	default:
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots; l.quit() }, nil
	case <-ctx.Done():
		l.quit()
		return nil, &fault.Error{Code: fault.Cancelled, Message: "the request was given up while it waited for its turn", Err: context.Cause(ctx)}
	}
}

func (l *line) join() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopping:
		return &fault.Error{Code: fault.Stopping, Message: "assay is shutting down", Hint: "send the request again to another instance, or later", Retry: true}
	case l.present >= l.max:
		return &fault.Error{
			Code: fault.Busy, Message: fmt.Sprintf("all %d slots are busy and %d requests wait already", cap(l.slots), l.max-cap(l.slots)),
			Hint: "try again in a moment", Retry: true,
		}
	}
	l.present++
	return nil
}

func (l *line) quit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.present--
	if l.stopping && l.present == 0 {
		close(l.empty)
	}
}

// drain closes the line and waits until it is empty. It may be called more than once.
func (l *line) drain(ctx context.Context) error {
	l.mu.Lock()
	if !l.stopping {
		l.stopping = true
		if l.present == 0 {
			close(l.empty)
		}
	}
	l.mu.Unlock()
	select {
	case <-l.empty:
		return nil
	case <-ctx.Done():
		running, waiting := l.counts()
		return fmt.Errorf("wait for %d running and %d waiting requests: %w", running, waiting, context.Cause(ctx))
	}
}

func (l *line) counts() (inside, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	inside = len(l.slots)
	return inside, max(0, l.present-inside)
}
