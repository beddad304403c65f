package linux

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// device is a device node of every sandbox (Documentation/admin-guide/devices.txt).
type device struct {
	name         string
	major, minor uint32
}

var devices = [...]device{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
}

// devLinks are the links of every sandbox's /dev.
var devLinks = [...]struct{ name, target string }{
	{"shm", "/box/shm"},
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
}

// nodes gives the paths of device nodes to show in a slot: of nodes of its own in dir, which is made, or else the host's. A
// mount without device nodes, as a container's tmpfs usually is, makes them useless.
func nodes(dir string) []string {
	own, host := make([]string, 0, len(devices)), make([]string, 0, len(devices))
	for _, d := range devices {
		own, host = append(own, filepath.Join(dir, d.name)), append(host, filepath.Join("/dev", d.name))
	}
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(dir), &st); err != nil || st.Flags&unix.ST_NODEV != 0 {
		return host
	}
	// A slot that this one replaces may have left some.
	if os.RemoveAll(dir) != nil || makeFolder(dir) != nil {
		return host
	}
	for i, d := range devices {
		if unix.Mknod(own[i], unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))) != nil || os.Chmod(own[i], 0o666) != nil {
			return host
		}
	}
	return own
}

// newDev makes a read-only file system with a slot's /dev, mounted nowhere: it goes away with its last descriptor
// (fsmount(2)). Nodes of its own have locks and times of their own, which the host's would share among slots. It takes
// CAP_SYS_ADMIN and CAP_MKNOD in the first user namespace; without the former, nodes are made elsewhere.
func newDev() (*os.File, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a /dev: %w", err)
	}
	defer unix.Close(fs)
	for _, o := range []struct{ key, value string }{{"size", "64k"}, {"nr_inodes", "32"}, {"mode", "0755"}} {
		if err := unix.FsconfigSetString(fs, o.key, o.value); err != nil {
			return nil, fmt.Errorf("making a /dev: %s: %w", o.key, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("making a /dev: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a /dev: %w", err)
	}
	dev := os.NewFile(uintptr(fd), "/dev")
	if err := fillDev(fd); err != nil {
		_ = dev.Close()
		return nil, fmt.Errorf("making a /dev: %w", err)
	}
	return dev, nil
}

func fillDev(fd int) error {
	for _, d := range devices {
		if err := unix.Mknodat(fd, d.name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return fmt.Errorf("node %s: %w", d.name, err)
		}
		if err := unix.Fchmodat(fd, d.name, 0o666, 0); err != nil { // whatever the umask
			return fmt.Errorf("node %s: %w", d.name, err)
		}
	}
	for _, l := range devLinks {
		if err := unix.Symlinkat(l.target, fd, l.name); err != nil {
			return fmt.Errorf("link %s: %w", l.name, err)
		}
	}
	return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}
