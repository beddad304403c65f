package language

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// resolve finds the tools of a language. The reason is "" when all are there.
func (c *Catalog) resolve(d *Definition) (l Language, reason string) {
	l = Language{Definition: d}
	if len(d.Requires) == 0 {
		return l, ""
	}
	l.tools = make(map[string]string, len(d.Requires))
	names := make([]string, 0, len(d.Requires))
	for name := range d.Requires {
		names = append(names, name)
	}
	slices.Sort(names)
	var identity strings.Builder
	for _, name := range names {
		candidates := d.Requires[name]
		if set, ok := c.options.Tools[d.ID+"."+name]; ok {
			candidates = []string{set}
		}
		found := false
		for _, candidate := range candidates {
			info, err := os.Stat(candidate)
			if err != nil {
				continue
			}
			found = true
			l.tools[name] = throughAlternatives(candidate)
			fmt.Fprintf(&identity, "%s %d %d\n", l.tools[name], info.ModTime().UnixNano(), info.Size())
			break
		}
		if !found {
			reason = strings.Join(candidates, " or ") + " was not found"
			if text := d.Install.String(); text != "" {
				reason += "; install it with: " + text
			}
			return l, reason
		}
	}
	l.identity = identity.String()
	return l, ""
}

// throughAlternatives follows a link that leads through /etc/alternatives, which no sandbox shows. Other links stay: the
// name by which some programs are called tells them what to be.
func throughAlternatives(name string) string {
	for range 8 {
		target, err := os.Readlink(name)
		if err != nil {
			return name
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(name), target)
		}
		inside := strings.HasPrefix(name, "/etc/alternatives/")
		if !inside && !strings.HasPrefix(target, "/etc/alternatives/") {
			return name
		}
		name = target
	}
	return name
}

// Identity tells toolchains apart: it changes when a tool's file is replaced. It goes into the compile cache's keys.
func (l Language) Identity() string { return l.identity }

// HostFolders gives the folders that a sandbox must show for this language besides the usual ones; only those that exist.
func (l Language) HostFolders() []string {
	var folders []string
	for _, f := range l.Folders {
		if info, err := os.Stat(f); err == nil && info.IsDir() {
			folders = append(folders, f)
		}
	}
	return folders
}

// MaxSource is how many bytes one file may have; 0 is the usual limit.
func (l Language) MaxSource() int64 { return l.Source.MaxMiB << 20 }

// String gives the commands that install a toolchain, for a message; "" when none is known.
func (i Install) String() string {
	var commands []string
	if len(i.Apt) > 0 {
		commands = append(commands, "apt-get install "+strings.Join(i.Apt, " "))
	}
	if len(i.NPM) > 0 {
		commands = append(commands, "npm install -g --prefix /usr/local "+strings.Join(i.NPM, " "))
	}
	if i.Prepare != "" {
		commands = append(commands, strings.TrimSpace("languages/prepare/"+i.Prepare+" "+i.Target))
	}
	return strings.Join(commands, "; ")
}

// stamp is the identity as a short text for a file name or a map's key.
func (l Language) stamp() string {
	return l.ID + " " + strconv.Quote(l.identity) + " " + strings.Join(l.Version.Args, " ") + " " + l.Version.Pattern
}
