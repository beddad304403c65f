// Package api is assay's HTTP interface (design.md, section 5.2): POST /v1/run, the list of languages, health, metrics and
// the OpenAPI document. It decodes and checks requests, calls what Options names, and maps results and faults to
// answers. What belongs here is HTTP; rules about programs belong to the engine.
package api

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"assay/internal/fault"
)

// hardStop is how long requests get to answer after their runs were cut off.
const hardStop = 5 * time.Second

// Server serves the API. It is made by New and has no state but its metrics.
type Server struct {
	o       Options
	metrics *metrics
}

// New makes a Server. Nothing listens before Serve.
func New(o Options) *Server {
	o = o.withDefaults()
	return &Server{o: o, metrics: newMetrics(o)}
}

// Serve answers requests on ln until ctx ends, then drains: /readyz fails and nothing new is taken from that moment on, running
// requests get Options.Grace to finish, and what is left then is cut off. It closes ln. The error is nil after an orderly
// end; an address that CheckListen refuses is an error at once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	addr := ln.Addr().String()
	if ln.Addr().Network() == "unix" {
		addr = "/" + addr // an unnamed or relative socket is as local as any
	}
	if err := CheckListen(addr, s.o.AdminToken, s.o.AllowGuests); err != nil {
		_ = ln.Close()
		return err
	}
	h, err := newHandler(s.o, s.metrics, newPolicy(addr, s.o))
	if err != nil {
		_ = ln.Close()
		return err
	}
	// Runs outlive ctx by the grace period; a second context ends them.
	work, cutOff := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cutOff(nil)
	server := &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return work },
		ReadHeaderTimeout: s.o.HeaderTimeout,
		IdleTimeout:       s.o.IdleTimeout,
		MaxHeaderBytes:    s.o.MaxHeader,
		ErrorLog:          slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP on %s: %w", addr, err)
	case <-ctx.Done():
	}
	h.draining.Store(true)
	err = s.drain(context.WithoutCancel(ctx), server, cutOff)
	<-ended
	return err
}

// drain waits for running requests, then cuts them off.
func (s *Server) drain(ctx context.Context, server *http.Server, cutOff context.CancelCauseFunc) error {
	grace, cancel := context.WithTimeout(ctx, s.o.Grace)
	defer cancel()
	if server.Shutdown(grace) == nil {
		return nil
	}
	cutOff(stopping())
	final, cancel := context.WithTimeout(ctx, hardStop)
	defer cancel()
	if server.Shutdown(final) != nil {
		_ = server.Close()
	}
	return fmt.Errorf("stop HTTP: requests were cut off after %s", s.o.Grace)
}

func stopping() *fault.Error {
	return &fault.Error{Code: fault.Stopping, Message: "this server is shutting down", Hint: "try again soon", Retry: true}
}

// handler answers the requests of one listener.
type handler struct {
	o        Options
	log      *slog.Logger
	metrics  *metrics
	policy   policy
	mux      *http.ServeMux
	draining atomic.Bool
	bodies   atomic.Int64 // bytes of large bodies held, see readBody
	buffers  sync.Pool    // of *bytes.Buffer, for bodies
}
