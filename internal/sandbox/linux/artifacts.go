package linux

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"assay/internal/fault"
	"assay/internal/sandbox"
)

// Keep copies an output to the instance's artifacts, where runs can be shown it. It implements engine.Sandbox.
func (d *Driver) Keep(o sandbox.Output) (*sandbox.Artifact, error) {
	path := filepath.Join(d.instance.dir, "artifacts", fmt.Sprintf("%08x", d.artifacts.Add(1)))
	if err := copyArtifact(path, o); err != nil {
		return nil, errors.Join(fault.Internalf(err, "keeping %s", o.Name), ignoreMissing(os.Remove(path)))
	}
	return &sandbox.Artifact{Path: path, Size: o.Size}, nil
}

// copyArtifact writes a file that is about to be executed. No process may be forked meanwhile: it would hold the file open
// for writing until its own execve, and ours would fail with ETXTBSY (go.dev/issue/22315).
func copyArtifact(path string, o sandbox.Output) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.NewSectionReader(o.File, 0, o.Size))
	if err == nil {
		// Readable by all, since programs run under ids of their own; executable if it was.
		err = f.Chmod(0o444 | o.Mode&0o111)
	}
	return errors.Join(err, f.Close())
}

// Release deletes an artifact. A run that is being shown it keeps it until its end. It implements engine.Sandbox.
func (d *Driver) Release(a *sandbox.Artifact) error {
	if filepath.Dir(a.Path) != filepath.Join(d.instance.dir, "artifacts") {
		return fault.Internalf(nil, "releasing %s, which is not an artifact", a.Path)
	}
	if err := os.Remove(a.Path); err != nil {
		return fault.Internalf(err, "deleting an artifact")
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
