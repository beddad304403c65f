package linux

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	pidLink    = "proc/self/ns/pid"
	otherPIDs  = "-> pid:[4026532222]"
	overlayRow = "1 0 0:40 / / rw - overlay overlay rw\n"
)

func TestEngine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		files, env map[string]string
		want       string
	}{
		{"a host", map[string]string{pidLink: "-> " + firstPIDs}, nil, ""},
		{"a machine made from an image", map[string]string{pidLink: "-> " + firstPIDs, ".dockerenv": "", "proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda rw\n"}, nil, ""},
		{"only a pid namespace", map[string]string{pidLink: otherPIDs}, nil, ""},
		{"docker", map[string]string{pidLink: otherPIDs, ".dockerenv": ""}, nil, docker},
		{"docker, by its group", map[string]string{pidLink: otherPIDs, "proc/self/cgroup": "4:memory:/docker/abc\n"}, nil, docker},
		{"docker with the host's processes", map[string]string{pidLink: "-> " + firstPIDs, ".dockerenv": "", "proc/self/mountinfo": overlayRow}, nil, docker},
		{"podman", map[string]string{pidLink: otherPIDs, "run/.containerenv": ""}, map[string]string{"container": "podman"}, podman},
		{"kubernetes", map[string]string{pidLink: otherPIDs, ".dockerenv": ""}, map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, kubernetes},
		{"kubernetes, by its group", map[string]string{pidLink: otherPIDs, "proc/self/cgroup": "0::/kubepods/burstable/x\n"}, nil, kubernetes},
		{"another", map[string]string{pidLink: otherPIDs}, map[string]string{"container": "lxc"}, otherKind},
		{"systemd-nspawn", map[string]string{pidLink: otherPIDs, "run/systemd/container": "systemd-nspawn"}, nil, otherKind},
	} {
		if got := place(c.files, c.env).engine(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// marksOf are files by which an engine's containers are known.
func marksOf(engine string) map[string]string {
	return map[string]map[string]string{
		docker:     {".dockerenv": ""},
		podman:     {"run/.containerenv": ""},
		kubernetes: {"proc/self/cgroup": "0::/kubepods/x\n"},
		otherKind:  {"run/systemd/container": "lxc"},
	}[engine]
}

func TestRemedy(t *testing.T) {
	t.Parallel()
	all := remedies{host: "on the host", docker: "--security-opt systempaths=unconfined", kubernetes: "securityContext"}
	for engine, want := range map[string]string{
		"": "on the host", docker: "docker run --security-opt systempaths=unconfined", podman: "podman run --security-opt unmask=ALL",
		kubernetes: "pod: securityContext", otherKind: "docker run --security-opt systempaths=unconfined",
	} {
		m := place(marksOf(engine), nil)
		if got := m.remedy(all); got != want {
			t.Errorf("%q: %q, want %q", engine, got, want)
		}
		if got := m.remedy(remedies{host: "on the host"}); got != "on the host" {
			t.Errorf("%q without a flag of its own: %q", engine, got)
		}
	}
}

// TestPodman: Podman has another word for writable groups.
func TestPodman(t *testing.T) {
	t.Parallel()
	m := place(marksOf(podman), nil)
	if got := m.remedy(writableRemedies(2, 0)); got != "podman run --security-opt unmask=/sys/fs/cgroup" {
		t.Error(got)
	}
}

func TestContainerFindings(t *testing.T) {
	t.Parallel()
	inDocker := map[string]string{".dockerenv": ""}
	without := func(bits ...uint) machine {
		m := place(inDocker, nil)
		for _, b := range bits {
			m.effective &^= 1 << b
		}
		return m
	}
	refusing := func(names string) machine {
		m := place(inDocker, nil)
		m.refuses = func(c outsideCall) bool { return strings.Contains(names, c.name) }
		return m
	}
	nobody := place(inDocker, nil)
	nobody.euid, nobody.effective = 1000, 0
	with := func(file, text string) machine { return place(map[string]string{".dockerenv": "", file: text}, nil) }
	capabilities := func(version int) func(machine) Finding {
		return func(m machine) Finding { return m.capabilityFinding(func() int { return version }) }
	}
	const mounts = "90 80 0:50 / /proc rw - proc proc rw\n91 90 0:35 / /proc/sys/fs/binfmt_misc rw - binfmt_misc b rw\n"
	for _, c := range []struct {
		name           string
		find           func(machine) Finding
		at             machine
		ok             bool
		detail, remedy string
	}{
		{"capabilities", capabilities(2), without(), true, "SETUID, SETGID, CHOWN", ""},
		{"no SETUID", capabilities(1), without(unix.CAP_SETUID), false, "lacks CAP_SETUID", "docker run --cap-add SETUID"},
		{"no SETGID", capabilities(1), without(unix.CAP_SETGID), false, "lacks CAP_SETGID", "--cap-add SETGID"},
		{"none", capabilities(2), without(unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_CHOWN), false, "CAP_CHOWN", "--cap-add SETUID --cap-add SETGID --cap-add CHOWN"},
		{"no CHOWN on version 1", capabilities(1), without(unix.CAP_CHOWN), true, "SETUID, SETGID", ""},
		{"no CHOWN on version 2", capabilities(2), without(unix.CAP_CHOWN), false, "CAP_CHOWN", "--cap-add CHOWN"},
		{"no map", machine.idFinding, without(), true, "can be used", ""},
		{"all ids", machine.idFinding, with("proc/self/uid_map", "0 0 4294967295\n"), true, "can be used", ""},
		{"few ids", machine.idFinding, with("proc/self/gid_map", "0 100000 65536\n"), false, "not mapped", "--userns=host"},
		{"open filter", machine.filterFinding, refusing(""), true, "lets", ""},
		{"usual filter", machine.filterFinding, refusing("clone unshare mount"), false, "refuses clone, unshare, mount", "seccomp=deploy/docker/seccomp.json"},
		{"whole proc", machine.procFinding, with("proc/self/mountinfo", mounts), true, "nothing hides", ""},
		{"masked proc", machine.procFinding, with("proc/self/mountinfo", mounts+strings.Repeat("92 90 0:51 / /proc/kcore rw - tmpfs t rw\n", 2)), false, "hidden: /proc/kcore", "systempaths=unconfined"},
		{"much masked", machine.procFinding, with("proc/self/mountinfo", "1 2 0:1 / /proc/a r - t t r\n1 2 0:1 / /proc/b r - t t r\n1 2 0:1 / /proc/c r - t t r\n1 2 0:1 / /proc/d r - t t r\n"), false, "/proc/c and 1 more", "systempaths"},
		{"nodes", machine.nodeFinding, without(), true, "of its own", ""},
		{"no nodes", machine.nodeFinding, without(unix.CAP_MKNOD), false, "without CAP_MKNOD", "--cap-add MKNOD"},
		{"capabilities without root", capabilities(2), nobody, true, withoutRoot, ""},
		{"ids without root", machine.idFinding, nobody, true, withoutRoot, ""},
		{"nodes without root", machine.nodeFinding, nobody, false, "without root", "as root"},
		{"container", machine.containerFinding, without(), true, "docker", ""},
	} {
		got := explain([]Finding{c.find(c.at)})[0]
		if got.OK != c.ok || !strings.Contains(got.Detail, c.detail) || !strings.Contains(got.Remedy, c.remedy) || got.Meaning == "" || got.OK != (got.Remedy == "") {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestOutsideCalls: on a machine that refuses none, the calls do nothing and are not taken for refused.
func TestOutsideCalls(t *testing.T) {
	t.Parallel()
	calls := outsideCalls(true)
	if len(calls) != 6 {
		t.Errorf("%d calls", len(calls))
	}
	for _, c := range calls {
		if refused(c) {
			t.Errorf("%s is taken for refused", c.name)
		}
	}
	// A call that no kernel has is.
	if !refused(outsideCall{name: "none", number: 100_000}) {
		t.Error("a call that is not there is not taken for refused")
	}
}

func TestEffective(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{
		"": 0, "CapPrm:\t00000000000000ff\nCapEff:\t00000000000000c0\nCapBnd:\t1\n": 0xc0, "CapEff:\trubbish\n": 0, "CapEff:": 0,
	} {
		if got := effective(text); got != want {
			t.Errorf("%q: %#x, want %#x", text, got, want)
		}
	}
}

func FuzzMountinfo(f *testing.F) {
	f.Add("90 80 0:50 / /proc/kcore rw - proc proc rw\n" + overlayRow)
	f.Add(" - overlay ")
	f.Fuzz(func(t *testing.T, text string) {
		m := place(map[string]string{"proc/self/mountinfo": text, ".dockerenv": ""}, nil)
		m.layeredRoot()
		if f := m.procFinding(); f.OK == strings.HasPrefix(f.Detail, "hidden") {
			t.Errorf("%+v", f)
		}
	})
}

func FuzzMapsIDs(f *testing.F) {
	f.Add("0 0 4294967295\n")
	f.Add("0 100000 65536\n1 2")
	f.Fuzz(func(t *testing.T, text string) {
		if mapsIDs(text, 10, 5) && !mapsIDs(text, 10, 1) {
			t.Error("five ids are mapped, but not one of them")
		}
	})
}
