// Package languages runs the samples of every language through the real binary. A language of the list that is not
// available is a failure: run.sh installs them all.
package languages

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"assay/internal/language"
	definitions "assay/languages"
	"assay/test/built"
)

var binary, runDir string // set by TestMain

func TestMain(m *testing.M) {
	built.Main(m, func(a built.Assay) error {
		binary, runDir = a.Binary, a.RunDir
		return nil
	})
}

func TestSamples(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(definitions.Files, "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d definitions, %v", len(names), err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(definitions.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := language.Decode(name, data)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Samples) == 0 {
			t.Errorf("%s has no sample", d.ID)
		}
		for _, s := range d.Samples {
			t.Run(d.ID+"/"+s.Name, func(t *testing.T) {
				t.Parallel()
				sample(t, d, s)
			})
		}
	}
}

func sample(t *testing.T, d *language.Definition, s language.Sample) {
	t.Helper()
	source := []byte(s.Source)
	if s.Base64 != "" {
		var err error
		if source, err = base64.StdEncoding.DecodeString(s.Base64); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, source, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "run", "--json", "--run-dir", runDir, "--language", d.ID, path)
	cmd.Stdin = strings.NewReader(s.Stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr(err))
	}
	var r struct {
		Status   string
		Stdout   string
		Stderr   string
		Message  string
		ExitCode *int `json:"exit_code"`
		Compile  *struct{ Stderr string }
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if r.Stdout != s.Stdout || r.ExitCode == nil || *r.ExitCode != s.ExitCode {
		t.Errorf("%s\nwant stdout %q and exit code %d", out, s.Stdout, s.ExitCode)
	}
	if (d.Compile != nil) != (r.Compile != nil) {
		t.Errorf("compile is %v, but the definition says otherwise", r.Compile)
	}
}

func stderr(err error) string {
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output gives it as it is
		return string(exit.Stderr)
	}
	return ""
}
