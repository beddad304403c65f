package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"assay/internal/bench"
)

// The names of the contenders.
const (
	libraryName = "assay, library"
	floorName   = "floor"
	httpName    = "assay, POST /v1/run"
	coldName    = "assay run, cold"
	bwrapName   = "bubblewrap"
	goJudgeName = "go-judge, HTTP"
	runcName    = "runc run"
	dockerName  = "docker run"
)

// prepareLatency starts bench/latency, which then takes its turns in one process.
func prepareLatency(ctx context.Context, binary, runDir string, s scratch, c *contender) error {
	if binary == "" {
		return errors.New("its binary is not given (see bench/run.sh)")
	}
	if err := os.Mkdir(runDir, 0o711); err != nil {
		return fmt.Errorf("making its run folder: %w", err)
	}
	cmd := exec.CommandContext(ctx, binary, "-program", s.tiny, "-run-dir", runDir, "-turns")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting it: %w", err)
	}
	c.close = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	lines := bufio.NewScanner(out)
	c.batch = func(_ context.Context, runs int) ([]time.Duration, error) {
		if _, err := fmt.Fprintln(in, runs); err != nil {
			return nil, fmt.Errorf("%w: %s", err, stderr.String())
		}
		times := make([]time.Duration, runs)
		for i := range times {
			if !lines.Scan() {
				return nil, fmt.Errorf("it ended early: %s", stderr.String())
			}
			n, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("reading a time: %w", err)
			}
			times[i] = time.Duration(n)
		}
		return times, nil
	}
	return nil
}

// prepareHTTP starts a server with one slot for each processor, which is the default.
func prepareHTTP(ctx context.Context, o options, s scratch, c *contender) error {
	runDir := filepath.Join(s.dir, "serve")
	if err := os.Mkdir(runDir, 0o711); err != nil {
		return fmt.Errorf("making its run folder: %w", err)
	}
	cmd := exec.CommandContext(ctx, o.assay, "serve", "--listen", "127.0.0.1:0", "--run-dir", runDir, "--log-level", "error")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting assay serve: %w", err)
	}
	var client *bench.HTTP
	c.close = func() error {
		if client != nil {
			client.Close()
		}
		return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "assay is ready: ")
	if err != nil || !ok {
		return fmt.Errorf("assay serve did not become ready: %q, %w", line, err)
	}
	if client, err = bench.NewHTTP(url, s.elf, o.callers); err != nil {
		return err
	}
	c.run = client.Run
	return nil
}

// prepareCold measures whole processes.
func prepareCold(_ context.Context, o options, s scratch, c *contender) error {
	runDir := filepath.Join(s.dir, "cold")
	if err := os.Mkdir(runDir, 0o711); err != nil {
		return fmt.Errorf("making its run folder: %w", err)
	}
	c.run = func(ctx context.Context) error { return command(ctx, o.assay, "run", "--run-dir", runDir, s.tiny) }
	return nil
}

// prepareBwrap gives bubblewrap every namespace, the host's /usr, and a fresh /tmp, /proc and /dev.
func prepareBwrap(_ context.Context, _ options, s scratch, c *contender) error {
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		return errors.New("bwrap is not installed (Debian: bubblewrap)")
	}
	args := []string{
		"--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
		"--symlink", "usr/lib64", "/lib64", "--ro-bind", s.box, "/box", "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev",
		"/box/tiny.elf",
	}
	c.run = func(ctx context.Context) error { return command(ctx, bwrap, args...) }
	return nil
}

// command runs a command that must exit with 0.
func command(ctx context.Context, name string, args ...string) error {
	_, err := output(ctx, nil, name, args...)
	return err
}

// output is what a command prints.
func output(ctx context.Context, stdin io.Reader, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %.300s", filepath.Base(name), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
