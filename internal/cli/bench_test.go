package cli

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"assay/internal/bench"
)

func benchReport() bench.Report {
	return bench.Report{
		CPUs: 2, Arch: "amd64", Slots: 2, Callers: 4,
		Library: bench.Door{Latency: bench.Times{Count: 9, MinUS: 400, MedianUS: 512.5, P99US: 2000}, PerSec: 2500},
		CPUTime: bench.CPUReading{Sandbox: bench.Readings{Count: 30, MinMS: 200, MaxMS: 204, MeanMS: 202, Spread: 1.02}},
		Memory:  bench.Peak{TouchedBytes: 100 << 20, MeasuredBytes: 101 << 20, Deviation: 0.01},
	}
}

func TestBench(t *testing.T) {
	t.Parallel()
	h := &fakeHost{report: benchReport()}
	got := executeClean(t, h, "", "bench", "--runs", "9", "--callers", "4")
	if got.code != exitOK || h.measured.Runs != 9 || h.measured.Callers != 4 || h.measured.Program != nil {
		t.Errorf("%+v, %+v", got, h.measured)
	}
	for _, want := range []string{"0.512", "2500", "1.020", "101.00 MiB (+1.00 %)", "4 callers"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is missing in\n%s", want, got.out)
		}
	}

	file := program(t, "a.elf", "\x7fELF rest")
	got = executeClean(t, h, "", "bench", "--json", "--program", file)
	var back bench.Report
	if err := json.Unmarshal([]byte(got.out), &back); err != nil || back != h.report || string(h.measured.Program) != "\x7fELF rest" {
		t.Errorf("%v: %s, program %q", err, got.out, h.measured.Program)
	}
}

func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no runs":            {[]string{"--runs", "0"}, "--runs 0"},
		"negative callers":   {[]string{"--callers", "-1"}, "--callers -1"},
		"absurd callers":     {[]string{"--callers", "100000"}, "--callers 100000"},
		"no file":            {[]string{"--program", "/nonexistent"}, "--program"},
		"not an ELF file":    {[]string{"--program", program(t, "a.sh", "#!/bin/sh")}, "not an ELF file"},
		"an empty file":      {[]string{"--program", program(t, "empty", "")}, "not an ELF file"},
		"a further argument": {[]string{"x"}, "no argument x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := executeClean(t, &fakeHost{}, "", append([]string{"bench"}, tt.args...)...)
			if got.code != exitUsage || !strings.Contains(got.errors, tt.want) {
				t.Errorf("%+v, want %q", got, tt.want)
			}
		})
	}
	if got := executeClean(t, &fakeHost{err: errors.New("broken")}, "", "bench"); got.code != exitInternal {
		t.Errorf("a host that fails: %+v", got)
	}
}
