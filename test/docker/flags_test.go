package docker

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// flag is one flag of docs/containers.md, with what the doctor says without it.
type flag struct {
	args    []string
	finding string // the name of the finding that then is not OK
	remedy  string // a part of its remedy, which names the flag
	// extra: without the flag assay still runs programs.
	extra bool
}

// smallest is the smallest set of flags with which every guarantee holds.
func smallest(t *testing.T) []flag {
	t.Helper()
	profile, err := filepath.Abs("../../deploy/docker/seccomp.json")
	if err != nil {
		t.Fatal(err)
	}
	set := []flag{
		{args: []string{"--cap-add", "SETUID"}, finding: "capabilities", remedy: "--cap-add SETUID"},
		{args: []string{"--cap-add", "SETGID"}, finding: "capabilities", remedy: "--cap-add SETGID"},
		{args: []string{"--cap-add", "MKNOD"}, finding: "device nodes", remedy: "--cap-add MKNOD", extra: true},
		{args: []string{"--security-opt", "seccomp=" + profile}, finding: "seccomp profile", remedy: "seccomp=deploy/docker/seccomp.json"},
		{args: []string{"--security-opt", "systempaths=unconfined"}, finding: "proc", remedy: "systempaths=unconfined"},
		{args: []string{"--tmpfs", "/run/assay:exec,dev,mode=711"}, finding: "run folder", remedy: "--tmpfs /run/assay:exec,dev,mode=711", extra: true},
	}
	if shared.version == 2 {
		group := "/sys/fs/cgroup" + shared.group
		return append(set,
			flag{args: []string{"--cap-add", "CHOWN"}, finding: "capabilities", remedy: "--cap-add CHOWN"},
			flag{args: []string{"--cgroupns=host", "-v", group + ":" + group}, finding: "cgroup", remedy: "writable-cgroups=true"})
	}
	for _, c := range controllers() {
		set = append(set, flag{
			args:    []string{"-v", "/sys/fs/cgroup/" + c + shared.group + ":/sys/fs/cgroup/" + c},
			finding: "cgroup", remedy: "-v /sys/fs/cgroup/C/GROUP:/sys/fs/cgroup/C",
		})
	}
	return set
}

// join gives the arguments of all flags but one; -1 is all.
func join(set []flag, without int) []string {
	args := []string{"--cap-drop", "ALL"}
	for i, f := range set {
		if i != without {
			args = append(args, f.args...)
		}
	}
	return args
}

// runsPrograms runs a C and a Python program in a container each, and wants their results.
func runsPrograms(t *testing.T, flags []string, before ...string) {
	t.Helper()
	for _, name := range []string{"sum.c", "sum.py"} {
		o := inContainer(t, flags, "1 2\n", append(before, "/opt/assay", "run", "/programs/"+name)...)
		if o.code != 0 || o.out != "3\n" {
			t.Errorf("%s: %s", name, o)
		}
	}
}

// sound wants a doctor that finds everything, for a set of flags.
func sound(t *testing.T, flags []string) {
	t.Helper()
	found, code := doctor(t, flags)
	if code != 0 {
		t.Errorf("doctor: exit code %d", code)
	}
	for name, f := range found {
		if !f.OK && (f.Required || slices.Contains([]string{"device nodes", "run folder", "landlock", "overlayfs", "cpu rate"}, name)) {
			t.Errorf("%+v", f)
		}
	}
	if f := found["container"]; !strings.Contains(f.Detail, "docker") {
		t.Errorf("the container is not seen: %+v", f)
	}
	if f := found["probe: memory limit"]; !f.OK {
		t.Errorf("the probes: %+v", f)
	}
}

// TestFlags: with the smallest set of flags, and with --privileged, everything holds; however else the container is made.
func TestFlags(t *testing.T) {
	t.Parallel()
	smallest := join(smallest(t), -1)
	for _, c := range []struct {
		name   string
		flags  []string
		before []string // of the command
	}{
		{"privileged", []string{"--privileged", "--tmpfs", "/run/assay:exec,dev,mode=711"}, nil},
		{"smallest", smallest, nil},
		{"smallest with a read-only root", append([]string{"--read-only"}, smallest...), nil},
		{"smallest without new privileges", append([]string{"--security-opt", "no-new-privileges"}, smallest...), nil},
		{"smallest with an init", append([]string{"--init"}, smallest...), nil},
		{"smallest with a shell beside it", smallest, []string{"/bin/sh", "-c", `sleep 60 & "$@"`, "sh"}},
		{"privileged with an init", []string{"--privileged", "--init", "--tmpfs", "/run/assay:exec,dev,mode=711"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// On version 2 the smallest set shows the group around the container's, where there is room for assay's.
			if shared.version == 2 && slices.Contains(c.flags, "--privileged") && slices.Contains(c.flags, "--init") {
				notAlone(t, c.flags)
				return
			}
			sound(t, c.flags)
			runsPrograms(t, c.flags, c.before...)
		})
	}
}

// notAlone wants the refusal of version 2 where the container's group holds processes that are not assay's to move.
func notAlone(t *testing.T, flags []string) {
	t.Helper()
	o := inContainer(t, flags, "", "/opt/assay", "run", "/programs/sum.c")
	if o.code != 3 || !strings.Contains(o.err, "processes beside assay") || !strings.Contains(o.err, "--init") {
		t.Error(o)
	}
}

// TestEveryFlagIsNeeded takes one flag away at a time: the doctor names the mechanism and the flag, and assay refuses to run
// programs if the mechanism is required.
func TestEveryFlagIsNeeded(t *testing.T) {
	t.Parallel()
	set := smallest(t)
	for i, f := range set {
		t.Run(strings.Join(f.args, " "), func(t *testing.T) {
			t.Parallel()
			flags := join(set, i)
			found, code := doctor(t, flags)
			got := found[f.finding]
			if got.OK || got.Required == f.extra || !strings.Contains(got.Remedy, f.remedy) {
				t.Errorf("the doctor says %+v", got)
			}
			o := inContainer(t, flags, "1 2\n", "/opt/assay", "run", "/programs/sum.c")
			if f.extra {
				if code != 0 || o.code != 0 || o.out != "3\n" {
					t.Errorf("doctor: exit code %d; %s", code, o)
				}
				return
			}
			if code != 1 {
				t.Errorf("doctor: exit code %d", code)
			}
			if o.code != 3 || !strings.Contains(o.err, f.finding) || !strings.Contains(o.err, f.remedy) || strings.Count(o.err, "\n") != 1 {
				t.Errorf("assay run does not say what is missing, on one line: %s", o)
			}
		})
	}
}

// TestDefaults: in a container without flags everything that is missing is named at once, with its flag.
func TestDefaults(t *testing.T) {
	t.Parallel()
	found, code := doctor(t, nil)
	o := inContainer(t, nil, "1 2\n", "/opt/assay", "run", "/programs/sum.c")
	if code != 1 || o.code != 3 || o.out != "" {
		t.Errorf("doctor: exit code %d; %s", code, o)
	}
	for _, f := range smallest(t) {
		if f.finding == "capabilities" || f.extra && f.finding == "device nodes" {
			continue // Docker gives these by default
		}
		if got := found[f.finding]; got.OK || !strings.Contains(got.Remedy, f.remedy) {
			t.Errorf("the doctor says %+v", got)
		}
		if !f.extra && (!strings.Contains(o.err, f.finding) || !strings.Contains(o.err, f.remedy)) {
			t.Errorf("%s and %s are not named: %s", f.finding, f.remedy, o)
		}
	}
}

// TestUser: not as root, with no capability at all, assay refuses for want of limits, and runs where the operator goes on
// without them.
func TestUser(t *testing.T) {
	t.Parallel()
	flags := append([]string{"--user", "1000:1000"}, join(smallest(t), -1)...)
	o := inContainer(t, flags, "1 2\n", "/opt/assay", "run", "--run-dir", "/tmp/run", "/programs/sum.c")
	if o.code != 3 || !strings.Contains(o.err, "cgroup") || o.out != "" {
		t.Errorf("%s", o)
	}
	for _, name := range []string{"sum.c", "sum.py"} {
		o := inContainer(t, flags, "1 2\n", "/opt/assay", "run", "--run-dir", "/tmp/run", "--allow-degraded", "/programs/"+name)
		if o.code != 0 || o.out != "3\n" {
			t.Errorf("%s: %s", name, o)
		}
	}
}

// TestDocumented: docs/containers.md gives a reason for each flag.
func TestDocumented(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/containers.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, f := range smallest(t) {
		words := strings.Join(f.args, " ")
		switch {
		case strings.Contains(words, "seccomp="):
			words = "--security-opt seccomp=deploy/docker/seccomp.json"
		case strings.Contains(words, "-v "):
			words = "-v /sys/fs/cgroup/"
		}
		if !strings.Contains(text, "`"+words) {
			t.Errorf("%s is not in docs/containers.md", words)
		}
		if !strings.Contains(text, "`"+f.finding+"`") {
			t.Errorf("the finding %q is not in docs/containers.md", f.finding)
		}
	}
}
