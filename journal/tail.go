package journal

import (
	"sync"

	"github.com/hookgate/hookgate"
)

// The bounds of the one tail of SQLite. What an event costs beside its body is estimated.
const (
	tailEntries   = 8192
	tailBytes     = 16 << 20
	entryOverhead = 1 << 10
)

// tail holds the newest committed entries, so that readers that keep up never touch the database. It is filled when the
// commit has returned: whoever reads here reads what is durable.
type tail struct {
	mu      sync.Mutex
	entries []hookgate.Entry // a ring with consecutive sequence numbers
	sizes   []int
	start   int
	count   int
	bytes   int
	limit   int           // of bytes
	last    int64         // the highest durable sequence number
	wake    chan struct{} // closed by the next append; nil while nobody waits
}

func newTail() *tail { return newSizedTail(tailEntries, tailBytes) }

// newSizedTail makes a tail of at most so many entries and bytes.
func newSizedTail(entries, bytes int) *tail {
	return &tail{entries: make([]hookgate.Entry, entries), sizes: make([]int, entries), limit: bytes}
}

// append adds committed entries in order; size is what each holds in memory. One that does not follow the last begins the
// tail anew.
func (t *tail) append(entries []hookgate.Entry, sizes []int) {
	if len(entries) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range entries {
		for t.count == len(t.entries) || (t.count > 0 && (t.bytes+sizes[i] > t.limit || e.Seq != t.last+1)) {
			t.dropOldest()
		}
		at := (t.start + t.count) % len(t.entries)
		t.entries[at], t.sizes[at] = e, sizes[i]
		t.count++
		t.bytes += sizes[i]
		t.last = e.Seq
	}
	t.wakeAll()
}

// pass moves the end on without the entries up to there, which readers find elsewhere or not at all.
func (t *tail) pass(last int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.count > 0 {
		t.dropOldest()
	}
	t.last = last
	t.wakeAll()
}

func (t *tail) dropOldest() {
	t.bytes -= t.sizes[t.start]
	t.entries[t.start] = hookgate.Entry{}
	t.start = (t.start + 1) % len(t.entries)
	t.count--
}

func (t *tail) wakeAll() {
	if t.wake != nil {
		close(t.wake)
		t.wake = nil
	}
}

// after copies what follows a place. It gives nil entries when they are no longer here, and a channel to wait on when
// there are none yet.
func (t *tail) after(seq int64, limit int) (entries []hookgate.Entry, last int64, wait <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq >= t.last {
		if t.wake == nil {
			t.wake = make(chan struct{})
		}
		return nil, t.last, t.wake
	}
	first := t.last - int64(t.count) + 1
	if seq+1 < first {
		return nil, t.last, nil
	}
	n := min(int(t.last-seq), limit)
	entries = make([]hookgate.Entry, n)
	for i := range entries {
		entries[i] = t.entries[(t.start+int(seq+1-first)+i)%len(t.entries)]
	}
	return entries, t.last, nil
}

// get finds one entry.
func (t *tail) get(seq int64) (hookgate.Entry, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.last - int64(t.count) + 1
	if t.count == 0 || seq < first || seq > t.last {
		return hookgate.Entry{}, false
	}
	return t.entries[(t.start+int(seq-first))%len(t.entries)], true
}
