package config

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Setting is one row of the table.
type Setting struct {
	Name    string // as in the file and, with "--" before it, on the command line
	Default string // as text
	Doc     string // one sentence, without a full stop
	Secret  bool   // the value is never printed
	// Server settings matter to `assay serve` alone; the others to every command that opens a sandbox.
	Server bool
	// EnvAlso is a further variable that is read when the setting's own is not set.
	EnvAlso string

	field func(*Config) value
}

// Env is the setting's environment variable.
func (s Setting) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Usage is the help text of the setting's flag.
func (s Setting) Usage() string {
	text := s.Doc
	if s.Default != "" {
		text += " (default " + s.Default + ")"
	}
	return text
}

// IsBool reports whether the setting's flag stands alone ("--allow-guests").
func (s Setting) IsBool() bool {
	_, ok := s.field(new(Config)).(boolValue)
	return ok
}

// Choices are the only values accepted, or nil.
func (s Setting) Choices() []string {
	v, _ := s.field(new(Config)).(textValue)
	return v.choices
}

// Table gives all settings, in the order of the documentation.
func Table() []Setting {
	rows := serverSettings()
	rows = append(rows, sandboxSettings()...)
	rows = append(rows, requestSettings()...)
	return append(rows, logSettings()...)
}

func serverSettings() []Setting {
	return []Setting{
		{
			Name: "listen", Default: "127.0.0.1:8080", Server: true,
			Doc:   "address and port of the HTTP server; port 0 takes a free one",
			field: func(c *Config) value { return textValue{p: &c.Listen, valid: validListen} },
		},
		{
			Name: "admin-token", Secret: true, Server: true,
			Doc:   "token of the administrator; needed to listen beyond loopback; give it in the environment rather than as a flag, which other users of the host can read",
			field: func(c *Config) value { return textValue{p: &c.AdminToken, valid: validToken} },
		},
		{
			Name: "allow-guests", Default: "false", Server: true,
			Doc:   "serve callers without a token when listening beyond loopback too",
			field: func(c *Config) value { return boolValue{&c.AllowGuests} },
		},
		{
			Name: "hosts", Server: true,
			Doc:   "further host names under which this server is reached; requests with another Host header are refused",
			field: func(c *Config) value { return listValue{&c.Hosts, validHost} },
		},
		{
			Name: "max-waiting", Default: "256", Server: true,
			Doc:   "requests that may wait for a free slot; further ones get 503 with Retry-After",
			field: func(c *Config) value { return intValue(&c.MaxWaiting, 0, 1_000_000) },
		},
		{
			Name: "drain-timeout", Default: "30s", Server: true,
			Doc:   "how long a stopping server waits for what it has accepted before it ends the rest",
			field: func(c *Config) value { return timeValue(&c.DrainTimeout, 0, time.Hour) },
		},
	}
}

func sandboxSettings() []Setting {
	return []Setting{
		{
			Name: "workers", Default: auto, Server: true, EnvAlso: "WORKER_COUNT",
			Doc:   "slots, that is, programs that run at the same time; auto is one for each processor",
			field: func(c *Config) value { return autoIntValue(&c.Workers, 1, 1024) },
		},
		{
			Name: "run-dir", Default: auto,
			Doc:   "scratch folder of the sandboxes; several instances may share it; auto is `/run/assay` for root (`/dev/shm/assay` where `/run` is mounted noexec), for others `$XDG_RUNTIME_DIR/assay` or else `/tmp/assay-UID`",
			field: func(c *Config) value { return textValue{p: &c.RunDir, valid: validRunDir} },
		},
		{
			Name:  "languages-dir",
			Doc:   "folder of language files (*.yaml) that add to the built-in ones or replace them by id",
			field: func(c *Config) value { return textValue{p: &c.LanguagesDir, valid: validOptionalFolder} },
		},
		{
			Name:  "compilers",
			Doc:   "path of the compiler or interpreter to use for a language, as cpp=/usr/bin/g++-12",
			field: func(c *Config) value { return mapValue{&c.Compilers, validCompiler} },
		},
		{
			Name: "cache-size", Default: "256MiB", Server: true,
			Doc:   "bytes of compiled programs to keep, so that the same source is compiled once; 0 keeps none",
			field: func(c *Config) value { return sizeValue(&c.CacheSize, 0, 1024*gib) },
		},
		{
			Name: "allow-degraded", Default: "false",
			Doc:   "run although this host lacks an isolation mechanism; `assay doctor` says which and what is lost",
			field: func(c *Config) value { return boolValue{&c.AllowDegraded} },
		},
		{
			Name: "allow-network", Default: "false",
			Doc:   "let requests ask for network access; this version refuses them all the same, since it has no network to give",
			field: func(c *Config) value { return boolValue{&c.AllowNetwork} },
		},
		{
			Name: "probe-interval", Default: "5m", Server: true,
			Doc:   "time between two rounds of the probes, which try to break out of a sandbox",
			field: func(c *Config) value { return timeValue(&c.ProbeInterval, time.Second, 24*time.Hour) },
		},
	}
}

func requestSettings() []Setting {
	return []Setting{
		{
			Name: "max-body", Default: "32MiB", Server: true, Doc: "largest body of a request",
			field: func(c *Config) value { return sizeValue(&c.MaxBody, 1*kib, 1*gib) },
		},
		{
			Name: "max-source", Default: "1MiB", Doc: "largest source file; a few languages, such as exe, have a larger limit of their own",
			field: func(c *Config) value { return sizeValue(&c.MaxSource, 1, 1*gib) },
		},
		{
			Name: "max-source-total", Default: "16MiB", Doc: "largest size of all source files of a request together",
			field: func(c *Config) value { return sizeValue(&c.MaxSourceTotal, 1, 1*gib) },
		},
		{
			Name: "max-stdin", Default: "16MiB", Server: true, Doc: "largest stdin of a request",
			field: func(c *Config) value { return sizeValue(&c.MaxStdin, 0, 1*gib) },
		},
		{
			Name: "max-cpu-time", Default: "1m", Server: true, Doc: "largest CPU limit that a request may ask for",
			field: func(c *Config) value { return timeValue(&c.MaxCPUTime, time.Millisecond, time.Hour) },
		},
		{
			Name: "max-wall-time", Default: "3m", Server: true, Doc: "largest wall limit that a request may ask for",
			field: func(c *Config) value { return timeValue(&c.MaxWallTime, time.Millisecond, 4*time.Hour) },
		},
		{
			Name: "max-memory", Default: "4GiB", Server: true,
			Doc:   "largest memory and stack limit that a request may ask for",
			field: func(c *Config) value { return sizeValue(&c.MaxMemory, 1*mib, 1024*gib) },
		},
		{
			Name: "max-processes", Default: "1024", Server: true, Doc: "largest process limit that a request may ask for",
			field: func(c *Config) value { return intValue(&c.MaxProcesses, 1, 32768) },
		},
		{
			Name: "max-output", Default: "64MiB", Server: true, Doc: "largest output limit that a request may ask for",
			field: func(c *Config) value { return sizeValue(&c.MaxOutput, 1*kib, 4*gib) },
		},
	}
}

func logSettings() []Setting {
	return []Setting{
		{
			Name: "log-level", Default: "info", Doc: "least important messages to log",
			field: func(c *Config) value {
				return textValue{p: &c.LogLevel, choices: []string{"debug", "info", "warn", "error"}}
			},
		},
		{
			Name: "log-format", Default: "text", Doc: "form of the log, which goes to stderr",
			field: func(c *Config) value { return textValue{p: &c.LogFormat, choices: []string{"text", "json"}} },
		},
	}
}

func validListen(text string) (wrong, fix string) {
	const remedy = "give ADDRESS:PORT, as 127.0.0.1:8080"
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return "is not an address with a port", remedy
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "has no port from 0 to 65535", remedy
	}
	return "", ""
}

func validToken(text string) (wrong, fix string) {
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return "has a character that cannot be in a header", "use letters, digits and punctuation of ASCII, no blanks"
		}
	}
	return "", ""
}

func validHost(item string) (wrong, fix string) {
	const remedy = "give names such as judge.example.org, without scheme and path"
	if strings.ContainsAny(item, "/@ ?#*") {
		return "is not a host name", remedy
	}
	return "", ""
}

func validFolder(text string) (wrong, fix string) {
	if !filepath.IsAbs(text) {
		return "is not an absolute path", "give a path that begins with /"
	}
	return "", ""
}

func validRunDir(text string) (wrong, fix string) {
	if text == auto {
		return "", ""
	}
	return validFolder(text)
}

func validOptionalFolder(text string) (wrong, fix string) {
	if text == "" {
		return "", ""
	}
	return validFolder(text)
}

func validCompiler(_, path string) (wrong, fix string) {
	if !filepath.IsAbs(path) {
		return "does not name an absolute path", "give LANGUAGE=/PATH/TO/COMPILER"
	}
	return "", ""
}
