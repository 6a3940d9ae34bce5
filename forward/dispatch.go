package forward

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/hookgate/hookgate"
)

// job is one Publish call. It holds either entries of the ring or parked ones, which have to be fetched first.
type job struct {
	items []*item
	batch []hookgate.Entry
	errs  []error
	retry bool
	wave  int64
	lost  error // why the parked ones could not be fetched
}

// Why a parked entry cannot be sent at all: it becomes a dead letter at once.
var (
	errGone        = errors.New("the journal no longer has the event")
	errQuarantined = errors.New("the event is quarantined")
)

// dispatch starts as many calls as may run, unless the destination is being left alone.
func (e *engine) dispatch(now time.Time) {
	if now.Before(e.resumeAt) {
		return
	}
	for e.active < e.f.limits.Concurrent {
		j := e.next(now)
		if j == nil {
			return
		}
		e.active++
		e.flying += len(j.items)
		e.jobs <- j
	}
}

// next puts a batch together. Parked entries and new ones take turns, so that neither can starve the other.
func (e *engine) next(now time.Time) *job {
	e.retryTurn = !e.retryTurn
	if e.retryTurn {
		if j := e.nextParked(now); j != nil {
			return j
		}
		return e.nextNew()
	}
	if j := e.nextNew(); j != nil {
		return j
	}
	return e.nextParked(now)
}

// nextNew takes entries of the ring in order. Those that may themselves be what the target cannot take let all others go
// first until one is confirmed, and take turns among themselves: else a few of them could have every place after each pause,
// and nothing would ever tell them from a target that is down.
func (e *engine) nextNew() *job {
	if len(e.suspects) > 0 && !e.serial {
		if j := e.takeNew(noWave); j != nil {
			return j
		}
		if j := e.takeNew(e.longestSpared()); j != nil {
			return j
		}
	}
	return e.takeNew(math.MaxInt64)
}

// noWave is before the first one.
const noWave = -1

// longestSpared is the wave of the suspect that has waited longest for another attempt.
func (e *engine) longestSpared() int64 {
	wave := int64(math.MaxInt64)
	for pos := e.scan; pos < e.tail; pos++ {
		if it := e.at(pos); it.state == waiting && it.lane.busy == 0 {
			if s, ok := e.suspected(it.entry.Seq); ok {
				wave = min(wave, s.wave)
			}
		}
	}
	return wave
}

// takeNew leaves out the lanes that have something in flight, and those that begin with a suspect which was tried after the
// given wave.
func (e *engine) takeNew(upTo int64) *job {
	e.batch++
	limits, j, bytes := e.f.limits, (*job)(nil), 0
	for pos := e.scan; pos < e.tail; pos++ {
		it := e.at(pos)
		if it.state != waiting {
			if pos == e.scan {
				e.scan++
			}
			continue
		}
		if l := it.lane; l != nil && l.busy > 0 && (!limits.SameKey || l.batch != e.batch) {
			continue
		}
		if upTo < math.MaxInt64 && e.spares(it, upTo) {
			continue
		}
		if e.exposed >= e.bound(pos) {
			break
		}
		size := len(it.entry.Event.Data)
		if j != nil && (len(j.items) == limits.Batch || (limits.Bytes > 0 && bytes+size > limits.Bytes)) {
			break
		}
		if j == nil {
			j = e.newJob(false)
		}
		bytes += size
		it.state, it.exposed = inFlight, true
		e.exposed++
		if l := it.lane; l != nil {
			l.busy++
			l.batch = e.batch
		}
		j.items = append(j.items, it)
		j.batch = append(j.batch, it.entry)
	}
	return j
}

// spares reports whether the entry, or one before it in its lane, is such a suspect.
func (e *engine) spares(it *item, upTo int64) bool {
	if s, ok := e.suspected(it.entry.Seq); ok && s.wave > upTo {
		it.lane.spared = e.batch
	}
	return it.lane.spared == e.batch
}

// bound is how many entries may be exposed before the one at pos goes. The last place is kept for the oldest entry:
// the cursor, and with it everything behind, waits for that one.
func (e *engine) bound(pos int64) int {
	if pos == e.head {
		return e.window
	}
	return max(1, e.window-1)
}

// nextParked takes the heads of the lanes that are due. Where a batch may hold several of one key, those follow that
// have only waited, once the head itself is not one that was refused.
func (e *engine) nextParked(now time.Time) *job {
	e.batch++
	var j *job
	for len(e.due) > 0 && !e.due[0].due().After(now) {
		l := e.due[0]
		if j != nil && len(j.items) == e.f.limits.Batch {
			break
		}
		taken := 0
		for i := range l.parked {
			p := &l.parked[i]
			if i > 0 && (!e.f.limits.SameKey || l.parked[0].Attempts > 0 || p.Attempts > 0 || len(j.items) == e.f.limits.Batch) {
				break
			}
			if e.exposed >= max(1, e.window-1) {
				break
			}
			p.exposed = true
			e.exposed++
			if j == nil {
				j = e.newJob(true)
			}
			it := e.newItem()
			it.entry.Seq, it.lane, it.parked, it.replayed, it.state = p.Seq, l, true, p.Replayed, inFlight
			j.items = append(j.items, it)
			taken++
		}
		if taken == 0 {
			break
		}
		l.busy += taken
		l.batch = e.batch
		e.settleLane(l)
	}
	return j
}

func (e *engine) newJob(retry bool) *job {
	j := &job{}
	if n := len(e.unused); n > 0 {
		j, e.unused = e.unused[n-1], e.unused[:n-1]
	}
	j.retry, j.wave, j.lost = retry, e.wave, nil
	return j
}

// recycle keeps the job's lists for the next one and lets go of what is in them.
func (e *engine) recycle(j *job) {
	clear(j.items)
	clear(j.batch)
	j.items, j.batch, j.errs = j.items[:0], j.batch[:0], nil
	e.unused = append(e.unused, j)
}

// publish runs the calls. The channels have a place for every call, so that it never waits for the engine. A panic of a
// destination ends the program: what state it is in, nobody knows.
func (f *Forwarder) publish(ctx context.Context, jobs <-chan *job, results chan<- *job) {
	for j := range jobs {
		if j.retry {
			f.publishParked(ctx, j)
		} else {
			j.errs = f.send(ctx, j.batch)
		}
		results <- j
	}
}

// send is one Publish call. A shared destination keeps the time-out itself: a call may have to wait for those of others.
func (f *Forwarder) send(ctx context.Context, batch []hookgate.Entry) []error {
	if f.shared == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.settings.Timeout)
		defer cancel()
	}
	return checked(f.settings.Name, len(batch), f.destination.Publish(ctx, batch))
}

// publishParked fetches the entries first. One that the journal no longer has is told by errGone, and those that would make
// the call too large have their turn next.
func (f *Forwarder) publishParked(ctx context.Context, j *job) {
	if f.shared != nil {
		if t := f.shared.leftAlone(); t != nil {
			j.errs = allTrouble(len(j.items), t)
			return
		}
	}
	var events map[int64]*hookgate.Event
	var asked int
	if events, asked, j.lost = f.fetch(ctx, j.items); j.lost != nil {
		return
	}
	j.errs = make([]error, len(j.items))
	places := make([]int, 0, len(j.items))
	for i, it := range j.items {
		event := events[it.entry.Seq]
		switch {
		case i >= asked:
			j.errs[i] = ErrHeld
			continue
		case event == nil:
			j.errs[i] = errGone
			continue
		case event.Quarantine != "":
			j.errs[i] = errQuarantined
			continue
		case it.replayed:
			marked := *event // the one of the journal is shared
			marked.Replayed = true
			event = &marked
		}
		j.batch = append(j.batch, hookgate.Entry{Seq: it.entry.Seq, Event: event})
		places = append(places, i)
	}
	if len(j.batch) == 0 {
		return
	}
	for k, err := range f.send(ctx, j.batch) {
		j.errs[places[k]] = err
	}
}

// fetchAtOnce is how many parked entries are fetched before their bytes are counted, which are not known before: our default.
const fetchAtOnce = 16

// fetch reads parked entries, by sequence number, until their payloads fill a call. It tells how many it has asked for.
func (f *Forwarder) fetch(ctx context.Context, items []*item) (events map[int64]*hookgate.Event, asked int, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.settings.Timeout)
	defer cancel()
	events = make(map[int64]*hookgate.Event, len(items))
	bytes := 0
	for asked < len(items) && (f.limits.Bytes == 0 || bytes < f.limits.Bytes) {
		var seqs []int64
		for _, it := range items[asked:min(asked+fetchAtOnce, len(items))] {
			seqs = append(seqs, it.entry.Seq)
		}
		entries, err := f.log.Fetch(ctx, seqs)
		if err != nil {
			return nil, 0, err
		}
		for _, entry := range entries {
			events[entry.Seq] = entry.Event
			bytes += len(entry.Event.Data)
		}
		asked += len(seqs)
	}
	return events, asked, nil
}

// checked takes an answer of the wrong length for trouble: which entries it speaks of cannot be known.
func checked(name string, n int, errs []error) []error {
	if len(errs) == n {
		return errs
	}
	return allTrouble(n, &Trouble{Err: hookgate.Errorf(hookgate.InternalMistake, "destination %s answered %d of %d entries", name, len(errs), n)})
}
