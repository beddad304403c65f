// Command testcount reads the output of `go test -json` and prints what a person wants to see of it: a line for each
// package, everything about failures, and nothing of tests that passed. It appends "PASSED FAILED" to the file that is
// its argument, and fails when a test failed.
//
// A skipped test counts as a failure: the tests of this repository run everywhere or are not worth having.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json ... | testcount FILE")
		os.Exit(2)
	}
	c, err := count(os.Stdin, os.Stdout)
	if err == nil {
		err = c.record(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	}
	if c.failed > 0 {
		os.Exit(1)
	}
}

// counts are the tests and subtests that ended.
type counts struct{ passed, failed int }

// event is one line of `go test -json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a package that does not build
	Test       string
	Elapsed    float64
	Output     string
}

// name is a test, or with an empty test a package.
type name struct{ pkg, test string }

// reader follows the events.
type reader struct {
	out    io.Writer
	counts counts
	said   map[name][]string // output of what has not ended yet
	blamed map[string]bool   // packages with a failed test
}

// count reads all events.
func count(in io.Reader, out io.Writer) (counts, error) {
	r := &reader{out: out, said: map[name][]string{}, blamed: map[string]bool{}}
	lines := bufio.NewReaderSize(in, 1<<20)
	events := 0
	for {
		line, readErr := lines.ReadBytes('\n')
		var e event
		if len(line) > 0 && json.Unmarshal(line, &e) != nil {
			fmt.Fprintf(out, "%s", line) // not of a test: the go command itself
		} else if len(line) > 0 {
			events++
			r.event(e)
		}
		if readErr == io.EOF && events == 0 {
			return r.counts, errors.New("there were no events: did go test start?")
		}
		if readErr == io.EOF {
			return r.counts, nil
		}
		if readErr != nil {
			return r.counts, fmt.Errorf("reading the events: %w", readErr)
		}
	}
}

func (r *reader) event(e event) {
	key := name{e.Package, e.Test}
	switch e.Action {
	case "output":
		r.said[key] = append(r.said[key], e.Output)
		return
	case "build-output":
		fmt.Fprint(r.out, e.Output)
		return
	case "pass":
		if e.Test == "" {
			fmt.Fprintf(r.out, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
		} else {
			r.counts.passed++
		}
	case "fail":
		r.failed("FAIL", key)
	case "skip":
		if e.Test != "" { // else it is a package without tests
			r.failed("SKIP", key)
		}
	default:
		return
	}
	delete(r.said, key)
}

// failed reports a test or a package. A package counts when none of its tests failed: it did not build, or it crashed.
func (r *reader) failed(word string, key name) {
	if key.test != "" || !r.blamed[key.pkg] {
		r.counts.failed++
	}
	r.blamed[key.pkg] = true
	fmt.Fprintf(r.out, "%s  %s %s\n%s", word, key.pkg, key.test, strings.Join(r.said[key], ""))
	if key.test != "" {
		return
	}
	// What was said by tests that never came to an end, such as the trace of a panic.
	for other, texts := range r.said {
		if other.pkg == key.pkg && other.test != "" {
			fmt.Fprintf(r.out, "CUT   %s %s\n%s", other.pkg, other.test, strings.Join(texts, ""))
			delete(r.said, other)
		}
	}
}

// record appends the counts to a file.
func (c counts) record(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f, "%d %d\n", c.passed, c.failed); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
