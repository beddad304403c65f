package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"assay/internal/config"
	"assay/internal/engine"
)

const (
	// maxProgram bounds FILE: the engine has limits for each language, this one only keeps a slip such as
	// "assay run disk.img" from filling the memory.
	maxProgram = 512 << 20
	// smallInput is up to where a file for stdin is read into memory and handed over at once, not through a pipe.
	smallInput = 4 << 20
)

// readProgram reads FILE, or standard input for "-".
func readProgram(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return readUpTo(stdin, "standard input")
	}
	f, err := openRegular(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readUpTo(f, file)
}

func readUpTo(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxProgram+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	if len(data) > maxProgram {
		return nil, fmt.Errorf("%s is larger than %s: is it a program?", name, config.FormatSize(maxProgram))
	}
	return data, nil
}

// openRegular opens a file that somebody named. It never waits, as opening a named pipe would.
func openRegular(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fmt.Errorf("%s cannot be opened: %w", name, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("%s is a directory: name a file", name)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file: use - and a redirection to read from a pipe or a device", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openInput gives the program's stdin: the file of --stdin, else our own, unless the program itself came from there.
func openInput(name, file string, own io.Reader) (stdin io.Reader, closeInput func(), err error) {
	none := func() {}
	switch {
	case name == "" && file == "-":
		return nil, none, nil
	case name == "-" && file == "-":
		return nil, none, errors.New("--stdin: standard input is already the program: name a file for one of them")
	case name == "" || name == "-":
		return plainReader{own}, none, nil
	}
	f, err := openRegular(name)
	if err != nil {
		return nil, none, fmt.Errorf("--stdin: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.Size() <= smallInput {
		data, err := io.ReadAll(io.LimitReader(f, smallInput+1))
		f.Close()
		if err != nil {
			return nil, none, fmt.Errorf("--stdin: %s cannot be read: %w", name, err)
		}
		return bytes.NewReader(data), none, nil
	}
	return plainReader{f}, func() { f.Close() }, nil
}

// furtherFiles reads the files of --file: PATH, which is named after its last element, or NAME=PATH.
func furtherFiles(items []string) ([]engine.SourceFile, error) {
	files := make([]engine.SourceFile, 0, len(items))
	for _, item := range items {
		name, file, named := strings.Cut(item, "=")
		if !named {
			name, file = filepath.Base(item), item
		}
		if name == "" || file == "" {
			return nil, fmt.Errorf("--file %q: give PATH or NAME=PATH", item)
		}
		f, err := openRegular(file)
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		content, err := readUpTo(f, file)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		files = append(files, engine.SourceFile{Name: name, Content: content})
	}
	return files, nil
}
