package verdict

import "testing"

func TestDecide(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		facts  Facts
		status Status
		limit  string
	}{
		"ended well":               {Facts{}, OK, ""},
		"exit code":                {Facts{ExitCode: 1}, RuntimeError, ""},
		"signal":                   {Facts{Signal: "SIGSEGV"}, RuntimeError, ""},
		"killed itself":            {Facts{Signal: "SIGKILL"}, RuntimeError, ""},
		"raised SIGXCPU":           {Facts{Signal: "SIGXCPU"}, RuntimeError, ""},
		"CPU":                      {Facts{Signal: "SIGKILL", CPUExceeded: true}, TimeLimitExceeded, CPULimit},
		"wall":                     {Facts{Signal: "SIGKILL", WallExceeded: true}, TimeLimitExceeded, WallLimit},
		"CPU and wall":             {Facts{CPUExceeded: true, WallExceeded: true}, TimeLimitExceeded, CPULimit},
		"memory before time":       {Facts{MemoryExceeded: true, CPUExceeded: true, WallExceeded: true}, MemoryLimitExceeded, ""},
		"output before all":        {Facts{OutputExceeded: true, MemoryExceeded: true, CPUExceeded: true}, OutputLimitExceeded, ""},
		"source refused":           {Facts{ExitCode: 1, SourceRefused: true}, CompileError, ""},
		"refused before all":       {Facts{SourceRefused: true, OutputExceeded: true, MemoryExceeded: true}, CompileError, ""},
		"a limit before the exit":  {Facts{ExitCode: 1, MemoryExceeded: true}, MemoryLimitExceeded, ""},
		"over time but ended well": {Facts{CPUExceeded: true}, TimeLimitExceeded, CPULimit},
	} {
		if status, limit := Decide(c.facts); status != c.status || limit != c.limit {
			t.Errorf("%s: %s %q, want %s %q", name, status, limit, c.status, c.limit)
		}
	}
}
