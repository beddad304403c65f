// Package cli is assay's command line: it parses flags, calls what the host gives it, prints, and picks exit codes
// (design.md, section 5.1). What belongs here: words, tables, terminals and exit codes. How programs are compiled and
// run does not; the package reaches that through Host.
package cli

import (
	"context"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"assay/internal/bench"
	"assay/internal/config"
	"assay/internal/engine"
	"assay/internal/langcheck"
	"assay/internal/language"
)

// Host makes what the commands need; package app implements it.
type Host interface {
	// Catalog reads the languages.
	Catalog(cfg config.Config) (Catalog, error)
	// Install gets the toolchains of languages with the host's package managers; without ids, of all.
	Install(ctx context.Context, cfg config.Config, ids []string, out io.Writer) error
	// CheckLanguages puts languages through the checks, without ids all that are available, and tells of each in order.
	CheckLanguages(ctx context.Context, cfg config.Config, ids []string, o langcheck.Options, log *slog.Logger, tell func(CheckedLanguage)) error
	// OpenRunner prepares one slot for a language. The caller closes the runner.
	OpenRunner(ctx context.Context, cfg config.Config, language string, log *slog.Logger) (Runner, error)
	// Serve runs the server until ctx is done and everything accepted has been answered. The address goes to out,
	// on one line.
	Serve(ctx context.Context, cfg config.Config, log *slog.Logger, out io.Writer) error
	// Examine looks for what the sandbox needs on this machine and tries the guarantees.
	Examine(ctx context.Context, cfg config.Config, log *slog.Logger) ([]Finding, error)
	// Measure takes the measurements of `assay bench`.
	Measure(ctx context.Context, cfg config.Config, o bench.Options, log *slog.Logger) (bench.Report, error)
}

// Runner compiles and runs programs.
type Runner interface {
	// Run gives the result of one program. An error is never the program's fault.
	Run(ctx context.Context, req engine.Request) (engine.Result, error)
	io.Closer
}

// Catalog is the set of languages.
type Catalog interface {
	// Guess gives the language of a file by its name: fault.Invalid when the name tells none, fault.Unavailable when
	// this host cannot run it.
	Guess(file string) (id string, err error)
	// List gives all languages, sorted by id, with the versions of their toolchains.
	List(ctx context.Context) []language.Info
}

// CheckedLanguage is what `assay languages test` found of one language.
type CheckedLanguage struct {
	ID       string              `json:"id"` // as it was asked for
	Version  string              `json:"version"`
	Outcomes []langcheck.Outcome `json:"checks"`
}

// Finding is one thing that `assay doctor` looked at.
type Finding struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"` // assay refuses to run without it, unless told --allow-degraded
	Advice   bool   `json:"advice"`   // not about safety: steadiness of readings, or comfort
	Detail   string `json:"detail"`
	Meaning  string `json:"meaning"` // what the mechanism is for
	Remedy   string `json:"remedy"`  // what to do when it is not there
}

// Build says what this binary was made from.
type Build struct {
	Version string
	Commit  string
}

// Process is what the operating system gives a command.
type Process struct {
	Args    []string // without the program's name
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// Execute runs one command line and gives the exit code. Cancelling ctx ends the command in order; see WithSignals.
func Execute(ctx context.Context, p Process, b Build, h Host) int {
	c := &command{process: p, build: b, host: h}
	root := c.root()
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	return c.exitCode(ctx, root.ExecuteContext(ctx))
}

// command is what all commands share.
type command struct {
	process Process
	build   Build
	host    Host
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "assay",
		Short: "Run programs that nobody trusts, quickly and safely",
		Long: `assay compiles and runs programs that nobody trusts, each in a fresh sandbox with limits that the kernel enforces:
on the command line (assay run), or over HTTP (assay serve).`,
		Example: `  assay run hello.py
  assay run --time-limit 1s --memory-limit 64MiB solution.cpp < input.txt
  assay serve`,
		Version:       c.build.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err.Error()) })
	root.AddCommand(c.runCommand(), c.serveCommand(), c.languagesCommand(), c.doctorCommand(), c.benchCommand(), c.versionCommand())
	for _, sub := range root.Commands() {
		sub.DisableFlagsInUseLine = true
	}
	return root
}
