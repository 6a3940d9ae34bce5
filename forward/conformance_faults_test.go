package forward_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

// has tells which of the hooks that not every type knows a harness has.
func (h *harness) has() map[string]bool {
	return map[string]bool{
		"proxied": h.proxied != nil, "denied": h.denied != nil, "absent": h.absent != nil,
		"oversized": h.oversized != nil, "poison": h.poison != nil,
	}
}

// What a type lacks it lacks for a reason: a harness has a hook or says why not. The log of this test is the table.
func TestConformanceWhatATypeLacks(t *testing.T) {
	t.Parallel()
	eachType(t, func(t *testing.T, h *harness) {
		has := h.has()
		for hook, there := range has {
			switch reason := h.lacks[hook]; {
			case there == (reason != ""):
				t.Errorf("%s: a hook or a reason why there is none, and not both", hook)
			case !there:
				t.Logf("%s: not tested, because %s", hook, reason)
			}
		}
		for hook := range h.lacks {
			if _, known := has[hook]; !known {
				t.Errorf("there is no hook %s", hook)
			}
		}
	})
}

// eachWith runs over the types that know what the hook is about. The others are listed by the test above.
func eachWith(t *testing.T, hook string, test func(t *testing.T, h *harness)) {
	t.Helper()
	eachType(t, func(t *testing.T, h *harness) {
		if h.has()[hook] {
			test(t, h)
		}
	})
}

// publish hands the entries over in calls as large as the type takes, each with one entry a key unless it may hold more.
func publish(ctx context.Context, d forward.Destination, l forward.Limits, batch []hookgate.Entry) []error {
	var errs []error
	for len(batch) > 0 {
		n, keys := 0, map[string]bool{}
		for n < min(l.Batch, len(batch)) && (l.SameKey || !keys[batch[n].Event.PartitionKey]) {
			keys[batch[n].Event.PartitionKey] = true
			n++
		}
		errs = append(errs, d.Publish(ctx, batch[:n])...)
		batch = batch[n:]
	}
	return errs
}

func wantTrouble(t *testing.T, errs []error) {
	t.Helper()
	wantTroubleWith(t, errs, "")
}

// Wrong credentials are trouble of the whole destination, said so and without the secret.
func TestConformanceCredentialsRefused(t *testing.T) {
	t.Parallel()
	says := regexp.MustCompile(`(?i)credential|password|authori|authent|access.refused|sasl`)
	eachWith(t, "denied", func(t *testing.T, h *harness) {
		s := completed(t, h.settings.Type, h.denied(t))
		if !strings.Contains(string(s.URL.Reveal()), wrongSecret) {
			t.Fatal("the harness gives other credentials")
		}
		errs := publish(t.Context(), openWith(t, s, h.options), forward.LimitsOf(s.Type), batchOf(events(3, 3)...))
		wantTrouble(t, errs)
		for _, err := range errs {
			if text := err.Error(); !says.MatchString(text) || strings.Contains(text, wrongSecret) {
				t.Errorf("%s", text)
			}
		}
		if held := h.held(t); len(held) != 0 {
			t.Errorf("%d arrived", len(held))
		}
	})
}

// What the settings name and nobody has made is trouble that names it, or keeps the destination from being opened.
func TestConformanceTargetMissing(t *testing.T) {
	t.Parallel()
	eachWith(t, "absent", func(t *testing.T, h *harness) {
		settings, name := h.absent(t)
		s := completed(t, h.settings.Type, settings)
		d, err := forward.New(s, h.options)
		errs := []error{err}
		if err == nil {
			defer d.Close()
			errs = publish(t.Context(), d, forward.LimitsOf(s.Type), batchOf(events(3, 3)...))
			wantTrouble(t, errs)
		}
		for _, err := range errs {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%v, want %s", err, name)
			}
		}
	})
}

// A message that is too large for the target is refused, and its neighbours arrive.
func TestConformanceOversized(t *testing.T) {
	t.Parallel()
	eachWith(t, "oversized", func(t *testing.T, h *harness) {
		all := events(5, 5)
		h.oversized(all[2])
		for i, err := range publish(t.Context(), open(t, h), forward.LimitsOf(h.settings.Type), batchOf(all...)) {
			if i == 2 && !isRefusal(err) || i != 2 && err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		ids, want := idsOf(t, h.held(t)), []string{all[0].ID, all[1].ID, all[3].ID, all[4].ID}
		if slices.Sort(ids); !slices.Equal(ids, want) {
			t.Errorf("%v arrived, want %v", ids, want)
		}
	})
}

// An event that the target refuses holds up its own key alone, for as long as it waits for another attempt.
func TestConformancePoisonIsIsolated(t *testing.T) {
	t.Parallel()
	eachWith(t, "poison", func(t *testing.T, h *harness) {
		h.settings.Retry = hookgate.RetrySettings{Attempts: 2, Backoff: time.Hour, MaxBackoff: time.Hour}
		all := events(60, 6)
		h.poison(all[6]) // the second of its key, and eight behind it
		j := newJournal()
		f := forward.NewForwarder(h.settings, open(t, h), j, j)
		defer start(t, f)()
		j.append(all...)
		eventually(t, "the other keys", func() bool { return f.Stats().Delivered == 51 })
		eventually(t, "what waits", func() bool { return f.Stats().Parked == 9 })
		j.append(events(120, 6)[61:66]...)
		eventually(t, "what came later", func() bool { return f.Stats().Delivered == 56 })
		if s := f.Stats(); s.Dead != 0 || s.State != forward.Running {
			t.Errorf("%+v", s)
		}
	})
}

// After its attempts the refused event is a dead letter, and what waited for it arrives in order.
func TestConformancePoisonBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	eachWith(t, "poison", func(t *testing.T, h *harness) {
		const n = 120
		all := events(n, 6)
		poison := all[61]
		h.poison(poison)
		j := newJournal()
		f := forward.NewForwarder(h.settings, open(t, h), j, j)
		defer start(t, f)()
		j.append(all...)
		eventually(t, "all settled", func() bool { return j.settled(h.settings.Name, n) })
		if s := f.Stats(); s.Dead != 1 || s.Delivered != n-1 {
			t.Errorf("%+v", s)
		}
		j.set(func(j *journal) {
			if dead := j.of(h.settings.Name).dead[62]; dead.Attempts != h.settings.Retry.Attempts || dead.Error == "" {
				t.Errorf("%+v", dead)
			}
		})
		ids := idsOf(t, h.held(t))
		if len(ids) != n-1 || slices.Contains(ids, poison.ID) {
			t.Errorf("%d arrived", len(ids))
		}
		arrivedInOrder(t, all, ids)
	})
}

// arrivedInOrder checks that the first copies of a key's events are in order, and gives the number of later copies.
func arrivedInOrder(t *testing.T, all []*hookgate.Event, ids []string) (repeated int) {
	t.Helper()
	place, seen, last := map[string]int{}, map[string]bool{}, map[string]int{}
	for i, e := range all {
		place[e.ID] = i + 1
	}
	for _, id := range ids {
		if seen[id] {
			repeated++
			continue
		}
		seen[id] = true
		i := place[id]
		if i == 0 {
			t.Fatalf("%s was never sent", id)
		}
		key := all[i-1].PartitionKey
		if i < last[key] {
			t.Errorf("event %d of %s after event %d", i, key, last[key])
		}
		last[key] = i
	}
	return repeated
}

// A batch with several entries of a key arrives in its order. Where a cut ends it half-way, no entry is confirmed behind
// one of its key that was not, and sending the rest again brings everything in order.
func TestConformanceOrderWithinABatch(t *testing.T) {
	t.Parallel()
	eachType(t, func(t *testing.T, h *harness) {
		limits := forward.LimitsOf(h.settings.Type)
		if !limits.SameKey {
			t.Logf("one entry of a key in a call: the engine keeps the order")
		}
		d, link := open(t, h), (*proxy)(nil)
		if h.proxied != nil {
			var s hookgate.DestinationSettings
			s, link = h.proxied(t)
			d = openWith(t, completed(t, h.settings.Type, s), h.options)
		}
		const rounds, size = 12, 24
		all := events(rounds*size, 3)
		batch := batchOf(all...)
		for round := range rounds {
			rest := batch[round*size : (round+1)*size]
			if link != nil && round > 0 {
				link.cutAfter(int64(100 + round*700))
			}
			for tries := 0; len(rest) > 0; tries++ {
				if tries == 100 {
					t.Fatalf("round %d does not end", round)
				}
				rest = unconfirmed(t, rest, publishUntilTrouble(t.Context(), d, limits, rest))
			}
		}
		arrivedInOrder(t, all, idsOf(t, h.held(t)))
		if ids := idsOf(t, h.held(t)); len(ids) < len(all) {
			t.Errorf("%d arrived", len(ids))
		}
	})
}

// publishUntilTrouble holds back what comes after a call that failed, as the engine does.
func publishUntilTrouble(ctx context.Context, d forward.Destination, l forward.Limits, batch []hookgate.Entry) []error {
	if l.SameKey {
		return publish(ctx, d, l, batch)
	}
	errs := make([]error, len(batch))
	bad := map[string]bool{}
	for i, e := range batch {
		if bad[e.Event.PartitionKey] {
			errs[i] = forward.ErrHeld
			continue
		}
		errs[i] = d.Publish(ctx, batch[i:i+1])[0]
		bad[e.Event.PartitionKey] = errs[i] != nil
	}
	return errs
}

// unconfirmed gives what has to be sent again, and checks that nothing is confirmed behind something of its key.
func unconfirmed(t *testing.T, batch []hookgate.Entry, errs []error) []hookgate.Entry {
	t.Helper()
	var rest []hookgate.Entry
	failed := map[string]bool{}
	for i, e := range batch {
		switch key := e.Event.PartitionKey; {
		case errs[i] != nil:
			if isRefusal(errs[i]) {
				t.Errorf("event %d is refused for a cut connection: %v", e.Seq, errs[i])
			}
			failed[key] = true
			rest = append(rest, e)
		case failed[key]:
			t.Errorf("event %d is confirmed behind one of %s that is not", e.Seq, key)
		}
	}
	return rest
}

// The connection is cut again and again in the middle of what is sent: the destination connects anew by itself,
// everything arrives, in order per key, and each cut repeats at most a window.
func TestConformanceReconnect(t *testing.T) {
	t.Parallel()
	eachWith(t, "proxied", func(t *testing.T, h *harness) {
		settings, link := h.proxied(t)
		s := completed(t, h.settings.Type, settings)
		j := newJournal()
		f := forward.NewForwarder(s, openWith(t, s, h.options), j, j)
		defer start(t, f)()
		const rounds, size = 6, 150
		all := events(rounds*size, 20)
		for round := range rounds {
			link.cutAfter(int64(1 + round*9_000))
			j.append(all[round*size : (round+1)*size]...)
			eventually(t, "a round", func() bool { return j.settled(s.Name, (round+1)*size) })
		}
		if st := f.Stats(); st.Dead != 0 || st.Delivered != rounds*size || st.Failed == 0 && !h.mends {
			t.Errorf("%+v", st)
		}
		ids := idsOf(t, h.held(t))
		repeated := arrivedInOrder(t, all, ids)
		if len(ids)-repeated != len(all) || repeated > rounds*s.Window {
			t.Errorf("%d of %d arrived, %d repeated", len(ids)-repeated, len(all), repeated)
		}
	})
}

// The target takes everything and its answers are lost, then the gateway is killed: no more is sent than the window has
// room for, nothing is recorded, and the next run repeats at most that.
func TestConformanceWindow(t *testing.T) {
	t.Parallel()
	eachWith(t, "proxied", func(t *testing.T, h *harness) {
		settings, link := h.proxied(t)
		s := completed(t, h.settings.Type, settings)
		s.Window, s.Timeout = 16, time.Minute
		const n = 200
		all := events(n, 40)
		j := newJournal()
		f := forward.NewForwarder(s, openWith(t, s, h.options), j, j, forward.WithGrace(time.Millisecond))
		stop := start(t, f)
		j.append(all[0])
		eventually(t, "the first event", func() bool { return j.settled(s.Name, 1) })
		link.mute()
		before := link.passed()
		j.append(all[1:]...)
		eventually(t, "something on its way", func() bool { return f.Stats().InFlight > 0 && link.passed() > before })
		stop()
		if st := f.Stats(); st.Delivered != 1 || st.Exposed > s.Window || j.cursor(s.Name) > 1 {
			t.Errorf("%+v, recorded up to %d", st, j.cursor(s.Name))
		}
		link.unmute()
		f = forward.NewForwarder(s, openWith(t, s, h.options), j, j)
		defer start(t, f)()
		eventually(t, "all settled", func() bool { return j.settled(s.Name, n) })
		ids := idsOf(t, h.held(t))
		if repeated := arrivedInOrder(t, all, ids); len(ids)-repeated != n || repeated > s.Window {
			t.Errorf("%d of %d arrived, %d repeated", len(ids)-repeated, n, repeated)
		}
	})
}

// audit is a journal that asks the test, before it records a step, whether the target holds all that it calls confirmed.
type audit struct {
	*journal
	ask chan auditQuestion
}

type auditQuestion struct {
	seqs []int64
	done chan struct{}
}

func (a *audit) Record(ctx context.Context, destination string, step hookgate.Step) error {
	parked := map[int64]bool{}
	a.set(func(j *journal) {
		for seq := range j.of(destination).parked {
			parked[seq] = true
		}
		for seq := range j.of(destination).dead {
			parked[seq] = true
		}
	})
	for _, p := range step.Park {
		parked[p.Seq] = true
	}
	for _, seq := range step.Done {
		delete(parked, seq)
	}
	q := auditQuestion{seqs: slices.Clone(step.Done), done: make(chan struct{})}
	for seq := int64(1); seq <= step.Cursor; seq++ {
		if !parked[seq] {
			q.seqs = append(q.seqs, seq)
		}
	}
	select {
	case a.ask <- q:
		<-q.done
	case <-ctx.Done():
		return ctx.Err()
	}
	return a.journal.Record(ctx, destination, step)
}

// Nothing is recorded as confirmed that the target does not hold at that moment, while it goes and comes, or while the
// connection is cut.
func TestConformanceConfirmedBeforeRecorded(t *testing.T) {
	t.Parallel()
	eachType(t, func(t *testing.T, h *harness) {
		s, d := h.settings, forward.Destination(nil)
		disturb := func(round int) {
			if round == 1 {
				h.down()
				h.up()
			}
		}
		if h.proxied != nil {
			settings, link := h.proxied(t)
			s = completed(t, s.Type, settings)
			disturb = func(round int) { link.cutAfter(int64(1 + round*5_000)) }
		}
		d = openWith(t, s, h.options)
		a := &audit{journal: newJournal(), ask: make(chan auditQuestion)}
		f := forward.NewForwarder(s, d, a, a)
		const rounds, size = 3, 60
		all := events(rounds*size, 10)
		stop := start(t, f)
		stopped := make(chan struct{})
		asked := 0
		answer := func(q auditQuestion) {
			defer close(q.done)
			asked++
			held := map[string]bool{}
			for _, id := range idsOf(t, h.held(t)) {
				held[id] = true
			}
			for _, seq := range q.seqs {
				if !held[all[seq-1].ID] {
					t.Errorf("event %d is recorded and not there", seq)
				}
			}
		}
		deadline := time.NewTimer(30 * time.Second)
		defer deadline.Stop()
		for round := range rounds {
			disturb(round)
			a.append(all[round*size : (round+1)*size]...)
			for !a.settled(s.Name, (round+1)*size) {
				select {
				case q := <-a.ask:
					answer(q)
				case <-time.After(time.Millisecond):
				case <-deadline.C:
					t.Fatal("never settled")
				}
			}
		}
		go func() { defer close(stopped); stop() }()
		for ended := false; !ended; {
			select {
			case q := <-a.ask:
				answer(q)
			case <-stopped:
				ended = true
			}
		}
		if asked == 0 {
			t.Error("nothing was recorded")
		}
	})
}
