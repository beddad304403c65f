// Package language knows the languages: what each is called, how its sources are named, compiled and run, and whether
// this host has its toolchain. Each is one YAML file, built in or in the operator's folder; no language needs Go code.
//
// Nothing runs an untrusted program here: the package makes argument lists, and package engine has them run.
package language

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"assay/internal/fault"
	"assay/languages"
)

// Options configure a catalog. The zero value is the built-in languages.
type Options struct {
	// Dir is a folder with further definitions (*.yaml); one with the id of a built-in language replaces it. "" is none.
	Dir string
	// Tools overrides where a required tool is: "cpp.compiler" -> "/usr/bin/g++-12".
	Tools map[string]string
	// CacheFile keeps detected versions between processes; "" keeps them in memory only.
	CacheFile string
	// Builtin replaces the built-in definitions; nil is package languages.
	Builtin fs.FS
}

// Catalog is the languages of this host. Safe for concurrent use.
//
// Decoding one definition takes about as long as a program's whole start, so only what is asked for is decoded: an id
// is a file name, and aliases and extensions are found by looking for the bare word in the files' text first. The
// search only narrows, the decoded definition decides; so there is no index to keep in step.
type Catalog struct {
	options  Options
	files    map[string]file // by id
	ids      []string        // sorted, those of Dir first, so that an operator's alias wins
	versions *versions

	mu      sync.Mutex
	decoded map[string]*Definition
}

// file is one definition that was not decoded yet.
type file struct {
	name string // for messages
	data []byte
	from fs.FS // its folder
}

// Language is one language with the tools that this host has for it.
type Language struct {
	*Definition
	toolchain
	fixed map[string]string // options set by the version in the name
}

// Open reads the definitions' text. Mistakes within a file are reported when that language is asked for, and by Check.
func Open(o Options) (*Catalog, error) {
	c := &Catalog{options: o, files: map[string]file{}, decoded: map[string]*Definition{}, versions: &versions{file: o.CacheFile}}
	builtin := o.Builtin
	if builtin == nil {
		builtin = languages.Files
	}
	if o.Dir != "" {
		if err := c.read(os.DirFS(o.Dir), o.Dir); err != nil {
			return nil, &fault.Error{
				Code: fault.Invalid, Field: "languages", Message: "cannot read the folder of language definitions",
				Hint: "check that it exists and is readable, or leave the setting out", Err: err,
			}
		}
	}
	if err := c.read(builtin, "languages"); err != nil {
		return nil, fmt.Errorf("read the built-in languages: %w", err)
	}
	for name := range o.Tools {
		id, _, ok := strings.Cut(name, ".")
		if _, known := c.files[id]; !ok || !known {
			return nil, fault.Invalidf("tools."+name, `write LANGUAGE.TOOL, as "cpp.compiler"`, "there is no such language")
		}
	}
	return c, nil
}

// read adds the definitions of a folder, except those already there.
func (c *Catalog) read(from fs.FS, folder string) error {
	entries, err := fs.ReadDir(from, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, isYAML := strings.CutSuffix(e.Name(), ".yaml")
		if _, have := c.files[id]; !isYAML || have || e.IsDir() {
			continue
		}
		data, err := fs.ReadFile(from, e.Name())
		if err != nil {
			return err
		}
		c.files[id] = file{name: path.Join(folder, e.Name()), data: data, from: from}
		c.ids = append(c.ids, id)
	}
	return nil
}

// Check decodes every definition and reports all mistakes, and names that two languages claim.
func (c *Catalog) Check() error {
	var errs []error
	owner := map[string]string{}
	for _, id := range c.ids {
		d, err := c.definition(id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, name := range slices.Concat([]string{d.ID}, d.Aliases, d.variantAliases(), d.Extensions) {
			if other, taken := owner[name]; taken && !c.shadows(other) {
				errs = append(errs, fmt.Errorf("%s: %q already names the language %s", c.files[id].name, name, other))
			}
			owner[name] = id
		}
	}
	return errors.Join(errs...)
}

// variantAliases are the names of the language's other makes.
func (d *Definition) variantAliases() []string {
	var names []string
	for _, v := range d.Variants {
		names = append(names, v.Aliases...)
	}
	return names
}

// shadows reports whether a definition is the operator's: its names may replace built-in ones.
func (c *Catalog) shadows(id string) bool {
	return c.options.Dir != "" && path.Dir(c.files[id].name) == path.Clean(c.options.Dir)
}

// definition decodes one definition, once.
func (c *Catalog) definition(id string) (*Definition, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.decoded[id]; ok {
		return d, nil
	}
	d, err := Decode(c.files[id].name, c.files[id].data, c.files[id].from)
	if err != nil {
		return nil, &fault.Error{Code: fault.Unavailable, Message: "the definition of language " + id + " is wrong", Hint: "mend the file", Err: err}
	}
	c.decoded[id] = d
	return d, nil
}

// find gives the first definition that mentions the word and is accepted, or nil. Definitions with mistakes are passed over.
func (c *Catalog) find(word string, accept func(*Definition) bool) *Definition {
	for _, id := range c.ids {
		if !mentions(c.files[id].data, word) {
			continue
		}
		if d, err := c.definition(id); err == nil && accept(d) {
			return d
		}
	}
	return nil
}

// mentions reports whether text has the word, with nothing of a YAML scalar around it.
func mentions(text []byte, word string) bool {
	ends := func(c byte) bool { return strings.IndexByte(" \t\r\n,[]\"'", c) >= 0 }
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(word))
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(word)
		if (start == 0 || ends(text[start-1])) && (end == len(text) || ends(text[end])) {
			return true
		}
		from = start + 1
	}
}

// Lookup finds a language by id or alias, in any letter case, with "@version" or without. A version is a prefix of the
// toolchain's ("python@3", "python@3.11"), a value of the language's version option ("cpp@17"), or another make of the
// tools ("cpp@clang", "cpp@clang-14"). The fault of a
// language that is unknown, or whose toolchain is missing here, is Unavailable: "language X is not available: …".
// With a toolchain's version the toolchain is asked, once, which takes up to the version command's time limit.
func (c *Catalog) Lookup(name string) (Language, error) {
	if name == "" {
		return Language{}, fault.Invalidf("language", "name a language, as \"python\"", "is missing")
	}
	base, version, versioned := strings.Cut(name, "@")
	base = strings.ToLower(base)
	var d *Definition
	if _, ok := c.files[base]; ok {
		var err error
		if d, err = c.definition(base); err != nil {
			return Language{}, err
		}
	} else if base != "" && len(base) <= maxNameLength {
		d = c.find(base, func(d *Definition) bool {
			if slices.Contains(d.Aliases, base) {
				return true
			}
			i := slices.IndexFunc(d.Variants, func(v Variant) bool { return slices.Contains(v.Aliases, base) })
			if i < 0 {
				return false
			}
			// "clang++@14" is cpp@clang-14.
			version = strings.TrimSuffix(d.Variants[i].Name+"-"+version, "-")
			versioned = true
			return true
		})
	}
	if d == nil {
		return Language{}, unavailable(name, "there is no such language", "`assay languages` lists those that there are")
	}
	l, reason := c.resolve(d)
	if reason != "" {
		return Language{}, unavailable(name, reason, "")
	}
	if versioned {
		return c.pin(l, name, version)
	}
	return l, nil
}

// maxNameLength is more than any name of a language; a longer one is not looked for.
const maxNameLength = 64

// unavailable is the fault of a language that cannot be used.
func unavailable(name, reason, hint string) error {
	if len(name) > maxNameLength {
		name = name[:maxNameLength] + "…"
	}
	return &fault.Error{
		Code: fault.Unavailable, Field: "", Message: fmt.Sprintf("language %s is not available: %s", strings.ToValidUTF8(name, "\uFFFD"), reason), Hint: hint,
	}
}

// ByExtension guesses the language of a file from its name.
func (c *Catalog) ByExtension(filename string) (Language, error) {
	extension := strings.ToLower(path.Ext(filename))
	var d *Definition
	if extension != "" && len(extension) <= maxNameLength {
		d = c.find(extension, func(d *Definition) bool { return slices.Contains(d.Extensions, extension) })
	}
	if d == nil {
		return Language{}, fault.Invalidf("language", "name it with --language", "cannot tell the language of %q from its name", path.Base(filename))
	}
	return c.Lookup(d.ID)
}

// IDs gives the ids of all languages, available or not, sorted.
func (c *Catalog) IDs() []string {
	ids := slices.Clone(c.ids)
	slices.Sort(ids)
	return ids
}

// Folders gives the host folders that the sandboxes of all available languages must show besides the usual ones.
func (c *Catalog) Folders() []string {
	var folders []string
	for _, id := range c.ids {
		if l, err := c.Lookup(id); err == nil {
			folders = append(folders, l.HostFolders()...)
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}
