package forward_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

// calls is a destination that notes its batches.
type calls struct {
	*fake
	batches [][]hookgate.Entry // by call
	ends    []error            // what became of the context of a call, noted when it ended
	closed  int
}

func (c *calls) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	c.set(func(*fake) { c.batches = append(c.batches, slices.Clone(batch)) })
	errs := c.fake.Publish(ctx, batch)
	c.set(func(*fake) { c.ends = append(c.ends, ctx.Err()) })
	return errs
}

func (c *calls) Close() error {
	c.closed++
	return nil
}

// numbered makes a batch of entries of a key of its own, with these sequence numbers.
func numbered(key string, seqs ...int64) []hookgate.Entry {
	out := make([]hookgate.Entry, len(seqs))
	for i, seq := range seqs {
		out[i] = hookgate.Entry{Seq: seq, Event: event(int(seq), key)}
	}
	return out
}

// publishing starts a Publish call and gives the place of its answer.
func publishing(ctx context.Context, d forward.Destination, batch []hookgate.Entry) <-chan []error {
	answer := make(chan []error, 1)
	go func() { answer <- d.Publish(ctx, batch) }()
	synctest.Wait() // it stands in the queue now: the order is that of the test
	return answer
}

func TestSharedPutsWhatWaitsTogether(t *testing.T) {
	t.Parallel()
	large := numbered("large", 50)
	large[0].Event.Data = []byte(`"` + strings.Repeat("x", 2000) + `"`)
	tests := map[string]struct {
		limits  forward.Limits
		waiting [][]hookgate.Entry
		want    []string // the sequence numbers of each call after the first
	}{
		"in order": {forward.Limits{Concurrent: 1, Batch: 10, SameKey: true},
			[][]hookgate.Entry{numbered("b", 1, 2), numbered("c", 10), numbered("d", 20, 21)}, []string{"[1 2 10 20 21]"}},
		"up to a batch": {forward.Limits{Concurrent: 1, Batch: 4, SameKey: true},
			[][]hookgate.Entry{numbered("b", 1, 2, 3), numbered("c", 10, 11), numbered("d", 20, 21), numbered("e", 30)}, []string{"[1 2 3]", "[10 11 20 21]", "[30]"}},
		"a larger one by itself": {forward.Limits{Concurrent: 1, Batch: 2, SameKey: true},
			[][]hookgate.Entry{numbered("b", 1, 2, 3), numbered("c", 10)}, []string{"[1 2 3]", "[10]"}},
		"up to the bytes": {forward.Limits{Concurrent: 1, Batch: 10, Bytes: 1000, SameKey: true},
			[][]hookgate.Entry{numbered("b", 1), large, numbered("d", 20), numbered("e", 30)}, []string{"[1]", "[50]", "[20 30]"}},
		"one at a time": {forward.Limits{Concurrent: 1, Batch: 1},
			[][]hookgate.Entry{numbered("b", 1), numbered("c", 10), numbered("d", 20)}, []string{"[1]", "[10]", "[20]"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &calls{fake: newFake()}
				d.latency = func(hookgate.Entry) time.Duration { return time.Second }
				d.judge = func(e hookgate.Entry, _ int) error {
					if e.Seq%10 == 1 {
						return &forward.Refusal{Err: errors.New(strconv.Itoa(int(e.Seq)))}
					}
					return nil
				}
				sh := shared(t, d, settings("d"), test.limits)
				answers := []<-chan []error{publishing(t.Context(), sh, numbered("a", 100))}
				batches := [][]hookgate.Entry{numbered("a", 100)}
				for _, batch := range test.waiting {
					batches = append(batches, batch)
					answers = append(answers, publishing(t.Context(), sh, batch))
				}
				for i, answer := range answers {
					errs := <-answer
					if len(errs) != len(batches[i]) {
						t.Fatalf("%d answers for %d entries", len(errs), len(batches[i]))
					}
					failed := false // what follows a refused entry of its key is held back
					for k, e := range batches[i] {
						switch {
						case failed && !errors.Is(errs[k], forward.ErrHeld),
							!failed && e.Seq%10 == 1 && (errs[k] == nil || errs[k].Error() != strconv.Itoa(int(e.Seq))),
							!failed && e.Seq%10 != 1 && errs[k] != nil:
							t.Errorf("entry %d was answered %v", e.Seq, errs[k])
						}
						failed = failed || errs[k] != nil
					}
				}
				var got []string
				for _, batch := range d.batches[1:] {
					var seqs []int64
					for _, e := range batch {
						seqs = append(seqs, e.Seq)
					}
					got = append(got, fmt.Sprint(seqs))
				}
				if !slices.Equal(got, test.want) || d.most != 1 {
					t.Errorf("%v, %d at once; want %v", got, d.most, test.want)
				}
			})
		})
	}
}

func TestSharedMakesNoMoreCallsThanAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake()
		d.latency = func(hookgate.Entry) time.Duration { return time.Second }
		s := settings("d")
		s.Timeout = 2 * time.Second // far less than the last has to wait
		sh := shared(t, d, s, forward.Limits{Concurrent: 4, Batch: 1})
		began := time.Now()
		var answers []<-chan []error
		for i := range 40 {
			answers = append(answers, publishing(t.Context(), sh, numbered("k"+strconv.Itoa(i), int64(i))))
		}
		for i, answer := range answers { // first come, first served
			if errs := <-answer; errs[0] != nil || time.Since(began) != time.Duration(i/4+1)*time.Second {
				t.Errorf("call %d: %v after %v", i, errs[0], time.Since(began))
			}
		}
		if d.most != 4 {
			t.Errorf("%d at once", d.most)
		}
	})
}

// A caller that goes away has its answer at once; those that it shared a call with have theirs when the call ends. When all
// are gone the call is cut short.
func TestSharedCallersMayLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &calls{fake: newFake()}
		d.latency = func(hookgate.Entry) time.Duration { return 2 * time.Second }
		sh := shared(t, d, settings("d"), forward.Limits{Concurrent: 1, Batch: 10, SameKey: true})
		began := time.Now()
		answers := make([]<-chan []error, 6)
		leave := make([]context.CancelFunc, 6)
		at := func(i int) {
			ctx, cancel := context.WithCancel(t.Context())
			leave[i], answers[i] = cancel, publishing(ctx, sh, numbered("k"+strconv.Itoa(i), int64(i)))
		}
		expect := func(i int, ok bool, after time.Duration) {
			t.Helper()
			errs := <-answers[i]
			if (errs[0] == nil) != ok || time.Since(began) != after {
				t.Errorf("caller %d: %v after %v, want %v", i, errs[0], time.Since(began), after)
			}
			if !ok && !errors.Is(troubleOf(errs), context.Canceled) {
				t.Errorf("caller %d: %v", i, errs[0])
			}
		}
		at(0) // goes by itself
		at(1) // these two together
		at(2)
		at(3) // leaves the queue
		leave[3]()
		expect(3, false, 0)
		pass(time.Second)
		leave[0]()
		expect(0, false, time.Second)
		pass(time.Second) // now 1 and 2 are under way
		leave[1]()
		expect(1, false, 2*time.Second)
		expect(2, true, 5*time.Second)
		at(0) // again by itself, and two more behind it
		at(4)
		at(5)
		pass(2 * time.Second)
		expect(0, true, 7*time.Second)
		leave[4]()
		leave[5]()
		expect(4, false, 7*time.Second)
		expect(5, false, 7*time.Second)
		synctest.Wait()
		d.set(func(*fake) {
			if len(d.ends) != 4 || d.ends[1] != nil || d.ends[3] == nil {
				t.Errorf("calls ended with %v", d.ends)
			}
		})
		for _, cancel := range leave {
			cancel()
		}
	})
}

// The time-out is that of the real call, and one caller's long wait is no reason to cut it.
func TestSharedBoundsACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake()
		d.stall = make(chan struct{})
		s := settings("d")
		s.Breaker.After = 100
		sh := shared(t, d, s, forward.Limits{Concurrent: 1, Batch: 2, SameKey: true})
		began := time.Now()
		var answers []<-chan []error
		for i := range 5 {
			answers = append(answers, publishing(t.Context(), sh, numbered("k", int64(i))))
		}
		for i, answer := range answers { // alone, two, two
			if errs := <-answer; troubleOf(errs) == nil || time.Since(began) != s.Timeout*time.Duration(1+(i+1)/2) {
				t.Errorf("call %d: %v after %v", i, errs[0], time.Since(began))
			}
		}
	})
}

func TestSharedClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &calls{fake: newFake()}
		d.latency = func(hookgate.Entry) time.Duration { return 3 * time.Second }
		sh := forward.Share(d, settings("d"), forward.Limits{Concurrent: 1, Batch: 1})
		first := publishing(t.Context(), sh, numbered("a", 1))
		second := publishing(t.Context(), sh, numbered("b", 2))
		began := time.Now()
		if err := sh.Close(); err != nil || time.Since(began) != 3*time.Second || d.closed != 1 {
			t.Errorf("%v after %v, closed %d times", err, time.Since(began), d.closed)
		}
		if errs := <-first; errs[0] != nil {
			t.Errorf("the call under way: %v", errs)
		}
		if errs := <-second; troubleOf(errs) == nil {
			t.Errorf("the one that waited: %v", errs)
		}
		if errs := sh.Publish(t.Context(), numbered("c", 3)); troubleOf(errs) == nil {
			t.Errorf("after Close: %v", errs)
		}
		if err := sh.Close(); err != nil || d.closed != 1 {
			t.Errorf("closed again: %v, %d times", err, d.closed)
		}
	})
}

// deaf does not notice that its context has ended.
type deaf struct {
	*calls
	until chan struct{}
}

func (d deaf) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	<-d.until
	return d.calls.Publish(ctx, batch)
}

func TestSharedCloseGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deaf{&calls{fake: newFake()}, make(chan struct{})}
		sh := forward.Share(d, settings("d"), forward.Limits{})
		answer := publishing(t.Context(), sh, numbered("a", 1))
		began := time.Now()
		if err := sh.Close(); err == nil || d.closed != 0 || time.Since(began) > time.Minute {
			t.Errorf("%v after %v, closed %d times", err, time.Since(began), d.closed)
		}
		close(d.until)
		<-answer
		if err := sh.Close(); err != nil || d.closed != 1 {
			t.Errorf("when the call has ended: %v, closed %d times", err, d.closed)
		}
	})
}

// Many forwarders over one destination, which refuses, fails and is slow by turns: every event arrives, in order per key,
// and the destination is fed within its limits.
func TestSharedByManyForwarders(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		d := newFake()
		d.latency = func(e hookgate.Entry) time.Duration { return time.Duration(e.Seq*7919%7) * time.Millisecond }
		d.judge = func(e hookgate.Entry, _ int) error {
			n, _ := strconv.ParseInt(e.Event.ID, 16, 64)
			switch h := (n*2654435761 + int64(d.seen[-n])*7) % 23; {
			case h < 2:
				d.seen[-n]++
				return &forward.Refusal{Err: fmt.Errorf("refused %d", n)}
			case h == 2:
				d.seen[-n]++
				return &forward.Trouble{Err: errors.New("trouble")}
			}
			return nil
		}
		s := settings("d")
		s.Retry.Attempts = 100
		fl := startFleet(t, 8, d, s, l)
		fl.feed(1, 800, 40)
		pass(30 * time.Second)
		fl.feed(801, 400, 40)
		pass(2 * time.Hour)
		fl.stop()
		ids := map[string]bool{}
		last := map[string]string{}
		for _, e := range d.entries() {
			if e.Event.ID <= last[e.Event.PartitionKey] {
				t.Errorf("%s of %s after %s", e.Event.ID, e.Event.PartitionKey, last[e.Event.PartitionKey])
			}
			last[e.Event.PartitionKey], ids[e.Event.ID] = e.Event.ID, true
		}
		if !fl.settled() || len(ids) != 1200 || len(d.entries()) != 1200 {
			t.Errorf("%d entries, %d ids", len(d.entries()), len(ids))
		}
		if d.most > l.Concurrent || d.keyClash {
			t.Errorf("%d calls at once, %d allowed; a key in two calls: %v", d.most, l.Concurrent, d.keyClash)
		}
	})
}

// A destination that is slow for many is slow, and not in trouble: nobody's time-out runs while others are served.
func TestSharedSlownessIsNoTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake()
		d.latency = func(hookgate.Entry) time.Duration { return time.Second }
		s := settings("d")
		s.Timeout, s.Window = 3*time.Second, 1024
		fl := startFleet(t, 16, d, s, forward.Limits{Concurrent: 4, Batch: 1})
		fl.feed(1, 640, 160)
		pass(10 * time.Minute)
		for _, f := range fl.forwarders {
			if st := f.Stats(); st.Failed != 0 || st.State != forward.Running {
				t.Errorf("%+v", st)
			}
		}
		if !fl.settled() || len(d.entries()) != 640 {
			t.Errorf("%d entries", len(d.entries()))
		}
		fl.stop()
	})
}

// What is out without a record is bounded for the destination, not for each of its forwarders.
func TestShardsDivideTheWindow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ window, shards, most int }{
		"divided":                {64, 16, 64},
		"at least one a shard":   {4, 16, 16},
		"does not divide evenly": {50, 16, 48},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newFake()
				s := settings("d")
				s.Window = test.window
				fl := &fleet{shared: forward.Share(d, s, forward.LimitsOf("http"))}
				var stops []func()
				for range test.shards {
					j := newJournal()
					j.failing = errors.New("disk")
					fl.journals = append(fl.journals, j)
					stops = append(stops, start(t, forward.NewForwarder(s, fl.shared, j, j, forward.WithShards(test.shards))))
				}
				fl.feed(1, 1600, 160)
				pass(time.Minute)
				if n := len(d.entries()); n > test.most || n < test.shards {
					t.Errorf("%d published without a record, want up to %d", n, test.most)
				}
				for _, j := range fl.journals {
					j.set(func(j *journal) { j.failing = nil })
				}
				pass(time.Minute)
				for _, stop := range stops {
					stop()
				}
				if err := fl.shared.Close(); err != nil || !fl.settled() {
					t.Errorf("%v, %d entries", err, len(d.entries()))
				}
			})
		})
	}
}

// Callers of all kinds at once, on the real clock: for the race detector.
func TestSharedUnderLoad(t *testing.T) {
	t.Parallel()
	for name, l := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFake()
			sh := forward.Share(d, settings("d"), l)
			var callers sync.WaitGroup
			for c := range 16 {
				callers.Go(func() {
					for i := range 200 {
						ctx, cancel := context.WithCancel(context.Background())
						if i%10 == 9 {
							cancel()
						}
						batch := numbered("k"+strconv.Itoa(c), int64(c*1000+i))
						if errs := sh.Publish(ctx, batch); len(errs) != 1 || (i%10 != 9 && errs[0] != nil) {
							t.Errorf("answered %v", errs)
						}
						clear(batch) // it is the caller's again
						cancel()
					}
				})
			}
			callers.Wait()
			if err := sh.Close(); err != nil {
				t.Error(err)
			}
			if d.most > l.Concurrent || sh.Breaker() != forward.BreakerClosed {
				t.Errorf("%d calls at once, %s", d.most, sh.Breaker())
			}
		})
	}
}

// The trouble of one destination, of whatever kind, costs another one nothing: how long its events take from the journal to
// the confirmation is the same as if it were alone.
func TestNeighboursInTroubleCostNothing(t *testing.T) {
	t.Parallel()
	slowest := func(t *testing.T, trouble func(*fake)) time.Duration {
		good, bad := newFake(), newFake()
		took := map[int64]time.Duration{}
		good.latency = func(hookgate.Entry) time.Duration { return 3 * time.Millisecond }
		good.judge = func(e hookgate.Entry, _ int) error {
			took[e.Seq] = time.Since(e.Event.Received)
			return nil
		}
		trouble(bad)
		j := newJournal()
		j.delay = 2 * time.Millisecond
		var stops []func()
		for name, d := range map[string]*fake{"good": good, "bad": bad} {
			s := settings(name)
			sh := shared(t, d, s, forward.LimitsOf("http"))
			stops = append(stops, start(t, forward.NewForwarder(s, sh, j, j)))
		}
		for i := range 2000 {
			e := event(i+1, "k"+strconv.Itoa(i%50))
			e.Received = time.Now()
			j.append(e)
			pass(time.Millisecond)
		}
		pass(time.Second)
		if len(took) != 2000 {
			t.Errorf("%d of 2000 arrived", len(took))
		}
		for _, stop := range stops {
			stop()
		}
		var most time.Duration
		for _, d := range took {
			most = max(most, d)
		}
		return most
	}
	for name, trouble := range map[string]func(*fake){
		"down": func(d *fake) {
			d.judge = func(hookgate.Entry, int) error { return &forward.Trouble{Err: errors.New("down")} }
		},
		"stalled": func(d *fake) { d.stall = make(chan struct{}) },
		"slow":    func(d *fake) { d.latency = func(hookgate.Entry) time.Duration { return 5 * time.Second } },
		"refusing": func(d *fake) {
			d.judge = func(hookgate.Entry, int) error { return &forward.Refusal{Err: errors.New("no")} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var alone, beside time.Duration
			synctest.Test(t, func(t *testing.T) { alone = slowest(t, func(*fake) {}) })
			synctest.Test(t, func(t *testing.T) { beside = slowest(t, trouble) })
			if alone == 0 || beside > alone*6/5 {
				t.Errorf("%v beside one in trouble, %v alone", beside, alone)
			}
		})
	}
}
