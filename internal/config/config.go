package config

import "time"

// Config is every setting, parsed. The zero value is not usable: take Default or Load.
type Config struct {
	Listen       string        // address and port of the HTTP server
	AdminToken   string        // token of the administrator; empty: none
	AllowGuests  bool          // callers without a token are served beyond loopback too
	Hosts        []string      // further Host names that requests may carry
	Workers      int           // slots; 0: one for each processor
	MaxWaiting   int           // requests that may wait for a slot
	DrainTimeout time.Duration // how long a stopping server waits for what runs
	RunDir       string        // scratch folder of the sandboxes; Load resolves auto

	LanguagesDir string            // folder of language files that add to or replace the built-in ones
	Compilers    map[string]string // language id to the path of its compiler or interpreter
	CacheSize    int64             // bytes of compiled programs to keep

	AllowNetwork  bool          // programs may have a network when a request asks for it
	AllowDegraded bool          // run although an isolation mechanism is missing
	ProbeInterval time.Duration // time between two rounds of the probes

	MaxBody        int64 // bytes of a request's body
	MaxSource      int64 // bytes of one source file
	MaxSourceTotal int64 // bytes of all source files of a request together
	MaxStdin       int64 // bytes of a request's stdin

	MaxCPUTime   time.Duration // what a request may ask for at most
	MaxWallTime  time.Duration
	MaxMemory    int64
	MaxProcesses int
	MaxOutput    int64

	LogLevel  string // debug, info, warn or error
	LogFormat string // text or json
}

// Default is the configuration when nothing is set.
func Default() Config {
	var c Config
	for _, s := range Table() {
		if err := s.field(&c).Set(s.Default); err != nil {
			// Only a defect of the table gets here; TestDefaultsAreValid keeps it out.
			panic("config: default of " + s.Name + ": " + err.Error())
		}
	}
	return c
}

// Validate checks every setting and reports all problems at once, as Problems.
func (c *Config) Validate() error {
	if ps := c.problems(nil); len(ps) > 0 {
		return ps
	}
	return nil
}

// problems checks every setting; from says where a setting's value came from, when that is known.
func (c *Config) problems(from map[string]string) Problems {
	var ps Problems
	for _, s := range Table() {
		v := s.field(c)
		if wrong, fix := v.check(); wrong != "" {
			ps = append(ps, s.problem(from[s.Name], v.String(), wrong, fix))
		}
	}
	return ps
}
