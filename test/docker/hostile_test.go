package docker

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"assay/internal/testtime"
)

// TestHostile runs the hostile suite in containers, by its test binary. Each of its tests counts as one of this test.
func TestHostile(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"smallest":   join(smallest(t), -1),
		"privileged": {"--privileged", "--tmpfs", "/run/assay:exec,dev,mode=711"},
	} {
		// One after the other: the suite looks at times.
		t.Run(name, func(t *testing.T) { hostile(t, flags) }) //nolint:paralleltest // see above
	}
}

// fewestCases: fewer that were run mean that something is wrong with the selection.
const fewestCases = 200

func hostile(t *testing.T, flags []string) {
	t.Helper()
	folder, err := filepath.Abs("../hostile")
	if err != nil {
		t.Fatal(err)
	}
	flags = slices.Concat(flags, []string{
		"-v", shared.path("hostile.test") + ":/opt/hostile.test:ro", "-v", folder + ":/suite:ro", "-w", "/suite", "-e", "TMPDIR=/run/assay", "-e", testtime.Variable,
	})
	o := inContainer(t, flags, "", "/opt/hostile.test", "-test.v", "-test.timeout=15m", "-test.run=^TestHostile$", "-test.skip="+foreign(t))
	cases := parse(o.out)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if !c.passed {
				t.Error(c.log.String())
			}
		})
	}
	if o.code != 0 || len(cases) < fewestCases {
		o.out = "" // is in the cases
		t.Errorf("%d cases; %s", len(cases), o)
	}
}

// suiteCase is how one case of the suite ended.
type suiteCase struct {
	passed bool
	log    strings.Builder
}

// parse reads what a test binary prints with -test.v: each line belongs to the test that was named last.
func parse(out string) map[string]*suiteCase {
	const prefix = "TestHostile/cases/"
	named := regexp.MustCompile(`^ *(?:=== (?:RUN|CONT|NAME|PAUSE)|--- (PASS|FAIL|SKIP):) +(\S+)`)
	all, ended := map[string]*suiteCase{}, map[string]*suiteCase{}
	var current *suiteCase
	for line := range strings.Lines(out) {
		m := named.FindStringSubmatch(line)
		if m == nil {
			if current != nil {
				current.log.WriteString(line)
			}
			continue
		}
		name, isCase := strings.CutPrefix(m[2], prefix)
		if current = nil; !isCase {
			continue
		}
		if all[name] == nil {
			all[name] = &suiteCase{}
		}
		current = all[name]
		if m[1] != "" {
			current.passed, ended[name] = m[1] == "PASS", current
		}
	}
	return ended
}

// TestParse: a case that failed is not taken for one that passed, and keeps its log.
func TestParse(t *testing.T) {
	t.Parallel()
	got := parse("=== RUN   TestHostile\n=== RUN   TestHostile/cases/a/one\n    x.go:1: first\n=== RUN   TestHostile/cases/a/two\n" +
		"=== NAME  TestHostile/cases/a/one\n    x.go:2: second\n--- FAIL: TestHostile (1.00s)\n        --- FAIL: TestHostile/cases/a/one (0.01s)\n" +
		"        --- PASS: TestHostile/cases/a/two (0.01s)\n        --- SKIP: TestHostile/cases/a/three (0.01s)\nFAIL\n")
	if len(got) != 3 || got["a/one"].passed || !got["a/two"].passed || got["a/three"].passed {
		t.Fatalf("%v", got)
	}
	if log := got["a/one"].log.String(); log != "    x.go:1: first\n    x.go:2: second\n" {
		t.Errorf("log %q", log)
	}
}

// foreign is the pattern of the cases whose language is not in the image.
func foreign(t *testing.T) string {
	t.Helper()
	there := []string{"bash", "c", "cpp", "exe", "perl", "python"}
	language := regexp.MustCompile(`(?m)^(?:second_)?language: *(\S+)`)
	files, err := filepath.Glob("../hostile/testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(b), "\n-- ")
		for _, m := range language.FindAllStringSubmatch(head, -1) {
			if !slices.Contains(there, m[1]) {
				folder, name := filepath.Split(strings.TrimSuffix(file, ".txtar"))
				patterns = append(patterns, "^TestHostile$/^cases$/^"+filepath.Base(folder)+"$/^"+name+"$")
				break
			}
		}
	}
	return strings.Join(patterns, "|")
}
