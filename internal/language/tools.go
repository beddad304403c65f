package language

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

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

// stamp is the identity as a short text for a file name or a map's key.
func (l Language) stamp() string {
	return l.ID + " " + strconv.Quote(l.identity) + " " + strings.Join(l.Version.Args, " ") + " " + l.Version.Pattern
}
