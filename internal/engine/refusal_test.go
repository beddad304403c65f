package engine

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// TestSyntaxErrors: an interpreter that refuses the source gives a compile error, with its words as the compiler's. A
// program's own error that reads like one is not.
func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stdout, stderr string
		exit           int
		refused        bool
	}{
		"refused":               {"half a line", "SyntaxError: line 1\n", 1, true},
		"refused with success":  {"refused", "", 0, true},
		"not at the start":      {"", "Traceback\nSyntaxError: line 1\n", 1, false},
		"with another code":     {"", "SyntaxError: line 1\n", 2, false},
		"success with the word": {"", "SyntaxError: line 1\n", 0, false},
	} {
		f := newFake(t)
		f.run = printing(test.stdout, test.stderr, sandbox.Report{
			Facts: verdict.Facts{ExitCode: test.exit}, CPUTime: 1500 * time.Microsecond, WallTime: time.Second, Memory: 4096,
		})
		r, err := newEngine(t, f, nil).Run(t.Context(), Request{Language: "script", Files: source("x")})
		if err != nil {
			t.Fatal(err)
		}
		if !test.refused {
			if r.Status == verdict.CompileError || r.Compile != nil || r.Stderr != test.stderr {
				t.Errorf("%s: %+v", name, r)
			}
			continue
		}
		want := Result{Status: verdict.CompileError, Message: "compilation failed", Compile: r.Compile}
		if !reflect.DeepEqual(r, want) || r.Compile == nil {
			t.Fatalf("%s: %+v", name, r)
		}
		wantCompile := Compile{Status: verdict.CompileError, Stdout: test.stdout, Stderr: test.stderr, ExitCode: &test.exit, CPUTimeMS: 1.5}
		if !reflect.DeepEqual(*r.Compile, wantCompile) {
			t.Errorf("%s: %+v", name, *r.Compile)
		}
	}
	// What went to live streams is not said again.
	f := newFake(t)
	f.run = printing("", "SyntaxError: line 1\n", sandbox.Report{Facts: verdict.Facts{ExitCode: 1}})
	var stdout, stderr bytes.Buffer
	r, err := newEngine(t, f, nil).Run(t.Context(), Request{Language: "script", Files: source("x"), Stdout: &stdout, Stderr: &stderr})
	if err != nil || r.Status != verdict.CompileError || r.Compile.Stderr != "" || stderr.String() != "SyntaxError: line 1\n" {
		t.Errorf("%+v, %v, stderr %q", r, err, &stderr)
	}
}
