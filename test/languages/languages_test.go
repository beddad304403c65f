// Package languages puts every language through its checks with the real binary. A language that assay knows how to
// install and that is not available is a failure: ./test.sh installs them all.
package languages

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"assay/internal/langcheck"
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

// minimum is how many languages must be there and pass everything.
const minimum = 36

// list asks assay for its languages.
func list(t *testing.T) []language.Info {
	t.Helper()
	var object struct{ Languages []language.Info }
	command(t, &object, "languages", "--json", "--run-dir", runDir)
	return object.Languages
}

// command runs assay and reads the object that it prints. An exit code of 1 is a failed check, which the object tells.
func command(t *testing.T, object any, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, args...).Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("assay %s: %v\n%s", strings.Join(args, " "), err, stderr(exit))
	}
	if err := json.Unmarshal(out, object); err != nil {
		t.Fatalf("assay %s: %v\n%.1000s", strings.Join(args, " "), err, out)
	}
}

func stderr(exit *exec.ExitError) string {
	if exit == nil {
		return ""
	}
	return string(exit.Stderr)
}

// test runs the checks and makes each a test of its own. It gives how many languages had no failure.
func test(t *testing.T, ids ...string) (good int) {
	t.Helper()
	var object struct {
		Languages []struct {
			ID       string
			Outcomes []langcheck.Outcome `json:"checks"`
		}
	}
	command(t, &object, append([]string{"languages", "test", "--json", "--run-dir", runDir}, ids...)...)
	if len(ids) > 0 && len(object.Languages) != len(ids) {
		t.Errorf("%d languages, want %d", len(object.Languages), len(ids))
	}
	for _, l := range object.Languages {
		if len(l.Outcomes) != len(langcheck.Names()) {
			t.Errorf("%s: %d checks, want %d", l.ID, len(l.Outcomes), len(langcheck.Names()))
		}
		passed := true
		for _, o := range l.Outcomes {
			if o.State == langcheck.Absent {
				continue
			}
			passed = t.Run(l.ID+"/"+o.Check, func(t *testing.T) {
				if o.State != langcheck.Passed {
					t.Error(o.Detail)
				}
			}) && passed
		}
		if passed {
			good++
		}
	}
	return good
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	if good := test(t); good < minimum {
		t.Errorf("%d languages pass all checks, want %d at least", good, minimum)
	}
}

// TestVersions checks the further versions of each language: those that assay installs, and what else this machine has.
func TestVersions(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, l := range list(t) {
		for _, v := range l.Versions[min(1, len(l.Versions)):] {
			ids = append(ids, v.ID)
		}
	}
	if len(ids) == 0 {
		t.Fatal("no language has a second version")
	}
	test(t, ids...)
}

// foreign have no package in Debian 12: they are for hosts that have them.
func foreign(id string) bool {
	return slices.Contains([]string{"dart", "fsharp", "julia", "swift", "vb", "zig"}, id)
}

// TestAvailable: what assay can install is there.
func TestAvailable(t *testing.T) {
	t.Parallel()
	languages := list(t)
	names, err := fs.Glob(definitions.Files, "*.yaml")
	if err != nil || len(names) != len(languages) {
		t.Fatalf("%d definitions, %d languages, %v", len(names), len(languages), err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(definitions.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := language.Decode(name, data, definitions.Files)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(languages, func(l language.Info) bool { return l.ID == d.ID })
		if i < 0 {
			t.Errorf("%s is not listed", d.ID)
			continue
		}
		l := languages[i]
		switch {
		case l.Available && l.Version == "" && len(d.Version.Args) > 0:
			t.Errorf("%s does not tell its version", d.ID)
		case !l.Available && !foreign(d.ID):
			t.Errorf("%s is not available: %s", d.ID, l.Reason)
		case !l.Available && l.Reason == "":
			t.Errorf("%s is not available, without a reason", d.ID)
		}
	}
}
