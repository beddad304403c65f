package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"assay/internal/config"
	"assay/internal/engine"
	"assay/internal/language"
	"assay/internal/probe"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
)

// System is the engine with what it stands on: everything that runs programs, without HTTP.
type System struct {
	Catalog *language.Catalog
	Driver  *linux.Driver
	Engine  *engine.Engine
	Probes  *probe.Set // nil without SystemOptions.Probed
}

// SystemOptions are what differs between one run and a server.
type SystemOptions struct {
	Slots      int
	MaxWaiting int
	// Folders are host folders to show in the sandboxes besides the usual ones.
	Folders []string
	// MaxLimits bound what a request may ask for; a zero field bounds nothing.
	MaxLimits sandbox.Limits
	CacheSize int64
	// Probed has the engine refuse everything unless the last round of probes passed. The caller runs the rounds.
	Probed bool
}

// maxCacheEntries bounds the number of compiled programs that are kept; their bytes are a setting.
const maxCacheEntries = 4096

// OpenSystem opens the sandboxes and puts the engine on top. Slots live until Close, whatever becomes of ctx.
func OpenSystem(ctx context.Context, cfg config.Config, catalog *language.Catalog, o SystemOptions, log *slog.Logger) (*System, error) {
	driver, err := linux.Open(context.WithoutCancel(ctx), linux.Options{
		RunDir: cfg.RunDir, Slots: o.Slots, Folders: o.Folders, Logger: log, AllowDegraded: cfg.AllowDegraded,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the sandbox: %w", err)
	}
	s := &System{Catalog: catalog, Driver: driver}
	var gate func() error
	if o.Probed {
		canary, err := plantCanary(driver.Dir())
		if err != nil {
			return nil, errors.Join(err, driver.Close())
		}
		s.Probes = probe.New(driver, canary, log)
		gate = s.Probes.Err
	}
	s.Engine = engine.New(engine.Options{
		Sandbox: driver, Languages: catalog, Slots: o.Slots, MaxWaiting: o.MaxWaiting, Gate: gate, AllowNetwork: cfg.AllowNetwork, MaxLimits: o.MaxLimits,
		MaxSource: cfg.MaxSource, MaxTotal: cfg.MaxSourceTotal, MaxStdin: cfg.MaxStdin,
		CacheBytes: o.CacheSize, CacheEntries: maxCacheEntries,
	})
	return s, nil
}

// Close waits for what runs, until ctx ends, then closes the sandboxes, which ends the rest.
func (s *System) Close(ctx context.Context) error {
	var errs []error
	if err := s.Engine.Drain(ctx); err != nil {
		errs = append(errs, fmt.Errorf("finishing what runs: %w", err))
	}
	if err := s.Engine.Close(); err != nil {
		errs = append(errs, fmt.Errorf("deleting compiled programs: %w", err))
	}
	if s.Probes != nil {
		if err := s.Probes.Close(); err != nil {
			errs = append(errs, fmt.Errorf("deleting the probe program: %w", err))
		}
	}
	if err := s.Driver.Close(); err != nil {
		errs = append(errs, fmt.Errorf("closing the sandboxes: %w", err))
	}
	return errors.Join(errs...)
}

// plantCanary writes a file that everybody on this host may read, below a folder that no sandbox shows: the probes fail
// when they see it. It goes with the folder when the driver closes.
func plantCanary(dir string) (path string, err error) {
	path = filepath.Join(dir, "canary")
	if err := os.WriteFile(path, []byte("No program in a sandbox can see this.\n"), 0o644); err != nil {
		return "", fmt.Errorf("planting the probes' canary: %w", err)
	}
	return path, nil
}

// openCatalog reads the languages as the settings say.
func openCatalog(cfg config.Config) (*language.Catalog, error) {
	tools, err := toolPaths(cfg)
	if err != nil {
		return nil, err
	}
	return language.Open(language.Options{
		Dir: cfg.LanguagesDir, Tools: tools, CacheFile: filepath.Join(cfg.RunDir, "versions.json"),
	})
}

// slots is the number of slots of a server.
func slots(cfg config.Config) int {
	if cfg.Workers > 0 {
		return cfg.Workers
	}
	return runtime.GOMAXPROCS(0)
}
