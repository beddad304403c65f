package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c := Default()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, s := range Table() {
		if got := s.field(&c).String(); got != s.Default {
			t.Errorf("%s: the default %q reads back as %q", s.Name, s.Default, got)
		}
		if s.Doc == "" || strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: the doc must be one sentence without a full stop", s.Name)
		}
	}
}

// Every field of the struct has exactly one row, so that no setting is documented twice or not at all.
func TestTableCoversTheStruct(t *testing.T) {
	t.Parallel()
	fields := reflect.TypeFor[Config]().NumField()
	names := map[string]bool{}
	for _, s := range Table() {
		if names[s.Name] {
			t.Errorf("%s has two rows", s.Name)
		}
		names[s.Name] = true
	}
	if len(names) != fields {
		t.Errorf("%d fields, %d rows", fields, len(names))
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "listen: 127.0.0.1:1\nmax-waiting: 1\nworkers: 1\ncompilers: {cpp: /usr/bin/g++-12}\nhosts: [a.example, b.example]\n")
	c, warnings, err := Load(Sources{
		File:    file,
		Environ: []string{"ASSAY_MAX_WAITING=2", "ASSAY_WORKERS=2", "ASSAY_LISTEN=", "ASSAY_NOVEL=1"},
		Flags:   map[string]string{"workers": "3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:1" || c.MaxWaiting != 2 || c.Workers != 3 {
		t.Errorf("listen %s, max-waiting %d, workers %d", c.Listen, c.MaxWaiting, c.Workers)
	}
	if c.Compilers["cpp"] != "/usr/bin/g++-12" || strings.Join(c.Hosts, " ") != "a.example b.example" {
		t.Errorf("compilers %v, hosts %v", c.Compilers, c.Hosts)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "ASSAY_NOVEL") {
		t.Errorf("warnings: %v", warnings)
	}
}

func TestSecondVariable(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "")
	for _, tt := range []struct {
		environ []string
		want    int
	}{
		{[]string{"WORKER_COUNT=5"}, 5},
		{[]string{"WORKER_COUNT=5", "ASSAY_WORKERS=6"}, 6},
	} {
		c, _, err := Load(Sources{File: file, Environ: tt.environ})
		if err != nil || c.Workers != tt.want {
			t.Errorf("%v: workers %d, %v; want %d", tt.environ, c.Workers, err, tt.want)
		}
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "max_waiting: 3\nlisten: nowhere\nhosts: [[1]]\n")
	_, _, err := Load(Sources{
		File:    file,
		Environ: []string{"ASSAY_WORKERS=-1", "ASSAY_ADMIN_TOKEN=hunter 2", "ASSAY_MAX_MEMORY=lots"},
		Flags:   map[string]string{"probe-interval": "5", "log-level": "loud", "compilers": "cpp"},
	})
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatalf("not Problems: %v", err)
	}
	for _, want := range []string{
		"max_waiting: is not a setting (did you mean max-waiting?)",
		`listen: "nowhere" is not an address with a port (give ADDRESS:PORT`,
		"hosts: has a value of the wrong kind",
		`ASSAY_WORKERS: "-1" cannot be read (give 1 to 1024, or auto)`,
		"ASSAY_ADMIN_TOKEN: has a character that cannot be in a header",
		`ASSAY_MAX_MEMORY: "lots" cannot be read (give a size such as 256MiB)`,
		`--probe-interval: "5" cannot be read (give a time such as 30s)`,
		`--log-level: "loud" is not one of the choices`,
		`--compilers: "cpp" cannot be read`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter") {
		t.Error("the error shows a secret")
	}
	if len(ps) != 9 {
		t.Errorf("%d problems, want 9:\n%v", len(ps), err)
	}
}

func TestValidateNamesTheSetting(t *testing.T) {
	t.Parallel()
	c := Default()
	c.RunDir, c.DrainTimeout = "relative", -time.Second
	err := c.Validate()
	if err == nil || !strings.Contains(err.Error(), "run-dir") || !strings.Contains(err.Error(), "drain-timeout") {
		t.Errorf("got %v", err)
	}
}

func TestBadValues(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]string{
		"listen":         {"", "8080", "127.0.0.1:70000", "127.0.0.1:http", ":-1"},
		"hosts":          {"http://a.example", "a.example/x", "*"},
		"admin-token":    {"with a blank in it.", "täglich-neu-gemacht"},
		"workers":        {"0", "1025", "all"},
		"run-dir":        {"", "run"},
		"languages-dir":  {"languages"},
		"compilers":      {"cpp=g++", "=x", "cpp=/a,cpp=/b"},
		"max-body":       {"0", "-1", "2GiB", "NaN", "1e9"},
		"max-processes":  {"0", "40000", "1.5"},
		"max-cpu-time":   {"0s", "-1s", "61m", "10"},
		"allow-guests":   {"perhaps"},
		"probe-interval": {"0s", "25h"},
	} {
		for _, value := range values {
			_, _, err := Load(Sources{File: writeFile(t, ""), Flags: map[string]string{name: value}})
			if err == nil || !strings.Contains(err.Error(), "--"+name) {
				t.Errorf("--%s %q: %v", name, value, err)
			}
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"twice the same key", "workers: 1\nworkers: 2\n", "already defined"},
		{"not a mapping", "- a\n", ""},
		{"no YAML", "a: [", ""},
		{"too large", strings.Repeat("#", maxFile+1), "larger than 1MiB"},
	} {
		_, _, err := Load(Sources{File: writeFile(t, tt.text)})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, _, err := Load(Sources{File: filepath.Join(t.TempDir(), "absent.yaml")}); err == nil {
		t.Error("a file that was named and does not exist is accepted")
	}
	if _, _, err := Load(Sources{Environ: []string{EnvFile + "=" + t.TempDir()}}); err == nil {
		t.Error("a folder is accepted")
	}
}

func TestFileFoundInTheFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	if c, _, err := Load(Sources{}); err != nil || c.MaxWaiting != Default().MaxWaiting {
		t.Fatalf("without a file: %v", err)
	}
	if err := os.WriteFile(DefaultFile, []byte("max-waiting: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, _, err := Load(Sources{}); err != nil || c.MaxWaiting != 7 {
		t.Fatalf("max-waiting %d, %v", c.MaxWaiting, err)
	}
	if err := os.Chmod(DefaultFile, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(Sources{}); err == nil {
		t.Error("a file that everybody can write is read without being named")
	}
	if c, _, err := Load(Sources{File: DefaultFile}); err != nil || c.MaxWaiting != 7 {
		t.Errorf("named: max-waiting %d, %v", c.MaxWaiting, err)
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "1024": 1024, "64MB": 64e6, "256MiB": 256 << 20, "1GiB": 1 << 30, "256M": 256 << 20, "1k": 1024,
		" 10 KiB ": 10240, "1.5GiB": 3 << 29, "12b": 12, "-1": -1, "2TiB": 2 << 40,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "1XB", "1e3", "0x10", "one", "1.2.3MiB", "9223372036854775808", "9999999TiB", "1 2", "Inf", "NaN", "٣"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is accepted as %d", text, got)
		}
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	const path = "../../docs/configuration.md"
	if *update {
		if err := os.WriteFile(path, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != Markdown() {
		t.Error("docs/configuration.md is not what the table gives: run go test ./internal/config -run TestDocs -update")
	}
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"1024", "64MB", "256MiB", "1.5GiB", "-3k", "9223372036854775807", "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if err != nil {
			return
		}
		if again, err := ParseSize(FormatSize(n)); err != nil || again != n {
			t.Errorf("%q is %d, written %q, read back as %d, %v", text, n, FormatSize(n), again, err)
		}
	})
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{"workers: 1", "hosts: [a, b]", "compilers: {c: /x}", "a: &a [*a]", "? [x]\n: y", "listen: !!binary aGk="} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := parseFile(data)
		if err != nil {
			return
		}
		c := Default()
		l := loader{config: &c, from: map[string]string{}}
		l.values("fuzz.yaml", values)
		for _, p := range l.problems {
			if p.Source == "" || p.Wrong == "" || p.Fix == "" {
				t.Errorf("a problem without source, cause or fix: %+v", p)
			}
		}
	})
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
