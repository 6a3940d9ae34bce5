package outbound

import (
	"encoding/json"
	"slices"
	"sort"
)

// changes are what a job, or a batch of them, has changed of the memory.
type changes struct {
	words  map[word]int64
	subs   map[int64]*entry // sub is nil where it was deleted
	counts map[int64]map[countKey]int64
	spans  []span
	items  []item // that have become due, or will
}

func newChanges() *changes { return &changes{} }

// merge adds what a job has changed to what those before it have.
func (c *changes) merge(o *changes) {
	for w, key := range o.words {
		c.setWord(w, key)
	}
	for _, e := range o.subs {
		c.setSub(e)
	}
	for sub, counts := range o.counts {
		for k, n := range counts {
			c.count(sub, k, n)
		}
	}
	for _, s := range o.spans {
		c.spans = widen(c.spans, s)
	}
	c.items = append(c.items, o.items...)
}

func (c *changes) setWord(w word, key int64) {
	if c.words == nil {
		c.words = map[word]int64{}
	}
	c.words[w] = key
}

func (c *changes) setSub(e *entry) {
	if c.subs == nil {
		c.subs = map[int64]*entry{}
	}
	c.subs[e.key] = e
}

func (c *changes) count(sub int64, k countKey, n int64) {
	if c.counts == nil {
		c.counts = map[int64]map[countKey]int64{}
	}
	if c.counts[sub] == nil {
		c.counts[sub] = map[countKey]int64{}
	}
	c.counts[sub][k] += n
}

func (c *changes) waiting() (n int64) {
	for _, counts := range c.counts {
		for k, d := range counts {
			if isOpen(k.state) {
				n += d
			}
		}
	}
	return n
}

// widen puts s among spans, which are in order; s is mostly one of the last.
func widen(spans []span, s span) []span {
	i := sort.Search(len(spans), func(i int) bool { return spans[i].number >= s.number })
	if i == len(spans) || spans[i].number != s.number {
		return slices.Insert(spans, i, s)
	}
	spans[i].earliest, spans[i].latest = min(spans[i].earliest, s.earliest), max(spans[i].latest, s.latest)
	return spans
}

// flush writes what the batch has changed beside the deliveries themselves.
func (t *tx) flush() error {
	for w, key := range t.batch.words {
		if _, err := t.exec("INSERT INTO words VALUES (?, ?, ?, ?)", key, w.provider, int(w.kind), w.text); err != nil {
			return err
		}
	}
	for key, e := range t.batch.subs {
		if e.sub == nil {
			if _, err := t.exec("DELETE FROM subscriptions WHERE key = ?", key); err != nil {
				return err
			}
			continue
		}
		content, err := json.Marshal(e.sub)
		if err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO subscriptions VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET content = excluded.content, place = excluded.place", key, e.place, string(content)); err != nil {
			return err
		}
	}
	for sub, counts := range t.batch.counts {
		for k, n := range counts {
			if n == 0 {
				continue
			}
			if _, err := t.exec("INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", sub, k.event, k.state, n); err != nil {
				return err
			}
			if n < 0 {
				if _, err := t.exec("DELETE FROM counts WHERE subscription = ? AND event = ? AND state = ? AND n = 0", sub, k.event, k.state); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range t.batch.spans {
		if _, err := t.exec("INSERT INTO spans VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest)", s.number, s.earliest, s.latest); err != nil {
			return err
		}
	}
	return nil
}

// lookup finds a word's key, as of this job.
func (t *tx) lookup(w word) (int64, bool) {
	if key, ok := t.job.words[w]; ok {
		return key, true
	}
	if key, ok := t.batch.words[w]; ok {
		return key, true
	}
	key, ok := t.st.memory.words[w] // only the writer changes it
	return key, ok
}

// key finds a word's key or gives it one.
func (t *tx) key(w word) int64 {
	if key, ok := t.lookup(w); ok {
		return key
	}
	t.st.lastWord++
	t.job.setWord(w, t.st.lastWord)
	return t.st.lastWord
}

// sub finds a subscription as of this job; nil when there is none.
func (t *tx) sub(key int64) *entry {
	for _, c := range []*changes{t.job, t.batch} {
		if e, ok := c.subs[key]; ok {
			if e.sub == nil {
				return nil
			}
			return e
		}
	}
	return t.st.memory.subs[key]
}

// subscriptions is how many there are, as of the jobs before this one.
func (t *tx) subscriptions() int {
	n := len(t.st.memory.subs)
	for key, e := range t.batch.subs {
		switch before := t.st.memory.subs[key] != nil; {
		case before && e.sub == nil:
			n--
		case !before && e.sub != nil:
			n++
		}
	}
	return n
}

// waiting is how many deliveries gather or wait, as of this job.
func (t *tx) waiting() int64 {
	return t.st.memory.waiting + t.batch.waiting() + t.job.waiting()
}
