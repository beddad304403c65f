package engine

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"assay/internal/fault"
	"assay/internal/language"
	"assay/internal/sandbox"
)

// Bounds of names and arguments that no setting changes: beyond them the kernel refuses.
const (
	maxNameBytes  = 255  // of one element of a file's name
	maxPathBytes  = 1024 // of a whole name
	maxDepth      = 16
	maxArgs       = 4096
	maxArgBytes   = 128<<10 - 1
	maxArgsTotal  = 1 << 20
	runExecutable = 0o755
)

// job is a valid request: everything decided that can be before the program runs.
type job struct {
	language language.Language
	plan     language.Plan
	files    []sandbox.File // the submission's
	limits   sandbox.Limits // of the run
	compile  sandbox.Limits // of the compiler

	stdin          io.Reader
	rewindable     bool         // stdin is empty or can be given again
	input          bytes.Reader // what stdin was at the start, when it is a *bytes.Reader
	stdout, stderr *live        // nil: into the Result
	progress       func(Event)
}

// newJob validates a request. Every fault names the field as the API spells it.
func (e *Engine) newJob(req Request) (*job, error) {
	l, err := e.options.Languages.Lookup(req.Language)
	if err != nil {
		return nil, err
	}
	if req.Network {
		return nil, e.noNetwork()
	}
	if err := e.checkSizes(l, req); err != nil {
		return nil, err
	}
	if err := checkArgs(req.Args); err != nil {
		return nil, err
	}
	limits, err := e.runLimits(l, req.Limits)
	if err != nil {
		return nil, err
	}
	in := language.Input{Files: make([]language.File, len(req.Files)), Args: req.Args, Options: req.Options, Memory: limits.Memory, Stack: limits.Stack}
	for i, f := range req.Files {
		in.Files[i] = language.File{Name: f.Name, Content: f.Content}
	}
	if err := checkNames(in.Files); err != nil {
		return nil, err
	}
	plan, err := l.Plan(in)
	if err != nil {
		return nil, err
	}
	if err := checkNames(plan.Files); err != nil { // a language may have renamed them
		return nil, err
	}
	j := &job{language: l, plan: plan, limits: limits, progress: req.Progress}
	if l.Definition.Compile != nil {
		j.compile = overlay(e.options.CompileLimits, l.Definition.Compile.Limits)
	}
	j.files = make([]sandbox.File, len(plan.Files))
	for i, f := range plan.Files {
		j.files[i] = sandbox.File{Name: f.Name, Data: f.Content}
	}
	if l.Source.Executable {
		j.files[0].Mode = runExecutable
	}
	j.takeStreams(req)
	return j, nil
}

// noNetwork is the refusal of a request for network access. A sandbox has none to give yet, so the operator's word
// changes only the reason.
func (e *Engine) noNetwork() error {
	f := &fault.Error{Code: fault.Unavailable, Field: "network", Hint: "leave it out or set it to false; give the program its data on stdin or in files"}
	f.Message = "programs have no network here: the operator does not allow it"
	if e.options.AllowNetwork {
		f.Message = "the operator allows network access, but this version of assay has none to give to a program"
	}
	return f
}

func (e *Engine) checkSizes(l language.Language, req Request) error {
	o := &e.options
	if len(req.Files) == 0 {
		return fault.Invalidf("source", "give the program's text", "is missing")
	}
	if len(req.Files) > o.MaxFiles {
		return tooLarge("files", fmt.Sprintf("give at most %d", o.MaxFiles), "%d files are too many", len(req.Files))
	}
	limit := max(o.MaxSource, l.MaxSource())
	total := int64(0)
	for i, f := range req.Files {
		field := fmt.Sprintf("files[%d].content", i)
		if len(req.Files) == 1 && f.Name == "" {
			field = "source"
		}
		if int64(len(f.Content)) > limit {
			return tooLarge(field, "the limit is "+size(limit), "%d bytes are too many", len(f.Content))
		}
		total += int64(len(f.Content))
	}
	if total > max(o.MaxTotal, l.MaxSource()) {
		return tooLarge("files", "the limit for all files together is "+size(o.MaxTotal), "%d bytes are too many", total)
	}
	if r, ok := req.Stdin.(*bytes.Reader); ok && r != nil && int64(r.Len()) > o.MaxStdin {
		return tooLarge("stdin", "the limit is "+size(o.MaxStdin), "%d bytes are too many", r.Len())
	}
	return nil
}

func tooLarge(field, hint, format string, args ...any) error {
	return &fault.Error{Code: fault.TooLarge, Field: field, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func checkArgs(args []string) error {
	if len(args) > maxArgs {
		return tooLarge("args", fmt.Sprintf("give at most %d", maxArgs), "%d arguments are too many", len(args))
	}
	total := 0
	for i, a := range args {
		field := fmt.Sprintf("args[%d]", i)
		if strings.IndexByte(a, 0) >= 0 {
			return fault.Invalidf(field, "remove it, or pass the data on stdin", "a NUL byte cannot stand in an argument")
		}
		if len(a) > maxArgBytes {
			return tooLarge(field, fmt.Sprintf("the limit is %d bytes; pass the data on stdin", maxArgBytes), "%d bytes are too many", len(a))
		}
		total += len(a) + 1
	}
	if total > maxArgsTotal {
		return tooLarge("args", "the limit for all arguments together is "+size(maxArgsTotal), "%d bytes are too many", total)
	}
	return nil
}

// checkNames checks the names of a submission's files, alone and against each other. Only the first may have none.
func checkNames(files []language.File) error {
	for i, f := range files {
		if f.Name == "" && i == 0 {
			continue
		}
		if err := checkName(fmt.Sprintf("files[%d].name", i), f.Name); err != nil {
			return err
		}
	}
	if len(files) < 2 {
		return nil
	}
	names := make(map[string]int, len(files))
	for i, f := range files {
		if other, taken := names[f.Name]; taken {
			return fault.Invalidf(fmt.Sprintf("files[%d].name", i), "give each file a name of its own", "files[%d] is named %q too", other, f.Name)
		}
		names[f.Name] = i
	}
	for i, f := range files {
		for folder := path.Dir(f.Name); folder != "." && folder != "/"; folder = path.Dir(folder) {
			if other, taken := names[folder]; taken {
				return fault.Invalidf(fmt.Sprintf("files[%d].name", i), "rename one of them", "%q cannot be a folder and the file files[%d]", folder, other)
			}
		}
	}
	return nil
}

// checkName accepts a path below the working folder that no tool can take for an option.
func checkName(field, name string) error {
	const hint = `use a path such as "src/util.py"`
	bad := func(why string) error { return fault.Invalidf(field, hint, "the name %.100q %s", name, why) }
	switch {
	case name == "":
		return fault.Invalidf(field, hint, "is missing")
	case len(name) > maxPathBytes:
		return bad(fmt.Sprintf("has more than %d bytes", maxPathBytes))
	case !utf8.ValidString(name):
		return bad("is not UTF-8")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return bad("has a control character")
	case name[0] == '/':
		return bad("is an absolute path")
	case name[0] == '-' || name[0] == '@':
		return bad(fmt.Sprintf("starts with %q, which compilers take for an option", name[:1]))
	}
	depth := 0
	for element := range strings.SplitSeq(name, "/") {
		depth++
		switch {
		case element == "" || element == "." || element == "..":
			return bad(fmt.Sprintf("has the element %q", element))
		case len(element) > maxNameBytes:
			return bad(fmt.Sprintf("has an element of more than %d bytes", maxNameBytes))
		case depth > maxDepth:
			return bad(fmt.Sprintf("is more than %d folders deep", maxDepth-1))
		}
	}
	return nil
}

// takeStreams decides how the program's streams are connected.
func (j *job) takeStreams(req Request) {
	j.stdin, j.rewindable = req.Stdin, req.Stdin == nil
	if r, ok := req.Stdin.(*bytes.Reader); ok {
		if r == nil {
			j.stdin = nil
		} else {
			j.input = *r
		}
		j.rewindable = true
	}
	if req.Stdout != nil {
		j.stdout = &live{to: req.Stdout}
	}
	if req.Stderr != nil {
		j.stderr = &live{to: req.Stderr}
	}
}

// rewind makes the job ready for another try; false when its streams have been used.
func (j *job) rewind() bool {
	if !j.rewindable || j.stdout.used() || j.stderr.used() {
		return false
	}
	if r, ok := j.stdin.(*bytes.Reader); ok && r != nil {
		*r = j.input
	}
	return true
}

// runFiles are the files of a compiled program's run: what the compiler made, and the submission's data files.
func (j *job) runFiles(p *program) []sandbox.File {
	files := slices.Clip(p.files)
	for i, f := range j.files {
		if i == 0 || j.language.IsSource(f.Name) {
			continue
		}
		if !slices.ContainsFunc(p.files, func(made sandbox.File) bool { return made.Name == f.Name }) {
			files = append(files, f)
		}
	}
	return files
}

// tell reports a step.
func (j *job) tell(kind EventKind, h sandbox.Handle) {
	if j.progress != nil {
		j.progress(Event{Kind: kind, Handle: h})
	}
}
