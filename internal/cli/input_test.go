package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assay/internal/engine"
	"assay/internal/verdict"
)

func TestFurtherFiles(t *testing.T) {
	t.Parallel()
	main, helper, table := program(t, "main.cpp", "main"), program(t, "helper.h", "helper"), program(t, "table.csv", "1,2")
	h := &fakeHost{result: engine.Result{Status: verdict.OK}}
	if got := executeClean(t, h, "", "run", "--file", helper, "-f", "data/t.csv="+table, main); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	var files []string
	for _, f := range h.req.Files {
		files = append(files, f.Name+":"+string(f.Content))
	}
	if got := strings.Join(files, " "); got != ":main helper.h:helper data/t.csv:1,2" {
		t.Errorf("files %q", got)
	}
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for wrong, words := range map[string]string{
		"":                      `--file "": give PATH or NAME=PATH`,
		"=" + helper:            "give PATH or NAME=PATH",
		"a=":                    "give PATH or NAME=PATH",
		dir:                     "is a directory",
		filepath.Join(dir, "x"): "cannot be opened",
		"/dev/zero":             "is not a regular file",
	} {
		if got := executeClean(t, &fakeHost{}, "", "run", "--file", wrong, main); got.code != exitUsage || !strings.Contains(got.errors, words) {
			t.Errorf("%q: %+v", wrong, got)
		}
	}
}

func TestNetworkIsAskedFor(t *testing.T) {
	t.Parallel()
	h := &fakeHost{result: engine.Result{Status: verdict.OK}}
	if got := executeClean(t, h, "", "run", "--network", program(t, "main.cpp", "main")); got.code != 0 || !h.req.Network {
		t.Errorf("%+v, network %t", got, h.req.Network)
	}
}
