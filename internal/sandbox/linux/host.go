package linux

import (
	"os"
	"path/filepath"
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

// devices are the device nodes of every sandbox.
var devices = [...]string{"null", "zero", "full", "random", "urandom", "tty"}

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

// rootLayout works out the binds and links of a slot's root from what the host has.
func rootLayout(folders []string) (binds []stub.Bind, links []stub.Link) {
	for _, path := range append(append(baseFolders[:], folders...), baseSettings[:]...) {
		path = filepath.Clean(path)
		info, err := os.Lstat(path)
		if err != nil || covered(path, binds) {
			continue
		}
		if info.Mode()&os.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			if err != nil {
				continue
			}
			links = append(links, stub.Link{Target: target, Name: path})
			continue
		}
		binds = append(binds, stub.Bind{Source: path, Target: path})
	}
	return binds, append(links,
		stub.Link{Target: "/box/tmp", Name: "/tmp"},
		stub.Link{Target: "/box/shm", Name: "/dev/shm"},
		stub.Link{Target: "/proc/self/fd", Name: "/dev/fd"},
		stub.Link{Target: "/proc/self/fd/0", Name: "/dev/stdin"},
		stub.Link{Target: "/proc/self/fd/1", Name: "/dev/stdout"},
		stub.Link{Target: "/proc/self/fd/2", Name: "/dev/stderr"},
	)
}

// covered reports whether a bind shows path already.
func covered(path string, binds []stub.Bind) bool {
	for _, b := range binds {
		if path == b.Target || strings.HasPrefix(path, b.Target+"/") {
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
