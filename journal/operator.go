package journal

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hookgate/hookgate"
)

// maxList bounds every listing for the operator.
const maxList = 1000

// Quarantined is a part of a request that could not be read.
type Quarantined struct {
	Seq      int64 // its place in the quarantine, not in the journal
	Event    *hookgate.Event
	Reason   string
	Received time.Time
}

// Quarantine lists, from the newest, the quarantined parts before a place; 0 begins at the newest.
func (j *SQLite) Quarantine(ctx context.Context, before int64, limit int) ([]Quarantined, error) {
	rows, err := j.readers.QueryContext(ctx, `SELECT e.seq, e.received, e.reason, e.head,
		coalesce(e.data, substr(r.raw_body, e.off+1, e.len), x'')
		FROM quarantine e JOIN quarantine r ON r.seq=coalesce(e.raw_seq, e.seq)
		WHERE ?1=0 OR e.seq<?1 ORDER BY e.seq DESC LIMIT ?2`, before, bounded(limit))
	if err != nil {
		return nil, j.readError(err)
	}
	defer rows.Close()
	var list []Quarantined
	for rows.Next() {
		var q Quarantined
		var ms int64
		var head, data []byte
		if err := rows.Scan(&q.Seq, &ms, &q.Reason, &head, &data); err != nil {
			return nil, j.readError(err)
		}
		q.Received = fromMilli(ms)
		if q.Event, err = hookgate.ParseStored(head, q.Received, data); err != nil {
			return nil, hookgate.Errorf(hookgate.Unavailable, "quarantine entry %d: %w", q.Seq, err)
		}
		q.Event.Quarantine, q.Event.ContentType = q.Reason, "" // of what cannot be read nobody knows the type
		list = append(list, q)
	}
	return list, j.readError(rows.Err())
}

// DeadLetters lists a destination's dead letters that follow a sequence number. Fetch gives their events. A dead letter is
// kept with its event until the retention is over, and is replayed by a Record that parks it again, not dead.
func (j *SQLite) DeadLetters(ctx context.Context, destination string, after int64, limit int) ([]hookgate.Parked, error) {
	rows, err := j.readers.QueryContext(ctx, `SELECT seq, key, attempts, next_at, error, replayed FROM parked
		WHERE destination=? AND dead=1 AND seq>? ORDER BY seq LIMIT ?`, destination, after, bounded(limit))
	if err != nil {
		return nil, j.readError(err)
	}
	defer rows.Close()
	var list []hookgate.Parked
	for rows.Next() {
		p := hookgate.Parked{Dead: true}
		var at int64
		if err := rows.Scan(&p.Seq, &p.Key, &p.Attempts, &at, &p.Error, &p.Replayed); err != nil {
			return nil, j.readError(err)
		}
		p.NextAt = fromMilli(at)
		list = append(list, p)
	}
	return list, j.readError(rows.Err())
}

// Attempt is one copy of an event that came in.
type Attempt struct {
	Received time.Time
	Attempt  int
	Class    hookgate.Class
	Digest   string // the first 8 bytes of the SHA-256 of the payload, in hex
	Conflict bool   // the same attempt as the first copy, with other content
}

// History is what is known of an event's copies. Only the first 64 are listed; Copies counts all.
type History struct {
	Seq      int64 // where the event stands or stood; 0 for a quarantined part
	Copies   int64
	Expires  time.Time // the end of its window
	Attempts []Attempt
}

// historyScan is how many markers one read of History looks at.
const historyScan = 20000

// History finds the copies of an event by its id while its marker lives; ok is false when there is none. The marker's key
// begins with a time that the id does not tell, so that all markers are looked through, some at a time: this is for the
// operator's eyes, not for a hot path.
func (j *SQLite) History(ctx context.Context, id string) (h History, ok bool, err error) {
	suffix, err := appendID(nil, id)
	if err != nil {
		return h, false, err
	}
	from := []byte{}
	for {
		var key []byte
		var first Attempt
		var received, expires, attempt, digest int64
		err := j.readers.QueryRowContext(ctx, `SELECT key, seq, received, expires, attempt, copies, digest FROM
			(SELECT * FROM markers WHERE key>? ORDER BY key LIMIT ?) WHERE substr(key, 9)=?`, from, historyScan, suffix).
			Scan(&key, &h.Seq, &received, &expires, &attempt, &h.Copies, &digest)
		if err == sql.ErrNoRows {
			err = j.readers.QueryRowContext(ctx, `SELECT key FROM markers WHERE key>? ORDER BY key LIMIT 1 OFFSET ?`, from, historyScan-1).Scan(&from)
			if err == sql.ErrNoRows {
				return History{}, false, nil
			}
			if err == nil {
				continue
			}
		}
		if err != nil {
			return History{}, false, j.readError(err)
		}
		h.Expires = fromMilli(expires)
		first = Attempt{Received: fromMilli(received), Attempt: int(attempt), Class: firstClass(attempt), Digest: digestText(digest)}
		h.Attempts, err = j.attempts(ctx, key, first)
		return h, err == nil, err
	}
}

func (j *SQLite) attempts(ctx context.Context, key []byte, first Attempt) ([]Attempt, error) {
	rows, err := j.readers.QueryContext(ctx, `SELECT received, attempt, class, digest, conflict FROM attempts WHERE key=? ORDER BY copy`, key)
	if err != nil {
		return nil, j.readError(err)
	}
	defer rows.Close()
	list := []Attempt{first}
	for rows.Next() {
		var a Attempt
		var received, digest int64
		if err := rows.Scan(&received, &a.Attempt, &a.Class, &digest, &a.Conflict); err != nil {
			return nil, j.readError(err)
		}
		a.Received, a.Digest = fromMilli(received), digestText(digest)
		list = append(list, a)
	}
	return list, j.readError(rows.Err())
}

func digestText(d int64) string {
	return fmt.Sprintf("%x", binary.BigEndian.AppendUint64(nil, uint64(d)))
}

// RawRequest gives the request that brought an event, as it was received; ok is false when it is no longer kept.
func (j *SQLite) RawRequest(ctx context.Context, seq int64) (raw *Raw, ok bool, err error) {
	return j.rawOf(ctx, "events", seq)
}

// QuarantinedRequest does the same for a place in the quarantine.
func (j *SQLite) QuarantinedRequest(ctx context.Context, seq int64) (raw *Raw, ok bool, err error) {
	return j.rawOf(ctx, "quarantine", seq)
}

// rawOf takes the table's name from the two constants above.
func (j *SQLite) rawOf(ctx context.Context, table string, seq int64) (*Raw, bool, error) {
	var head, body []byte
	err := j.readers.QueryRowContext(ctx, `SELECT r.raw_head, r.raw_body FROM `+table+` e
		JOIN `+table+` r ON r.seq=coalesce(e.raw_seq, e.seq) WHERE e.seq=?`, seq).Scan(&head, &body)
	if err == sql.ErrNoRows {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, j.readError(err)
	}
	raw, err := parseRawHead(head)
	if err != nil {
		return nil, false, hookgate.Errorf(hookgate.Unavailable, "journal entry %d: %w", seq, err)
	}
	raw.Body = body
	return raw, true, nil
}

func bounded(limit int) int { return min(max(limit, 1), maxList) }
