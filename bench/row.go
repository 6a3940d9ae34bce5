//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// row is one thing that is measured, beside the others in every round.
type row struct {
	Name       string  `json:"name"`
	Title      string  `json:"title"`
	Durability string  `json:"durability"`
	Goal       float64 `json:"goal,omitempty"` // the least ratio to the bare handler

	scheme  string // how its deliveries are proved
	journal string // sqlite, least, or how the journal's Redis syncs: always, everysec
	traffic string // fresh, duplicates, forged
	half    bool   // also measured at half of its capacity, by the clock
}

const (
	synced   = "SQLite, WAL, synchronous=FULL: every commit is synced before its answers"
	always   = "Redis, appendfsync always: every write is synced before its answer"
	everysec = "Redis, appendfsync everysec: a crash of the machine loses up to two seconds"
	nothing  = "none: nothing is kept"
)

var bare = row{Name: "a", Title: "bare net/http handler: reads the body, checks the HMAC", Durability: nothing, scheme: "hub-signature", traffic: "fresh"}

var rows = []row{
	{Name: "b", Title: "Hookgate, journal on SQLite", Durability: synced, Goal: .55, scheme: "hub-signature", journal: "sqlite", traffic: "fresh", half: true},
	{Name: "b-least", Title: "the least of (b): a handler that checks the HMAC, commits id and body, and writes the stream", Durability: synced, scheme: "hub-signature", journal: "least", traffic: "fresh"},
	{Name: "c", Title: "Hookgate, journal on Redis", Durability: always, Goal: .65, scheme: "hub-signature", journal: "always", traffic: "fresh", half: true},
	{Name: "c-everysec", Title: "Hookgate, journal on Redis, synced every second", Durability: everysec, scheme: "hub-signature", journal: "everysec", traffic: "fresh"},
	{Name: "d-rsa", Title: "Hookgate, SalesIQ's RSA signature (2,048 bits)", Durability: synced, scheme: "siq-signature", journal: "sqlite", traffic: "fresh"},
	{Name: "d-bearer", Title: "Hookgate, bearer token (JWT, RS256, key in a file)", Durability: synced, scheme: "bearer", journal: "sqlite", traffic: "fresh"},
	{Name: "e", Title: "Hookgate, duplicates only", Durability: synced, Goal: .75, scheme: "hub-signature", journal: "sqlite", traffic: "duplicates"},
	{Name: "f", Title: "Hookgate, bad signatures only", Durability: nothing, Goal: .85, scheme: "hub-signature", journal: "sqlite", traffic: "forged"},
}

// distinct is how many events the duplicates are of.
const distinct = 10_000

// streamName is where the events of all rows go.
const streamName = "webhooks"

// sample is what one row gave in one round.
type sample struct {
	outcome  *outcome
	complete time.Duration // from the first request until the stream had everything
	tally    tally
	// Processor time from the first request until the stream had everything.
	serverCPU, journalCPU, queueCPU time.Duration
	allocations                     float64 // an event
	peak                            int64   // bytes resident
	ready                           time.Duration
	atHalf                          *sample // at half of the capacity, on a fresh journal
}

// setup is what all runs of a comparison share.
type setup struct {
	program     string // the gateway's binary
	dir         string // for journals; on the disk that is to be measured
	connections int
	providers   map[string]*provider // by scheme
	keys        *keys
	requests    map[string]requests // by scheme
}

// measureBare runs the ceiling.
func (s *setup) measureBare() (*sample, error) {
	p, err := startBare()
	if err != nil {
		return nil, err
	}
	defer p.stop()
	p.mark()
	o, err := fire(load{address: p.address, requests: s.requests[bare.scheme], connections: s.connections})
	if err != nil {
		return nil, err
	}
	if o.statuses[200] != o.sent {
		return nil, fmt.Errorf("answers by status: %v", o.statuses)
	}
	return &sample{outcome: o, complete: o.took, serverCPU: p.since(), peak: p.peakMemory(), ready: p.ready}, nil
}

// measure runs one row at capacity, and where it is wanted at half of that.
func (s *setup) measure(r row, dir string) (*sample, error) {
	full, err := s.once(r, filepath.Join(dir, r.Name), 0)
	if err != nil || !r.half {
		return full, err
	}
	full.atHalf, err = s.once(r, filepath.Join(dir, r.Name+"-half"), full.outcome.perSecond()/2)
	return full, err
}

// once runs a row on a journal and a stream of its own.
func (s *setup) once(r row, dir string, rate float64) (_ *sample, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		}
	}()
	queue, err := startRedis(filepath.Join(dir, "queue"), "")
	if err != nil {
		return nil, err
	}
	defer queue.stop()
	if r.journal == "least" {
		return s.least(r, filepath.Join(dir, "least.db"), queue)
	}
	journal := "sqlite://" + filepath.Join(dir, "hookgate.db")
	var store *process
	if r.journal != "sqlite" {
		if store, err = startRedis(filepath.Join(dir, "journal"), r.journal); err != nil {
			return nil, err
		}
		defer store.stop()
		journal = "redis://" + store.address + "/0"
	}
	if err := s.keys.save(dir); err != nil {
		return nil, err
	}
	p := s.providers[r.scheme]
	gate, err := startGateway(s.program, dir, fmt.Sprintf(`journal: {url: %q}
sources:
  - {name: bench, provider: %s, auth: [%s]}
destinations:
  - {name: events, type: redis-stream, url: "redis://%s/0", stream: %s}
`, journal, p.name, p.auth, queue.address, streamName))
	if err != nil {
		return nil, err
	}
	defer gate.stop()
	l := load{address: gate.address, requests: s.requests[r.scheme], connections: s.connections, rate: rate}
	acked := make([]bool, len(l.requests))
	switch r.traffic {
	case "forged":
		l.requests = l.requests.forge()
	case "duplicates":
		l.count, l.requests = len(l.requests), l.requests[:min(distinct, len(l.requests))]
		first, err := fire(load{address: l.address, requests: l.requests, connections: s.connections})
		if err != nil {
			return nil, err
		}
		acked = first.acked
	}
	return s.run(r, l, acked, gate, store, queue)
}

// least runs what stands in for the least gateway. Its entries are no envelopes, and so are only counted.
func (s *setup) least(r row, file string, queue *process) (*sample, error) {
	target := openStream(queue.address, streamName)
	defer target.close()
	p, err := startLeast(file, queue.address)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	p.mark()
	queue.mark()
	began := time.Now()
	o, err := fire(load{address: p.address, requests: s.requests[r.scheme], connections: s.connections})
	if err != nil {
		return nil, err
	}
	there, err := target.length(context.Background(), int64(o.sent))
	if err != nil {
		return nil, err
	}
	m := &sample{outcome: o, complete: time.Since(began), serverCPU: p.since(), queueCPU: queue.since(), peak: p.peakMemory(), ready: p.ready}
	m.tally = tally{Lost: o.sent - int(there), delivery: newHistogram()}
	return m, r.check(o)
}

// run fires the load, waits for the stream and holds it against the answers. acked are the events accepted before.
func (s *setup) run(r row, l load, acked []bool, gate *gateway, store, queue *process) (*sample, error) {
	ctx := context.Background()
	target := openStream(queue.address, streamName)
	defer target.close()
	if _, err := target.length(ctx, count(acked)); err != nil {
		return nil, err
	}
	made, err := gate.allocations()
	if err != nil {
		return nil, err
	}
	gate.mark()
	store.mark()
	queue.mark()
	began := time.Now()
	o, err := fire(l)
	if err != nil {
		return nil, err
	}
	for i, ok := range o.acked {
		acked[i] = acked[i] || ok
	}
	if _, err := target.length(ctx, count(acked)); err != nil {
		return nil, err
	}
	m := &sample{
		outcome: o, complete: time.Since(began), ready: gate.ready,
		serverCPU: gate.since(), journalCPU: store.since(), queueCPU: queue.since(), peak: gate.peakMemory(),
	}
	if m.allocations, err = made(o.sent); err != nil {
		return nil, err
	}
	if m.tally, err = target.audit(ctx, acked); err != nil {
		return nil, err
	}
	return m, r.check(o)
}

// check demands the answers that the row's traffic is about. What a gateway refuses for lack of room is told by the report.
func (r row) check(o *outcome) error {
	for status := range o.statuses {
		expected := status == 200 || status == 503
		if r.traffic == "forged" {
			expected = status == 401 || status == 429
		}
		if !expected {
			return fmt.Errorf("answers by status: %v", o.statuses)
		}
	}
	return nil
}

func count(acked []bool) (n int64) {
	for _, ok := range acked {
		if ok {
			n++
		}
	}
	return n
}
