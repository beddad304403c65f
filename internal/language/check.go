package language

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// fieldError is a mistake in one field of a definition.
type fieldError struct {
	path string // in YAML path syntax, without "$."
	text string
}

func (e *fieldError) Error() string { return e.path + ": " + e.text }

func wrong(text, format string, args ...any) error {
	return &fieldError{path: fmt.Sprintf(format, args...), text: text}
}

// located adds file and line to a mistake in a field; a field that is not there has no line of its own.
func located(file string, data []byte, err error) error {
	var e *fieldError
	if errors.As(err, &e) {
		for at := e.path; at != "" && at != "."; at = strings.TrimSuffix(at, path.Ext(at)) {
			p, pathErr := yaml.PathString("$." + at)
			if pathErr == nil {
				if node, nodeErr := p.ReadNode(bytes.NewReader(data)); nodeErr == nil && node != nil {
					return fmt.Errorf("%s:%d: %w", file, node.GetToken().Position.Line, err)
				}
			}
			if !strings.Contains(at, ".") {
				break
			}
		}
	}
	return fmt.Errorf("%s: %w", file, err)
}

// idPattern is what an id may look like: it is a file name and stands before "@".
const idPattern = `^[a-z][a-z0-9+-]*$`

// check validates everything and compiles templates and patterns.
func (d *Definition) check(file string) error {
	id := strings.TrimSuffix(path.Base(file), ".yaml")
	switch {
	case d.ID == "":
		return wrong("is missing", "id")
	case d.ID != id:
		return wrong(fmt.Sprintf("is %q, but the file name says %q", d.ID, id), "id")
	case !regexp.MustCompile(idPattern).MatchString(d.ID):
		return wrong("must match "+idPattern, "id")
	case d.Name == "":
		return wrong("is missing", "name")
	case d.Source.Name == "" || strings.Contains(d.Source.Name, "/"):
		return wrong("must be a file name", "source.name")
	case d.Source.Naming != "" && d.Source.Naming != namingJava:
		return wrong(fmt.Sprintf("%q is unknown; leave it out or use %q", d.Source.Naming, namingJava), "source.naming")
	case d.Source.Naming != "" && d.Source.Unit != "":
		return wrong("goes with no other naming rule", "source.unit")
	case d.Source.MaxMiB < 0 || d.Source.MaxMiB > 1024:
		return wrong("give 0 to 1024", "source.max_mib")
	case len(d.Run.Args) == 0:
		return wrong("is missing", "run.args")
	}
	for i, e := range d.Extensions {
		if len(e) < 2 || e[0] != '.' || e != strings.ToLower(e) {
			return wrong(`must start with a dot and be in lower case, as ".py"`, "extensions[%d]", i)
		}
	}
	for i, f := range d.Folders {
		if !path.IsAbs(f) {
			return wrong("must be an absolute path", "folders[%d]", i)
		}
	}
	if err := d.Source.compile(); err != nil {
		return err
	}
	if err := checkTools("requires", d.Requires); err != nil {
		return err
	}
	if err := d.checkVariants(); err != nil {
		return err
	}
	if err := d.checkOptions(); err != nil {
		return err
	}
	return d.checkPhases()
}

// compile compiles the pattern of the unit's name.
func (r *SourceRule) compile() (err error) {
	if r.Unit == "" {
		return nil
	}
	if r.unit, err = regexp.Compile(r.Unit); err != nil {
		return wrong(err.Error(), "source.unit")
	}
	if r.unit.NumSubexp() < 1 {
		return wrong("needs a group: the name", "source.unit")
	}
	return nil
}

func checkTools(field string, tools map[string][]string) error {
	for tool, candidates := range tools {
		if len(candidates) == 0 {
			return wrong("needs a candidate at least", "%s.%s", field, tool)
		}
		for i, c := range candidates {
			if !path.IsAbs(c) {
				return wrong("must be an absolute path", "%s.%s[%d]", field, tool, i)
			}
		}
	}
	return nil
}

func (d *Definition) checkVariants() error {
	for i, v := range d.Variants {
		field := fmt.Sprintf("variants[%d]", i)
		if len(v.Requires) == 0 {
			return wrong("is missing", "%s.requires", field)
		}
		if err := checkTools(field+".requires", v.Requires); err != nil {
			return err
		}
		for tool := range v.Requires {
			if _, ok := d.Requires[tool]; !ok {
				return wrong("the language requires no such tool", "%s.requires.%s", field, tool)
			}
		}
		if len(v.Aliases) > 0 && v.Name == "" {
			return wrong("only a variant with a name has aliases", "%s.aliases", field)
		}
	}
	return nil
}

func (d *Definition) checkOptions() error {
	seen := map[string]bool{}
	for i := range d.Options {
		o := &d.Options[i]
		for _, name := range append([]string{o.Name}, o.Aliases...) {
			if name == "" || seen[name] {
				return wrong(fmt.Sprintf("the name %q is empty or used twice", name), "options[%d].name", i)
			}
			seen[name] = true
		}
		if _, err := o.expand(o.Default); err != nil {
			return wrong(fmt.Sprintf("%q is not among the values", o.Default), "options[%d].default", i)
		}
	}
	for i, c := range d.Conflicts {
		for _, side := range []struct {
			field, option string
			values        []string
		}{{"values", c.Option, c.Values}, {"with_values", c.With, c.WithValues}} {
			o := d.named(side.option)
			if o == nil {
				return wrong(fmt.Sprintf("there is no option %q", side.option), "conflicts[%d]", i)
			}
			for _, v := range side.values {
				if !slices.Contains(o.names(), v) {
					return wrong(fmt.Sprintf("%q is not a value of %s", v, o.Name), "conflicts[%d].%s", i, side.field)
				}
			}
		}
	}
	if d.Version.Option != "" && d.named(d.Version.Option) == nil {
		return wrong("no such option", "version.option")
	}
	return nil
}

func (d *Definition) checkPhases() error {
	if len(d.Version.Args) > 0 {
		if _, err := regexp.Compile(d.Version.Pattern); err != nil {
			return wrong(err.Error(), "version.pattern")
		}
	}
	var err error
	if d.Version.args, err = d.templates("version.args", d.Version.Args, false); err != nil {
		return err
	}
	for i, t := range d.Version.args {
		for _, p := range t.parts {
			if _, tool := d.Requires[p.name]; p.name != "" && !tool {
				return wrong("only tools may stand in a version command", "version.args[%d]", i)
			}
		}
	}
	if d.Compile != nil {
		if len(d.Compile.Args) == 0 {
			return wrong("is missing", "compile.args")
		}
		if len(d.Compile.Outputs) == 0 {
			return wrong("is missing: which files does the compiler make?", "compile.outputs")
		}
		for i, pattern := range d.Compile.Outputs {
			if _, err := path.Match(pattern, ""); err != nil {
				return wrong(err.Error(), "compile.outputs[%d]", i)
			}
		}
		if err := d.checkPhase("compile", d.Compile); err != nil {
			return err
		}
	}
	if d.Compile != nil && len(d.Compile.SyntaxErrors) > 0 {
		return wrong("every failure of a compiler is a compile error already", "compile.syntax_errors")
	}
	if len(d.Run.Outputs) > 0 {
		return wrong("only compile has outputs", "run.outputs")
	}
	return d.checkPhase("run", &d.Run)
}

func (d *Definition) checkPhase(name string, p *Phase) (err error) {
	if p.args, err = d.templates(name+".args", p.Args, true); err != nil {
		return err
	}
	env := append(append([]string{}, d.Env...), p.Env...)
	for i, e := range env {
		if key, _, ok := strings.Cut(e, "="); !ok || key == "" {
			return wrong(`must be "KEY=value"`, "%s.env[%d]", name, max(0, i-len(d.Env)))
		}
	}
	if p.env, err = d.templates(name+".env", append(defaultEnv(), env...), false); err != nil {
		return err
	}
	if err := checkEndings(name+".memory_errors", p.MemoryErrors); err != nil {
		return err
	}
	return checkEndings(name+".syntax_errors", p.SyntaxErrors)
}

// checkEndings compiles the patterns.
func checkEndings(field string, endings []Ending) (err error) {
	for i := range endings {
		e := &endings[i]
		if e.ExitCode == nil && e.Signal == "" {
			return wrong("needs exit_code or signal", "%s[%d]", field, i)
		}
		if e.Stdout != "" {
			if e.stdout, err = regexp.Compile(e.Stdout); err != nil {
				return wrong(err.Error(), "%s[%d].stdout", field, i)
			}
		}
		if e.Stderr != "" {
			if e.stderr, err = regexp.Compile(e.Stderr); err != nil {
				return wrong(err.Error(), "%s[%d].stderr", field, i)
			}
		}
	}
	return nil
}
