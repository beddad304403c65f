package hostile

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"assay/internal/nobody"
	"assay/internal/verdict"
)

// rootlessEnv has the suite run without root: with a control group that was handed over, or alone, without any.
const (
	rootlessEnv = "HOSTILE_ROOTLESS"
	withGroup   = "group"
	alone       = "alone"
)

// loss is what a case cannot expect without root, and what is left to expect.
type loss struct {
	grouped bool // also with a control group
	why     string
	left    func(*Case)
}

// losses are all of them, by case.
func losses() map[string]loss {
	return map[string]loss{
		"network/device_locks_between_slots": {
			true, "only root makes device nodes, so slots show those of the host, and a lock on one is felt in the other slot",
			func(c *Case) { c.known = "feels the lock of another slot on a device" },
		},
		"timing/rate_limited_spin": {
			false, "only a control group slows processes down: a request with a rate is refused",
			func(c *Case) { c.Refused = "cpu cgroup controller" },
		},
		"timing/unwaited_children": {
			false, "the CPU time of children that nobody waits for is seen by looks only, so the wall limit may be reached first",
			func(c *Case) { c.Limit = "" },
		},
		"exhaust/mem_socket_buffers": {
			false, "socket buffers are memory of the kernel, which only a control group counts; net.core.wmem_max and the limits on descriptors and processes bound them",
			func(c *Case) {
				c.known, c.Expect = "256 MiB in socket buffers", append(c.Expect, verdict.TimeLimitExceeded)
			},
		},
		"exhaust/mem_memfd": {
			false, "the limit on one file's length is reached first, or at the same time, where looks find what a group finds at once",
			func(c *Case) { c.Expect = append(c.Expect, verdict.RuntimeError) },
		},
		"exhaust/mem_tmpfs": {
			false, "the limit on one file's length is reached first, or at the same time, where looks find what a group finds at once",
			func(c *Case) { c.Expect = append(c.Expect, verdict.RuntimeError) },
		},
		"exhaust/limits_tiny_memory_java": {
			false, "pages of the toolchain's files and memory of the kernel are not counted, so that more fits under a limit",
			func(c *Case) { c.Expect = append(c.Expect, verdict.OK) },
		},
	}
}

// lose changes the cases that a run without root cannot hold to.
func lose(t *testing.T, cases map[string]*Case, kind string) {
	t.Helper()
	if kind != "" && kind != withGroup && kind != alone {
		t.Errorf("%s is %q: use %q or %q", rootlessEnv, kind, withGroup, alone)
	}
	for name, l := range losses() {
		c := cases[name]
		if c == nil {
			t.Errorf("there is no case %s", name)
			continue
		}
		if kind == alone || kind == withGroup && l.grouped {
			l.left(c)
		}
	}
}

// TestRootless runs every case once more as somebody who is not root and has no control group. It is over before the others begin,
// whose checks of the host would find its processes.
func TestRootless(t *testing.T) { //nolint:paralleltest // see above
	if os.Geteuid() != 0 || os.Getenv(compiledEnv) != "" {
		return // this is such a run, or one in a machine that has others of its own
	}
	cmd := nobody.Command(t, os.Args[0], "-test.run", "^TestHostile$", "-test.v")
	cmd.Env = append(cmd.Env, rootlessEnv+"="+alone)
	if err := os.CopyFS(filepath.Join(cmd.Dir, "testdata"), os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		lines := regexp.MustCompile(`(?m)^=== (?:NAME|CONT|RUN) .*$|^ *--- FAIL.*$|^ +[a-z_]+\.go:\d+: .*$`).FindAllString(string(out), -1)
		t.Errorf("%v\n%s", err, failing(lines))
	}
	if passed := strings.Count(string(out), "--- PASS: TestHostile/cases/"); passed < fewestCases {
		t.Errorf("%d cases passed, %d are the least", passed, fewestCases)
	}
}

// failing keeps the verdicts on failed cases and, of the messages, those that are not about every run's result.
func failing(lines []string) string {
	var out []string
	name := ""
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, "=== "):
			name = l
		case strings.Contains(l, "--- FAIL"):
			out = append(out, l)
		case !strings.Contains(l, ": status "):
			out = append(out, name, l)
		}
	}
	return strings.Join(out, "\n")
}
