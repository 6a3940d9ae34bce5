package journal

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/hookgate/hookgate"
)

// What a spill remembers of its primary stands where a journal remembers its destinations. The names are none that a
// destination can have. The place in the quarantine is a number of that table.
const (
	spillEvents     = "spill/events"
	spillQuarantine = "spill/quarantine"
)

// checkUse keeps the file of a spill apart from that of a journal: each would take what waits in the other for done.
func (j *SQLite) checkUse(w *writer) error {
	_, isSpill := j.cursors[spillEvents]
	switch {
	case isSpill && !j.o.spill:
		return hinted("use another file, or name this one as journal.spill", "the file is a spill: what waits in it is still to be handed on to a journal")
	case j.o.spill && !isSpill && (w.last > 0 || w.quarantine > 0 || len(j.cursors) > 0):
		return hinted("give journal.spill a file of its own", "the file is a journal of its own, not a spill")
	}
	return nil
}

// enterSpill makes both places known, in one step: a new file has nothing before them.
func (j *SQLite) enterSpill() error {
	if j.knows(spillEvents) {
		return nil
	}
	return j.submit(context.Background(), &change{register: []string{spillEvents, spillQuarantine}})
}

// handedOn is the last place in the quarantine that may go by its age. A spill keeps what its primary has not got.
func (j *SQLite) handedOn(last int64) int64 {
	if !j.o.spill {
		return last
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return min(last, j.cursors[spillQuarantine])
}

// delivery is a request with what one table holds of it, in the form in which another journal accepts it. Its rows are
// those from first to last.
type delivery struct {
	first, last int64
	req         *hookgate.Request
	events      []*hookgate.Event
	bytes       int // held in memory, roughly
}

// deliveries reads whole requests that follow a place, in order, until there are so many or they hold 4 MiB. The table's
// name is one of the two constants in statements of this package, never input.
func (j *SQLite) deliveries(ctx context.Context, table string, after int64, limit int) ([]delivery, error) {
	reason := "''"
	if table == "quarantine" {
		reason = "reason"
	}
	rows, err := j.readers.QueryContext(ctx, `SELECT seq, received, raw_seq, off, len, head, data, raw_head, raw_body, `+reason+`
		FROM `+table+` WHERE seq>? ORDER BY seq`, after)
	if err != nil {
		return nil, j.readError(err)
	}
	defer rows.Close()
	var list []delivery
	for bytes := 0; rows.Next(); {
		var r keptRow
		if err := rows.Scan(&r.seq, &r.received, &r.raw, &r.off, &r.len, &r.head, &r.data, &r.rawHead, &r.rawBody, &r.reason); err != nil {
			return nil, j.readError(err)
		}
		if !r.raw.Valid { // a request begins
			if len(list) >= limit || bytes >= maxReadBytes {
				return list, nil
			}
			d, err := r.delivery()
			if err != nil {
				return nil, hookgate.Errorf(hookgate.Unavailable, "journal, %s %d: %w", table, r.seq, err)
			}
			list = append(list, d)
		}
		if len(list) == 0 || r.first() != list[len(list)-1].first {
			return nil, hookgate.Errorf(hookgate.Unavailable, "journal, %s %d: its request is not in front of it", table, r.seq)
		}
		d := &list[len(list)-1]
		before := d.bytes
		if err := r.addTo(d); err != nil {
			return nil, hookgate.Errorf(hookgate.Unavailable, "journal, %s %d: %w", table, r.seq, err)
		}
		bytes += d.bytes - before
	}
	return list, j.readError(rows.Err())
}

// keptRow is a row of either table.
type keptRow struct {
	seq, received    int64
	raw, off, len    sql.NullInt64
	head, data       []byte
	rawHead, rawBody []byte
	reason           string
}

func (r *keptRow) first() int64 {
	if r.raw.Valid {
		return r.raw.Int64
	}
	return r.seq
}

// delivery begins one with the request that this row holds.
func (r *keptRow) delivery() (delivery, error) {
	raw, err := parseRawHead(r.rawHead)
	if err != nil {
		return delivery{}, err
	}
	req := &hookgate.Request{
		ID: raw.RequestID, Method: raw.Method, Target: raw.Target, Header: raw.Header, Remote: raw.Remote,
		Body: r.rawBody, ReceivedAt: fromMilli(r.received),
	}
	req.BodySHA256() // now: later several may read the request at once
	return delivery{first: r.seq, req: req}, nil
}

// addTo rebuilds the row's event. Its payload is a part of the body again where it was one.
func (r *keptRow) addTo(d *delivery) error {
	data := r.data
	if data == nil {
		body, off, n := d.req.Body, r.off.Int64, r.len.Int64
		if off < 0 || n < 0 || off > int64(len(body)) || n > int64(len(body))-off {
			return fmt.Errorf("%d bytes from %d on are not in a body of %d", n, off, len(body))
		}
		data = body[off : off+n]
	}
	e, err := hookgate.ParseStored(r.head, d.req.ReceivedAt, data)
	if err != nil {
		return err
	}
	e.Quarantine = r.reason
	d.last, d.events = r.seq, append(d.events, e)
	d.bytes += entryOverhead + len(r.rawBody) + len(r.data)
	return nil
}
