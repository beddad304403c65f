package language

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"

	"github.com/goccy/go-yaml"
)

// Definition is one language's YAML file. docs/languages/adding.md describes every field.
type Definition struct {
	ID         string              `yaml:"id"`
	Name       string              `yaml:"name"`
	Aliases    []string            `yaml:"aliases"`
	Extensions []string            `yaml:"extensions"` // with the dot, in lower case
	Source     SourceRule          `yaml:"source"`
	Requires   map[string][]string `yaml:"requires"` // tool -> candidate paths; the first that exists is used
	Install    Install             `yaml:"install"`
	Variants   []Variant           `yaml:"variants"` // further toolchains of the same language, side by side
	Folders    []string            `yaml:"folders"`  // host folders that the sandbox must show besides the usual ones
	Version    VersionRule         `yaml:"version"`
	Options    []Option            `yaml:"options"`
	Conflicts  []Conflict          `yaml:"conflicts"`
	Env        []string            `yaml:"environment"` // "KEY=value", for compile and run
	Compile    *Phase              `yaml:"compile"`     // nil: interpreted
	Run        Phase               `yaml:"run"`

	texts map[string]string // the files that {text:NAME} stands for
}

// SourceRule says how a submission's files are named.
type SourceRule struct {
	Name       string `yaml:"name"`       // of a source without a name
	Naming     string `yaml:"naming"`     // "" or "java": after the public class
	Unit       string `yaml:"unit"`       // a regular expression: the main source is named after its first group
	Lower      bool   `yaml:"lower"`      // the unit's name is put into lower case
	Executable bool   `yaml:"executable"` // the file itself is run
	MaxMiB     int64  `yaml:"max_mib"`    // size limit of one file, when more than the usual one is needed

	unit *regexp.Regexp
}

// Variant is a further toolchain of a language: another version of the same tools, or another make of them.
type Variant struct {
	// Name is how the make is asked for: "clang" for cpp@clang and cpp@clang-14. Without one the version alone tells.
	Name    string   `yaml:"name"`
	Aliases []string `yaml:"aliases"` // of the language with this make: "clang++" is cpp@clang
	// Requires replaces the language's tools of the same names. A "*" in a path stands for anything within one element,
	// as in path.Match; each text that it matches is a toolchain of its own, and all tools of one toolchain share it.
	Requires map[string][]string `yaml:"requires"`
	// Install gets one toolchain of this variant; Versions are the names by which it is asked for besides Name ("22").
	Install  Install  `yaml:"install"`
	Versions []string `yaml:"versions"`
}

// Install says how the toolchain gets onto a host.
type Install struct {
	Apt     []string `yaml:"apt"`     // packages; "a | b" is b where there is no a
	NPM     []string `yaml:"npm"`     // global packages below /usr/local
	Prepare string   `yaml:"prepare"` // a script of languages/prepare
	Target  string   `yaml:"target"`  // its argument
}

// VersionRule says how the version is found.
type VersionRule struct {
	Args    []string `yaml:"args"`
	Pattern string   `yaml:"pattern"` // the first group is the version
	Option  string   `yaml:"option"`  // id@VALUE also sets this option, if VALUE is one of its values

	args []template
}

// Option is something that a request may choose.
type Option struct {
	Name        string   `yaml:"name"`
	Aliases     []string `yaml:"aliases"`
	Description string   `yaml:"description"`
	Prefixes    []string `yaml:"prefixes"` // taken off a value: "-O2" is "2"
	Multiple    bool     `yaml:"multiple"` // several values, joined by commas
	Default     string   `yaml:"default"`
	Values      []Value  `yaml:"values"`
}

// Value is one value of an option, and the arguments that it stands for.
type Value struct {
	Name string   `yaml:"name"`
	Args []string `yaml:"args"`
}

// Conflict names values of two options that do not go together.
type Conflict struct {
	Option     string   `yaml:"option"`
	Values     []string `yaml:"values"`
	With       string   `yaml:"with"`
	WithValues []string `yaml:"with_values"`
	Hint       string   `yaml:"hint"`
}

// Phase is one command: the compiler's or the program's.
type Phase struct {
	Args         []string `yaml:"args"`
	Outputs      []string `yaml:"outputs"` // compile only: patterns of path.Match; a leading "**/" is any depth
	Env          []string `yaml:"env"`
	Limits       Limits   `yaml:"limits"`
	Heap         Derived  `yaml:"heap"`          // {heap_mib}, from the memory limit
	Stack        Derived  `yaml:"stack"`         // {stack_kib}, from the stack limit
	MemoryErrors []Ending `yaml:"memory_errors"` // memory ran out
	SyntaxErrors []Ending `yaml:"syntax_errors"` // run only: the source was refused before it ran

	args, env []template
}

// Limits are what a language needs beyond the defaults; 0 keeps the default.
type Limits struct {
	CPUTimeMS  int64 `yaml:"cpu_time_ms"`
	WallTimeMS int64 `yaml:"wall_time_ms"`
	MemoryMiB  int64 `yaml:"memory_mib"`
	StackMiB   int64 `yaml:"stack_mib"`
	Processes  int   `yaml:"processes"`
	OutputKiB  int64 `yaml:"output_kib"`
	FileMiB    int64 `yaml:"file_mib"`
	FileCount  int   `yaml:"file_count"`
}

// Derived is how a runtime's own limit follows from the sandbox's: that one less a reserve, within bounds.
type Derived struct {
	ReserveMiB int64 `yaml:"reserve_mib"`
	MinimumMiB int64 `yaml:"minimum_mib"`
	MaximumMiB int64 `yaml:"maximum_mib"`
	ReserveKiB int64 `yaml:"reserve_kib"`
	MinimumKiB int64 `yaml:"minimum_kib"`
	MaximumKiB int64 `yaml:"maximum_kib"`
}

// of gives the derived limit in bytes.
func (d Derived) of(limit int64) int64 {
	const kib, mib = 1 << 10, 1 << 20
	limit -= d.ReserveMiB*mib + d.ReserveKiB*kib
	limit = max(limit, d.MinimumMiB*mib+d.MinimumKiB*kib, kib)
	if maximum := d.MaximumMiB*mib + d.MaximumKiB*kib; maximum > 0 {
		limit = min(limit, maximum)
	}
	return limit
}

// Ending is an end by which a runtime says something that its exit code alone does not: that it ran out of memory by
// itself, before the kernel enforced the limit, or that it refused the source. All that is given must hold.
type Ending struct {
	ExitCode *int   `yaml:"exit_code"`
	Signal   string `yaml:"signal"`
	Stdout   string `yaml:"stdout"` // regular expressions
	Stderr   string `yaml:"stderr"`

	stdout, stderr *regexp.Regexp
}

// Matches reports whether the end of a run is this one. signal is "" after an exit.
func (e *Ending) Matches(exitCode int, signal string, stdout, stderr []byte) bool {
	if e.Signal != signal || e.ExitCode != nil && *e.ExitCode != exitCode {
		return false
	}
	return (e.stdout == nil || e.stdout.Match(stdout)) && (e.stderr == nil || e.stderr.Match(stderr))
}

// Decode reads one definition. file is its name, of which the stem must be the id, and from is the folder that it is in.
// Errors name file, line and field.
func Decode(file string, data []byte, from fs.FS) (*Definition, error) {
	d := &Definition{}
	decoder := yaml.NewDecoder(bytes.NewReader(data), yaml.DisallowUnknownField())
	if err := decoder.Decode(d); err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			at := syntax.GetToken().Position
			return nil, fmt.Errorf("%s:%d:%d: %s", file, at.Line, at.Column, syntax.GetMessage())
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := d.readTexts(data, from); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := d.check(file); err != nil {
		return nil, located(file, data, err)
	}
	return d, nil
}

// readTexts reads the files that {text:NAME} stands for.
func (d *Definition) readTexts(data []byte, from fs.FS) error {
	if !bytes.Contains(data, []byte("{"+textPrefix)) {
		return nil
	}
	for _, m := range regexp.MustCompile(`\{`+textPrefix+`([a-z0-9.-]+)\}`).FindAllSubmatch(data, -1) {
		name := string(m[1])
		text, err := fs.ReadFile(from, path.Join(driversFolder, name))
		if err != nil {
			return fmt.Errorf("{%s%s}: %w", textPrefix, name, err)
		}
		if d.texts == nil {
			d.texts = map[string]string{}
		}
		d.texts[name] = string(text)
	}
	return nil
}

// defaultEnv is the environment of every compiler and program; a definition's own entries come after it and win.
func defaultEnv() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC"}
}
