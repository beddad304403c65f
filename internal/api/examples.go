package api

import (
	"github.com/danielgtaylor/huma/v2"

	"assay/internal/engine"
	"assay/internal/language"
	"assay/internal/verdict"
)

// requestExamples are bodies of POST /v1/run. A test decodes each of them.
func requestExamples() map[string]*huma.Example {
	return map[string]*huma.Example{
		"python": {Summary: "A program that reads its input", Value: map[string]any{
			"language": "python", "source": "print('Hello, ' + input())", "stdin": "world\n",
		}},
		"cpp": {Summary: "Several files, options and limits", Value: map[string]any{
			"language": "cpp",
			"files": []map[string]any{
				{"name": "main.cpp", "content": "#include <iostream>\n#include \"answer.h\"\nint main() { std::cout << answer << '\\n'; }\n"},
				{"name": "answer.h", "content": "constexpr int answer = 42;\n"},
			},
			"args":    []string{"--verbose"},
			"options": map[string]any{},
			"limits":  map[string]any{"cpu_time_ms": 1000, "memory_bytes": 268435456},
		}},
	}
}

// resultExamples are answers of POST /v1/run.
func resultExamples() map[string]*huma.Example {
	zero, signal, limit := 0, "SIGKILL", verdict.CPULimit
	return map[string]*huma.Example{
		"ok": {Summary: "It ran", Value: engine.Result{
			Status: verdict.OK, Stdout: "Hello, world\n", ExitCode: &zero, CPUTimeMS: 9.31, WallTimeMS: 10.02, MemoryBytes: 5242880,
		}},
		"limit": {Summary: "It used up its CPU time", Value: engine.Result{
			Status: verdict.TimeLimitExceeded, Limit: &limit, Signal: &signal, CPUTimeMS: 1000.4, WallTimeMS: 1003.9, MemoryBytes: 1519616,
			Message: "CPU time limit exceeded: 1000.4 ms of 1000 ms",
			Compile: &engine.Compile{Status: verdict.OK, ExitCode: &zero, CPUTimeMS: 412, Cached: true},
		}},
	}
}

func languagesExample() any {
	return map[string]any{"languages": []language.Info{{
		ID: "python", Name: "Python", Version: "3.11.2", Aliases: []string{"py", "python3"}, Extensions: []string{".py"},
		Options: map[string]language.OptionInfo{}, Versions: []language.VersionInfo{{ID: "python@3.11.2", Version: "3.11.2"}}, Available: true,
	}}}
}
