package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

func (c *command) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Serve the HTTP API and the page",
		Long: `Serve the HTTP API and the page. The address is printed on stdout once requests are answered; the log goes to stderr.
SIGTERM and Ctrl-C stop it in order: nothing new is accepted, and what runs is finished within --drain-timeout.`,
		Example: `  assay serve
  assay serve --listen 127.0.0.1:9000 --workers 4
  ASSAY_ADMIN_TOKEN=$(openssl rand -hex 32) assay serve --listen 0.0.0.0:8080 --hosts judge.example.org`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := c.settings(cmd, true)
			if err != nil {
				return err
			}
			err = c.host.Serve(cmd.Context(), cfg, log, c.process.Stdout)
			if err != nil && errors.Is(err, cmd.Context().Err()) {
				return nil // told to stop, and stopped
			}
			return err
		},
	}
	addSettings(cmd, true)
	return cmd
}

// noArguments is cobra.NoArgs with an error that exits as a usage error.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(cmd, cmd.CommandPath()+" takes no argument "+args[0])
	}
	return nil
}
