package hostile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// header collects the keys of a case while they are read.
type header struct {
	c     *Case
	seen  map[string]bool
	with  []string
	bytes []substitution
}

// substitution stands for bytes that a text file holds badly: NUL, a byte order mark, a megabyte of one letter.
type substitution struct {
	token string
	value []byte
}

// set takes one key of the header. Keys that hold one value may be given once.
func (h *header) set(key, value string) error {
	if value == "" {
		return errors.New("is empty")
	}
	if h.list(key, value) {
		return nil
	}
	if h.seen[key] {
		return errors.New("given twice")
	}
	h.seen[key] = true
	return h.single(key, value)
}

// list takes the keys that may be repeated and need no parsing; it reports whether key is one.
func (h *header) list(key, value string) bool {
	lists := map[string]*[]string{
		"stdout_contains": &h.c.StdoutContains, "stdout_not_contains": &h.c.StdoutNotContains,
		"stderr_contains": &h.c.StderrContains, "with": &h.with,
	}
	l, ok := lists[key]
	if ok {
		*l = append(*l, value)
	}
	return ok
}

// single takes every other key.
func (h *header) single(key, value string) (err error) {
	c := h.c
	switch key {
	case "why":
		c.Why = value
	case "language":
		c.Language = value
	case "second_language":
		c.SecondLanguage = value
	case "refused":
		c.Refused = value
	case "signal":
		c.Signal = value
	case "limit":
		c.Limit = value
	case "expect":
		c.Expect, err = parseStatuses(value)
	case "compile_status":
		c.CompileStatus, err = parseStatuses(value)
	case "second_expect":
		c.SecondExpect, err = parseStatuses(value)
	case "ends":
		c.Killed, err = choice(value, "killed", done)
	case "again":
		c.Again, err = choice(value, "true", "false")
	case "pair":
		c.Pair, err = choice(value, "true", "false")
	case "truncated":
		var b bool
		b, err = choice(value, "true", "false")
		c.Truncated = &b
	case "second_memory_at_least":
		c.SecondMemory, err = integer[int64](value)
	case "exit_code":
		c.ExitCode, err = integer[int](value)
	case "host":
		c.Host = strings.Fields(value)
	case "arg":
		delete(h.seen, key)
		var arg string
		if arg, err = strconv.Unquote(value); err == nil {
			c.Args = append(c.Args, arg)
		}
	case "bytes":
		delete(h.seen, key)
		var s substitution
		if s, err = parseBytes(value); err == nil {
			h.bytes = append(h.bytes, s)
		}
	case "option":
		delete(h.seen, key)
		err = h.option(value)
	default:
		return h.limit(key, value)
	}
	return err
}

// option takes name=value or name="a quoted Go string", a compiler option of the language.
func (h *header) option(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Errorf("%q is not name=value", s)
	}
	if strings.HasPrefix(value, `"`) {
		var err error
		if value, err = strconv.Unquote(value); err != nil {
			return err
		}
	}
	if h.c.Options == nil {
		h.c.Options = map[string]string{}
	}
	h.c.Options[name] = value
	return nil
}

// limit takes a limit, spelled as in the API.
func (h *header) limit(key, value string) (err error) {
	l := &h.c.Limits
	switch key {
	case "cpu_time_ms":
		l.CPUTimeMS, err = integer[int64](value)
	case "wall_time_ms":
		l.WallTimeMS, err = integer[int64](value)
	case "memory_bytes":
		l.MemoryBytes, err = integer[int64](value)
	case "stack_bytes":
		l.StackBytes, err = integer[int64](value)
	case "output_bytes":
		l.OutputBytes, err = integer[int64](value)
	case "processes":
		l.Processes, err = integer[int](value)
	case "cpu_percent":
		l.CPUPercent, err = integer[int](value)
	default:
		return errors.New("there is no such key")
	}
	return err
}

// integer reads a decimal number; underscores may group digits.
func integer[T int | int64](s string) (*T, error) {
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil || int64(T(n)) != n {
		return nil, fmt.Errorf("%q is not a number that fits", s)
	}
	v := T(n)
	return &v, nil
}

// choice reads one of two words; yes is the one that means true.
func choice(s, yes, no string) (bool, error) {
	if s != yes && s != no {
		return false, fmt.Errorf("%q is neither %q nor %q", s, yes, no)
	}
	return s == yes, nil
}
