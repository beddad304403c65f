package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// prepareRunc makes a bundle of what `runc spec` gives, with the program as the only file of its root.
func prepareRunc(ctx context.Context, _ options, s scratch, c *contender) error {
	runc, err := exec.LookPath("runc")
	if err != nil {
		return errors.New("runc is not installed (Debian: runc)")
	}
	bundle := filepath.Join(s.dir, "bundle")
	rootfs := filepath.Join(bundle, "rootfs")
	if err := os.MkdirAll(rootfs, 0o755); err != nil {
		return fmt.Errorf("making a bundle: %w", err)
	}
	if err := os.WriteFile(filepath.Join(rootfs, "tiny"), s.elf, 0o755); err != nil {
		return fmt.Errorf("writing the program: %w", err)
	}
	if err := command(ctx, runc, "spec", "--bundle", bundle); err != nil {
		return err
	}
	config := filepath.Join(bundle, "config.json")
	text, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("reading the bundle's specification: %w", err)
	}
	var spec map[string]any
	if err := json.Unmarshal(text, &spec); err != nil {
		return fmt.Errorf("reading the bundle's specification: %w", err)
	}
	process, ok := spec["process"].(map[string]any)
	if !ok {
		return errors.New("runc spec gave no process")
	}
	process["args"], process["terminal"] = []string{"/tiny"}, false
	if text, err = json.Marshal(spec); err != nil {
		return fmt.Errorf("writing the bundle's specification: %w", err)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return fmt.Errorf("writing the bundle's specification: %w", err)
	}
	state, number := filepath.Join(s.dir, "runc"), 0
	c.run = func(ctx context.Context) error {
		number++
		return command(ctx, runc, "--root", state, "run", "--bundle", bundle, fmt.Sprintf("assay-compare-%d-%d", os.Getpid(), number))
	}
	return nil
}

// prepareDocker imports an image with the program as its only file. The daemon is the caller's business.
func prepareDocker(ctx context.Context, _ options, s scratch, c *contender) error {
	docker, err := exec.LookPath("docker")
	if err != nil {
		return errors.New("docker is not installed")
	}
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := output(asking, nil, docker, "version", "--format", "{{.Server.Version}}"); err != nil {
		return errors.New("no docker daemon answers (start one, and set DOCKER_HOST if it is not at the usual place)")
	}
	var image bytes.Buffer
	w := tar.NewWriter(&image)
	header := tar.Header{Name: "tiny", Mode: 0o755, Size: int64(len(s.elf))}
	if err := w.WriteHeader(&header); err != nil {
		return fmt.Errorf("making an image: %w", err)
	}
	if _, err := w.Write(s.elf); err != nil {
		return fmt.Errorf("making an image: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("making an image: %w", err)
	}
	name := "assay-compare:" + strconv.Itoa(os.Getpid())
	if _, err := output(ctx, &image, docker, "import", "-", name); err != nil {
		return err
	}
	c.close = func() error { return command(context.WithoutCancel(ctx), docker, "image", "rm", "--force", name) }
	c.run = func(ctx context.Context) error {
		return command(ctx, docker, "run", "--rm", "--network", "none", name, "/tiny")
	}
	return nil
}

// kernel is the release of the running kernel.
func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown kernel"
	}
	return "Linux " + strings.TrimSpace(string(text))
}

// load is the load average of the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
