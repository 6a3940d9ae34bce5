package outbound

import (
	"container/heap"
	"sync"
)

// item is a delivery that has not ended: when its next attempt, or its batch's end, is due.
type item struct {
	seq int64
	at  int64 // Unix milliseconds
	sub int64 // the subscription's key
}

func (a item) before(b item) bool { return a.at < b.at || (a.at == b.at && a.seq < b.seq) }

// lane is the items of one subscription.
type lane struct {
	items []item // a heap
	busy  int    // requests under way
	place int    // in the schedule's heap, -1 while it is not there
	held  bool   // the subscription is inactive
}

func (l *lane) Len() int           { return len(l.items) }
func (l *lane) Less(i, j int) bool { return l.items[i].before(l.items[j]) }
func (l *lane) Swap(i, j int)      { l.items[i], l.items[j] = l.items[j], l.items[i] }
func (l *lane) Push(x any)         { l.items = append(l.items, x.(item)) }
func (l *lane) Pop() any {
	last := l.items[len(l.items)-1]
	l.items = l.items[:len(l.items)-1]
	return last
}

// lanes are those that may be picked from, the one with the earliest item first.
type lanes []*lane

func (s lanes) Len() int           { return len(s) }
func (s lanes) Less(i, j int) bool { return s[i].items[0].before(s[j].items[0]) }
func (s lanes) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}
func (s *lanes) Push(x any) {
	l := x.(*lane)
	l.place = len(*s)
	*s = append(*s, l)
}
func (s *lanes) Pop() any {
	last := (*s)[len(*s)-1]
	*s, last.place = (*s)[:len(*s)-1], -1
	return last
}

// schedule knows what is due next. A subscription that has as many requests under way as it may, or that is inactive,
// stands aside, so that it holds up no other. All of it is in the store, too: at most maxWaiting items.
type schedule struct {
	most   int // requests to one subscription
	active func(key int64) (active, ok bool)
	more   chan struct{} // has a word when the next item may have changed

	mu    sync.Mutex
	lanes map[int64]*lane
	ready lanes
}

func newSchedule(most int, active func(int64) (bool, bool)) *schedule {
	return &schedule{most: most, active: active, more: make(chan struct{}, 1), lanes: map[int64]*lane{}}
}

func (s *schedule) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// add puts items into their lanes. Items of a subscription that is gone are dropped.
func (s *schedule) add(items ...item) {
	if len(items) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		active, ok := s.active(it.sub)
		if !ok {
			continue
		}
		l := s.lanes[it.sub]
		if l == nil {
			l = &lane{place: -1, held: !active}
			s.lanes[it.sub] = l
		}
		heap.Push(l, it)
		s.settle(it.sub, l)
	}
	s.wake()
}

// settle puts a lane where it belongs after a change.
func (s *schedule) settle(key int64, l *lane) {
	free := !l.held && l.busy < s.most && len(l.items) > 0
	switch {
	case free && l.place < 0:
		heap.Push(&s.ready, l)
	case free:
		heap.Fix(&s.ready, l.place)
	case l.place >= 0:
		heap.Remove(&s.ready, l.place)
	}
	if len(l.items) == 0 && l.busy == 0 {
		delete(s.lanes, key)
	}
}

// pick takes the earliest item that is due and may be worked on; done must be called for it. next is when the earliest of
// the others is due, 0 if there is none.
func (s *schedule) pick(now int64) (it item, ok bool, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 {
		return item{}, false, 0
	}
	l := s.ready[0]
	if next = l.items[0].at; next > now {
		return item{}, false, next
	}
	// The head leaves while the lane is out of the heap, whose order rests on it.
	heap.Pop(&s.ready)
	it = heap.Pop(l).(item)
	l.busy++
	s.settle(it.sub, l)
	return it, true, next
}

// done tells that a request to a subscription is no longer under way.
func (s *schedule) done(key int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[key]; l != nil {
		l.busy--
		s.settle(key, l)
	}
	s.wake()
}

// refresh looks again at whether a subscription is active, or there at all.
func (s *schedule) refresh(key int64) {
	active, ok := s.active(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[key]
	if l == nil {
		return
	}
	if l.held = !active; !ok {
		l.items = nil
	}
	s.settle(key, l)
	s.wake()
}
