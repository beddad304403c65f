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
	rows := [][]cell{{{text: "ID"}, {text: "AVAILABLE"}, {text: "VERSION"}, {text: "EXTENSIONS"}, {text: "OPTIONS"}}}
	for _, l := range list {
		available, last := cell{"yes", p.green}, cmp.Or(optionKeys(l), "-")
		if !l.Available {
			available, last = cell{"no", p.yellow}, oneLine(l.Reason)
		}
		rows = append(rows, []cell{
			{text: l.ID}, available, {text: cmp.Or(versions(l), "-")}, {text: cmp.Or(strings.Join(l.Extensions, " "), "-")}, {text: last},
		})
	}
	if err := writeTable(out, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nassay run --option KEY=VALUE sets an option, and --language ID@VERSION chooses a version; assay languages --json lists them.\n")
	return err
}

// versions lists the usual version first, then how the others are asked for.
func versions(l language.Info) string {
	all := []string{oneLine(l.Version)}
	for _, v := range l.Versions[min(1, len(l.Versions)):] {
		all = append(all, "@"+oneLine(strings.TrimPrefix(v.ID, l.ID+"@")))
	}
	return strings.TrimSpace(strings.Join(all, " "))
}

func optionKeys(l language.Info) string {
	keys := make([]string, 0, len(l.Options))
	for key := range l.Options {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}
