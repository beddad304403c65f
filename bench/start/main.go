// Command start measures how much longer a program takes to start in the sandbox than by hand: the hello of each
// language through the engine, with a warm slot and the compiled program cached, and the same argument list executed in
// a folder with the same files, by turns.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"assay/internal/bench"
	"assay/internal/engine"
	"assay/internal/langcheck"
	"assay/internal/language"
	"assay/internal/sandbox"
	"assay/internal/sandbox/linux"
	"assay/internal/verdict"
	"assay/languages"
)

// maxMoreMS is the bar of docs/performance.md.
const maxMoreMS = 2

func main() {
	linux.Main()
	runDir := flag.String("run-dir", "", "scratch `folder` of the sandboxes")
	folder := flag.String("folder", "", "scratch `folder` for what is started by hand")
	runs := flag.Int("runs", 20, "starts of each kind")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, *runDir, *folder, *runs, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

// bencher is what all languages are measured with.
type bencher struct {
	driver *linux.Driver
	engine *engine.Engine
	folder string
	runs   int
}

func measure(ctx context.Context, runDir, folder string, runs int, ids []string) (err error) {
	catalog, err := language.Open(language.Options{})
	if err != nil {
		return err
	}
	var all []language.Language
	var folders []string
	if len(ids) == 0 {
		ids = catalog.IDs()
	}
	for _, id := range ids {
		if l, err := catalog.Lookup(id); err == nil && !l.Source.Executable {
			all, folders = append(all, l), append(folders, l.HostFolders()...)
		}
	}
	slices.Sort(folders)
	driver, err := linux.Open(ctx, linux.Options{
		RunDir: runDir, Slots: 1, Folders: slices.Compact(folders), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	b := bencher{
		driver: driver, folder: folder, runs: runs,
		engine: engine.New(engine.Options{Sandbox: driver, Languages: catalog, CacheBytes: 1 << 30, CacheEntries: 100}),
	}
	defer func() { err = errors.Join(err, b.engine.Close()) }()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "language\tby hand, ms\tsandbox, ms\tmore, ms\tmore by minimum, ms\tbar\t")
	for _, l := range all {
		byHand, boxed, err := b.language(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", l.ID, err)
		}
		hand, box := bench.Summarize(byHand), bench.Summarize(boxed)
		more, mark := (box.MedianUS-hand.MedianUS)/1000, "met"
		if more > maxMoreMS {
			mark = "missed"
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%s\t\n", l.ID, hand.MedianUS/1000, box.MedianUS/1000, more, (box.MinUS-hand.MinUS)/1000, mark)
	}
	return w.Flush()
}

// language takes the times of one language, by turns.
func (b *bencher) language(ctx context.Context, l language.Language) (byHand, boxed []time.Duration, err error) {
	programs, err := langcheck.Load(l.ID, languages.Files)
	if err != nil {
		return nil, nil, err
	}
	req := programs.Request("hello", l.ID)
	command, err := b.lay(ctx, l, req)
	if err != nil {
		return nil, nil, err
	}
	for i := range b.runs + 2 {
		hand, err := start(ctx, command)
		if err != nil {
			return nil, nil, fmt.Errorf("by hand: %w", err)
		}
		began := time.Now()
		r, err := b.engine.Run(ctx, req)
		took := time.Since(began)
		if err != nil {
			return nil, nil, err
		}
		if r.Status != verdict.OK {
			return nil, nil, fmt.Errorf("%s: %s", r.Status, r.Message)
		}
		if i >= 2 { // the first two warm caches
			byHand, boxed = append(byHand, hand), append(boxed, took)
		}
	}
	return byHand, boxed, nil
}

// command is one program to start by hand.
type command struct {
	args, env []string
	dir       string
}

// lay compiles a program in the sandbox and writes everything that its start needs into a folder.
func (b *bencher) lay(ctx context.Context, l language.Language, req engine.Request) (command, error) {
	limits := sandbox.DefaultRun()
	in := language.Input{Memory: limits.Memory, Stack: limits.Stack, Options: req.Options}
	for _, f := range req.Files {
		in.Files = append(in.Files, language.File{Name: f.Name, Content: f.Content})
	}
	plan, err := l.Plan(in)
	if err != nil {
		return command{}, err
	}
	dir, err := os.MkdirTemp(b.folder, l.ID+"-")
	if err != nil {
		return command{}, err
	}
	var files []sandbox.File
	for _, f := range plan.Files {
		files = append(files, sandbox.File{Name: f.Name, Data: f.Content})
		if err := write(dir, f.Name, f.Content, 0o644); err != nil {
			return command{}, err
		}
	}
	if plan.Compile != nil {
		if err := b.compile(ctx, plan.Compile, files, dir); err != nil {
			return command{}, err
		}
	}
	return command{args: plan.Run.Args, env: plan.Run.Env, dir: dir}, nil
}

func (b *bencher) compile(ctx context.Context, step *language.Step, files []sandbox.File, dir string) error {
	limits := sandbox.DefaultCompile()
	limits.Memory, limits.CPUTime, limits.WallTime = 4<<30, 5*time.Minute, 5*time.Minute
	h, err := b.driver.Start(ctx, sandbox.Command{Args: step.Args, Env: step.Env, Files: files, Outputs: step.Outputs, Limits: limits})
	if err != nil {
		return err
	}
	report, err := h.Wait()
	defer report.CloseOutputs()
	if err != nil {
		return err
	}
	for _, o := range report.Outputs {
		content := make([]byte, o.Size)
		if _, err := io.ReadFull(io.NewSectionReader(o.File, 0, o.Size), content); err != nil {
			return err
		}
		if err := write(dir, o.Name, content, o.Mode.Perm()); err != nil {
			return err
		}
	}
	return nil
}

func write(dir, name string, content []byte, mode os.FileMode) error {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, mode)
}

// start runs a program by hand.
func start(ctx context.Context, c command) (time.Duration, error) {
	program := c.args[0]
	if !filepath.IsAbs(program) {
		program = filepath.Join(c.dir, program)
	}
	cmd := exec.CommandContext(ctx, program, c.args[1:]...) //nolint:gosec // the definition's own command
	cmd.Args[0] = c.args[0]
	cmd.Dir, cmd.Env = c.dir, c.env
	began := time.Now()
	out, err := cmd.Output()
	took := time.Since(began)
	if err == nil && string(out) != "Hello, world!\n" {
		err = fmt.Errorf("it printed %q", out)
	}
	return took, err
}
