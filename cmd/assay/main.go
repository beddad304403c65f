// Command assay runs programs that nobody trusts: on the command line, and over HTTP.
package main

import (
	"context"
	"os"

	"assay/internal/app"
	"assay/internal/cli"
	"assay/internal/probe"
	"assay/internal/sandbox/linux"
)

// Set by the linker, see run.sh.
var version, commit = "dev", "unknown"

func main() {
	// This binary is also the first process of each slot, and the probe program; as such it does not get past here.
	linux.Main()
	probe.Main()
	os.Exit(run())
}

func run() int {
	ctx, stop := cli.WithSignals(context.Background())
	defer stop()
	return cli.Execute(ctx, cli.Process{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}, cli.Build{Version: version, Commit: commit}, app.Host{Version: version})
}
