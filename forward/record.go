package forward

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hookgate/hookgate"
)

// How long progress may wait to be recorded together with what follows: our defaults. A full quarter of the window goes
// at once.
const (
	recordDelay = 20 * time.Millisecond
	cursorDelay = time.Second // where nothing was published and only unwanted entries were passed
)

// ledger gathers what is to be recorded next while a Record is under way.
type ledger struct {
	cursor   int64 // recorded
	sending  int64 // the cursor of the step under way
	busy     bool  // a step is under way
	parks    map[int64]hookgate.Parked
	dones    map[int64]struct{}
	released int // exposed entries that the next step covers
	sent     int // those of the step under way
	since    time.Time
	asking   []chan<- error // replays that the next step makes durable
	asked    []chan<- error // those of the step under way
}

func newLedger(cursor int64) ledger {
	return ledger{cursor: cursor, sending: cursor, parks: make(map[int64]hookgate.Parked), dones: make(map[int64]struct{})}
}

// park and finish: of one entry only the last word counts.
func (l *ledger) park(p hookgate.Parked) {
	delete(l.dones, p.Seq)
	l.parks[p.Seq] = p
}

func (l *ledger) finish(seq int64) {
	delete(l.parks, seq)
	l.dones[seq] = struct{}{}
}

// confirm takes note that the step under way is durable, and gives the number of entries it covers.
func (l *ledger) confirm() int {
	l.busy, l.cursor = false, l.sending
	for _, recorded := range l.asked {
		recorded <- nil
	}
	l.asked = nil
	return l.sent
}

func (l *ledger) pending() bool { return l.released > 0 || len(l.parks) > 0 || len(l.dones) > 0 }

// dueAt is when the next step is to be sent, if there is anything to record and none under way.
func (l *ledger) dueAt(e *engine) (time.Time, bool) {
	if l.busy || l.since.IsZero() {
		return time.Time{}, false
	}
	switch {
	case l.released > 0 && (l.released >= e.window/4 || e.exposed >= e.window-1):
		return l.since, true
	case l.pending():
		return l.since.Add(recordDelay), true
	}
	return l.since.Add(cursorDelay), true
}

// flush hands a step to the recorder when it is due.
func (e *engine) flush(now time.Time, stopping bool) {
	l := &e.ledger
	cursor := e.cursor()
	if l.since.IsZero() && (l.pending() || cursor > l.sending) {
		l.since = now
	}
	at, ok := l.dueAt(e)
	if !ok || (at.After(now) && !stopping) {
		return
	}
	step := hookgate.Step{}
	if cursor > l.cursor {
		step.Cursor = cursor
	}
	if len(l.parks) > 0 {
		step.Park = slices.SortedFunc(maps.Values(l.parks), func(a, b hookgate.Parked) int { return int(a.Seq - b.Seq) })
		clear(l.parks)
	}
	if len(l.dones) > 0 {
		step.Done = slices.Sorted(maps.Keys(l.dones))
		clear(l.dones)
	}
	l.sending, l.busy, l.since = cursor, true, time.Time{}
	l.sent, l.released = l.released, 0
	l.asked, l.asking = l.asking, nil
	e.steps <- step
}

// record makes the steps durable, one after the other. A journal that fails is tried again with the same step, since the
// next one rests on it; meanwhile publishing goes on until the window is full.
func (f *Forwarder) record(ctx context.Context, steps <-chan hookgate.Step, recorded chan<- error) {
	for step := range steps {
		err := f.ledger.Record(ctx, f.settings.Name, step)
		for n := 0; err != nil && ctx.Err() == nil; n++ {
			f.noteError(err)
			if wait(ctx, doubled(100*time.Millisecond, 5*time.Second, n)) {
				err = f.ledger.Record(ctx, f.settings.Name, step)
			}
		}
		recorded <- err
	}
}

// wait reports whether the whole time has passed.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
