package engine

import (
	"bytes"
	"os"
	"testing"

	"assay/internal/sandbox"
	"assay/internal/verdict"
)

// TestKeeper: a large executable is copied once, kept from the second time on, and what is run is always what was sent.
func TestKeeper(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var ran []byte
	var shown bool
	f.run = func(c sandbox.Command) (sandbox.Report, error) {
		ran, shown = c.Files[0].Data, c.Files[0].Artifact != nil
		if shown {
			var err error
			if ran, err = os.ReadFile(c.Files[0].Artifact.Path); err != nil {
				t.Error(err)
			}
		}
		return sandbox.Report{}, nil
	}
	e := newEngine(t, f, nil)
	large, small := bytes.Repeat([]byte("\x7fELF"), keepFrom/4), []byte("\x7fELF")
	other := append(bytes.Clone(large[:len(large)-1]), 'x')
	for i, step := range []struct {
		content []byte
		kept    bool
	}{{large, false}, {large, true}, {large, true}, {other, false}, {other, true}, {large, true}, {small, false}, {small, false}} {
		r, err := e.Run(t.Context(), Request{Language: "exe", Files: []SourceFile{{Content: step.content}}})
		if err != nil || r.Status != verdict.OK {
			t.Fatalf("%+v, %v", r, err)
		}
		if shown != step.kept || !bytes.Equal(ran, step.content) {
			t.Errorf("step %d: kept %t, the right content %t", i, shown, bytes.Equal(ran, step.content))
		}
	}
	// A hash that two files share must not make one run as the other: this one differs where the hash does not look.
	alike := bytes.Clone(large)
	alike[100]++
	if e.keeper.sample(alike) != e.keeper.sample(large) {
		t.Fatal("the hash looks at everything")
	}
	if _, err := e.Run(t.Context(), Request{Language: "exe", Files: []SourceFile{{Content: alike}}}); err != nil || shown || !bytes.Equal(ran, alike) {
		t.Errorf("another content was shown: %t, %v", shown, err)
	}
	if n := f.remaining(); n != 2 {
		t.Errorf("%d files are kept", n)
	}
	if err := e.Close(); err != nil || f.remaining() != 0 || len(e.keeper.content) != 0 {
		t.Errorf("%d files and %d maps remain, %v", f.remaining(), len(e.keeper.content), err)
	}
}
