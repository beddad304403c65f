package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"assay/internal/langcheck"
)

func (c *command) languagesInstallCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "install [flags] ID...",
		Short: "Install the toolchains of languages",
		Long: `Install the toolchains of languages, with apt, npm and scripts of assay's own, as their definitions say. Needs root.
What is there already stays as it is. A version of a language is asked for as "cpp@clang".`,
		Example: "  assay languages install haskell ocaml\n  assay languages install --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError(cmd, "name the languages to install, or give --all")
			}
			cfg, _, err := c.settings(cmd, false)
			if err != nil {
				return err
			}
			return c.host.Install(cmd.Context(), cfg, args, c.process.Stderr)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "install every language that assay knows how to install")
	addSettings(cmd, false)
	return cmd
}

func (c *command) languagesTestCommand() *cobra.Command {
	var (
		asJSON bool
		o      langcheck.Options
	)
	cmd := &cobra.Command{
		Use:   "test [flags] [ID...]",
		Short: "Put languages through the checks and print a table",
		Long: `Run the same checks with each language, in the sandbox: hello, input, arguments, Unicode, several files, large input and
output, deep recursion, threads, a clean second run, errors in the source, exit codes, exceptions, and each limit.
Without an ID, all languages that are available are tested. Exits 1 when a check fails.`,
		Example: "  assay languages test\n  assay languages test python cpp@clang\n  assay languages test --check memory --check sleep java",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := o.Validate(); err != nil {
				return usageError(cmd, err.Error())
			}
			cfg, log, err := c.settings(cmd, false)
			if err != nil {
				return err
			}
			table := newCheckTable(c.process.Stdout, o, paintFor(c.process.Stdout, c.process.Environ))
			if !asJSON {
				table.header()
			}
			rows := []CheckedLanguage{}
			err = c.host.CheckLanguages(cmd.Context(), cfg, ids, o, log, func(row CheckedLanguage) {
				rows = append(rows, row)
				table.count(row)
				if !asJSON {
					table.row(row)
				}
			})
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(c.process.Stdout).Encode(map[string]any{"languages": rows}); err != nil {
					return fmt.Errorf("printing the outcomes: %w", err)
				}
			} else {
				table.end(rows)
			}
			if table.failed > 0 {
				return exitError(exitFailed)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	flags.StringArrayVar(&o.Only, "check", nil, "run this check only; may be repeated")
	flags.Float64Var(&o.TimeFactor, "time-factor", 0, "stretch the checks' time limits by this factor, on a slow machine")
	addSettings(cmd, false)
	return cmd
}

// checkTable prints the rows as they come: the columns are known before.
type checkTable struct {
	out    io.Writer
	paint  paint
	checks []string

	passed, failed, absent int
}

func newCheckTable(out io.Writer, o langcheck.Options, p paint) *checkTable {
	t := &checkTable{out: out, paint: p}
	for _, name := range langcheck.Names() {
		if len(o.Only) == 0 || slices.Contains(o.Only, name) {
			t.checks = append(t.checks, name)
		}
	}
	return t
}

// The widths of the columns before the checks.
const (
	languageWidth = 18
	versionWidth  = 14
)

func (t *checkTable) header() {
	fmt.Fprintf(t.out, "%s%s%s\n", pad("LANGUAGE", languageWidth), pad("VERSION", versionWidth), strings.ToUpper(strings.Join(t.checks, " ")))
}

func (t *checkTable) row(row CheckedLanguage) {
	var b strings.Builder
	b.WriteString(pad(row.ID, languageWidth))
	b.WriteString(pad(cmp.Or(oneLine(row.Version), "-"), versionWidth))
	for _, o := range row.Outcomes {
		mark, shade := "✓", t.paint.green
		switch o.State {
		case langcheck.Failed:
			mark, shade = "FAIL", t.paint.red
		case langcheck.Absent:
			mark, shade = "-", t.paint.yellow
		}
		// The shade's own characters take no room.
		b.WriteString(shade(mark) + strings.Repeat(" ", max(1, len(o.Check)+1-utf8.RuneCountInString(mark))))
	}
	fmt.Fprintln(t.out, strings.TrimRight(b.String(), " "))
}

func (t *checkTable) count(row CheckedLanguage) {
	for _, o := range row.Outcomes {
		switch o.State {
		case langcheck.Passed:
			t.passed++
		case langcheck.Failed:
			t.failed++
		case langcheck.Absent:
			t.absent++
		}
	}
}

// end lists what failed and what languages have no means for.
func (t *checkTable) end(rows []CheckedLanguage) {
	for _, state := range []struct{ is, title string }{{langcheck.Absent, "Without"}, {langcheck.Failed, "Failed"}} {
		first := true
		for _, row := range rows {
			for _, o := range row.Outcomes {
				if o.State != state.is {
					continue
				}
				if first {
					fmt.Fprintf(t.out, "\n%s:\n", state.title)
					first = false
				}
				fmt.Fprintf(t.out, "  %s %s: %s\n", row.ID, o.Check, oneLine(o.Detail))
			}
		}
	}
	fmt.Fprintf(t.out, "\n%d languages: %d checks passed, %d failed, %d that a language has no means for.\n", len(rows), t.passed, t.failed, t.absent)
}

// pad fills a text up to a width, and leaves a blank behind a longer one.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(1, width-utf8.RuneCountInString(s)))
}
