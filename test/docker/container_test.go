package docker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// outcome is how a command ended.
type outcome struct {
	code     int
	out, err string
}

func (o outcome) String() string {
	return fmt.Sprintf("exit code %d\nstdout: %s\nstderr: %s", o.code, o.out, o.err)
}

// docker runs a docker command with some standard input.
func docker(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	command := shared.command(args...)
	var out, errs bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return outcome{command.ProcessState.ExitCode(), out.String(), errs.String()}
}

// inContainer runs one command in a container with some flags.
func inContainer(t *testing.T, flags []string, stdin string, command ...string) outcome {
	t.Helper()
	args := slices.Concat([]string{"run", "--rm", "-i", "--network=none"}, flags, shows(), []string{image}, command)
	return docker(t, stdin, args...)
}

// shows are the flags that have nothing to do with the sandbox: the programs to run.
func shows() []string {
	return []string{"-v", shared.path("assay") + ":/opt/assay:ro", "-v", shared.path("programs") + ":/programs:ro"}
}

// detached starts a container that stays, and gives its id.
func detached(t *testing.T, flags []string, command ...string) string {
	t.Helper()
	args := slices.Concat([]string{"run", "-d", "--network=none"}, flags, shows(), []string{image}, command)
	o := docker(t, "", args...)
	id := strings.TrimSpace(o.out)
	if o.code != 0 || id == "" {
		t.Fatal(o)
	}
	t.Cleanup(func() { docker(t, "", "rm", "-f", id) })
	return id
}

// finding is what the doctor says of one mechanism.
type finding struct {
	Name, Detail, Meaning, Remedy string
	OK, Required                  bool
}

// doctor runs `assay doctor --json` and gives its findings by name.
func doctor(t *testing.T, flags []string) (found map[string]finding, code int) {
	t.Helper()
	o := inContainer(t, flags, "", "/opt/assay", "doctor", "--json")
	var report struct{ Findings []finding }
	if err := json.Unmarshal([]byte(o.out), &report); err != nil {
		t.Fatalf("%v\n%s", err, o)
	}
	found = map[string]finding{}
	for _, f := range report.Findings {
		found[f.Name] = f
		if f.Meaning == "" || f.Detail == "" || f.OK != (f.Remedy == "") && !strings.HasPrefix(f.Name, "probe: ") && f.Name != "toolchains" {
			t.Errorf("an incomplete finding: %+v", f)
		}
	}
	return found, o.code
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
