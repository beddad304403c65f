package language

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"assay/internal/fault"
)

// File is one file of a submission.
type File struct {
	Name    string
	Content []byte
}

// Input is what the command lines are made from.
type Input struct {
	Files   []File            // the first is the main source; an empty name is given the language's
	Args    []string          // the program's own
	Options map[string]string // of the language
	Memory  int64             // the run's limits, in bytes
	Stack   int64
}

// Plan is how one submission is compiled and run.
type Plan struct {
	Files   []File // with their final names
	Compile *Step  // nil: interpreted
	Run     Step
}

// Step is one command.
type Step struct {
	Args, Env []string
	// Outputs are patterns of the files that a compiler makes: path.Match for each folder level, and a leading "**/" is
	// any number of levels, none included.
	Outputs []string
}

// Plan names the files and makes the command lines. The error is a fault about options.
func (l Language) Plan(in Input) (Plan, error) {
	chosen, err := l.choose(l.fixed, in.Options)
	if err != nil {
		return Plan{}, err
	}
	if len(in.Args) > 0 && !l.Run.takesArgs() {
		return Plan{}, fault.Invalidf("args", "give the program its data on stdin", "a program in %s cannot be given arguments", l.Name)
	}
	files, mainClass := l.name(in.Files)
	phase := &l.Run
	v := values{
		single: func(name string) string {
			switch name {
			case "source":
				return files[0].Name
			case "stem":
				return strings.TrimSuffix(files[0].Name, path.Ext(files[0].Name))
			case "main_class":
				return mainClass
			case "heap_mib":
				return strconv.FormatInt(phase.Heap.of(in.Memory)>>20, 10)
			case "stack_kib":
				return strconv.FormatInt(phase.Stack.of(in.Stack)>>10, 10)
			case "memory_mib":
				return strconv.FormatInt(in.Memory>>20, 10)
			default:
				if text, ok := l.texts[strings.TrimPrefix(name, textPrefix)]; ok {
					return text
				}
				return l.tools[name]
			}
		},
		list: func(name string, to []string) []string {
			switch name {
			case "args":
				return append(to, in.Args...)
			case "sources":
				return l.sources(files, to)
			default:
				return l.args(chosen, name, to)
			}
		},
	}
	plan := Plan{Files: files}
	plan.Run = Step{Args: expand(l.Definition, phase.args, v), Env: expand(l.Definition, phase.env, v)}
	if l.Compile != nil {
		phase = l.Compile
		plan.Compile = &Step{
			Args: expand(l.Definition, phase.args, v), Env: expand(l.Definition, phase.env, v), Outputs: phase.Outputs,
		}
	}
	return plan, nil
}

// takesArgs reports whether the program's own arguments are part of the command.
func (p *Phase) takesArgs() bool {
	return slices.ContainsFunc(p.args, func(t template) bool { return len(t.parts) == 1 && t.parts[0].name == "args" })
}

// name gives every file its final name, without touching the caller's slice, and finds the main class.
func (l Language) name(files []File) (named []File, mainClass string) {
	if l.Source.Naming == namingJava {
		return nameJava(files, l.Source.Name)
	}
	if len(files) == 0 {
		return files, ""
	}
	name := files[0].Name
	if name == "" {
		name = l.Source.Name
	}
	if unit := l.Source.unitOf(files[0].Content); unit != "" {
		renamed := path.Join(path.Dir(name), unit+path.Ext(l.Source.Name))
		if !slices.ContainsFunc(files[1:], func(f File) bool { return f.Name == renamed }) {
			name = renamed
		}
	}
	if name != files[0].Name {
		files = slices.Clone(files)
		files[0].Name = name
	}
	return files, ""
}

// maxUnit is longer than a unit's name can be in a file's name that is sure to be accepted.
const maxUnit = 64

// unitOf finds the name that the compiler wants the file to have, or "".
func (r *SourceRule) unitOf(source []byte) string {
	if r.unit == nil {
		return ""
	}
	m := r.unit.FindSubmatch(source)
	if len(m) < 2 || len(m[1]) == 0 || len(m[1]) > maxUnit {
		return ""
	}
	unit := string(m[1])
	if strings.ContainsFunc(unit, func(c rune) bool {
		return c != '_' && !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z')
	}) {
		return ""
	}
	if r.Lower {
		unit = strings.ToLower(unit)
	}
	return unit
}

// sources adds the files in this language: the main one, and others by their extension.
func (l Language) sources(files []File, to []string) []string {
	for i, f := range files {
		if i == 0 || l.IsSource(f.Name) {
			to = append(to, f.Name)
		}
	}
	return to
}

// IsSource reports whether a file name has one of the language's extensions.
func (l Language) IsSource(name string) bool {
	return slices.Contains(l.Extensions, strings.ToLower(path.Ext(name)))
}
