package forward_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

var shapes = map[string]forward.Limits{
	"one batch at once, keys shared":   {Concurrent: 1, Batch: 256, SameKey: true},
	"two batches at once, keys shared": {Concurrent: 2, Batch: 16, SameKey: true},
	"one entry, 32 at once":            {Concurrent: 32, Batch: 1},
	"one entry, one at once":           {Concurrent: 1, Batch: 1},
	"batches of many keys":             {Concurrent: 4, Batch: 8},
}

// inBubble runs the test for every shape of destination, with a clock that passes at once.
func inBubble(t *testing.T, test func(t *testing.T, l forward.Limits)) {
	for name, l := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, l) })
		})
	}
}

func settings(name string) hookgate.DestinationSettings {
	return hookgate.DestinationSettings{
		Name: name, Type: "fake", Timeout: 15 * time.Second, Window: 64,
		Retry: hookgate.RetrySettings{Attempts: 4, Backoff: time.Second, MaxBackoff: time.Minute},
	}
}

func TestForwardsAllInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		d.latency = func(e hookgate.Entry) time.Duration { return time.Duration(e.Seq%7) * time.Millisecond }
		j.delay = 10 * time.Millisecond
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		j.append(events(500, 40)...)
		pass(time.Minute)
		if !j.settled("d", 500) || distinct(d.entries()) != 500 || len(d.entries()) != 500 {
			t.Fatalf("cursor %d, %d entries, %d distinct", j.cursor("d"), len(d.entries()), distinct(d.entries()))
		}
		checkOrder(t, d.entries())
		if d.keyClash {
			t.Error("two calls held the same key at once")
		}
		if d.most > l.Concurrent {
			t.Errorf("%d calls at once, %d allowed", d.most, l.Concurrent)
		}
		if s := f.Stats(); s.Delivered != 500 || s.State != forward.Running || s.Failed != 0 || s.Exposed != 0 || s.Lag != 0 || s.Cursor != 500 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Nothing is recorded that the target has not confirmed, and no more than the window is out without a record.
func TestConfirmedBeforeRecordedAndWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		gate := make(chan struct{})
		d.stall = gate
		s := settings("d")
		s.Window, s.Timeout = 8, time.Hour
		f := forward.NewForwarder(s, d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		all := events(100, 50)
		all[0].Received = time.Now()
		j.append(all...)
		pass(10 * time.Minute)
		if j.cursor("d") != 0 {
			t.Error("recorded before the target confirmed")
		}
		if st := f.Stats(); st.Exposed > 8 || st.Waiting > 8 || st.Waiting == 0 || st.Lag != 10*time.Minute {
			t.Errorf("stats %+v", st)
		}
		j.set(func(j *journal) { j.failing = errors.New("disk") })
		close(gate)
		d.set(func(d *fake) { d.stall = nil })
		pass(10 * time.Minute)
		if n := len(d.entries()); n > 8 || n == 0 {
			t.Errorf("%d published without a record, the window is 8", n)
		}
		if st := f.Stats(); !strings.Contains(st.LastError, "disk") {
			t.Errorf("last error %q", st.LastError)
		}
		j.set(func(j *journal) { j.failing = nil })
		pass(10 * time.Minute)
		if !j.settled("d", 100) || len(d.entries()) != 100 {
			t.Errorf("cursor %d, %d entries", j.cursor("d"), len(d.entries()))
		}
		checkOrder(t, d.entries())
	})
}

func TestTroubleBacksOffAndParksNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		down := true
		d.judge = func(hookgate.Entry, int) error {
			if down {
				return &forward.Trouble{Err: errors.New("READONLY")}
			}
			return nil
		}
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		j.append(events(100, 10)...)
		pass(time.Hour)
		p, _ := j.Progress(t.Context(), "d")
		if p.Cursor != 0 || len(p.Parked) != 0 {
			t.Fatalf("progress %+v", p)
		}
		// A pause is at most 5 s and 2.5 s in the mean: an hour has about 1440 waves.
		if n := len(d.attempts); n < 700 || n > 3000*l.Concurrent {
			t.Errorf("%d calls in an hour", n)
		}
		if s := f.Stats(); s.State != forward.BackingOff || s.Dead != 0 || s.LastError != "READONLY" {
			t.Errorf("stats %+v", s)
		}
		d.set(func(*fake) { down = false })
		pass(time.Minute)
		if !j.settled("d", 100) || len(d.entries()) != 100 || f.Stats().State != forward.Running {
			t.Errorf("cursor %d, %d entries, %+v", j.cursor("d"), len(d.entries()), f.Stats())
		}
		checkOrder(t, d.entries())
	})
}

func TestRetryAfterAndGone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trouble  *forward.Trouble
		min, max time.Duration
		state    forward.State
	}{
		"retry after": {&forward.Trouble{Err: errors.New("429"), RetryAfter: 90 * time.Second}, 90 * time.Second, 91 * time.Second, forward.BackingOff},
		"gone":        {&forward.Trouble{Err: errors.New("410"), Pause: true}, time.Minute, time.Minute, forward.Paused},
		"absurd wait": {&forward.Trouble{Err: errors.New("503"), RetryAfter: 1000 * time.Hour}, time.Hour, time.Hour, forward.BackingOff},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j, d := newJournal(), newFake()
				d.judge = func(_ hookgate.Entry, attempt int) error {
					if attempt == 1 {
						return test.trouble
					}
					return nil
				}
				f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(forward.Limits{Concurrent: 1, Batch: 1}))
				stop := start(t, f)
				defer stop()
				j.append(event(1, "a"))
				pass(time.Second)
				if s := f.Stats(); s.State != test.state || s.RetryAt.IsZero() {
					t.Errorf("stats %+v", s)
				}
				pass(2 * time.Hour)
				if len(d.attempts) != 2 {
					t.Fatalf("%d attempts", len(d.attempts))
				}
				if gap := d.attempts[1].Sub(d.attempts[0]); gap < test.min || gap > test.max {
					t.Errorf("tried again after %v", gap)
				}
				if s := f.Stats(); s.State != forward.Running {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// One refused event becomes a dead letter by its schedule; its key waits, its neighbours do not.
func TestRefusedIsIsolatedAndDies(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		var at []time.Time
		d.judge = func(e hookgate.Entry, _ int) error {
			if e.Seq == 3 { // the first one of key k2
				at = append(at, time.Now())
				return &forward.Refusal{Err: errors.New("400 poison")}
			}
			return nil
		}
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		j.append(events(100, 10)...)
		pass(500 * time.Millisecond)
		if n := len(d.entries()); n != 90 {
			t.Errorf("%d of the other keys passed, expected 90", n)
		}
		if j.cursor("d") != 100 {
			t.Errorf("cursor %d, the parked ones hold it up", j.cursor("d"))
		}
		p, _ := j.Progress(t.Context(), "d")
		if len(p.Parked) != 10 || p.Parked[0].Attempts != 1 || p.Parked[0].Error != "400 poison" || p.Parked[1].Attempts != 0 {
			t.Errorf("parked %+v", p.Parked)
		}
		pass(time.Minute)
		if !j.settled("d", 100) || len(d.entries()) != 99 {
			t.Fatalf("%d entries, progress %+v", len(d.entries()), j.of("d"))
		}
		checkOrder(t, d.entries())
		dead := j.of("d").dead
		if len(dead) != 1 || dead[3].Attempts != 4 || !dead[3].Dead || f.Stats().Dead != 1 {
			t.Errorf("dead %+v", dead)
		}
		if len(at) != 4 {
			t.Fatalf("%d attempts", len(at))
		}
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} { // RELIABILITY R21: +-20 %
			if gap := at[i+1].Sub(at[i]); gap < want*8/10 || gap > want*12/10+10*time.Millisecond {
				t.Errorf("attempt %d came after %v, expected about %v", i+2, gap, want)
			}
		}
		// Replayed, it goes through once the target takes it.
		d.set(func(d *fake) { d.judge = nil })
		if err := f.Replay(t.Context(), []hookgate.Parked{dead[3]}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if len(d.entries()) != 100 || len(j.of("d").dead) != 0 || !j.settled("d", 100) {
			t.Errorf("after the replay: %d entries, %+v", len(d.entries()), j.of("d"))
		}
	})
}

func TestR21_CanaryFailsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		d.judge = func(_ hookgate.Entry, attempt int) error {
			if attempt == 1 {
				return &forward.Refusal{Err: errors.New("500")}
			}
			return nil
		}
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		j.append(events(60, 6)...)
		pass(2 * time.Minute)
		if !j.settled("d", 60) || len(d.entries()) != 60 || f.Stats().Dead != 0 {
			t.Errorf("%d entries, %+v", len(d.entries()), f.Stats())
		}
		checkOrder(t, d.entries())
	})
}

// When everything is refused, parking has an end: the forwarder stops reading and loses nothing.
func TestParkedAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		bad := true
		d.judge = func(hookgate.Entry, int) error {
			if bad {
				return &forward.Refusal{Err: errors.New("500")}
			}
			return nil
		}
		s := settings("d")
		s.Retry = hookgate.RetrySettings{Attempts: 1000, Backoff: time.Second, MaxBackoff: time.Minute}
		f := forward.NewForwarder(s, d, j, j, forward.WithLimits(l), forward.WithMaxParked(50))
		stop := start(t, f)
		defer stop()
		j.append(events(300, 100)...)
		pass(10 * time.Minute)
		p, _ := j.Progress(t.Context(), "d")
		if len(p.Parked) != 50 || p.Cursor != 50 || f.Stats().State != forward.Stalled {
			t.Fatalf("%d parked, cursor %d, %+v", len(p.Parked), p.Cursor, f.Stats())
		}
		d.set(func(*fake) { bad = false })
		pass(10 * time.Minute)
		if !j.settled("d", 300) || len(d.entries()) != 300 || f.Stats().State != forward.Running {
			t.Fatalf("%d entries, %+v", len(d.entries()), f.Stats())
		}
		checkOrder(t, d.entries())
	})
}

// One slow key does not hold up the others, not even by more than a window of them.
func TestSlowKeyIsOvertaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, d := newJournal(), newFake()
		d.latency = func(e hookgate.Entry) time.Duration {
			if e.Event.Subject == "k0" {
				return 10 * time.Second
			}
			return time.Millisecond
		}
		s := settings("d")
		s.Window = 16
		f := forward.NewForwarder(s, d, j, j, forward.WithLimits(forward.Limits{Concurrent: 8, Batch: 1}))
		stop := start(t, f)
		defer stop()
		j.append(events(1000, 20)...)
		pass(9 * time.Second)
		if n := len(d.entries()); n != 950 {
			t.Errorf("%d of the 950 others passed", n)
		}
		pass(time.Hour)
		if !j.settled("d", 1000) || len(d.entries()) != 1000 || f.Stats().Parked != 0 {
			t.Errorf("%d entries, %+v", len(d.entries()), f.Stats())
		}
		checkOrder(t, d.entries())
	})
}

// Stopped at any moment and started again, every event arrives, in order, and at most a window of them twice.
func TestRestartRepeatsAtMostTheWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		const n, window = 400, 16
		j, d := newJournal(), newFake()
		j.append(events(n, 12)...)
		j.delay = 5 * time.Millisecond
		d.latency = func(e hookgate.Entry) time.Duration { return time.Duration(e.Seq%3) * time.Millisecond }
		d.judge = func(e hookgate.Entry, attempt int) error {
			if e.Seq%29 == 0 && attempt == 1 {
				return &forward.Refusal{Err: errors.New("500")}
			}
			return nil
		}
		s := settings("d")
		s.Window = window
		crashes := 0
		for !j.settled("d", n) {
			before := len(d.entries()) - distinct(d.entries())
			// A crash is a ledger that is cut off: nothing that the old process says afterwards counts.
			cut := &cutLedger{Ledger: j}
			f := forward.NewForwarder(s, d, j, cut, forward.WithLimits(l), forward.WithGrace(0))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- f.Run(ctx) }()
			pass(time.Duration(20+crashes*7%40) * time.Millisecond)
			if crashes > 100 {
				pass(time.Minute)
			}
			cut.crash()
			cancel()
			<-done
			crashes++
			if more := len(d.entries()) - distinct(d.entries()) - before; more > window {
				t.Errorf("crash %d: %d repeated, the window is %d", crashes, more, window)
			}
			if crashes > 120 {
				t.Fatal("does not come to an end")
			}
		}
		if crashes < 3 {
			t.Errorf("only %d crashes: the test proves nothing", crashes)
		}
		if distinct(d.entries()) != n {
			t.Errorf("%d of %d arrived", distinct(d.entries()), n)
		}
		checkOrder(t, d.entries())
	})
}

type cutLedger struct {
	forward.Ledger
	mu  sync.Mutex
	cut bool
}

func (c *cutLedger) crash() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
}

func (c *cutLedger) Record(ctx context.Context, destination string, step hookgate.Step) error {
	c.mu.Lock()
	cut := c.cut
	c.mu.Unlock()
	if cut {
		return errors.New("gone")
	}
	return c.Ledger.Record(ctx, destination, step)
}

func TestOrderlyStopRepeatsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		j.append(events(300, 12)...)
		d.latency = func(hookgate.Entry) time.Duration { return time.Millisecond }
		for !j.settled("d", 300) {
			stop := start(t, forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l)))
			pass(20 * time.Millisecond)
			stop()
		}
		if len(d.entries()) != 300 {
			t.Errorf("%d entries published, 300 are there", len(d.entries()))
		}
	})
}

func TestCancelEndsAStalledPublish(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		d.stall = make(chan struct{})
		s := settings("d")
		s.Timeout = time.Hour
		stop := start(t, forward.NewForwarder(s, d, j, j, forward.WithLimits(l), forward.WithGrace(3*time.Second)))
		j.append(events(50, 5)...)
		pass(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("stopped after %v, the grace is 3 s", took)
		}
		if j.cursor("d") != 0 {
			t.Error("recorded what was never confirmed")
		}
	})
}

func TestLastRecordFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, d := newJournal(), newFake()
		j.failing = errors.New("disk")
		f := forward.NewForwarder(settings("d"), d, j, j)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		j.append(events(5, 5)...)
		pass(time.Second)
		cancel()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "disk") {
			t.Errorf("Run: %v", err)
		}
	})
}

// The trouble of one destination does not touch another one.
func TestOtherDestinationsAreUntouched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, bad, good := newJournal(), newFake(), newFake()
		bad.stall = make(chan struct{})
		stopBad := start(t, forward.NewForwarder(settings("bad"), bad, j, j))
		stopGood := start(t, forward.NewForwarder(settings("good"), good, j, j))
		defer stopBad()
		defer stopGood()
		j.append(events(500, 10)...)
		pass(time.Second)
		if !j.settled("good", 500) || j.cursor("bad") != 0 {
			t.Errorf("good %d, bad %d", j.cursor("good"), j.cursor("bad"))
		}
	})
}

func TestMatchPassesTheRest(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		s := settings("d")
		s.Match = hookgate.Match{Type: []string{"salesiq.conversation.*"}, Provider: []string{"salesiq"}}
		stop := start(t, forward.NewForwarder(s, d, j, j, forward.WithLimits(l)))
		defer stop()
		for i, e := range events(1000, 10) {
			switch {
			case i == 200:
				e.Quarantine = "unreadable"
			case i%100 != 0:
				e.Type = "salesiq.visitor.created"
			}
			j.append(e)
		}
		pass(5 * time.Second)
		if j.cursor("d") != 1000 || len(d.entries()) != 9 {
			t.Errorf("cursor %d, %d entries", j.cursor("d"), len(d.entries()))
		}
		if j.records > 20 {
			t.Errorf("%d records for 9 events", j.records)
		}
	})
}

func TestParkedFromEarlierRunsResume(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		j.append(events(40, 4)...)
		p := j.of("d")
		p.cursor = 30
		for seq := int64(1); seq <= 30; seq += 4 { // all of key k0
			p.parked[seq] = hookgate.Parked{Seq: seq, Key: "t/conversation/k0"}
		}
		p.parked[1] = hookgate.Parked{Seq: 1, Key: "t/conversation/k0", Attempts: 3, NextAt: time.Now().Add(time.Minute), Error: "500"}
		j.lost[5] = true
		j.fetching = errors.New("busy")
		stop := start(t, forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l)))
		defer stop()
		pass(59 * time.Second)
		for _, e := range d.entries() {
			if e.Event.Subject == "k0" {
				t.Errorf("%d went before its turn", e.Seq)
			}
		}
		pass(10 * time.Second)
		j.set(func(j *journal) { j.fetching = nil })
		pass(time.Minute)
		if !j.settled("d", 40) || len(d.entries()) != 10+8-1 {
			t.Errorf("%d entries, %+v", len(d.entries()), j.of("d"))
		}
		checkOrder(t, d.entries())
		if dead := j.of("d").dead; len(dead) != 1 || !strings.Contains(dead[5].Error, "no longer") {
			t.Errorf("dead %+v", dead)
		}
	})
}

// TestR14_ClockSetBackWhileDown: what was parked by a clock that ran ahead does not wait until the clock is there again, but
// as long as an attempt may wait at most.
func TestR14_ClockSetBackWhileDown(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		j.append(events(8, 2)...)
		p := j.of("d")
		p.cursor = 4
		for seq, ahead := range map[int64]time.Duration{1: time.Hour, 2: 24 * time.Hour, 3: 0, 4: -time.Hour} {
			p.parked[seq] = hookgate.Parked{Seq: seq, Key: j.asked(seq)[0].Key, Attempts: 1, NextAt: time.Now().Add(ahead), Error: "500"}
		}
		defer start(t, forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l)))()
		pass(2 * time.Minute) // the longest pause is a minute, a fifth more or less
		if !j.settled("d", 8) || len(d.entries()) != 8 {
			t.Errorf("%d entries, %+v", len(d.entries()), j.of("d"))
		}
		checkOrder(t, d.entries())
	})
}

// A lost confirmation repeats the entries under the same ids and in order.
func TestForgottenConfirmationRepeats(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		d.forget = true
		stop := start(t, forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l)))
		defer stop()
		j.append(events(100, 10)...)
		pass(10 * time.Second)
		d.set(func(d *fake) { d.forget = false })
		pass(time.Minute)
		if !j.settled("d", 100) || distinct(d.entries()) != 100 || len(d.entries()) == 100 {
			t.Errorf("%d entries, %d distinct", len(d.entries()), distinct(d.entries()))
		}
		checkOrder(t, d.entries())
	})
}

type liar struct{ *fake }

func (l liar) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	return l.fake.Publish(ctx, batch)[1:]
}

func TestAnswerOfTheWrongLengthIsTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		f := forward.NewForwarder(settings("d"), liar{newFake()}, j, j)
		stop := start(t, f)
		defer stop()
		j.append(events(5, 5)...)
		pass(time.Minute)
		if s := f.Stats(); j.cursor("d") != 0 || s.State != forward.BackingOff || s.Dead != 0 {
			t.Errorf("cursor %d, %+v", j.cursor("d"), s)
		}
	})
}

// Refusals, trouble, timeouts and slow answers in every mixture: nothing is lost, and order per key holds.
func TestMixtures(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		for _, window := range []int{1, 2, 3, 16} {
			j, d := newJournal(), newFake()
			d.latency = func(e hookgate.Entry) time.Duration {
				if e.Seq%37 == 0 && d.attemptsOf(e.Seq) == 0 {
					d.set(func(d *fake) { d.seen[e.Seq]++ })
					return time.Minute // over the time-out once
				}
				return time.Duration(e.Seq*7919%11) * time.Millisecond
			}
			d.judge = func(e hookgate.Entry, attempt int) error {
				switch h := (e.Seq*2654435761 + int64(attempt)*7) % 23; {
				case h < 3:
					return &forward.Refusal{Err: fmt.Errorf("refused %d", e.Seq)}
				case h == 3:
					return &forward.Trouble{Err: errors.New("trouble")}
				case h == 4:
					return errors.New("untyped")
				}
				return nil
			}
			s := settings("d")
			s.Window, s.Retry.Attempts = window, 100
			stop := start(t, forward.NewForwarder(s, d, j, j, forward.WithLimits(l)))
			j.append(events(200, 9)...)
			pass(10 * time.Hour)
			stop()
			if !j.settled("d", 200) || len(d.entries()) != 200 {
				t.Errorf("window %d: cursor %d, %d entries, %d parked", window, j.cursor("d"), len(d.entries()), len(j.of("d").parked))
			}
			checkOrder(t, d.entries())
		}
	})
}

func (f *fake) attemptsOf(seq int64) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[seq]
}

// pass lets time go by in a bubble, and what is due then settle.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// One event that makes its target hang up looks like a target in trouble. While others get through it is the event that is
// refused; while none does, nothing is given up.
func TestASuspectIsConvictedOnlyWhileOthersPass(t *testing.T) {
	t.Parallel()
	for name, allDown := range map[string]bool{"one event": false, "the target": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j, d := newJournal(), newFake()
				down := allDown
				d.judge = func(e hookgate.Entry, _ int) error {
					if down || (e.Seq == 3 && !allDown) {
						return &forward.Trouble{Err: errors.New("EOF"), Suspect: true}
					}
					return nil
				}
				f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(forward.Limits{Concurrent: 8, Batch: 1}))
				stop := start(t, f)
				defer stop()
				for range 30 {
					j.append(events(10, 10)...)
					pass(10 * time.Minute)
				}
				if allDown {
					if s := f.Stats(); s.Dead != 0 || len(d.entries()) != 0 {
						t.Fatalf("while the target is away: %+v", s)
					}
					d.set(func(*fake) { down = false })
					pass(10 * time.Minute)
				}
				want, dead := 299, uint64(1)
				if allDown {
					want, dead = 300, 0
				}
				if s := f.Stats(); s.Dead != dead || len(d.entries()) != want {
					t.Errorf("%d delivered, %d dead, want %d and %d: %+v", len(d.entries()), s.Dead, want, dead, s)
				}
				checkOrder(t, d.entries())
			})
		})
	}
}
