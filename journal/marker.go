package journal

import (
	"database/sql/driver"
	"errors"

	"github.com/hookgate/hookgate"
)

// maxHistory bounds the rows of an event's history; copies beyond it are only counted.
const maxHistory = 64

// maskedAttempts is how many attempts a marker tells apart; of those above it knows the highest.
const maskedAttempts = 63

// markers decides what is new. All its statements run inside the writer's transaction, so a copy in the same batch meets
// the marker of its twin there and is answered by the same commit.
type markers struct {
	insert, find, renew, repeat, forget, attempt *stmt
}

func newMarkers(db *conn) (*markers, error) {
	m := &markers{}
	return m, db.prepareAll(map[**stmt]string{
		&m.insert: `INSERT INTO markers VALUES (?,?,?,?,?,?,?,1,?) ON CONFLICT (key) DO NOTHING`,
		&m.find:   `SELECT seq, expires, attempt, highest, seen, copies, digest FROM markers WHERE key=?`,
		&m.renew: `UPDATE markers SET seq=?2, received=?3, expires=?4, attempt=?5, highest=?6, seen=?7, copies=1, digest=?8
			WHERE key=?1`,
		&m.repeat:  `UPDATE markers SET highest=?2, seen=?3, copies=?4 WHERE key=?1`,
		&m.forget:  `DELETE FROM attempts WHERE key=?`,
		&m.attempt: `INSERT INTO attempts VALUES (?,?,?,?,?,?,?)`,
	})
}

// take marks a record as standing at seq, or finds that it was here before; then fresh is false and the result says how
// the copy relates to the others.
func (m *markers) take(r *record, seq int64) (res hookgate.Result, fresh bool, err error) {
	bit := attemptBit(r.attempt)
	n, err := m.insert.run(r.key, seq, r.received, r.expires, r.attempt, r.attempt, bit, r.digest)
	if err != nil {
		return res, false, err
	}
	if n == 1 {
		return hookgate.Result{Class: firstClass(r.attempt), Seq: seq}, true, nil
	}
	var row [7]driver.Value
	found, err := m.find.first(row[:], r.key)
	if err != nil {
		return res, false, err
	}
	if !found {
		return res, false, errors.New("a marker is neither there nor can it be made")
	}
	v := func(i int) int64 { n, _ := row[i].(int64); return n }
	before, expires, attempt, highest, seen, copies, digest := v(0), v(1), v(2), v(3), v(4), v(5), v(6)
	if r.received >= expires { // the window is over: the event is new again
		if _, err := m.forget.run(r.key); err != nil {
			return res, false, err
		}
		_, err := m.renew.run(r.key, seq, r.received, r.expires, r.attempt, r.attempt, bit, r.digest)
		return hookgate.Result{Class: firstClass(r.attempt), Seq: seq}, err == nil, err
	}
	res = hookgate.Result{Class: classOf(r.attempt, highest, seen), Seq: before}
	res.Conflict = r.attempt == attempt && r.digest != digest
	copies++
	if _, err := m.repeat.run(r.key, max(highest, r.attempt), seen|bit, copies); err != nil {
		return res, false, err
	}
	if copies <= maxHistory {
		_, err = m.attempt.run(r.key, copies, r.received, r.attempt, string(res.Class), r.digest, boolean(res.Conflict))
	}
	return res, false, err
}

func firstClass(attempt int64) hookgate.Class {
	if attempt > 1 {
		return hookgate.Recovered
	}
	return hookgate.First
}

// classOf says how an attempt relates to those seen. One above the mask that is lower than the highest may have been seen
// or not; it is called late.
func classOf(attempt, highest, seen int64) hookgate.Class {
	switch {
	case attempt == highest || seen&attemptBit(attempt) != 0:
		return hookgate.Replay
	case attempt > highest:
		return hookgate.Retry
	default:
		return hookgate.Late
	}
}

func attemptBit(attempt int64) int64 {
	if attempt > maskedAttempts {
		return 0
	}
	return 1 << (attempt - 1)
}

func boolean(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// prepareAll prepares statements into their places.
func (c *conn) prepareAll(statements map[**stmt]string) error {
	for place, sql := range statements {
		s, err := c.prepare(sql)
		if err != nil {
			return err
		}
		*place = s
	}
	return nil
}
