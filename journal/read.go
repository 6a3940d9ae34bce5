package journal

import (
	"context"
	"database/sql"

	"github.com/hookgate/hookgate"
)

// selectEntries joins an event to the request that its payload lies in. The statement is short and limited: a read that
// stays open would keep the log from being folded in.
const selectEntries = `SELECT e.seq, e.received, e.head, coalesce(e.data, substr(r.raw_body, e.off+1, e.len), x'')
	FROM events e JOIN events r ON r.seq=coalesce(e.raw_seq, e.seq) `

// The bounds of one read, whatever is asked for: entries, and bytes of payload after which it ends.
const (
	maxRead      = 1024
	maxReadBytes = 4 << 20
)

// Read gives up to limit entries (at most 1024) that follow the sequence number after, in order. It blocks until there is
// one, ctx ends or the journal closes. It sees only what is durable. Entries that retention has taken are passed over.
func (j *SQLite) Read(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
	limit = min(max(limit, 1), maxRead)
	for {
		entries, last, wait := j.tail.after(after, limit)
		if len(entries) > 0 {
			return entries, nil
		}
		if wait == nil {
			entries, err := j.query(ctx, selectEntries+`WHERE e.seq>? AND e.seq<=? ORDER BY e.seq LIMIT ?`, after, last, limit)
			if err != nil || len(entries) > 0 {
				return entries, err
			}
			after = last // everything up to there is gone
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		case <-j.stop:
			return nil, errClosed()
		}
	}
}

// Fetch gives the entries with these sequence numbers, in the order asked for; those that are not there are left out.
func (j *SQLite) Fetch(ctx context.Context, seqs []int64) ([]hookgate.Entry, error) {
	entries := make([]hookgate.Entry, 0, len(seqs))
	for _, seq := range seqs {
		if e, ok := j.tail.get(seq); ok {
			entries = append(entries, e)
			continue
		}
		found, err := j.query(ctx, selectEntries+`WHERE e.seq=?`, seq)
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

func (j *SQLite) query(ctx context.Context, query string, args ...any) ([]hookgate.Entry, error) {
	rows, err := j.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, j.readError(err)
	}
	defer rows.Close()
	var entries []hookgate.Entry
	for bytes := 0; bytes < maxReadBytes && rows.Next(); {
		var head sql.RawBytes
		var data []byte
		var ms int64
		e := hookgate.Entry{}
		if err := rows.Scan(&e.Seq, &ms, &head, &data); err != nil {
			return nil, j.readError(err)
		}
		if e.Event, err = hookgate.ParseStored(head, fromMilli(ms), data); err != nil {
			return nil, hookgate.Errorf(hookgate.Unavailable, "journal entry %d: %w", e.Seq, err)
		}
		bytes += len(data)
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return entries, j.readError(err)
	}
	return entries, nil
}

// readError latches what is broken: a damaged file must not go on accepting either.
func (j *SQLite) readError(err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-j.stop:
		return errClosed()
	default:
	}
	if troubleOf(err) == broken {
		j.fail(err)
	}
	return unavailable(err)
}
