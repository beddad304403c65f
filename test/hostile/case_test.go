package hostile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assay/internal/verdict"
)

func noShared(string) ([]byte, error) { return nil, errors.New("there are none") }

func TestParse(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte(`# a comment
why: tries
language: c
expect: ok | runtime_error
cpu_time_ms: 1_000
arg: "a\nb"
option: standard="c\n17"
stdout_contains: x
stdout_contains: y
bytes: @Z@ "ab" * 3
host: slots canary
-- main.c --
int x;@Z@
-- stdin --
@Z@
-- stdout --
plain
`), noShared)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(c.Files[0].Content), "int x;ababab"; got != want {
		t.Errorf("source %q, want %q", got, want)
	}
	if got, want := string(c.Stdin), "ababab"; got != want {
		t.Errorf("stdin %q, want %q", got, want)
	}
	if c.Stdout == nil || *c.Stdout != "plain\n" {
		t.Errorf("stdout %v", c.Stdout)
	}
	if !slices.Equal(c.Expect, []verdict.Status{verdict.OK, verdict.RuntimeError}) {
		t.Errorf("expect %v", c.Expect)
	}
	if *c.Limits.CPUTimeMS != 1000 || c.Args[0] != "a\nb" || c.Options["standard"] != "c\n17" || len(c.StdoutContains) != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const good = "why: w\nlanguage: c\nexpect: ok\n"
	const source = "-- main.c --\nint x;\n"
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", good + "stdout_contain: x\n" + source, "no such key"},
		{"twice", good + "why: again\n" + source, "given twice"},
		{"empty", good + "stdout_not_contains:\n" + source, "is empty"},
		{"not a pair", good + "nonsense\n" + source, "not \"key: value\""},
		{"no why", "language: c\nexpect: ok\n" + source, "why:"},
		{"no expectation", "why: w\nlanguage: c\n" + source, "expect:"},
		{"internal error allowed", "why: w\nlanguage: c\nexpect: ok|internal_error\n" + source, "internal_error"},
		{"no source", good, "no source"},
		{"number", good + "processes: many\n" + source, "not a number"},
		{"host check", good + "host: moon\n" + source, "no check \"moon\""},
		{"second alone", good + source + "-- second/main.c --\nint y;\n", "again: true"},
		{"pair alone", good + "pair: true\n" + source, "second/"},
		{"choice", good + "truncated: maybe\n" + source, "neither"},
		{"section twice", good + source + source, "there twice"},
		{"name", good + "-- ../main.c --\nint x;\n", "not the name"},
		{"token", good + "bytes: Z \"x\"\n" + source, "not a token"},
		{"token in itself", good + "bytes: @Z@ \"@Z@\"\n" + source, "own token"},
		{"too many bytes", good + "bytes: @Z@ \"x\" * 99999999999\n" + source, "at most"},
		{"shared", good + "with: probe.h\n" + source, "there are none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse([]byte(tc.text), noShared); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no cases: %v", err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, noShared)
		if err == nil && (len(c.Files) == 0 || c.Why == "" || len(c.Expect) == 0 && c.Refused == "") {
			t.Errorf("accepted a case without what a case needs: %+v", c)
		}
	})
}
