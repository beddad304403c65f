package language

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"assay/internal/fault"
	"assay/languages"
)

// npmPrefix is where npm packages go: a sandbox shows nothing of home folders.
const npmPrefix = "/usr/local"

// String gives the commands that install a toolchain, for a message; "" when none is known.
func (i Install) String() string {
	var commands []string
	if len(i.Apt) > 0 {
		first := make([]string, len(i.Apt))
		for n, p := range i.Apt {
			first[n] = alternatives(p)[0]
		}
		commands = append(commands, "apt-get install "+strings.Join(first, " "))
	}
	if len(i.NPM) > 0 {
		commands = append(commands, "npm install -g --prefix "+npmPrefix+" "+strings.Join(i.NPM, " "))
	}
	if i.Prepare != "" {
		commands = append(commands, strings.TrimSpace("languages/prepare/"+i.Prepare+" "+i.Target))
	}
	return strings.Join(commands, "; ")
}

func (i Install) empty() bool { return len(i.Apt) == 0 && len(i.NPM) == 0 && i.Prepare == "" }

// alternatives are the packages of an entry like "rustc-web | rustc", the preferred one first.
func alternatives(entry string) []string {
	parts := strings.Split(entry, "|")
	for n := range parts {
		parts[n] = strings.TrimSpace(parts[n])
	}
	return parts
}

// installable gives the ids of the languages whose toolchains Install knows how to get, sorted.
func (c *Catalog) installable() []string {
	var ids []string
	for _, id := range c.IDs() {
		if d, err := c.definition(id); err == nil && !d.Install.empty() {
			ids = append(ids, id)
		}
	}
	return ids
}

// Install gets toolchains with this host's package managers: apt for "apt", npm for "npm", and the preparing scripts.
// An id may name a variant ("cpp@clang"); without ids every language is installed that the sources of the package manager
// have. What is there already stays. What the commands print goes to log. The error is a fault: Unavailable for a
// language that cannot be installed, or that is not there afterwards.
func (c *Catalog) Install(ctx context.Context, ids []string, log io.Writer) error {
	all := len(ids) == 0
	if all {
		ids = c.installable()
	}
	wanted, err := c.wanted(ids)
	if err != nil {
		return err
	}
	i := installer{log: log, without: map[string]bool{}}
	var errs []error
	if slices.ContainsFunc(wanted, func(w want) bool { return len(w.install.Apt) > 0 }) {
		if err := i.apt(ctx, wanted); err != nil {
			errs = append(errs, err)
		}
	}
	if err := i.npm(ctx, wanted); err != nil {
		errs = append(errs, err)
	}
	for _, w := range wanted {
		if w.install.Prepare != "" {
			if err := i.prepare(ctx, w.install); err != nil {
				errs = append(errs, fmt.Errorf("preparing %s: %w", w.id, err))
			}
		}
	}
	for _, w := range wanted {
		_, err := c.Lookup(w.id)
		if err != nil && all && i.without[w.id] {
			fmt.Fprintf(log, "Left out: %s, which this system's package sources do not have.\n", w.id)
		} else if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return &fault.Error{Code: fault.Unavailable, Message: "not everything could be installed", Err: errors.Join(errs...)}
	}
	return nil
}

// want is one toolchain to install.
type want struct {
	id      string // as it was asked for
	install Install
}

// wanted finds how to install what was asked for.
func (c *Catalog) wanted(ids []string) ([]want, error) {
	var all []want
	for _, asked := range ids {
		id, version, _ := strings.Cut(strings.ToLower(asked), "@")
		if _, ok := c.files[id]; !ok {
			return nil, unavailable(asked, "there is no such language", "`assay languages` lists the ids")
		}
		d, err := c.definition(id)
		if err != nil {
			return nil, err
		}
		install := d.Install
		if version != "" {
			install = Install{}
			for _, v := range d.Variants {
				if v.Name != "" && v.Name == version || slices.Contains(v.Versions, version) {
					install = v.Install
				}
			}
		}
		if install.empty() {
			return nil, unavailable(asked, "assay does not know how to install it", "install it by hand; `assay languages` says which files are looked for")
		}
		all = append(all, want{asked, install})
	}
	return all, nil
}

// installer runs package managers.
type installer struct {
	log     io.Writer
	without map[string]bool // ids that need packages which the host's sources do not have
}

// apt installs what is missing, all at once, or language by language where that fails: one package that cannot be
// installed must not keep the others away.
func (i installer) apt(ctx context.Context, wanted []want) error {
	installed, err := i.installed(ctx)
	if err != nil {
		return errors.New("there is no dpkg here: install the toolchains with this system's package manager; `assay languages` names Debian's packages")
	}
	missing := lacking(wanted, installed)
	if len(missing) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("run this as root, or: sudo apt-get install --no-install-recommends " + strings.Join(missing, " "))
	}
	// Asked again after the update, which fetches what a fresh machine does not know; not when there is nothing to gain.
	known, err := i.known(ctx, wanted)
	if err != nil || !i.listed() || len(i.obtainable(wanted, installed, known)) > 0 {
		// A foreign source that cannot be reached must not stop the rest.
		if err := i.run(ctx, "apt-get", "-q", "update"); err != nil {
			fmt.Fprintf(i.log, "apt-get update reported errors (%v); trying with what is known.\n", err)
		}
		if known, err = i.known(ctx, wanted); err != nil {
			return fmt.Errorf("asking which packages there are: %w", err)
		}
		clear(i.without)
	}
	install := func(w []want) error {
		packages := i.obtainable(w, installed, known)
		if len(packages) == 0 {
			return nil
		}
		return i.run(ctx, "apt-get", append([]string{"-q", "-y", "--no-install-recommends", "install"}, packages...)...)
	}
	if err := install(wanted); err == nil || len(wanted) == 1 {
		return err
	}
	var errs []error
	for _, w := range wanted {
		if err := install([]want{w}); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", w.id, err))
		}
	}
	return errors.Join(errs...)
}

// lacking gives the first choice of each package that is not installed.
func lacking(wanted []want, installed map[string]bool) []string {
	return choose(wanted, installed, func(choices []string) string { return choices[0] })
}

// obtainable gives the packages to install: of alternatives, the first that the host's sources have; of a language that
// needs one that they do not have, none.
func (i installer) obtainable(wanted []want, installed, known map[string]bool) []string {
	var all []string
	for _, w := range wanted {
		possible := true
		packages := choose([]want{w}, installed, func(choices []string) string {
			n := slices.IndexFunc(choices, func(p string) bool { return known[p] })
			if n < 0 {
				possible = false
				return choices[0]
			}
			return choices[n]
		})
		if possible {
			all = append(all, packages...)
		} else {
			i.without[w.id] = true
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// choose picks a package of each entry of which none is installed.
func choose(wanted []want, installed map[string]bool, pick func([]string) string) []string {
	var chosen []string
	for _, w := range wanted {
		for _, entry := range w.install.Apt {
			choices := alternatives(entry)
			if !slices.ContainsFunc(choices, func(p string) bool { return installed[p] }) {
				chosen = append(chosen, pick(choices))
			}
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

// installed asks dpkg once for everything that is there.
func (installer) installed(ctx context.Context) (map[string]bool, error) {
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n").Output()
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), " installed"); ok {
			there[name] = true
		}
	}
	return there, nil
}

// known asks apt once which of the packages its sources have.
func (installer) known(ctx context.Context, wanted []want) (map[string]bool, error) {
	args := []string{"policy"}
	for _, w := range wanted {
		for _, entry := range w.install.Apt {
			args = append(args, alternatives(entry)...)
		}
	}
	cmd := exec.CommandContext(ctx, "apt-cache", args...) //nolint:gosec // the definitions' own packages
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	have, name := map[string]bool{}, ""
	for line := range strings.Lines(string(out)) {
		if head, ok := strings.CutSuffix(strings.TrimSpace(line), ":"); ok && line[0] != ' ' {
			name = head
		} else if version, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok && version != "(none)" {
			have[name] = true
		}
	}
	return have, nil
}

// listed reports whether apt has fetched its sources' lists at all.
func (installer) listed() bool {
	lists, err := filepath.Glob("/var/lib/apt/lists/*Packages*")
	return err == nil && len(lists) > 0
}

func (i installer) npm(ctx context.Context, wanted []want) error {
	var packages []string
	for _, w := range wanted {
		for _, p := range w.install.NPM {
			if !npmPackage(p).installed() {
				packages = append(packages, p)
			}
		}
	}
	if len(packages) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("run this as root, or: sudo npm install -g --prefix " + npmPrefix + " " + strings.Join(packages, " "))
	}
	// Some packages of Node.js bring npm along and conflict with Debian's, so it is no package of a definition.
	if _, err := exec.LookPath("npm"); err != nil {
		if err := i.run(ctx, "apt-get", "-q", "-y", "--no-install-recommends", "install", "npm"); err != nil {
			return fmt.Errorf("npm is missing, and needed for %s: %w", strings.Join(packages, " "), err)
		}
	}
	args := []string{"install", "-g", "--prefix", npmPrefix, "--ignore-scripts", "--no-fund", "--no-audit", "--no-update-notifier"}
	return i.run(ctx, "npm", append(args, packages...)...)
}

// npmPackage is an npm package with its version: "typescript@5.9.3", "@types/node@20.19.25", "alias@npm:name@1.2.3".
type npmPackage string

// installed reports whether that version is there.
func (p npmPackage) installed() bool {
	at := strings.LastIndex(string(p), "@")
	name := string(p)[:max(at, 0)]
	if alias, _, ok := strings.Cut(name, "@npm:"); ok {
		name = alias
	}
	data, err := os.ReadFile(filepath.Join(npmPrefix, "lib/node_modules", name, "package.json"))
	return err == nil && strings.Contains(string(data), `"version": "`+string(p)[at+1:]+`"`)
}

// prepare runs a preparing script of the binary's own.
func (i installer) prepare(ctx context.Context, in Install) error {
	script, err := fs.ReadFile(languages.Files, "prepare/"+in.Prepare)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "assay-prepare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, in.Prepare)
	if err := os.WriteFile(file, script, 0o700); err != nil { //nolint:gosec // a script
		return err
	}
	var args []string
	if in.Target != "" {
		args = append(args, in.Target)
	}
	return i.run(ctx, file, args...)
}

// run runs one command with its words going to the log.
func (i installer) run(ctx context.Context, name string, args ...string) error {
	fmt.Fprintf(i.log, "+ %s %s\n", filepath.Base(name), strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the definition's own commands
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = i.log, i.log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}
