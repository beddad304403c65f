package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"

	"assay/internal/cli"
	"assay/internal/config"
	"assay/internal/langcheck"
	"assay/internal/language"
	"assay/languages"
)

// Install gets toolchains; with no ids, those of all languages.
func (Host) Install(ctx context.Context, cfg config.Config, ids []string, out io.Writer) error {
	c, err := openCatalog(cfg)
	if err != nil {
		return err
	}
	return c.Install(ctx, ids, out)
}

// CheckLanguages puts languages through the checks, as many at a time as there are slots; with no ids, all that this
// host has. Rows are told in the order of the ids.
func (Host) CheckLanguages(ctx context.Context, cfg config.Config, ids []string, o langcheck.Options, log *slog.Logger, tell func(cli.CheckedLanguage)) error {
	c, err := openCatalog(cfg)
	if err != nil {
		return err
	}
	subjects, folders, err := subjects(c, cfg.LanguagesDir, ids)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	count := slots(cfg)
	s, err := OpenSystem(ctx, cfg, c, SystemOptions{Slots: count, MaxWaiting: count, Folders: folders}, log)
	if err != nil {
		return err
	}
	results := make([]chan error, len(subjects))
	tokens := make(chan struct{}, count)
	var wait sync.WaitGroup
	for i := range subjects {
		results[i] = make(chan error, 1)
		wait.Go(func() {
			tokens <- struct{}{}
			defer func() { <-tokens }()
			row := &subjects[i].row
			results[i] <- langcheck.Run(ctx, s.Engine, row.ID, subjects[i].programs, o, func(out langcheck.Outcome) {
				row.Outcomes = append(row.Outcomes, out)
			})
		})
	}
	for i := range subjects {
		if err = <-results[i]; err != nil {
			cancel()
			break
		}
		tell(subjects[i].row)
	}
	wait.Wait()
	return errors.Join(err, runner{s}.Close())
}

// subject is one language that is checked.
type subject struct {
	row      cli.CheckedLanguage
	programs *langcheck.Programs
}

// subjects finds the languages and their programs, and the host folders that they need.
func subjects(c *language.Catalog, dir string, ids []string) ([]subject, []string, error) {
	chosen := len(ids) > 0
	if !chosen {
		ids = c.IDs()
	}
	from := []fs.FS{languages.Files}
	if dir != "" {
		from = slices.Insert(from, 0, os.DirFS(dir))
	}
	var all []subject
	var folders []string
	for _, id := range ids {
		l, err := c.Lookup(id)
		if err != nil && chosen {
			return nil, nil, err
		}
		// An executable is no language: there is no source that could be checked.
		if err != nil || l.Source.Executable && !chosen {
			continue
		}
		p, err := langcheck.Load(l.ID, from...)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, subject{row: cli.CheckedLanguage{ID: id, Version: c.VersionOf(l)}, programs: p})
		folders = append(folders, l.HostFolders()...)
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("no language is available here: `assay languages` says what to install")
	}
	slices.Sort(folders)
	return all, slices.Compact(folders), nil
}
