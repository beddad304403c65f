package seccomp

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const profile = "../../../../deploy/docker/seccomp.json"

// neededOutside are the calls that assay itself makes sandboxes with, or that other programs in its container need; all
// others that no program may make are refused to the whole container.
func neededOutside() []string {
	return []string{
		"umount2", "pivot_root", "move_mount", "fsopen", "fsconfig", "fsmount", "mount_setattr", "unshare", "sethostname",
		"inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
	}
}

// seccompProfile is the format that Docker, Podman and Kubernetes read.
type seccompProfile struct {
	DefaultAction string        `json:"defaultAction"`
	Syscalls      []profileRule `json:"syscalls"`
}

type profileRule struct {
	Names    []string `json:"names"`
	Action   string   `json:"action"`
	ErrnoRet uint     `json:"errnoRet"`
	Comment  string   `json:"comment"`
}

// TestProfile compares the profile for containers with the policy: what programs are refused always, the container is, but
// for what sandboxes are made with.
func TestProfile(t *testing.T) {
	t.Parallel()
	p := seccompProfile{DefaultAction: "SCMP_ACT_ALLOW"}
	for _, file := range []string{"policy.go", "policy_amd64.go", "policy_arm64.go"} {
		for _, r := range parseRefusals(t, file) {
			var names []string
			for _, quoted := range r.calls {
				if name := strings.Trim(quoted, "`"); !slices.Contains(neededOutside(), name) {
					names = append(names, name)
				}
			}
			if len(names) > 0 {
				p.Syscalls = append(p.Syscalls, profileRule{
					Names: names, Action: "SCMP_ACT_ERRNO", ErrnoRet: uint(errnoNamed(t, r.answer)), Comment: r.reason,
				})
			}
		}
	}
	text, err := json.MarshalIndent(p, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	old, err := os.ReadFile(profile)
	if err == nil && string(old) == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the policy gives: run go test ./internal/sandbox/linux/seccomp -run TestProfile -update", profile)
	}
	if err := os.WriteFile(profile, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestProfileRefuses names what must never be missing in it.
func TestProfileRefuses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	var p seccompProfile
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	answers := map[string]uint{}
	for _, r := range p.Syscalls {
		for _, name := range r.Names {
			answers[name] = r.ErrnoRet
		}
	}
	for name, want := range map[string]unix.Errno{
		"bpf": unix.EPERM, "kexec_load": unix.EPERM, "init_module": unix.EPERM, "open_by_handle_at": unix.EPERM, "setns": unix.EPERM,
		"keyctl": unix.ENOSYS, "io_uring_setup": unix.ENOSYS, "ptrace": unix.EPERM, "perf_event_open": unix.EPERM,
	} {
		if answers[name] != uint(want) {
			t.Errorf("%s is answered with %d, want %d", name, answers[name], want)
		}
	}
	for _, name := range []string{"clone", "clone3", "unshare", "mount", "pivot_root", "socket"} {
		if answers[name] != 0 {
			t.Errorf("%s is refused", name)
		}
	}
}
