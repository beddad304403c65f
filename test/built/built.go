// Package built makes the real binary for tests that use it from outside.
package built

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Assay is a binary of this tree with a run folder of its own.
type Assay struct {
	Binary string
	RunDir string
	Dir    string // for what else the tests need
}

// Make builds the binary. Remove takes everything away again.
func Make() (a Assay, err error) {
	defer func() {
		if err != nil {
			a.Remove()
		}
	}()
	if a.Dir, err = os.MkdirTemp("", "assay-test-"); err != nil {
		return a, err
	}
	if a.RunDir, err = os.MkdirTemp("/run", "assay-test-"); err != nil {
		return a, err
	}
	// The processes of slots are other users, and must be able to enter.
	if err := os.Chmod(a.RunDir, 0o711); err != nil {
		return a, err
	}
	a.Binary = filepath.Join(a.Dir, "assay")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", a.Binary, "assay/cmd/assay")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return a, fmt.Errorf("building assay: %w\n%s", err, out)
	}
	return a, nil
}

// Remove deletes what Make made.
func (a Assay) Remove() {
	for _, dir := range []string{a.Dir, a.RunDir} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}
