// Package docker runs assay inside containers of a Docker engine of its own: privileged, with the smallest set of flags that
// docs/containers.md gives, and without each of them. The engine has no network and no registry; the image is made from
// Debian packages.
package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// imageEnv names a folder where the image is kept between runs. Unset, it is made anew.
const imageEnv = "ASSAY_TEST_IMAGE_DIR"

// packages are what the image holds besides Debian's smallest set.
const packages = "gcc,libc6-dev,g++,python3"

// image is the image's name in the engine.
const image = "assay-test"

// engine is the Docker engine of these tests.
type engine struct {
	dir     string // everything that it writes
	group   string // the control group of its containers, with a leading slash
	daemon  *exec.Cmd
	stop    sync.Once
	version int // of control groups
}

// shared is the engine of all tests: one takes seconds to start.
var shared *engine

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	// The engine ends with the thread that started it, should this process be killed (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	e, err := start()
	defer func() {
		if err := e.close(); err != nil {
			fmt.Fprintln(os.Stderr, "closing the engine:", err)
			code = 1
		}
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = e
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-interrupted
		_ = e.close()
		os.Exit(1)
	}()
	return m.Run()
}

// start builds what the tests need and starts the engine. The engine is to be closed even after an error.
func start() (*engine, error) {
	e := &engine{group: fmt.Sprintf("/assay-test-%d", os.Getpid()), version: 1}
	var st unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &st); err == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
		e.version = 2
	}
	var err error
	if e.dir, err = os.MkdirTemp("", "assay-docker-"); err != nil {
		return e, err
	}
	if err := os.Chmod(e.dir, 0o711); err != nil {
		return e, err
	}
	for name, args := range map[string][]string{
		"assay":        {"build", "-trimpath", "-buildvcs=false", "-o", e.path("assay"), "assay/cmd/assay"},
		"hostile.test": {"test", "-c", "-o", e.path("hostile.test"), "assay/test/hostile"},
	} {
		command := exec.Command("go", args...)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			return e, fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	if err := e.writePrograms(); err != nil {
		return e, err
	}
	archive, err := e.archive()
	if err != nil {
		return e, err
	}
	if err := e.launch(); err != nil {
		return e, err
	}
	if out, err := e.command("import", archive, image).CombinedOutput(); err != nil {
		return e, fmt.Errorf("importing the image: %w\n%s", err, out)
	}
	return e, e.makeGroups()
}

func (e *engine) path(name string) string { return filepath.Join(e.dir, name) }

// writePrograms writes what is run in the containers.
func (e *engine) writePrograms() error {
	if err := os.Mkdir(e.path("programs"), 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"sum.c":  "#include <stdio.h>\nint main(void) { int a, b; if (scanf(\"%d%d\", &a, &b) != 2) return 1; printf(\"%d\\n\", a + b); return 0; }\n",
		"sum.py": "print(sum(map(int, input().split())))\n",
		// A client of the API, since the image has no other: the address, and a JSON request on standard input.
		"post.py": "import sys, urllib.request as u\n" +
			"r = u.Request(sys.argv[1] + '/v1/run', sys.stdin.buffer.read(), {'Content-Type': 'application/json'})\n" +
			"print(u.urlopen(r, timeout=60).read().decode())\n",
	} {
		if err := os.WriteFile(filepath.Join(e.path("programs"), name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// archive makes the image's file system, or finds it where it was kept.
func (e *engine) archive() (string, error) {
	file := e.path("image.tar")
	if kept := os.Getenv(imageEnv); kept != "" {
		file = filepath.Join(kept, "assay-test-image.tar")
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	out, err := exec.Command("mmdebstrap", "--quiet", "--variant=minbase", "--include="+packages, "bookworm", file+".new.tar").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("making the image: %w\n%s", err, out)
	}
	return file, os.Rename(file+".new.tar", file)
}

// launch starts dockerd and waits until it answers.
func (e *engine) launch() error {
	settings, err := e.settings()
	if err != nil {
		return err
	}
	log, err := os.Create(e.path("dockerd.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	e.daemon = exec.Command("dockerd", "--config-file", settings, "--host", "unix://"+e.path("socket"), "--data-root", e.path("data"),
		"--exec-root", e.path("exec"), "--pidfile", e.path("pid"), "--cgroup-parent", e.group, "--log-level", "warn",
		"--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--bridge=none")
	e.daemon.Stdout, e.daemon.Stderr = log, log
	e.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := e.daemon.Start(); err != nil {
		return fmt.Errorf("starting dockerd (apt-get install docker.io): %w", err)
	}
	err = eventually(time.Minute, func() error { return e.command("version").Run() })
	if err != nil {
		said, _ := os.ReadFile(e.path("dockerd.log"))
		return fmt.Errorf("dockerd does not answer: %w\n%s", err, said)
	}
	return nil
}

// settings writes the engine's settings file. Older engines cannot start privileged containers where they themselves lack a
// capability, which newer ones then leave out: a runtime in front of the usual one does that for them.
func (e *engine) settings() (string, error) {
	settings := map[string]any{}
	if lacking := lackingCapabilities(); len(lacking) > 0 {
		edit := "sed -i"
		for _, name := range lacking {
			edit += fmt.Sprintf(` -e 's/"%s",//g; s/,"%s"//g'`, name, name)
		}
		// A new container is described in a folder, a further process in one by a file.
		script := "#!/bin/sh\nprevious=\nfor a in \"$@\"; do\n\tcase $previous in\n" +
			"\t--bundle) " + edit + " \"$a/config.json\" ;;\n\t--process) " + edit + " \"$a\" ;;\n" +
			"\tesac\n\tprevious=$a\ndone\nexec runc \"$@\"\n"
		if err := os.WriteFile(e.path("runtime"), []byte(script), 0o755); err != nil {
			return "", err
		}
		settings["runtimes"] = map[string]any{"bounded": map[string]string{"path": e.path("runtime")}}
		settings["default-runtime"] = "bounded"
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return "", err
	}
	return e.path("daemon.json"), os.WriteFile(e.path("daemon.json"), text, 0o600)
}

// lackingCapabilities are those of a full root that are not in this process's bounding set and that virtual machines and
// service managers are known to take away.
func lackingCapabilities() []string {
	var lacking []string
	for name, bit := range map[string]uintptr{
		"CAP_SYS_RESOURCE": unix.CAP_SYS_RESOURCE, "CAP_SYS_MODULE": unix.CAP_SYS_MODULE, "CAP_SYS_BOOT": unix.CAP_SYS_BOOT,
		"CAP_SYS_TIME": unix.CAP_SYS_TIME, "CAP_SYS_RAWIO": unix.CAP_SYS_RAWIO, "CAP_MAC_ADMIN": unix.CAP_MAC_ADMIN,
	} {
		if has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, bit, 0, 0, 0); err == nil && has == 0 {
			lacking = append(lacking, name)
		}
	}
	return lacking
}

// command is a docker command to this engine.
func (e *engine) command(args ...string) *exec.Cmd {
	c := exec.Command("docker", args...)
	c.Env = append(os.Environ(), "DOCKER_HOST=unix://"+e.path("socket"), "DOCKER_CONFIG="+e.dir)
	return c
}

// controllers are the hierarchies of version 1 that assay uses.
func controllers() []string { return []string{"memory", "pids", "cpu", "cpuacct"} }

// makeGroups makes the group of all containers, so that it can be shown to them.
func (e *engine) makeGroups() error {
	dirs := []string{"/sys/fs/cgroup" + e.group}
	if e.version == 1 {
		dirs = nil
		for _, c := range controllers() {
			dirs = append(dirs, "/sys/fs/cgroup/"+c+e.group)
		}
	}
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// groups lists all groups below that of the containers, in every hierarchy, the innermost first.
func (e *engine) groups() []string {
	tops, _ := filepath.Glob("/sys/fs/cgroup/*" + e.group) // a well-formed pattern
	var all []string
	for _, top := range append(tops, "/sys/fs/cgroup"+e.group) {
		_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				all = append(all, path)
			}
			return nil
		})
	}
	slices.Reverse(all)
	return all
}

// close ends the engine and removes everything that it made.
func (e *engine) close() (failed error) {
	e.stop.Do(func() {
		if e.daemon != nil && e.daemon.Process != nil {
			if out, err := e.command("ps", "-aq").Output(); err == nil {
				if ids := strings.Fields(string(out)); len(ids) > 0 {
					_ = e.command(append([]string{"rm", "-f"}, ids...)...).Run()
				}
			}
			failed = errors.Join(failed, e.daemon.Process.Signal(syscall.SIGTERM))
			// Its exit status says nothing about the tests.
			_ = e.daemon.Wait()
		}
		for _, group := range e.groups() {
			failed = errors.Join(failed, eventually(10*time.Second, func() error { return unix.Rmdir(group) }))
		}
		if e.dir == "" {
			return
		}
		mounts, err := mountsBelow(e.dir)
		failed = errors.Join(failed, err)
		for _, m := range mounts {
			failed = errors.Join(failed, unix.Unmount(m, unix.MNT_DETACH))
		}
		failed = errors.Join(failed, os.RemoveAll(e.dir))
	})
	return failed
}

// mountsBelow lists mount points below a folder, the last one made first.
func mountsBelow(dir string) ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			found = append(found, fields[4])
		}
	}
	slices.Reverse(found)
	return found, nil
}

// eventually tries until it works, or gives the last error when the time is over.
func eventually(limit time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
