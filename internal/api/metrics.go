package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"assay/internal/verdict"
)

// metrics are what GET /metrics shows, in a registry of their own. Every label has few values, none of them chosen by a caller.
type metrics struct {
	handler    http.Handler
	runs       *prometheus.CounterVec
	faults     *prometheus.CounterVec
	requests   *prometheus.HistogramVec
	inFlight   prometheus.Gauge
	languageID func(string) string
}

func newMetrics(o Options) *metrics {
	registry := prometheus.NewRegistry()
	m := &metrics{
		languageID: o.LanguageID,
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assay_runs_total", Help: "Runs that ended, by language and status.",
		}, []string{"language", "status"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assay_http_problems_total", Help: "Requests answered with an error, by its code.",
		}, []string{"code"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "assay_http_request_duration_seconds", Help: "Time from the headers of a request to the end of its answer.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60},
		}, []string{"route", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "assay_http_requests_in_flight", Help: "Requests being answered.",
		}),
	}
	if m.languageID == nil {
		m.languageID = func(name string) string {
			name, _, _ = strings.Cut(strings.ToLower(name), "@")
			return name
		}
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assay_build_info", Help: "Always 1; the label is the version.", ConstLabels: prometheus.Labels{"version": o.Version},
	})
	build.Set(1)
	registry.MustRegister(m.runs, m.faults, m.requests, m.inFlight, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, value func() int) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
	}
	if o.Slots != nil {
		gauge("assay_slots", "Slots of this process.", func() int { total, _ := o.Slots.Slots(); return total })
		gauge("assay_slots_free", "Slots that are ready for a run.", func() int { _, free := o.Slots.Slots(); return free })
	}
	if o.Waiting != nil {
		gauge("assay_runs_waiting", "Runs that wait for a slot.", o.Waiting)
	}
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return m
}

// ran counts a run. The language is known to exist: the Runner accepted it.
func (m *metrics) ran(language string, status verdict.Status) {
	m.runs.WithLabelValues(m.languageID(language), string(status)).Inc()
}

// observe counts a request under its route's pattern; requests refused before the routes have none.
func (m *metrics) observe(pattern string, status int, took time.Duration) {
	if pattern == "" {
		pattern = "refused"
	}
	m.requests.WithLabelValues(pattern, strconv.Itoa(status)).Observe(took.Seconds())
}
