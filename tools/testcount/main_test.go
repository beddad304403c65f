package main

import (
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c, err := count(strings.NewReader(strings.Join([]string{
		`{"Action":"output","Package":"a","Test":"TestX","Output":"hidden\n"}`,
		`{"Action":"pass","Package":"a","Test":"TestX/one"}`,
		`{"Action":"pass","Package":"a","Test":"TestX"}`,
		`{"Action":"pass","Package":"a","Elapsed":1.5}`,
		`{"Action":"output","Package":"b","Test":"TestY","Output":"shown\n"}`,
		`{"Action":"fail","Package":"b","Test":"TestY"}`,
		`{"Action":"output","Package":"b","Test":"TestCut","Output":"a trace\n"}`,
		`{"Action":"fail","Package":"b"}`,
		`{"Action":"build-output","ImportPath":"c","Output":"c.go:1: no\n"}`,
		`{"Action":"fail","Package":"c"}`,
		`{"Action":"skip","Package":"d"}`,
		`{"Action":"skip","Package":"e","Test":"TestZ"}`,
		`go: a word of its own`,
	}, "\n")), &out)
	if err != nil || c.passed != 2 || c.failed != 3 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, want := range []string{"ok    a  1.5s", "shown", "CUT   b TestCut\na trace", "c.go:1: no", "SKIP  e TestZ", "a word of its own"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "hidden") {
		t.Error("the output of a test that passed is shown")
	}
	if _, err := count(strings.NewReader("go: no such package\n"), &out); err == nil {
		t.Error("no events are taken for success")
	}
}
