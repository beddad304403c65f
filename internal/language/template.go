package language

import (
	"fmt"
	"strings"
)

// template is one argument: text with placeholders. "{name}" alone may stand for several arguments or none; within
// other text it must be a single one. "{{" is a brace.
type template struct {
	text  string // when parts is nil
	parts []part
}

// part is a piece of text, or a placeholder.
type part struct{ text, name string }

// textPrefix starts the placeholder of a text file beside the definitions: "{text:erlang.erl}" is the content of
// drivers/erlang.erl, as it is, so that a longer script for an interpreter is a file of its own.
const textPrefix = "text:"

// driversFolder holds those files.
const driversFolder = "drivers"

// optionPrefix starts the placeholder of one option's arguments.
const optionPrefix = "option:"

// templates parses a list of arguments; lists says whether placeholders for several are allowed.
func (d *Definition) templates(field string, texts []string, lists bool) ([]template, error) {
	out := make([]template, 0, len(texts))
	for i, text := range texts {
		t, err := parseTemplate(text)
		if err != nil {
			return nil, wrong(err.Error(), "%s[%d]", field, i)
		}
		for _, p := range t.parts {
			single, known := d.placeholder(p.name)
			switch {
			case p.name == "":
			case !known:
				return nil, wrong(fmt.Sprintf("unknown placeholder {%s}", p.name), "%s[%d]", field, i)
			case !single && (len(t.parts) > 1 || !lists):
				return nil, wrong(fmt.Sprintf("{%s} must be an argument of its own", p.name), "%s[%d]", field, i)
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// placeholder reports whether the name is known and whether it stands for exactly one argument.
func (d *Definition) placeholder(name string) (single, known bool) {
	switch name {
	case "source", "stem", "main_class", "heap_mib", "stack_kib", "memory_mib":
		return true, true
	case "sources", "options", "args":
		return false, true
	}
	if option, ok := strings.CutPrefix(name, optionPrefix); ok {
		return false, d.named(option) != nil
	}
	if text, ok := strings.CutPrefix(name, textPrefix); ok {
		_, known = d.texts[text]
		return true, known
	}
	_, tool := d.Requires[name]
	return tool, tool
}

func parseTemplate(text string) (template, error) {
	if !strings.Contains(text, "{") {
		return template{text: text}, nil
	}
	var parts []part
	literal := ""
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		literal += before
		if !found {
			break
		}
		if strings.HasPrefix(after, "{") {
			literal += "{"
			rest = after[1:]
			continue
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.ContainsAny(name, " {") {
			return template{}, fmt.Errorf(`%q: a placeholder looks like {name}; write "{{" for a brace`, text)
		}
		if literal != "" {
			parts = append(parts, part{text: literal})
			literal = ""
		}
		parts = append(parts, part{name: name})
		rest = tail
	}
	if parts == nil {
		return template{text: literal}, nil
	}
	if literal != "" {
		parts = append(parts, part{text: literal})
	}
	return template{parts: parts}, nil
}

// values are what placeholders stand for.
type values struct {
	single func(name string) string
	list   func(name string, to []string) []string
}

// expand gives the arguments.
func expand(d *Definition, templates []template, v values) []string {
	out := make([]string, 0, len(templates)+8)
	for i := range templates {
		t := &templates[i]
		switch {
		case t.parts == nil:
			out = append(out, t.text)
		case len(t.parts) == 1:
			if single, _ := d.placeholder(t.parts[0].name); single {
				out = append(out, v.single(t.parts[0].name))
			} else {
				out = v.list(t.parts[0].name, out)
			}
		default:
			var b strings.Builder
			for _, p := range t.parts {
				if p.name == "" {
					b.WriteString(p.text)
				} else {
					b.WriteString(v.single(p.name))
				}
			}
			out = append(out, b.String())
		}
	}
	return out
}
