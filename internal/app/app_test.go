package app

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assay/internal/config"
	"assay/internal/fault"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		"0.0.0.0:80":     "http://localhost:80",
		"[::]:80":        "http://localhost:80",
		"[::1]:80":       "http://[::1]:80",
	} {
		a, err := net.ResolveTCPAddr("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		if got := address(a); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

func TestToolPaths(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(tool, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	own := t.TempDir()
	if err := os.WriteFile(filepath.Join(own, "novel.yaml"), []byte(`id: novel
name: Novel
source: {name: main.novel}
requires: {runner: [/usr/bin/runner], helper: [/usr/bin/helper]}
version: {args: ["{runner}", -v], pattern: '(\d+)'}
run: {args: ["{runner}", "{source}"]}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, want string }{
		{"cpp", "cpp.compiler"},
		{"python", "python.python"},
		{"java", "java.javac"},
		{"java.java", "java.java"},
		{"novel", "novel.runner"},
		{"novel.helper", "novel.helper"},
	} {
		got, err := toolPaths(config.Config{LanguagesDir: own, Compilers: map[string]string{tt.name: tool}})
		if err != nil || got[tt.want] != tool || len(got) != 1 {
			t.Errorf("%s: %v, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ name, path, want string }{
		{"klingon", tool, "there is no language"},
		{"../languages/cpp", tool, "there is no language"},
		{"java.linker", tool, "is not a tool of java"},
		{"exe", tool, "has no main tool"},
		{"cpp", tool + "-absent", "is not a file"},
		{"cpp", own, "is not a file"},
	} {
		_, err := toolPaths(config.Config{Compilers: map[string]string{tt.name: tt.path}})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%s: %v, want %q", tt.name, tt.path, err, tt.want)
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	got := refusal(&fault.Error{Code: fault.Degraded, Message: "no cgroup", Hint: "mount one"})
	if got.OK || !got.Required || got.Detail != "no cgroup" || got.Remedy != "mount one" {
		t.Errorf("%+v", got)
	}
	if got := refusal(net.ErrClosed); got.Detail != net.ErrClosed.Error() || got.Remedy == "" {
		t.Errorf("%+v", got)
	}
}
