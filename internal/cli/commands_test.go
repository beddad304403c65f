package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"assay/internal/fault"
)

func TestLanguages(t *testing.T) {
	t.Parallel()
	got := executeClean(t, &fakeHost{}, "", "languages")
	for _, want := range []string{"cpp   yes        12.2.0   .cpp        standard\n", "rust  no         -        .rs         rustc is missing\n"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("missing %q in\n%s", want, got.out)
		}
	}
	if strings.Contains(got.out, "\x1b") {
		t.Error("colours without a terminal")
	}
	got = executeClean(t, &fakeHost{}, "", "languages", "--json")
	var list struct {
		Languages []map[string]any `json:"languages"`
	}
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || len(list.Languages) != 2 {
		t.Fatalf("%v: %s", err, got.out)
	}
	for _, key := range []string{"id", "name", "version", "aliases", "extensions", "options", "available", "reason"} {
		if v, ok := list.Languages[1][key]; !ok || v == nil {
			t.Errorf("%s is %v", key, v)
		}
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		findings []Finding
		code     int
		want     string
	}{
		{"all well", []Finding{{Name: "cgroup", OK: true, Required: true, Detail: "v1"}}, 0, "every guarantee"},
		{"an extra is absent", []Finding{{Name: "landlock", Detail: "no", Remedy: "a newer kernel"}}, 0, "→ a newer kernel"},
		{"a need is missing", []Finding{{Name: "cgroup", Required: true, Detail: "none\nat all"}}, 1, "missing  cgroup  none at all"},
		{"what it is for", []Finding{{Name: "landlock", Detail: "no", Meaning: "a second layer"}}, 0, "second layer\n"},
		{"advice costs no guarantee", []Finding{{Name: "swap", Advice: true, Detail: "on", Remedy: "swapoff -a"}}, 0, "every guarantee. The advice"},
		{"advice beside what is absent", []Finding{{Name: "swap", Advice: true}, {Name: "landlock"}}, 0, "second line of defence"},
		{"advice beside a need", []Finding{{Name: "swap", Advice: true}, {Name: "cgroup", Required: true}}, 1, "1 required"},
	} {
		got := executeClean(t, &fakeHost{findings: tt.findings}, "", "doctor")
		if got.code != tt.code || !strings.Contains(got.out, tt.want) {
			t.Errorf("%s: %+v", tt.name, got)
		}
		got = executeClean(t, &fakeHost{findings: tt.findings}, "", "doctor", "--json")
		var report struct{ Findings []map[string]any }
		if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.code != tt.code || len(report.Findings) != len(tt.findings) {
			t.Errorf("%s: %v, %+v", tt.name, err, got)
		}
		for _, f := range report.Findings {
			for _, key := range []string{"name", "ok", "required", "advice", "detail", "meaning", "remedy"} {
				if _, there := f[key]; !there {
					t.Errorf("%s: no %s in %v", tt.name, key, f)
				}
			}
		}
	}
	// The other codes for scripts: nothing was looked at.
	if got := executeClean(t, &fakeHost{}, "", "doctor", "--no-such-flag"); got.code != exitUsage {
		t.Errorf("a wrong flag: %+v", got)
	}
	if got := executeClean(t, &fakeHost{err: fault.Internalf(nil, "looking failed")}, "", "doctor"); got.code != exitInternal {
		t.Errorf("a failure: %+v", got)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	h := &fakeHost{}
	if got := executeClean(t, h, "", "serve", "--workers", "3", "--allow-guests", "--hosts", "a.example,b.example"); got.code != 0 || got.out != "serving\n" {
		t.Errorf("%+v", got)
	}
	if h.cfg.Workers != 3 || !h.cfg.AllowGuests || len(h.cfg.Hosts) != 2 {
		t.Errorf("settings %+v", h.cfg)
	}
	h.err = &fault.Error{Code: fault.Degraded, Message: "no cgroup", Hint: "run assay doctor"}
	if got := executeClean(t, h, "", "serve"); got.code != exitInternal || !strings.Contains(got.errors, "no cgroup") {
		t.Errorf("%+v", got)
	}
}

func TestServeStopsInOrder(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(Interrupted{15})
	if got := executeIn(t, ctx, &fakeHost{}, "", "serve", "--config", program(t, "empty.yaml", "")); got.code != 0 {
		t.Errorf("%+v", got)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	got := execute(t, &fakeHost{}, "", "version")
	for _, want := range []string{"assay 1.2.3\n", "commit abc\n", "go1.", "kernel "} {
		if !strings.Contains(got.out, want) {
			t.Errorf("missing %q in %q", want, got.out)
		}
	}
	got = execute(t, &fakeHost{}, "", "version", "--json")
	if !json.Valid([]byte(got.out)) || !strings.Contains(got.out, `"version":"1.2.3"`) {
		t.Errorf("%q", got.out)
	}
}

func TestHelpHasExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"run", "serve", "languages", "doctor", "version"} {
		got := execute(t, &fakeHost{}, "", name, "--help")
		if got.code != 0 || !strings.Contains(got.out, "Examples:\n  ") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	settings := program(t, "empty.yaml", "")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--language", ""}, "cpp\tC++\n"},
		{[]string{"--option", ""}, ""},
		{[]string{"--language", "c++", "--option", ""}, "standard=\tstandard\n"},
		{[]string{"--language", "cpp", "--option", "standard=c++2"}, "standard=c++20\n"},
		{[]string{"a.cpp", "--option", ""}, "standard=\tstandard\n"},
		{[]string{"--profile", "l"}, "leetcode\n"},
		{[]string{"--log-level", "d"}, "debug\n"},
	} {
		args := append([]string{"__complete", "run", "--config", settings}, tt.args...)
		if got := execute(t, &fakeHost{}, "", args...); got.code != 0 || !strings.Contains(got.out, tt.want) {
			t.Errorf("%q: %+v", tt.args, got)
		}
	}
	if got := execute(t, &fakeHost{}, "", "completion", "bash"); got.code != 0 || !strings.Contains(got.out, "__start_assay") {
		t.Errorf("completion bash: exit code %d", got.code)
	}
}

func TestTableAlignsColouredCells(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := paint{on: true}
	err := writeTable(&b, [][]cell{{{"ok", p.green}, {text: "a"}}, {{"größer", nil}, {text: "b"}}})
	if want := "\x1b[32mok\x1b[0m      a\ngrößer  b\n"; err != nil || b.String() != want {
		t.Errorf("%q, %v", b.String(), err)
	}
}
