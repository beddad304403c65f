package config

import (
	"fmt"
	"strings"
)

// Markdown is docs/configuration.md. A test compares the two.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Settings

<!-- Made from the table in internal/config/table.go: change that, then run
     go test ./internal/config -run TestDocs -update -->

A setting can be given as a flag, as an environment variable, or in a file. A flag wins over the environment, the
environment over the file, the file over the default. The setting ` + "`max-waiting`" + ` is the flag ` + "`--max-waiting`" + `, the
variable ` + "`ASSAY_MAX_WAITING`" + ` and the key ` + "`max-waiting`" + ` of the file. An empty variable counts as not set.

The file is YAML. ` + "`--config FILE`" + ` or ` + "`ASSAY_CONFIG`" + ` names it; otherwise ` + "`assay.yaml`" + ` of the current folder is read if it
exists, belongs to root or to the caller, and is not writable by all. A key that is not a setting is an error, and so is a
value out of range: all problems are listed at once and nothing starts.

Sizes are bytes: ` + "`1024`, `64MB` (10⁶), `256MiB` (2²⁰), `256M` (the same as `256MiB`)" + `. Times have a unit: ` + "`2s`, `1500ms`, `1m30s`" + `.

`)
	section(&b, "For `assay serve`", true)
	section(&b, "For every command that runs programs", false)
	b.WriteString(`## Example

` + "```yaml" + `
listen: 0.0.0.0:8080
hosts: [judge.example.org]
workers: 4
max-memory: 2GiB
compilers:
  cpp: /usr/bin/g++-12
` + "```" + `
`)
	return b.String()
}

func section(b *strings.Builder, title string, server bool) {
	fmt.Fprintf(b, "## %s\n\n| setting | default | values | meaning |\n|---|---|---|---|\n", title)
	for _, s := range Table() {
		if s.Server != server {
			continue
		}
		values := s.field(new(Config)).kind()
		if allowed := s.field(new(Config)).allowed(); allowed != "" {
			values += ": " + allowed
		}
		def := "(none)"
		if s.Default != "" {
			def = "`" + s.Default + "`"
		}
		doc := s.Doc
		if s.EnvAlso != "" {
			doc += "; the variable `" + s.EnvAlso + "` is read too"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", s.Name, def, values, doc)
	}
	b.WriteString("\n")
}
