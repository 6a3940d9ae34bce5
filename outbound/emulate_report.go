package outbound

import (
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// EmulationReport is what a run has done. The names of its JSON are kept, so that scripts can rest on them.
type EmulationReport struct {
	Provider    string    `json:"provider"`
	URL         string    `json:"url"` // without its query, which may hold a token
	Seed        uint64    `json:"seed"`
	Start       time.Time `json:"start"`
	Seconds     float64   `json:"seconds"`     // that the run took
	Interrupted bool      `json:"interrupted"` // it was ended early

	Events     int   `json:"events"`     // that have been sent at least once
	Deliveries int   `json:"deliveries"` // the same in requests: their first attempts
	Duplicates int   `json:"duplicates"` // copies sent beside
	Retries    int   `json:"retries"`    // attempts after the first
	Sent       int   `json:"sent"`       // the sum of the three above
	Bytes      int64 `json:"bytes"`      // of the bodies, as announced
	Succeeded  int   `json:"succeeded"`  // deliveries with an answer that the provider counts as success
	GivenUp    int   `json:"given_up"`   // deliveries without one after all their attempts

	Answers  map[string]int `json:"answers"`  // by status
	Outcomes map[string]int `json:"outcomes"` // by Hookgate-Outcome, where the receiver is a Hookgate
	// Failures are requests without an answer: refused, no_connection, no_address, tls, timeout, reset, closed, broken_off
	// (ours, by truncating), interrupted (ours, at the end) and other.
	Failures  map[string]int `json:"failures"`
	Unreached int            `json:"unreached"`       // of these, those for which there was not even a connection
	Error     string         `json:"error,omitempty"` // the first reason that there was no answer

	// Faults that were sent, in requests.
	Reordered     int `json:"reordered"`      // after a later one
	BadSignatures int `json:"bad_signatures"` // copies and retries of them too
	Skewed        int `json:"skewed"`         // signed at a shifted time
	Truncated     int `json:"truncated"`
	Slow          int `json:"slow"`
	Oversized     int `json:"oversized"`
	Rotated       int `json:"rotated"` // signed by the next secret or key

	Latency Latency `json:"latency"`
}

// Latency is how long answers took, in milliseconds. With a rate it counts from when a request was due, so that waiting for
// a receiver that stalls is part of it. Requests that were slow or truncated on purpose are left out.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p99_9_ms"`
	Max   float64 `json:"max_ms"`
}

// sentRequest is one request and what came of it.
type sentRequest struct {
	shot
	attempt           int
	bytes             int
	truncated, slowed bool

	status    int // 0 without an answer
	outcome   string
	failure   string
	unreached bool
	err       error
	took      time.Duration
}

// tally counts while the run goes on.
type tally struct {
	faults Faults
	signed bool
	began  time.Time // set before the first request

	mu        sync.Mutex
	stopped   time.Time
	sum       EmulationReport
	statuses  [600]int
	latencies *hdrhistogram.Histogram // microseconds
}

// maxLatency is the longest that is told from a longer one.
const maxLatency = time.Hour

func newTally(e *Emulation) *tally {
	address, _, _ := strings.Cut(e.URL, "?")
	return &tally{
		faults: e.Faults, signed: len(e.Signing) > 0,
		sum: EmulationReport{
			Provider: e.Provider, URL: address, Seed: e.Seed, Start: e.Start,
			Answers: make(map[string]int), Outcomes: make(map[string]int), Failures: make(map[string]int),
		},
		latencies: hdrhistogram.New(1, maxLatency.Microseconds(), 3),
	}
}

// sent counts a request as it goes out.
func (t *tally) sent(a *sentRequest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.sum
	s.Sent++
	s.Bytes += int64(a.bytes)
	switch {
	case a.copied:
		s.Duplicates++
	case a.attempt > 1:
		s.Retries++
	default:
		s.Deliveries++
		s.Events += len(a.delivery.Events)
		if a.reordered {
			s.Reordered++
		}
	}
	countIf(&s.BadSignatures, a.bad)
	countIf(&s.Skewed, t.signed && t.faults.Skew != 0)
	countIf(&s.Truncated, a.truncated)
	countIf(&s.Slow, a.slowed)
	countIf(&s.Oversized, a.oversized)
	countIf(&s.Rotated, t.faults.RotateAt > 0 && a.first >= t.faults.RotateAt)
}

func countIf(counter *int, is bool) {
	if is {
		*counter++
	}
}

// ended counts what came of a request.
func (t *tally) ended(a *sentRequest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.err != nil {
		t.sum.Failures[a.failure]++
		countIf(&t.sum.Unreached, a.unreached)
		if t.sum.Error == "" && a.failure != "broken_off" && a.failure != "interrupted" {
			t.sum.Error = a.err.Error()
		}
		return
	}
	if a.status < len(t.statuses) {
		t.statuses[a.status]++
	} else {
		t.sum.Answers[strconv.Itoa(a.status)]++
	}
	if a.outcome != "" {
		if _, known := t.sum.Outcomes[a.outcome]; known || len(t.sum.Outcomes) < 16 { // the receiver's word, so bounded
			t.sum.Outcomes[a.outcome]++
		}
	}
	if !a.slowed && !a.truncated {
		_ = t.latencies.RecordValue(min(a.took, maxLatency).Microseconds()) // in range
	}
}

// delivered counts a delivery that has had its last attempt.
func (t *tally) delivered(ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	countIf(&t.sum.Succeeded, ok)
	countIf(&t.sum.GivenUp, !ok)
}

// finish stops the watch.
func (t *tally) finish(now time.Time, interrupted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped, t.sum.Interrupted = now, interrupted
}

// report is a copy of what was counted until now.
func (t *tally) report(now time.Time) EmulationReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped.IsZero() {
		now = t.stopped
	}
	said := t.sum
	said.Seconds = now.Sub(t.began).Seconds()
	said.Answers, said.Outcomes, said.Failures = maps.Clone(said.Answers), maps.Clone(said.Outcomes), maps.Clone(said.Failures)
	for status, n := range t.statuses {
		if n > 0 {
			said.Answers[strconv.Itoa(status)] = n
		}
	}
	ms := func(us int64) float64 { return float64(us) / 1e3 }
	h := t.latencies
	if said.Latency.Count = h.TotalCount(); said.Latency.Count > 0 {
		said.Latency.Mean, said.Latency.Max = h.Mean()/1e3, ms(h.Max())
		said.Latency.P50, said.Latency.P90 = ms(h.ValueAtQuantile(50)), ms(h.ValueAtQuantile(90))
		said.Latency.P99, said.Latency.P999 = ms(h.ValueAtQuantile(99)), ms(h.ValueAtQuantile(99.9))
	}
	return said
}

// Reached tells whether there was any connection at all.
func (r *EmulationReport) Reached() bool { return r.Sent > r.Unreached }
