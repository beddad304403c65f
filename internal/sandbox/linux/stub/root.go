package stub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// privateDir is where the slot's root holds what only the init may enter.
const (
	privateDir   = "/.private"
	artifactsDir = privateDir + "/artifacts"
	emptyDir     = privateDir + "/empty"
)

// buildRoot makes the root that every program of the slot sees and moves into it: an empty tmpfs with the toolchain
// folders shown read-only, a few files and devices, and mount points for what is fresh in each run. It then makes the
// root itself read-only and lets go of the host's file systems. dev is a mount for /dev, or -1. The text says what is
// weaker than it could be.
func buildRoot(s *Setup, dev int) (weaker string, err error) {
	// No mount event travels between host and slot (mount_namespaces(7)).
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("making mounts private: %w", err)
	}
	root := s.Mountpoint
	if err := unix.Mount("tmpfs", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=4m,nr_inodes=4096"); err != nil {
		return "", fmt.Errorf("mounting the root on %s: %w", root, err)
	}
	for _, dir := range []string{"/box", "/proc", "/dev", "/etc"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			return "", err
		}
	}
	if err := os.Mkdir(root+privateDir, 0o700); err != nil {
		return "", err
	}
	if err := os.Mkdir(root+emptyDir, 0o700); err != nil {
		return "", err
	}
	if err := bindReadOnly(s.Artifacts, root+artifactsDir); err != nil {
		return "", err
	}
	for _, f := range s.Folders {
		err := overlay(f, root+f, root+emptyDir)
		if err != nil {
			weaker = "file locks on toolchain files are shared between slots: " + err.Error()
			err = bindReadOnly(f, root+f)
		}
		if err != nil {
			return "", err
		}
	}
	for _, l := range s.Links {
		if err := os.MkdirAll(filepath.Dir(root+l.Name), 0o755); err != nil {
			return "", err
		}
		if err := os.Symlink(l.Target, root+l.Name); err != nil {
			return "", err
		}
	}
	for _, f := range s.Files {
		if err := os.MkdirAll(filepath.Dir(root+f.Name), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(root+f.Name, f.Content, 0o644); err != nil {
			return "", err
		}
	}
	if dev >= 0 {
		if err := unix.MoveMount(dev, "", unix.AT_FDCWD, root+"/dev", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return "", fmt.Errorf("mounting /dev: %w", err)
		}
	}
	for _, d := range s.Devices {
		if err := bindDevice(d, root+"/dev/"+filepath.Base(d)); err != nil {
			return "", err
		}
		if filepath.Dir(d) == "/dev" {
			weaker = "file locks on device nodes are shared between slots: making nodes was refused"
		}
	}
	// Closed to its owner, too, who is the program where it has the init's id: only capabilities open it, and nothing can
	// change its mode once the root is read-only.
	if err := os.Chmod(root+privateDir, 0); err != nil {
		return "", err
	}
	// The slot's own /proc. Runs cover it with theirs; it must be there, whole, for the kernel to allow them that
	// (mount_too_revealing, fs/namespace.c).
	if err := unix.Mount("proc", root+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return "", fmt.Errorf("mounting /proc: %w", err)
	}
	return weaker, enterRoot(root)
}

// enterRoot makes root the root of this mount namespace and detaches the old one (pivot_root(2), "pivot_root(".", ".")").
func enterRoot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("entering the new root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("detaching the host's root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("entering /: %w", err)
	}
	if err := setReadOnly("/", 0); err != nil {
		return fmt.Errorf("making the root read-only: %w", err)
	}
	return nil
}

// overlay shows a folder of the host through an overlay of the slot's own, with nothing above it. What belongs to an inode
// and not to a file's content, such as locks, leases and watches, is then the slot's own and no channel to others. An
// overlay without an upper layer needs two lower ones; the second is empty (overlayfs.rst).
func overlay(source, target, empty string) error {
	if info, err := os.Stat(source); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a folder", source)
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`)
	options := "lowerdir=" + escape.Replace(source) + ":" + escape.Replace(empty)
	flags := uintptr(unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	if err := unix.Mount("overlay", target, "overlay", flags, options); err != nil {
		return fmt.Errorf("mounting an overlay: %w", err)
	}
	return nil
}

// bindReadOnly shows a folder or file of the host at target: read-only, without set-user-ID bits, without devices.
func bindReadOnly(source, target string) error {
	if err := mountPoint(source, target); err != nil {
		return err
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("binding %s: %w", source, err)
	}
	// mount_setattr reaches the mounts below as well; a bind remount would leave them writable (mount_setattr(2)).
	if err := setReadOnly(target, unix.AT_RECURSIVE); err != nil {
		return fmt.Errorf("making %s read-only: %w", source, err)
	}
	return nil
}

func setReadOnly(path string, flags uint) error {
	return unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{
		Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV,
	})
}

// bindDevice shows one device node of the host: a user namespace cannot make nodes (mknod(2)). Read-only keeps programs
// from setting its times; writing to the device works all the same. It is bound on the one node that anybody may make, a
// whiteout, of number 0:0 (vfs_mknod, fs/namei.c, since Linux 5.8): listing the folder then gives a device and no file, which
// programs would read to its end.
func bindDevice(source, target string) error {
	if err := unix.Mknod(target, unix.S_IFCHR|0o666, 0); err != nil {
		return fmt.Errorf("making a mount point: %w", err)
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding %s: %w", source, err)
	}
	err := unix.MountSetattr(unix.AT_FDCWD, target, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC})
	if err != nil {
		return fmt.Errorf("restricting %s: %w", source, err)
	}
	return nil
}

// mountPoint makes the folder or empty file that source can be bound on.
func mountPoint(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("binding into the root: %w", err)
	}
	if info.IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}
