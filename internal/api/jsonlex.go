package api

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// kind is the sort of a token.
type kind byte

const (
	isString kind = 's'
	isNumber kind = 'n'
	isTrue   kind = 't'
	isFalse  kind = 'f'
	isNull   kind = '0'
	openObj  kind = '{'
	closeObj kind = '}'
	openArr  kind = '['
	closeArr kind = ']'
	comma    kind = ','
	colon    kind = ':'
	theEnd   kind = 0
)

// token is one token of JSON. text is a string's content, which may share memory with the body, or a number as it is written.
type token struct {
	kind kind
	text []byte
}

// lexer cuts JSON (RFC 8259) into tokens. It exists for its speed on long strings: a program comes as megabytes of base64, and
// encoding/json looks at each byte several times (docs/decisions/0003-http.md).
type lexer struct {
	body []byte
	pos  int
	// base64 says that the next string is about to be decoded as such, which finds every other character, but line breaks.
	base64 bool
}

// next gives the next token.
func (l *lexer) next() (token, error) {
	for l.pos < len(l.body) {
		c := l.body[l.pos]
		switch c {
		case ' ', '\t', '\r', '\n':
			l.pos++
			continue
		case '{', '}', '[', ']', ',', ':':
			l.pos++
			return token{kind: kind(c)}, nil
		case '"':
			l.pos++
			text, err := l.str()
			return token{isString, text}, err
		case 't':
			return l.literal("true", isTrue)
		case 'f':
			return l.literal("false", isFalse)
		case 'n':
			return l.literal("null", isNull)
		default:
			if c == '-' || isDigit(c) {
				return l.number()
			}
			r, _ := utf8.DecodeRune(l.body[l.pos:])
			return token{}, l.syntax(fmt.Sprintf("%q does not belong here", r))
		}
	}
	return token{kind: theEnd}, nil
}

// syntax is the error for what stands at the present place.
func (l *lexer) syntax(what string) error {
	return malformed(fmt.Sprintf("the body is not valid JSON at byte %d: %s", l.pos, what), "check it with a JSON tool")
}

func tooEarly() error {
	return malformed("the JSON text ends too early", "check for a missing bracket or quote")
}

func (l *lexer) literal(text string, k kind) (token, error) {
	if !bytes.HasPrefix(l.body[l.pos:], []byte(text)) {
		return token{}, l.syntax("only true, false and null are written without quotes")
	}
	l.pos += len(text)
	return token{kind: k}, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (l *lexer) number() (token, error) {
	start := l.pos
	l.accept("-")
	zero := l.accept("0")
	if !zero && !l.digits() {
		return token{}, l.syntax("a digit is missing")
	}
	if l.accept(".") && !l.digits() {
		return token{}, l.syntax("a digit is missing after the point")
	}
	if l.accept("eE") {
		l.accept("+-")
		if !l.digits() {
			return token{}, l.syntax("a digit is missing in the exponent")
		}
	}
	return token{isNumber, l.body[start:l.pos]}, nil
}

func (l *lexer) accept(set string) bool {
	if l.pos < len(l.body) && bytes.IndexByte([]byte(set), l.body[l.pos]) >= 0 {
		l.pos++
		return true
	}
	return false
}

func (l *lexer) digits() bool {
	start := l.pos
	for l.pos < len(l.body) && isDigit(l.body[l.pos]) {
		l.pos++
	}
	return l.pos > start
}

// str reads a string whose opening quote is behind. Whole stretches without escapes are taken at once; quote is the next
// quotation mark ahead and is looked for only once, which keeps the time linear.
func (l *lexer) str() ([]byte, error) {
	var out []byte // stays nil without escapes
	quote, ok := l.find('"', l.pos)
	for ok {
		rest := l.body[l.pos:quote]
		escape := bytes.IndexByte(rest, '\\')
		if escape >= 0 {
			rest = rest[:escape]
		}
		if err := l.check(rest); err != nil {
			return nil, err
		}
		if escape < 0 {
			l.pos = quote + 1
			if out == nil {
				return rest, nil
			}
			return append(out, rest...), nil
		}
		if out == nil {
			out = make([]byte, 0, len(l.body[l.pos:quote]))
		}
		l.pos += escape
		var err error
		if out, err = l.unescape(append(out, rest...)); err != nil {
			return nil, err
		}
		if l.pos > quote {
			quote, ok = l.find('"', l.pos)
		}
	}
	return nil, tooEarly()
}

// check refuses what may not stand in a string as it is.
func (l *lexer) check(b []byte) error {
	control := false
	if l.base64 {
		control = bytes.IndexByte(b, '\n') >= 0 || bytes.IndexByte(b, '\r') >= 0
	} else {
		control = hasControl(b)
	}
	switch {
	case control:
		return l.syntax("a control character in a string must be escaped")
	case !l.base64 && !utf8.Valid(b):
		return malformed("the body is not valid UTF-8", "send JSON in UTF-8; bytes that are not text go into files[].content_base64")
	}
	return nil
}

// find gives the place of the next c from a place on.
func (l *lexer) find(c byte, from int) (int, bool) {
	i := bytes.IndexByte(l.body[from:], c)
	return from + i, i >= 0
}

// unescape appends the character that the escape at the present place stands for. Half a surrogate pair is refused: what
// encoding/json puts in its place is not what was sent.
func (l *lexer) unescape(out []byte) ([]byte, error) {
	if l.pos+1 >= len(l.body) {
		return nil, tooEarly()
	}
	const names, values = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	c := l.body[l.pos+1]
	if i := bytes.IndexByte([]byte(names), c); i >= 0 {
		l.pos += 2
		return append(out, values[i]), nil
	}
	r, ok := escaped(l.body[l.pos:])
	switch {
	case !ok:
		return nil, l.syntax("an unknown escape in a string")
	case r < 0xd800 || r > 0xdfff:
		l.pos += 6
		return utf8.AppendRune(out, r), nil
	}
	low, ok := escaped(l.body[l.pos+6:])
	if r >= 0xdc00 || !ok || low < 0xdc00 || low > 0xdfff {
		return nil, malformed(fmt.Sprintf(`half of a surrogate pair (\ud800 to \udfff) stands alone at byte %d`, l.pos),
			"bytes that are not text go into files[].content_base64")
	}
	l.pos += 12
	return utf8.AppendRune(out, 0x10000+(r-0xd800)<<10+(low-0xdc00)), nil
}

// escaped reads the \uXXXX that b begins with.
func escaped(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' || b[2] == '+' || b[2] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// hasControl reports whether b holds a byte below 0x20, looking at eight at a time: for each byte of x, the subtraction borrows into the
// high bit when the byte is smaller, and ^x leaves out bytes that had it set.
func hasControl(b []byte) bool {
	const spaces, high = 0x2020202020202020, 0x8080808080808080
	for ; len(b) >= 32; b = b[32:] {
		w, x := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		y, z := binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
		if ((w-spaces)&^w|(x-spaces)&^x|(y-spaces)&^y|(z-spaces)&^z)&high != 0 {
			return true
		}
	}
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		if (x-spaces)&^x&high != 0 {
			return true
		}
	}
	for _, c := range b {
		if c < 0x20 {
			return true
		}
	}
	return false
}
