package e2e

import (
	"encoding/json"
	"testing"
)

func TestBench(t *testing.T) {
	t.Parallel()
	got := finish(t, assay(t, "bench", "--runs", "3", "--callers", "2", "--json"), nil)
	type times struct {
		Count  int
		Median float64 `json:"median_us"`
	}
	type door struct {
		Latency times
		PerSec  float64 `json:"runs_per_second"`
	}
	var report struct {
		Library, HTTP door
		Command       times
		CPUTime       struct {
			Sandbox, Bare struct {
				Mean float64 `json:"mean_ms"`
			}
		} `json:"cpu_time"`
		Memory struct {
			Touched  int64 `json:"touched_bytes"`
			Measured int64 `json:"measured_bytes"`
		}
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.code != 0 {
		t.Fatalf("%+v: %v", got, err)
	}
	for name, n := range map[string]float64{
		"library": report.Library.Latency.Median, "library runs/s": report.Library.PerSec, "HTTP": report.HTTP.Latency.Median,
		"HTTP runs/s": report.HTTP.PerSec, "command": report.Command.Median,
		"CPU time": report.CPUTime.Sandbox.Mean, "bare CPU time": report.CPUTime.Bare.Mean,
	} {
		if n <= 0 {
			t.Errorf("%s: %v", name, n)
		}
	}
	if report.Memory.Measured < report.Memory.Touched {
		t.Errorf("memory: %+v", report.Memory)
	}
}
