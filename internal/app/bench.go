package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"assay/internal/api"
	"assay/internal/bench"
	"assay/internal/config"
	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/verdict"
)

// Measure opens the sandboxes and a server of its own on loopback, and measures them.
func (h Host) Measure(ctx context.Context, cfg config.Config, o bench.Options, log *slog.Logger) (_ bench.Report, err error) {
	catalog, err := openCatalog(cfg)
	if err != nil {
		return bench.Report{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return bench.Report{}, fmt.Errorf("finding assay's own file: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return bench.Report{}, fmt.Errorf("listening on loopback: %w", err)
	}
	defer listener.Close()
	system, err := OpenSystem(ctx, cfg, catalog, SystemOptions{Slots: slots(cfg), MaxWaiting: o.Callers + 2*slots(cfg)}, log)
	if err != nil {
		return bench.Report{}, err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, system.Close(closing))
	}()

	serving, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() {
		stopped <- api.New(api.Options{
			Runner: system.Engine, Languages: catalog, Logger: log, Version: h.Version, MaxBody: cfg.MaxBody, Grace: closeTimeout,
		}).Serve(serving, listener)
	}()
	defer func() {
		stop()
		err = errors.Join(err, <-stopped)
	}()

	return bench.Measure(ctx, bench.Target{
		Library: func(ctx context.Context, program []byte) (bench.Reading, error) {
			return runELF(ctx, system.Engine, program)
		},
		Server:  address(listener.Addr()),
		Command: coldCommand(self, cfg),
		Slots:   slots(cfg),
	}, o)
}

// runELF runs a program of the language exe, which must end with exit code 0.
func runELF(ctx context.Context, e *engine.Engine, program []byte) (bench.Reading, error) {
	result, err := e.Run(ctx, engine.Request{Language: "exe", Files: []engine.SourceFile{{Content: program}}})
	if err != nil {
		return bench.Reading{}, err
	}
	if result.Status != verdict.OK {
		return bench.Reading{}, fault.Invalidf("program", "give one that needs no input and exits with 0", "ended with %s: %s", result.Status, result.Message)
	}
	return bench.Reading{CPUTime: time.Duration(result.CPUTimeMS * float64(time.Millisecond)), Memory: result.MemoryBytes}, nil
}

// coldCommand is `assay run` with those settings that decide where and whether it runs.
func coldCommand(self string, cfg config.Config) []string {
	command := []string{self, "run", "--language", "exe", "--run-dir", cfg.RunDir}
	if cfg.AllowDegraded {
		command = append(command, "--allow-degraded")
	}
	return command
}
