package forward_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

// asked are replays of these sequence numbers, as an operator asks for them.
func (j *journal) asked(seqs ...int64) []hookgate.Parked {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]hookgate.Parked, len(seqs))
	for i, seq := range seqs {
		out[i] = hookgate.Parked{Seq: seq, Key: j.entries[seq-1].Event.PartitionKey}
	}
	return out
}

// upTo are the numbers from 1 to n.
func upTo(n int64) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i + 1)
	}
	return out
}

// replayed are the sequence numbers of the entries that say so, in order of arrival.
func replayed(got []hookgate.Entry) []int64 {
	var out []int64
	for _, e := range got {
		if e.Event.Replayed {
			out = append(out, e.Seq)
		}
	}
	return out
}

// What was confirmed can be sent again, says that it is a replay, keeps its id, and leaves the journal's event as it is.
func TestReplayOfConfirmedEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		j.append(events(200, 10)...)
		pass(10 * time.Second)
		want := []int64{3, 13, 23, 40, 150}
		if err := f.Replay(t.Context(), j.asked(want...)); err != nil {
			t.Fatal(err)
		}
		j.append(events(10, 10)...)
		pass(10 * time.Second)
		again := replayed(d.entries())
		slices.Sort(again)
		if !slices.Equal(again, want) || len(d.entries()) != 215 || !j.settled("d", 210) {
			t.Errorf("replayed %v, %d entries", again, len(d.entries()))
		}
		for _, e := range d.entries() {
			if e.Event.ID != j.entries[e.Seq-1].Event.ID || j.entries[e.Seq-1].Event.Replayed {
				t.Errorf("entry %d: the id or the journal's own event has changed", e.Seq)
			}
		}
	})
}

// The mark outlasts refusals and a crash, and the replay has all attempts again.
func TestReplayIsMarkedToTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		refuse := false
		d.judge = func(e hookgate.Entry, _ int) error {
			if refuse && e.Event.Replayed {
				return &forward.Refusal{Err: errors.New("400")}
			}
			return nil
		}
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		j.append(events(20, 4)...)
		pass(time.Second)
		d.set(func(*fake) { refuse = true })
		dead := hookgate.Parked{Seq: 5, Key: j.asked(5)[0].Key, Attempts: 4, Error: "old", Dead: true, NextAt: time.Now().Add(time.Hour)}
		if err := f.Replay(t.Context(), []hookgate.Parked{dead}); err != nil {
			t.Fatal(err)
		}
		pass(500 * time.Millisecond)
		stop()
		p, _ := j.Progress(t.Context(), "d")
		if len(p.Parked) != 1 || !p.Parked[0].Replayed || p.Parked[0].Attempts != 1 || p.Parked[0].Error != "400" {
			t.Fatalf("parked %+v", p.Parked)
		}
		f = forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l))
		stop = start(t, f)
		defer stop()
		pass(time.Minute)
		buried := j.of("d").dead[5]
		if !buried.Replayed || buried.Attempts != 4 {
			t.Fatalf("dead %+v", j.of("d").dead)
		}
		d.set(func(*fake) { refuse = false })
		if err := f.Replay(t.Context(), []hookgate.Parked{buried}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if got := replayed(d.entries()); !slices.Equal(got, []int64{5}) || len(j.of("d").dead) != 0 || !j.settled("d", 20) {
			t.Errorf("replayed %v, dead %+v", got, j.of("d").dead)
		}
	})
}

// Neither match nor when is asked about a replay, but a quarantined event is never sent.
func TestReplayIsNotSelected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, d := newJournal(), newFake()
		s := settings("d")
		s.Match.Type, s.When = []string{"other.*"}, `subject == "nobody"`
		f := forward.NewForwarder(s, d, j, j)
		stop := start(t, f)
		defer stop()
		all := events(5, 5)
		all[1].Quarantine = "unreadable"
		j.append(all...)
		pass(time.Second)
		if err := f.Replay(t.Context(), j.asked(1, 2, 5)); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		dead := j.of("d").dead
		if got := replayed(d.entries()); !slices.Equal(got, []int64{1, 5}) || len(dead) != 1 || dead[2].Error != "the event is quarantined" {
			t.Errorf("replayed %v, dead %+v", got, dead)
		}
	})
}

// What is still to come, waits or is under way is not sent twice, however often it is asked for.
func TestReplayDoublesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		d.stall = make(chan struct{})
		s := settings("d")
		s.Timeout = time.Hour
		f := forward.NewForwarder(s, d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		j.append(events(200, 10)...)
		pass(time.Second)
		for range 3 {
			if err := f.Replay(t.Context(), j.asked(upTo(200)...)); err != nil {
				t.Fatal(err)
			}
		}
		close(d.stall)
		d.set(func(d *fake) { d.stall = nil })
		pass(time.Minute)
		if len(d.entries()) != 200 || replayed(d.entries()) != nil || !j.settled("d", 200) {
			t.Errorf("%d entries, replayed %v", len(d.entries()), replayed(d.entries()))
		}
		d.set(func(d *fake) {
			d.judge = func(hookgate.Entry, int) error { return &forward.Trouble{Err: errors.New("down")} }
		})
		for range 3 {
			if err := f.Replay(t.Context(), j.asked(7, 8, 7, 9)); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		d.set(func(d *fake) { d.judge = nil })
		pass(time.Minute)
		got := replayed(d.entries())
		slices.Sort(got)
		if !slices.Equal(got, []int64{7, 8, 9}) {
			t.Errorf("replayed %v", got)
		}
	})
}

// An event that is confirmed while an earlier one holds the cursor can be replayed, too.
func TestReplayAheadOfTheCursor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, d := newJournal(), newFake()
		d.latency = func(e hookgate.Entry) time.Duration {
			if e.Seq == 1 {
				return 10 * time.Second
			}
			return 0
		}
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(forward.Limits{Concurrent: 4, Batch: 1}))
		stop := start(t, f)
		defer stop()
		j.append(events(10, 10)...)
		pass(time.Second)
		if err := f.Replay(t.Context(), j.asked(1, 6)); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if got := replayed(d.entries()); !slices.Equal(got, []int64{6}) || len(d.entries()) != 11 || !j.settled("d", 10) {
			t.Errorf("replayed %v, %d entries", got, len(d.entries()))
		}
	})
}

// A replay waits for room, whatever its length, and what is new goes on meanwhile.
func TestReplayWaitsForRoom(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		refuse := true
		d.judge = func(e hookgate.Entry, _ int) error {
			if refuse && e.Event.Replayed {
				return &forward.Refusal{Err: errors.New("400")}
			}
			return nil
		}
		s := settings("d")
		s.Retry.Attempts, s.Window = 1000, 16
		f := forward.NewForwarder(s, d, j, j, forward.WithLimits(l), forward.WithMaxParked(80))
		stop := start(t, f)
		defer stop()
		j.append(events(600, 600)...)
		pass(10 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := f.Replay(ctx, j.asked(upTo(600)...)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Replay: %v", err)
		}
		if st := f.Stats(); st.Parked != 60 || st.State != forward.Running {
			t.Errorf("stats %+v", st)
		}
		j.append(events(700, 700)[600:]...)
		pass(10 * time.Second)
		if n := len(d.entries()); n != 700 {
			t.Errorf("%d entries: the new ones wait for the replay", n)
		}
		d.set(func(*fake) { refuse = false })
		pass(2 * time.Minute)
		if err := f.Replay(t.Context(), j.asked(upTo(600)...)); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if got := replayed(d.entries()); distinctOf(got) != 600 || !j.settled("d", 700) || f.Stats().Parked != 0 {
			t.Errorf("%d replayed, %+v", distinctOf(got), f.Stats())
		}
	})
}

func distinctOf(seqs []int64) int {
	seqs = slices.Clone(seqs)
	slices.Sort(seqs)
	return len(slices.Compact(seqs))
}

// Replay returns when a crash would not lose what was asked for any more, and not before.
func TestReplayIsRecordedWhenItReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, d := newJournal(), newFake()
		f := forward.NewForwarder(settings("d"), d, j, j)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := f.Replay(ctx, []hookgate.Parked{{Seq: 1}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before Run: %v", err)
		}
		run, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Run(run) }()
		j.append(events(20, 4)...)
		pass(time.Second)
		if err := f.Replay(t.Context(), nil); err != nil {
			t.Errorf("of nothing: %v", err)
		}
		d.set(func(d *fake) {
			d.judge = func(hookgate.Entry, int) error { return &forward.Trouble{Err: errors.New("down")} }
		})
		j.set(func(j *journal) { j.failing = errors.New("disk") })
		answer := make(chan error, 1)
		go func() { answer <- f.Replay(t.Context(), j.asked(3, 4)) }()
		pass(10 * time.Second)
		select {
		case err := <-answer:
			t.Fatalf("returned %v, and nothing is recorded", err)
		default:
		}
		j.set(func(j *journal) { j.failing = nil })
		if err := <-answer; err != nil || len(j.of("d").parked) != 2 {
			t.Errorf("%v, parked %+v", err, j.of("d").parked)
		}
		j.set(func(j *journal) { j.failing = errors.New("disk") })
		go func() { answer <- f.Replay(t.Context(), j.asked(5)) }()
		pass(time.Second)
		end()
		if err := <-ended; err == nil {
			t.Error("Run could record nothing and says nothing")
		}
		if err := <-answer; err == nil {
			t.Error("Replay reports what was never recorded")
		}
	})
}

// A replayed event goes before the later ones of its key that still wait.
func TestReplayComesBeforeWhatIsLaterOfItsKey(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		j.append(events(8, 4)...)
		pass(time.Second)
		d.set(func(d *fake) {
			d.judge = func(hookgate.Entry, int) error {
				return &forward.Trouble{Err: errors.New("429"), RetryAfter: time.Minute}
			}
		})
		j.append(events(40, 4)...)
		pass(time.Second)
		d.set(func(d *fake) { d.judge = nil })
		if err := f.Replay(t.Context(), j.asked(upTo(8)...)); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Minute)
		got := d.entries()[8:]
		if len(got) != 48 || len(replayed(got)) != 8 || !j.settled("d", 48) {
			t.Fatalf("%d entries, %d replayed", len(got), len(replayed(got)))
		}
		last := map[string]int64{}
		for _, e := range got {
			if e.Seq < last[e.Event.PartitionKey] {
				t.Errorf("%d of %s after %d", e.Seq, e.Event.PartitionKey, last[e.Event.PartitionKey])
			}
			last[e.Event.PartitionKey] = e.Seq
		}
	})
}

// What was parked ahead of the cursor is read again after a crash. What is known of it stays.
func TestParkedAheadOfTheCursorIsNotForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		j.append(events(5, 5)...)
		j.of("d").parked[3] = hookgate.Parked{Seq: 3, Key: j.entries[2].Event.PartitionKey, Attempts: 2, NextAt: time.Now().Add(time.Minute), Replayed: true}
		stop := start(t, forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l)))
		defer stop()
		pass(time.Second)
		if p := j.of("d").parked[3]; p.Attempts != 2 || !p.Replayed || j.cursor("d") != 5 {
			t.Errorf("parked %+v", p)
		}
		pass(time.Hour)
		if got := replayed(d.entries()); len(d.entries()) != 5 || !slices.Equal(got, []int64{3}) || !j.settled("d", 5) {
			t.Errorf("%d entries, replayed %v", len(d.entries()), got)
		}
	})
}

// What a parked event weighs is not known before it is fetched. A call of large ones stays about as large as the type takes.
func TestParkedCallsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, d := newJournal(), &calls{fake: newFake()}
		const size = 1000
		l := forward.Limits{Concurrent: 1, Batch: 256, Bytes: 4 * size, SameKey: true}
		f := forward.NewForwarder(settings("d"), d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		all := events(200, 20)
		for _, e := range all {
			e.Data = make([]byte, size)
		}
		j.append(all...)
		pass(time.Minute)
		if err := f.Replay(t.Context(), j.asked(upTo(200)...)); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		got := d.entries()[200:]
		if len(replayed(got)) != 200 || !j.settled("d", 200) || f.Stats().Failed != 0 {
			t.Errorf("replayed %d, %+v", len(replayed(got)), f.Stats())
		}
		checkOrder(t, got)
		for _, batch := range d.batches {
			if len(batch) > 16 {
				t.Errorf("%d bytes in one call", len(batch)*size)
			}
		}
	})
}

// A forwarder that has stopped takes nothing over, and whoever waits for room there does not wait for ever. The next run does.
func TestReplayEndsWithTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, d := newJournal(), newFake()
		d.judge = func(e hookgate.Entry, _ int) error {
			if e.Event.Replayed {
				return &forward.Refusal{Err: errors.New("400")}
			}
			return nil
		}
		s := settings("d")
		s.Retry.Attempts, s.Window = 1000, 16
		f := forward.NewForwarder(s, d, j, j, forward.WithMaxParked(80))
		stop := start(t, f)
		j.append(events(200, 200)...)
		pass(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		answer := make(chan error, 1)
		go func() { answer <- f.Replay(ctx, j.asked(upTo(200)...)) }()
		pass(time.Second)
		stop()
		for _, err := range []error{<-answer, f.Replay(ctx, j.asked(200))} {
			if err == nil || ctx.Err() != nil {
				t.Errorf("Replay: %v", err)
			}
		}
		d.set(func(d *fake) { d.judge = nil })
		defer start(t, f)()
		pass(time.Minute)
		if err := f.Replay(ctx, j.asked(200)); err != nil {
			t.Errorf("in the next run: %v", err)
		}
	})
}
