package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// layers gives every package its number: a package imports only packages of strictly lower numbers. A folder that ends
// with "/..." stands for all below it, which may import each other.
var layers = []struct {
	path   string
	number int
}{
	{"assay/internal/fault", 0},
	{"assay/internal/config", 0},
	{"assay/internal/testtime", 0},
	{"assay/internal/nobody", 1},
	{"assay/languages", 0},
	{"assay/internal/verdict", 1},
	{"assay/internal/sandbox", 3},
	{"assay/internal/language", 3},
	{"assay/internal/sandbox/sandboxtest", 4},
	{"assay/internal/sandbox/linux/...", driver},
	{"assay/internal/probe", 4},
	{"assay/internal/bench", 5},
	{"assay/internal/engine", 5},
	{"assay/internal/api", 6},
	{"assay/internal/web", 6},
	{"assay/internal/langcheck", 6},
	{"assay/internal/cli", 7},
	{"assay/internal/app", 8},
	{"assay/cmd/assay", 9},
	{"assay/bench/...", 9},
	{"assay/test/built", 9},
	{"assay/test/...", 10},
}

// driver is the layer of sandbox drivers: they import layers up to 3, and only those who wire or test may import them.
const driver = 4

// wiring are the packages that may import a driver: app builds with it, main hands a slot's process over to it.
func wiring(path string) bool {
	return slices.Contains([]string{"assay/internal/app", "assay/cmd/assay"}, path) || strings.HasPrefix(path, "assay/test/") || strings.HasPrefix(path, "assay/bench/")
}

// listed is what `go list -json` says of one package.
type listed struct {
	ImportPath                         string
	Dir                                string
	Doc                                string
	Imports                            []string
	GoFiles, TestGoFiles, XTestGoFiles []string
}

// packages asks the go command once for all packages of the module.
var packages = sync.OnceValues(func() ([]listed, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports,GoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading go list: %w", err)
		}
		all = append(all, p)
	}
})

// layerOf gives a package's number, and the tree that it belongs to, if it is one.
func layerOf(path string) (number int, tree string, ok bool) {
	for _, l := range layers {
		if root, isTree := strings.CutSuffix(l.path, "/..."); isTree && (path == root || strings.HasPrefix(path, root+"/")) {
			return l.number, root, true
		} else if path == l.path {
			return l.number, "", true
		}
	}
	return 0, "", false
}

// violations gives what is wrong with the imports of one package.
func violations(p listed) []string {
	mine, tree, ok := layerOf(p.ImportPath)
	if !ok {
		return []string{p.ImportPath + " has no layer: add it to the table"}
	}
	var wrong []string
	for _, imported := range p.Imports {
		if !strings.HasPrefix(imported, "assay/") {
			continue
		}
		theirs, theirTree, ok := layerOf(imported)
		switch {
		case !ok:
			wrong = append(wrong, imported+" has no layer: add it to the table")
		case tree != "" && tree == theirTree:
		case theirs >= mine:
			wrong = append(wrong, fmt.Sprintf("%s (%d) must not import %s (%d)", p.ImportPath, mine, imported, theirs))
		case theirTree == "assay/internal/sandbox/linux" && !wiring(p.ImportPath):
			wrong = append(wrong, fmt.Sprintf("%s must not import the driver %s: declare an interface and let app pass it", p.ImportPath, imported))
		}
	}
	return wrong
}

func TestLayers(t *testing.T) {
	t.Parallel()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages were found", len(all))
	}
	for _, p := range all {
		for _, text := range violations(p) {
			t.Error(text)
		}
	}
}

func TestLayersFindViolations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path, imports string
		bad           bool
	}{
		{"assay/internal/engine", "assay/internal/language", false},
		{"assay/internal/engine", "fmt", false},
		{"assay/internal/engine", "assay/internal/api", true},
		{"assay/internal/api", "assay/internal/cli", true},
		{"assay/internal/engine", "assay/internal/sandbox/linux", true},
		{"assay/internal/app", "assay/internal/sandbox/linux", false},
		{"assay/internal/sandbox/linux", "assay/internal/sandbox/linux/cgroup", false},
		{"assay/internal/sandbox/linux/cgroup", "assay/internal/engine", true},
		{"assay/internal/novel", "fmt", true},
		{"assay/internal/app", "assay/internal/novel", true},
	} {
		if got := violations(listed{ImportPath: tt.path, Imports: []string{tt.imports}}); (len(got) > 0) != tt.bad {
			t.Errorf("%s imports %s: %v", tt.path, tt.imports, got)
		}
	}
}
