package outbound

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// fakeClock is time that a test advances.
type fakeClock struct {
	mu      sync.Mutex
	now     time.Time
	waiters []waiter
}

type waiter struct {
	at time.Time
	ch chan time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	if d <= 0 {
		ch <- c.now
		return ch
	}
	c.waiters = append(c.waiters, waiter{c.now.Add(d), ch})
	return ch
}

// Advance moves the time and fires what has become due.
func (c *fakeClock) Advance(d time.Duration) { c.set(c.Now().Add(d)) }

// set moves the time to a later one.
func (c *fakeClock) set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.After(c.now) {
		c.now = to
	}
	rest := c.waiters[:0]
	for _, w := range c.waiters {
		if w.at.After(c.now) {
			rest = append(rest, w)
			continue
		}
		w.ch <- c.now
	}
	c.waiters = rest
}

// waitsFor reports whether somebody waits for exactly this time.
func (c *fakeClock) waitsFor(at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waiters {
		if w.at.Equal(at) {
			return true
		}
	}
	return false
}

// eventually polls until ok, or fails after a deadline that is far above what it takes.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// received is a request as the receiver got it.
type received struct {
	Method, Target string
	Header         http.Header
	Body           string
	At             time.Time // by the server's clock
}

// receiver is a real HTTP server on the loopback that answers by a script.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	clock  Clock
	got    []received
	script func(n int, w http.ResponseWriter, r *http.Request) // n from 1; nil answers 200
}

func newReceiver(t testing.TB, clock Clock, script func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	if clock == nil {
		clock = wallClock{}
	}
	rc := &receiver{clock: clock, script: script}
	rc.Server = httptest.NewServer(rc)
	t.Cleanup(rc.Close)
	return rc
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	rc.mu.Lock()
	rc.got = append(rc.got, received{r.Method, r.RequestURI, r.Header.Clone(), string(body), rc.clock.Now()})
	n, script := len(rc.got), rc.script
	rc.mu.Unlock()
	if script != nil {
		script(n, w, r)
	}
}

func (rc *receiver) requests() []received {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]received(nil), rc.got...)
}

func (rc *receiver) count() int {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return len(rc.got)
}

// status answers always the same.
func status(code int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// fake is a provider of the tests' own: JSON bodies with the attempt, three retries a minute apart, every event wanted.
func fake() provider {
	return provider{
		timeout: 5 * time.Second,
		retries: []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute},
		write: func(s *Subscription, d *Delivery, attempt int) (http.Header, []byte, error) {
			payloads := make([]json.RawMessage, len(d.Events))
			for i, e := range d.Events {
				payloads[i] = e.Payload
			}
			body, err := json.Marshal(map[string]any{"delivery": d.ID, "attempt": attempt, "events": payloads})
			return http.Header{"Content-Type": {"application/json"}, "X-Attempt": {strconv.Itoa(attempt)}}, body, err
		},
	}
}

// open makes a server with the fake provider under the name "bird", and closes it at the end of the test.
func open(t testing.TB, path string, clock Clock, change func(*Options, *provider)) *Server {
	t.Helper()
	o := Options{Path: path, AllowPrivate: true, Clock: clock, Log: func(m string, about map[string]string) { t.Log(m, about) }}
	p := fake()
	if change != nil {
		change(&o, &p)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.providers = map[string]provider{"bird": p}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func storePath(t testing.TB) string { return filepath.Join(t.TempDir(), "outbound.db") }

// start runs the server and gives a function that stops it and waits.
func start(t testing.TB, s *Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// subscribe creates an active subscription.
func subscribe(t testing.TB, s *Server, id, url string, change func(*Subscription)) *Subscription {
	t.Helper()
	sub := &Subscription{Provider: "bird", ID: id, URL: url, Active: true}
	if change != nil {
		change(sub)
	}
	if err := s.Create(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	return sub
}

// publish triggers one event and gives its delivery's id.
func publish(t testing.TB, s *Server, payload string) string {
	t.Helper()
	ids, err := s.Publish(t.Context(), "bird", Event{Type: "sms.inbound", Payload: json.RawMessage(payload)})
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 1 {
		t.Fatalf("%d deliveries, not 1", len(ids))
	}
	return ids[0]
}

func delivery(t testing.TB, s *Server, id string) (*Delivery, []Attempt) {
	t.Helper()
	d, attempts, err := s.Delivery(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d, attempts
}

// settled waits until so many attempts of a delivery are recorded.
func settled(t testing.TB, s *Server, id string, attempts int) *Delivery {
	t.Helper()
	var d *Delivery
	eventually(t, strconv.Itoa(attempts)+" attempts recorded", func() bool {
		var all []Attempt
		d, all = delivery(t, s, id)
		return len(all) >= attempts
	})
	return d
}
