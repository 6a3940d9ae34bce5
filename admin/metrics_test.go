package admin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

func snapshot() admin.Snapshot {
	return admin.Snapshot{
		JournalReady: true, LastSequence: 12, JournalBytes: 4096, JournalQueue: 3, JournalLost: 1, JournalParts: 9, SpillWaiting: 11, LogDropped: 2,
		Connections: 13, ConnectionsRefused: 14,
		Destinations: []admin.DestinationSnapshot{{Name: "events", Delivered: 10, Failed: 4, DeadLetters: 1, Parked: 2, Backlog: 5, InFlight: 6, Up: true}, {Name: "audit", BreakerOpen: true}},
		Outbound:     []admin.OutboundSnapshot{{Provider: "bird", Waiting: 7, Failed: 8}},
	}
}

// scrape reads the text format and gives every sample of our own metrics by its name and labels.
func scrape(t *testing.T, m *admin.Metrics) map[string]float64 {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("scraped %d %v: %s", rec.Code, rec.Header(), rec.Body)
	}
	text := rec.Body.String()
	problems, err := promlint.New(strings.NewReader(text)).Lint() // it parses the text first
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "hookgate_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	samples := make(map[string]float64)
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "hookgate_") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64)
		if err != nil {
			t.Fatal(err)
		}
		samples[line[:i]] = v
	}
	return samples
}

func TestMetrics_EveryOutcomeIsCounted(t *testing.T) {
	t.Parallel()
	event := func(quarantine string) *hookgate.Event { return &hookgate.Event{ID: "e", Quarantine: quarantine} }
	for name, c := range map[string]struct {
		report hookgate.Report
		want   map[string]float64
	}{
		"accepted": {
			hookgate.Report{Source: "care", Outcome: hookgate.Outcome{Kind: hookgate.Accepted, Events: []*hookgate.Event{event("")}, Results: []hookgate.Result{{Class: hookgate.First}}}},
			map[string]float64{`hookgate_requests_total{outcome="accepted",source="care"}`: 1, `hookgate_events_total{class="first",source="care"}`: 1},
		},
		"duplicate": {
			hookgate.Report{Source: "care", Outcome: hookgate.Outcome{Kind: hookgate.Duplicate, Events: []*hookgate.Event{event("")}, Results: []hookgate.Result{{Class: hookgate.Retry}}}},
			map[string]float64{`hookgate_requests_total{outcome="duplicate",source="care"}`: 1, `hookgate_events_total{class="retry",source="care"}`: 1},
		},
		"conflict": {
			hookgate.Report{Source: "care", Outcome: hookgate.Outcome{Kind: hookgate.Duplicate, Events: []*hookgate.Event{event("")}, Results: []hookgate.Result{{Class: hookgate.Replay, Conflict: true}}}},
			map[string]float64{
				`hookgate_requests_total{outcome="duplicate",source="care"}`: 1, `hookgate_events_total{class="replay",source="care"}`: 1,
				`hookgate_event_conflicts_total{source="care"}`: 1,
			},
		},
		"quarantined": {
			hookgate.Report{Source: "care", Outcome: hookgate.Outcome{Kind: hookgate.Quarantine, Events: []*hookgate.Event{event("no JSON")}, Results: []hookgate.Result{{Class: hookgate.First}}}},
			map[string]float64{`hookgate_requests_total{outcome="quarantined",source="care"}`: 1, `hookgate_events_quarantined_total{source="care"}`: 1},
		},
		"batch": {
			hookgate.Report{Source: "care", Outcome: hookgate.Outcome{Kind: hookgate.Accepted,
				Events:  []*hookgate.Event{event(""), event("no"), event(""), event("")},
				Results: []hookgate.Result{{Class: hookgate.First}, {}, {Class: hookgate.First}, {Class: hookgate.Late}}}},
			map[string]float64{
				`hookgate_requests_total{outcome="accepted",source="care"}`: 1, `hookgate_events_quarantined_total{source="care"}`: 1,
				`hookgate_events_total{class="first",source="care"}`: 2, `hookgate_events_total{class="late",source="care"}`: 1,
			},
		},
		"probe": {
			hookgate.Report{Source: "care", Outcome: hookgate.Outcome{Kind: hookgate.Probe}},
			map[string]float64{`hookgate_requests_total{outcome="probe",source="care"}`: 1},
		},
		"refused": {
			hookgate.Report{Source: "care", Err: hookgate.Refuse(hookgate.Mismatch, "no")},
			map[string]float64{`hookgate_requests_total{outcome="unauthenticated",source="care"}`: 1, `hookgate_authentication_failures_total{reason="mismatch",source="care"}`: 1},
		},
		"over the limit of strangers": {
			hookgate.Report{Source: "care", Err: &hookgate.Error{Code: hookgate.OverLimit, Reason: hookgate.HeaderMissing}},
			map[string]float64{`hookgate_requests_total{outcome="over_limit",source="care"}`: 1, `hookgate_authentication_failures_total{reason="header_missing",source="care"}`: 1},
		},
		"the journal is away": {
			hookgate.Report{Source: "care", Err: hookgate.Errorf(hookgate.Unavailable, "full")},
			map[string]float64{`hookgate_requests_total{outcome="unavailable",source="care"}`: 1},
		},
		"unknown source": {
			hookgate.Report{Err: hookgate.Errorf(hookgate.UnknownSource, "no source")},
			map[string]float64{`hookgate_requests_total{outcome="unknown_source",source="none"}`: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := admin.NewMetrics(func() admin.Snapshot { return admin.Snapshot{} }, nil)
			m.Observe(&c.report, 20*time.Millisecond)
			got := scrape(t, m)
			source := c.report.Source
			if source == "" {
				source = "none"
			}
			for series, n := range map[string]float64{"_count": 1, "_sum": 0.02} {
				series = fmt.Sprintf(`hookgate_request_duration_seconds%s{source=%q}`, series, source)
				if got[series] != n {
					t.Errorf("%s is %v, want %v", series, got[series], n)
				}
			}
			for series, n := range got {
				if strings.Contains(series, "_duration_") || !strings.Contains(series, "source=") {
					continue
				}
				if c.want[series] != n {
					t.Errorf("%s is %v, want %v", series, n, c.want[series])
				}
			}
			for series := range c.want {
				if _, ok := got[series]; !ok {
					t.Errorf("%s is not there", series)
				}
			}
		})
	}
}

// TestMetrics_TheSnapshotIsShown: every figure has a value of its own, so that no two can be mixed up.
func TestMetrics_TheSnapshotIsShown(t *testing.T) {
	t.Parallel()
	got := scrape(t, admin.NewMetrics(snapshot, nil))
	for series, want := range map[string]float64{
		"hookgate_journal_ready": 1, "hookgate_journal_last_sequence": 12, "hookgate_journal_bytes": 4096, "hookgate_journal_queue": 3,
		"hookgate_journal_missing": 1, "hookgate_journal_parts": 9, "hookgate_spilling": 0, "hookgate_spill_waiting": 11, "hookgate_log_lines_dropped_total": 2,
		"hookgate_connections": 13, "hookgate_connections_refused_total": 14,
		`hookgate_delivered_total{destination="events"}`: 10, `hookgate_delivery_failures_total{destination="events"}`: 4,
		`hookgate_dead_letters{destination="events"}`: 1, `hookgate_parked{destination="events"}`: 2, `hookgate_backlog{destination="events"}`: 5,
		`hookgate_breaker_open{destination="events"}`: 0, `hookgate_breaker_open{destination="audit"}`: 1,
		`hookgate_in_flight{destination="events"}`: 6, `hookgate_destination_up{destination="events"}`: 1, `hookgate_destination_up{destination="audit"}`: 0,
		`hookgate_outbound_waiting{provider="bird"}`: 7, `hookgate_outbound_failed{provider="bird"}`: 8,
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s is %v (there: %v), want %v", series, v, ok, want)
		}
	}
}

// TestL03_IDsAndPathsAreNoLabels: 20,000 different ids, types, paths, keys and reasons of quarantine leave the number of
// series where it was.
func TestL03_IDsAndPathsAreNoLabels(t *testing.T) {
	t.Parallel()
	m := admin.NewMetrics(snapshot, nil)
	observe := func(n int) {
		text := "x" + strconv.Itoa(n)
		events := []*hookgate.Event{{ID: text, Type: text, Tenant: text, EntityType: text, KeyID: text}, {ID: text, Quarantine: text}}
		m.Observe(&hookgate.Report{RequestID: text, Source: "care", Provider: text, Outcome: hookgate.Outcome{
			Kind: hookgate.Accepted, Verdict: hookgate.Verdict{{Scheme: text, KeyID: text}}, Events: events,
			Results: []hookgate.Result{{Class: hookgate.First, Seq: int64(n), Conflict: true}, {}},
		}}, time.Duration(n)*time.Microsecond)
		// H12: whoever asks for a path without a source hits one label for all.
		m.Observe(&hookgate.Report{RequestID: text, Err: hookgate.Errorf(hookgate.UnknownSource, "%s", text)}, time.Microsecond)
		m.Observe(&hookgate.Report{RequestID: text, Source: "care", Err: hookgate.Refuse(hookgate.Mismatch, "%s", text)}, time.Microsecond)
	}
	observe(0)
	before := len(scrape(t, m))
	for n := range 20_000 {
		observe(n + 1)
	}
	if after := len(scrape(t, m)); after != before {
		t.Errorf("%d series have become %d", before, after)
	}
}

// TestS11_EveryKeyIsCounted: an operator who exchanges keys sees which of them the provider still uses.
func TestS11_EveryKeyIsCounted(t *testing.T) {
	t.Parallel()
	var first []string
	m := admin.NewMetrics(snapshot, func(source string, p hookgate.Proof) { first = append(first, source+" "+p.Scheme+" "+p.KeyID) })
	m.Expect(&hookgate.Source{Name: "care", Keys: []hookgate.Proof{{Scheme: "hub-signature", KeyID: "env:OLD"}, {Scheme: "hub-signature", KeyID: "env:NEW"}, {Scheme: "bearer", KeyID: admin.OtherKey}}})
	m.Expect(&hookgate.Source{Name: "chat", Keys: []hookgate.Proof{{Scheme: "hub-signature", KeyID: "env:OLD"}}})
	observe := func(source string, verdict ...hookgate.Proof) {
		m.Observe(&hookgate.Report{Source: source, Outcome: hookgate.Outcome{Kind: hookgate.Accepted, Verdict: verdict}}, time.Millisecond)
	}
	began := float64(time.Now().Unix())
	for range 2 {
		observe("care", hookgate.Proof{Scheme: "hub-signature", KeyID: "env:OLD"}, hookgate.Proof{Scheme: "bearer", KeyID: "kid-1"})
	}
	observe("care", hookgate.Proof{Scheme: "bearer", KeyID: "kid-2"})
	observe("care", hookgate.Proof{Scheme: "hub-signature", KeyID: "unheard of"})
	m.Expect(&hookgate.Source{Name: "care", Keys: []hookgate.Proof{{Scheme: "hub-signature", KeyID: "env:OLD"}}}) // a reload forgets nothing
	got := scrape(t, m)
	series := func(name, source, scheme, key string) float64 {
		v, ok := got[fmt.Sprintf(`%s{key=%q,scheme=%q,source=%q}`, name, key, scheme, source)]
		if !ok {
			t.Errorf("%s of %s at %s is not there", name, key, source)
		}
		return v
	}
	for _, c := range []struct {
		source, scheme, key string
		proofs              float64
	}{
		{"care", "hub-signature", "env:OLD", 2},
		{"care", "hub-signature", "env:NEW", 0},
		{"care", "bearer", admin.OtherKey, 3},
		{"chat", "hub-signature", "env:OLD", 0},
	} {
		if n := series("hookgate_key_proofs_total", c.source, c.scheme, c.key); n != c.proofs {
			t.Errorf("%s of %s proved %v, want %v", c.key, c.source, n, c.proofs)
		}
		if last := series("hookgate_key_last_proof_timestamp_seconds", c.source, c.scheme, c.key); (last >= began) != (c.proofs > 0) {
			t.Errorf("%s of %s proved last at %v", c.key, c.source, last)
		}
	}
	if want := []string{"care hub-signature env:OLD", "care bearer kid-1"}; !slices.Equal(first, want) {
		t.Errorf("told of %q, want %q", first, want)
	}
}
