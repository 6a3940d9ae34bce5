package forward

import (
	"context"
	"errors"
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

// errGone is the error of a parked entry that the journal no longer has.
var errGone = errors.New("the journal no longer has the event")

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
	e.batch++
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

// nextNew takes entries of the ring in order, leaving out the lanes that have something in flight.
func (e *engine) nextNew() *job {
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
			it.entry.Seq, it.lane, it.parked, it.state = p.Seq, l, true, inFlight
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
		call, cancel := context.WithTimeout(ctx, f.settings.Timeout)
		if j.retry {
			f.publishParked(call, j)
		} else {
			j.errs = f.checked(len(j.batch), f.destination.Publish(call, j.batch))
		}
		cancel()
		results <- j
	}
}

// publishParked fetches the entries first. One that the journal no longer has is told by errGone.
func (f *Forwarder) publishParked(ctx context.Context, j *job) {
	seqs := make([]int64, len(j.items))
	for i, it := range j.items {
		seqs[i] = it.entry.Seq
	}
	entries, err := f.log.Fetch(ctx, seqs)
	if err != nil {
		j.lost = err
		return
	}
	bySeq := make(map[int64]hookgate.Entry, len(entries))
	for _, entry := range entries {
		bySeq[entry.Seq] = entry
	}
	j.errs = make([]error, len(j.items))
	places := make([]int, 0, len(j.items))
	for i, seq := range seqs {
		if entry, ok := bySeq[seq]; ok {
			j.batch = append(j.batch, entry)
			places = append(places, i)
		} else {
			j.errs[i] = errGone
		}
	}
	if len(j.batch) == 0 {
		return
	}
	for k, err := range f.checked(len(j.batch), f.destination.Publish(ctx, j.batch)) {
		j.errs[places[k]] = err
	}
}

// checked takes an answer of the wrong length for trouble: which entries it speaks of cannot be known.
func (f *Forwarder) checked(n int, errs []error) []error {
	if len(errs) == n {
		return errs
	}
	return allTrouble(n, &Trouble{Err: hookgate.Errorf(hookgate.InternalMistake, "destination %s answered %d of %d entries", f.settings.Name, len(errs), n)})
}
