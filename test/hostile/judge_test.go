package hostile

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/verdict"
)

// notRefused says what is wrong when the engine should not have taken a request.
func notRefused(c *Case, err error) string {
	if code := fault.CodeOf(err); err == nil || code != fault.Invalid && code != fault.TooLarge && code != fault.Unavailable || !strings.Contains(err.Error(), c.Refused) {
		return fmt.Sprintf("the request should be refused with %q in the message, got %v", c.Refused, err)
	}
	return ""
}

// escape is how a program reports that it succeeded.
var escape = regexp.MustCompile(`(?m)^.*ESCAPED: .*$`)

// judge lists what is wrong with a result.
func (s *suite) judge(c *Case, r *engine.Result) []string {
	stdout, stderr := whole(r.Stdout, r.StdoutBase64), whole(r.Stderr, r.StderrBase64)
	var problems []string
	fail := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	ran := r.Compile == nil || r.Compile.Status == verdict.OK

	if !slices.Contains(c.Expect, r.Status) {
		fail("status %s, expected one of %v", r.Status, c.Expect)
	}
	if c.CompileStatus != nil && (r.Compile == nil || !slices.Contains(c.CompileStatus, r.Compile.Status)) {
		fail("the compile status is not one of %v", c.CompileStatus)
	}
	for _, line := range append(escape.FindAllString(stdout, -1), escape.FindAllString(stderr, -1)...) {
		if c.known == "" || !strings.Contains(line, c.known) {
			fail("the program reports: %s", line)
		}
	}
	if !c.Killed && !strings.HasSuffix("\n"+strings.TrimSpace(stdout), "\n"+done) {
		fail("the program did not come to its end")
	}
	for _, want := range c.StdoutContains {
		if !strings.Contains(stdout, s.fill(want)) {
			fail("stdout lacks %q", want)
		}
	}
	for _, bad := range c.StdoutNotContains {
		if strings.Contains(stdout, s.fill(bad)) {
			fail("stdout has %q", bad)
		}
	}
	for _, want := range c.StderrContains {
		if !strings.Contains(stderr+compileText(r), want) {
			fail("stderr lacks %q", want)
		}
	}
	if c.Stdout != nil && stdout != *c.Stdout {
		fail("stdout is not exactly %s", head(*c.Stdout))
	}
	if c.Signal != "" && text(r.Signal) != c.Signal {
		fail("signal %s, expected %s", text(r.Signal), c.Signal)
	}
	if c.Limit != "" && text(r.Limit) != c.Limit {
		fail("limit %s, expected %s", text(r.Limit), c.Limit)
	}
	if c.ExitCode != nil && (r.ExitCode == nil || *r.ExitCode != *c.ExitCode) {
		fail("exit code %s, expected %d", text(r.ExitCode), *c.ExitCode)
	}
	if c.memory != nil && r.MemoryBytes < *c.memory {
		fail("%d bytes of memory were read, at least %d were used", r.MemoryBytes, *c.memory)
	}
	if c.Truncated != nil && r.Truncated != *c.Truncated {
		fail("truncated is %t", r.Truncated)
	}
	if c.Limits.OutputBytes != nil && ran && int64(max(len(stdout), len(stderr))) > *c.Limits.OutputBytes {
		fail("more output than the limit")
	}
	for _, stream := range []string{r.Stdout, r.Stderr, r.Message} {
		if !utf8.ValidString(stream) {
			fail("a text of the result is not UTF-8")
		}
	}
	if strings.Contains(stdout+stderr+r.Message+compileText(r), s.host.Secret) {
		fail("the host's secret is in the result")
	}
	return problems
}

// whole gives a stream's bytes as the program wrote them.
func whole(text, b64 string) string {
	if b64 == "" {
		return text
	}
	data, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return "ESCAPED: the base64 form is broken: " + err.Error()
	}
	return string(data)
}

func compileText(r *engine.Result) string {
	if r.Compile == nil {
		return ""
	}
	c := r.Compile
	return fmt.Sprintf("%s: %s%s", c.Status, whole(c.Stdout, c.StdoutBase64), whole(c.Stderr, c.StderrBase64))
}

// text shows an optional value.
func text[T any](p *T) string {
	if p == nil {
		return "none"
	}
	return fmt.Sprint(*p)
}

// head shortens a stream for a message.
func head(s string) string {
	const most = 600
	if len(s) > most {
		return fmt.Sprintf("%q and %d bytes more", s[:most], len(s)-most)
	}
	return fmt.Sprintf("%q", s)
}
