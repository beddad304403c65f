package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"assay/internal/fault"
	"assay/internal/sandbox/linux/cgroup"
)

// DefaultRunDir is where instances of root keep what must not outlive the machine.
const DefaultRunDir = "/run/assay"

// maxInstances bounds how many instances can live side by side on one host.
const maxInstances = 1024

// instance is this process's locked share of the run folder: RUN/N.lock, held as long as the process lives, and RUN/N/.
// The kernel lets go of the lock when the process dies, however it dies (flock(2)); so a folder whose lock can be had
// belongs to nobody.
type instance struct {
	number int
	dir    string
	lock   *os.File
}

// cgroupsFile lists, in an instance's folder, the control groups to remove after it.
const cgroupsFile = "cgroups"

// openInstance removes what dead instances left and takes the first free number.
func openInstance(runDir string, who identity, log *slog.Logger) (*instance, error) {
	if err := makeRunDir(runDir); err != nil {
		return nil, &fault.Error{
			Code: fault.Internal, Message: "making the run folder", Err: err,
			Hint: "choose a writable one with --run-dir",
		}
	}
	if err := checkRunDir(runDir, who); err != nil {
		return nil, err
	}
	if err := sweep(runDir); err != nil {
		log.Warn("not all leftovers of dead instances could be removed", "err", err)
	}
	for n := range maxInstances {
		lock, err := tryLock(lockPath(runDir, n))
		if err != nil {
			return nil, err
		}
		if lock == nil {
			continue
		}
		in := &instance{number: n, dir: filepath.Join(runDir, strconv.Itoa(n)), lock: lock}
		if err := in.clear(); err != nil {
			return nil, errors.Join(err, in.unlock())
		}
		for _, d := range []string{"", "root", "artifacts"} {
			if err := makeFolder(filepath.Join(in.dir, d)); err != nil {
				return nil, errors.Join(fault.Internalf(err, "making the instance folder"), in.unlock())
			}
		}
		return in, nil
	}
	return nil, &fault.Error{
		Code: fault.Internal, Message: fmt.Sprintf("%d instances are alive in %s", maxInstances, runDir),
		Hint: "stop some, or choose another folder with --run-dir",
	}
}

// makeRunDir makes the run folder if it is not there.
func makeRunDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := makeFolder(dir); !errors.Is(err, fs.ErrExist) { // another instance may have been faster
		return err
	}
	return nil
}

// makeFolder makes a folder that slots can walk through, whatever the umask.
func makeFolder(dir string) error {
	if err := os.Mkdir(dir, 0o711); err != nil {
		return err
	}
	return os.Chmod(dir, 0o711)
}

// checkRunDir refuses a run folder that slots could not use, or that somebody else could replace below them.
func checkRunDir(runDir string, who identity) error {
	info, err := os.Stat(runDir)
	if err != nil {
		return fault.Internalf(err, "checking the run folder")
	}
	if !info.IsDir() {
		return fault.Invalidf("run-dir", "choose a folder", "%s is none", runDir)
	}
	// Who owns it, or may write to it, could put another in the place of an instance's folders.
	st, ok := info.Sys().(*syscall.Stat_t)
	if theirs := ok && int(st.Uid) != who.uid; who.shared && (theirs || info.Mode().Perm()&0o022 != 0) || theirs && openToAll(filepath.Dir(runDir)) {
		return fault.Invalidf("run-dir", "choose a folder of your own with --run-dir", "%s can be written to by others", runDir)
	}
	if who.shared {
		return nil
	}
	return checkReachable(runDir)
}

// openToAll reports whether anybody may make something in a folder, as in /tmp.
func openToAll(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode().Perm()&0o002 != 0
}

// checkReachable makes sure that a slot's init, which runs under an id of its own, can walk down to the run folder.
func checkReachable(runDir string) error {
	for dir := runDir; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fault.Internalf(err, "checking the run folder")
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fault.Invalidf("run-dir", "chmod o+x "+dir+", or choose another folder",
				"%s cannot be entered by other users, so slots cannot reach %s", dir, runDir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func lockPath(runDir string, n int) string { return filepath.Join(runDir, strconv.Itoa(n)+".lock") }

// tryLock takes a lock file, or gives nil when a live instance holds it.
func tryLock(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, fault.Internalf(err, "opening the instance lock")
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == unix.EWOULDBLOCK {
			return nil, f.Close()
		}
		if err != nil {
			return nil, errors.Join(fault.Internalf(err, "locking the instance"), f.Close())
		}
		// Its last owner may have removed the file between the two calls: a lock on a removed file guards nothing.
		held, err := f.Stat()
		if err != nil {
			return nil, errors.Join(fault.Internalf(err, "checking the instance lock"), f.Close())
		}
		if now, err := os.Lstat(path); err == nil && os.SameFile(held, now) {
			return f, nil
		}
		_ = f.Close()
	}
}

// sweep removes what instances left whose lock is free. Those of live ones are never touched.
func sweep(runDir string) error {
	entries, err := os.ReadDir(runDir)
	if err != nil {
		return fault.Internalf(err, "reading the run folder")
	}
	var failed error
	for _, e := range entries {
		n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".lock"))
		if err != nil {
			continue // not ours
		}
		lock, err := tryLock(lockPath(runDir, n))
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if lock == nil {
			continue
		}
		dead := &instance{number: n, dir: filepath.Join(runDir, strconv.Itoa(n)), lock: lock}
		if err := errors.Join(dead.clear(), dead.unlock()); err != nil {
			failed = errors.Join(failed, fmt.Errorf("instance %d: %w", n, err))
		}
	}
	return failed
}

// clear removes the instance's control groups and folder. Programs never had access to the folder, so its paths are safe.
func (in *instance) clear() error {
	b, err := os.ReadFile(filepath.Join(in.dir, cgroupsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading which control groups to remove: %w", err)
	}
	if err := cgroup.Remove(strings.Fields(string(b))); err != nil {
		return err
	}
	return os.RemoveAll(in.dir)
}

// record writes down which control groups belong to the instance, before they are made.
func (in *instance) record(paths []string) error {
	file := filepath.Join(in.dir, cgroupsFile)
	if err := os.WriteFile(file, []byte(strings.Join(paths, "\n")+"\n"), 0o600); err != nil {
		return fault.Internalf(err, "recording the control groups")
	}
	return nil
}

func (in *instance) unlock() error {
	return errors.Join(os.Remove(in.lock.Name()), in.lock.Close())
}

// close removes the instance's folder and lock.
func (in *instance) close() error { return errors.Join(in.clear(), in.unlock()) }
