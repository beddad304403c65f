package bench

import (
	"slices"
	"time"
)

// Times is a summary of how long something took, in microseconds.
type Times struct {
	Count    int     `json:"count"`
	MinUS    float64 `json:"min_us"`
	MedianUS float64 `json:"median_us"`
	P99US    float64 `json:"p99_us"`
}

// Summarize gives the summary of some times; without any it is zero.
func Summarize(times []time.Duration) Times {
	if len(times) == 0 {
		return Times{}
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(quantile float64) float64 {
		return microseconds(sorted[int(quantile*float64(len(sorted)-1))])
	}
	return Times{Count: len(times), MinUS: at(0), MedianUS: at(0.5), P99US: at(0.99)}
}

// Readings is a summary of repeated readings of one thing, in milliseconds.
type Readings struct {
	Count  int     `json:"count"`
	MinMS  float64 `json:"min_ms"`
	MaxMS  float64 `json:"max_ms"`
	MeanMS float64 `json:"mean_ms"`
	// Spread is the largest reading divided by the smallest; 1 is perfect.
	Spread float64 `json:"spread"`
}

// SummarizeReadings gives the summary of some readings; without any it is zero.
func SummarizeReadings(times []time.Duration) Readings {
	if len(times) == 0 {
		return Readings{}
	}
	total := time.Duration(0)
	for _, t := range times {
		total += t
	}
	least, most := slices.Min(times), slices.Max(times)
	r := Readings{
		Count: len(times), MinMS: microseconds(least) / 1000, MaxMS: microseconds(most) / 1000,
		MeanMS: microseconds(total) / 1000 / float64(len(times)),
	}
	if least > 0 {
		r.Spread = float64(most) / float64(least)
	}
	return r
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
