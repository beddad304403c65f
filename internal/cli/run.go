package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"assay/internal/config"
	"assay/internal/engine"
	"assay/internal/fault"
	"assay/internal/language"
	"assay/internal/verdict"
)

// runFlags are the flags of `assay run`.
type runFlags struct {
	language string
	stdin    string
	options  []string
	files    []string
	network  bool
	stats    bool
	json     bool
	limits   limitFlags
}

func (c *command) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] FILE [-- ARGS...]",
		Short: "Compile and run one program in a sandbox",
		Long: `Compile and run one program in a sandbox. The language is guessed from the file's extension; FILE "-" reads the
program from standard input. The program's streams pass through, and assay exits as the program does:

  its own code   the program ended by itself
  128 + N        signal N ended it
  124            a limit ended it
  1              it did not compile; the messages are on stderr
  2              the command line is wrong, or the language is not available
  3              assay failed

With --json one object is printed instead, and the exit code is 0 whatever became of the program.`,
		Example: `  assay run hello.py
  assay run --time-limit 1s --memory-limit 64MiB solution.cpp < input.txt
  assay run --option standard=c++20 --option optimization=O3 solution.cpp
  assay run --language python --stdin input.txt - < program
  assay run --json --profile leetcode Main.java
  assay run --file helper.py --file data/table.csv=table.csv main.py
  assay run tool.go -- --verbose input`,
		Args: programArguments,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, &f, args) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.language, "language", "l", "", "language id, as 'assay languages' lists them; a version may follow (python@3.11)")
	flags.StringVar(&f.stdin, "stdin", "", "file to give to the program as its standard input")
	f.limits.register(flags)
	flags.StringArrayVarP(&f.options, "option", "o", nil, "option of the language, as KEY=VALUE; may be repeated")
	flags.StringArrayVarP(&f.files, "file", "f", nil, "further file beside the program, as PATH or NAME=PATH; may be repeated")
	flags.BoolVar(&f.network, "network", false, "ask for network access, where the operator allows it")
	flags.BoolVar(&f.stats, "stats", false, "show CPU time and memory while the program runs")
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	addSettings(cmd, false)
	c.completeRun(cmd, &f)
	return cmd
}

// programArguments checks for one FILE, and that all else stands behind "--".
func programArguments(cmd *cobra.Command, args []string) error {
	before := cmd.ArgsLenAtDash()
	if before < 0 {
		before = len(args)
	}
	switch {
	case before == 0:
		return usageError(cmd, "no FILE is given: name a program, or - for standard input")
	case before > 1:
		return usageError(cmd, fmt.Sprintf("one FILE is run at a time, but %q follows: arguments of the program go behind --", args[1]))
	}
	return nil
}

func (c *command) run(cmd *cobra.Command, f *runFlags, args []string) error {
	cfg, log, err := c.settings(cmd, false)
	if err != nil {
		return err
	}
	req, closeInput, err := c.request(cmd, cfg, f, args)
	if err != nil {
		return err
	}
	defer closeInput()

	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	runner, err := c.host.OpenRunner(ctx, cfg, req.Language, log)
	if err != nil {
		return err
	}
	screen := newScreen(c.process, f.stats, cancel)
	if !f.json {
		req.Stdout, req.Stderr = screen.stdout(), screen.stderr()
	}
	req.Progress = screen.progress
	result, err := runner.Run(ctx, req)
	screen.stop()
	if closeErr := runner.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("closing the sandbox: %w", closeErr))
	}
	if errors.Is(context.Cause(ctx), errReaderGone) {
		return exitError(exitSignal + int(syscall.SIGPIPE))
	}
	if err != nil {
		return err
	}
	if f.json {
		return c.printJSON(result)
	}
	screen.compileMessages(result.Compile)
	code := runCode(&result)
	if screen.terminal || f.stats || result.Status != verdict.OK {
		screen.summary(&result)
	}
	if code != exitOK {
		return exitError(code)
	}
	return nil
}

func (c *command) printJSON(result engine.Result) error {
	enc := json.NewEncoder(c.process.Stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(result); err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	return nil
}

// request turns the command line into a request. closeInput closes the file of --stdin.
func (c *command) request(cmd *cobra.Command, cfg config.Config, f *runFlags, args []string) (req engine.Request, closeInput func(), err error) {
	none := func() {}
	limits, err := f.limits.overrides(cmd.Flags())
	if err != nil {
		return req, none, usageError(cmd, err.Error())
	}
	options, err := parseOptions(f.options)
	if err != nil {
		return req, none, usageError(cmd, err.Error())
	}
	file := args[0]
	if file == "-" && f.language == "" {
		return req, none, usageError(cmd, "the language of standard input cannot be guessed: give --language")
	}
	if cmd.Flags().Changed("language") && strings.TrimSpace(f.language) == "" {
		return req, none, usageError(cmd, "--language: is empty; give an id, as `assay languages` lists them")
	}
	source, err := readProgram(file, c.process.Stdin)
	if err != nil {
		return req, none, usageError(cmd, err.Error())
	}
	language := f.language
	if language == "" {
		if language, err = c.guess(cfg, file, source); err != nil {
			return req, none, err
		}
	}
	files, err := furtherFiles(f.files)
	if err != nil {
		return req, none, usageError(cmd, err.Error())
	}
	stdin, closeInput, err := openInput(f.stdin, file, c.process.Stdin)
	if err != nil {
		return req, none, usageError(cmd, err.Error())
	}
	return engine.Request{
		Language: language,
		Files:    append([]engine.SourceFile{{Content: source}}, files...),
		Network:  f.network,
		Args:     args[1:],
		Options:  options,
		Limits:   limits,
		Stdin:    stdin,
	}, closeInput, nil
}

// guess finds the language by the file's name; a file in the ELF format needs no name.
func (c *command) guess(cfg config.Config, file string, source []byte) (string, error) {
	catalog, err := c.host.Catalog(cfg)
	if err != nil {
		return "", err
	}
	id, err := catalog.Guess(file)
	if fault.CodeOf(err) == fault.Invalid {
		if bytes.HasPrefix(source, []byte("\x7fELF")) {
			return "exe", nil
		}
		return "", usage{
			text: fmt.Sprintf("the language of %s cannot be told from its name", oneLine(file)),
			help: "give --language ID, or a file with one of the extensions that `assay languages` lists",
		}
	}
	return id, err
}

func parseOptions(items []string) (map[string]string, error) {
	options := map[string]string{}
	for _, item := range items {
		key, value, ok := strings.Cut(item, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			return nil, fmt.Errorf("--option %q: give KEY=VALUE", item)
		}
		if old, twice := options[key]; twice && old != value {
			return nil, fmt.Errorf("--option %s: is given twice, as %q and %q", key, old, value)
		}
		options[key] = value
	}
	return options, nil
}

// completeRun completes languages, and the options of the language that is given or guessed.
func (c *command) completeRun(cmd *cobra.Command, f *runFlags) {
	catalog := func() (Catalog, bool) {
		cfg, _, err := c.settings(cmd, false)
		if err != nil {
			return nil, false
		}
		cat, err := c.host.Catalog(cfg)
		return cat, err == nil
	}
	mustRegister(cmd.RegisterFlagCompletionFunc("language", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var ids []string
		if cat, ok := catalog(); ok {
			for _, l := range cat.List(cmd.Context()) {
				ids = append(ids, l.ID+"\t"+l.Name)
			}
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}))
	mustRegister(cmd.RegisterFlagCompletionFunc("option", func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		cat, ok := catalog()
		if !ok {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		id := f.language
		if id == "" && len(args) > 0 {
			id, _ = cat.Guess(args[0])
		}
		return optionWords(cat.List(cmd.Context()), id, typed)
	}))
	mustRegister(cmd.RegisterFlagCompletionFunc("profile",
		cobra.FixedCompletions([]string{"default", "leetcode"}, cobra.ShellCompDirectiveNoFileComp)))
}

// optionWords gives "KEY=" for all options of a language, or "KEY=VALUE" once the key is typed.
func optionWords(list []language.Info, id, typed string) ([]string, cobra.ShellCompDirective) {
	i := slices.IndexFunc(list, func(l language.Info) bool { return l.ID == id || slices.Contains(l.Aliases, id) })
	if i < 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	options := list[i].Options
	key, _, valued := strings.Cut(typed, "=")
	if !valued {
		var words []string
		for _, k := range slices.Sorted(maps.Keys(options)) {
			words = append(words, k+"=\t"+options[k].Description)
		}
		return words, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	for _, v := range options[key].Values {
		words = append(words, key+"="+v)
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// plainReader hides that a stream is a file. A file would be handed to the program as it is; the program could then
// open it anew through /proc with other rights, or type into the caller's terminal.
type plainReader struct{ io.Reader }
