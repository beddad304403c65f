package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"assay/internal/api"
	"assay/internal/config"
	"assay/internal/fault"
	"assay/internal/sandbox"
	"assay/internal/web"
)

// closeTimeout bounds waiting for runs that were already told to end.
const closeTimeout = 10 * time.Second

// goodToken is how many characters keep a token from being guessed.
const goodToken = 16

// serve builds the server and runs it until ctx is done, then stops it: intake, what runs, the sandboxes.
func serve(ctx context.Context, cfg config.Config, version string, log *slog.Logger, out io.Writer) (err error) {
	if err := api.CheckListen(cfg.Listen, cfg.AdminToken, cfg.AllowGuests); err != nil {
		return err
	}
	if n := len(cfg.AdminToken); n > 0 && n < goodToken {
		log.Warn("the admin token is short enough to be guessed: `openssl rand -hex 32` makes a good one", "characters", n)
	}
	catalog, err := openCatalog(cfg)
	if err != nil {
		return err
	}
	if err := catalog.Check(); err != nil {
		return fmt.Errorf("reading the languages: %w", err)
	}
	page, err := web.Handler()
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	// An address that is taken is found out before the costly parts are made.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return &fault.Error{Code: fault.Invalid, Field: "listen", Message: "cannot listen", Hint: "give another --listen address", Err: err}
	}
	defer listener.Close()

	system, err := OpenSystem(ctx, cfg, catalog, SystemOptions{
		Slots: slots(cfg), MaxWaiting: cfg.MaxWaiting, Folders: catalog.Folders(), MaxLimits: maxLimits(cfg), CacheSize: cfg.CacheSize,
		Probed: true,
	}, log)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, system.Close(closing))
	}()

	// The first round comes before the first job; a failed one keeps /readyz red, and the reason is there to be read.
	system.Probes.Run(ctx)
	probing, stopProbing := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer stopProbing()
	background.Go(func() { system.Probes.Watch(probing, cfg.ProbeInterval) })
	background.Go(func() { reapOrphans(probing) })
	// Asking every toolchain for its version takes seconds the first time: not those of whoever opens the page first.
	background.Go(func() { catalog.List(probing) })

	server := api.New(api.Options{
		Runner: system.Engine, Languages: catalog, Page: page, Logger: log, Version: version,
		Ready: system.Probes.Err, Slots: system.Driver, Waiting: func() int { return system.Engine.Stats().Waiting },
		LanguageID: func(name string) string {
			l, err := catalog.Lookup(name)
			if err != nil {
				return ""
			}
			return l.ID
		},
		AdminToken: cfg.AdminToken, AllowGuests: cfg.AllowGuests, Hosts: cfg.Hosts, MaxBody: cfg.MaxBody, Grace: cfg.DrainTimeout,
	})
	fmt.Fprintf(out, "assay is ready: %s\n", address(listener.Addr()))
	return server.Serve(ctx, listener)
}

// maxLimits are the operator's bounds of what a request may ask for.
func maxLimits(cfg config.Config) sandbox.Limits {
	return sandbox.Limits{
		CPUTime: cfg.MaxCPUTime, WallTime: cfg.MaxWallTime, Memory: cfg.MaxMemory, Stack: cfg.MaxMemory,
		Processes: cfg.MaxProcesses, Output: cfg.MaxOutput,
	}
}

// address is what to open in a browser on this machine.
func address(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
