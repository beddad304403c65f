package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"assay/internal/cli"
	"assay/internal/config"
	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/language"
	"assay/internal/probe"
	"assay/internal/sandbox/linux"
)

// Host makes the parts that the command line asks for (cli.Host).
type Host struct {
	Version string // of assay
}

var _ cli.Host = Host{}

// Catalog reads the languages.
func (Host) Catalog(cfg config.Config) (cli.Catalog, error) {
	c, err := openCatalog(cfg)
	return catalog{c}, err
}

// OpenRunner opens one slot, for one run of one language. Only what that language needs is read and shown, since the
// whole command has a budget of milliseconds; the operator's maximum limits are for requests of others and do not apply.
func (Host) OpenRunner(ctx context.Context, cfg config.Config, name string, log *slog.Logger) (cli.Runner, error) {
	c, err := openCatalog(cfg)
	if err != nil {
		return nil, err
	}
	l, err := c.Lookup(name)
	if err != nil {
		return nil, err
	}
	s, err := OpenSystem(ctx, cfg, c, SystemOptions{Slots: 1, Folders: l.HostFolders()}, log)
	if err != nil {
		return nil, err
	}
	return runner{s}, nil
}

// Serve runs the server until ctx is done.
func (h Host) Serve(ctx context.Context, cfg config.Config, log *slog.Logger, out io.Writer) error {
	return serve(ctx, cfg, h.Version, log, out)
}

// Examine looks for the mechanisms of the kernel, then tries the guarantees in a sandbox, as far as one can be had, and ends
// with what is nobody's guarantee: advice, and toolchains.
func (Host) Examine(ctx context.Context, cfg config.Config, log *slog.Logger) ([]cli.Finding, error) {
	var findings []cli.Finding
	for _, f := range linux.Inspect() {
		findings = append(findings, cli.Finding(f))
	}
	tried, err := tryGuarantees(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	findings = append(findings, tried...)
	for _, f := range linux.Advise(cfg.RunDir) {
		findings = append(findings, cli.Finding(f))
	}
	c, err := openCatalog(cfg)
	if err != nil {
		return nil, err
	}
	return append(findings, toolchainFinding(c.List(ctx))), nil
}

// toolchainFinding counts the languages that this machine can run.
func toolchainFinding(all []language.Info) cli.Finding {
	f := cli.Finding{
		Name: "toolchains", Advice: true, Meaning: "a language whose compiler or interpreter is not below /usr cannot be run",
		Remedy: "assay languages install ID, or mount or build the toolchain into the container's image",
	}
	var have, lack []string
	for _, l := range all {
		if l.Available {
			have = append(have, l.ID)
		} else {
			lack = append(lack, l.ID)
		}
	}
	f.Detail = fmt.Sprintf("%d of %d languages: %s", len(have), len(all), strings.Join(have, " "))
	f.OK = len(lack) == 0
	if !f.OK {
		f.Detail += "; not " + strings.Join(lack, " ")
	}
	return f
}

// tryGuarantees opens a sandbox, required mechanisms or not, and tries to break out of it.
func tryGuarantees(ctx context.Context, cfg config.Config, log *slog.Logger) ([]cli.Finding, error) {
	var findings []cli.Finding
	driver, err := linux.Open(ctx, linux.Options{RunDir: cfg.RunDir, Slots: 1, Logger: log, AllowDegraded: true})
	if err != nil {
		return append(findings, refusal(err)), nil
	}
	canary, err := plantCanary(driver.Dir())
	if err != nil {
		return findings, errors.Join(err, driver.Close())
	}
	probes := probe.New(driver, canary, log)
	for _, r := range probes.Run(ctx) {
		findings = append(findings, probeFinding(r))
	}
	return findings, errors.Join(probes.Close(), driver.Close())
}

// refusal is the finding that no sandbox can be had.
func refusal(err error) cli.Finding {
	finding := cli.Finding{
		Name: "sandbox", Required: true, Detail: err.Error(), Meaning: "without one nothing can be run",
		Remedy: "mend what is missing above",
	}
	var f *fault.Error
	if errors.As(err, &f) && f.Hint != "" {
		finding.Remedy = f.Hint
		bare := *f
		bare.Hint = ""
		finding.Detail = bare.Error()
	}
	return finding
}

func probeFinding(r probe.Result) cli.Finding {
	return cli.Finding{
		Name: "probe: " + r.Name, OK: r.OK, Required: true, Detail: r.Detail,
		Meaning: "a program in the sandbox tries what none must be able to do",
		Remedy:  "do not run programs of others on this machine until this is mended",
	}
}

// runner is a System with one slot, as the command line wants it.
type runner struct{ system *System }

func (r runner) Run(ctx context.Context, req engine.Request) (engine.Result, error) {
	return r.system.Engine.Run(ctx, req)
}

// Close does not wait: the run is over, or the caller gave it up.
func (r runner) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return r.system.Close(ctx)
}

// catalog adds to the languages what the command line asks of them.
type catalog struct{ *language.Catalog }

func (c catalog) Guess(file string) (string, error) {
	l, err := c.ByExtension(file)
	if err != nil {
		return "", err
	}
	return l.ID, nil
}
