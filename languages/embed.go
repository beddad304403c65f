// Package languages holds the definitions of the languages that assay brings along: one YAML file for each, named
// after its id, and the scripts that prepare a toolchain where installing its packages is not enough.
// Package internal/language gives them their meaning; docs/languages/adding.md describes the format.
package languages

import "embed"

// Files are the definitions and the preparing scripts.
//
//go:embed *.yaml prepare/*.sh
var Files embed.FS
