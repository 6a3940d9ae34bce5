package journal

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// The bounds of one transaction, and how long a change of progress may wait for company.
const (
	maxBatch      = 256
	maxBatchBytes = 4 << 20
	maxSteps      = 256
	stepDelay     = 10 * time.Millisecond
	tickEvery     = 200 * time.Millisecond
)

// writer is the one that writes. It alone uses the connection, and no caller's context reaches it.
type writer struct {
	j  *SQLite
	db *conn
	begin, commit, rollback,
	event, events, quarantined, quarantinedNext, present *stmt
	markers  *markers
	progress *progress
	sweeper  *sweeper

	last       int64 // the highest sequence number given out, committed or not
	quarantine int64 // the same of the quarantine
	unfolded   int   // bytes written since the last checkpoint, roughly
	steps      []*change
	batch      []*intake
	rows       []driver.Value // new events that the next insert takes along
	fresh      []hookgate.Entry
	sizes      []int
	usual      int // how many requests shared a commit of late
	straggle   *time.Timer
}

func newWriter(j *SQLite, db *conn) (*writer, error) {
	if err := prepareFile(db, j.t.synchronous); err != nil {
		return nil, err
	}
	w := &writer{j: j, db: db, straggle: time.NewTimer(time.Hour)}
	err := db.prepareAll(map[**stmt]string{
		&w.begin: `BEGIN IMMEDIATE`, &w.commit: `COMMIT`, &w.rollback: `ROLLBACK`,
		&w.event:           insertEvents + eventRow,
		&w.events:          insertEvents + strings.Repeat(eventRow+`,`, eventRows-1) + eventRow,
		&w.quarantined:     `INSERT INTO quarantine (seq, received, off, len, head, data, raw_head, raw_body, reason) VALUES (?,?,?,?,?,?,?,?,?)`,
		&w.quarantinedNext: `INSERT INTO quarantine (seq, received, off, len, head, data, raw_seq, reason) VALUES (?,?,?,?,?,?,?,?)`,
		&w.present:         `SELECT 1 FROM events WHERE seq=?`,
	})
	if err != nil {
		return nil, err
	}
	if w.markers, err = newMarkers(db); err != nil {
		return nil, err
	}
	if w.progress, err = newProgress(j, db); err != nil {
		return nil, err
	}
	if w.sweeper, err = newSweeper(w); err != nil {
		return nil, err
	}
	return w, w.recover()
}

// recover takes up the sequence where it was left. It never goes back: not after deletes, and not when the log has rotted
// and events that were committed are gone, which the mark beside the file betrays.
func (w *writer) recover() error {
	meta, err := w.db.number("SELECT last FROM meta")
	if err != nil {
		return err
	}
	newest, err := w.db.number("SELECT max(seq) FROM events")
	if err != nil {
		return err
	}
	if w.quarantine, err = w.db.number("SELECT max(seq) FROM quarantine"); err != nil {
		return err
	}
	w.last = max(meta, newest)
	if mark := w.j.lock.mark(); mark > w.last {
		w.j.counters.missing.Store(mark - w.last)
		w.last = mark
		if err := w.db.script(fmt.Sprintf("UPDATE meta SET last=%d", mark)); err != nil {
			return err
		}
	}
	w.j.tail.last = w.last
	if err := w.progress.load(); err != nil {
		return err
	}
	w.quarantine = max(w.quarantine, w.j.cursors[spillQuarantine]) // all may be gone of what was handed on
	return w.sweeper.locate()
}

// run is the writer's life: take what waits, commit it, answer, clean up a little.
func (w *writer) run() {
	defer close(w.j.stopped)
	defer w.end()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	delay := time.NewTimer(time.Hour)
	defer delay.Stop()
	defer w.straggle.Stop()
	checked := time.Now()
	w.sweeper.tick()
	for {
		w.batch = w.batch[:0]
		idle := w.sweeper.idle()
		select {
		case in := <-w.j.intakes:
			w.gather(in)
			w.write()
		case c := <-w.j.changes:
			if len(w.steps) == 0 {
				delay.Reset(stepDelay)
			}
			if w.steps = append(w.steps, c); len(w.steps) >= maxSteps {
				w.write()
			}
		case <-delay.C:
			w.write()
		case <-tick.C:
		case <-idle:
			w.sweeper.step()
		case <-w.j.stop:
			w.drain()
			return
		}
		if now := time.Now(); now.Sub(checked) >= tickEvery {
			checked = now
			w.sweeper.tick()
		}
	}
}

// write commits the batch together with the changes of progress and answers all of them. A request that fails by itself
// must not take its neighbours along: then each goes alone, and the culprit alone is refused.
func (w *writer) write() {
	if len(w.batch) == 0 && len(w.steps) == 0 {
		return
	}
	if refused := w.j.accepting(); refused != nil {
		w.answer(w.batch, nil, refused) // confirmations go on: they make room
		clear(w.batch)
		if w.batch = w.batch[:0]; len(w.steps) == 0 {
			return
		}
	}
	err := w.transact(w.batch, w.steps)
	if err == nil || troubleOf(err) != ownFault || len(w.batch)+len(w.steps) == 1 {
		w.answer(w.batch, w.steps, err)
	} else {
		for i := range w.batch {
			w.answer(w.batch[i:i+1], nil, w.transact(w.batch[i:i+1], nil))
		}
		for i := range w.steps {
			w.answer(nil, w.steps[i:i+1], w.transact(nil, w.steps[i:i+1]))
		}
	}
	clear(w.batch)
	clear(w.steps)
	w.steps = w.steps[:0]
	if w.unfolded >= checkpointBytes { // the answers are out: nobody waits for this
		w.unfolded = 0
		if err := w.db.checkpoint("PASSIVE"); err != nil && troubleOf(err) == broken {
			w.j.fail(err)
		}
	}
}

// transact runs one transaction. On return it has ended, committed or rolled back.
func (w *writer) transact(batch []*intake, steps []*change) error {
	if e := w.j.failure.Load(); e != nil {
		return e
	}
	last, quarantine := w.last, w.quarantine
	w.rows, w.fresh, w.sizes = w.rows[:0], w.fresh[:0], w.sizes[:0]
	err := w.apply(batch, steps)
	if err != nil {
		w.last, w.quarantine = last, quarantine
		w.trouble(err)
		return err
	}
	w.j.tail.append(w.fresh, w.sizes)
	clear(w.fresh)
	w.progress.committed(steps)
	w.j.counters.count(batch)
	return nil
}

func (w *writer) apply(batch []*intake, steps []*change) error {
	return w.within(func() error {
		for _, in := range batch {
			if err := w.store(in); err != nil {
				return err
			}
		}
		if err := w.insert(1); err != nil {
			return err
		}
		for _, c := range steps {
			if err := w.progress.apply(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// within runs do between BEGIN and COMMIT.
func (w *writer) within(do func() error) error {
	if _, err := w.begin.run(); err != nil {
		_, _ = w.rollback.run() // should an earlier rollback have failed, this one lets the next batch begin
		return err
	}
	err := do()
	if err == nil {
		_, err = w.commit.run()
	}
	if err != nil {
		_, _ = w.rollback.run() // SQLite may have rolled back already; what counts is the first error
	}
	return err
}

// trouble draws the consequences of an error that is not one request's own.
func (w *writer) trouble(err error) {
	switch troubleOf(err) {
	case broken:
		w.j.fail(err)
	case noRoom:
		w.sweeper.full(err)
	case ownFault, passing:
	}
}

// answer tells everybody what became of theirs; only now, with the transaction at its end.
func (w *writer) answer(batch []*intake, steps []*change, err error) {
	if err != nil {
		err = unavailable(err)
	}
	for _, in := range batch {
		in.done <- err
	}
	for _, c := range steps {
		c.done <- err
	}
}

// unavailable is the one kind of error that callers see: the provider sends again.
func unavailable(err error) error {
	var e *hookgate.Error
	if errors.As(err, &e) {
		return e
	}
	e = hookgate.Errorf(hookgate.Unavailable, "journal: %w", err)
	e.RetryAfter = retrySoon
	return e
}

// end closes the connections, the writer's last: the last one to close folds the log into the file.
func (w *writer) end() {
	_ = w.j.readers.Close() // read-only: nothing to lose
	if w.j.failure.Load() == nil {
		if err := w.db.checkpoint("TRUNCATE"); err != nil && troubleOf(err) == broken {
			w.j.fail(err)
		}
		_ = w.j.lock.note(w.last) // the file itself knows it, too
	}
	_ = w.db.close() // after a clean checkpoint there is nothing left to write
}

func (w *writer) folder() string { return filepath.Dir(w.j.path) }
