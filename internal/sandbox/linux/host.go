package linux

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox/linux/stub"
)

// baseFolders are shown read-only in every sandbox: where Debian, Fedora, Alpine and their kin keep programs and
// libraries. Those that are links on this host become links.
var baseFolders = [...]string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// baseSettings are what toolchains read outside those folders: Debian's alternatives and the settings of runtimes.
var baseSettings = [...]string{
	"/etc/alternatives",
	"/etc/java-11-openjdk", "/etc/java-17-openjdk", "/etc/java-21-openjdk", "/etc/java-25-openjdk",
}

// copiedFiles are small settings of the host's libraries. They are copied, since each mount costs every run a few
// microseconds.
var copiedFiles = [...]string{"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d/*.conf"}

// etcFiles give programs the names that libraries ask for, and the libraries' own settings. None says anything else of the
// host.
func etcFiles() []stub.EtcFile {
	files := []stub.EtcFile{
		{Name: "/etc/passwd", Content: []byte("root:x:0:0::/:/bin/sh\nassay:x:1:1::/box/work:/bin/sh\n")},
		{Name: "/etc/group", Content: []byte("root:x:0:\nassay:x:1:\n")},
		{Name: "/etc/hosts", Content: []byte("127.0.0.1 localhost sandbox\n")},
		{Name: "/etc/nsswitch.conf", Content: []byte("passwd: files\ngroup: files\nhosts: files\n")},
	}
	for _, pattern := range copiedFiles {
		names, _ := filepath.Glob(pattern) // the patterns are well formed
		for _, name := range names {
			if b, err := os.ReadFile(name); err == nil {
				files = append(files, stub.EtcFile{Name: name, Content: b})
			}
		}
	}
	return files
}

// rootLayout works out the folders and links of a slot's root from what the host has.
func rootLayout(extra []string) (folders []string, links []stub.Link) {
	for _, path := range append(append(baseFolders[:], extra...), baseSettings[:]...) {
		path = filepath.Clean(path)
		info, err := os.Lstat(path)
		if err != nil || covered(path, folders) {
			continue
		}
		if info.Mode()&os.ModeSymlink != 0 {
			if target, err := os.Readlink(path); err == nil {
				links = append(links, stub.Link{Target: target, Name: path})
			}
			continue
		}
		folders = append(folders, path)
	}
	return withMounts(folders), append(links, stub.Link{Target: "/box/tmp", Name: "/tmp"})
}

// withMounts adds what is mounted below the folders, which an overlay of a folder does not show.
func withMounts(folders []string) []string {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return folders
	}
	all := folders
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		// A mount point with escaped characters is left out: no toolchain lies there.
		if len(fields) > 4 && !strings.Contains(fields[4], `\`) && !slices.Contains(all, fields[4]) && covered(fields[4], folders) {
			all = append(all, fields[4])
		}
	}
	return all
}

// covered reports whether path is one of the folders or lies below one.
func covered(path string, folders []string) bool {
	for _, f := range folders {
		if path == f || strings.HasPrefix(path, f+"/") {
			return true
		}
	}
	return false
}

// landlockABI gives the version of Landlock that the kernel offers, 0 for none (landlock_create_ruleset(2)).
func landlockABI() int {
	n, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return 0
	}
	return int(n)
}

// minLandlock is the first version in which a program may be allowed to rename files between folders.
const minLandlock = 2

// coreLimit is RLIMIT_CORE for programs. 0 keeps core files away, but a core_pattern that begins with "|" ignores it and
// starts a program of the host as root; only the value 1 stops that (core(5); fs/coredump.c).
func coreLimit() uint64 {
	b, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil || strings.HasPrefix(string(b), "|") {
		return 1
	}
	return 0
}
