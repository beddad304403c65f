package language

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// toolchain is one set of tools of a language that this host has.
type toolchain struct {
	name     string            // of the variant's make, or ""
	tools    map[string]string // name -> path
	identity string            // of the tools' files
}

// locate finds one set of tools. missing is what was not found, in words, or "".
func locate(required map[string][]string) (t toolchain, missing string) {
	t.tools = make(map[string]string, len(required))
	names := make([]string, 0, len(required))
	for name := range required {
		names = append(names, name)
	}
	slices.Sort(names)
	var identity strings.Builder
	for _, name := range names {
		found := false
		for _, candidate := range required[name] {
			info, err := os.Stat(candidate)
			if err != nil {
				continue
			}
			found = true
			t.tools[name] = throughAlternatives(candidate)
			fmt.Fprintf(&identity, "%s %d %d\n", t.tools[name], info.ModTime().UnixNano(), info.Size())
			break
		}
		if !found {
			return t, strings.Join(required[name], " or ") + " was not found"
		}
	}
	t.identity = identity.String()
	return t, ""
}

// locateVariant finds the toolchains of a variant: one for each text that the stars in its paths match, the newest first,
// and before them the one without stars.
func (c *Catalog) locateVariant(d *Definition, v *Variant) []toolchain {
	texts := map[string]bool{}
	for _, candidates := range v.Requires {
		for _, candidate := range candidates {
			paths, err := filepath.Glob(candidate)
			if err != nil {
				continue
			}
			for _, p := range paths {
				texts[starred(candidate, p)] = true
			}
		}
	}
	ordered := make([]string, 0, len(texts))
	for text := range texts {
		ordered = append(ordered, text)
	}
	slices.SortFunc(ordered, func(a, b string) int {
		if a == "" || b == "" { // the usual name comes first
			return len(a) - len(b)
		}
		return compareVersions(b, a)
	})
	var found []toolchain
	for _, text := range ordered {
		required := c.required(d)
		for tool, candidates := range v.Requires {
			required[tool] = candidatesFor(candidates, text)
		}
		if t, missing := locate(required); missing == "" {
			t.name = v.Name
			found = append(found, t)
		}
	}
	return found
}

// candidatesFor gives a tool's paths in the toolchain of one text: those with stars, or those without when the text is
// "", and the ones without for a tool that has no others.
func candidatesFor(candidates []string, text string) []string {
	var with, without []string
	for _, candidate := range candidates {
		if strings.Contains(candidate, "*") {
			with = append(with, fill(candidate, text))
		} else {
			without = append(without, candidate)
		}
	}
	if text == "" || len(with) == 0 {
		return without
	}
	return with
}

// required gives a copy of the tools' candidates, as the operator overrides them.
func (c *Catalog) required(d *Definition) map[string][]string {
	required := make(map[string][]string, len(d.Requires))
	for name, candidates := range d.Requires {
		if set, ok := c.options.Tools[d.ID+"."+name]; ok {
			candidates = []string{set}
		}
		required[name] = candidates
	}
	return required
}

// separator stands between the texts of several stars; no file name has it.
const separator = "/"

// starred gives what the stars of a pattern stand for in a path that matches it.
func starred(pattern, path string) string {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	m := regexp.MustCompile("^" + strings.Join(parts, "([^/]*)") + "$").FindStringSubmatch(path)
	if len(m) == 0 {
		return ""
	}
	return strings.Join(m[1:], separator)
}

// fill puts the texts in the place of the stars. With another number of stars it gives a path that is nowhere.
func fill(pattern, text string) string {
	parts := strings.Split(pattern, "*")
	texts := strings.Split(text, separator)
	if len(parts) == 1 {
		return pattern
	}
	if len(parts) != len(texts)+1 {
		return ""
	}
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part)
		if i < len(texts) {
			b.WriteString(texts[i])
		}
	}
	return b.String()
}

// compareVersions orders texts with numbers in them by the numbers: "3.9" before "3.11".
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, y := number(a), number(b)
		switch {
		case x != "" && y != "":
			m, n := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(m) != len(n) {
				return len(m) - len(n)
			}
			if order := strings.Compare(m, n); order != 0 {
				return order
			}
			a, b = a[len(x):], b[len(y):]
		case a[0] != b[0]:
			return int(a[0]) - int(b[0])
		default:
			a, b = a[1:], b[1:]
		}
	}
	return len(a) - len(b)
}

// number is the run of digits that a text starts with.
func number(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}

// with gives the language with another toolchain.
func (l Language) with(t toolchain) Language {
	l.toolchain = t
	return l
}

// resolve finds the language's own toolchain, or else the first of its variants. The reason is "" when there is one.
func (c *Catalog) resolve(d *Definition) (l Language, reason string) {
	l = Language{Definition: d}
	if len(d.Requires) == 0 {
		return l, ""
	}
	t, missing := locate(c.required(d))
	if missing == "" {
		return l.with(t), ""
	}
	for i := range d.Variants {
		if found := c.locateVariant(d, &d.Variants[i]); len(found) > 0 {
			return l.with(found[0]), ""
		}
	}
	if text := d.Install.String(); text != "" {
		missing += "; install it with: " + text
	}
	return l, missing
}

// toolchains gives all toolchains of a language that this host has: its own first, then those of its variants, each once.
func (c *Catalog) toolchains(d *Definition) []toolchain {
	var all []toolchain
	seen := map[string]bool{}
	add := func(t toolchain) {
		// One tool under two names is one toolchain: /usr/bin/python3 is python3.11.
		key := t.real()
		if !seen[key] {
			seen[key] = true
			all = append(all, t)
		}
	}
	if t, missing := locate(c.required(d)); missing == "" {
		add(t)
	}
	for i := range d.Variants {
		for _, t := range c.locateVariant(d, &d.Variants[i]) {
			add(t)
		}
	}
	return all
}

// real names the files that the tools are in the end.
func (t toolchain) real() string {
	names := make([]string, 0, len(t.tools))
	for name, file := range t.tools {
		if target, err := filepath.EvalSymlinks(file); err == nil {
			file = target
		}
		names = append(names, name+"="+file)
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}

// pin chooses what was asked for behind "@": a value of the version option ("cpp@17"), a make ("cpp@clang"), a make and a
// version ("cpp@clang-14"), or a version ("python@3.11"). A version is the toolchain's own or a prefix of it.
func (c *Catalog) pin(l Language, name, version string) (Language, error) {
	if o := l.named(l.Version.Option); o != nil {
		if v := o.value(version); v != nil {
			l.fixed = map[string]string{o.Name: v.Name}
			return l, nil
		}
	}
	if version == "" {
		return Language{}, unavailable(name, "the version behind @ is missing", "leave the @ out for the usual one")
	}
	ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
	defer cancel()
	defer c.versions.save()
	all := c.toolchains(l.Definition)
	for _, t := range all {
		if t.name != "" && strings.EqualFold(t.name, version) {
			return l.with(t), nil
		}
		rest := version
		if t.name != "" {
			if made, ok := strings.CutPrefix(version, t.name+"-"); ok {
				rest = made
			}
		}
		have := c.versions.of(ctx, l.with(t))
		if have == rest || strings.HasPrefix(have, rest+".") {
			return l.with(t), nil
		}
	}
	var there []string
	for _, t := range all {
		there = append(there, pinned(l.ID, t.name, c.versions.of(ctx, l.with(t))))
	}
	text := "this host has " + strings.Join(there, ", ")
	if o := l.named(l.Version.Option); o != nil {
		text += ", and " + l.ID + "@ with one of " + strings.Join(o.names(), ", ")
	}
	return Language{}, unavailable(name, text, "")
}

// VersionOf asks a toolchain for its version; "" when it does not tell.
func (c *Catalog) VersionOf(l Language) string {
	ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
	defer cancel()
	defer c.versions.save()
	return c.versions.of(ctx, l)
}

// pinned is the name by which exactly one toolchain is asked for.
func pinned(id, family, version string) string {
	switch {
	case family != "" && version != "":
		return id + "@" + family + "-" + version
	case family != "" || version != "":
		return id + "@" + family + version
	default:
		return id
	}
}
