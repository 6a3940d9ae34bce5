package forward_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

// shared puts the wrapper of many forwarders around a fake, and closes it with the test.
func shared(t testing.TB, d forward.Destination, s hookgate.DestinationSettings, l forward.Limits) *forward.Shared {
	t.Helper()
	sh := forward.Share(d, s, l)
	t.Cleanup(func() {
		if err := sh.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return sh
}

// tries is how often the fake was called.
func (f *fake) tries() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.attempts)
}

// troubleOf is the trouble in the first error of an answer; nil where there is none.
func troubleOf(errs []error) *forward.Trouble {
	var trouble *forward.Trouble
	errors.As(errs[0], &trouble)
	return trouble
}

func TestBreakerOpensAndCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake()
		var answer error
		d.judge = func(hookgate.Entry, int) error { return answer }
		s := settings("d")
		s.Breaker = hookgate.Breaker{After: 3, Pause: 10 * time.Second}
		sh := shared(t, d, s, forward.Limits{Concurrent: 2, Batch: 10, SameKey: true})
		batch := batchOf(events(2, 2)...)
		publish := func(err error) []error {
			answer = err
			return sh.Publish(t.Context(), batch)
		}
		expect := func(state forward.BreakerState, calls int) {
			t.Helper()
			if sh.Breaker() != state || d.tries() != calls {
				t.Errorf("%s after %d calls, want %s after %d", sh.Breaker(), d.tries(), state, calls)
			}
		}
		down := &forward.Trouble{Err: errors.New("refused")}
		expect(forward.BreakerClosed, 0)
		// What the target answers is no failure of the whole, and ends a row of them.
		for _, err := range []error{nil, down, down, &forward.Refusal{Err: errors.New("400")}, down, down, nil, down, down} {
			publish(err)
		}
		expect(forward.BreakerClosed, 9)
		if trouble := troubleOf(publish(errors.New("no type"))); trouble == nil || trouble.RetryAfter < 9*time.Second || trouble.RetryAfter > 11*time.Second {
			t.Errorf("the call that opens the breaker: %+v", trouble)
		}
		expect(forward.BreakerOpen, 10)
		pass(4 * time.Second)
		trouble := troubleOf(publish(nil))
		if trouble == nil || trouble.RetryAfter < 6*time.Second || trouble.RetryAfter > 7*time.Second || !strings.Contains(trouble.Error(), "no type") {
			t.Errorf("while open: %+v", trouble)
		}
		expect(forward.BreakerOpen, 10)
		pass(trouble.RetryAfter)
		expect(forward.BreakerHalfOpen, 10)
		publish(down)
		expect(forward.BreakerOpen, 11) // one failure is enough now
		pass(11 * time.Second)
		// While one call tries, the others wait.
		gate := make(chan struct{})
		d.set(func(d *fake) { d.stall = gate })
		answer = nil
		tried := make(chan []error, 1)
		go func() { tried <- sh.Publish(t.Context(), batch) }()
		synctest.Wait()
		if trouble := troubleOf(sh.Publish(t.Context(), batch)); trouble == nil || trouble.RetryAfter > 2*time.Second {
			t.Errorf("beside the call that tries: %+v", trouble)
		}
		d.set(func(d *fake) { d.stall = nil })
		close(gate)
		if errs := <-tried; errs[0] != nil || errs[1] != nil {
			t.Errorf("the call that tries: %v", errs)
		}
		expect(forward.BreakerClosed, 12)
	})
}

// A batch of which one entry got through was no failure of the whole.
func TestBreakerAndMixedBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake()
		d.judge = func(e hookgate.Entry, _ int) error {
			if e.Seq > 1 {
				return &forward.Trouble{Err: errors.New("lost")}
			}
			return nil
		}
		sh := shared(t, d, settings("d"), forward.LimitsOf("redis-stream"))
		for range 20 {
			errs := sh.Publish(t.Context(), batchOf(events(3, 3)...))
			if errs[0] != nil || errs[1] == nil {
				t.Fatal(errs)
			}
		}
		if sh.Breaker() != forward.BreakerClosed {
			t.Error(sh.Breaker())
		}
	})
}

// A caller that goes away while its call is under way says nothing of the destination.
func TestBreakerIgnoresCallsThatWereCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake()
		d.stall = make(chan struct{})
		sh := shared(t, d, settings("d"), forward.Limits{Concurrent: 1, Batch: 1})
		for range 10 {
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, leave)
			sh.Publish(ctx, batchOf(event(1, "a")))
		}
		if sh.Breaker() != forward.BreakerClosed {
			t.Errorf("cut off: %s", sh.Breaker())
		}
		for range 5 { // but one that never answers is in trouble
			sh.Publish(t.Context(), batchOf(event(1, "a")))
		}
		if sh.Breaker() != forward.BreakerOpen {
			t.Errorf("timed out: %s", sh.Breaker())
		}
	})
}

// fleet runs n forwarders, each over a journal of its own, that feed one destination.
type fleet struct {
	journals   []*journal
	forwarders []*forward.Forwarder
	shared     *forward.Shared
	stop       func()
}

func startFleet(t *testing.T, n int, d forward.Destination, s hookgate.DestinationSettings, l forward.Limits) *fleet {
	t.Helper()
	fl := &fleet{shared: forward.Share(d, s, l)}
	var stops []func()
	for range n {
		j := newJournal()
		f := forward.NewForwarder(s, fl.shared, j, j, forward.WithShards(n))
		fl.journals, fl.forwarders = append(fl.journals, j), append(fl.forwarders, f)
		stops = append(stops, start(t, f))
	}
	fl.stop = func() {
		for _, stop := range stops {
			stop()
		}
		if err := fl.shared.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	return fl
}

// feed appends n events over the journals, by key, as a journal in shards would. first is the number of the first one.
func (fl *fleet) feed(first, n, keys int) {
	for i := range n {
		key := i % keys
		fl.journals[key%len(fl.journals)].append(event(first+i, "k"+strconv.Itoa(key)))
	}
}

func (fl *fleet) settled() bool {
	return !slices.ContainsFunc(fl.journals, func(j *journal) bool { return !j.settled("d", len(j.entries)) })
}

// While a destination is away, all forwarders together try it once a pause; that it is back is noticed within about that.
func TestBreakerSharesTheAttempts(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		d := newFake()
		down := true
		d.judge = func(hookgate.Entry, int) error {
			if down {
				return &forward.Trouble{Err: errors.New("connection refused")}
			}
			return nil
		}
		fl := startFleet(t, 16, d, settings("d"), l)
		defer fl.stop()
		fl.feed(1, 480, 48)
		pass(10 * time.Minute)
		d.set(func(d *fake) { d.attempts = nil })
		pass(10 * time.Minute)
		if n := d.tries(); n < 250 || n > 302 {
			t.Errorf("%d attempts in ten minutes, one each 2 s is 300", n)
		}
		for _, f := range fl.forwarders {
			if s := f.Stats(); s.State != forward.BackingOff || s.Dead != 0 || s.Parked != 0 || !strings.HasSuffix(s.LastError, "connection refused") {
				t.Errorf("%+v", s)
			}
		}
		d.set(func(*fake) { down = false })
		pass(3 * time.Second)
		if !fl.settled() || len(d.entries()) != 480 || fl.shared.Breaker() != forward.BreakerClosed {
			t.Errorf("3 s later %d entries have passed, the breaker is %s", len(d.entries()), fl.shared.Breaker())
		}
	})
}

// A pause that the target asks one caller for is kept by all of them.
func TestBreakerKeepsWhatTheTargetAsksFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trouble *forward.Trouble
		min     time.Duration
		state   forward.State
	}{
		"retry after": {&forward.Trouble{Err: errors.New("429"), RetryAfter: 90 * time.Second}, 90 * time.Second, forward.BackingOff},
		"gone":        {&forward.Trouble{Err: errors.New("410"), Pause: true}, time.Minute, forward.Paused},
		"absurd wait": {&forward.Trouble{Err: errors.New("503"), RetryAfter: 1000 * time.Hour}, time.Hour, forward.BackingOff},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newFake()
				down := true
				d.judge = func(hookgate.Entry, int) error {
					if down {
						return test.trouble
					}
					return nil
				}
				fl := startFleet(t, 4, d, settings("d"), forward.Limits{Concurrent: 1, Batch: 256, SameKey: true})
				defer fl.stop()
				fl.feed(1, 40, 8)
				pass(20 * time.Second)
				if d.tries() != 1 || fl.shared.Breaker() != forward.BreakerOpen {
					t.Errorf("%d attempts, %s", d.tries(), fl.shared.Breaker())
				}
				for _, f := range fl.forwarders {
					if s := f.Stats(); s.State != test.state {
						t.Errorf("%+v", s)
					}
				}
				d.set(func(*fake) { down = false })
				pass(test.min - 21*time.Second)
				if d.tries() != 1 {
					t.Errorf("%d attempts before the time", d.tries())
				}
				pass(5 * time.Second)
				if !fl.settled() || fl.forwarders[0].Stats().State != forward.Running {
					t.Errorf("%d entries, %+v", len(d.entries()), fl.forwarders[0].Stats())
				}
			})
		})
	}
}

// Events that make the target hang up cannot keep the breaker open once the target takes others again.
func TestBreakerIsNotHeldOpenByPoison(t *testing.T) {
	t.Parallel()
	for name, concurrent := range map[string]int{"one at once": 1, "eight at once": 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newFake()
				down := true
				d.judge = func(e hookgate.Entry, _ int) error {
					if down || e.Event.Subject == "k0" || e.Event.Subject == "k1" {
						return &forward.Trouble{Err: errors.New("EOF"), Suspect: true}
					}
					return nil
				}
				fl := startFleet(t, 1, d, settings("d"), forward.Limits{Concurrent: concurrent, Batch: 1})
				defer fl.stop()
				fl.feed(1, 20, 20)
				pass(10 * time.Minute)
				d.set(func(*fake) { down = false })
				for i := range 60 { // others are needed, to tell the events from the target
					fl.feed(21+18*i, 18, 18)
					pass(10 * time.Second)
				}
				got := d.entries()
				if n := distinct(got); n < 18+60*16 || fl.forwarders[0].Stats().Dead == 0 {
					t.Errorf("%d of the others have passed, %+v", n, fl.forwarders[0].Stats())
				}
				checkOrder(t, got)
			})
		})
	}
}

// While one call tries whether the target is back, it is not to be that of an event which may be to blame, if there is
// another one.
func TestBreakerTriesWithAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake()
		d.judge = func(e hookgate.Entry, _ int) error {
			if e.Event.Subject == "poison" {
				return &forward.Trouble{Err: errors.New("EOF"), Suspect: true}
			}
			return nil
		}
		s := settings("d")
		s.Breaker = hookgate.Breaker{After: 2, Pause: 2 * time.Second}
		sh := shared(t, d, s, forward.Limits{Concurrent: 2, Batch: 1})
		poison, other := batchOf(event(1, "poison")), batchOf(event(2, "other"))
		open := func() {
			for sh.Breaker() != forward.BreakerOpen {
				sh.Publish(t.Context(), poison)
			}
			pass(3 * time.Second)
		}
		open()
		tries := d.tries()
		trouble := troubleOf(sh.Publish(t.Context(), poison))
		if d.tries() != tries || trouble == nil || trouble.RetryAfter > time.Second || sh.Breaker() != forward.BreakerHalfOpen {
			t.Errorf("tried with the poison: %+v, %s", trouble, sh.Breaker())
		}
		if errs := sh.Publish(t.Context(), other); errs[0] != nil || sh.Breaker() != forward.BreakerClosed {
			t.Errorf("tried with another: %v, %s", errs, sh.Breaker())
		}
		open()
		tries = d.tries()
		pass(troubleOf(sh.Publish(t.Context(), poison)).RetryAfter)
		sh.Publish(t.Context(), poison)
		if d.tries() != tries+1 {
			t.Error("where there is no other, it is never tried again")
		}
	})
}

// The same holds for those that wait parked: a few that the target cannot take do not have every place.
func TestParkedPoisonLetsOthersThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, d := newJournal(), newFake()
		d.judge = func(e hookgate.Entry, _ int) error {
			if e.Event.Replayed && e.Seq < 3 {
				return &forward.Trouble{Err: errors.New("EOF"), Suspect: true}
			}
			return nil
		}
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(forward.Limits{Concurrent: 2, Batch: 1}))
		stop := start(t, f)
		defer stop()
		j.append(events(10, 10)...)
		pass(time.Second)
		if err := f.Replay(t.Context(), j.asked(upTo(10)...)); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if got := replayed(d.entries()); len(got) != 8 {
			t.Errorf("replayed %v", got)
		}
	})
}
