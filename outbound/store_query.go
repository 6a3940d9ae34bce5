package outbound

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// maxWords is how many states and events a query names at most, and so how many branches it has.
const maxWords = 500

// branch is a part of a query that one index answers in order.
type branch struct {
	index  string // empty is the order of the log itself
	fields []string
	keys   []any
	counts func(c *counter) int64
}

// counter adds up what is kept of counts.
type counter struct{ m *memory }

// bounds are the part of the log that a query is about. inner says whether each of its deliveries is known to be created in
// the query's time; the others have to be looked at.
type bounds struct {
	from, to int64 // seq, both included
	inner    bool
}

// Deliveries lists the log, newest first. ErrNotFound is never its error: what is unknown has no deliveries.
func (s *Server) Deliveries(ctx context.Context, q LogQuery) ([]*Delivery, error) {
	branches, err := s.store.branches(q)
	if err != nil || len(branches) == 0 {
		return nil, err
	}
	tx, err := s.store.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one state of the log for all branches
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	seqs, err := s.store.newest(ctx, tx, branches, q)
	if err != nil {
		return nil, err
	}
	out := make([]*Delivery, 0, len(seqs))
	row, events := tx.StmtContext(ctx, s.store.reads.row), tx.StmtContext(ctx, s.store.reads.events)
	for _, seq := range seqs {
		r, err := scan(row.QueryRowContext(ctx, seq))
		if err != nil {
			return nil, err
		}
		s.store.name(r)
		if !q.Bare {
			if r.Events, err = readEvents(ctx, events, seq); err != nil {
				return nil, err
			}
		}
		out = append(out, &r.Delivery)
	}
	return out, nil
}

// newest gives the seqs of a page: part after part of the log from its end, until the page is full.
func (st *store) newest(ctx context.Context, tx *sql.Tx, branches []branch, q LogQuery) ([]int64, error) {
	limit := bounded(q.Limit)
	var seqs []int64
	for _, part := range slices.Backward(st.bounds(q)) {
		before := len(seqs)
		for _, b := range branches {
			query, args := b.sql("seq", part, q)
			rows, err := tx.QueryContext(ctx, query+" ORDER BY seq DESC LIMIT ?", append(args, limit-before)...)
			if err != nil {
				return nil, err
			}
			if seqs, err = appendSeqs(seqs, rows); err != nil {
				return nil, err
			}
			slices.SortFunc(seqs[before:], func(a, b int64) int { return cmp.Compare(b, a) })
			if len(seqs) >= limit { // older ones of the other branches are not wanted
				seqs = seqs[:limit]
				part.from = seqs[limit-1]
			}
		}
		if len(seqs) == limit {
			break
		}
	}
	return seqs, nil
}

func appendSeqs(seqs []int64, rows *sql.Rows) ([]int64, error) {
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		seqs = append(seqs, seq)
	}
	return seqs, rows.Err()
}

// Count counts what Deliveries would list without its limit. Without times and Before it is kept ready; with them it
// reads an index, about 6 ms for each 100,000.
func (s *Server) Count(ctx context.Context, q LogQuery) (int64, error) {
	branches, err := s.store.branches(q)
	if err != nil || len(branches) == 0 {
		return 0, err
	}
	var n int64
	if q.From.IsZero() && q.To.IsZero() && q.Before == 0 {
		s.store.mu.RLock()
		defer s.store.mu.RUnlock()
		for _, b := range branches {
			n += b.counts(&counter{&s.store.memory})
		}
		return n, nil
	}
	tx, err := s.store.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	for _, part := range s.store.bounds(q) {
		for _, b := range branches {
			query, args := b.sql("count(*)", part, q)
			var found int64
			if err := tx.QueryRowContext(ctx, query, args...).Scan(&found); err != nil {
				return 0, err
			}
			n += found
		}
	}
	return n, nil
}

// sql is the text of a branch's query. Everything in it but the arguments is ours.
func (b branch) sql(what string, part bounds, q LogQuery) (string, []any) {
	var text strings.Builder
	text.WriteString("SELECT " + what + " FROM deliveries ")
	if b.index == "" {
		text.WriteString("NOT INDEXED ")
	} else {
		text.WriteString("INDEXED BY " + b.index + " ")
	}
	text.WriteString("WHERE ")
	for _, f := range b.fields {
		text.WriteString(f + " = ? AND ")
	}
	text.WriteString("seq BETWEEN ? AND ?")
	args := append(slices.Clone(b.keys), part.from, part.to)
	if !part.inner {
		text.WriteString(" AND created BETWEEN ? AND ?")
		from, to := window(q)
		args = append(args, from, to)
	}
	return text.String(), args
}

// window is a query's time in milliseconds, both included.
func window(q LogQuery) (from, to int64) {
	from, to = 0, endOfTime
	if !q.From.IsZero() {
		from = q.From.UnixMilli()
		if q.From.After(fromMillis(from)) {
			from++ // part of a millisecond
		}
	}
	if !q.To.IsZero() {
		to = q.To.UnixMilli()
		if !q.To.After(fromMillis(to)) {
			to--
		}
	}
	return from, to
}

// bounds cuts the log to a query's time and Before: runs of spans that are inside as a whole, and those that are partly.
func (st *store) bounds(q LogQuery) []bounds {
	last := int64(endOfTime)
	if q.Before > 0 {
		last = q.Before - 1
	}
	if q.From.IsZero() && q.To.IsZero() {
		return []bounds{{1, last, true}}
	}
	from, to := window(q)
	st.mu.RLock()
	defer st.mu.RUnlock()
	var out []bounds
	for i, s := range st.memory.spans {
		b := bounds{s.number << spanBits, (s.number+1)<<spanBits - 1, s.earliest >= from && s.latest <= to}
		if i == len(st.memory.spans)-1 { // more may have come to it, and after it, since it was noted
			b.to, b.inner = endOfTime, false
		} else if s.latest < from || s.earliest > to {
			continue
		}
		if b.to = min(b.to, last); b.from > b.to {
			continue
		}
		if n := len(out); n > 0 && out[n-1].inner == b.inner && out[n-1].to+1 == b.from {
			out[n-1].to = b.to
			continue
		}
		out = append(out, b)
	}
	return out
}

// branches finds the indexes that answer a query; none when it names what is not known.
func (st *store) branches(q LogQuery) ([]branch, error) {
	if len(q.Events) > maxWords || len(q.States) > maxWords {
		return nil, fmt.Errorf("outbound: a query names at most %d events", maxWords)
	}
	states := q.States
	if len(states) == 0 {
		states = allStates()
	}
	var numbers []int64
	for _, state := range states {
		n := stateNumber(state)
		if n == 0 {
			return nil, fmt.Errorf("outbound: unknown state %q; one of gathering, waiting, delivered, failed", state)
		}
		if !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	var out []branch
	each := func(index string, fields []string, keys []int64, counts func(c *counter, state int64) int64) {
		for _, n := range numbers {
			args := make([]any, 0, len(keys)+1)
			for _, k := range keys {
				args = append(args, k)
			}
			out = append(out, branch{index, append(fields, "state"), append(args, n), func(c *counter) int64 { return counts(c, n) }})
		}
	}
	events := st.keys(word{q.Provider, eventWord, ""}, q.Events...)
	switch {
	case q.Subscription != "":
		for sub := range st.keys(word{q.Provider, subscriptionWord, ""}, q.Subscription) {
			if len(q.Events) == 0 {
				each("by_subscription", []string{"subscription"}, []int64{sub}, func(c *counter, state int64) int64 { return c.of(sub, 0, state) })
			}
			for event := range events {
				if len(q.Events) > 0 {
					each("by_subscription_event", []string{"subscription", "event"}, []int64{sub, event}, func(c *counter, state int64) int64 { return c.of(sub, event, state) })
				}
			}
		}
	case len(q.Events) > 0:
		for event := range events {
			each("by_event", []string{"event"}, []int64{event}, func(c *counter, state int64) int64 { return c.of(0, event, state) })
		}
	case q.Provider != "" || len(q.States) > 0:
		for key, provider := range st.keys(word{q.Provider, providerWord, ""}) {
			each("by_provider", []string{"provider"}, []int64{key}, func(c *counter, state int64) int64 { return c.provider(provider, state) })
		}
	default:
		out = append(out, branch{counts: func(c *counter) int64 { return c.of(0, 0, 0) }})
	}
	return out, nil
}

// keys finds the words of a kind: of one provider or of all, and among some texts or all.
func (st *store) keys(w word, texts ...string) map[int64]string {
	st.mu.RLock()
	defer st.mu.RUnlock()
	found := map[int64]string{}
	if w.provider != "" && len(texts) > 0 {
		for _, text := range texts {
			if key, ok := st.memory.words[word{w.provider, w.kind, text}]; ok {
				found[key] = w.provider
			}
		}
		return found
	}
	for known, key := range st.memory.words {
		if known.kind == w.kind && (w.provider == "" || w.provider == known.provider) && (len(texts) == 0 || slices.Contains(texts, known.text)) {
			found[key] = known.provider
		}
	}
	return found
}

// of adds up the deliveries of a subscription, event and state; 0 stands for all.
func (c *counter) of(sub, event, state int64) (n int64) {
	add := func(counts map[countKey]int64) {
		for k, have := range counts {
			if (event == 0 || k.event == event) && (state == 0 || k.state == state) {
				n += have
			}
		}
	}
	if sub != 0 {
		add(c.m.counts[sub])
		return n
	}
	for _, counts := range c.m.counts {
		add(counts)
	}
	return n
}

func (c *counter) provider(provider string, state int64) (n int64) {
	for sub := range c.m.counts {
		if c.m.names[sub].provider == provider {
			n += c.of(sub, 0, state)
		}
	}
	return n
}

// Delivery gives one with its attempts in order. ErrNotFound when it is not in the log.
func (s *Server) Delivery(ctx context.Context, id string) (*Delivery, []Attempt, error) {
	raw := rawID(id)
	if raw == nil {
		return nil, nil, ErrNotFound
	}
	r, attempts, err := s.store.read(ctx, raw)
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		return nil, nil, ErrNotFound
	}
	return &r.Delivery, attempts, nil
}
