package linux

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"assay/internal/fault"
	"assay/internal/sandbox"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"a", "a/b", ".hidden", "...", "-rf", "a b", "é", "\xff", "a\nb", "*", "..a", "a..", "a/..b", strings.Repeat("x", 255),
		strings.TrimSuffix(strings.Repeat("d/", maxDepth), "/"),
	} {
		if err := checkName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "/", "/a", "../a", "a/..", "a/../b", "a/./b", "./a", "a//b", "a/", "a\x00", "\x00", strings.Repeat("x", 256),
		strings.Repeat("x/", 600) + "x", strings.Repeat("d/", maxDepth) + "x",
	} {
		if err := checkName(name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	f.Add("a/b")
	f.Add("../a")
	f.Add("a/./b\x00")
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		if full := path.Join(sandbox.WorkDir, name); full != sandbox.WorkDir+"/"+name || strings.ContainsRune(name, 0) {
			t.Errorf("%q leads to %q", name, full)
		}
		for part := range strings.SplitSeq(name, "/") {
			if part == "" || part == "." || part == ".." || len(part) > 255 {
				t.Errorf("%q has the part %q", name, part)
			}
		}
	})
}

func TestParentFolders(t *testing.T) {
	t.Parallel()
	files := []sandbox.File{{Name: "a/b/c"}, {Name: "x"}, {Name: "a/d"}, {Name: "e/f"}, {Name: "a/b/g"}}
	if got, want := parents(files), []string{"a", "a/b", "e"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := parents(nil); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestPlacedBytes(t *testing.T) {
	t.Parallel()
	files := []sandbox.File{{Data: nil}, {Data: make([]byte, 1)}, {Data: make([]byte, 4096)}, {Data: make([]byte, 4097)}, {Artifact: &sandbox.Artifact{Size: 1 << 30}, Data: make([]byte, 9)}}
	if got := placedBytes(files); got != 4*4096 {
		t.Errorf("got %d", got)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a/b", false},
		{"*", "a", true},
		{"*", "a/b", false},
		{"*/*", "a/b", true},
		{"**", "a", true},
		{"**", "a/b/c", true},
		{"**/c", "c", true},
		{"**/c", "a/b/c", true},
		{"**/c", "a/b/d", false},
		{"a/**/c", "a/c", true},
		{"a/**/c", "a/x/y/c", true},
		{"a/**/c", "b/x/c", false},
		{"**/**/c", "c", true},
		{"**/b/**", "a/b", true},
		{"**/b/**", "a/b/c/d", true},
		{"a**", "abc", true},
		{"a**", "ab/c", false},
		{"[", "[", false},
		{`\[`, "[", true},
		{"", "", true},
		{"", "a", false},
		{"/a", "a", false},
		{strings.Repeat("**/", 200) + "x", strings.Repeat("a/", 15) + "y", false}, // no matter how many, one walk
		{strings.Repeat("**/", 200) + "y", strings.Repeat("a/", 15) + "y", true},
	} {
		if got := matchAny([]string{"never/this", c.pattern}, c.name); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.name, got)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("**/a*/[b]", "x/a/b")
	f.Add("**/**/a/**", "a/a/a/a")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 100 || strings.Count(name, "/") > maxOutputDepth || strings.Count(pattern, "**") > 4 {
			return
		}
		got := match(strings.Split(pattern, "/"), strings.Split(name, "/"))
		if !strings.Contains(pattern, "**") {
			want, err := path.Match(pattern, name)
			if err == nil && got != want && strings.Count(pattern, "/") == strings.Count(name, "/") && !strings.ContainsAny(pattern, `[\`) {
				t.Errorf("%q on %q: %v", pattern, name, got)
			}
		}
		if got && !match(strings.Split("**/"+pattern, "/"), strings.Split("x/"+name, "/")) {
			t.Errorf("**/%q does not match x/%q", pattern, name)
		}
	})
}

// TestOpenBeneath: a name is never resolved out of the folder or through a link, whatever the program left there.
func TestOpenBeneath(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	inside := t.TempDir()
	for name, target := range map[string]string{
		"absolute": filepath.Join(outside, "secret"), "folder": outside, "magic": "/proc/self/fd/0", "near": "plain",
	} {
		if err := os.Symlink(target, filepath.Join(inside, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(inside, "plain"), []byte("plain"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(inside)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for name, want := range map[string]error{
		"plain": nil, "absolute": unix.ELOOP, "near": unix.ELOOP, "magic": unix.ELOOP, "folder/secret": unix.ELOOP,
		"../" + filepath.Base(outside) + "/secret": unix.EXDEV, filepath.Join(outside, "secret"): unix.EXDEV, "..": unix.EXDEV,
	} {
		f, err := openBeneath(int(dir.Fd()), name, unix.O_RDONLY)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if err == nil {
			_ = f.Close()
		}
	}
}

// TestOutputsAreBounded: holes cost the program nothing, and the host would have to write them.
func TestOutputsAreBounded(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	c := sandbox.Command{
		Args: []string{"/bin/sh", "-c", "for i in 1 2 3; do truncate -s 1M hole$i; done; echo small > small"}, Env: []string{"PATH=/usr/bin:/bin"},
		Outputs: []string{"*"}, Limits: smallLimits(),
	}
	c.Limits.FileBytes = 2*sandbox.MiB + 6
	r := do(t, d, c)
	defer r.CloseOutputs()
	var names []string
	for _, o := range r.Outputs {
		names = append(names, o.Name)
	}
	if want := []string{"hole1", "hole2", "small"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// TestFullScratch: when the host has no room for what a program left, the run fails and says so, and the slot goes on.
func TestFullScratch(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	slot := <-d.free
	d.free <- slot
	// In the place of a full disk: a folder that is not there.
	d.instance.dir += "-gone"
	h, err := d.Start(t.Context(), sandbox.Command{
		Args: []string{"/bin/sh", "-c", "echo x > x"}, Env: []string{"PATH=/usr/bin:/bin"}, Outputs: []string{"x"}, Limits: smallLimits(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Wait(); fault.CodeOf(err) != fault.Internal || !errors.Is(err, errScratch) {
		t.Errorf("got %v", err)
	}
	d.instance.dir = strings.TrimSuffix(d.instance.dir, "-gone")
	if r := sh(t, d, "echo on"); r.stdout != "on\n" {
		t.Errorf("got %+v", r)
	}
	if again := <-d.free; again != slot {
		t.Error("the slot was replaced")
	} else {
		d.free <- again
	}
}
