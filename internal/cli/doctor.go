package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func (c *command) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Check whether this machine can run programs safely",
		Long: `Look for each mechanism that the sandbox needs, then try to break out of one: host files, network, user, capabilities,
leftovers, memory limit. Then look at what makes readings steady, and for toolchains. In a container the remedies are its flags.

Exit codes: 0 all that is required is there, 1 something required is missing, 2 wrong usage or settings, 3 the looking failed.`,
		Example: "  assay doctor\n  assay doctor --json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := c.settings(cmd, false)
			if err != nil {
				return err
			}
			findings, err := c.host.Examine(cmd.Context(), cfg, log)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(c.process.Stdout).Encode(map[string]any{"findings": findings})
			} else {
				err = printFindings(c.process.Stdout, findings, paintFor(c.process.Stdout, c.process.Environ))
			}
			if err != nil {
				return fmt.Errorf("printing the findings: %w", err)
			}
			for _, f := range findings {
				if f.Required && !f.OK {
					return exitError(exitFailed)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	addSettings(cmd, false)
	return cmd
}

func printFindings(out io.Writer, findings []Finding, p paint) error {
	var rows [][]cell
	missing, absent, advice := 0, 0, 0
	for _, f := range findings {
		mark := cell{"ok", p.green}
		switch {
		case !f.OK && f.Required:
			mark = cell{"missing", p.red}
			missing++
		case !f.OK && f.Advice:
			mark = cell{"advice", p.yellow}
			advice++
		case !f.OK:
			mark = cell{"absent", p.yellow}
			absent++
		}
		rows = append(rows, []cell{mark, {text: f.Name}, {text: oneLine(f.Detail)}})
		if !f.OK && f.Meaning != "" {
			rows = append(rows, []cell{{}, {}, {text: "  " + oneLine(f.Meaning)}})
		}
		if !f.OK && f.Remedy != "" {
			rows = append(rows, []cell{{}, {}, {text: "→ " + oneLine(f.Remedy)}})
		}
	}
	if err := writeTable(out, rows); err != nil {
		return err
	}
	end := "This machine can run programs with every guarantee."
	switch {
	case missing == 0 && absent > 0:
		end = "This machine can run programs. What is absent is a second line of defence, or a feature."
	case missing == 0 && advice > 0:
		end = "This machine can run programs with every guarantee. The advice is for steady readings and comfort."
	case missing > 0:
		end = fmt.Sprintf("%d required: assay refuses to run programs here, unless told --allow-degraded.", missing)
	}
	_, err := fmt.Fprintf(out, "\n%s\n", end)
	return err
}
