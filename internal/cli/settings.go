package cli

import (
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"assay/internal/config"
)

const configFlag = "config"

// settingFlag holds the text of a setting's flag; package config parses it.
type settingFlag struct {
	text string
	kind string
}

func (f *settingFlag) Set(text string) error { f.text = text; return nil }
func (f *settingFlag) String() string        { return f.text }
func (f *settingFlag) Type() string          { return f.kind }

// addSettings gives cmd a flag for each setting that matters to it.
func addSettings(cmd *cobra.Command, server bool) {
	flags := cmd.Flags()
	flags.SortFlags = false
	for _, s := range config.Table() {
		if s.Server && !server {
			continue
		}
		// In a usage text, pflag takes a quoted word for the name of the value.
		f := flags.VarPF(&settingFlag{kind: "value"}, s.Name, "", strings.ReplaceAll(s.Usage(), "`", "'"))
		if s.IsBool() {
			f.NoOptDefVal = "true"
			f.Value.(*settingFlag).kind = "bool"
		}
		if choices := s.Choices(); choices != nil {
			mustRegister(cmd.RegisterFlagCompletionFunc(s.Name, cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)))
		}
	}
	flags.String(configFlag, "", "file of settings (default "+config.DefaultFile+" in the current folder, if it exists)")
}

// mustRegister catches a completion for a flag that does not exist, which only a defect of this package can cause.
func mustRegister(err error) {
	if err != nil {
		panic("cli: " + err.Error())
	}
}

// settings reads the configuration for cmd and makes the logger. Only the server reports the ordinary course of things;
// a command says what it has to say by itself.
func (c *command) settings(cmd *cobra.Command, server bool) (config.Config, *slog.Logger, error) {
	src := config.Sources{Environ: c.process.Environ, Flags: map[string]string{}}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == configFlag {
			src.File = f.Value.String()
		} else if v, ok := f.Value.(*settingFlag); ok {
			src.Flags[f.Name] = v.text
		}
	})
	cfg, warnings, err := config.Load(src)
	if err != nil {
		if _, ok := err.(config.Problems); !ok { //nolint:errorlint // Load gives Problems as they are
			err = usage{text: err.Error(), help: "see docs/configuration.md"}
		}
		return cfg, nil, err
	}
	log := c.logger(cfg, server)
	for _, w := range warnings {
		if server {
			log.Warn(w)
		}
	}
	return cfg, log, nil
}

func (c *command) logger(cfg config.Config, server bool) *slog.Logger {
	level := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}[cfg.LogLevel]
	if !server && level == slog.LevelInfo {
		level = slog.LevelWarn
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(c.process.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(c.process.Stderr, opts))
}
