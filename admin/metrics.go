package admin

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hookgate/hookgate"
)

// noSource is the label of everything that hits no configured source, so that unknown paths grow no series.
const noSource = "none"

// served is the outcome of what is a page and no delivery, such as a key set.
const served = "served"

// Snapshot is what the gauges show; it is taken at every scrape.
type Snapshot struct {
	JournalReady bool
	LastSequence int64
	JournalBytes int64
	JournalQueue int
	JournalLost  int64
	JournalParts int   // of the journal that this node forwards
	Spilling     bool  // new events go to the spill
	SpillWaiting int64 // events that are still to be handed on
	LogDropped   uint64

	Connections        int    // of senders, open
	ConnectionsRefused uint64 // closed at once, because their address had as many as it may

	Destinations []DestinationSnapshot
	Outbound     []OutboundSnapshot
}

// OutboundSnapshot is what the outbound side has to deliver as one provider.
type OutboundSnapshot struct {
	Provider        string
	Waiting, Failed int64
}

// DestinationSnapshot is one destination's part of it.
type DestinationSnapshot struct {
	Name        string
	Delivered   uint64
	Failed      uint64
	DeadLetters int64
	Parked      int64
	Backlog     int64
	InFlight    int64
	Up          bool
	BreakerOpen bool
}

// Metrics counts what requests come to, in a registry of its own. Every label value comes from the configuration or from
// a fixed list.
type Metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	refused     *prometheus.CounterVec
	events      *prometheus.CounterVec
	diagnosed   *prometheus.CounterVec
	conflicts   *prometheus.CounterVec
	quarantined *prometheus.CounterVec
	tokens      *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	keys        keyUses
}

// NewMetrics makes the metrics; snapshot is called at every scrape and must be cheap and safe for concurrent use. first is told
// of a key's first proof since the start; it may be nil.
func NewMetrics(snapshot func() Snapshot, first func(source string, p hookgate.Proof)) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		requests:    counter("hookgate_requests_total", "Requests by what they came to: an outcome, or the code of the refusal.", "source", "outcome"),
		refused:     counter("hookgate_authentication_failures_total", "Failed authentications by reason.", "source", "reason"),
		diagnosed:   counter("hookgate_authentication_diagnoses_total", "Failed authentications by what was found to be wrong; a few a second are looked into.", "source", "diagnosis"),
		events:      counter("hookgate_events_total", "Authenticated events by class: first and recovered are new, the others came again.", "source", "class"),
		conflicts:   counter("hookgate_event_conflicts_total", "Copies of a known event and attempt with other content.", "source"),
		quarantined: counter("hookgate_events_quarantined_total", "Authenticated parts that could not be read.", "source"),
		tokens:      counter("hookgate_token_requests_total", "Requests at the token endpoint by what they came to.", "client", "outcome"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hookgate_request_duration_seconds", Help: "From the first byte of the handler to the answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 3},
		}, []string{"source"}),
	}
	m.keys.first = first
	m.registry.MustRegister(&m.keys, m.requests, m.refused, m.diagnosed, m.events, m.conflicts, m.quarantined, m.tokens, m.duration,
		snapshotCollector(snapshot), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Expect makes the series of sources and of their keys before anything happens to them, so that the first failure is a rise
// and not a birth.
func (m *Metrics) Expect(sources ...*hookgate.Source) {
	m.keys.expect(sources)
	for _, s := range sources {
		for _, reason := range hookgate.Reasons() {
			m.refused.WithLabelValues(s.Name, string(reason))
		}
		for _, class := range hookgate.Classes() {
			m.events.WithLabelValues(s.Name, string(class))
		}
		m.conflicts.WithLabelValues(s.Name)
		m.quarantined.WithLabelValues(s.Name)
	}
}

// Diagnosed counts what was found to be wrong with a failed authentication. The words must come from a fixed list.
func (m *Metrics) Diagnosed(source, diagnosis string) {
	m.diagnosed.WithLabelValues(source, diagnosis).Inc()
}

// ExpectClient makes the series of a client of the token endpoint, as Expect does for a source.
func (m *Metrics) ExpectClient(id string) {
	for _, outcome := range hookgate.TokenOutcomes() {
		m.tokens.WithLabelValues(id, string(outcome))
	}
}

// Handler serves the text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Timeout: 5 * time.Second})
}

// Observe counts one answered request.
func (m *Metrics) Observe(r *hookgate.Report, took time.Duration) {
	if r.Token.Outcome != "" { // it came to no source
		m.tokens.WithLabelValues(r.Token.Client, string(r.Token.Outcome)).Inc()
		return
	}
	source := r.Source
	if source == "" {
		source = noSource
	}
	outcome := string(r.Outcome.Kind)
	if outcome == "" {
		outcome = served
	}
	if r.Err != nil {
		outcome = string(r.Err.Code)
		if r.Err.Reason != "" {
			m.refused.WithLabelValues(source, string(r.Err.Reason)).Inc()
		}
	}
	m.requests.WithLabelValues(source, outcome).Inc()
	m.keys.observe(source, r.Outcome.Verdict)
	m.duration.WithLabelValues(source).Observe(took.Seconds())
	for i, e := range r.Outcome.Events {
		switch {
		case i >= len(r.Outcome.Results):
		case e.Quarantine != "":
			m.quarantined.WithLabelValues(source).Inc()
		default:
			m.events.WithLabelValues(source, string(r.Outcome.Results[i].Class)).Inc()
			if r.Outcome.Results[i].Conflict {
				m.conflicts.WithLabelValues(source).Inc()
			}
		}
	}
}
