package config

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// value is one field of a Config behind the text forms of flags, variables and the file.
type value interface {
	Set(text string) error      // parses; on an error the field is unchanged
	String() string             // what Set would accept
	kind() string               // for the documentation: "size", "time"
	check() (wrong, fix string) // bounds; both "" when the value is good
	allowed() (text string)     // for the documentation: what check accepts, or ""
}

type textValue struct {
	p *string
	// valid says what is wrong with a text and how to mend it; nil accepts all.
	valid func(text string) (wrong, fix string)
	// choices, when set, are the only texts accepted.
	choices []string
}

func (v textValue) Set(text string) error { *v.p = text; return nil }
func (v textValue) String() string        { return *v.p }
func (v textValue) allowed() string       { return strings.Join(v.choices, ", ") }

func (v textValue) kind() string {
	if v.choices != nil {
		return "one of"
	}
	return "text"
}

func (v textValue) check() (wrong, fix string) {
	if v.choices != nil && !slices.Contains(v.choices, *v.p) {
		return "is not one of the choices", "give " + strings.Join(v.choices, ", ")
	}
	if v.valid != nil {
		return v.valid(*v.p)
	}
	return "", ""
}

type boolValue struct{ p *bool }

func (v boolValue) Set(text string) error {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "on", "1":
		*v.p = true
	case "false", "no", "off", "0":
		*v.p = false
	default:
		return fmt.Errorf("give true or false")
	}
	return nil
}

func (v boolValue) String() string             { return strconv.FormatBool(*v.p) }
func (v boolValue) kind() string               { return "true or false" }
func (v boolValue) check() (wrong, fix string) { return "", "" }
func (v boolValue) allowed() string            { return "" }

// numberValue is an int64 or an int within bounds, written by format and read by parse.
type numberValue struct {
	get      func() int64
	set      func(int64)
	min, max int64
	what     string // "number", "size", "time"
	parse    func(string) (int64, error)
	format   func(int64) string
	example  string
}

func (v numberValue) Set(text string) error {
	n, err := v.parse(text)
	if err != nil {
		return fmt.Errorf("give a %s such as %s", v.what, v.example)
	}
	v.set(n)
	return nil
}

func (v numberValue) String() string  { return v.format(v.get()) }
func (v numberValue) kind() string    { return v.what }
func (v numberValue) allowed() string { return v.format(v.min) + " to " + v.format(v.max) }

func (v numberValue) check() (wrong, fix string) {
	if n := v.get(); n < v.min || n > v.max {
		return "is out of range", "give " + v.allowed()
	}
	return "", ""
}

func intValue(p *int, low, high int) value {
	return numberValue{
		get: func() int64 { return int64(*p) }, set: func(n int64) { *p = int(n) },
		min: int64(low), max: int64(high), what: "number", example: "8",
		parse:  func(t string) (int64, error) { return strconv.ParseInt(strings.TrimSpace(t), 10, 32) },
		format: func(n int64) string { return strconv.FormatInt(n, 10) },
	}
}

// autoValue is a number or "auto", which is held as 0.
type autoValue struct{ numberValue }

const auto = "auto"

func autoIntValue(p *int, low, high int) value {
	v := intValue(p, low, high).(numberValue)
	return autoValue{v}
}

func (v autoValue) Set(text string) error {
	if strings.TrimSpace(text) == auto {
		v.set(0)
		return nil
	}
	n, err := v.parse(text)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("give %s", v.allowed())
	}
	v.set(n)
	return nil
}

func (v autoValue) String() string {
	if v.get() == 0 {
		return auto
	}
	return v.numberValue.String()
}

func (v autoValue) allowed() string { return v.numberValue.allowed() + ", or " + auto }

func (v autoValue) check() (wrong, fix string) {
	if v.get() == 0 {
		return "", ""
	}
	return v.numberValue.check()
}

func sizeValue(p *int64, low, high int64) value {
	return numberValue{
		get: func() int64 { return *p }, set: func(n int64) { *p = n },
		min: low, max: high, what: "size", example: "256MiB", parse: ParseSize, format: FormatSize,
	}
}

func timeValue(p *time.Duration, low, high time.Duration) value {
	return numberValue{
		get: func() int64 { return int64(*p) }, set: func(n int64) { *p = time.Duration(n) },
		min: int64(low), max: int64(high), what: "time", example: "30s",
		parse:  func(t string) (int64, error) { d, err := ParseDuration(t); return int64(d), err },
		format: func(n int64) string { return formatDuration(time.Duration(n)) },
	}
}

type listValue struct {
	p     *[]string
	valid func(item string) (wrong, fix string)
}

func (v listValue) Set(text string) error { *v.p = splitList(text); return nil }

func (v listValue) String() string  { return strings.Join(*v.p, ",") }
func (v listValue) kind() string    { return "list, separated by commas" }
func (v listValue) allowed() string { return "" }

func (v listValue) check() (wrong, fix string) {
	for _, item := range *v.p {
		if wrong, fix := v.valid(item); wrong != "" {
			return fmt.Sprintf("has %q, which %s", item, wrong), fix
		}
	}
	return "", ""
}

type mapValue struct {
	p     *map[string]string
	valid func(key, item string) (wrong, fix string)
}

func (v mapValue) Set(text string) error {
	m := map[string]string{}
	for _, item := range splitList(text) {
		key, val, found := strings.Cut(item, "=")
		key = strings.TrimSpace(key)
		if !found || key == "" {
			return fmt.Errorf("give NAME=VALUE, with commas between several")
		}
		if _, twice := m[key]; twice {
			return fmt.Errorf("give %s only once", key)
		}
		m[key] = strings.TrimSpace(val)
	}
	*v.p = m
	return nil
}

func (v mapValue) String() string {
	items := make([]string, 0, len(*v.p))
	for key, val := range *v.p {
		items = append(items, key+"="+val)
	}
	sort.Strings(items)
	return strings.Join(items, ",")
}

func (v mapValue) kind() string    { return "NAME=VALUE, separated by commas" }
func (v mapValue) allowed() string { return "" }

func (v mapValue) check() (wrong, fix string) {
	for _, item := range splitList(v.String()) {
		key, val, _ := strings.Cut(item, "=")
		if wrong, fix := v.valid(key, val); wrong != "" {
			return fmt.Sprintf("has %q, which %s", item, wrong), fix
		}
	}
	return "", ""
}

// splitList splits at commas and drops blanks and empty items.
func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
