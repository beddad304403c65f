package config

import (
	"fmt"
	"path/filepath"
	"syscall"
)

// RunDir is the run folder when none is named: for root /run/assay, for anybody else a folder of their own that goes with the session
// or, without one, in /tmp. Compiled programs are executed from it, so root's is in /dev/shm where /run is mounted noexec, as
// some distributions do. getenv is os.Getenv.
func RunDir(euid int, getenv func(string) string) string {
	if euid == 0 {
		if noexec("/run") && !noexec("/dev/shm") {
			return "/dev/shm/assay"
		}
		return "/run/assay"
	}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && !noexec(dir) {
		return filepath.Join(dir, "assay")
	}
	return fmt.Sprintf("/tmp/assay-%d", euid)
}

// noexec reports whether files below a folder cannot be executed (statvfs(3), ST_NOEXEC), or there is no such folder.
func noexec(dir string) bool {
	const flag = 8
	var st syscall.Statfs_t
	return syscall.Statfs(dir, &st) != nil || st.Flags&flag != 0
}
