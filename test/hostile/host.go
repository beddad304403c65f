package hostile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Host is what the suite plants on this machine before the first case and looks at afterwards: secrets that nobody may
// see, listeners that nobody may reach, a file that nobody may change, and the state that nothing may add to.
type Host struct {
	Secret     string // in the environment, in SecretFile, and answered by the listeners
	SecretFile string // path of a file with Secret
	Port       string // of a TCP listener on 127.0.0.1
	Unix       string // path of a unix socket with a listener
	Abstract   string // name of an abstract unix socket with a listener

	name        string // host name before the suite
	canary      string
	connections atomic.Int64
	listeners   []net.Listener
	slots       func() (total, free int)
	groups      func() ([]string, error)
	before      state
}

// state is what may not grow. Each entry is one mount, process, IPC object or control group.
type state map[string][]string

// SecretVariable is the environment variable that holds Host.Secret while the driver is opened.
const SecretVariable = "HOSTILE_SECRET"

// Plant puts the secrets and the listeners in place. dir is a folder of the test's own. Close takes the listeners away.
func Plant(dir string) (*Host, error) {
	h := &Host{
		Secret: "hostile-secret-" + rand.Text(), SecretFile: filepath.Join(dir, "secret"),
		canary: filepath.Join(dir, "canary"), Unix: filepath.Join(dir, "s"), Abstract: "hostile-" + rand.Text(),
	}
	var err error
	if h.name, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("host name: %w", err)
	}
	if err := os.Setenv(SecretVariable, h.Secret); err != nil {
		return nil, fmt.Errorf("plant the secret: %w", err)
	}
	for _, f := range []string{h.SecretFile, h.canary} {
		if err := os.WriteFile(f, []byte(h.Secret), 0o644); err != nil {
			return nil, fmt.Errorf("plant the secret: %w", err)
		}
	}
	for _, a := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"}, {"unix", h.Unix}, {"unix", "@" + h.Abstract},
	} {
		l, err := net.Listen(a.network, a.address)
		if err != nil {
			h.Close()
			return nil, fmt.Errorf("listen: %w", err)
		}
		h.listeners = append(h.listeners, l)
		go h.accept(l)
	}
	h.Port = strconv.Itoa(h.listeners[0].Addr().(*net.TCPAddr).Port)
	return h, nil
}

// accept answers every connection with the secret and counts it.
func (h *Host) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		h.connections.Add(1)
		_, _ = c.Write([]byte(h.Secret))
		_ = c.Close()
	}
}

// Close stops listening.
func (h *Host) Close() {
	for _, l := range h.listeners {
		_ = l.Close()
	}
}

// Watch remembers the state of the idle host. slots is the driver's; groups lists the driver's control groups.
func (h *Host) Watch(ctx context.Context, slots func() (total, free int), groups func() ([]string, error)) error {
	h.slots, h.groups = slots, groups
	if err := eventually(ctx, h.checkSlots); err != nil {
		return err
	}
	now, err := h.read()
	h.before = now
	return err
}

// checks are the host checks by the name that a case calls them.
func (h *Host) checks() map[string]func() error {
	m := map[string]func() error{
		"slots": h.checkSlots, "canary": h.checkCanary, "connections": h.checkConnections, "hostname": h.checkName,
	}
	for _, kind := range []string{"processes", "mounts", "cgroups", "sysv_ipc"} {
		m[kind] = func() error { return h.checkGrowth(kind) }
	}
	return m
}

// hostCheckNames lists the names that "host:" may hold, sorted.
func hostCheckNames() []string {
	return slices.Sorted(maps.Keys((&Host{}).checks()))
}

// Check runs the named checks, all of them without names. What needs a moment to settle is given until ctx ends.
func (h *Host) Check(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		names = hostCheckNames()
	}
	var errs []error
	for _, name := range names {
		if err := eventually(ctx, h.checks()[name]); err != nil {
			errs = append(errs, fmt.Errorf("host check %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// eventually repeats a check until it passes, or gives its last error when ctx ends.
func eventually(ctx context.Context, check func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (h *Host) checkSlots() error {
	if total, free := h.slots(); free != total {
		return fmt.Errorf("%d of %d slots are free", free, total)
	}
	return nil
}

func (h *Host) checkCanary() error {
	for _, f := range []string{h.canary, h.SecretFile} {
		data, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("the planted file is gone: %w", err)
		}
		if string(data) != h.Secret {
			return fmt.Errorf("%s was changed", f)
		}
	}
	return nil
}

func (h *Host) checkConnections() error {
	if n := h.connections.Load(); n != 0 {
		return fmt.Errorf("%d connections came from a sandbox", n)
	}
	return nil
}

func (h *Host) checkName() error {
	name, err := os.Hostname()
	if err == nil && name != h.name {
		err = fmt.Errorf("the host is called %q instead of %q", name, h.name)
	}
	return err
}

// checkGrowth compares one kind of state with what it was before the suite.
func (h *Host) checkGrowth(kind string) error {
	now, err := h.read()
	if err != nil {
		return err
	}
	left := slices.Clone(h.before[kind])
	var grown []string
	for _, entry := range now[kind] {
		if i := slices.Index(left, entry); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else {
			grown = append(grown, entry)
		}
	}
	if len(grown) > 0 {
		return fmt.Errorf("there are %d more: %s", len(grown), strings.Join(grown[:min(len(grown), 5)], "; "))
	}
	return nil
}
