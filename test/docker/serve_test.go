package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// served is a server in a container.
type served struct{ id, address string }

// serve starts a server as the container's command and waits for its address.
func serve(t *testing.T, flags []string, before ...string) served {
	t.Helper()
	s := served{id: detached(t, flags, append(before, "/opt/assay", "serve", "--listen", "127.0.0.1:0")...)}
	err := eventually(time.Minute, func() error {
		o := docker(t, "", "logs", s.id)
		_, rest, found := strings.Cut(o.out, "assay is ready: ")
		if !found {
			return errors.New(o.String())
		}
		s.address, _, _ = strings.Cut(rest, "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run sends a program to the server, from inside the container.
func (s served) run(t *testing.T, language, source, want string) {
	t.Helper()
	request, err := json.Marshal(map[string]string{"language": language, "source": source, "stdin": "1 2\n"})
	if err != nil {
		t.Fatal(err)
	}
	o := docker(t, string(request), "exec", "-i", s.id, "python3", "/programs/post.py", s.address)
	var result struct{ Status, Stdout string }
	if err := json.Unmarshal([]byte(o.out), &result); err != nil || result.Status != "ok" || result.Stdout != want {
		t.Errorf("%s: %v\n%s", language, err, o)
	}
}

// in runs a shell command in the server's container.
func (s served) in(t *testing.T, script string) outcome {
	t.Helper()
	return docker(t, "", "exec", s.id, "/bin/sh", "-c", script)
}

// gone waits until the container's groups, and all that were made below them, are gone.
func gone(t *testing.T, id string) {
	t.Helper()
	err := eventually(20*time.Second, func() error {
		for _, g := range shared.groups() {
			if strings.Contains(g, id) {
				return fmt.Errorf("%s is still there", g)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestServe: a server as the container's first process, and behind an init; it runs programs, leaves no zombies, and leaves
// nothing when it is stopped or killed.
func TestServe(t *testing.T) {
	t.Parallel()
	small := join(smallest(t), -1)
	for _, c := range []struct {
		name   string
		flags  []string
		before []string
	}{
		{"first process", small, nil},
		{"behind an init", append([]string{"--init"}, small...), nil},
		{"behind a shell", small, []string{"/bin/sh", "-c", `"$@"; exit $?`, "sh"}},
		{"privileged", []string{"--privileged"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.flags, c.before...)
			s.run(t, "python", "print(sum(map(int, input().split())))", "3\n")
			s.run(t, "c", "int puts(const char *);int main(void) { return puts(\"hello\") < 0; }", "hello\n")
			if len(c.before) == 0 {
				s.reaps(t)
			}
			patience := "60"
			if len(c.before) > 0 {
				patience = "2" // a shell does not pass the signal on, and as first process ignores it
			}
			stopped := docker(t, "", "stop", "--time", patience, s.id)
			code := docker(t, "", "inspect", "--format", "{{.State.ExitCode}}", s.id)
			if got := atoi(t, code.out); stopped.code != 0 || got != 0 && len(c.before) == 0 {
				t.Errorf("stopped: %s\nexit code %d\n%s", stopped, got, docker(t, "", "logs", s.id))
			}
			gone(t, s.id)
		})
	}
}

// reaps leaves processes without parent in the container and waits until none is a zombie. Before, at least one was seen to
// be taken in by the first process.
func (s served) reaps(t *testing.T) {
	t.Helper()
	o := s.in(t, `(sleep 0.2 & echo $!) ; (sleep 0.3 & echo $!)`)
	pids := strings.Fields(o.out)
	if o.code != 0 || len(pids) != 2 {
		t.Fatal(o)
	}
	err := eventually(30*time.Second, func() error {
		left := s.in(t, "for p in "+strings.Join(pids, " ")+"; do cat /proc/$p/stat; done 2>/dev/null; true")
		if left.code != 0 || left.out != "" {
			return errors.New(left.String())
		}
		return nil
	})
	if err != nil {
		t.Errorf("a zombie stays: %v", err)
	}
}

// TestKilled: what a killed server leaves is removed with its container, or by the next instance in the same container.
func TestKilled(t *testing.T) {
	t.Parallel()
	small := join(smallest(t), -1)
	t.Run("with its container", func(t *testing.T) {
		t.Parallel()
		s := serve(t, small)
		s.run(t, "python", "print(3)", "3\n")
		if o := docker(t, "", "kill", s.id); o.code != 0 {
			t.Error(o)
		}
		gone(t, s.id)
	})
	if shared.version == 2 {
		return // groups go beside the container's there, and not into it
	}
	t.Run("in a container that goes on", func(t *testing.T) {
		t.Parallel()
		id := detached(t, small, "/bin/sleep", "600")
		s := served{id: id}
		const groups = `find /sys/fs/cgroup -path "*/$(hostname)*/assay-????????-*" -prune | wc -l`
		o := s.in(t, `/opt/assay serve --listen 127.0.0.1:0 >/tmp/log 2>&1 & server=$!
			until grep -q ready /tmp/log; do sleep 0.1; done; `+groups+`; kill -KILL $server; `+groups)
		counts := strings.Fields(o.out)
		if len(counts) != 2 || atoi(t, counts[0]) == 0 || counts[1] == "0" {
			t.Fatalf("the server made no groups, or they were gone with it: %s", o)
		}
		if o := docker(t, "1 2\n", "exec", "-i", id, "/opt/assay", "run", "/programs/sum.py"); o.code != 0 || o.out != "3\n" {
			t.Error(o)
		}
		if o := s.in(t, groups+"; ls /run/assay | grep -c '^[0-9]*$'"); o.out != "0\n0\n" {
			t.Errorf("left: %s", o)
		}
	})
}

// TestSharedRunFolder: containers that share the run folder have slots with different ids on the host.
func TestSharedRunFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	flags := append([]string{"-v", dir + ":/run/shared"}, join(smallest(t), -1)...)
	command := []string{"/opt/assay", "serve", "--listen", "127.0.0.1:0", "--run-dir", "/run/shared"}
	first, second := detached(t, flags, command...), detached(t, flags, command...)
	seen := map[string]bool{}
	for _, id := range []string{first, second} {
		s := served{id: id}
		err := eventually(time.Minute, func() error {
			o := s.in(t, `for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline 2>/dev/null | grep -q '^assay-slot' && awk '/^Uid:/ { print $2 }' $p/status; done; true`)
			if o.code != 0 || len(strings.Fields(o.out)) == 0 {
				return errors.New(o.String())
			}
			for _, uid := range strings.Fields(o.out) {
				seen[id+" "+uid] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	owner := map[string]string{}
	for key := range seen {
		id, uid, _ := strings.Cut(key, " ")
		if other, taken := owner[uid]; taken && other != id {
			t.Errorf("slots of both containers are the host's user %s", uid)
		}
		owner[uid] = id
		if atoi(t, uid) < 0x60000000 {
			t.Errorf("a slot is user %s", uid)
		}
	}
}
