// Package hostile holds programs that attack the sandbox, and the test that runs each of them through the engine and
// then looks at the host. A case is one txtar file under testdata; README.md says how one is written. No program of
// this folder may ever run outside the sandbox.
package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"

	"assay/internal/engine"
	"assay/internal/verdict"
)

// Case is one hostile program (or two) and what must hold while and after it runs.
type Case struct {
	Why           string           // what it tries, in one sentence
	Language      string           // language id of the first program
	Expect        []verdict.Status // allowed statuses of the first program
	CompileStatus []verdict.Status // allowed statuses of its compilation; empty: not looked at
	Refused       string           // when set, the engine must refuse the request with an error that contains it
	Killed        bool             // the program may end without its last line "done"
	Again         bool             // run the first program, then the second (or the first once more), in every slot
	Pair          bool             // run the first and the second program at the same time in two slots

	Limits  engine.LimitOverrides
	Options map[string]string
	Args    []string
	Stdin   []byte

	Stdout            *string // exact output, when set
	StdoutContains    []string
	StdoutNotContains []string
	StderrContains    []string
	Signal            string   // name of the signal the result must show, when set
	Limit             string   // "cpu" or "wall", when set
	ExitCode          *int     // exact exit code, when set
	Truncated         *bool    // exact value, when set
	Host              []string // names of host checks that must pass when nothing else is running

	Files          []engine.SourceFile // of the first program; the main source first
	Second         []engine.SourceFile // of the second program (Again, Pair)
	SecondLanguage string              // Language when not given
	SecondExpect   []verdict.Status    // Expect when not given
	memory         *int64              // least reading of peak memory, when set
	known          string              // what the program may report although it escaped with it; see losses

	SecondMemory *int64 // least reading of peak memory of the second program, in bytes, when set
}

// done is the line that a program prints last, so that one that died early is not taken for one that was held.
const done = "done"

// sections of a case file that are not sources.
const (
	stdinSection  = "stdin"
	stdoutSection = "stdout"
	secondPrefix  = "second/"
)

// Parse reads a case file. Unknown and repeated single keys are errors: a misspelt expectation must not pass. shared
// gives the content of a helper file that the case names with "with".
func Parse(data []byte, shared func(name string) ([]byte, error)) (*Case, error) {
	ar := txtar.Parse(data)
	h := header{c: &Case{}, seen: map[string]bool{}}
	for n, line := range strings.Split(string(ar.Comment), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("line %d: %q is not \"key: value\"", n+1, line)
		}
		if err := h.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", n+1, key, err)
		}
	}
	if err := h.files(ar.Files, shared); err != nil {
		return nil, err
	}
	return h.c, check(h.c)
}

// files sorts the sections into sources, standard input and expected output.
func (h *header) files(files []txtar.File, shared func(string) ([]byte, error)) error {
	names := map[string]bool{}
	for _, f := range files {
		if names[f.Name] {
			return fmt.Errorf("section %q is there twice", f.Name)
		}
		names[f.Name] = true
		data, err := h.expand(f.Data)
		if err != nil {
			return fmt.Errorf("section %q: %w", f.Name, err)
		}
		switch {
		case f.Name == stdinSection:
			h.c.Stdin = data
		case f.Name == stdoutSection:
			s := string(data)
			h.c.Stdout = &s
		case strings.HasPrefix(f.Name, secondPrefix):
			h.c.Second = append(h.c.Second, engine.SourceFile{Name: strings.TrimPrefix(f.Name, secondPrefix), Content: data})
		default:
			h.c.Files = append(h.c.Files, engine.SourceFile{Name: f.Name, Content: data})
		}
	}
	for _, name := range h.with {
		data, err := shared(name)
		if err != nil {
			return fmt.Errorf("with: %w", err)
		}
		h.c.Files = append(h.c.Files, engine.SourceFile{Name: name, Content: data})
		if len(h.c.Second) > 0 {
			h.c.Second = append(h.c.Second, engine.SourceFile{Name: name, Content: data})
		}
	}
	return nil
}

// maxExpanded bounds a section after expansion, in bytes.
const maxExpanded = 64 << 20

// expand puts the bytes of the "bytes" keys in place of their tokens; a token at the very end of a section also
// takes away the newline that txtar puts there.
func (h *header) expand(data []byte) ([]byte, error) {
	for _, b := range h.bytes {
		token := []byte(b.token)
		n := bytes.Count(data, token)
		if n == 0 {
			continue
		}
		if len(data)+n*len(b.value) > maxExpanded {
			return nil, fmt.Errorf("%s makes it larger than %d bytes", b.token, maxExpanded)
		}
		if bytes.HasSuffix(data, append(slices.Clone(token), '\n')) {
			data = data[:len(data)-1]
		}
		data = bytes.ReplaceAll(data, token, b.value)
	}
	return data, nil
}

// check finds what is missing or contradicts itself.
func check(c *Case) error {
	var problems []error
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Why == "" {
		fail("why: say in one sentence what the program tries")
	}
	if c.Language == "" {
		fail("language: name it")
	}
	if len(c.Files) == 0 {
		fail("there is no source section")
	}
	if len(c.Expect) == 0 && c.Refused == "" {
		fail("expect: list the allowed statuses")
	}
	if len(c.Second) > 0 && !c.Again && !c.Pair {
		fail("second/ sections need \"again: true\" or \"pair: true\"")
	}
	if c.Again && c.Pair {
		fail("again and pair exclude each other")
	}
	if c.Pair && len(c.Second) == 0 {
		fail("pair: true needs second/ sections")
	}
	if c.Limit != "" && c.Limit != verdict.CPULimit && c.Limit != verdict.WallLimit {
		fail("limit: give %q or %q", verdict.CPULimit, verdict.WallLimit)
	}
	for _, name := range c.Host {
		if !slices.Contains(hostCheckNames(), name) {
			fail("host: there is no check %q; there are %s", name, strings.Join(hostCheckNames(), ", "))
		}
	}
	for _, f := range slices.Concat(c.Files, c.Second) {
		if c.Refused != "" {
			break // what is refused may be the name
		}
		if f.Name == "" || path.IsAbs(f.Name) || path.Clean(f.Name) != f.Name || strings.HasPrefix(f.Name, "..") {
			fail("section %q is not the name of a source file", f.Name)
		}
	}
	if c.SecondLanguage == "" {
		c.SecondLanguage = c.Language
	}
	if c.SecondExpect == nil {
		c.SecondExpect = c.Expect
	}
	return errors.Join(problems...)
}

// parseStatuses reads "ok | runtime_error". internal_error is never allowed: it is a defect of assay.
func parseStatuses(s string) ([]verdict.Status, error) {
	known := []verdict.Status{
		verdict.OK, verdict.CompileError, verdict.RuntimeError, verdict.TimeLimitExceeded,
		verdict.MemoryLimitExceeded, verdict.OutputLimitExceeded,
	}
	var out []verdict.Status
	for part := range strings.SplitSeq(s, "|") {
		st := verdict.Status(strings.TrimSpace(part))
		if !slices.Contains(known, st) {
			return nil, fmt.Errorf("%q is not a status that a program may have", st)
		}
		out = append(out, st)
	}
	return out, nil
}

// parseBytes reads `@TOKEN@ "go string"` or `@TOKEN@ "go string" * 1000`.
func parseBytes(s string) (substitution, error) {
	token, rest, _ := strings.Cut(s, " ")
	rest = strings.TrimSpace(rest)
	if len(token) < 3 || token[0] != '@' || token[len(token)-1] != '@' {
		return substitution{}, fmt.Errorf("%q is not a token like @NAME@", token)
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return substitution{}, fmt.Errorf("after the token a quoted Go string is expected: %w", err)
	}
	value, err := strconv.Unquote(quoted)
	if err != nil {
		return substitution{}, fmt.Errorf("the quoted string: %w", err)
	}
	if strings.Contains(value, token) {
		return substitution{}, errors.New("the bytes must not contain their own token")
	}
	times := 1
	if rest = strings.TrimSpace(rest[len(quoted):]); rest != "" {
		count, ok := strings.CutPrefix(rest, "*")
		if times, err = strconv.Atoi(strings.TrimSpace(count)); !ok || err != nil || times < 0 || times*len(value) > maxExpanded {
			return substitution{}, fmt.Errorf("%q is not \"* N\" with a result of at most %d bytes", rest, maxExpanded)
		}
	}
	return substitution{token, bytes.Repeat([]byte(value), times)}, nil
}
