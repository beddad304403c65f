package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
)

// kind is one program with its limits and the end that it must come to.
type kind struct {
	name, file string
	elf        []byte
	args       []string
	limits     sandbox.Limits
	ended      func(sandbox.Report) bool
	done       atomic.Int64
}

// soaker runs the kinds in a fixed order.
type soaker struct {
	driver *linux.Driver
	kinds  []kind
	next   atomic.Int64
}

// pick gives the kind of run n: every third is killed; of those, one in ten by the wall limit, which is the slowest.
func (s *soaker) pick(n int64) *kind {
	if n%3 != 0 {
		return &s.kinds[0]
	}
	if n/3%10 == 9 {
		return &s.kinds[4]
	}
	return &s.kinds[1+n/3%3]
}

func (s *soaker) run(ctx context.Context) error {
	k := s.pick(s.next.Add(1))
	h, err := s.driver.Start(ctx, sandbox.Command{
		Args: append([]string{"./program"}, k.args...), Limits: k.limits,
		Files: []sandbox.File{{Name: "program", Mode: 0o755, Data: k.elf}},
	})
	if err != nil {
		return err
	}
	report, err := h.Wait()
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	if !k.ended(report) {
		return fmt.Errorf("%s: an unexpected end: %+v", k.name, report)
	}
	k.done.Add(1)
	return nil
}

func (s *soaker) print(took time.Duration) {
	for i := range s.kinds {
		fmt.Printf("%d runs: %s\n", s.kinds[i].done.Load(), s.kinds[i].name)
	}
	fmt.Printf("in %.1f s\n", took.Seconds())
}
