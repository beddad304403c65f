package language

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// versionTimeout bounds one version command. A cold Java compiler on a busy host takes seconds.
const versionTimeout = 15 * time.Second

// versionParallel is how many version commands run at once.
const versionParallel = 4

// Info is a language as clients see it (design.md, 5.2: GET /v1/languages).
type Info struct {
	ID         string                `json:"id"`
	Name       string                `json:"name"`
	Version    string                `json:"version"` // "" when unavailable, or when the toolchain does not tell
	Aliases    []string              `json:"aliases"`
	Extensions []string              `json:"extensions"`
	Options    map[string]OptionInfo `json:"options"`
	Versions   []VersionInfo         `json:"versions"` // of all toolchains that this host has, the usual one first
	Available  bool                  `json:"available"`
	Reason     string                `json:"reason"` // why it is not available, and how to change that
}

// VersionInfo is one toolchain of a language.
type VersionInfo struct {
	ID      string `json:"id"` // how a request asks for it: "python@3.11.2", "cpp@clang-14.0.6"
	Version string `json:"version"`
}

// OptionInfo is an option as clients see it.
type OptionInfo struct {
	Description string   `json:"description"`
	Values      []string `json:"values"`
	Default     string   `json:"default"`
	Multiple    bool     `json:"multiple"` // several values, joined by commas
}

// List gives all languages sorted by id, with the versions of their toolchains. Version commands run on the host, once
// for each toolchain, in parallel, and end with ctx.
func (c *Catalog) List(ctx context.Context) []Info {
	ids := c.IDs()
	infos := make([]Info, len(ids))
	tokens := make(chan struct{}, versionParallel)
	var wait sync.WaitGroup
	for i, id := range ids {
		wait.Go(func() {
			tokens <- struct{}{}
			infos[i] = c.info(ctx, id)
			<-tokens
		})
	}
	wait.Wait()
	c.versions.save()
	return infos
}

func (c *Catalog) info(ctx context.Context, id string) Info {
	d, err := c.definition(id)
	if err != nil {
		return Info{
			ID: id, Name: id, Aliases: []string{}, Extensions: []string{}, Options: map[string]OptionInfo{}, Versions: []VersionInfo{},
			Reason: err.Error(),
		}
	}
	info := Info{
		ID: d.ID, Name: d.Name, Aliases: append([]string{}, d.Aliases...), Extensions: append([]string{}, d.Extensions...),
		Options: make(map[string]OptionInfo, len(d.Options)), Versions: []VersionInfo{},
	}
	info.Aliases = append(info.Aliases, d.variantAliases()...)
	for i := range d.Options {
		o := &d.Options[i]
		info.Options[o.Name] = OptionInfo{Description: o.Description, Values: o.names(), Default: o.Default, Multiple: o.Multiple}
	}
	l, reason := c.resolve(d)
	if info.Reason = reason; reason == "" {
		info.Available = true
		info.Version = c.versions.of(ctx, l)
		for _, t := range c.toolchains(d) {
			version := c.versions.of(ctx, l.with(t))
			info.Versions = append(info.Versions, VersionInfo{ID: pinned(d.ID, t.name, version), Version: version})
		}
	}
	return info
}

// versions remembers what version commands said, by toolchain.
type versions struct {
	file string

	mu     sync.Mutex
	loaded bool
	dirty  bool
	known  map[string]string
}

// of gives a toolchain's version, from memory if it can.
func (v *versions) of(ctx context.Context, l Language) string {
	if len(l.Version.Args) == 0 {
		return ""
	}
	key := l.stamp()
	v.mu.Lock()
	v.load()
	version, ok := v.known[key]
	v.mu.Unlock()
	if ok {
		return version
	}
	version, err := l.askVersion(ctx)
	if err != nil {
		return "" // not remembered: the next one asks again
	}
	v.mu.Lock()
	v.known[key], v.dirty = version, true
	v.mu.Unlock()
	return version
}

// askVersion runs the version command on the host. It is the operator's own toolchain, not a submission.
func (l Language) askVersion(ctx context.Context) (string, error) {
	args := expand(l.Definition, l.Version.args, values{single: func(name string) string { return l.tools[name] }})
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the definition's own command
	cmd.Env = append(defaultEnv(), l.Env...)
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", err
	}
	pattern, err := regexp.Compile(l.Version.Pattern)
	if err != nil {
		return "", err
	}
	if m := pattern.FindSubmatch(out); len(m) > 1 {
		return string(m[1]), nil
	}
	return "", nil
}

// load reads the file once; without a usable one the memory starts empty. The caller holds the lock.
func (v *versions) load() {
	if v.loaded {
		return
	}
	v.loaded, v.known = true, map[string]string{}
	if v.file == "" {
		return
	}
	if data, err := os.ReadFile(v.file); err == nil {
		_ = json.Unmarshal(data, &v.known)
		if v.known == nil {
			v.known = map[string]string{}
		}
	}
}

// maxKnown bounds the file: toolchains that were replaced are never asked for again.
const maxKnown = 1000

// save writes the file when something is new. Failing to is harmless: the next process asks the toolchains again.
func (v *versions) save() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.dirty || v.file == "" {
		return
	}
	v.dirty = false
	if len(v.known) > maxKnown {
		v.known = map[string]string{}
	}
	data, err := json.MarshalIndent(v.known, "", " ")
	if err != nil {
		return
	}
	temporary, err := os.CreateTemp(filepath.Dir(v.file), ".versions-*")
	if err != nil {
		return
	}
	_, err = temporary.Write(data)
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary.Name(), v.file)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
}
