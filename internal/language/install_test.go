package language

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"assay/internal/fault"
)

// TestInstall has package managers that only write down how they were called. They are found by PATH, so it runs alone.
func TestInstall(t *testing.T) {
	bin, calls := t.TempDir(), filepath.Join(t.TempDir(), "calls")
	made := filepath.Join(t.TempDir(), "made")
	for name, body := range map[string]string{
		// have is installed, old is the only one of two that the sources know.
		"dpkg-query": `printf 'have installed\ngone config-files\n'`,
		"apt-cache":  `shift; for p; do echo "$p:"; echo '  Installed: (none)'; case $p in new|nowhere) v='(none)';; *) v=1.0;; esac; echo "  Candidate: $v"; done`,
		"apt-get":    `echo "apt-get $*" >>` + calls + `; case "$*" in *broken*) exit 100;; *make-tool*) touch ` + made + `;; esac`,
		"npm":        `echo "npm $*" >>` + calls,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	second := filepath.Join(bin, "second")
	if err := os.WriteFile(second, []byte("#!/bin/sh\necho tool 7.1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	lang := func(id, requires, install string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("id: " + id + "\nname: X\nsource: {name: m}\nrequires: {tool: [" + requires + "]}\ninstall: " + install + "\nrun: {args: [\"{tool}\"]}\n" +
			"version: {args: [\"{tool}\"], pattern: 'tool (.*)'}\n" +
			"variants: [{name: second, versions: [\"7\"], requires: {tool: [" + second + "]}, install: {apt: [second-tool]}}]\n")}
	}
	c := open(t, Options{Builtin: fstest.MapFS{
		"a.yaml": lang("a", made, "{apt: [have, make-tool, new | old]}"),
		"b.yaml": lang("b", "/bin/sh", `{npm: ["@no/such-thing@1.0.0"]}`),
		"n.yaml": lang("n", "/bin/sh", "{}"),
		"z.yaml": {Data: []byte("id: z\nname: X\nsource: {name: m}\nrequires: {tool: [/nonexistent]}\ninstall: {apt: [nowhere]}\nrun: {args: [\"{tool}\"]}\n")},
		"x.yaml": lang("x", "/bin/sh", "{apt: [gone, broken]}"),
		"g.yaml": {Data: []byte("id: g\nname: X\nsource: {name: m}\nrequires: {tool: [/nonexistent]}\ninstall: {apt: [ghost]}\nrun: {args: [\"{tool}\"]}\n")},
	}})
	for _, test := range []struct {
		ids   string
		calls string
		fails string
	}{
		{ids: "a B", calls: "apt-get -q update\napt-get -q -y --no-install-recommends install make-tool old\n" +
			"npm install -g --prefix /usr/local --ignore-scripts --no-fund --no-audit --no-update-notifier @no/such-thing@1.0.0\n"},
		{ids: "a@second", calls: "apt-get -q update\napt-get -q -y --no-install-recommends install second-tool\n"},
		{ids: "a@7", calls: "apt-get -q update\napt-get -q -y --no-install-recommends install second-tool\n"},
		{ids: "a@8", fails: "assay does not know how to install it"},
		{ids: "n", fails: "assay does not know how to install it"},
		{ids: "nope", fails: "there is no such language"},
		// One that cannot be had does not keep the others away.
		{ids: "x a@second", calls: "apt-get -q update\napt-get -q -y --no-install-recommends install broken gone second-tool\n" +
			"apt-get -q -y --no-install-recommends install broken gone\napt-get -q -y --no-install-recommends install second-tool\n", fails: "x: apt-get: exit status 100"},
		// What is not there afterwards is no success.
		{ids: "g", calls: "apt-get -q update\napt-get -q -y --no-install-recommends install ghost\n", fails: "/nonexistent was not found"},
	} {
		if err := os.WriteFile(calls, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		err := c.Install(t.Context(), strings.Fields(test.ids), &log)
		if (err != nil) != (test.fails != "") || err != nil && (!strings.Contains(err.Error(), test.fails) || fault.CodeOf(err) != fault.Unavailable) {
			t.Errorf("%s: %v\n%s", test.ids, err, log.String())
		}
		if done, err := os.ReadFile(calls); err != nil || string(done) != test.calls {
			t.Errorf("%s: called\n%s, want\n%s", test.ids, done, test.calls)
		}
	}
	var log bytes.Buffer
	if err := os.WriteFile(calls, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := c.Install(t.Context(), nil, &log)
	if err == nil || strings.Contains(err.Error(), "language z ") || !strings.Contains(log.String(), "Left out: z, which") {
		t.Errorf("all: %v\n%s", err, log.String())
	}
	if done, err := os.ReadFile(calls); err != nil || strings.Contains(string(done), "nowhere") {
		t.Errorf("all: called\n%s, %v", done, err)
	}
	if got := strings.Join(c.installable(), " "); got != "a b g x z" {
		t.Errorf("installable: %s", got)
	}
}
