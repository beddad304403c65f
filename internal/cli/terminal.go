package cli

import (
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// paint colours words, or leaves them alone.
type paint struct{ on bool }

// paintFor paints on a terminal, unless NO_COLOR is set to anything or TERM is dumb.
func paintFor(out io.Writer, environ []string) paint {
	off := slices.ContainsFunc(environ, func(v string) bool {
		name, value, _ := strings.Cut(v, "=")
		return name == "NO_COLOR" && value != "" || v == "TERM=dumb"
	})
	return paint{on: !off && isTerminal(out)}
}

func (p paint) red(text string) string    { return p.colour("31", text) }
func (p paint) green(text string) string  { return p.colour("32", text) }
func (p paint) yellow(text string) string { return p.colour("33", text) }

func (p paint) colour(code, text string) string {
	if !p.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// cell is one field of a table; shade, when set, colours it.
type cell struct {
	text  string
	shade func(string) string
}

// writeTable writes rows in aligned columns. Widths are counted before colouring.
func writeTable(out io.Writer, rows [][]cell) error {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, c := range row {
			text := c.text
			if c.shade != nil {
				text = c.shade(text)
			}
			b.WriteString(text)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// oneLine makes a text from elsewhere fit for a line of a terminal: control characters become blanks.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) }), " ")
}
