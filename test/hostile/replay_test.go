package hostile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"assay/internal/sandbox"
)

// compiler is a sandbox in which every command writes one file and a word to each stream. It counts them.
type compiler struct {
	dir  string
	runs int
}

func (c *compiler) Start(_ context.Context, command sandbox.Command) (sandbox.Handle, error) {
	c.runs++
	path := filepath.Join(c.dir, "out")
	if err := os.WriteFile(path, []byte("program"), 0o600); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	_, errOut := io.WriteString(command.Stdout, "said")
	_, errErr := io.WriteString(command.Stderr, "warned")
	r := sandbox.Report{StdoutTruncated: true, Memory: 5, Outputs: []sandbox.Output{{Name: "main", Size: 7, Mode: 0o755, File: f}}}
	r.ExitCode = 3
	return ended{r}, errors.Join(errOut, errErr)
}

func (*compiler) Keep(sandbox.Output) (*sandbox.Artifact, error) { return nil, errors.New("not used") }
func (*compiler) Release(*sandbox.Artifact) error                { return errors.New("not used") }

// TestCompilationsAreKept: what a recorder kept is given again, to an equal command only.
func TestCompilationsAreKept(t *testing.T) {
	t.Parallel()
	inner, dir := &compiler{dir: t.TempDir()}, t.TempDir()
	command := func(change func(*sandbox.Command)) (c sandbox.Command, out, errs *bytes.Buffer) {
		out, errs = &bytes.Buffer{}, &bytes.Buffer{}
		c = sandbox.Command{
			Args: []string{"cc"}, Env: []string{"A=b"}, Files: []sandbox.File{{Name: "main.c", Data: []byte("x")}},
			Outputs: []string{"main"}, Stdout: out, Stderr: errs,
		}
		change(&c)
		return c, out, errs
	}
	same := func(*sandbox.Command) {}
	c, _, _ := command(same)
	h, err := recorder{inner, dir}.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := h.Wait()
	first.CloseOutputs()
	c.Outputs = nil
	if _, err := (recorder{inner, dir}).Start(t.Context(), c); !errors.Is(err, errNotRun) {
		t.Errorf("a recorder ran a program: %v", err)
	}

	c, out, errs := command(same)
	if h, err = (compiled{inner, dir}).Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	rep, err := h.Wait()
	if err != nil || rep.ExitCode != 3 || !rep.StdoutTruncated || rep.Memory != 5 || out.String() != "said" || errs.String() != "warned" {
		t.Errorf("%+v, %v, %q, %q", rep, err, out, errs)
	}
	if len(rep.Outputs) != 1 || rep.Outputs[0].Name != "main" || rep.Outputs[0].Mode != 0o755 {
		t.Fatalf("outputs %+v", rep.Outputs)
	}
	content, err := io.ReadAll(io.NewSectionReader(rep.Outputs[0].File, 0, rep.Outputs[0].Size))
	rep.CloseOutputs()
	if err != nil || string(content) != "program" {
		t.Errorf("the output holds %q, %v", content, err)
	}
	if inner.runs != 1 {
		t.Errorf("the compiler ran %d times", inner.runs)
	}

	for name, change := range map[string]func(*sandbox.Command){
		"another source":      func(c *sandbox.Command) { c.Files[0].Data = []byte("y") },
		"another argument":    func(c *sandbox.Command) { c.Args = slices.Concat(c.Args, []string{"-O2"}) },
		"another environment": func(c *sandbox.Command) { c.Env = nil },
		"not a compilation":   func(c *sandbox.Command) { c.Outputs = nil },
	} {
		before := inner.runs
		c, _, _ := command(change)
		h, err := compiled{inner, dir}.Start(t.Context(), c)
		if err != nil || inner.runs != before+1 {
			t.Errorf("%s: taken from the folder, %v", name, err)
			continue
		}
		rep, _ := h.Wait()
		rep.CloseOutputs()
	}
}
