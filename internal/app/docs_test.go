package app

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// TestDocumentLinks follows every relative link of every Markdown file, to its heading if it names one.
func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	documents := 0
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"node_modules", ".git", "bin", ".cache"}, d.Name()):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		documents++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, wrong := range brokenLinks(path, string(text)) {
			t.Errorf("%s: %s", path, wrong)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents < 10 {
		t.Errorf("only %d documents were found", documents)
	}
}

var (
	fencePattern   = regexp.MustCompile("(?ms)^```.*?^```$")
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInSlug      = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// brokenLinks gives the links of a document that lead nowhere.
func brokenLinks(path, text string) []string {
	var wrong []string
	for _, match := range linkPattern.FindAllStringSubmatch(fencePattern.ReplaceAllString(text, ""), -1) {
		link := match[1]
		if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
			continue
		}
		file, heading, named := strings.Cut(link, "#")
		target, content := path, text
		if file != "" {
			target = filepath.Join(filepath.Dir(path), file)
			b, err := os.ReadFile(target)
			if info, statErr := os.Stat(target); statErr != nil || err != nil && !info.IsDir() {
				wrong = append(wrong, "the link to "+link+" leads nowhere")
				continue
			}
			content = string(b)
		}
		if named && !slices.Contains(headings(content), heading) {
			wrong = append(wrong, "there is no heading for "+link)
		}
	}
	return wrong
}

// headings gives the names by which the headings of a document can be linked to.
func headings(text string) []string {
	var names []string
	for _, match := range headingPattern.FindAllStringSubmatch(fencePattern.ReplaceAllString(text, ""), -1) {
		name := notInSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(match[1])), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func TestBrokenLinksAreFound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		wrong int
	}{
		{"[a](docs_test.go) [b](../app) [c](https://example.org/nothing) [d](#one-two)\n\n# One, two\n", 0},
		{"[a](nothing.md)", 1},
		{"[a](#nothing)", 1},
		{"[a](docs_test.go#nothing)", 1},
		{"```\n[a](nothing.md)\n```\n", 0},
	} {
		if got := brokenLinks("README.md", tt.text); len(got) != tt.wrong {
			t.Errorf("%q: %v", tt.text, got)
		}
	}
}

// namedFile is a path in backticks: with a folder, and with the ending of a file or below a folder of code.
var namedFile = regexp.MustCompile("`((?:cmd|internal|languages|docs|web|bench|test|scripts)(?:/[A-Za-z0-9_.-]+)*/?)`")

// TestArchitectureNamesFiles makes sure that the reading route leads somewhere: every file and folder in it is there.
func TestArchitectureNamesFiles(t *testing.T) {
	t.Parallel()
	text := architecture(t)
	names := namedFile.FindAllStringSubmatch(text, -1)
	if len(names) < 30 {
		t.Errorf("only %d files are named", len(names))
	}
	for _, match := range names {
		path := strings.TrimSuffix(match[1], "/...")
		if _, err := os.Stat(filepath.Join(repository, path)); err != nil {
			t.Errorf("ARCHITECTURE.md names %s: %v", match[1], err)
		}
	}
}

// TestArchitectureShowsLayers compares the table of layers with the one that is enforced.
func TestArchitectureShowsLayers(t *testing.T) {
	t.Parallel()
	text := architecture(t)
	for _, l := range layers {
		row := fmt.Sprintf("| %d | `%s` |", l.number, strings.TrimPrefix(l.path, "assay/"))
		if strings.Count(text, row) != 1 {
			t.Errorf("ARCHITECTURE.md does not have one row %s", row)
		}
	}
	if rows := regexp.MustCompile("(?m)^\\| \\d+ \\| `[^`]+` \\| ").FindAllString(text[strings.Index(text, "## Layers"):], -1); len(rows) != len(layers) {
		t.Errorf("ARCHITECTURE.md has %d layers, the table %d", len(rows), len(layers))
	}
}

func architecture(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
