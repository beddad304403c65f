package stub

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// text reads a C string of a job.
func text(p *byte) string { return unix.BytePtrToString(p) }

func list(v **byte, n int) []string {
	var all []string
	for _, p := range unsafe.Slice(v, n+1) {
		if p != nil {
			all = append(all, text(p))
		}
	}
	return all
}

func sample() Request {
	return Request{
		Terminal: true, WorkDir: true, TmpfsBytes: 12345, TmpfsNodes: 678, Stack: 1 << 20, CPUSeconds: 3, FileSize: 1 << 30,
		Args: []string{"./a", "", "b c", "\xff"}, Env: []string{"A=1", ""}, Dirs: []string{"d", "d/e"},
		Files: []RequestFile{
			{Name: "d/e/f", Mode: 0o640, Data: []byte("a\x00b")}, {Name: "empty", Mode: 0o644}, {Name: "kept", Mode: 0o755, Artifact: "0001"},
		},
	}
}

func TestRequestArrives(t *testing.T) {
	t.Parallel()
	q := sample()
	s := &slot{null: 99, dev: 55, setup: Setup{Token: 42, Landlock: true}}
	j, err := s.prepareJob(q.Append(nil), []int{10, 11, 12})
	if err != nil {
		t.Fatal(err)
	}
	if got := list(j.argv, len(q.Args)); strings.Join(got, "|") != strings.Join(q.Args, "|") || text(j.argv0) != "./a" {
		t.Errorf("args %q", got)
	}
	if got := list(j.envv, len(q.Env)); strings.Join(got, "|") != strings.Join(q.Env, "|") {
		t.Errorf("env %q", got)
	}
	if !j.terminal || !j.wantDir || !j.landlock || j.token != 42 || j.cloneArgs != nil || j.stdio != [3]uintptr{10, 11, 12} || j.done.CPU != -1 {
		t.Errorf("%+v", j)
	}
	if got := text(j.tmpfsData); got != "mode=0555,size=12345,nr_inodes=678" {
		t.Errorf("tmpfs %q", got)
	}
	if j.rlimits[0] != (rlimit{unix.RLIMIT_STACK, 1 << 20, 1 << 20}) || j.rlimits[1] != (rlimit{unix.RLIMIT_CPU, 3, 4}) ||
		j.rlimits[2] != (rlimit{unix.RLIMIT_FSIZE, 1 << 30, 1 << 30}) || j.rlimits[3].max != openFiles {
		t.Errorf("limits %+v", j.rlimits)
	}
	want := []struct {
		kind entryKind
		path string
		mode uint32
		data string
		from string
	}{
		{entryDir, "/box/work/d", 0o755, "", ""},
		{entryDir, "/box/work/d/e", 0o755, "", ""},
		{entryFile, "/box/work/d/e/f", 0o640, "a\x00b", ""},
		{entryFile, "/box/work/empty", 0o644, "", ""},
		{entryArtifact, "/box/work/kept", 0o755, "", "/.private/artifacts/0001"},
	}
	if len(j.entries) != len(want) {
		t.Fatalf("%d entries", len(j.entries))
	}
	for i, w := range want {
		e := j.entries[i]
		data, from := "", ""
		if e.data != nil {
			data = string(unsafe.Slice(e.data, e.size))
		}
		if e.from != nil {
			from = text(e.from)
		}
		if e.kind != w.kind || text(e.path) != w.path || e.mode != w.mode || data != w.data || from != w.from {
			t.Errorf("entry %d: %+v %q %q %q", i, e, text(e.path), data, from)
		}
	}
}

func TestRequestDescriptors(t *testing.T) {
	t.Parallel()
	q := sample()
	q.CloneInto = true
	s := &slot{null: 99}
	j, err := s.prepareJob(q.Append(nil), []int{7, 10})
	if err != nil {
		t.Fatal(err)
	}
	if j.cloneArgs == nil || j.cloneArgs.cgroup != 7 || j.stdio != [3]uintptr{10, 99, 99} {
		t.Errorf("%+v, %v", j.cloneArgs, j.stdio)
	}
	if _, err := s.prepareJob(q.Append(nil), nil); err == nil {
		t.Error("a request without its group was taken")
	}
	q.Args = nil
	if _, err := s.prepareJob(q.Append(nil), []int{1}); err == nil {
		t.Error("a request without a program was taken")
	}
}

// TestRequestCut: no part of a request is a request.
func TestRequestCut(t *testing.T) {
	t.Parallel()
	q := sample()
	whole := q.Append(nil)
	s := &slot{}
	for n := range whole {
		if _, err := s.prepareJob(bytes.Clone(whole[:n]), nil); err == nil {
			t.Errorf("%d of %d bytes were taken", n, len(whole))
		}
	}
	const counts = 4 + 6*8
	for i := range 4 {
		for _, huge := range []uint32{0xffffffff, 0x7fffffff, 1 << 24, uint32(len(whole))} {
			p := bytes.Clone(whole)
			binary.LittleEndian.PutUint32(p[counts+4*i:], huge)
			if _, err := s.prepareJob(p, nil); err == nil {
				t.Errorf("list %d of %d elements was taken", i, huge)
			}
		}
	}
}

func FuzzRequest(f *testing.F) {
	q := sample()
	f.Add(q.Append(nil))
	f.Add([]byte{})
	f.Add(BodyFileRequest())
	s := &slot{null: 1}
	f.Fuzz(func(t *testing.T, p []byte) {
		j, err := s.prepareJob(p, []int{3, 4, 5, 6})
		if err != nil {
			return
		}
		if j.argv0 == nil || len(j.entries) > len(p) {
			t.Errorf("%d bytes became %+v", len(p), j)
		}
		for _, e := range j.entries {
			if !strings.HasPrefix(text(e.path), "/box/work/") {
				t.Errorf("entry %q", text(e.path))
			}
		}
	})
}

// FuzzRoundTrip: what goes in comes out, whatever the texts hold.
func FuzzRoundTrip(f *testing.F) {
	f.Add("a", "b", "c", []byte("d"))
	f.Fuzz(func(t *testing.T, arg, env, name string, content []byte) {
		if strings.ContainsRune(arg+env+name, 0) {
			return // the driver refuses these
		}
		q := Request{Args: []string{arg, arg}, Env: []string{env}, Files: []RequestFile{{Name: name, Data: content}}}
		j, err := (&slot{}).prepareJob(q.Append(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		e := j.entries[0]
		if text(j.argv0) != arg || text(*j.envv) != env || text(e.path) != "/box/work/"+name || int(e.size) != len(content) {
			t.Errorf("%q %q %q", text(j.argv0), text(*j.envv), text(e.path))
		}
		if len(content) > 0 && !bytes.Equal(unsafe.Slice(e.data, e.size), content) {
			t.Errorf("%q became %q", content, unsafe.Slice(e.data, e.size))
		}
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	d := Done{kind: MsgDone, Killed: true, Step: StepExec, Errno: 2, Status: 9, Start: 1, End: 2, CPU: -1, Faults: 7}
	p := unsafe.Slice((*byte)(unsafe.Pointer(&d)), unsafe.Sizeof(d))
	if got, err := ParseDone(p); err != nil || got != d {
		t.Errorf("%+v, %v", got, err)
	}
	s := Started{kind: MsgStarted, Start: 5}
	q := unsafe.Slice((*byte)(unsafe.Pointer(&s)), unsafe.Sizeof(s))
	if got, err := ParseStarted(q); err != nil || got != s {
		t.Errorf("%+v, %v", got, err)
	}
	for _, wrong := range [][]byte{nil, {MsgDone}, {MsgStarted}, p[:len(p)-1], q[:len(q)-1], append(bytes.Clone(p), 0), append(bytes.Clone(q), 0), make([]byte, len(p)), make([]byte, len(q))} {
		if _, err := ParseDone(wrong); err == nil {
			t.Errorf("%q is a Done", wrong)
		}
		if _, err := ParseStarted(wrong); err == nil {
			t.Errorf("%q is a Started", wrong)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(make([]byte, unsafe.Sizeof(Done{})))
	f.Add([]byte{MsgStarted, 15: 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		if _, err := ParseDone(p); err == nil && (len(p) != int(unsafe.Sizeof(Done{})) || p[0] != MsgDone) {
			t.Error("not a Done")
		}
		if _, err := ParseStarted(p); err == nil && (len(p) != int(unsafe.Sizeof(Started{})) || p[0] != MsgStarted) {
			t.Error("not a Started")
		}
	})
}

// TestConstants: structs that the kernel reads have the size it takes them to have.
func TestConstants(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(cloneArgs{}); n != 88 {
		t.Errorf("clone_args has %d bytes", n)
	}
	if n := unsafe.Offsetof(landlockPathBeneath{}.fd); n != 8 {
		t.Errorf("the descriptor of landlock_path_beneath_attr is at %d", n)
	}
	if n := unsafe.Sizeof(sigaction{}); n != 32 {
		t.Errorf("sigaction has %d bytes", n)
	}
	for s := StepClone; s <= StepTell; s++ {
		if s.String() == "" || s.String() == "unknown step" {
			t.Errorf("step %d has no name", s)
		}
	}
	if (StepTell + 1).String() != "unknown step" {
		t.Error("there are more steps than names")
	}
	if got := FilterBytes([]unix.SockFilter{{Code: 0x0102, Jt: 3, Jf: 4, K: 0x05060708}}); !bytes.Equal(got, []byte{2, 1, 3, 4, 8, 7, 6, 5}) {
		t.Errorf("% x", got)
	}
}
