package outbound

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// chunk is how many deliveries one transaction removes at most: some milliseconds of work.
const chunk = 250

// A state's number is part of the file format.
func stateNumber(s State) int64 { return int64(slices.Index(allStates(), s)) + 1 }

func allStates() []State  { return []State{Gathering, Waiting, Delivered, Failed} }
func openStates() []State { return []State{Gathering, Waiting} }

// isOpen reports whether a state's number is that of a delivery that has not ended.
func isOpen(number int64) bool { return number <= 2 }

func stateOf(number int64) State {
	if all := allStates(); number >= 1 && int(number) <= len(all) {
		return all[number-1]
	}
	return Failed
}

// tracked is a delivery with what only the engine knows of it.
type tracked struct {
	Delivery
	sub, event int64
	total      int       // events
	size       int       // bytes of their payloads
	ordered    bool      // its next attempt was ordered by hand
	running    time.Time // since when an attempt is under way; zero when none is
}

const columns = `seq, id, provider, subscription, event, state, total, size, attempts, manual, ordered, status, created, updated, first, next_at, running, error, frozen`

// scan reads a row of columns. Names of the words are filled in by name.
func scan(rows interface{ Scan(...any) error }) (*tracked, error) {
	r := &tracked{}
	var id uuid.UUID
	var rawID, frozen []byte
	var provider, state, created, updated, first, nextAt, running int64
	err := rows.Scan(&r.Seq, &rawID, &provider, &r.sub, &r.event, &state, &r.total, &r.size, &r.Attempts, &r.Manual, &r.ordered, &r.LastStatus,
		&created, &updated, &first, &nextAt, &running, &r.LastError, &frozen)
	if err != nil {
		return nil, err
	}
	copy(id[:], rawID)
	r.ID, r.State = id.String(), stateOf(state)
	r.Created, r.Updated, r.FirstAttempt, r.NextAt = fromMillis(created), fromMillis(updated), fromMillis(first), fromMillis(nextAt)
	r.running = fromMillis(running)
	if frozen != nil {
		if err := json.Unmarshal(frozen, &r.Frozen); err != nil {
			return nil, fmt.Errorf("delivery %s: %w", r.ID, err)
		}
	}
	return r, nil
}

// name fills in what the row has as keys.
func (st *store) name(r *tracked) {
	st.mu.RLock()
	defer st.mu.RUnlock()
	sub := st.memory.names[r.sub]
	r.Provider, r.Subscription, r.Event = sub.provider, sub.text, st.memory.names[r.event].text
}

// rawID is the stored form of a delivery's id; nil when it is none.
func rawID(id string) []byte {
	u, err := uuid.Parse(id)
	if err != nil || u.String() != id {
		return nil
	}
	return u[:]
}

// insert stores a new delivery of a subscription with its first event.
func (t *tx) insert(sub int64, id uuid.UUID, provider string, e *Event, state State, now, nextAt time.Time) error {
	t.st.lastSeq++
	seq := t.st.lastSeq
	event := t.key(word{provider, eventWord, e.Type})
	number := stateNumber(state)
	if _, err := t.exec(`INSERT INTO deliveries (`+columns+`, ended, keep) VALUES (?, ?, ?, ?, ?, ?, 1, ?, 0, 0, 0, 0, ?, ?, 0, ?, 0, '', NULL, 0, 0)`,
		seq, id[:], t.key(word{provider, providerWord, provider}), sub, event, number, len(e.Payload), millis(now), millis(now), millis(nextAt)); err != nil {
		return err
	}
	if err := t.addEvent(seq, 0, e); err != nil {
		return err
	}
	t.job.count(sub, countKey{event, number}, 1)
	t.job.spans = widen(t.job.spans, span{seq >> spanBits, millis(now), millis(now)})
	t.job.items = append(t.job.items, item{seq: seq, at: millis(nextAt), sub: sub})
	return nil
}

func (t *tx) addEvent(seq int64, n int, e *Event) error {
	bare := *e
	bare.Payload = nil // apart, because JSON in JSON would not keep its bytes
	text, err := json.Marshal(bare)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO payloads VALUES (?, ?, ?)", part(seq, n), string(text), []byte(e.Payload))
	return err
}

// gathering finds the open batch of a subscription.
func (t *tx) gathering(sub int64) (r *tracked, err error) {
	return t.one(`SELECT `+columns+` FROM deliveries INDEXED BY by_subscription WHERE subscription = ? AND state = 1 ORDER BY seq DESC LIMIT 1`, sub)
}

// delivery reads a row as of this job; nil when there is none.
func (t *tx) delivery(seq int64) (*tracked, error) {
	return t.one(`SELECT `+columns+` FROM deliveries WHERE seq = ?`, seq)
}

func (t *tx) one(query string, args ...any) (*tracked, error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	return scan(rows)
}

// setState moves a delivery to another state; what is due of it is told to the engine.
func (t *tx) setState(r *tracked, to State, nextAt, now time.Time, ordered bool) error {
	if _, err := t.exec("UPDATE deliveries SET state = ?, next_at = ?, updated = ?, ordered = ?, ended = 0, keep = 0 WHERE seq = ?",
		stateNumber(to), millis(nextAt), millis(now), ordered, r.Seq); err != nil {
		return err
	}
	t.moved(r, to)
	t.job.items = append(t.job.items, item{seq: r.Seq, at: millis(nextAt), sub: r.sub})
	return nil
}

func (t *tx) moved(r *tracked, to State) {
	t.job.count(r.sub, countKey{r.event, stateNumber(r.State)}, -1)
	t.job.count(r.sub, countKey{r.event, stateNumber(to)}, 1)
	r.State = to
}

// remove deletes the deliveries that a query of seq, subscription, event and state names.
func (t *tx) remove(query string, args ...any) (int, error) {
	type row struct {
		seq, sub int64
		countKey
	}
	rows, err := t.query(query, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var found []row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.seq, &r.sub, &r.event, &r.state); err != nil {
			return 0, err
		}
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for _, r := range found {
		for _, statement := range []string{"DELETE FROM payloads WHERE id BETWEEN ? AND ?", "DELETE FROM attempts WHERE id BETWEEN ? AND ?"} {
			if _, err := t.exec(statement, part(r.seq, 0), part(r.seq+1, 0)-1); err != nil {
				return 0, err
			}
		}
		if _, err := t.exec("DELETE FROM deliveries WHERE seq = ?", r.seq); err != nil {
			return 0, err
		}
		t.job.count(r.sub, r.countKey, -1)
	}
	return len(found), nil
}

// pending lists what has not ended, for the schedule of a program that starts.
func (st *store) pending() ([]item, error) {
	var items []item
	for key := range st.keys(word{kind: providerWord}) {
		for _, state := range openStates() {
			rows, err := st.reader.Query("SELECT seq, subscription, next_at FROM deliveries INDEXED BY by_provider WHERE provider = ? AND state = ?", key, stateNumber(state))
			if err != nil {
				return nil, err
			}
			for rows.Next() {
				var it item
				if err := rows.Scan(&it.seq, &it.sub, &it.at); err != nil {
					_ = rows.Close() // the first error is the one that counts
					return nil, err
				}
				items = append(items, it)
			}
			if err := rows.Err(); err != nil {
				return nil, err
			}
		}
	}
	return items, nil
}

// reads are the statements that every attempt needs, prepared once.
type reads struct{ row, events *sql.Stmt }

func (st *store) prepareReads(ctx context.Context) (err error) {
	if st.reads.row, err = st.reader.PrepareContext(ctx, `SELECT `+columns+` FROM deliveries WHERE seq = ?`); err != nil {
		return err
	}
	st.reads.events, err = st.reader.PrepareContext(ctx, "SELECT event, payload FROM payloads WHERE id BETWEEN ? AND ? ORDER BY id")
	return err
}

// load reads a delivery and its events for an attempt; nil when it is not there.
func (st *store) load(ctx context.Context, seq int64) (*tracked, error) {
	r, err := scan(st.reads.row.QueryRowContext(ctx, seq))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	st.name(r)
	r.Events, err = readEvents(ctx, st.reads.events, seq)
	return r, err
}

// read gives a delivery, its events and its attempts, as they were at one moment; nil when it is not there.
func (st *store) read(ctx context.Context, id []byte) (*tracked, []Attempt, error) {
	tx, err := st.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	r, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM deliveries WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	st.name(r)
	if r.Events, err = readEvents(ctx, tx.StmtContext(ctx, st.reads.events), r.Seq); err != nil {
		return nil, nil, err
	}
	attempts, err := readAttempts(ctx, tx, r.Seq)
	return r, attempts, err
}

func readEvents(ctx context.Context, of *sql.Stmt, seq int64) ([]Event, error) {
	rows, err := of.QueryContext(ctx, part(seq, 0), part(seq+1, 0)-1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []Event
	for rows.Next() {
		var text, payload []byte
		if err := rows.Scan(&text, &payload); err != nil {
			return nil, err
		}
		var e Event
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, err
		}
		if payload != nil {
			e.Payload = payload
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

func readAttempts(ctx context.Context, tx *sql.Tx, seq int64) ([]Attempt, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, at, took, status, manual, error, response FROM attempts WHERE id BETWEEN ? AND ? ORDER BY id", part(seq, 0), part(seq+1, 0)-1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Attempt
	for rows.Next() {
		var a Attempt
		var id, at, took int64
		if err := rows.Scan(&id, &at, &took, &a.Status, &a.Manual, &a.Error, &a.Response); err != nil {
			return nil, err
		}
		a.Number, a.At, a.Took = int(id&0xffff), fromMillis(at), time.Duration(took)*time.Microsecond
		all = append(all, a)
	}
	return all, rows.Err()
}

func frozenText(h http.Header) any {
	if h == nil {
		return nil
	}
	text, _ := json.Marshal(h) // a map of lists of text always has a form
	return string(text)
}

// interrupted lists the deliveries that have an attempt without an outcome.
func (st *store) interrupted(ctx context.Context) (seqs []int64, err error) {
	for key := range st.keys(word{kind: providerWord}) {
		rows, err := st.reader.QueryContext(ctx, "SELECT seq FROM deliveries INDEXED BY by_provider WHERE provider = ? AND state = ? AND running > 0", key, stateNumber(Waiting))
		if err != nil {
			return nil, err
		}
		if seqs, err = appendSeqs(seqs, rows); err != nil {
			return nil, err
		}
	}
	return seqs, nil
}
