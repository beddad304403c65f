// Package built makes the real binary for tests that use it from outside.
package built

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Assay is a binary of this tree with a run folder of its own.
type Assay struct {
	Binary string
	RunDir string
	Dir    string // for what else the tests need
}

// Main is what a TestMain does: it builds the binary, has use take it over, runs the tests and ends the process.
func Main(m *testing.M, use func(Assay) error) {
	code, err := run(m, use)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, use func(Assay) error) (code int, err error) {
	a, err := build()
	defer a.remove()
	if err != nil {
		return 1, err
	}
	if err := use(a); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func build() (a Assay, err error) {
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
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", a.Binary, "assay/cmd/assay")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return a, fmt.Errorf("building assay: %w\n%s", err, out)
	}
	return a, nil
}

func (a Assay) remove() {
	for _, dir := range []string{a.Dir, a.RunDir} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}
