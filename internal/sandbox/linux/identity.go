package linux

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox/linux/stub"
)

// identity is whom slots are on the host. Root gives each slot two ids that nobody else uses. Anybody else may map just one id
// into a user namespace, their own (user_namespaces(7), "Defining user and group ID mappings"), so that init, stub and
// program have it: they are then told apart by their capabilities only, and every slot is the same user on the host.
type identity struct {
	shared   bool
	uid, gid int
}

func ownIdentity() identity {
	return identity{shared: os.Geteuid() != 0, uid: os.Geteuid(), gid: os.Getegid()}
}

// program is the host id that a slot's program has, or -1 where it has that of assay itself. id is the slot's first.
func (i identity) program(id int) int {
	if i.shared {
		return -1
	}
	return id + stub.ProgramID
}

// owner is the host id of a slot's init.
func (i identity) owner(id int) int {
	if i.shared {
		return i.uid
	}
	return id
}

// attributes are how a slot's init is started.
func (i identity) attributes(id int) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET |
			unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Pdeathsig: syscall.SIGKILL,
		Setsid:    true,
	}
	if !i.shared {
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: idsPerSlot}}
		a.GidMappings = a.UidMappings
		a.GidMappingsEnableSetgroups = true
		a.Credential = &syscall.Credential{Uid: 0, Gid: 0}
		return a
	}
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: stub.ProgramID, HostID: i.uid, Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: stub.ProgramID, HostID: i.gid, Size: 1}}
	// The kernel lets nobody but root drop groups here: they may be what keeps the user out of a file.
	a.Credential = &syscall.Credential{Uid: stub.ProgramID, Gid: stub.ProgramID, NoSetGroups: true}
	// Only these outlive the execve of who is not uid 0 (capabilities(7), "Ambient capability set").
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		a.AmbientCaps = append(a.AmbientCaps, c)
	}
	return a
}
