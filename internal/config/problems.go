package config

import (
	"fmt"
	"strings"
)

// Problem is one setting that cannot be used.
type Problem struct {
	Setting string // name, as in the table; "" for the file as a whole
	Source  string // where the value came from: "--workers", "ASSAY_WORKERS" or "assay.yaml: workers"
	Value   string // the value as it was given; never that of a secret
	Wrong   string // what is wrong
	Fix     string // what to give instead
}

// String is the problem on one line.
func (p Problem) String() string {
	where := p.Source
	if where == "" {
		where = p.Setting
	}
	text := where + ": "
	if p.Value != "" {
		text += fmt.Sprintf("%q ", p.Value)
	}
	text += p.Wrong
	if p.Fix != "" {
		text += " (" + p.Fix + ")"
	}
	return text
}

// Problems are all settings that cannot be used, as an error with one line for each.
type Problems []Problem

// Error lists the problems.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problem fills in what the table knows of a setting.
func (s Setting) problem(source, value, wrong, fix string) Problem {
	if s.Secret {
		value = ""
	}
	return Problem{Setting: s.Name, Source: source, Value: value, Wrong: wrong, Fix: fix}
}
