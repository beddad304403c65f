package stub

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Setup is the driver's first message to the init, as JSON: what the slot's root looks like.
type Setup struct {
	Hostname   string    // of the slot's uts namespace
	Mountpoint string    // an empty host folder to build the root on
	Artifacts  string    // host folder of kept artifacts
	Binds      []Bind    // read-only folders and files of the host
	Links      []Link    // symbolic links in the root
	Files      []EtcFile // small files in the root
	Devices    []string  // device nodes of the host's /dev
	// AlwaysJoin is how many of the passed version 1 group files every program joins; the rest are for runs with a
	// CPU rate. On version 2 each request brings the group to clone into.
	AlwaysJoin int
	// Landlock asks for the Landlock layer.
	Landlock bool
	// Filter is the seccomp program: 8 bytes for each instruction, in the host's byte order.
	Filter []byte
	// FilterFlags are the flags of seccomp(2).
	FilterFlags uint32
	// CoreLimit is RLIMIT_CORE, soft and hard (core(5): 1 is what keeps a piped core_pattern quiet).
	CoreLimit uint64
}

// Bind is one read-only bind mount of the slot's root.
type Bind struct{ Source, Target string }

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
	flagJoinRate              // join the version 1 groups of a CPU rate, too
	flagCloneInto             // the version 2 group to clone into is passed
)

// Request is one run, as the driver asks for it. Strings must not hold NUL. Descriptors come with it in this order: the
// file that holds the request (with BodyFileRequest), the group (with CloneInto), then fds 0 to 2 of the program.
type Request struct {
	Terminal   bool
	WorkDir    bool
	JoinRate   bool
	CloneInto  bool
	TmpfsBytes uint64
	TmpfsNodes uint64
	Stack      uint64 // RLIMIT_STACK, bytes
	CPUSeconds uint64 // RLIMIT_CPU
	FileSize   uint64 // RLIMIT_FSIZE, bytes
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

// requestHeader is the number of fixed bytes at the start of a request.
const requestHeader = 4 + 5*8 + 4*4

// Append encodes r. Every string is followed by a NUL, so that the init can point into the buffer where C wants strings.
func (r *Request) Append(b []byte) []byte {
	var flags uint32
	if r.Terminal {
		flags |= flagTerminal
	}
	if r.WorkDir {
		flags |= flagWorkDir
	}
	if r.JoinRate {
		flags |= flagJoinRate
	}
	if r.CloneInto {
		flags |= flagCloneInto
	}
	le := binary.LittleEndian
	b = le.AppendUint32(b, flags)
	for _, v := range []uint64{r.TmpfsBytes, r.TmpfsNodes, r.Stack, r.CPUSeconds, r.FileSize} {
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

// Kinds of message from inside the slot to the driver: the first byte of a packet.
const (
	// MsgReady: the root is built. Sent once by the init.
	MsgReady = 'R'
	// MsgStarted: the program was executed. Sent by the stub with pidfds of program and stub, and of the
	// working folder if asked for.
	MsgStarted = 'S'
	// MsgDone: nothing of the run is left. Sent by the init; a Done follows.
	MsgDone = 'D'
	// MsgFailed: the slot is of no use any more; the text says why.
	MsgFailed = 'F'
)

// Done is the end of a run as the init reports it.
type Done struct {
	Step      Step   // how far it came
	Errno     uint32 // why it went no further, or 0
	Status    uint32 // wait status of the program, when Step is StepExec and Errno is 0
	Killed    bool   // the stub was killed before the program ended
	WallNanos uint64 // from exec to the end of the program
	CPUNanos  uint64 // CPU time between joining the group and exec: the driver takes it off
}

// doneSize is the size of an encoded Done with its kind byte.
const doneSize = 1 + 4 + 4 + 4 + 1 + 8 + 8

// Append encodes d with its kind byte.
func (d *Done) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, MsgDone)
	b = le.AppendUint32(b, uint32(d.Step))
	b = le.AppendUint32(b, d.Errno)
	b = le.AppendUint32(b, d.Status)
	var killed byte
	if d.Killed {
		killed = 1
	}
	b = append(b, killed)
	b = le.AppendUint64(b, d.WallNanos)
	return le.AppendUint64(b, d.CPUNanos)
}

// ParseDone decodes a packet of kind MsgDone.
func ParseDone(p []byte) (Done, error) {
	if len(p) != doneSize || p[0] != MsgDone {
		return Done{}, fmt.Errorf("message of %d bytes is not an end of run", len(p))
	}
	r := reader{b: p[1:]}
	return Done{
		Step: Step(r.u32()), Errno: r.u32(), Status: r.u32(), Killed: r.take(1)[0] == 1,
		WallNanos: r.u64(), CPUNanos: r.u64(),
	}, nil
}
