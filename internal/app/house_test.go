package app

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The rules of the house that no linter in use here checks.
const (
	maxFileLines     = 500
	maxFunctionLines = 80
)

// forbidden are calls that tests must not make.
var forbidden = map[string]string{
	"time.Sleep": "wait for a condition, or use testing/synctest",
	"t.Skip":     "a test that cannot run must fail and say what is missing",
	"t.Skipf":    "a test that cannot run must fail and say what is missing",
	"t.SkipNow":  "a test that cannot run must fail and say what is missing",
	"b.Skip":     "a benchmark that cannot run must fail and say what is missing",
}

func TestHouseRules(t *testing.T) {
	t.Parallel()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no doc comment that says what belongs there", p.ImportPath)
		}
		for _, group := range [][]string{p.GoFiles, p.TestGoFiles, p.XTestGoFiles} {
			for _, name := range group {
				path := filepath.Join(p.Dir, name)
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				for _, wrong := range houseRules(path, text) {
					t.Error(wrong)
				}
			}
		}
	}
}

// houseRules gives what is wrong with one file.
func houseRules(path string, text []byte) []string {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.ParseComments)
	if err != nil {
		return []string{err.Error()}
	}
	if ast.IsGenerated(file) {
		return nil
	}
	var wrong []string
	if lines := bytes.Count(text, []byte("\n")); lines > maxFileLines {
		wrong = append(wrong, fmt.Sprintf("%s has %d lines; the most is %d: split it by its steps", path, lines, maxFileLines))
	}
	isTest := strings.HasSuffix(path, "_test.go")
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			lines := files.Position(n.End()).Line - files.Position(n.Pos()).Line
			if !isTest && lines > maxFunctionLines && !isTable(n) {
				wrong = append(wrong, fmt.Sprintf("%s: %s has %d lines; the most is %d", files.Position(n.Pos()), n.Name.Name, lines, maxFunctionLines))
			}
			if !isTest && n.Recv == nil && n.Name.Name == "init" {
				wrong = append(wrong, fmt.Sprintf("%s: init runs before anybody asked for it: call a constructor in app", files.Position(n.Pos())))
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && isTest {
				if reason, bad := forbidden[x.Name+"."+n.Sel.Name]; bad {
					wrong = append(wrong, fmt.Sprintf("%s: no %s.%s: %s", files.Position(n.Pos()), x.Name, n.Sel.Name, reason))
				}
			}
		}
		return true
	})
	return wrong
}

// isTable reports whether a function only returns one value: a table, which package-level state must not hold.
func isTable(f *ast.FuncDecl) bool {
	if f.Body == nil || len(f.Body.List) != 1 {
		return false
	}
	_, ok := f.Body.List[0].(*ast.ReturnStmt)
	return ok
}

func TestHouseRulesFindOffences(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ path, text, want string }{
		"sleep":     {"a_test.go", "package a\nfunc f() { time.Sleep(1) }\n", "time.Sleep"},
		"skip":      {"a_test.go", "package a\nfunc f(t *testing.T) { t.Skip() }\n", "t.Skip"},
		"long file": {"a.go", "package a\n" + strings.Repeat("\n", maxFileLines), "lines"},
		"long func": {"a.go", "package a\nfunc f() {\nprint(1)\n" + strings.Repeat("\n", maxFunctionLines) + "}\n", "f has"},
		"init":      {"a.go", "package a\nfunc init() {}\n", "init runs"},
	} {
		if got := houseRules(tt.path, []byte(tt.text)); len(got) != 1 || !strings.Contains(got[0], tt.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := houseRules("a.go", []byte("package a\nfunc f() { time.Sleep(1) }\n")); len(got) != 0 {
		t.Errorf("a sleep outside of a test: %v", got)
	}
}

// The toolchain is named in go.mod, where Go reads it, and in scripts/go.sh, which runs before there is any Go.
func TestToolchainIsPinnedOnce(t *testing.T) {
	t.Parallel()
	mod := find(t, "../../go.mod", `(?m)^toolchain go(\S+)$`)
	script := find(t, "../../scripts/go.sh", `(?m)^GO_PINNED=(\S+)`)
	if mod != script {
		t.Errorf("go.mod pins Go %s, scripts/go.sh %s", mod, script)
	}
	if !strings.HasPrefix(mod, find(t, "../../scripts/go.sh", `(?m)^GO_LANGUAGE=(\S+)`)+".") {
		t.Errorf("the least Go of scripts/go.sh does not go with %s", mod)
	}
}

func find(t *testing.T, path, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(pattern).FindSubmatch(text)
	if match == nil {
		t.Fatalf("%s does not match %s", path, pattern)
	}
	return string(match[1])
}
