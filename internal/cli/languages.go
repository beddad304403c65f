package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/language"
)

func (c *command) languagesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "languages [flags]",
		Short:   "List the languages, their versions and options",
		Example: "  assay languages\n  assay languages --json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := c.settings(cmd, false)
			if err != nil {
				return err
			}
			catalog, err := c.host.Catalog(cfg)
			if err != nil {
				return err
			}
			list := catalog.List(cmd.Context())
			if asJSON {
				err = json.NewEncoder(c.process.Stdout).Encode(map[string]any{"languages": list})
			} else {
				err = printLanguages(c.process.Stdout, list, paintFor(c.process.Stdout, c.process.Environ))
			}
			if err != nil {
				return fmt.Errorf("printing the languages: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object, the same as GET /v1/languages")
	addSettings(cmd, false)
	cmd.AddCommand(c.languagesInstallCommand(), c.languagesTestCommand())
	for _, sub := range cmd.Commands() {
		sub.DisableFlagsInUseLine = true
	}
	return cmd
}

func printLanguages(out io.Writer, list []language.Info, p paint) error {
	rows := [][]cell{{{text: "ID"}, {text: "VERSION"}, {text: "EXTENSIONS"}, {text: "OPTIONS"}}}
	for _, l := range list {
		version := cell{text: cmp.Or(oneLine(l.Version), "-")}
		if !l.Available {
			version = cell{"not available: " + oneLine(l.Reason), p.yellow}
		}
		rows = append(rows, []cell{
			{text: l.ID}, version, {text: cmp.Or(strings.Join(l.Extensions, " "), "-")}, {text: cmp.Or(optionKeys(l), "-")},
		})
	}
	if err := writeTable(out, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nassay run --option KEY=VALUE sets an option; assay languages --json lists the values.\n")
	return err
}

func optionKeys(l language.Info) string {
	keys := make([]string, 0, len(l.Options))
	for key := range l.Options {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}
