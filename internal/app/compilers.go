package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"assay/internal/config"
	"assay/internal/fault"
	"assay/internal/language"
	"assay/languages"
)

// toolPaths turns the setting compilers into what the catalog takes: "cpp" alone means the tool that tells the
// language's version, which is its compiler or interpreter; "java.javac" names one tool of several.
func toolPaths(cfg config.Config) (map[string]string, error) {
	tools := make(map[string]string, len(cfg.Compilers))
	for name, path := range cfg.Compilers {
		id, _, named := strings.Cut(name, ".")
		d, err := definition(cfg.LanguagesDir, id)
		if err != nil {
			return nil, err
		}
		if !named {
			tool, ok := mainTool(d)
			if !ok {
				return nil, fault.Invalidf("compilers", "write LANGUAGE.TOOL=PATH", "the language %s has no main tool", id)
			}
			name = id + "." + tool
		} else if _, known := d.Requires[strings.TrimPrefix(name, id+".")]; !known {
			return nil, fault.Invalidf("compilers", "leave the tool's name out to mean the compiler", "%s is not a tool of %s", name, id)
		}
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return nil, fault.Invalidf("compilers", "give the path of a program", "%s=%s is not a file", name, path)
		}
		tools[name] = path
	}
	return tools, nil
}

// mainTool is the tool that the version command begins with.
func mainTool(d *language.Definition) (string, bool) {
	if len(d.Version.Args) == 0 {
		return "", false
	}
	tool := strings.Trim(d.Version.Args[0], "{}")
	_, ok := d.Requires[tool]
	return tool, ok
}

// definition reads one language's file: the operator's, else the built-in one.
func definition(dir, id string) (*language.Definition, error) {
	name := id + ".yaml"
	// A name with a slash would leave the folder.
	if !fs.ValidPath(name) || strings.Contains(id, "/") {
		return nil, fault.Invalidf("compilers", "`assay languages` lists the ids", "there is no language %q", id)
	}
	var (
		data []byte
		from fs.FS
	)
	err := error(fs.ErrNotExist)
	if dir != "" {
		from = os.DirFS(dir)
		data, err = fs.ReadFile(from, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		from = languages.Files
		data, err = fs.ReadFile(from, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Invalidf("compilers", "`assay languages` lists the ids", "there is no language %q", id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the language %s: %w", id, err)
	}
	return language.Decode(name, data, from)
}
