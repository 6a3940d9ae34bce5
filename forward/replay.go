package forward

import (
	"context"
	"errors"
	"slices"
	"sort"
	"time"

	"github.com/hookgate/hookgate"
)

// replayChunk is how many entries the engine is handed at once: our default.
const replayChunk = 256

// errStopped answers a replay that was not taken over, or not recorded, before the forwarder ended.
var errStopped = errors.New("the forwarder has stopped")

// replayRequest hands entries to the engine, which says how many of them, from the first on, it has done with.
type replayRequest struct {
	parked   []hookgate.Parked
	taken    chan int
	recorded chan error // has its answer once they are durable
}

// Replay sends dead letters, or anything else that the journal still has, once more: with a full schedule of attempts, each
// before the later ones of its key, and marked as replayed. Whoever asks wants them at this destination, so neither match nor
// when is asked again; a quarantined event is never sent. Entries that are still to come or already wait are not doubled.
//
// It returns when the running forwarder has taken all of them over and recorded that. While too much is parked it waits; when
// ctx or the run ends first, some may have been taken over.
func (f *Forwarder) Replay(ctx context.Context, parked []hookgate.Parked) error {
	var last *replayRequest
	ended := f.ended()
	for len(parked) > 0 {
		last = &replayRequest{
			parked: parked[:min(len(parked), replayChunk)],
			taken:  make(chan int, 1), recorded: make(chan error, 1),
		}
		select {
		case f.replays <- last:
			parked = parked[<-last.taken:]
		case <-ended:
			return errStopped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if last == nil {
		return nil
	}
	select { // steps are recorded in turn, so that the last one covers all
	case err := <-last.recorded:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// replayRoom is how many entries may be replayed now. A quarter of the places is left to what the destination refuses, so
// that a long replay does not stop the reading of what is new.
func (e *engine) replayRoom() int {
	return min(e.room(), e.f.maxParked-e.f.maxParked/4-e.parked)
}

// replaysFor is the channel to take replays from, nil while there is no room for any.
func (e *engine) replaysFor(stopping bool) <-chan *replayRequest {
	if stopping || e.replayRoom() <= 0 {
		return nil
	}
	return e.f.replays
}

// replay puts entries back into their lanes, as many as there is room for.
func (e *engine) replay(r *replayRequest) {
	room, n := e.replayRoom(), 0
	for n < len(r.parked) && room > 0 {
		p := r.parked[n]
		n++
		if e.coming(p) {
			continue
		}
		p.Attempts, p.NextAt, p.Error, p.Dead, p.Replayed = 0, time.Time{}, "", false, true
		e.insert(p, false)
		e.ledger.park(p)
		room--
	}
	e.parkAllWaiting()
	e.pass()
	r.taken <- n
	e.ledger.tell(r.recorded)
}

// coming reports whether the entry waits, is in flight or has not been read yet.
func (e *engine) coming(p hookgate.Parked) bool {
	if p.Seq > e.lastRead {
		return true
	}
	if l := e.lanes[p.Key]; l != nil {
		if _, found := l.find(p.Seq); found {
			return true
		}
	}
	n := int(e.tail - e.head)
	i := sort.Search(n, func(i int) bool { return e.at(e.head+int64(i)).entry.Seq >= p.Seq })
	if i == n {
		return false
	}
	it := e.at(e.head + int64(i))
	return it.entry.Seq == p.Seq && it.state != finished
}

// parkAllWaiting parks what waits in the ring and belongs behind a lane's queue.
func (e *engine) parkAllWaiting() {
	for pos := e.scan; pos < e.tail; pos++ {
		it := e.at(pos)
		if it.state != waiting {
			continue
		}
		if l := e.laneOf(it.entry.Event.PartitionKey, false); l != nil && len(l.parked) > 0 {
			e.parkBehind(l, it)
		}
	}
}

// tell answers once all that the engine has said so far is durable.
func (l *ledger) tell(recorded chan<- error) {
	switch {
	case l.pending():
		l.asking = append(l.asking, recorded)
	case l.busy:
		l.asked = append(l.asked, recorded)
	default:
		recorded <- nil
	}
}

// abandon answers those that wait for a record that will not come.
func (l *ledger) abandon() {
	for _, recorded := range slices.Concat(l.asked, l.asking) {
		recorded <- errStopped
	}
	l.asked, l.asking = nil, nil
}
