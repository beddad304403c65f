package langcheck

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"golang.org/x/tools/txtar"

	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/verdict"
)

// Programs are one language's programs, one for each check.
type Programs struct {
	notes notes
	files map[string][]engine.SourceFile // by check; the first is the main source
}

// notes are what a language's file says before its programs.
type notes struct {
	// Without names the checks that the language has no means for, with the reason.
	Without map[string]string `yaml:"without"`
	// Overflow is how endless recursion ends: runtime_error, or memory_limit_exceeded where frames live on the heap.
	Overflow verdict.Status `yaml:"overflow"`
	// Options are of the language, for all programs.
	Options map[string]string `yaml:"options"`
}

// Load reads the programs of a language: ID.txtar in the folder "probe" of one of the file systems, the first that has it.
// Errors name the file and what is wrong in it.
func Load(id string, from ...fs.FS) (*Programs, error) {
	name := path.Join("probe", id+".txtar")
	for _, fsys := range from {
		data, err := fs.ReadFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the programs of language %s: %w", id, err)
		}
		return Parse(name, data)
	}
	return nil, &fault.Error{
		Code: fault.Unavailable, Message: "there are no programs to check language " + id + " with",
		Hint: "write them into " + name + " in the folder of language definitions; docs/languages/adding.md describes the file",
	}
}

// Parse reads the programs in a file in the txtar format: the text before the first file is YAML (notes), and each file
// is CHECK, or CHECK/NAME where the check has several files or the file needs a name.
func Parse(name string, data []byte) (*Programs, error) {
	archive := txtar.Parse(data)
	p := &Programs{files: map[string][]engine.SourceFile{}}
	if len(bytes.TrimSpace(archive.Comment)) > 0 {
		decoder := yaml.NewDecoder(bytes.NewReader(archive.Comment), yaml.DisallowUnknownField())
		if err := decoder.Decode(&p.notes); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, f := range archive.Files {
		check, file, _ := strings.Cut(f.Name, "/")
		if !slices.Contains(sources(), check) {
			return nil, fmt.Errorf("%s: %q is not one of the checks: %s", name, check, strings.Join(sources(), ", "))
		}
		p.files[check] = append(p.files[check], engine.SourceFile{Name: file, Content: f.Data})
	}
	return p, p.check(name)
}

// Request is the request that runs a check's program in one language, without input, arguments and limits.
func (p *Programs) Request(check, language string) engine.Request {
	return engine.Request{Language: language, Files: p.files[check], Options: p.notes.Options}
}

// check makes sure that each check has a program or a reason to have none.
func (p *Programs) check(name string) error {
	switch p.notes.Overflow {
	case "", verdict.RuntimeError, verdict.MemoryLimitExceeded:
	default:
		return fmt.Errorf("%s: overflow: %q is not %s or %s", name, p.notes.Overflow, verdict.RuntimeError, verdict.MemoryLimitExceeded)
	}
	for check, reason := range p.notes.Without {
		switch {
		case !slices.Contains(sources(), check):
			return fmt.Errorf("%s: without: %q is not one of the checks: %s", name, check, strings.Join(sources(), ", "))
		case strings.TrimSpace(reason) == "":
			return fmt.Errorf("%s: without.%s: say why", name, check)
		case len(p.files[check]) > 0:
			return fmt.Errorf("%s: without.%s: there is a program for it", name, check)
		}
	}
	for _, check := range sources() {
		if _, excused := p.notes.Without[check]; len(p.files[check]) == 0 && !excused {
			return fmt.Errorf("%s: there is no program %q; write one, or say under \"without\" why the language has none", name, check)
		}
	}
	return nil
}
