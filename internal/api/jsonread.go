package api

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"assay/internal/fault"
)

// jsonReader walks one JSON text along the shape that its caller expects. encoding/json into a struct would take the last of repeated
// names, match names in any case, replace what is not Unicode, and not say where an unknown name stands.
// The walk never goes deeper than the caller asks, so nesting costs nothing.
type jsonReader struct{ lexer }

func newJSONReader(body []byte) (*jsonReader, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, malformed("the body is empty", `send a JSON object, as {"language":"python","source":"print(1)"}`)
	}
	return &jsonReader{lexer{body: body}}, nil
}

// value gives the next token where a value must begin.
func (d *jsonReader) value() (token, error) {
	t, err := d.next()
	if err != nil {
		return t, err
	}
	switch t.kind {
	case theEnd:
		return t, tooEarly()
	case comma, colon, closeObj, closeArr:
		d.pos--
		return t, d.syntax(fmt.Sprintf("a value is missing before %q", byte(t.kind)))
	}
	return t, nil
}

// want reads one of two tokens and gives which.
func (d *jsonReader) want(a, b kind) (kind, error) {
	t, err := d.next()
	switch {
	case err != nil:
		return 0, err
	case t.kind == theEnd:
		return 0, tooEarly()
	case t.kind != a && t.kind != b:
		return 0, d.syntax(fmt.Sprintf("%q is missing", byte(a)))
	}
	return t.kind, nil
}

// end checks that nothing follows the value.
func (d *jsonReader) end() error {
	if t, err := d.next(); err != nil || t.kind != theEnd {
		return malformed("something follows the JSON object", "send one object and nothing else")
	}
	return nil
}

// maxNames bounds the members of an object with free names: looking for repeated ones is quadratic.
const maxNames = 256

// object reads an object, or null, and calls member for each name; member must read the value. allowed nil allows every
// name, once.
func (d *jsonReader) object(at string, allowed []string, member func(name string) error) error {
	t, err := d.value()
	if err != nil || t.kind == isNull && at != "" {
		return err
	}
	if t.kind != openObj {
		if at == "" {
			return malformed("the body must be a JSON object", `as {"language":"python","source":"print(1)"}`)
		}
		return fault.Invalidf(at, "", "must be an object")
	}
	var seen []string
	for {
		t, err := d.next()
		switch {
		case err != nil:
			return err
		case t.kind == theEnd:
			return tooEarly()
		case t.kind == closeObj && len(seen) == 0:
			return nil
		case t.kind != isString:
			return d.syntax("the name of a member is missing")
		}
		if _, err := d.want(colon, colon); err != nil {
			return err
		}
		name := string(t.text)
		if err := checkName(at, name, allowed, seen); err != nil {
			return err
		}
		seen = append(seen, name)
		if err := member(name); err != nil {
			return err
		}
		if k, err := d.want(comma, closeObj); err != nil || k == closeObj {
			return err
		}
	}
}

// checkName refuses unknown and repeated names.
func checkName(at, name string, allowed, seen []string) error {
	where := func() string { return clip(strings.TrimPrefix(at+"."+name, ".")) }
	switch {
	case allowed != nil && !slices.Contains(allowed, name):
		return fault.Invalidf(where(), "the names here are "+strings.Join(allowed, ", "), "there is no such field")
	case slices.Contains(seen, name):
		return fault.Invalidf(where(), "give it once", "is given twice")
	case len(seen) == maxNames:
		return fault.Invalidf(at, "", "has more than %d members", maxNames)
	}
	return nil
}

// array reads an array, or null, and calls element for each item; element must read it.
func (d *jsonReader) array(at string, element func(at string) error) error {
	t, err := d.value()
	if err != nil || t.kind == isNull {
		return err
	}
	if t.kind != openArr {
		return fault.Invalidf(at, "", "must be an array")
	}
	for i := 0; ; i++ {
		if i == 0 && d.emptyArray() {
			return nil
		}
		if i == maxItems {
			return &fault.Error{Code: fault.TooLarge, Field: at, Message: fmt.Sprintf("has more than %d items", maxItems)}
		}
		if err := element(at + "[" + strconv.Itoa(i) + "]"); err != nil {
			return err
		}
		if k, err := d.want(comma, closeArr); err != nil || k == closeArr {
			return err
		}
	}
}

// emptyArray takes the closing bracket when it comes at once.
func (d *jsonReader) emptyArray() bool {
	before := d.pos
	if t, err := d.next(); err == nil && t.kind == closeArr {
		return true
	}
	d.pos = before
	return false
}

// bytes reads a string, or null (nil). The slice may share memory with the body.
func (d *jsonReader) bytes(at string) ([]byte, error) {
	t, err := d.value()
	switch {
	case err != nil || t.kind == isNull:
		return nil, err
	case t.kind != isString:
		return nil, fault.Invalidf(at, "", "must be a string")
	case t.text == nil:
		return []byte{}, nil
	}
	return t.text, nil
}

// text reads a string, or null ("").
func (d *jsonReader) text(at string) (string, error) {
	b, err := d.bytes(at)
	return string(b), err
}

// integer reads a whole number, or null (nil). 1e3 and 1000.0 are whole numbers too.
func (d *jsonReader) integer(at string) (*int64, error) {
	t, err := d.value()
	if err != nil || t.kind == isNull {
		return nil, err
	}
	if t.kind != isNumber {
		return nil, fault.Invalidf(at, "give a whole number", "must be a number")
	}
	n, err := strconv.ParseInt(string(t.text), 10, 64)
	if err == nil {
		return &n, nil
	}
	f, err := strconv.ParseFloat(string(t.text), 64)
	if err != nil || math.Abs(f) > 1<<53 {
		return nil, fault.Invalidf(at, "", "is too large a number")
	}
	if f != math.Trunc(f) {
		return nil, fault.Invalidf(at, "give a whole number", "must be a whole number")
	}
	n = int64(f)
	return &n, nil
}

// clip shortens foreign text for an error.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
