package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestSuccess(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	rc := newReceiver(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204 - 2)
		_, _ = w.Write([]byte(long))
	})
	s := open(t, storePath(t), nil, nil)
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	id := publish(t, s, `{"text":"a < b & c"}`)
	d := settled(t, s, id, 1)
	_, attempts := delivery(t, s, id)
	if d.State != Delivered || d.LastStatus != 202 || d.LastError != "" || d.Attempts != 1 || d.Provider != "bird" || d.Subscription != "a" || d.Event != "sms.inbound" {
		t.Errorf("%+v", d)
	}
	if a := attempts[0]; a.Status != 202 || a.Error != "" || string(a.Response) != long[:4096] || a.Number != 1 || a.At.IsZero() {
		t.Errorf("%+v", a)
	}
	if len(d.Events) != 1 || string(d.Events[0].Payload) != `{"text":"a < b & c"}` {
		t.Errorf("the payload has become %s", d.Events[0].Payload)
	}
	sub, err := s.Get(t.Context(), "bird", "a")
	if err != nil || sub.LastSuccess.IsZero() || !sub.LastFailure.IsZero() || sub.Failures != 0 {
		t.Errorf("%+v, %v", sub, err)
	}
	if n := rc.count(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestSuccessRule(t *testing.T) {
	t.Parallel()
	strict := provider{success: func(status int) bool { return status == 201 }}
	for _, c := range []struct {
		rule     string
		provider provider
		yes, no  []int
	}{
		{"200", strict, []int{200}, []int{201, 204, 199, 300}},
		{"2xx", strict, []int{200, 201, 299}, []int{199, 300, 500}},
		{"<300", strict, []int{200, 299}, []int{300, 404}},
		{"", strict, []int{201}, []int{200}},
		{"", provider{}, []int{200, 204}, []int{301, 410}},
	} {
		for _, status := range c.yes {
			if !succeeds(c.provider, &Subscription{Success: c.rule}, status) {
				t.Errorf("rule %q: %d is no success", c.rule, status)
			}
		}
		for _, status := range c.no {
			if succeeds(c.provider, &Subscription{Success: c.rule}, status) {
				t.Errorf("rule %q: %d is a success", c.rule, status)
			}
		}
	}
}

// TestOwnSchedule demands that a subscription's settings take the provider's place, an empty list too.
func TestOwnSchedule(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, status(500))
	s := open(t, storePath(t), clock, nil)
	start(t, s)
	subscribe(t, s, "none", rc.URL, func(sub *Subscription) { sub.Retries = []time.Duration{} })
	id := publish(t, s, `1`)
	if d := settled(t, s, id, 1); d.State != Failed {
		t.Errorf("without retries it is %s", d.State)
	}
	if err := s.Delete(t.Context(), "bird", "none"); err != nil {
		t.Fatal(err)
	}
	subscribe(t, s, "two", rc.URL, func(sub *Subscription) { sub.Retries = []time.Duration{time.Second, time.Hour} })
	id = publish(t, s, `2`)
	d := settled(t, s, id, 1)
	if d.State != Waiting || !d.NextAt.Equal(clock.Now().Add(time.Second)) {
		t.Errorf("%s, next at %v", d.State, d.NextAt)
	}
	eventually(t, "the wait", func() bool { return clock.waitsFor(d.NextAt) })
	clock.Advance(time.Second)
	if d = settled(t, s, id, 2); !d.NextAt.Equal(clock.Now().Add(time.Hour)) {
		t.Errorf("next at %v", d.NextAt)
	}
}

func TestRetryByHand(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	var good atomic.Bool
	rc := newReceiver(t, clock, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if !good.Load() {
			w.WriteHeader(503)
		}
	})
	s := open(t, storePath(t), clock, func(_ *Options, p *provider) { p.retries = nil })
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	id := publish(t, s, `1`)
	settled(t, s, id, 1)
	retry := func(most int, want ...string) {
		t.Helper()
		skipped, err := s.Retry(t.Context(), []string{"no uuid", id, "00000000-0000-4000-8000-000000000000"}, most)
		if err != nil || !slices.Equal(skipped, want) {
			t.Errorf("skipped %q, %v", skipped, err)
		}
	}
	other := "00000000-0000-4000-8000-000000000000"
	retry(2, "no uuid", other)
	d := settled(t, s, id, 2)
	if d.State != Failed || d.Manual != 1 || d.Attempts != 2 {
		t.Errorf("%+v", d)
	}
	retry(1, "no uuid", id, other)
	retry(2, "no uuid", other)
	settled(t, s, id, 3)
	retry(2, "no uuid", id, other)
	good.Store(true)
	retry(0, "no uuid", other)
	d = settled(t, s, id, 4)
	if d.State != Delivered || d.Manual != 3 || d.LastError != "" {
		t.Errorf("%+v", d)
	}
	retry(99, "no uuid", id, other)
	_, attempts := delivery(t, s, id)
	for i, a := range attempts {
		if a.Number != i+1 || a.Manual != (i > 0) {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
	sub, err := s.Get(t.Context(), "bird", "a")
	if err != nil || sub.Failures != 3 || sub.LastSuccess.IsZero() {
		t.Errorf("%+v, %v", sub, err)
	}
}

// TestHeldWhileInactive demands that what waits is kept back, and goes out when the subscription is active again.
func TestHeldWhileInactive(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(500)
		}
	})
	logged := make(chan string, 9)
	s := open(t, storePath(t), clock, func(o *Options, p *provider) {
		o.Log = func(m string, about map[string]string) { logged <- m + " " + about["subscription"] }
		p.observe = func(sub *Subscription, d *Delivery, a *Attempt, ended bool) {
			if a.Status >= 500 && !ended {
				sub.Active = false
			}
		}
	})
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	id := publish(t, s, `1`)
	settled(t, s, id, 1)
	if got := <-logged; got != "a subscription was disabled a" {
		t.Errorf("logged %q", got)
	}
	if ids, err := s.Publish(t.Context(), "bird", Event{Type: "sms.inbound"}); err != nil || len(ids) != 0 {
		t.Errorf("an inactive subscription got %v, %v", ids, err)
	}
	other := subscribe(t, s, "b", rc.URL, nil)
	for range 3 { // whatever passes, the other one is served and this one is not
		clock.Advance(time.Hour)
		settled(t, s, publish(t, s, `2`), 1)
	}
	if n := rc.count(); n != 4 {
		t.Errorf("%d requests", n)
	}
	if err := s.Delete(t.Context(), "bird", other.ID); err != nil {
		t.Fatal(err)
	}
	if d, _ := delivery(t, s, id); d.State != Waiting {
		t.Errorf("%+v", d)
	}
	if _, err := s.Update(t.Context(), "bird", "a", func(sub *Subscription) error { sub.Active = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if d := settled(t, s, id, 2); d.State != Delivered {
		t.Errorf("%+v", d)
	}
}

// TestHeldAtTheLastMoment makes a subscription inactive while its request is being made up: it is not sent then, and not
// forgotten.
func TestHeldAtTheLastMoment(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, nil, nil)
	var s *Server
	var made atomic.Int32
	set := func(active bool) {
		if _, err := s.Update(t.Context(), "bird", "a", func(sub *Subscription) error { sub.Active = active; return nil }); err != nil {
			t.Error(err)
		}
	}
	s = open(t, storePath(t), nil, func(_ *Options, p *provider) {
		write := p.write
		p.write = func(sub *Subscription, d *Delivery, attempt int) (http.Header, []byte, error) {
			if made.Add(1) == 1 {
				set(false)
			}
			return write(sub, d, attempt)
		}
	})
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	id := publish(t, s, `1`)
	eventually(t, "it is put back", func() bool {
		s.schedule.mu.Lock()
		defer s.schedule.mu.Unlock()
		l := s.schedule.lanes[s.store.find("bird", "a").key]
		return made.Load() == 1 && l != nil && l.busy == 0 && len(l.items) == 1
	})
	set(true)
	if d := settled(t, s, id, 1); d.State != Delivered || d.Attempts != 1 || rc.count() != 1 {
		t.Errorf("%+v after %d requests", d, rc.count())
	}
}

// TestChangedWhilePublishing changes a subscription between the match and the store: what is true then counts.
func TestChangedWhilePublishing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *Server) error{
		"inactive": func(s *Server) error {
			_, err := s.Update(t.Context(), "bird", "a", func(sub *Subscription) error { sub.Active = false; return nil })
			return err
		},
		"deleted": func(s *Server) error { return s.Delete(t.Context(), "bird", "a") },
	} {
		t.Run(name, func(t *testing.T) {
			var s *Server
			s = open(t, storePath(t), nil, func(_ *Options, p *provider) {
				p.match = func(sub *Subscription, _ *Event) bool {
					if sub.ID == "a" {
						if err := change(s); err != nil {
							t.Error(err)
						}
					}
					return true
				}
			})
			subscribe(t, s, "a", "http://127.0.0.1:1/", nil)
			subscribe(t, s, "b", "http://127.0.0.1:1/", nil)
			if d, _ := delivery(t, s, publish(t, s, `1`)); d.Subscription != "b" {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestStopDuringToken demands that a stop while a token is fetched is no failure of the receiver's.
func TestStopDuringToken(t *testing.T) {
	t.Parallel()
	issuer := newReceiver(t, nil, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := open(t, storePath(t), nil, nil)
	s.patience = time.Millisecond
	stop := start(t, s)
	subscribe(t, s, "a", issuer.URL, func(sub *Subscription) {
		sub.Auth = []Auth{{Scheme: "bearer", OAuth: &OAuth{Grant: "client_credentials", TokenURL: issuer.URL}}}
	})
	id := publish(t, s, `1`)
	eventually(t, "the request for a token", func() bool { return issuer.count() == 1 })
	stop()
	if d := settled(t, s, id, 1); d.LastError != "interrupted by a stop" || d.State != Waiting {
		t.Errorf("%+v", d)
	}
}

// TestBounds lets one receiver hang and demands that it has eight requests and no more, and that others are served.
func TestBounds(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	var now, most atomic.Int32
	slow := newReceiver(t, nil, func(_ int, w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-hang
		now.Add(-1)
	})
	quick := newReceiver(t, nil, nil)
	s := open(t, storePath(t), nil, func(_ *Options, p *provider) {
		p.match = func(sub *Subscription, e *Event) bool { return sub.ID == e.Account }
	})
	start(t, s)
	subscribe(t, s, "slow", slow.URL, nil)
	subscribe(t, s, "quick", quick.URL, nil)
	send := func(to string, n int) {
		for range n {
			if _, err := s.Publish(t.Context(), "bird", Event{Type: "sms.inbound", Account: to}); err != nil {
				t.Fatal(err)
			}
		}
	}
	send("slow", 100)
	eventually(t, "eight requests", func() bool { return now.Load() == 8 })
	send("quick", 50)
	eventually(t, "the quick one is served", func() bool { return quick.count() == 50 })
	if n := slow.count(); n != 8 {
		t.Errorf("%d requests at the slow one", n)
	}
	close(hang)
	eventually(t, "the slow one is served", func() bool { return slow.count() == 100 })
	if n := most.Load(); n != 8 {
		t.Errorf("%d at once", n)
	}
	eventually(t, "all delivered", func() bool {
		n, err := s.Count(t.Context(), LogQuery{States: []State{Delivered}})
		return err == nil && n == 150
	})
}

// TestOrder demands that what is due goes out by its time, and then as it was published.
func TestOrder(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, nil)
	s := open(t, storePath(t), clock, func(o *Options, _ *provider) { o.Workers = 1 })
	for i := range 5 {
		subscribe(t, s, fmt.Sprint("s", i), rc.URL+fmt.Sprint("/", i), nil)
	}
	var want []string
	for n := range 6 {
		ids, err := s.Publish(t.Context(), "bird", Event{Type: "sms.inbound", Payload: json.RawMessage(fmt.Sprint(n))})
		if err != nil {
			t.Fatal(err)
		}
		for i := range ids {
			want = append(want, fmt.Sprintf("/%d [%d]", i, n))
		}
		clock.Advance(time.Second)
	}
	start(t, s)
	eventually(t, "all requests", func() bool { return rc.count() == 30 })
	for i, r := range rc.requests() {
		var body struct{ Events json.RawMessage }
		if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
			t.Fatal(err)
		}
		if got := r.Target + " " + string(body.Events); got != want[i] {
			t.Errorf("request %d is %s, not %s", i+1, got, want[i])
		}
	}
}

// TestDeleteTakesWaiting demands that nothing of a deleted subscription is sent, that its log stays, and that a new one
// with its id gets none of the old deliveries.
func TestDeleteTakesWaiting(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n > 1 {
			w.WriteHeader(500)
		}
	})
	s := open(t, storePath(t), clock, nil)
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	kept := publish(t, s, `1`)
	settled(t, s, kept, 1)
	gone := publish(t, s, `2`)
	d := settled(t, s, gone, 1)
	eventually(t, "the wait", func() bool { return clock.waitsFor(d.NextAt) })
	if err := s.Delete(t.Context(), "bird", "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "bird", "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
	subscribe(t, s, "a", rc.URL, nil)
	clock.Advance(time.Hour)
	last := publish(t, s, `3`)
	settled(t, s, last, 1)
	if n := rc.count(); n != 3 {
		t.Errorf("%d requests", n)
	}
	if _, _, err := s.Delivery(t.Context(), gone); !errors.Is(err, ErrNotFound) {
		t.Errorf("the delivery that waited: %v", err)
	}
	if d, _ := delivery(t, s, kept); d.State != Delivered || d.Subscription != "a" {
		t.Errorf("%+v", d)
	}
	if skipped, err := s.Retry(t.Context(), []string{kept}, 9); err != nil || len(skipped) != 1 {
		t.Errorf("%v, %v", skipped, err)
	}
}

// TestDeleteMany demands that a subscription with more waiting deliveries than one transaction removes goes as a whole.
func TestDeleteMany(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, nil)
	subscribe(t, s, "a", "http://127.0.0.1:1/", nil)
	for i := range 2*chunk + 7 {
		publish(t, s, fmt.Sprint(i))
	}
	if err := s.Delete(t.Context(), "bird", "a"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(t.Context(), LogQuery{}); n != 0 || err != nil {
		t.Errorf("%d are left, %v", n, err)
	}
	if list, err := s.Deliveries(t.Context(), LogQuery{}); len(list) != 0 || err != nil {
		t.Errorf("%d are listed, %v", len(list), err)
	}
	if _, err := s.Get(t.Context(), "bird", "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the subscription: %v", err)
	}
}

// TestWriteFails demands that a request which cannot be made is an attempt that failed, and a panic no end of the program.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := open(t, storePath(t), clock, func(_ *Options, p *provider) {
		p.retries = []time.Duration{0}
		p.write = func(_ *Subscription, _ *Delivery, attempt int) (http.Header, []byte, error) {
			if attempt == 1 {
				return nil, nil, errors.New("no such member")
			}
			panic("a mistake")
		}
	})
	start(t, s)
	subscribe(t, s, "a", "http://127.0.0.1:1/", nil)
	id := publish(t, s, `1`)
	if d := settled(t, s, id, 2); d.State != Failed {
		t.Errorf("%+v", d)
	}
	_, attempts := delivery(t, s, id)
	if attempts[0].Error != "the request could not be made: no such member" || !strings.Contains(attempts[1].Error, "internal mistake") {
		t.Errorf("%q, %q", attempts[0].Error, attempts[1].Error)
	}
}

// TestObserve demands that a provider sees every attempt and its end, and that what it changes is kept.
func TestObserve(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, status(500))
	var seen []string
	s := open(t, storePath(t), clock, func(_ *Options, p *provider) {
		p.retries = []time.Duration{0, 0}
		p.observe = func(sub *Subscription, d *Delivery, a *Attempt, ended bool) {
			seen = append(seen, fmt.Sprintln(a.Number, a.Status, d.State, d.Attempts, len(d.Events), ended))
			sub.Name = strings.Repeat("*", len(seen))
			if ended {
				panic("a mistake of the provider's")
			}
		}
	})
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	id := publish(t, s, `1`)
	settled(t, s, id, 2)
	settled(t, s, id, 3)
	if sub, err := s.Get(t.Context(), "bird", "a"); err != nil || sub.Name != "**" {
		t.Errorf("%+v, %v", sub, err)
	}
	stopRun(t, s)
	if want := []string{"1 500 waiting 1 1 false\n", "2 500 waiting 2 1 false\n", "3 500 failed 3 1 true\n"}; !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
}

// stopRun ends Run early, as Close does.
func stopRun(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestStop demands that a stop waits for a request under way, and cuts off what takes too long: it then counts as made.
func TestStop(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	answer := make(chan struct{})
	rc := newReceiver(t, clock, func(n int, w http.ResponseWriter, r *http.Request) {
		select {
		case <-answer:
		case <-r.Context().Done():
		}
	})
	s := open(t, storePath(t), clock, nil)
	subscribe(t, s, "a", rc.URL, nil)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	id := publish(t, s, `1`)
	eventually(t, "the request", func() bool { return rc.count() == 1 })
	if err := s.Run(t.Context()); err == nil {
		t.Error("it runs twice")
	}
	cancel()
	answer <- struct{}{}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if d, attempts := delivery(t, s, id); d.State != Delivered || len(attempts) != 1 {
		t.Errorf("%+v", d)
	}

	s.patience = time.Millisecond
	ctx, cancel = context.WithCancel(t.Context())
	go func() { done <- s.Run(ctx) }()
	id = publish(t, s, `2`)
	eventually(t, "the second request", func() bool { return rc.count() == 2 })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	d, attempts := delivery(t, s, id)
	if d.State != Waiting || d.Attempts != 1 || !d.NextAt.Equal(clock.Now().Add(time.Minute)) || len(attempts) != 1 || attempts[0].Error != "interrupted by a stop" {
		t.Errorf("%+v, %+v", d, attempts)
	}
}
