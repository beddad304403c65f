package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"assay/internal/bench"
)

// report prints the figures, and the ratios with their bars.
func report(out io.Writer, o options, all []*contender) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	var missing []string
	fmt.Fprintf(w, "\nONE RUN, ms\tRUNS\tMIN\tMEDIAN\tP99\tRUNS/S, %d CALLERS\n", o.callers)
	for _, c := range all {
		if c.reason != "" {
			missing = append(missing, fmt.Sprintf("%s: not measured: %s", c.name, c.reason))
			continue
		}
		t := bench.Summarize(c.times)
		perSec := "-"
		if len(c.perSec) > 0 {
			perSec = fmt.Sprintf("%.0f", median(c.perSec))
		}
		fmt.Fprintf(w, "%s\t%d\t%.3f\t%.3f\t%.3f\t%s\n", c.name, t.Count, t.MinUS/1000, t.MedianUS/1000, t.P99US/1000, perSec)
	}
	fmt.Fprint(w, "\nRATIO\tBY MEDIAN\tBY MIN\tBAR\t\n")
	find := func(name string) *contender {
		return all[slices.IndexFunc(all, func(c *contender) bool { return c.name == name })]
	}
	for _, b := range bars() {
		a, against := find(b.name), find(b.name)
		if b.against != "" {
			against = find(b.against)
		}
		if a.reason != "" || against.reason != "" {
			missing = append(missing, b.title+": not measured, see above")
			continue
		}
		fmt.Fprintln(w, b.line(a, against))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "\n%s\n", strings.Join(missing, "\n"))
	return err
}

// bar is one demand on a figure, by the median.
type bar struct {
	title         string
	name, against string
	kind          kind
	limit         float64
}

type kind int

const (
	atMost     kind = iota // the time of name, divided by that of against
	faster                 // the time of against, divided by that of name
	throughput             // the runs per second of name, divided by those of against
	absolute               // the time of name, in ms
)

// bars are those of docs/performance.md that time decides.
func bars() []bar {
	return []bar{
		{"library / floor", libraryName, floorName, atMost, 1.5},
		{"POST /v1/run / bubblewrap", httpName, bwrapName, atMost, 0.35},
		{"POST /v1/run / go-judge", httpName, goJudgeName, atMost, 0.4},
		{"runs/s: POST /v1/run / go-judge", httpName, goJudgeName, throughput, 3},
		{"runs/s: POST /v1/run / bubblewrap", httpName, bwrapName, throughput, 0},
		{"docker run / library", libraryName, dockerName, faster, 100},
		{"docker run / POST /v1/run", httpName, dockerName, faster, 100},
		{"runc run / library", libraryName, runcName, faster, 0},
		{"assay run, cold, ms", coldName, "", absolute, 25},
	}
}

// line words a bar for the table.
func (b bar) line(a, against *contender) string {
	byMedian, byMin := b.value(a, against)
	least := "-"
	if byMin > 0 {
		least = fmt.Sprintf("%.2f", byMin)
	}
	if b.limit == 0 {
		return fmt.Sprintf("%s\t%.2f\t%s\tnone\t", b.title, byMedian, least)
	}
	sign, met := "≤", byMedian <= b.limit
	if b.kind == faster || b.kind == throughput {
		sign, met = "≥", byMedian >= b.limit
	}
	word := "met"
	if !met {
		word = "NOT MET"
	}
	return fmt.Sprintf("%s\t%.2f\t%s\t%s %g\t%s", b.title, byMedian, least, sign, b.limit, word)
}

// value is the figure of a bar, by median and by minimum (0: there is none).
func (b bar) value(a, against *contender) (byMedian, byMin float64) {
	mine := bench.Summarize(a.times)
	if b.kind == absolute {
		return mine.MedianUS / 1000, mine.MinUS / 1000
	}
	theirs := bench.Summarize(against.times)
	switch b.kind {
	case throughput:
		return median(a.perSec) / median(against.perSec), 0
	case faster:
		return theirs.MedianUS / mine.MedianUS, theirs.MinUS / mine.MinUS
	default:
		return mine.MedianUS / theirs.MedianUS, mine.MinUS / theirs.MinUS
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
