package language

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// namingJava is the naming rule of a language whose compiler wants a file to be named after its public class.
const namingJava = "java"

// nameJava names each file after its public type and finds the class to run: the one with a main method, of the first
// file if that has one.
func nameJava(files []File, fallback string) (named []File, mainClass string) {
	named = slices.Clone(files)
	first := ""
	for i := range named {
		f := &named[i]
		if i > 0 && path.Ext(f.Name) != ".java" {
			continue
		}
		unit := scanJava(f.Content)
		if f.Name == "" {
			f.Name = fallback
		}
		if unit.public != "" {
			name := path.Join(path.Dir(f.Name), unit.public+".java")
			if !slices.ContainsFunc(named, func(other File) bool { return other.Name == name }) {
				f.Name = name
			}
		}
		if unit.main != "" && mainClass == "" {
			mainClass = unit.qualified(unit.main)
		}
		if i == 0 {
			first = unit.qualified(strings.TrimSuffix(path.Base(f.Name), ".java"))
		}
	}
	if mainClass == "" {
		mainClass = first
	}
	return named, mainClass
}

// javaUnit is what matters of one source file.
type javaUnit struct {
	pkg    string // "a.b", or ""
	public string // the public top-level type
	main   string // the top-level type with a main method, the public one before others
}

func (u javaUnit) qualified(name string) string {
	if u.pkg == "" {
		return name
	}
	return u.pkg + "." + name
}

// scanJava reads the outline of a source file: words outside comments and literals, and braces. It never fails: of a
// file that is not Java it finds something or nothing, and the compiler says the rest.
func scanJava(source []byte) javaUnit {
	var u javaUnit
	var (
		depth, parens int
		declaration   []string // words since the last end of a declaration, at depth 0 or 1
		current       string   // top-level type that the scan is in
		public        bool
	)
	s := javaScanner{src: source}
	for word := s.next(); word != ""; word = s.next() {
		switch word {
		case "{":
			if depth == 0 {
				current, public = typeName(declaration)
				if public && u.public == "" {
					u.public = current
				}
			}
			depth++
			declaration = declaration[:0]
		case "}":
			depth = max(0, depth-1)
			declaration = declaration[:0]
		case ";":
			if depth == 0 && len(declaration) > 1 && declaration[0] == "package" {
				u.pkg = strings.Join(declaration[1:], "")
			}
			declaration = declaration[:0]
		case "(":
			n := len(declaration)
			if depth == 1 && parens == 0 && n > 1 && declaration[n-1] == "main" && declaration[n-2] == "void" && current != "" {
				if u.main == "" || public && u.main != u.public {
					u.main = current
				}
			}
			parens++
		case ")":
			parens = max(0, parens-1)
		default:
			if depth < 2 && parens == 0 && len(declaration) < 64 {
				declaration = append(declaration, word)
			}
		}
	}
	return u
}

// typeName finds the type that a top-level declaration declares, and whether it is public.
func typeName(words []string) (name string, public bool) {
	for i, w := range words {
		switch w {
		case "public":
			public = true
		case "class", "interface", "enum", "record":
			if i+1 < len(words) {
				return words[i+1], public
			}
		}
	}
	return "", false
}

// javaScanner splits a source file into words and the punctuation that scanJava looks at.
type javaScanner struct {
	src []byte
	at  int
}

// next gives the next identifier (a dot counts as a word of its own) or one of "{}();.", "" at the end.
func (s *javaScanner) next() string {
	for s.at < len(s.src) {
		c := s.src[s.at]
		switch {
		case c == '/' && s.has(1, '/'):
			s.skipPast("\n")
		case c == '/' && s.has(1, '*'):
			s.at += 2
			s.skipPast("*/")
		case c == '"' && s.has(1, '"') && s.has(2, '"'):
			s.at += 3
			s.skipLiteral(`"""`)
		case c == '"' || c == '\'':
			s.at++
			s.skipLiteral(string(c))
		case strings.IndexByte("{}();.", c) >= 0:
			s.at++
			return string(c)
		case isWord(c):
			from := s.at
			for s.at < len(s.src) && isWord(s.src[s.at]) {
				s.at++
			}
			return string(s.src[from:s.at])
		default:
			s.at++
		}
	}
	return ""
}

func (s *javaScanner) has(offset int, c byte) bool {
	return s.at+offset < len(s.src) && s.src[s.at+offset] == c
}

func (s *javaScanner) skipPast(end string) {
	i := bytes.Index(s.src[s.at:], []byte(end))
	if i < 0 {
		s.at = len(s.src)
		return
	}
	s.at += i + len(end)
}

// skipLiteral goes to the end of a literal; a one-line literal that is never closed ends with its line.
func (s *javaScanner) skipLiteral(end string) {
	for s.at < len(s.src) {
		switch {
		case s.src[s.at] == '\\':
			s.at += 2
		case bytes.HasPrefix(s.src[s.at:], []byte(end)):
			s.at += len(end)
			return
		case len(end) == 1 && s.src[s.at] == '\n':
			return
		default:
			s.at++
		}
	}
	s.at = len(s.src)
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
