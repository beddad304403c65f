package engine

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path"
	"time"

	"assay/internal/sandbox"
)

// neverRan reports whether a program died the way it does when the kernel cannot set up its memory: by SIGSEGV or
// SIGKILL within exec, or by exec failing, with nothing done.
func neverRan(r *sandbox.Report, stdout, stderr *capture) bool {
	if r.CPUExceeded || r.WallExceeded || r.OutputExceeded {
		return false
	}
	ended := r.Signal == "SIGSEGV" || r.Signal == "SIGKILL" || r.StartError != ""
	return ended && len(stdout.data) == 0 && len(stderr.data) == 0 && r.CPUTime < 20*time.Millisecond
}

// staticMemory is how much memory an ELF file asks for before its first instruction: code, data and zeroed arrays. It is
// 0 when the program is not an ELF file of the submission.
func staticMemory(program string, files []sandbox.File) int64 {
	name := path.Clean(program)
	for i := range files {
		f := &files[i]
		if f.Name != name {
			continue
		}
		var r io.ReaderAt = bytes.NewReader(f.Data)
		if f.Artifact != nil {
			file, err := os.Open(f.Artifact.Path)
			if err != nil {
				return 0
			}
			defer func() { _ = file.Close() }()
			r = file
		}
		return loadSize(r)
	}
	return 0
}

// loadSize adds up the loadable segments.
func loadSize(r io.ReaderAt) int64 {
	f, err := elf.NewFile(r)
	if err != nil {
		return 0
	}
	const most = 1 << 62
	total := uint64(0)
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			total = min(total+min(p.Memsz, most), most)
		}
	}
	return int64(total)
}
