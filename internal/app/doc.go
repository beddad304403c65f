// Package app builds the parts of assay from the settings, in plain constructor calls, runs them, and stops them in
// order. It is the one package that knows all others. What belongs here: which part gets which; no rule of its own.
package app
