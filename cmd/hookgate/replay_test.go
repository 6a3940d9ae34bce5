package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/journal"
)

// handed is one chunk that was taken over.
type handed struct {
	at    time.Time
	chunk []hookgate.Parked
}

// fakePart is a part of a journal in memory.
type fakePart struct {
	mu       sync.Mutex
	entries  []hookgate.Entry
	progress hookgate.Progress
	dead     []hookgate.Parked
	taken    []handed
	scans    int
	taking   func(ctx context.Context, n int) error // before a chunk is taken; may be nil
}

func (f *fakePart) part() part {
	return part{scan: f.scan, standing: f, hand: f.hand, raw: func(context.Context, int64) (*journal.Raw, bool, error) { return nil, false, nil }}
}

func (f *fakePart) scan(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scans++
	i, _ := slices.BinarySearchFunc(f.entries, after+1, func(e hookgate.Entry, seq int64) int { return int(e.Seq - seq) })
	return slices.Clone(f.entries[i:min(i+limit, len(f.entries))]), ctx.Err()
}

func (f *fakePart) Progress(ctx context.Context, _ string) (hookgate.Progress, error) {
	return f.progress, ctx.Err()
}

func (f *fakePart) DeadLetters(ctx context.Context, _ string, after int64, limit int) ([]hookgate.Parked, error) {
	var list []hookgate.Parked
	for _, d := range f.dead {
		if d.Seq > after && len(list) < limit {
			list = append(list, d)
		}
	}
	return list, ctx.Err()
}

func (f *fakePart) hand(ctx context.Context, _ string, chunk []hookgate.Parked) error {
	f.mu.Lock()
	n := len(f.taken)
	f.mu.Unlock()
	if f.taking != nil {
		if err := f.taking(ctx, n); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = append(f.taken, handed{time.Now(), chunk})
	return nil
}

// seqs are those that were taken, in order.
func (f *fakePart) seqs() (all []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range f.taken {
		for _, p := range h.chunk {
			all = append(all, p.Seq)
		}
	}
	return all
}

// fakeEvent is the n-th event of a made-up journal.
func fakeEvent(n int64, received time.Time) *hookgate.Event {
	source := []string{"care", "chat"}[n%2]
	return &hookgate.Event{
		ID: fmt.Sprintf("%032x", n), Provider: "sprinklr", Source: source, Type: fmt.Sprintf("sprinklr.case.t%d", n%3), EntityType: "case",
		Subject: fmt.Sprint(n % 7), PartitionKey: fmt.Sprintf("/case/%d", n%7), ContentType: hookgate.JSON, Attempt: 1, Data: []byte(`{"n":1}`),
		Received: received, Time: received, TimeSource: hookgate.TimeReceived,
	}
}

// filled is a part with entries 1 to n, a second apart, all passed.
func filled(n int64, start time.Time) *fakePart {
	f := &fakePart{progress: hookgate.Progress{Cursor: n}}
	for seq := int64(1); seq <= n; seq++ {
		f.entries = append(f.entries, hookgate.Entry{Seq: seq, Event: fakeEvent(seq, start.Add(time.Duration(seq)*time.Second))})
	}
	return f
}

func everything(*hookgate.Event) bool { return true }

func replaysOf(fakes ...*fakePart) *replays {
	var parts []part
	for _, f := range fakes {
		parts = append(parts, f.part())
	}
	return newReplays(parts, func() []receiver {
		return []receiver{{"events", everything}, {"odd", func(e *hookgate.Event) bool { return e.Source == "chat" }}}
	}, time.Now)
}

// finished waits for the end of a replay.
func finished(t *testing.T, r *replays, id string) (found admin.Replay) {
	t.Helper()
	eventually(t, "the replay ends", func() (bool, string) {
		for _, s := range r.List() {
			if s.ID == id {
				found = s
			}
		}
		return found.State != admin.ReplayRunning, fmt.Sprintf("%+v", found)
	})
	return found
}

func begin(t *testing.T, r *replays, o admin.ReplayOrder) admin.Replay {
	t.Helper()
	if o.Rate == 0 {
		o.Rate = 10_000
	}
	s, err := r.Begin(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestReplay_Rate: however fast the journal is read, no second sees more than the rate and two chunks, and a destination
// that was in the way is not given a burst afterwards.
func TestReplay_Rate(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{1, 7, 100, 4321, 10_000} {
		for _, blocked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, blocked %v", rate, blocked), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					n := int64(3 * rate)
					f := filled(n, time.Now().Add(-24*time.Hour))
					if blocked {
						f.taking = func(_ context.Context, n int) error {
							if n == 1 {
								<-time.After(time.Minute)
							}
							return nil
						}
					}
					r := replaysOf(f)
					defer r.stop()
					s := begin(t, r, admin.ReplayOrder{Destination: "events", Rate: rate})
					for s.State == admin.ReplayRunning {
						<-time.After(time.Second)
						s = r.List()[0]
					}
					if s.State != admin.ReplayDone || s.Sent != n || int64(len(f.seqs())) != n {
						t.Fatalf("ended as %+v", s)
					}
					chunk := min(max(rate/10, 1), maxChunk)
					for i, first := range f.taken {
						sum := 0
						for _, h := range f.taken[i:] {
							if h.at.Sub(first.at) >= time.Second {
								break
							}
							sum += len(h.chunk)
						}
						if sum > rate+2*chunk {
							t.Fatalf("%d within a second from chunk %d on", sum, i)
						}
					}
					took := f.taken[len(f.taken)-1].at.Sub(f.taken[0].at)
					if !blocked && took > 3*time.Second {
						t.Errorf("%d at %d a second took %s", n, rate, took)
					}
				})
			})
		}
	}
}

// TestReplay_Counts compares what is counted and what is sent with what a plain loop says, for selections at random.
func TestReplay_Counts(t *testing.T) {
	t.Parallel()
	const n = 600
	start := time.Now().Add(-time.Hour)
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		one, two := filled(n, start), filled(n/2, start)
		var s admin.Selection
		maybe := func(set func()) {
			if rng.IntN(3) == 0 {
				set()
			}
		}
		maybe(func() { s.Match.Source = []string{"care"} })
		maybe(func() { s.Match.Type = []string{"sprinklr.case.t1", "*.t2"} })
		maybe(func() { s.Match.Provider = []string{[]string{"sprinklr", "bird"}[rng.IntN(2)]} })
		maybe(func() { s.Match.EntityType = []string{"case", "message"} })
		maybe(func() { s.From = start.Add(time.Duration(rng.IntN(n)) * time.Second) })
		maybe(func() { s.To = start.Add(time.Duration(rng.IntN(n)) * time.Second) })
		maybe(func() { s.IDs = []string{fakeEvent(5, start).ID, fakeEvent(250, start).ID, fakeEvent(599, start).ID} })
		to := []string{"events", "odd"}[rng.IntN(2)]
		r := replaysOf(one, two)
		var want admin.Replay
		sent := map[*fakePart][]int64{}
		for _, f := range []*fakePart{one, two} {
			f.progress.Cursor = rng.Int64N(n)
			for range 5 {
				f.progress.Parked = append(f.progress.Parked, hookgate.Parked{Seq: 1 + rng.Int64N(n)})
			}
			for _, e := range f.entries {
				want.Scanned++
				switch {
				case len(s.IDs) > 0 && !slices.Contains(s.IDs, e.Event.ID), len(s.Match.Source) > 0 && e.Event.Source != "care",
					len(s.Match.Type) > 0 && strings.HasSuffix(e.Event.Type, "t0"), slices.Contains(s.Match.Provider, "bird"),
					!s.From.IsZero() && e.Event.Received.Before(s.From), !s.To.IsZero() && !e.Event.Received.Before(s.To):
				case to == "odd" && e.Event.Source != "chat":
					want.Unwanted++
				case e.Seq > f.progress.Cursor, slices.ContainsFunc(f.progress.Parked, func(p hookgate.Parked) bool { return p.Seq == e.Seq }):
					want.Waiting++
				default:
					want.Matched++
					sent[f] = append(sent[f], e.Seq)
				}
			}
		}
		counts := func(r admin.Replay) [4]int64 { return [4]int64{r.Scanned, r.Matched, r.Waiting, r.Unwanted} }
		dry := finished(t, r, begin(t, r, admin.ReplayOrder{Destination: to, Selection: s, DryRun: true}).ID)
		if counts(dry) != counts(want) || dry.Sent != 0 || len(one.taken)+len(two.taken) > 0 || int64(len(dry.First)) != min(want.Matched, shownFirst) {
			t.Fatalf("seed %d: the dry run says %+v, want %+v", seed, dry, want)
		}
		wet := finished(t, r, begin(t, r, admin.ReplayOrder{Destination: to, Selection: s}).ID)
		if counts(wet) != counts(want) || wet.Sent != want.Matched || !slices.Equal(one.seqs(), sent[one]) || !slices.Equal(two.seqs(), sent[two]) {
			t.Fatalf("seed %d: the replay says %+v, want %+v", seed, wet, want)
		}
		r.stop()
	}
}

// TestReplay_WhatIsHandedOver: the entry's key, so that order holds, and the mark.
func TestReplay_WhatIsHandedOver(t *testing.T) {
	t.Parallel()
	f := filled(3, time.Now().Add(-time.Hour))
	r := replaysOf(f)
	defer r.stop()
	s := finished(t, r, begin(t, r, admin.ReplayOrder{Destination: "events", Selection: admin.Selection{IDs: []string{fakeEvent(2, time.Time{}).ID}}}).ID)
	want := hookgate.Parked{Seq: 2, Key: "/case/2", Replayed: true}
	if len(f.taken) != 1 || len(f.taken[0].chunk) != 1 || f.taken[0].chunk[0] != want {
		t.Errorf("handed over: %+v", f.taken)
	}
	if len(s.First) != 1 || !strings.HasPrefix(string(s.First[0]), `{"specversion":"1.0","id":"00000000000000000000000000000002","source":"/hookgate/sprinklr/care",`) || strings.Contains(string(s.First[0]), `"data"`) {
		t.Errorf("the first is %s", s.First)
	}
}

// TestReplay_DeadLetters: those that fit and still have their events, whatever the cursor and the match say now.
func TestReplay_DeadLetters(t *testing.T) {
	t.Parallel()
	f := filled(700, time.Now().Add(-time.Hour))
	f.progress.Cursor = 0
	for seq := int64(1); seq <= 700; seq++ {
		f.dead = append(f.dead, hookgate.Parked{Seq: seq, Key: "k", Attempts: 12, Dead: true})
	}
	f.entries = slices.Delete(f.entries, 0, 10) // retention
	r := replaysOf(f)
	defer r.stop()
	order := admin.ReplayOrder{Destination: "odd", DeadLetters: true, Selection: admin.Selection{Match: hookgate.Match{Source: []string{"care"}}}, DryRun: true}
	dry := finished(t, r, begin(t, r, order).ID)
	order.DryRun = false
	wet := finished(t, r, begin(t, r, order).ID)
	for _, s := range []admin.Replay{dry, wet} {
		if s.State != admin.ReplayDone || s.Scanned != 700 || s.Matched != 345 || s.Gone != 10 || s.Unwanted+s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	}
	if dry.Sent != 0 || wet.Sent != 345 || len(f.seqs()) != 345 || f.seqs()[0] != 12 {
		t.Errorf("sent %v", f.seqs())
	}
}

// TestReplay_Stop: what is under way ends, nothing more is sent, and it can be begun again.
func TestReplay_Stop(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"by the operator", "by the end of the program"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			f := filled(1000, time.Now().Add(-time.Hour))
			reached := make(chan struct{})
			f.taking = func(ctx context.Context, n int) error {
				if n < 2 {
					return nil
				}
				close(reached)
				<-ctx.Done() // there is no room any more
				return ctx.Err()
			}
			r := replaysOf(f)
			defer r.stop()
			s := begin(t, r, admin.ReplayOrder{Destination: "events", Rate: 1000})
			<-reached
			var err error
			if where == "by the operator" {
				s, err = r.Stop(t.Context(), s.ID)
			} else {
				r.stop()
				s = r.List()[0]
			}
			if err != nil || s.State != admin.ReplayStopped || s.Sent != 200 || len(f.seqs()) != 200 || s.Error != "" || s.Ended.IsZero() {
				t.Errorf("%v, %+v", err, s)
			}
			f.taking = nil
			if where != "by the operator" {
				if _, err := r.Begin(t.Context(), admin.ReplayOrder{Destination: "events", Rate: 1}); err == nil {
					t.Error("one begins after the end of the program")
				}
				return
			}
			if again, err := r.Stop(t.Context(), s.ID); err != nil || again.State != admin.ReplayStopped {
				t.Errorf("stopped twice: %v, %+v", err, again)
			}
			if s = finished(t, r, begin(t, r, admin.ReplayOrder{Destination: "events"}).ID); s.State != admin.ReplayDone || s.Sent != 1000 {
				t.Errorf("begun again: %+v", s)
			}
			if _, err := r.Stop(t.Context(), "unknown"); !errors.Is(err, admin.ErrUnknownReplay) {
				t.Errorf("an unknown one: %v", err)
			}
		})
	}
}

// TestReplay_NobodyTakesIt: a chunk that is not taken over ends the replay, which says so and counts only what was taken.
func TestReplay_NobodyTakesIt(t *testing.T) {
	t.Parallel()
	f := filled(50, time.Now().Add(-time.Hour))
	f.taking = func(_ context.Context, n int) error {
		if n == 2 {
			return errors.New("no node has the destination")
		}
		return nil
	}
	r := replaysOf(f)
	defer r.stop()
	order := admin.ReplayOrder{Destination: "events", Rate: 100}
	s := finished(t, r, begin(t, r, order).ID)
	if s.State != admin.ReplayFailed || s.Error != "no node has the destination" || s.Sent != 20 || len(f.seqs()) != 20 || s.Matched != 50 {
		t.Errorf("%+v", s)
	}
	f.taking = nil
	if s = finished(t, r, begin(t, r, order).ID); s.State != admin.ReplayDone || s.Sent != 50 {
		t.Errorf("begun again: %+v", s)
	}
}

// TestReplay_OneAtATime: one to a destination, and one that counts besides.
func TestReplay_OneAtATime(t *testing.T) {
	t.Parallel()
	f := filled(10, time.Now().Add(-time.Hour))
	f.taking = func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	r := replaysOf(f)
	defer r.stop()
	first := begin(t, r, admin.ReplayOrder{Destination: "events"})
	if _, err := r.Begin(t.Context(), admin.ReplayOrder{Destination: "events", Rate: 1}); !errors.Is(err, admin.ErrReplayRuns) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := r.Begin(t.Context(), admin.ReplayOrder{Destination: "events", Rate: 1, DeadLetters: true}); !errors.Is(err, admin.ErrReplayRuns) {
		t.Errorf("a second one, of dead letters: %v", err)
	}
	begin(t, r, admin.ReplayOrder{Destination: "odd"})
	if s := begin(t, r, admin.ReplayOrder{Destination: "events", DryRun: true}); s.State != admin.ReplayDone || s.Matched != 10 {
		t.Errorf("a dry run: %+v", s)
	}
	if _, err := r.Begin(t.Context(), admin.ReplayOrder{Destination: "other", Rate: 1}); !errors.Is(err, admin.ErrUnknownDestination) {
		t.Errorf("an unknown destination: %v", err)
	}
	for range 2 * keptReplays {
		begin(t, r, admin.ReplayOrder{Destination: "events", DryRun: true})
	}
	list := r.List()
	if last := list[len(list)-1]; len(list) > keptReplays+1 || last.ID != first.ID || last.State != admin.ReplayRunning {
		t.Errorf("%d are kept, the oldest is %+v", len(list), last)
	}
}

// TestReplay_OfAGrowingJournal: what is accepted while a replay looks is not its business, or it would never end.
func TestReplay_OfAGrowingJournal(t *testing.T) {
	t.Parallel()
	f := filled(10, time.Now().Add(-time.Hour))
	f.progress.Cursor = 5
	p := f.part()
	p.scan = func(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
		f.mu.Lock()
		for range 300 {
			seq := f.entries[len(f.entries)-1].Seq + 1
			f.entries = append(f.entries, hookgate.Entry{Seq: seq, Event: fakeEvent(seq, time.Now().Add(time.Minute))})
		}
		f.mu.Unlock()
		return f.scan(ctx, after, limit)
	}
	r := newReplays([]part{p}, func() []receiver { return []receiver{{"events", everything}} }, time.Now)
	defer r.stop()
	s := finished(t, r, begin(t, r, admin.ReplayOrder{Destination: "events"}).ID)
	if s.State != admin.ReplayDone || s.Sent != 5 || s.Waiting != 5 || s.Scanned != 10 {
		t.Errorf("%+v", s)
	}
}
