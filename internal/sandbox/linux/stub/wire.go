package stub

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Setup is the driver's first message to the init, as JSON in a file: what the slot is like. With it come files of
// cgroup.Group: those to join always, StubFiles, and the one to join for a CPU rate.
type Setup struct {
	Hostname   string    // of the slot's uts namespace
	Mountpoint string    // an empty host folder to build the root on
	Artifacts  string    // host folder of kept artifacts
	Folders    []string  // folders of the host to show, read-only; outer ones first
	Links      []Link    // symbolic links in the root
	Files      []EtcFile // small files in the root
	// Devices are the paths of device nodes to show when no /dev came with the set-up: of the slot's own, or the host's.
	Devices []string
	HasDev  bool // a mount for /dev came along, before the files of the group
	// Joins, Counters and HasRate say how many files of each kind came along.
	Joins, Counters int
	HasRate         bool
	// InHome says that the init started in cgroup.Group's Home, which is to be the root of its group namespace.
	InHome bool
	// Landlock asks for the Landlock layer.
	Landlock bool
	// Filter is the seccomp program: 8 bytes for each instruction, in the host's byte order.
	Filter []byte
	// FilterFlags are the flags of seccomp(2).
	FilterFlags uint32
	// Token lets the init and the stub, but no program, through the filter's rules for mounts and namespaces.
	Token uint64
	// CoreLimit is RLIMIT_CORE, soft and hard (core(5): 1 is what keeps a piped core_pattern quiet).
	CoreLimit uint64
	// Shared says that init, stub and program all have ProgramID, the only id of the slot's user namespace.
	Shared bool
}

// Link is one symbolic link of the slot's root.
type Link struct{ Target, Name string }

// EtcFile is one small file of the slot's root.
type EtcFile struct {
	Name    string
	Content []byte
}

// Flags of a Request.
const (
	flagTerminal  = 1 << iota // fd 0 becomes the controlling terminal
	flagWorkDir               // send a descriptor of the working folder
	flagBodyFile              // the request is in a passed file
	flagRate                  // join the version 1 group of a CPU rate
	flagCloneInto             // the version 2 group to clone into is passed
)

// Request is one run, as the driver asks for it. Strings must not hold NUL. Descriptors come with it in this order: the
// file that holds the request (with BodyFileRequest), the group (with CloneInto), then fds 0 to 2 of the program.
type Request struct {
	Terminal   bool
	WorkDir    bool
	Rate       bool
	CloneInto  bool
	TmpfsBytes uint64
	TmpfsNodes uint64
	Stack      uint64 // RLIMIT_STACK, bytes
	CPUSeconds uint64 // RLIMIT_CPU
	FileSize   uint64 // RLIMIT_FSIZE, bytes
	Processes  uint64 // processes and threads of the program by RLIMIT_NPROC, where no group limits them; 0 is no such limit
	Args       []string
	Env        []string
	Dirs       []string // folders below the working folder, parents first
	Files      []RequestFile
}

// RequestFile is one file for the working folder.
type RequestFile struct {
	Name     string
	Mode     uint32
	Data     []byte
	Artifact string // name below the artifacts folder; Data is then unused
}

// MaxInline is the largest request sent in one packet; larger ones go through a file. A SOCK_SEQPACKET message must fit
// the send buffer (net.core.wmem_default, 212,992 bytes where nobody changed it; unix(7)).
const MaxInline = 96 << 10

// Append encodes r. Every string is followed by a NUL, so that the init can point into the buffer where C wants strings.
func (r *Request) Append(b []byte) []byte {
	var flags uint32
	if r.Terminal {
		flags |= flagTerminal
	}
	if r.WorkDir {
		flags |= flagWorkDir
	}
	if r.Rate {
		flags |= flagRate
	}
	if r.CloneInto {
		flags |= flagCloneInto
	}
	le := binary.LittleEndian
	b = le.AppendUint32(b, flags)
	for _, v := range []uint64{r.TmpfsBytes, r.TmpfsNodes, r.Stack, r.CPUSeconds, r.FileSize, r.Processes} {
		b = le.AppendUint64(b, v)
	}
	for _, n := range []int{len(r.Args), len(r.Env), len(r.Dirs), len(r.Files)} {
		b = le.AppendUint32(b, uint32(n))
	}
	for _, list := range [][]string{r.Args, r.Env, r.Dirs} {
		for _, s := range list {
			b = appendString(b, s)
		}
	}
	for i := range r.Files {
		f := &r.Files[i]
		b = le.AppendUint32(b, f.Mode)
		b = appendString(b, f.Name)
		b = appendString(b, f.Artifact)
		b = le.AppendUint32(b, uint32(len(f.Data)))
		b = append(b, f.Data...)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	b = append(b, s...)
	return append(b, 0)
}

// BodyFileRequest is the packet that says: the request is in the passed file.
func BodyFileRequest() []byte {
	return binary.LittleEndian.AppendUint32(nil, flagBodyFile)
}

var errShort = errors.New("request ends early")

// reader takes a request apart without copying.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.err = errShort
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u32() uint32 {
	if p := r.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if p := r.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// cstring gives the bytes of a string with its NUL.
func (r *reader) cstring() []byte {
	n := r.u32()
	if n > math.MaxInt32-1 {
		r.err = errShort
		return nil
	}
	p := r.take(int(n) + 1)
	if p != nil && p[n] != 0 {
		r.err = fmt.Errorf("string of %d bytes does not end in NUL", n)
		return nil
	}
	return p
}

// count reads a list's length; each element takes at least min bytes, which bounds what a wrong number can allocate.
func (r *reader) count(min int) int {
	n := r.u32()
	if uint64(n)*uint64(min) > uint64(len(r.b)) {
		r.err = errShort
		return 0
	}
	return int(n)
}

// Descriptors takes the descriptors out of the control data of a packet, in either direction (unix(7), SCM_RIGHTS).
func Descriptors(control []byte) ([]int, error) {
	if len(control) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("reading descriptors: %w", err)
	}
	var fds []int
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return fds, fmt.Errorf("reading descriptors: %w", err)
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

// Kinds of message from inside the slot to the driver: the first byte of a packet.
const (
	// MsgReady: the root is built. Sent once, by the init. A text behind it says what is weaker than it could be.
	MsgReady = 'R'
	// MsgStarted: the program was executed. Sent by the stub on the socket for processes, with a Started and descriptors
	// of the program, of the stub and, if asked for, of the working folder.
	MsgStarted = 'S'
	// MsgDone: all processes of the program are gone. A Done.
	MsgDone = 'D'
	// MsgIdle: mounts and namespaces of the run are gone, too. Sent by the init after each Done.
	MsgIdle = 'I'
	// MsgFailed: the slot is of no use any more; the text says why.
	MsgFailed = 'F'
)

// Done is the end of a run. It is sent as it lies in memory: by the stub once the last process of the program is gone, or by
// the init when the stub was killed.
type Done struct {
	kind   byte
	Killed bool // the stub was killed before the program ended
	_      [2]byte
	Step   Step          // how far the run came
	Errno  syscall.Errno // why it went no further, or 0
	Status uint32        // wait status of the program, when it ran and was not killed with the stub
	_      uint32
	Start  int64 // CLOCK_MONOTONIC at execve, in nanoseconds
	End    int64 // the same when the program had ended
	// StartCPU and StartMemory are cgroup.Start.
	StartCPU, StartMemory int64
	// CPU is the program's CPU time as the stub read it on version 1, in nanoseconds; else -1.
	CPU int64
	// Faults is how often the program's first process touched a page for the first time.
	Faults int64
	// Waited is the CPU time, in nanoseconds, of all processes that the stub waited for, with those that they waited for.
	Waited int64
	// Resident is the largest resident set, in bytes, of the program's first process and of those that it waited for. What the
	// init holds, in whose memory it began, counts, too.
	Resident int64
	// Files is how many bytes the run's files took when all processes had ended, where RLIMIT_NPROC was asked for.
	Files int64
}

// Started says when a program was executed.
type Started struct {
	kind  byte
	_     [7]byte
	Start int64 // CLOCK_MONOTONIC, in nanoseconds
}

// ParseDone decodes a packet of kind MsgDone.
func ParseDone(p []byte) (Done, error) {
	var d Done
	if len(p) != int(unsafe.Sizeof(d)) || p[0] != MsgDone {
		return d, fmt.Errorf("message of %d bytes is not an end of run", len(p))
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&d)), len(p)), p)
	return d, nil
}

// ParseStarted decodes a packet of kind MsgStarted.
func ParseStarted(p []byte) (Started, error) {
	var s Started
	if len(p) != int(unsafe.Sizeof(s)) || p[0] != MsgStarted {
		return s, fmt.Errorf("message of %d bytes is not the start of a run", len(p))
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&s)), len(p)), p)
	return s, nil
}
