package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/goccy/go-yaml"
)

const (
	envPrefix = "ASSAY_"
	// EnvFile names the file of settings; the flag --config wins over it.
	EnvFile = "ASSAY_CONFIG"
	// DefaultFile is read from the current folder when no other is named; it need not exist.
	DefaultFile = "assay.yaml"
	// maxFile bounds the file of settings: a larger one is some other file.
	maxFile = 1 << 20
)

// Sources are where settings come from, apart from the defaults.
type Sources struct {
	// File is the path given with --config; "" means ASSAY_CONFIG, then assay.yaml in the current folder if it exists.
	File string
	// Environ is the environment, as os.Environ gives it.
	Environ []string
	// Flags are the flags that were given, by name of the setting.
	Flags map[string]string
}

// Load reads all sources and checks the result. The error is a Problems with everything that is wrong, or that of
// reading the file. Warnings name variables ASSAY_… that no setting has: they are likely slips, but may belong to
// another version.
func Load(src Sources) (c Config, warnings []string, err error) {
	c = Default()
	env := environment(src.Environ)
	l := loader{config: &c, from: map[string]string{}}
	if err := l.file(src.File, env); err != nil {
		return Config{}, nil, err
	}
	l.environment(env)
	for _, s := range Table() {
		if text, ok := src.Flags[s.Name]; ok {
			l.set(s, "--"+s.Name, text)
		}
	}
	if c.RunDir == auto {
		c.RunDir = RunDir(os.Geteuid(), func(name string) string { return env[name] })
	}
	ps := append(l.problems, c.problems(l.from)...)
	if len(ps) > 0 {
		return Config{}, nil, ps
	}
	return c, unknownVariables(env), nil
}

// loader applies one source after the other.
type loader struct {
	config   *Config
	from     map[string]string // name of a setting to where its value came from
	problems Problems
}

func (l *loader) set(s Setting, source, text string) {
	if err := s.field(l.config).Set(text); err != nil {
		l.problems = append(l.problems, s.problem(source, text, "cannot be read", err.Error()))
		return
	}
	l.from[s.Name] = source
}

func (l *loader) environment(env map[string]string) {
	for _, s := range Table() {
		name := s.Env()
		text, ok := env[name]
		if !ok && s.EnvAlso != "" {
			name = s.EnvAlso
			text, ok = env[name]
		}
		// An empty variable is how a compose file or a unit says "not set".
		if ok && text != "" {
			l.set(s, name, text)
		}
	}
}

func (l *loader) file(path string, env map[string]string) error {
	named := true
	if path == "" {
		path = env[EnvFile]
	}
	if path == "" {
		path, named = DefaultFile, false
	}
	data, err := readFile(path, named)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading settings: %w", err)
	}
	values, err := parseFile(data)
	if err != nil {
		return fmt.Errorf("reading settings from %s: %w", path, err)
	}
	l.values(path, values)
	return nil
}

// values applies what the file says, in the order of the table, and reports keys that are not settings.
func (l *loader) values(path string, values map[string]any) {
	for _, s := range Table() {
		v, ok := values[s.Name]
		if !ok {
			continue
		}
		source := path + ": " + s.Name
		text, err := plain(v)
		if err != nil {
			l.problems = append(l.problems, s.problem(source, "", err.Error(), "see docs/configuration.md"))
			continue
		}
		l.set(s, source, text)
	}
	var unknown []string
	for key := range values {
		if !slices.ContainsFunc(Table(), func(s Setting) bool { return s.Name == key }) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		l.problems = append(l.problems, Problem{
			Source: path + ": " + key, Wrong: "is not a setting", Fix: nearest(key),
		})
	}
}

// readFile reads the file of settings. One that was merely found in the current folder is used only if nobody but
// root and the caller can have written it: it can name folders of the host to show to programs.
func readFile(path string, named bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if !named {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			foreign := st.Uid != 0 && int(st.Uid) != os.Geteuid()
			if foreign || info.Mode().Perm()&0o002 != 0 {
				return nil, fmt.Errorf("%s belongs to another user or is writable by all: name it with --config if you trust it", path)
			}
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %s", path, FormatSize(maxFile))
	}
	return data, err
}

// parseFile reads YAML into its top-level keys. Keys given twice are an error.
func parseFile(data []byte) (map[string]any, error) {
	var values map[string]any
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, errors.New(strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	return values, nil
}

// plain turns a value of the file into the text form that flags have.
func plain(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			text, err := scalar(item)
			if err != nil {
				return "", err
			}
			items[i] = text
		}
		return strings.Join(items, ","), nil
	case map[string]any:
		var items []string
		for key, item := range v {
			text, err := scalar(item)
			if err != nil {
				return "", err
			}
			items = append(items, key+"="+text)
		}
		slices.Sort(items)
		return strings.Join(items, ","), nil
	case string:
		return v, nil
	default:
		return scalar(v)
	}
}

// scalar is plain for an item of a list or map, where a comma would split it.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, ",") {
			return "", fmt.Errorf("has an item with a comma, %q", v)
		}
		return v, nil
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v), nil
	default:
		return "", errors.New("has a value of the wrong kind")
	}
}

// nearest suggests the setting that a misspelt key meant.
func nearest(key string) string {
	want := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key))
	for _, s := range Table() {
		if have := strings.ReplaceAll(s.Name, "-", ""); have == want || have == want+"s" || have+"s" == want {
			return "did you mean " + s.Name + "?"
		}
	}
	return "see docs/configuration.md for the names"
}

func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, item := range environ {
		if name, text, ok := strings.Cut(item, "="); ok {
			env[name] = text
		}
	}
	return env
}

func unknownVariables(env map[string]string) []string {
	known := map[string]bool{EnvFile: true}
	for _, s := range Table() {
		known[s.Env()] = true
	}
	var warnings []string
	for name := range env {
		if strings.HasPrefix(name, envPrefix) && !known[name] {
			warnings = append(warnings, name+" is set, but it is not a setting of this version")
		}
	}
	slices.Sort(warnings)
	return warnings
}
