package hostile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"assay/internal/engine"
	"assay/internal/language"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
)

// On an emulated machine compilers are what takes the time. So the programs of cases can be compiled beforehand, by this
// very test binary on a faster machine with the same toolchains, in the sandbox and through the engine as ever. Cases whose attack
// is the compilation are left out.
const (
	// precompileEnv makes the test binary compile the cases into the folder that it names, and run none.
	precompileEnv = "ASSAY_HOSTILE_PRECOMPILE"
	// compiledEnv names such a folder: compilations that are found there are not made again.
	compiledEnv = "ASSAY_HOSTILE_COMPILED"
)

// leastCompiled is how many compilations are worth having: fewer mean that something is wrong.
const leastCompiled = 100

// compilation is what is kept of one: the report, and what the compiler wrote. The outputs' contents are files beside it.
type compilation struct {
	Report         sandbox.Report
	Stdout, Stderr []byte
}

// folderOf names the folder of a compilation by everything that a compiler is given.
func folderOf(dir string, c *sandbox.Command) (string, error) {
	b, err := json.Marshal([]any{c.Args, c.Env, c.Files, c.Outputs})
	if err != nil {
		return "", fmt.Errorf("naming a compilation: %w", err)
	}
	sum := sha256.Sum256(b)
	return filepath.Join(dir, hex.EncodeToString(sum[:16])), nil
}

const reportFile = "report.json"

// save writes a compilation; its outputs stay open.
func save(folder string, k *compilation) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for i, o := range k.Report.Outputs {
		content, err := io.ReadAll(io.NewSectionReader(o.File, 0, o.Size))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, strconv.Itoa(i)), content, 0o644); err != nil {
			return err
		}
	}
	plain := *k
	plain.Report.Outputs = nil
	for _, o := range k.Report.Outputs {
		o.File = nil
		plain.Report.Outputs = append(plain.Report.Outputs, o)
	}
	b, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, reportFile), b, 0o644)
}

// take opens a compilation; nil when there is none.
func take(folder string) (*compilation, error) {
	b, err := os.ReadFile(filepath.Join(folder, reportFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// An interface cannot be unmarshalled into: the outputs' files are left out.
	var k struct {
		Report struct {
			sandbox.Report
			Outputs []struct {
				Name string
				Size int64
				Mode fs.FileMode
			}
		}
		Stdout, Stderr []byte
	}
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("reading a compilation: %w", err)
	}
	c := &compilation{Report: k.Report.Report, Stdout: k.Stdout, Stderr: k.Stderr}
	for i, o := range k.Report.Outputs {
		f, err := os.Open(filepath.Join(folder, strconv.Itoa(i)))
		if err != nil {
			c.Report.CloseOutputs()
			return nil, err
		}
		c.Report.Outputs = append(c.Report.Outputs, sandbox.Output{Name: o.Name, Size: o.Size, Mode: o.Mode, File: f})
	}
	return c, nil
}

// compiled is a sandbox that takes compilations from a folder where it has them; without a folder it has none.
type compiled struct {
	engine.Sandbox
	dir string
}

// Start implements engine.Sandbox.
func (s compiled) Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error) {
	if s.dir == "" || len(c.Outputs) == 0 {
		return s.Sandbox.Start(ctx, c)
	}
	folder, err := folderOf(s.dir, &c)
	if err != nil {
		return nil, err
	}
	k, err := take(folder)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return s.Sandbox.Start(ctx, c)
	}
	_, errOut := c.Stdout.Write(k.Stdout)
	_, errErr := c.Stderr.Write(k.Stderr)
	return ended{k.Report}, errors.Join(errOut, errErr)
}

// ended is the handle of a run that was over before.
type ended struct{ report sandbox.Report }

func (ended) Signal(syscall.Signal) error     { return nil }
func (ended) Resize(sandbox.WindowSize) error { return nil }
func (e ended) Wait() (sandbox.Report, error) { return e.report, nil }
func (e ended) Usage() (sandbox.Usage, error) { return sandbox.Usage{CPUTime: e.report.CPUTime}, nil }

// errNotRun is what a recorder answers to commands that do not compile.
var errNotRun = errors.New("only compilers are run")

// recorder is a sandbox that keeps what compilers did, and runs nothing else.
type recorder struct {
	engine.Sandbox
	dir string
}

// Start implements engine.Sandbox.
func (s recorder) Start(ctx context.Context, c sandbox.Command) (sandbox.Handle, error) {
	if len(c.Outputs) == 0 {
		return nil, errNotRun
	}
	folder, err := folderOf(s.dir, &c)
	if err != nil {
		return nil, err
	}
	var k compilation
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = io.MultiWriter(c.Stdout, &stdout), io.MultiWriter(c.Stderr, &stderr)
	h, err := s.Sandbox.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	if k.Report, err = h.Wait(); err != nil {
		return nil, err
	}
	k.Stdout, k.Stderr = stdout.Bytes(), stderr.Bytes()
	if err := save(folder, &k); err != nil {
		return nil, fmt.Errorf("keeping a compilation: %w", err)
	}
	return ended{k.Report}, nil
}

// precompile compiles what can be compiled beforehand.
func precompile(ctx context.Context, dir string) (err error) {
	cases, err := readCases(os.DirFS("testdata"))
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "precompile")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := os.Chmod(scratch, 0o711); err != nil {
		return err
	}
	languages, err := language.Open(language.Options{})
	if err != nil {
		return err
	}
	driver, err := linux.Open(ctx, linux.Options{RunDir: filepath.Join(scratch, "run"), Slots: slots, Folders: languages.Folders()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	e := engine.New(engine.Options{Sandbox: recorder{driver, dir}, Languages: languages, Slots: slots, MaxWaiting: 2 * len(cases)})
	defer func() { err = errors.Join(err, e.Close()) }()
	var mu sync.Mutex
	var all sync.WaitGroup
	for name, c := range cases {
		if strings.HasPrefix(name, "compiler/") || len(c.CompileStatus) > 0 || c.Refused != "" {
			continue
		}
		for _, p := range []struct {
			language string
			files    []engine.SourceFile
		}{{c.Language, c.Files}, {c.SecondLanguage, c.Second}} {
			if len(p.files) == 0 {
				continue
			}
			all.Go(func() {
				_, problem := e.Run(ctx, engine.Request{Language: p.language, Files: p.files, Options: c.Options})
				if problem != nil && !errors.Is(problem, errNotRun) {
					mu.Lock()
					defer mu.Unlock()
					err = errors.Join(err, fmt.Errorf("%s: %w", name, problem))
				}
			})
		}
	}
	all.Wait()
	kept, globErr := filepath.Glob(filepath.Join(dir, "*", reportFile))
	if len(kept) < leastCompiled {
		err = errors.Join(err, globErr, fmt.Errorf("only %d programs were compiled", len(kept)))
	}
	return err
}
