package cli

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"assay/internal/fault"
	"assay/internal/langcheck"
)

func TestLanguagesInstall(t *testing.T) {
	t.Parallel()
	h := &fakeHost{}
	if got := executeClean(t, h, "", "languages", "install", "ocaml", "cpp@clang"); got.code != 0 || strings.Join(h.ids, " ") != "ocaml cpp@clang" || got.out != "" {
		t.Errorf("%+v, ids %q", got, h.ids)
	}
	if got := executeClean(t, h, "", "languages", "install", "--all"); got.code != 0 || len(h.ids) != 0 {
		t.Errorf("%+v, ids %q", got, h.ids)
	}
	for _, args := range [][]string{{}, {"--all", "c"}} {
		if got := executeClean(t, h, "", append([]string{"languages", "install"}, args...)...); got.code != exitUsage {
			t.Errorf("%q: %+v", args, got)
		}
	}
	h.err = &fault.Error{Code: fault.Unavailable, Message: "not everything could be installed", Err: errors.New("run this as root")}
	if got := executeClean(t, h, "", "languages", "install", "c"); got.code != exitUsage || !strings.Contains(got.errors, "run this as root") {
		t.Errorf("%+v", got)
	}
}

func TestLanguagesTest(t *testing.T) {
	t.Parallel()
	good := CheckedLanguage{ID: "good", Version: "1.2", Outcomes: []langcheck.Outcome{
		{Check: "hello", State: langcheck.Passed}, {Check: "sleep", State: langcheck.Absent, Detail: "it never sleeps"},
	}}
	bad := CheckedLanguage{ID: "bad", Outcomes: []langcheck.Outcome{
		{Check: "hello", State: langcheck.Failed, Detail: "no\nhello"}, {Check: "sleep", State: langcheck.Passed},
	}}
	args := []string{"languages", "test", "--check", "hello", "--check", "sleep", "--time-factor", "2.5", "good"}
	h := &fakeHost{checked: []CheckedLanguage{good}}
	want := "LANGUAGE          VERSION       HELLO SLEEP\n" +
		"good              1.2           ✓     -\n" +
		"\nWithout:\n  good sleep: it never sleeps\n" +
		"\n1 languages: 1 checks passed, 0 failed, 1 that a language has no means for.\n"
	if got := executeClean(t, h, "", args...); got.code != 0 || got.out != want {
		t.Errorf("%+v, want\n%s", got, want)
	}
	if h.checks.TimeFactor != 2.5 || strings.Join(h.checks.Only, " ") != "hello sleep" || strings.Join(h.ids, " ") != "good" {
		t.Errorf("options %+v, ids %q", h.checks, h.ids)
	}
	h.checked = []CheckedLanguage{good, bad}
	got := executeClean(t, h, "", args...)
	for _, part := range []string{"bad               -             FAIL  ✓\n", "\nFailed:\n  bad hello: no hello\n", "\n2 languages: 2 checks passed, 1 failed, 1 that"} {
		if got.code != exitFailed || !strings.Contains(got.out, part) {
			t.Errorf("%q is not there: %+v", part, got)
		}
	}
	got = executeClean(t, h, "", append(args, "--json")...)
	var object struct{ Languages []CheckedLanguage }
	if err := json.Unmarshal([]byte(got.out), &object); err != nil || got.code != exitFailed || len(object.Languages) != 2 || object.Languages[1].Outcomes[0].Detail != "no\nhello" {
		t.Errorf("%v, %+v", err, got)
	}
	for _, wrong := range [][]string{{"--check", "nope"}, {"--time-factor", "-1"}} {
		if got := executeClean(t, h, "", append([]string{"languages", "test"}, wrong...)...); got.code != exitUsage {
			t.Errorf("%q: %+v", wrong, got)
		}
	}
}
