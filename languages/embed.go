// Package languages holds the definitions of the languages that assay brings along: one YAML file for each, named
// after its id, the scripts that prepare a toolchain where installing its packages is not enough, those that its commands
// run where one compiler or interpreter alone is not enough (drivers), and the programs that every language is checked with.
// Package internal/language gives them their meaning; docs/languages/adding.md describes the format.
package languages

import "embed"

// Files are the definitions, the scripts and the programs.
//
//go:embed *.yaml prepare/*.sh probe/*.txtar drivers/*
var Files embed.FS
