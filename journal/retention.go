package journal

import (
	"bytes"
	"database/sql/driver"
	"time"
)

// The size of a step and the pause after it, so that an answer waits for about a millisecond of cleaning at most.
const (
	sweepRows   = 128
	markerRows  = 1000
	sweepPause  = 2 * time.Millisecond
	passPause   = time.Minute // between two passes over everything
	expirySlack = time.Minute // a request may have been received a while before it gets here
)

// sweeper cleans up between the writer's batches: events and quarantined parts past their retention, markers past their
// window, and what it may before its time while room is short.
type sweeper struct {
	w         *writer
	timer     *time.Timer
	working   bool
	pressure  bool      // events go before their time
	fullUntil time.Time // a write has found no room
	pageSize  int64
	events    table
	aside     table

	marker   []byte        // how far the pass over the markers has come
	passTook time.Duration // spent on it so far; other work may lie between
	nextPass time.Time

	held, dropParked, keepLast, markersEnd, expired, dropAttempts, dropMarkers *stmt
}

// table is a table that is cut from its old end.
type table struct {
	first, chunk, after, drop *stmt
	swept                     int64 // what lies before is gone or was spared in this pass
	nextPass                  time.Time
}

func newSweeper(w *writer) (*sweeper, error) {
	s := &sweeper{w: w, timer: time.NewTimer(time.Hour)}
	statements := map[**stmt]string{
		&s.held:         `SELECT seq, dead FROM parked WHERE destination=? AND seq BETWEEN ? AND ?`,
		&s.dropParked:   `DELETE FROM parked WHERE destination=? AND seq BETWEEN ? AND ?`,
		&s.keepLast:     `UPDATE meta SET last=?`,
		&s.markersEnd:   `SELECT key FROM markers WHERE key>? ORDER BY key LIMIT 1 OFFSET ?`,
		&s.expired:      `SELECT count(*), coalesce(sum(copies>1), 0) FROM markers WHERE key>? AND key<=? AND expires<=?`,
		&s.dropAttempts: `DELETE FROM attempts WHERE key IN (SELECT key FROM markers WHERE key>? AND key<=? AND expires<=? AND copies>1)`,
		&s.dropMarkers:  `DELETE FROM markers WHERE key>? AND key<=? AND expires<=?`,
	}
	for name, t := range map[string]*table{"events": &s.events, "quarantine": &s.aside} {
		statements[&t.first] = `SELECT seq, received FROM ` + name + ` WHERE seq>? ORDER BY seq LIMIT 1`
		statements[&t.chunk] = `SELECT seq, raw_seq, received FROM ` + name + ` WHERE seq>? AND seq<=? ORDER BY seq LIMIT ?`
		statements[&t.after] = `SELECT raw_seq FROM ` + name + ` WHERE seq>? ORDER BY seq LIMIT 1`
		statements[&t.drop] = `DELETE FROM ` + name + ` WHERE seq BETWEEN ? AND ?`
	}
	if err := w.db.prepareAll(statements); err != nil {
		return nil, err
	}
	var err error
	s.pageSize, err = w.db.number("PRAGMA page_size")
	return s, err
}

// locate reads where the journal begins.
func (s *sweeper) locate() error {
	var row [2]driver.Value
	found, err := s.events.first.first(row[:], int64(0))
	if err != nil {
		return err
	}
	p := position{}
	if found {
		p.seq, _ = row[0].(int64)
		ms, _ := row[1].(int64)
		p.received = time.UnixMilli(ms).UTC()
	}
	s.w.j.mu.Lock()
	s.w.j.oldest = p
	s.w.j.mu.Unlock()
	return nil
}

// idle is the channel that says it is time for a step; nil while there is nothing to do.
func (s *sweeper) idle() <-chan time.Time {
	if !s.working {
		return nil
	}
	return s.timer.C
}

// tick looks five times a second at the room, notes the mark and decides whether there is work.
func (s *sweeper) tick() {
	s.room()
	_ = s.w.j.lock.note(s.w.last) // without the mark rot stays unnoticed, but nothing is lost by that
	if s.w.j.failure.Load() != nil {
		s.working = false
		return
	}
	if s.working {
		return
	}
	if err := s.locate(); err != nil {
		s.w.trouble(err)
		return
	}
	now := time.Now()
	s.working = s.due(&s.events, now) || s.due(&s.aside, now) || now.After(s.nextPass)
	if s.working {
		s.timer.Reset(0)
	}
}

// step does one small piece of work in a transaction of its own.
func (s *sweeper) step() {
	now := time.Now()
	limit, configured := s.w.j.finished(s.w.last)
	var err error
	switch {
	case s.due(&s.events, now):
		err = s.cut(&s.events, limit, configured)
	case s.due(&s.aside, now):
		err = s.cut(&s.aside, s.w.j.handedOn(s.w.quarantine), nil)
	case now.After(s.nextPass):
		err = s.expire(now)
	default:
		s.working = false
		return
	}
	if err != nil {
		s.w.trouble(err)
		s.working = false // until the next tick
		return
	}
	s.timer.Reset(sweepPause)
}

// due tells whether the oldest row that this pass has not seen may go.
func (s *sweeper) due(t *table, now time.Time) bool {
	var row [2]driver.Value
	found, err := t.first.first(row[:], t.swept)
	if err != nil {
		s.w.trouble(err)
		return false
	}
	seq, _ := row[0].(int64)
	ms, _ := row[1].(int64)
	limit := s.w.j.handedOn(s.w.quarantine)
	if t == &s.events {
		limit, _ = s.w.j.finished(s.w.last)
	}
	if found && seq <= limit && (s.aged(ms) || (s.pressure && t == &s.events)) {
		return true
	}
	if t.swept != 0 && now.After(t.nextPass) { // what was spared then may be free now
		t.swept, t.nextPass = 0, now.Add(passPause)
	}
	return false
}

func (s *sweeper) aged(received int64) bool {
	r := s.w.j.o.Retention
	return r > 0 && received < s.w.j.o.Now().Add(-r).UnixMilli()
}

// row is what retention has to know of an event.
type row struct{ seq, raw, received int64 }

// cut takes the oldest rows that may go. A row that another destination still has to deliver is spared, and so is the one
// that holds the raw request of a spared row. It goes from the young end to the old one: then the row that follows tells
// whether a request's raw form is still needed, because the rows of a request stand side by side.
func (s *sweeper) cut(t *table, limit int64, configured []string) error {
	rows, err := s.chunk(t, limit)
	if err != nil || len(rows) == 0 {
		return err
	}
	hi := rows[len(rows)-1].seq
	held, err := s.holds(configured, rows[0].seq, hi)
	if err != nil {
		return err
	}
	needed, err := t.rawAfter(hi)
	if err != nil {
		return err
	}
	type span struct{ from, to int64 }
	var spans []span
	for i := len(rows) - 1; i >= 0; i-- {
		r := rows[i]
		dead, parked := held[r.seq]
		if (parked && (!dead || !s.aged(r.received))) || needed == r.seq {
			needed = r.raw
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].from == r.seq+1 {
			spans[n-1].from = r.seq
		} else {
			spans = append(spans, span{r.seq, r.seq})
		}
	}
	err = s.w.within(func() error {
		for _, p := range spans {
			if _, err := t.drop.run(p.from, p.to); err != nil {
				return err
			}
			if t != &s.events {
				continue
			}
			for _, name := range s.w.j.known() {
				if _, err := s.dropParked.run(name, p.from, p.to); err != nil {
					return err
				}
			}
		}
		_, err := s.keepLast.run(s.w.last) // the sequence must outlive its last event
		return err
	})
	if err == nil {
		t.swept = hi
	}
	return err
}

// chunk reads the next rows, up to the first that must stay for its age.
func (s *sweeper) chunk(t *table, limit int64) ([]row, error) {
	var rows []row
	dest := make([]driver.Value, 3)
	ended := false
	err := t.chunk.each(dest, func() {
		r := row{}
		r.seq, _ = dest[0].(int64)
		r.raw, _ = dest[1].(int64)
		r.received, _ = dest[2].(int64)
		ended = ended || (!s.aged(r.received) && !(s.pressure && t == &s.events))
		if !ended {
			rows = append(rows, r)
		}
	}, t.swept, limit, int64(sweepRows))
	return rows, err
}

// holds lists the parked deliveries of the configured destinations, and whether each is a dead letter.
func (s *sweeper) holds(configured []string, lo, hi int64) (map[int64]bool, error) {
	held := map[int64]bool{}
	dest := make([]driver.Value, 2)
	for _, name := range configured {
		err := s.held.each(dest, func() {
			seq, _ := dest[0].(int64)
			dead := dest[1] == int64(1)
			if before, ok := held[seq]; ok {
				dead = dead && before // one that waits counts more
			}
			held[seq] = dead
		}, name, lo, hi)
		if err != nil {
			return nil, err
		}
	}
	return held, nil
}

// rawAfter is the raw_seq of the row that follows.
func (t *table) rawAfter(seq int64) (int64, error) {
	var row [1]driver.Value
	if _, err := t.after.first(row[:], seq); err != nil {
		return 0, err
	}
	raw, _ := row[0].(int64)
	return raw, nil
}

// expire looks at the next thousand markers and takes those whose window is over.
func (s *sweeper) expire(now time.Time) error {
	defer func() { s.passTook += time.Since(now) }()
	from := append([]byte{}, s.marker...)
	var row [2]driver.Value
	found, err := s.markersEnd.first(row[:1], from, int64(markerRows-1))
	if err != nil {
		return err
	}
	to := bytes.Repeat([]byte{0xff}, 64) // above every key
	if found {
		to, _ = row[0].([]byte)
	}
	edge := s.w.j.o.Now().Add(-expirySlack).UnixMilli()
	if _, err := s.expired.first(row[:], from, to, edge); err != nil {
		return err
	}
	if row[0] != int64(0) {
		err = s.w.within(func() error {
			if row[1] != int64(0) {
				if _, err := s.dropAttempts.run(from, to, edge); err != nil {
					return err
				}
			}
			_, err := s.dropMarkers.run(from, to, edge)
			return err
		})
		if err != nil {
			return err
		}
	}
	s.marker = to
	if !found {
		s.marker = nil
		s.nextPass = now.Add(max(passPause, 20*s.passTook))
		s.passTook = 0
	}
	return nil
}

// known lists every destination that the file knows, configured or not.
func (j *SQLite) known() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	names := make([]string, 0, len(j.cursors))
	for name := range j.cursors {
		names = append(names, name)
	}
	return names
}
