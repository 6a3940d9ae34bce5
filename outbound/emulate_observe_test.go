package outbound

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestEmulationObserved: what an observer is told of each request is what came in, and how it was answered.
func TestEmulationObserved(t *testing.T) {
	t.Parallel()
	r := record(t, func(w http.ResponseWriter, n int, _ seen) {
		if n <= 60 && n%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	var mu sync.Mutex
	told := make(map[[sha256.Size]byte]Exchange)
	answers := make(map[int]int)
	e := emulation(r.URL, func(e *Emulation) {
		e.Events, e.Concurrency, e.Attempts = 60, 4, 21 // one more than there are refusals
		e.Observe = func(x Exchange) {
			mu.Lock()
			defer mu.Unlock()
			told[sha256.Sum256(x.Body)] = x
			answers[x.Status]++
		}
	})
	report := mustRun(t, e, emulated())
	all := r.requests()
	if len(told) != len(all) || len(all) != report.Sent || answers[200] != 60 || answers[503] != report.Sent-60 || answers[503] == 0 {
		t.Fatalf("%d were told of, %d came in, answered %v; the report has %d", len(told), len(all), answers, report.Sent)
	}
	for _, s := range all {
		x, known := told[sha256.Sum256(s.raw)]
		if !known || x.Header.Get("X-Proof") != s.header.Get("X-Proof") || x.Attempt != s.body.Attempt || x.Target != "/hooks/in?team=a" || x.Answered.Before(x.At) {
			t.Fatalf("%+v came in, told was %+v", s, x)
		}
	}
}

// TestEmulationEnough: no new delivery is made then, and what waits for its next attempt gets it.
func TestEmulationEnough(t *testing.T) {
	t.Parallel()
	enough := make(chan struct{})
	r := record(t, func(w http.ResponseWriter, n int, _ seen) {
		if n == 20 {
			close(enough)
		}
		if n <= 20 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	e := emulation(r.URL, func(e *Emulation) {
		e.Events, e.Rate, e.Concurrency, e.Attempts, e.RetryWait = 1_000_000, 500, 8, 1000, 10*time.Millisecond
		e.Enough = enough
	})
	report := mustRun(t, e, emulated())
	if report.Interrupted || report.Deliveries == 0 || report.Deliveries > 40 || report.Succeeded != report.Deliveries {
		t.Errorf("%+v", report)
	}
}

// TestEmulationEntities: with few of them events are about the same things again, and each event is one of its own.
func TestEmulationEntities(t *testing.T) {
	t.Parallel()
	for _, name := range Providers() {
		p := providers()[name]
		if !p.entities {
			continue
		}
		r, err := Emulation{
			Provider: name, URL: "http://127.0.0.1:1/", Signers: emulatedSigners, Types: p.events[:1], Events: 12, Entities: 3, Seed: 7,
			Start: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Rate: 100,
		}.prepare(p)
		if err != nil {
			t.Fatal(err)
		}
		bodies, entities := make(map[string]bool), make(map[string]int)
		events, ids := rand.New(rand.NewPCG(7, 1)), rand.New(rand.NewPCG(7, 2))
		for n := range 12 {
			made, err := r.make(n, n, events, ids)
			if err != nil {
				t.Fatal(err)
			}
			_, body, err := p.write(r.sub, &made.delivery, 1)
			if err != nil {
				t.Fatal(err)
			}
			var of struct {
				Payload struct{ ID string }
				Entity  string `json:"entity_id"`
			}
			if err := json.Unmarshal(bytes.TrimSpace(body), &of); err != nil {
				t.Fatal(err)
			}
			bodies[string(body)] = true
			entities[of.Payload.ID+of.Entity]++
		}
		if len(bodies) != 12 || len(entities) != 3 {
			t.Errorf("%s: %d different bodies about %v", name, len(bodies), entities)
		}
	}
}
