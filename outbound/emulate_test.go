package outbound

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// emulated is a provider that signs body and time and counts its attempts in the body.
func emulated() provider {
	return provider{
		timeout: 5 * time.Second,
		success: func(status int) bool { return status == http.StatusOK },
		schemes: []string{"hmac", "other", "basic"},
		events:  []string{"case.create", "case.update", "channels.*.inbound"},
		sample: func(rng *rand.Rand, native string, at time.Time) Event {
			return Event{Type: native, Time: at, Payload: fmt.Appendf(nil, `{"id":"%016x","at":%d}`, rng.Uint64(), at.UnixMicro())}
		},
		complete: func(e *Event, _ time.Time) error {
			e.Account = "acme"
			return nil
		},
		check: func(s *Subscription, ps *hookgate.Problems) {
			ps.Add("url", "", "is no matter here")
			if bytes.Contains(s.Settings, []byte("colour")) {
				ps.Add("settings.colour", "leave it out", "is unknown")
			}
		},
		write: func(s *Subscription, d *Delivery, attempt int) (http.Header, []byte, error) {
			body, err := json.Marshal(emulatedBody{d.ID, int(d.Seq), attempt, d.Events})
			return http.Header{"Content-Type": {"application/json"}, "X-Subscription": {s.ID}}, body, err
		},
	}
}

type emulatedBody struct {
	ID      string
	Number  int
	Attempt int
	Events  []Event
}

// timedHMAC is a Signer with a time, and another header for another scheme.
type timedHMAC struct{ header, key string }

func (s timedHMAC) proof(at string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(s.key))
	mac.Write([]byte(at))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

func (s timedHMAC) Sign(req *hookgate.Request, now time.Time) error {
	at := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set(s.header, s.proof(at, req.Body))
	req.Header.Set("X-Time", at)
	return nil
}

func emulatedSigners(entry hookgate.AuthSettings, private hookgate.Secret) (Signer, error) {
	var ps hookgate.Problems
	if len(entry.Secrets) == 0 {
		ps.Add("secrets[0]", "", "is needed")
		return nil, ps
	}
	return timedHMAC{"X-Proof", string(entry.Secrets[0].Reveal())}, nil
}

func signedBy(key string) []Signing {
	return []Signing{{AuthSettings: hookgate.AuthSettings{Scheme: "hmac", Secrets: []hookgate.Secret{hookgate.NewSecret([]byte(key), "env:KEY")}}}}
}

// seen is one request as it came in.
type seen struct {
	header http.Header
	raw    []byte // of the body
	body   emulatedBody
	cut    bool // the body ended too early
}

// recorder answers and remembers in the order of the requests' ends.
type recorder struct {
	*httptest.Server
	mu  sync.Mutex
	all []seen
}

// record starts a receiver; answer may be nil for 200 to everything, and is called with the number of the request from 1.
func record(t *testing.T, answer func(w http.ResponseWriter, n int, s seen)) *recorder {
	t.Helper()
	r := new(recorder)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		raw, err := io.ReadAll(req.Body)
		s := seen{header: req.Header.Clone(), raw: raw, cut: err != nil}
		_ = json.Unmarshal(raw, &s.body)
		r.mu.Lock()
		r.all = append(r.all, s)
		n := len(r.all)
		r.mu.Unlock()
		if answer != nil {
			answer(w, n, s)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) requests() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// await gives the requests once there are n: a sender that broke off does not wait for the receiver to notice.
func (r *recorder) await(t *testing.T, n int) []seen {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if all := r.requests(); len(all) >= n {
			return all
		}
		select {
		case <-deadline:
			t.Fatalf("%d of %d requests came in", len(r.requests()), n)
		case <-time.After(time.Millisecond):
		}
	}
}

func emulation(url string, change func(*Emulation)) Emulation {
	e := Emulation{
		Provider: "emulated", URL: url + "/hooks/in?team=a", Signing: signedBy("first"), Signers: emulatedSigners,
		Events: 300, Concurrency: 1, Seed: 7, Start: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		RetryWait: time.Microsecond,
	}
	if change != nil {
		change(&e)
	}
	return e
}

func mustRun(t *testing.T, e Emulation, p provider) EmulationReport {
	t.Helper()
	report, err := e.run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestEmulationFaults: what a receiver counts is what the report says, fault by fault.
func TestEmulationFaults(t *testing.T) {
	t.Parallel()
	r := record(t, nil)
	report := mustRun(t, emulation(r.URL, func(e *Emulation) {
		e.Next = signedBy("second")
		e.Faults = Faults{
			Duplicate: .1, Reorder: .1, BadSignature: .1, Truncate: .1, Slow: .05, Oversized: .05,
			RotateAt: 101, Oversize: 8192, Trickle: time.Millisecond,
		}
	}), emulated())
	var broken, oversized, bad, rotated, reordered, duplicates int
	furthest := 0
	first := make(map[string]seen)
	keys := map[bool]timedHMAC{false: {"X-Proof", "first"}, true: {"X-Proof", "second"}}
	numbers := make(map[int]bool)
	for _, s := range r.await(t, report.Sent) {
		if s.cut {
			broken++
			continue
		}
		if len(s.raw) == 8192 {
			oversized++
		}
		key := keys[s.body.Number >= 101]
		if s.body.Number >= 101 {
			rotated++
		}
		if s.header.Get("X-Proof") != key.proof(s.header.Get("X-Time"), s.raw) {
			bad++
		}
		numbers[s.body.Number] = true
		before, again := first[s.body.ID]
		first[s.body.ID] = s
		switch {
		case again:
			duplicates++
			if !bytes.Equal(before.raw, s.raw) || !maps.EqualFunc(before.header, s.header, slices.Equal) {
				t.Errorf("the copy of %d is not the same", s.body.Number)
			}
			continue
		case s.body.Number < furthest:
			reordered++
		}
		furthest = max(furthest, s.body.Number)
	}
	if got := len(r.requests()); got != report.Sent || report.Sent != 300+report.Duplicates || report.Deliveries != 300 || report.Events != 300 {
		t.Errorf("%d requests came in, the report says %+v", got, report)
	}
	if broken != report.Truncated || broken != report.Failures["broken_off"] || broken == 0 || report.Answers["200"] != report.Sent-broken {
		t.Errorf("%d were broken off, the report says %d, %v, %v", broken, report.Truncated, report.Failures, report.Answers)
	}
	// What was broken off cannot be read here; its copies come as if they were the first.
	for name, c := range map[string]struct{ got, said, cut int }{
		"duplicates": {duplicates, report.Duplicates, broken}, "reordered": {reordered, report.Reordered, broken},
		"bad signatures": {bad, report.BadSignatures, broken}, "oversized": {oversized, report.Oversized, broken},
		"rotated": {rotated, report.Rotated, broken},
	} {
		if c.said == 0 || c.got > c.said+c.cut || c.got < c.said-c.cut {
			t.Errorf("%s: %d came in, the report says %d", name, c.got, c.said)
		}
	}
	if report.Slow == 0 || report.Latency.Count != int64(report.Sent-report.Truncated-report.Slow) {
		t.Errorf("%d slow ones, %d latencies of %d", report.Slow, report.Latency.Count, report.Sent)
	}
}

// TestEmulationOneFault: without others beside it each fault is counted to the unit, and the rest of the report is zero.
func TestEmulationOneFault(t *testing.T) {
	t.Parallel()
	key := timedHMAC{"X-Proof", "first"}
	for name, c := range map[string]struct {
		faults Faults
		said   func(r *EmulationReport) *int
		is     func(s seen, before []seen) bool
	}{
		"duplicate": {Faults{Duplicate: .1}, func(r *EmulationReport) *int { return &r.Duplicates }, func(s seen, before []seen) bool {
			return slices.ContainsFunc(before, func(b seen) bool { return bytes.Equal(b.raw, s.raw) })
		}},
		"reorder": {Faults{Reorder: .1}, func(r *EmulationReport) *int { return &r.Reordered }, func(s seen, before []seen) bool {
			return slices.ContainsFunc(before, func(b seen) bool { return b.body.Number > s.body.Number })
		}},
		"bad signature": {Faults{BadSignature: .1}, func(r *EmulationReport) *int { return &r.BadSignatures }, func(s seen, _ []seen) bool {
			return s.header.Get("X-Proof") != key.proof(s.header.Get("X-Time"), s.raw)
		}},
		"truncate":  {Faults{Truncate: .1}, func(r *EmulationReport) *int { return &r.Truncated }, func(s seen, _ []seen) bool { return s.cut }},
		"oversized": {Faults{Oversized: .1, Oversize: 5000}, func(r *EmulationReport) *int { return &r.Oversized }, func(s seen, _ []seen) bool { return len(s.raw) == 5000 }},
		"rotate": {Faults{RotateAt: 101}, func(r *EmulationReport) *int { return &r.Rotated }, func(s seen, _ []seen) bool {
			return s.body.Number >= 101 && s.header.Get("X-Proof") == timedHMAC{"X-Proof", "second"}.proof(s.header.Get("X-Time"), s.raw)
		}},
		"skew": {Faults{Skew: -10 * time.Minute}, func(r *EmulationReport) *int { return &r.Skewed }, func(s seen, _ []seen) bool {
			return s.header.Get("X-Time") == strconv.FormatInt(time.Date(2026, 3, 1, 11, 50, 0, 0, time.UTC).Unix(), 10)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, nil)
			report := mustRun(t, emulation(r.URL, func(e *Emulation) {
				if e.Faults = c.faults; c.faults.RotateAt > 0 {
					e.Next = signedBy("second")
				}
			}), emulated())
			count := 0
			all := r.await(t, report.Sent)
			for i, s := range all {
				if c.is(s, all[:i]) {
					count++
				}
			}
			said := c.said(&report)
			if count == 0 || count != *said {
				t.Errorf("%d came in, the report says %d", count, *said)
			}
			sum := 0
			for _, n := range []int{report.Duplicates, report.Reordered, report.BadSignatures, report.Truncated, report.Oversized, report.Skewed, report.Slow, report.Rotated, report.Retries} {
				sum += n
			}
			if sum != *said {
				t.Errorf("other faults are counted: %+v", report)
			}
			if report.GivenUp != report.Truncated || report.Succeeded != 300-report.Truncated {
				t.Errorf("of 300 deliveries %d succeeded and %d were given up, %d truncated", report.Succeeded, report.GivenUp, report.Truncated)
			}
		})
	}
}

// TestEmulationRepeats: the same seed and start are the same requests in the same order, faults included; faults leave the
// events as they are; another seed is other events.
func TestEmulationRepeats(t *testing.T) {
	t.Parallel()
	var cut []string // of the last run
	run := func(change func(*Emulation)) []string {
		r := record(t, nil)
		report := mustRun(t, emulation(r.URL, change), emulated())
		var all []string
		cut = nil
		for _, s := range r.await(t, report.Sent) {
			if s.cut {
				cut = append(cut, fmt.Sprint(s.header, string(s.raw)))
			} else {
				all = append(all, fmt.Sprint(s.header, string(s.raw)))
			}
		}
		slices.Sort(cut)
		return all
	}
	faulty := func(e *Emulation) {
		e.Faults = Faults{Duplicate: .1, Reorder: .1, BadSignature: .1, Truncate: .05, Slow: .05, Trickle: time.Millisecond}
	}
	once, onceCut := run(faulty), cut
	if twice := run(faulty); !slices.Equal(once, twice) || !slices.Equal(onceCut, cut) || len(cut) == 0 {
		t.Errorf("the second run differs from the first; %d and %d requests were cut", len(onceCut), len(cut))
	}
	plain := run(nil)
	shuffled := run(func(e *Emulation) { e.Faults = Faults{Reorder: .5} })
	if slices.Equal(plain, shuffled) {
		t.Error("nothing was reordered")
	}
	if !slices.Equal(slices.Sorted(slices.Values(plain)), slices.Sorted(slices.Values(shuffled))) {
		t.Error("reordering changed the events")
	}
	if slices.Equal(plain, run(func(e *Emulation) { e.Seed = 8 })) {
		t.Error("another seed makes the same events")
	}
	several := run(func(e *Emulation) { e.Concurrency = 8 })
	if !slices.Equal(slices.Sorted(slices.Values(plain)), slices.Sorted(slices.Values(several))) {
		t.Error("with a concurrency of 8 other requests are sent")
	}
}

// TestEmulationProviders: every provider's requests can be repeated, its bodies differ from each other, and batches are as
// large as it sends them.
func TestEmulationProviders(t *testing.T) {
	t.Parallel()
	for _, name := range Providers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func() (all []string) {
				r := record(t, nil)
				e := emulation(r.URL, func(e *Emulation) { e.Provider, e.Signing, e.PublicURL = name, nil, "https://hooks.example.com" })
				report, err := e.Run(t.Context())
				if err != nil || report.Succeeded != report.Deliveries || report.Events != 300 {
					t.Fatalf("%+v, %v", report, err)
				}
				for _, s := range r.requests() {
					all = append(all, fmt.Sprint(s.header, string(s.raw)))
				}
				return all
			}
			once := run()
			if !slices.Equal(once, run()) {
				t.Error("the second run differs from the first")
			}
			batch := max(1, providers()[name].batch)
			if want := (300 + batch - 1) / batch; len(once) != want {
				t.Errorf("%d requests, want %d", len(once), want)
			}
			slices.Sort(once)
			if n := len(slices.Compact(once)); n != (300+batch-1)/batch {
				t.Errorf("only %d of the requests differ", n)
			}
		})
	}
}

// TestEmulationCopies: a copy is what was sent before, though time has passed and signing goes by the clock.
func TestEmulationCopies(t *testing.T) {
	t.Parallel()
	clock := &jumpClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	r := record(t, func(http.ResponseWriter, int, seen) { clock.After(time.Minute) })
	report := mustRun(t, emulation(r.URL, func(e *Emulation) {
		e.Events, e.Clock, e.Start, e.Faults.Duplicate = 50, clock, time.Time{}, 1
	}), emulated())
	times := make(map[int][]string)
	for _, s := range r.requests() {
		times[s.body.Number] = append(times[s.body.Number], s.header.Get("X-Time"))
	}
	signed := make(map[string]bool)
	for n, at := range times {
		if len(at) != 2 || at[0] != at[1] {
			t.Errorf("%d was signed at %v", n, at)
		}
		signed[at[0]] = true
	}
	if len(times) != 50 || len(signed) != 50 || report.Duplicates != 50 {
		t.Errorf("%d deliveries were signed at %d times, %+v", len(times), len(signed), report)
	}
}

// TestEmulationRetries: a delivery that fails is sent again, with the attempt in the body, or as it was where the provider
// freezes it.
func TestEmulationRetries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		frozen      bool
		concurrency int
		attempts    int
	}{
		"counting": {false, 1, 3}, "frozen": {true, 1, 3}, "beside each other": {false, 8, 3}, "given up": {false, 4, 2}, "once": {false, 4, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			failed := make(map[int]int)
			r := record(t, func(w http.ResponseWriter, _ int, s seen) {
				mu.Lock()
				defer mu.Unlock()
				if failed[s.body.Number]++; failed[s.body.Number] < 3 {
					w.WriteHeader(http.StatusAccepted) // no success for this provider
				}
			})
			p := emulated()
			p.frozen = c.frozen
			report := mustRun(t, emulation(r.URL, func(e *Emulation) { e.Events, e.Attempts, e.Concurrency = 40, c.attempts, c.concurrency }), p)
			delivered := 0
			if c.attempts == 3 {
				delivered = 40
			}
			if report.Succeeded != delivered || report.GivenUp != 40-delivered || report.Retries != 40*(c.attempts-1) || report.Sent != 40*c.attempts {
				t.Errorf("%+v", report)
			}
			attempts := make(map[int][]int)
			bodies := make(map[int]map[string]bool)
			for _, s := range r.requests() {
				n := s.body.Number
				attempts[n] = append(attempts[n], s.body.Attempt)
				if bodies[n] == nil {
					bodies[n] = make(map[string]bool)
				}
				bodies[n][string(s.raw)+s.header.Get("X-Proof")] = true
				if s.header.Get("X-Proof") != (timedHMAC{"X-Proof", "first"}).proof(s.header.Get("X-Time"), s.raw) {
					t.Errorf("attempt %d of %d is not signed for itself", s.body.Attempt, n)
				}
			}
			for n, got := range attempts {
				want := []int{1, 2, 3}[:c.attempts]
				if c.frozen {
					want = []int{1, 1, 1}
					if len(bodies[n]) != 1 {
						t.Errorf("the attempts of %d differ", n)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("attempts of %d: %v, want %v", n, got, want)
				}
			}
		})
	}
}

// jumpClock jumps to whatever is waited for.
type jumpClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *jumpClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *jumpClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	fired := make(chan time.Time, 1)
	fired <- c.now
	return fired
}

// TestEmulationSchedule: with a rate every request has its place in time, and events happen then.
func TestEmulationSchedule(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := &jumpClock{now: begin}
	var at []time.Duration
	r := record(t, func(_ http.ResponseWriter, _ int, s seen) { at = append(at, clock.Now().Sub(begin)) })
	report := mustRun(t, emulation(r.URL, func(e *Emulation) {
		e.Events, e.Rate, e.Clock, e.Start = 50, 4, clock, time.Time{}
		e.Faults.Duplicate = .2
	}), emulated())
	if want := float64(report.Sent-1) / 4; report.Seconds != want || report.Duplicates == 0 || !report.Start.Equal(begin) {
		t.Errorf("%+v took %v s, want %v", report, report.Seconds, want)
	}
	for i, got := range at {
		if want := time.Duration(i) * 250 * time.Millisecond; got != want {
			t.Fatalf("request %d was sent after %s, want %s", i+1, got, want)
		}
	}
	for _, s := range r.requests() {
		if want := begin.Add(time.Duration(s.body.Number-1) * 250 * time.Millisecond); !s.body.Events[0].Time.Equal(want) {
			t.Fatalf("event %d happened at %s, want %s", s.body.Number, s.body.Events[0].Time, want)
		}
	}
	for n, rate := range map[int]float64{0: 3, 1: 3, 7: .5, 1_000_000: 20_000} {
		if got, want := slotOffset(n, rate).Seconds(), float64(n)/rate; math.Abs(got-want) > 1e-6 {
			t.Errorf("request %d at %v/s is due after %v s, want %v", n, rate, got, want)
		}
	}
}

// TestEmulationStall: requests that a stalled receiver delays show the whole delay, not only the first of them.
func TestEmulationStall(t *testing.T) {
	t.Parallel()
	clock := &jumpClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	r := record(t, func(_ http.ResponseWriter, n int, _ seen) {
		if n == 5 {
			clock.After(10 * time.Second)
		}
	})
	report := mustRun(t, emulation(r.URL, func(e *Emulation) { e.Events, e.Rate, e.Clock = 20, 1, clock }), emulated())
	// Ten seconds for the fifth, nine for the next, and so on down to none: 55 s over 20 requests.
	if got := report.Latency; got.Count != 20 || math.Abs(got.Max-10_000) > 10 || math.Abs(got.Mean-55_000/20) > 20 || got.P50 > 1 || got.P90 < 7_900 {
		t.Errorf("%+v", got)
	}
	if report.Seconds != 19 {
		t.Errorf("took %v s", report.Seconds)
	}
}

// lockstep lets a trickling body go on only when the receiver asks for more.
type lockstep chan time.Time

func (lockstep) Now() time.Time                         { return time.Unix(1_772_000_000, 0) }
func (l lockstep) After(time.Duration) <-chan time.Time { return l }

// TestEmulationSlow: a slow body is whole and comes in ten parts.
func TestEmulationSlow(t *testing.T) {
	t.Parallel()
	clock := make(lockstep)
	var bodies [][]byte
	reads := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := make([]byte, 0, req.ContentLength)
		for int64(len(body)) < req.ContentLength {
			clock <- time.Time{}
			n, err := req.Body.Read(body[len(body):cap(body)])
			body = body[:len(body)+n]
			if reads++; err != nil && !errors.Is(err, io.EOF) {
				break
			}
		}
		bodies = append(bodies, body)
	}))
	defer s.Close()
	report := mustRun(t, emulation(s.URL, func(e *Emulation) { e.Events, e.Clock, e.Faults.Slow = 5, clock, 1 }), emulated())
	if report.Slow != 5 || report.Answers["200"] != 5 || reads != 5*trickleParts || report.Latency.Count != 0 {
		t.Errorf("%d reads, %+v", reads, report)
	}
	for _, b := range bodies {
		if !json.Valid(b) {
			t.Errorf("%q came in", b)
		}
	}
}

// TestEmulationBatches: a provider that sends several events in a request does so here.
func TestEmulationBatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ provider, asked, want int }{"its own": {40, 0, 40}, "smaller": {40, 10, 10}, "single": {0, 10, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, nil)
			p := emulated()
			p.batch = c.provider
			report := mustRun(t, emulation(r.URL, func(e *Emulation) { e.Events, e.Batch = 95, c.asked }), p)
			events := 0
			for _, s := range r.requests() {
				if len(s.body.Events) > c.want {
					t.Errorf("%d events in a request", len(s.body.Events))
				}
				events += len(s.body.Events)
			}
			if want := (95 + c.want - 1) / c.want; report.Events != 95 || events != 95 || report.Deliveries != want || len(r.requests()) != want {
				t.Errorf("%d events came in, %+v", events, report)
			}
		})
	}
}

// TestEmulationEnds: the end of the context ends the run early, and the report says what was done.
func TestEmulationEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := record(t, func(w http.ResponseWriter, n int, _ seen) {
		if n == 50 {
			cancel()
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	e := emulation(r.URL, func(e *Emulation) { e.Events, e.Concurrency, e.Attempts, e.RetryWait = 1_000_000, 4, 5, time.Hour })
	report, err := e.run(ctx, emulated())
	if err != nil || !report.Interrupted || report.Sent < 50 || report.Sent > 60 || report.Answers["500"] < 50 {
		t.Errorf("%+v, %v", report, err)
	}
	if got := len(r.requests()); got != report.Sent {
		t.Errorf("%d requests came in, %d are counted", got, report.Sent)
	}
}

// TestEmulationProgress tells the state while the run goes on.
func TestEmulationProgress(t *testing.T) {
	t.Parallel()
	told := make(chan EmulationReport, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	r := record(t, func(http.ResponseWriter, int, seen) {
		<-told // each answer waits for news
	})
	e := emulation(r.URL, func(e *Emulation) {
		e.Events, e.Clock = 3, new(jumpClock)
		e.Progress = func(r EmulationReport) {
			select {
			case told <- r:
			default:
			}
		}
	})
	report, err := e.run(ctx, emulated())
	cancel()
	if err != nil || report.Sent != 3 || report.Interrupted {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestEmulationFailures sorts the reasons for which there is no answer.
func TestEmulationFailures(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	closing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		panic(http.ErrAbortHandler)
	}))
	defer closing.Close()
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		<-req.Context().Done()
	}))
	defer silent.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for name, c := range map[string]struct {
		url       string
		kinds     []string
		unreached int
	}{
		"refused":    {gone.URL, []string{"refused"}, 3},
		"closed":     {closing.URL, []string{"closed", "reset"}, 0},
		"timeout":    {silent.URL, []string{"timeout"}, 0},
		"tls":        {secure.URL, []string{"tls"}, 3},
		"no address": {"http://nowhere.invalid", []string{"no_address"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			report := mustRun(t, emulation(c.url, func(e *Emulation) { e.Events, e.Timeout = 3, 500*time.Millisecond }), emulated())
			sum := 0
			for kind, n := range report.Failures {
				if !slices.Contains(c.kinds, kind) {
					t.Errorf("%v: %s", report.Failures, report.Error)
				}
				sum += n
			}
			if sum != 3 || report.Unreached != c.unreached || report.Error == "" || len(report.Answers) > 0 || report.GivenUp != 3 || report.Reached() != (c.unreached == 0) {
				t.Errorf("%+v", report)
			}
		})
	}
}

// TestEmulationWire: the request has what the provider sends and nothing of ours, names in its case, and a redirect is an
// answer like any other.
func TestEmulationWire(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lines := make(chan []string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		var got []string
		for {
			line, err := in.ReadString('\n')
			if line = strings.TrimSpace(line); err != nil || line == "" {
				break
			}
			name, _, _ := strings.Cut(line, ":")
			got = append(got, name)
		}
		lines <- got
		_, _ = io.WriteString(conn, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nHookgate-Outcome: accepted\r\nConnection: close\r\n\r\n")
		_, _ = io.Copy(io.Discard, in)
	}()
	p := emulated()
	p.lowerHeaders = true
	report := mustRun(t, emulation("http://"+l.Addr().String(), func(e *Emulation) { e.Events = 1 }), p)
	got := <-lines
	slices.Sort(got)
	if want := []string{"Content-Length", "Host", "POST /hooks/in?team=a HTTP/1.1", "content-type", "x-proof", "x-subscription", "x-time"}; !slices.Equal(got, want) {
		t.Errorf("came in: %v, want %v", got, want)
	}
	if report.Answers["302"] != 1 || report.Sent != 1 || report.Outcomes["accepted"] != 1 || report.GivenUp != 1 {
		t.Errorf("%+v", report)
	}
}

// TestEmulationSettings: what is wrong is named by its flag, with the way out, and nothing is sent.
func TestEmulationSettings(t *testing.T) {
	t.Parallel()
	r := record(t, nil)
	for name, c := range map[string]struct {
		change func(*Emulation)
		says   []string
	}{
		"no address":       {func(e *Emulation) { e.URL = "" }, []string{"to: the address to deliver to is missing"}},
		"no scheme":        {func(e *Emulation) { e.URL = "127.0.0.1:80/x" }, []string{"to: is not an http"}},
		"password":         {func(e *Emulation) { e.URL = "http://a:b@x/" }, []string{"to: holds a user or a password; use --scheme basic"}},
		"fragment":         {func(e *Emulation) { e.URL = "http://x/#y" }, []string{"to: has a fragment"}},
		"public address":   {func(e *Emulation) { e.PublicURL = "hooks" }, []string{"public-url: is not an http"}},
		"event":            {func(e *Emulation) { e.Types = []string{"case.craete"} }, []string{`type: emulated has no event "case.craete"; did you mean case.create, `}},
		"event of a glob":  {func(e *Emulation) { e.Types = []string{"channels..inbound"} }, []string{"type: "}},
		"no events":        {func(e *Emulation) { e.Events = 0 }, []string{"events: "}},
		"rate":             {func(e *Emulation) { e.Rate = -1 }, []string{"rate: "}},
		"rate that is odd": {func(e *Emulation) { e.Rate = math.NaN() }, []string{"rate: "}},
		"concurrency":      {func(e *Emulation) { e.Concurrency = 1_000_000 }, []string{"concurrency: "}},
		"attempts":         {func(e *Emulation) { e.Attempts = -1 }, []string{"attempts: "}},
		"waits":            {func(e *Emulation) { e.RetryWait, e.Timeout = -1, -1 }, []string{"retry-wait: ", "timeout: "}},
		"shares":           {func(e *Emulation) { e.Faults = Faults{Duplicate: 1.1, Slow: -.1, Truncate: math.NaN()} }, []string{"duplicate: ", "slow: ", "truncate: "}},
		"scheme":           {func(e *Emulation) { e.Signing[0].Scheme = "siq" }, []string{`scheme: emulated does not use "siq"; it knows hmac, other`}},
		"secret":           {func(e *Emulation) { e.Signing = []Signing{{AuthSettings: hookgate.AuthSettings{Scheme: "hmac"}}} }, []string{"secret: is needed"}},
		"next secret": {func(e *Emulation) {
			e.Next, e.Faults.RotateAt = []Signing{{AuthSettings: hookgate.AuthSettings{Scheme: "hmac"}}}, 5
		}, []string{"next-secret: is needed"}},
		"one header":       {func(e *Emulation) { e.Signing = append(e.Signing, signedBy("b")...) }, []string{"scheme: hmac and hmac both set the header X-"}},
		"nothing to spoil": {func(e *Emulation) { e.Signing, e.Faults.BadSignature = nil, .1 }, []string{"bad-signature: there is no proof"}},
		"nothing to turn":  {func(e *Emulation) { e.Faults.RotateAt = 5 }, []string{"rotate-at: there is nothing to change to; give --next-secret"}},
		"no turn":          {func(e *Emulation) { e.Next = signedBy("b") }, []string{"rotate-at: a next secret is given"}},
		"no object":        {func(e *Emulation) { e.Settings = []byte("[1]") }, []string{"settings: is no JSON object"}},
		"unknown setting":  {func(e *Emulation) { e.Settings = []byte(`{"colour":1}`) }, []string{"settings: colour: is unknown; leave it out"}},
		"several":          {func(e *Emulation) { e.URL, e.Events = "", 0 }, []string{"to: ", "events: "}},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := emulation(r.URL, c.change).run(t.Context(), emulated())
			var ps hookgate.Problems
			if !errors.As(err, &ps) || report.Sent > 0 {
				t.Fatalf("%+v, %v", report, err)
			}
			for _, what := range c.says {
				if !strings.Contains("\n"+err.Error(), "\n"+what) {
					t.Errorf("%v, want %q", err, what)
				}
			}
			if c.says[0] != "scheme: hmac and hmac both set the header X-" && len(ps) != len(c.says) {
				t.Errorf("%d problems: %v", len(ps), err)
			}
		})
	}
	_, err := Emulation{Provider: "sprinkler"}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "provider: there is no provider \"sprinkler\"; did you mean sprinklr?") {
		t.Errorf("unknown provider: %v", err)
	}
	if n := len(r.requests()); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
	if _, err := emulation(r.URL, func(e *Emulation) { e.Types, e.Events = []string{"channels.rcs.inbound"}, 1 }).run(t.Context(), emulated()); err != nil {
		t.Errorf("an event that a glob of the taxonomy covers: %v", err)
	}
}

// TestEmulationPublicURL: the address that is signed is the registered one; without a path it has that of the receiver.
func TestEmulationPublicURL(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{
		"":                                    " /hooks/in?team=a",
		"https://hooks.example.com":           "https://hooks.example.com /hooks/in?team=a",
		"https://hooks.example.com/other?a=b": "https://hooks.example.com /other?a=b",
	} {
		r := record(t, nil)
		if public == "" {
			want = r.URL + want
		}
		e := emulation(r.URL, func(e *Emulation) {
			e.Events, e.PublicURL = 1, public
			e.Signers = func(entry hookgate.AuthSettings, _ hookgate.Secret) (Signer, error) {
				return addressSigner(entry.PublicURL), nil
			}
		})
		mustRun(t, e, emulated())
		if got := r.requests()[0].header.Get("X-Address"); got != want {
			t.Errorf("%q: %q was signed, want %q", public, got, want)
		}
	}
}

type addressSigner string

func (a addressSigner) Sign(req *hookgate.Request, _ time.Time) error {
	req.Header.Set("X-Address", string(a)+" "+req.Target)
	return nil
}

// TestEmulationBroken: a delivery that cannot be made ends the run with its reason.
func TestEmulationBroken(t *testing.T) {
	t.Parallel()
	r := record(t, nil)
	sick := errors.New("out of order")
	for name, change := range map[string]func(p *provider){
		"complete": func(p *provider) { p.complete = func(*Event, time.Time) error { return sick } },
		"write": func(p *provider) {
			p.write = func(*Subscription, *Delivery, int) (http.Header, []byte, error) { return nil, nil, sick }
		},
	} {
		p := emulated()
		change(&p)
		if _, err := emulation(r.URL, func(e *Emulation) { e.Concurrency = 4 }).run(t.Context(), p); !errors.Is(err, sick) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSpoil(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"hex":    "sha256=" + strings.Repeat("0123456789abcdef", 4),
		"base64": "BgCeL4bDmhDk1WJvnFXrthkAmeBk1KSDulf8Qb1kpwI=",
		"token":  "Bearer s3cr3t-token", "short": "Bearer x", "bare": "token", "odd": "Bearer ----",
		"user": "Basic " + base64.StdEncoding.EncodeToString([]byte("hookuser:hookpass")),
	} {
		got := spoil(value)
		if got == value {
			t.Errorf("%s: unchanged", name)
		}
		word, credentials, _ := strings.Cut(got, " ")
		switch name {
		case "hex":
			if _, err := hex.DecodeString(got[len("sha256="):]); err != nil || len(got) != len(value) || strings.ToLower(got) != got {
				t.Errorf("%s: %s", name, got)
			}
		case "base64":
			if raw, err := base64.StdEncoding.Strict().DecodeString(got); err != nil || len(raw) != sha256.Size {
				t.Errorf("%s: %s, %v", name, got, err)
			}
		case "user":
			if pair, err := base64.StdEncoding.Strict().DecodeString(credentials); err != nil || word != "Basic" || string(pair) != "hookuser:hookpasr" {
				t.Errorf("%s: %s, %v", name, pair, err)
			}
		case "token", "short", "odd":
			if word != "Bearer" {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}

// TestFaultsDraw: a share is met in the long run, the whole share always, and giving one leaves the others alone.
func TestFaultsDraw(t *testing.T) {
	t.Parallel()
	draw := func(f Faults) (all []fate) {
		rng := rand.New(rand.NewPCG(1, 3))
		for range 20_000 {
			all = append(all, f.draw(rng))
		}
		return all
	}
	count := func(all []fate, is func(fate) bool) (n int) {
		for _, f := range all {
			if is(f) {
				n++
			}
		}
		return n
	}
	some := draw(Faults{Duplicate: .1, BadSignature: 1})
	if n := count(some, func(f fate) bool { return f.duplicate }); n < 1800 || n > 2200 {
		t.Errorf("a tenth of 20000 is %d", n)
	}
	if n := count(some, func(f fate) bool { return f.bad }); n != 20_000 {
		t.Errorf("all of 20000 is %d", n)
	}
	more := draw(Faults{Duplicate: .1, BadSignature: 1, Reorder: .5, Slow: .5, Truncate: .5, Oversized: .5})
	for i := range some {
		if some[i].duplicate != more[i].duplicate {
			t.Fatal("another share changes which are duplicated")
		}
		if more[i].slow && more[i].truncate {
			t.Fatal("both slow and truncated")
		}
	}
}
