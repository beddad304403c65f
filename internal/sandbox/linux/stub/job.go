package stub

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prepareJob turns a request into a job. Pointers go into p, which must stay untouched until the run is over.
func (s *slot) prepareJob(p []byte, fds []int) (*job, error) {
	r := reader{b: p}
	flags := r.u32()
	size, nodes := r.u64(), r.u64()
	stack, cpu, fileSize, processes := r.u64(), r.u64(), r.u64(), r.u64()
	argc, envc, dirc, filec := r.count(5), r.count(5), r.count(5), r.count(14)
	j := &job{
		terminal:   flags&flagTerminal != 0,
		wantDir:    flags&flagWorkDir != 0,
		weighFiles: processes > 0,
		tmpfsData:  cstring(fmt.Sprintf("mode=0555,size=%d,nr_inodes=%d", size, nodes)),
		token:      uintptr(s.setup.Token),
		started:    Started{kind: MsgStarted},
		done:       Done{kind: MsgDone, CPU: -1},
	}
	argv, envv := make([]*byte, argc+1), make([]*byte, envc+1)
	for i := range argc {
		argv[i] = &r.cstring1()[0]
	}
	for i := range envc {
		envv[i] = &r.cstring1()[0]
	}
	j.argv, j.envv = &argv[0], &envv[0]
	j.argv0 = argv[0]
	for range dirc {
		j.entries = append(j.entries, entry{kind: entryDir, mode: 0o755, path: inWork(r.cstring1())})
	}
	for range filec {
		mode, name, artifact := r.u32(), r.cstring1(), r.cstring1()
		data := r.take(int(r.u32()))
		e := entry{kind: entryFile, mode: mode, path: inWork(name), size: uintptr(len(data))}
		if len(data) > 0 {
			e.data = &data[0]
		}
		if len(artifact) > 1 {
			e.kind = entryArtifact
			e.from = &append([]byte(artifactsDir+"/"), artifact...)[0]
		}
		j.entries = append(j.entries, e)
	}
	// Only now: being in a group of the cpu controller changes how a slot competes with the rest of the host.
	if flags&flagRate != 0 && s.joinRate >= 0 {
		if err := join(s.joinRate); err != nil {
			return nil, err
		}
		s.joinRate = -1
	}
	if len(s.counters) == counterFiles {
		j.counters = (*[counterFiles]uintptr)(s.counters)
	}
	if r.err != nil {
		return nil, fmt.Errorf("decoding a request: %w", r.err)
	}
	if argc == 0 {
		return nil, fmt.Errorf("decoding a request: no program")
	}
	j.rlimits = append([]rlimit{
		{unix.RLIMIT_STACK, stack, stack},
		{unix.RLIMIT_CPU, cpu, cpu + 1},
		{unix.RLIMIT_FSIZE, fileSize, fileSize},
		{unix.RLIMIT_NOFILE, openFiles, openFiles},
	}, s.processLimit(processes)...)
	j.capHeader = [2]uint32{unix.LINUX_CAPABILITY_VERSION_3}
	if flags&flagCloneInto != 0 {
		if len(fds) == 0 {
			return nil, errors.New("request without its cgroup")
		}
		prepareCgroup(j, fds[0])
		fds = fds[1:]
	}
	for i := range j.stdio {
		j.stdio[i] = s.null
		if i < len(fds) {
			j.stdio[i] = uintptr(fds[i])
		}
	}
	s.prepareLandlock(j)
	prepareStarted(j)
	return j, nil
}

// processLimit limits the program's processes where no group does.
func (s *slot) processLimit(n uint64) []rlimit {
	if n == 0 {
		return nil
	}
	n += s.sameUser()
	return []rlimit{{unix.RLIMIT_NPROC, n, n}}
}

// sameUser is how many processes and threads RLIMIT_NPROC counts beside the program's. It counts those of one user in one
// user namespace (getrlimit(2); Linux 5.14): where all have one id, the init's threads and the stub, too. Raw calls, so that the
// runtime sees no reason for a further thread.
func (s *slot) sameUser() uint64 {
	if !s.setup.Shared {
		return 0
	}
	fd, _, e := unix.RawSyscall(unix.SYS_OPENAT, atCWD, uintptr(unsafe.Pointer(&ownStat)), unix.O_RDONLY|unix.O_CLOEXEC)
	if e != 0 {
		return 0
	}
	var buf [1024]byte
	n, _, e := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&buf)), unsafe.Sizeof(buf))
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	if e != 0 {
		return 0
	}
	const threads, stub = 20, 1 // the field of proc_pid_stat(5); the process that makes the program's
	fields := bytes.Fields(buf[:n])
	if len(fields) < threads {
		return 0
	}
	count, err := strconv.ParseUint(string(fields[threads-1]), 10, 32)
	if err != nil {
		return 0
	}
	return count + stub
}

// ownStat is a path as a C string. The init's name in that file has no blanks.
var ownStat = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 's', 't', 'a', 't', 0}

// cstring1 is cstring with a place to point to even after an error.
func (r *reader) cstring1() []byte {
	if p := r.cstring(); p != nil {
		return p
	}
	return []byte{0}
}

func cstring(s string) *byte { return &append([]byte(s), 0)[0] }

// inWork gives the absolute path, as a C string, of a name below the working folder.
func inWork(name []byte) *byte {
	return &append([]byte("/box/work/"), name...)[0]
}

// prepareCgroup has the program start inside the version 2 group.
func prepareCgroup(j *job, group int) {
	j.cloneArgs = &cloneArgs{
		flags:      unix.CLONE_VM | unix.CLONE_VFORK | unix.CLONE_PIDFD | unix.CLONE_INTO_CGROUP,
		pidfd:      uint64(uintptr(unsafe.Pointer(&j.pidfd))),
		exitSignal: uint64(unix.SIGCHLD),
		cgroup:     uint64(group),
	}
}

// landlockWrites are the rights that ABI 2 knows and that change something (landlock(7)). ABI 1 has no way to allow a rename
// between folders, so the layer is left out there. Reading and executing are
// not restricted: the root holds only what may be read.
const landlockWrites = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
	unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
	unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
	unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER

func (s *slot) prepareLandlock(j *job) {
	j.landlock = s.setup.Landlock
	j.landlockAttr.handledFS = landlockWrites
	j.boxRule.allowed = landlockWrites &^ (unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK)
	j.devRule.allowed = unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	j.devRule.fd = s.dev
}

// prepareStarted lays out the message that the stub sends when the program runs: a Started and two or three descriptors
// (unix(7), SCM_RIGHTS).
func prepareStarted(j *job) {
	n := 2
	if j.wantDir {
		n = 3
	}
	space := make([]byte, unix.CmsgSpace(3*4))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&space[0]))
	h.Level, h.Type = unix.SOL_SOCKET, unix.SCM_RIGHTS
	h.SetLen(unix.CmsgLen(n * 4))
	j.startedFDs = (*[3]int32)(unsafe.Pointer(&space[unix.CmsgLen(0)]))
	iov := &unix.Iovec{Base: (*byte)(unsafe.Pointer(&j.started))}
	iov.SetLen(int(unsafe.Sizeof(j.started)))
	j.startedMsg = &unix.Msghdr{Iov: iov, Iovlen: 1, Control: &space[0]}
	j.startedMsg.SetControllen(unix.CmsgSpace(n * 4))
}

// FilterBytes encodes a seccomp program for Setup.Filter.
func FilterBytes(program []unix.SockFilter) []byte {
	b := make([]byte, 0, 8*len(program))
	for _, i := range program {
		b = binary.NativeEndian.AppendUint16(b, i.Code)
		b = append(b, i.Jt, i.Jf)
		b = binary.NativeEndian.AppendUint32(b, i.K)
	}
	return b
}
