package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func (c *command) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version [--json]",
		Short:   "Print the version of assay, Go and the kernel",
		Example: "  assay version --json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Commit   string `json:"commit"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
				Kernel   string `json:"kernel"`
			}{c.build.Version, c.build.Commit, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, kernel()}
			if asJSON {
				return json.NewEncoder(c.process.Stdout).Encode(v)
			}
			_, err := fmt.Fprintf(c.process.Stdout, "assay %s\ncommit %s\n%s %s\nkernel %s\n", v.Version, v.Commit, v.Go, v.Platform, v.Kernel)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// kernel gives the release of the running kernel, or "unknown".
func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}
