// Package sandbox is the contract of "run one untrusted program" (design.md, section 4): what is asked for (Command,
// Limits), and what comes back (Handle, Report). Drivers implement it: sandbox/linux natively, others later.
// Conformance is tested once, in sandbox/sandboxtest, against every driver.
package sandbox

import (
	"io"
	"io/fs"
	"syscall"
	"time"

	"assay/internal/verdict"
)

// The folders and the identity that a program finds inside every sandbox.
const (
	// WorkDir is the working folder: fresh, writable, where Command.Files are placed.
	WorkDir = "/box/work"
	// TempDir is fresh and writable; it counts towards the same byte and inode limits as WorkDir.
	TempDir = "/tmp"
)

// Command is one program to run. Nothing in it is ever interpreted by a shell.
type Command struct {
	// Args is the argument list. Args[0] is looked up as a path inside the sandbox: absolute, or relative to WorkDir.
	Args []string
	// Env is the whole environment ("KEY=value"); nothing is inherited.
	Env []string
	// Files are placed in WorkDir before the start.
	Files []File
	// Outputs are patterns (path.Match, one folder level per element) of files in WorkDir to collect at the end.
	// With any, Report.Outputs is filled and the caller must close it. Together they are at most as long as
	// Limits.FileBytes, holes included; what goes beyond is left out.
	Outputs []string
	// Limits must be valid (Limits.Validate).
	Limits Limits

	// Stdin is the program's input. nil is an empty input; an *os.File is handed over as it is; a *bytes.Reader
	// is handed over as a sealed read-only file; any other reader is copied through a pipe while the program runs, and may
	// be read from for a last time after the end.
	Stdin io.Reader
	// Stdout and Stderr take the streams while the program runs. nil discards (the output limit still applies); an *os.File is
	// handed over as it is, without an output limit: that is how two commands are joined by a pipe.
	Stdout, Stderr io.Writer
	// Terminal, when set, gives the program a terminal of its own on fds 0 to 2: Stdin and Stdout are then the other end.
	Terminal *WindowSize
}

// WindowSize is a terminal's size in characters.
type WindowSize struct{ Rows, Columns uint16 }

// File is one file for WorkDir.
type File struct {
	// Name is a path below WorkDir, with slashes, without "..".
	Name string
	// Mode holds the permission bits; 0 is 0644.
	Mode fs.FileMode
	// Data is the content, byte for byte; used when Artifact is nil.
	Data []byte
	// Artifact, when set, is shown read-only and without a copy.
	Artifact *Artifact
}

// Artifact is a file that a driver keeps for later runs (a compiled program): immutable, invisible to programs unless
// a Command names it.
type Artifact struct {
	// Path is where the driver keeps it, on the host.
	Path string
	// Size in bytes.
	Size int64
}

// Handle is one program that was started. All methods are safe for concurrent use.
type Handle interface {
	// Signal sends a signal to the program itself, not to its children. After the end it does nothing.
	Signal(syscall.Signal) error
	// Resize changes the size of the terminal; without one it is an error.
	Resize(WindowSize) error
	// Usage is a reading of what the run has used so far.
	Usage() (Usage, error)
	// Wait blocks until nothing of the run is left and gives the facts. An error means that assay failed, never
	// that the program did. It may be called more than once.
	Wait() (Report, error)
}

// Usage is what a run uses: CPU time of all its processes, and memory of the group.
type Usage struct {
	CPUTime time.Duration
	Memory  int64 // bytes, now
}

// Report is what became of a run: facts only. The status is verdict.Decide's.
type Report struct {
	verdict.Facts
	CPUTime  time.Duration // all processes together, from exec on, from the cgroup
	WallTime time.Duration // from exec to the end of the program's first process
	Memory   int64         // peak bytes of the cgroup, files written to memory included
	// StdoutTruncated and StderrTruncated: more was written than the limit and what fitted was delivered.
	StdoutTruncated, StderrTruncated bool
	// ForkFailures counts forks refused by the process limit.
	ForkFailures int64
	// StartError says why the program could not be executed ("exec format error"); the facts then show exit code 126 or 127.
	StartError string
	// Outputs are the collected files; nil without Command.Outputs.
	Outputs []Output
}

// Output is one file that a program left behind. It is opened without following any link and is a regular file.
type Output struct {
	Name string // path below WorkDir
	Size int64
	Mode fs.FileMode
	File Content
}

// Content is what a file holds.
type Content interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

// CloseOutputs closes all collected files.
func (r *Report) CloseOutputs() {
	for _, o := range r.Outputs {
		_ = o.File.Close()
	}
	r.Outputs = nil
}
