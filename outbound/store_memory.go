package outbound

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// kind says what a word names.
type kind int

const (
	providerWord kind = iota + 1
	subscriptionWord
	eventWord
)

// word is a name that rows refer to by its key. A subscription's stays when it is deleted, for its log.
type word struct {
	provider string
	kind     kind
	text     string
}

// entry is a subscription as it is kept. It never changes: an update makes another.
type entry struct {
	key, place int64 // place is the order of creation
	sub        *Subscription
}

type countKey struct {
	event int64
	state int64
}

// spanBits make 1024 deliveries a span.
const spanBits = 10

// span is the earliest and the latest creation among the deliveries of one span, in Unix milliseconds.
type span struct {
	number           int64
	earliest, latest int64
}

// memory is what the store knows without asking the file, as of the last commit.
type memory struct {
	words   map[word]int64
	names   map[int64]word
	subs    map[int64]*entry
	order   map[string][]*entry // by provider, in order of creation
	counts  map[int64]map[countKey]int64
	waiting int64 // deliveries that gather or wait
	spans   []span
}

func newMemory() memory {
	return memory{words: map[word]int64{}, names: map[int64]word{}, subs: map[int64]*entry{}, order: map[string][]*entry{},
		counts: map[int64]map[countKey]int64{}}
}

// apply makes a commit's changes visible.
func (m *memory) apply(c *changes) {
	for w, key := range c.words {
		m.words[w], m.names[key] = key, w
	}
	for key, e := range c.subs {
		m.setEntry(key, e)
	}
	for sub, counts := range c.counts {
		for k, n := range counts {
			m.addCount(sub, k, n)
		}
	}
	for _, s := range c.spans {
		m.spans = widen(m.spans, s)
	}
}

func (m *memory) addCount(sub int64, k countKey, n int64) {
	if isOpen(k.state) {
		m.waiting += n
	}
	counts := m.counts[sub]
	if counts == nil {
		counts = map[countKey]int64{}
		m.counts[sub] = counts
	}
	if counts[k] += n; counts[k] == 0 {
		delete(counts, k)
	}
	if len(counts) == 0 {
		delete(m.counts, sub)
	}
}

func (m *memory) setEntry(key int64, e *entry) {
	old := m.subs[key]
	if e.sub == nil {
		if old != nil {
			order := m.order[old.sub.Provider]
			i := position(order, old.place)
			m.order[old.sub.Provider] = slices.Delete(slices.Clone(order), i, i+1)
			delete(m.subs, key)
		}
		return
	}
	m.subs[key] = e
	order := m.order[e.sub.Provider]
	if i := position(order, e.place); i < len(order) && order[i].place == e.place {
		order[i] = e
	} else {
		m.order[e.sub.Provider] = slices.Insert(order, i, e)
	}
}

// position is where a place is among entries in order, or would be.
func position(order []*entry, place int64) int {
	return sort.Search(len(order), func(i int) bool { return order[i].place >= place })
}

// recall fills the memory from the file, and clears the names of what is gone from it altogether.
func (st *store) recall(ctx context.Context) error {
	if _, err := st.conn.ExecContext(ctx, `DELETE FROM words WHERE
		(kind = 2 AND key NOT IN (SELECT key FROM subscriptions) AND key NOT IN (SELECT subscription FROM counts))
		OR (kind = 3 AND key NOT IN (SELECT event FROM counts));
		DELETE FROM spans WHERE span < (SELECT coalesce(min(seq), 0) FROM deliveries) >> 10`); err != nil {
		return err
	}
	m := &st.memory
	each := func(query string, row func(*sql.Rows) error) error {
		rows, err := st.conn.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := row(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	if err := each("SELECT key, provider, kind, word FROM words", func(r *sql.Rows) error {
		var key int64
		var w word
		if err := r.Scan(&key, &w.provider, &w.kind, &w.text); err != nil {
			return err
		}
		m.words[w], m.names[key] = key, w
		st.lastWord = max(st.lastWord, key)
		return nil
	}); err != nil {
		return err
	}
	if err := each("SELECT key, place, content FROM subscriptions ORDER BY place", func(r *sql.Rows) error {
		e := &entry{sub: &Subscription{}}
		var content []byte
		if err := r.Scan(&e.key, &e.place, &content); err != nil {
			return err
		}
		if err := json.Unmarshal(content, e.sub); err != nil {
			return fmt.Errorf("subscription %d: %w", e.key, err)
		}
		st.lastPlace = max(st.lastPlace, e.place)
		m.setEntry(e.key, e)
		return nil
	}); err != nil {
		return err
	}
	if err := each("SELECT subscription, event, state, n FROM counts", func(r *sql.Rows) error {
		var sub, n int64
		var k countKey
		if err := r.Scan(&sub, &k.event, &k.state, &n); err != nil {
			return err
		}
		m.addCount(sub, k, n)
		return nil
	}); err != nil {
		return err
	}
	if err := each("SELECT span, earliest, latest FROM spans ORDER BY span", func(r *sql.Rows) error {
		var s span
		if err := r.Scan(&s.number, &s.earliest, &s.latest); err != nil {
			return err
		}
		m.spans = append(m.spans, s)
		return nil
	}); err != nil {
		return err
	}
	return st.conn.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM deliveries").Scan(&st.lastSeq)
}

// entry finds a subscription by its key; nil when there is none.
func (st *store) entry(key int64) *entry {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.memory.subs[key]
}

// find finds a subscription by its name; nil when there is none.
func (st *store) find(provider, id string) *entry {
	st.mu.RLock()
	defer st.mu.RUnlock()
	key, ok := st.memory.words[word{provider, subscriptionWord, id}]
	if !ok {
		return nil
	}
	return st.memory.subs[key]
}

// millis is a time as it is stored.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

const endOfTime = math.MaxInt64
