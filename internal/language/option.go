package language

import (
	"slices"
	"sort"
	"strings"

	"assay/internal/fault"
)

// option finds an option by name or alias.
func (d *Definition) option(name string) *Option {
	for i := range d.Options {
		if o := &d.Options[i]; o.Name == name || slices.Contains(o.Aliases, name) {
			return o
		}
	}
	return nil
}

// named finds an option by its name alone, as definitions refer to it.
func (d *Definition) named(name string) *Option {
	if o := d.option(name); o != nil && o.Name == name {
		return o
	}
	return nil
}

// names gives the values in the definition's order.
func (o *Option) names() []string {
	out := make([]string, len(o.Values))
	for i, v := range o.Values {
		out[i] = v.Name
	}
	return out
}

// value finds a value; known prefixes are taken off ("-std=c++20" is "20").
func (o *Option) value(text string) *Value {
	for {
		for i := range o.Values {
			if o.Values[i].Name == text {
				return &o.Values[i]
			}
		}
		shorter := text
		for _, prefix := range o.Prefixes {
			if rest, ok := strings.CutPrefix(text, prefix); ok && rest != "" && prefix != "" {
				shorter = rest
				break
			}
		}
		if shorter == text {
			return nil
		}
		text = shorter
	}
}

// expand gives the chosen values, in the definition's order and without repetition.
func (o *Option) expand(text string) ([]*Value, error) {
	texts := []string{text}
	if o.Multiple {
		texts = strings.Split(text, ",")
	}
	var chosen []*Value
	for _, t := range texts {
		v := o.value(strings.TrimSpace(t))
		if v == nil {
			return nil, fault.Invalidf("options."+o.Name, "use one of: "+strings.Join(o.names(), ", "), "%q is not a value of this option", t)
		}
		if !slices.Contains(chosen, v) {
			chosen = append(chosen, v)
		}
	}
	order := func(v *Value) int { return slices.IndexFunc(o.Values, func(w Value) bool { return w.Name == v.Name }) }
	sort.SliceStable(chosen, func(i, j int) bool { return order(chosen[i]) < order(chosen[j]) })
	return chosen, nil
}

// choice is what was chosen of each option, in the definition's order.
type choice [][]*Value

// choose checks the options of a request. fixed are those that the language's name set ("cpp@17"); the request wins.
func (d *Definition) choose(fixed, asked map[string]string) (choice, error) {
	if len(d.Options) == 0 && len(asked) == 0 {
		return nil, nil
	}
	texts := make(map[string]string, len(d.Options))
	for name, text := range fixed {
		texts[name] = text
	}
	given := map[string]string{}
	for name, text := range asked {
		o := d.option(name)
		if o == nil {
			return nil, fault.Invalidf("options."+name, d.optionsHint(), "%s has no such option", d.Name)
		}
		if other, twice := given[o.Name]; twice {
			return nil, fault.Invalidf("options."+name, "give it once", "the option is given as %q too", other)
		}
		given[o.Name] = name
		texts[o.Name] = text
	}
	chosen := make(choice, len(d.Options))
	for i := range d.Options {
		o := &d.Options[i]
		text, ok := texts[o.Name]
		if !ok {
			text = o.Default
		}
		var err error
		if chosen[i], err = o.expand(text); err != nil {
			return nil, err
		}
	}
	for _, c := range d.Conflicts {
		a, b := d.chosen(chosen, c.Option, c.Values), d.chosen(chosen, c.With, c.WithValues)
		if a != "" && b != "" {
			return nil, fault.Invalidf("options."+c.Option, c.Hint, "%s=%s does not go with %s=%s", c.Option, a, c.With, b)
		}
	}
	return chosen, nil
}

// chosen gives the first of names that was chosen for an option, or "".
func (d *Definition) chosen(c choice, option string, names []string) string {
	for i := range d.Options {
		if d.Options[i].Name != option {
			continue
		}
		for _, v := range c[i] {
			if slices.Contains(names, v.Name) {
				return v.Name
			}
		}
	}
	return ""
}

func (d *Definition) optionsHint() string {
	if len(d.Options) == 0 {
		return "leave it out: this language has no options"
	}
	names := make([]string, len(d.Options))
	for i := range d.Options {
		names[i] = d.Options[i].Name
	}
	return "use one of: " + strings.Join(names, ", ")
}

// args adds the arguments of one option ("option:NAME") or of all ("options").
func (d *Definition) args(c choice, placeholder string, to []string) []string {
	name, one := strings.CutPrefix(placeholder, optionPrefix)
	for i, chosen := range c {
		if one && d.Options[i].Name != name {
			continue
		}
		for _, v := range chosen {
			to = append(to, v.Args...)
		}
	}
	return to
}
