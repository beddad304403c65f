package language

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"assay/internal/fault"
)

// several is a catalog whose language has toolchains side by side: its own 12.2.0, 9.4 and 13.1 of the same make, and two of
// another make, each with two tools.
func several(t *testing.T) (c *Catalog, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, version := range map[string]string{
		"cc": "12.2.0", "cc-9": "9.4.0", "cc-13": "13.1.0", "ld": "", "ld-13": "", "ld-9": "", "cc-ar": "",
		"other": "14.0.6", "other-19": "19.1.0",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho tool "+version+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The usual name is a link to one of the versions, as distributions have it.
	if err := os.Symlink("cc-13", filepath.Join(dir, "cc-13.1")); err != nil {
		t.Fatal(err)
	}
	text := `
id: lang
name: Lang
source: {name: main.l}
requires: {compiler: [DIR/cc], linker: [DIR/ld]}
variants:
  - requires: {compiler: [DIR/cc-*], linker: [DIR/ld-*]}
  - name: other
    aliases: [oth]
    requires: {compiler: [DIR/other, DIR/other-*]}
    install: {apt: [other-tools]}
version: {args: ["{compiler}"], pattern: 'tool ([0-9.]+)', option: standard}
options: [{name: standard, default: "17", values: [{name: "17", args: [-17]}]}]
run: {args: ["{compiler}", "{linker}", "{options}"]}
`
	files := fstest.MapFS{"lang.yaml": {Data: []byte(strings.ReplaceAll(text, "DIR", dir))}}
	return open(t, Options{Builtin: files}), dir
}

func TestVariants(t *testing.T) {
	t.Parallel()
	c, dir := several(t)
	for name, want := range map[string]string{
		"lang": "cc ld", "lang@12": "cc ld", "lang@17": "cc ld", "lang@9": "cc-9 ld-9", "lang@13.1": "cc-13 ld-13", "LANG@13.1.0": "cc-13 ld-13",
		// The make alone is its usual version.
		"lang@other": "other ld", "lang@other-14": "other ld", "lang@other-19": "other-19 ld", "oth": "other ld", "oth@19": "other-19 ld",
		"lang@19.1": "other-19 ld",
	} {
		l, err := c.Lookup(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		plan, err := l.Plan(Input{Files: []File{{}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(strings.Join(plan.Run.Args, " "), dir+"/", ""); got != want+" -17" {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"lang@11", "lang@other-20", "lang@", "oth@13", "lang@1", "lang@*", "lang@another"} {
		if _, err := c.Lookup(name); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := c.Lookup("lang@11")
	for _, there := range []string{"lang@12.2.0, lang@13.1.0, lang@9.4.0, lang@other-14.0.6, lang@other-19.1.0", "lang@ with one of 17"} {
		if !strings.Contains(err.Error(), there) {
			t.Errorf("the message does not name %s: %v", there, err)
		}
	}
}

// TestVariantsListed: every name in the list is one that a request may give, and each toolchain is there once.
func TestVariantsListed(t *testing.T) {
	t.Parallel()
	c, _ := several(t)
	info := c.List(t.Context())[0]
	var ids []string
	for _, v := range info.Versions {
		ids = append(ids, v.ID)
		l, err := c.Lookup(v.ID)
		if err != nil || c.VersionOf(l) != v.Version {
			t.Errorf("%+v: %v", v, err)
		}
	}
	want := []string{"lang@12.2.0", "lang@13.1.0", "lang@9.4.0", "lang@other-14.0.6", "lang@other-19.1.0"}
	if !slices.Equal(ids, want) || info.Version != "12.2.0" || !slices.Contains(info.Aliases, "oth") {
		t.Errorf("%+v, want %q", info, want)
	}
}

// TestOnlyAVariant: a host without the usual tools has the language all the same.
func TestOnlyAVariant(t *testing.T) {
	t.Parallel()
	c, dir := several(t)
	if err := os.Remove(filepath.Join(dir, "cc")); err != nil {
		t.Fatal(err)
	}
	l, err := c.Lookup("lang")
	if err != nil || c.VersionOf(l) != "13.1.0" {
		t.Errorf("%v, version %s", err, c.VersionOf(l))
	}
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	ordered := []string{"", "3", "3.9", "3.09.1", "3.11", "3.11.2", "3.12", "10", "a", "a9", "a10"}
	for i := range ordered {
		for j := range ordered {
			if got := compareVersions(ordered[i], ordered[j]); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("compareVersions(%q, %q) = %d", ordered[i], ordered[j], got)
			}
		}
	}
}

func TestStars(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ pattern, path, text string }{
		{"/usr/bin/gcc-*", "/usr/bin/gcc-12", "12"},
		{"/usr/lib/jvm/java-*-openjdk-*/bin/javac", "/usr/lib/jvm/java-17-openjdk-amd64/bin/javac", "17/amd64"},
		{"/opt/a+b/*", "/opt/a+b/x", "x"},
		{"/usr/bin/gcc", "/usr/bin/gcc", ""},
	} {
		if got := starred(test.pattern, test.path); got != test.text {
			t.Errorf("starred(%s) = %q", test.pattern, got)
		}
		if got := fill(test.pattern, test.text); got != test.path {
			t.Errorf("fill(%s) = %q", test.pattern, got)
		}
	}
	if got := fill("/a/*/b", "1/2"); got != "" {
		t.Errorf("another number of stars gives %q", got)
	}
}
