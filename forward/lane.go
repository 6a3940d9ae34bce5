package forward

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/hookgate/hookgate"
)

// lane is one partition key: what of it is under way, and the queue of what is parked.
type lane struct {
	key     string
	waiting int   // entries of the ring that wait or are in flight, which a serial engine does not count
	busy    int   // entries in flight
	batch   int64 // the batch that the busy ones went with
	spared  int64 // the search for entries that left it out because of a suspect
	parked  []parkedEntry
	index   int // in the heap, counted from one; 0 while it is not there
}

type parkedEntry struct {
	hookgate.Parked
	exposed bool // in flight, and so counted in the engine's exposed
}

// due is when the head of the queue may be tried.
func (l *lane) due() time.Time { return l.parked[0].NextAt }

func (l *lane) find(seq int64) (int, bool) {
	return slices.BinarySearchFunc(l.parked, seq, func(p parkedEntry, seq int64) int { return cmp.Compare(p.Seq, seq) })
}

// laneOf finds the lane of a key and makes it where asked to; nil otherwise.
func (e *engine) laneOf(key string, create bool) *lane {
	if len(e.lanes) == 0 && !create {
		return nil
	}
	l := e.lanes[key]
	if l == nil && create {
		l = &lane{key: key}
		e.lanes[key] = l
	}
	return l
}

// settleLane puts the lane into or out of the schedule after something of it changed, and drops an empty one.
func (e *engine) settleLane(l *lane) {
	scheduled := len(l.parked) > 0 && l.busy == 0
	switch {
	case scheduled && l.index == 0:
		heap.Push(&e.due, l)
	case scheduled:
		heap.Fix(&e.due, l.index-1)
	case l.index != 0:
		heap.Remove(&e.due, l.index-1)
	}
	if len(l.parked) == 0 && l.busy == 0 && l.waiting == 0 {
		delete(e.lanes, l.key)
	}
}

// insert puts an entry into its lane's queue, by sequence number.
func (e *engine) insert(p hookgate.Parked, exposed bool) *lane {
	l := e.laneOf(p.Key, true)
	i, found := l.find(p.Seq)
	if !found {
		l.parked = slices.Insert(l.parked, i, parkedEntry{Parked: p, exposed: exposed})
		e.parked++
	}
	e.settleLane(l)
	return l
}

// park takes an entry of the ring out of the way and, with it, those of its key that wait behind it.
func (e *engine) park(it *item, p hookgate.Parked) {
	e.leave(it)
	l := e.insert(p, false)
	e.ledger.park(p)
	e.parkWaiting(l)
}

// parkWaiting parks what waits in the ring and belongs behind the lane's queue.
func (e *engine) parkWaiting(l *lane) {
	for pos := e.scan; pos < e.tail; pos++ {
		if it := e.at(pos); it.state == waiting && it.entry.Event.PartitionKey == l.key {
			e.parkBehind(l, it)
		}
	}
}

// parkBehind parks an entry of the ring that was not refused and only has to wait for an earlier one of its key.
func (e *engine) parkBehind(l *lane, it *item) {
	p := hookgate.Parked{Seq: it.entry.Seq, Key: l.key}
	e.leave(it)
	if _, found := l.find(p.Seq); found {
		return // it was parked before a restart and is read again: what is known of it stays
	}
	e.insert(p, false)
	e.ledger.park(p)
}

// leave ends an entry's time in the ring.
func (e *engine) leave(it *item) {
	if it.lane != nil {
		it.lane.waiting--
	}
	e.finish(it)
}

// unpark removes an entry from its lane's queue; its exposure ends with the next record.
func (e *engine) unpark(l *lane, seq int64) {
	if i, found := l.find(seq); found {
		if l.index != 0 { // its place there may change; settleLane puts it back
			heap.Remove(&e.due, l.index-1)
		}
		e.release(&l.parked[i])
		l.parked = slices.Delete(l.parked, i, i+1)
		e.parked--
	}
}

func (e *engine) release(p *parkedEntry) {
	if p.exposed {
		p.exposed = false
		e.ledger.released++
	}
}

// overtake lets the cursor pass an entry that is in flight for so long that half a window has been finished behind it:
// a slow one must not hold up the other keys. It is recorded as parked, in case of a crash, and stays in flight.
func (e *engine) overtake() {
	if e.serial {
		return // then nothing passes anything
	}
	for e.head < e.tail && e.at(e.head).state == inFlight && int(e.tail-e.head)-e.unfinished >= max(1, e.window/2) {
		slow := e.at(e.head)
		mark := e.newItem()
		mark.entry, mark.pos, mark.lane = slow.entry, slow.pos, slow.lane
		e.ring[e.head%int64(len(e.ring))] = mark
		slow.parked = true
		p := hookgate.Parked{Seq: slow.entry.Seq, Key: slow.entry.Event.PartitionKey}
		e.insert(p, slow.exposed) // first, so that the lane is not dropped as empty
		e.park(mark, p)
		e.pass()
	}
}

// strand parks, at the end of a run, what waits in front of something that is confirmed: else that would be repeated by
// the next run.
func (e *engine) strand() {
	last := e.tail - 1
	for last >= e.head && e.at(last).state != finished {
		last--
	}
	for pos := e.head; pos < last; pos++ {
		if it := e.at(pos); it.state == waiting {
			e.parkBehind(e.laneOf(it.entry.Event.PartitionKey, true), it)
		}
	}
	e.pass()
}

// laneHeap orders the lanes that have something parked and nothing in flight by when their heads are due.
type laneHeap []*lane

func (h laneHeap) Len() int { return len(h) }

func (h laneHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	if d := a.due().Compare(b.due()); d != 0 {
		return d < 0
	}
	return a.parked[0].Seq < b.parked[0].Seq
}

func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.index = len(*h) + 1
	*h = append(*h, l)
}

func (h *laneHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.index = 0
	return l
}
