package journal

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/hookgate/hookgate"
)

// change is what a destination reports, or the wish to know some destinations. Many share a transaction.
type change struct {
	register    []string
	destination string
	step        hookgate.Step
	done        chan error // buffered
}

// Progress reads what is remembered of a destination. One that the file does not know yet is entered, durably, at the
// present end: it gets what is accepted from now on.
func (j *SQLite) Progress(ctx context.Context, destination string) (hookgate.Progress, error) {
	if !j.knows(destination) {
		if err := j.submit(ctx, &change{register: []string{destination}}); err != nil {
			return hookgate.Progress{}, err
		}
	}
	rows, err := j.readers.QueryContext(ctx, `SELECT d.cursor, p.seq, p.key, p.attempts, p.next_at, p.error, p.replayed
		FROM destinations d LEFT JOIN parked p ON p.destination=d.name AND p.dead=0 WHERE d.name=? ORDER BY p.seq`, destination)
	if err != nil {
		return hookgate.Progress{}, unavailable(err)
	}
	defer rows.Close()
	var p hookgate.Progress
	for rows.Next() {
		var seq, attempts, at sql.NullInt64
		var key, text sql.NullString
		var replayed sql.NullBool
		if err := rows.Scan(&p.Cursor, &seq, &key, &attempts, &at, &text, &replayed); err != nil {
			return hookgate.Progress{}, unavailable(err)
		}
		if seq.Valid {
			p.Parked = append(p.Parked, hookgate.Parked{Seq: seq.Int64, Key: key.String, Attempts: int(attempts.Int64), NextAt: fromMilli(at.Int64), Error: text.String, Replayed: replayed.Bool})
		}
	}
	if err := rows.Err(); err != nil {
		return hookgate.Progress{}, unavailable(err)
	}
	return p, nil
}

// Record makes a step of a destination durable, as a whole or not at all; it waits up to some 10 ms for others to share
// the commit. A cursor never goes back. The step's slices must not be changed, even after an error.
func (j *SQLite) Record(ctx context.Context, destination string, step hookgate.Step) error {
	return j.submit(ctx, &change{destination: destination, step: step})
}

// SetDestinations replaces the list of configured destinations, whose unfinished deliveries retention spares, and enters
// those that are new at the present end.
func (j *SQLite) SetDestinations(names []string) error {
	configured := make(map[string]bool, len(names))
	var unknown []string
	for _, name := range names {
		configured[name] = true
		if !j.knows(name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		if err := j.submit(context.Background(), &change{register: unknown}); err != nil {
			return err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.destinations = configured
	return nil
}

func (j *SQLite) knows(destination string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.cursors[destination]
	return ok
}

func (j *SQLite) submit(ctx context.Context, c *change) error {
	c.done = make(chan error, 1)
	if e := j.failure.Load(); e != nil {
		return e
	}
	if err := j.enqueueChange(ctx, c); err != nil {
		return err
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

func (j *SQLite) enqueueChange(ctx context.Context, c *change) error {
	j.gate.RLock()
	defer j.gate.RUnlock()
	if j.closed {
		return errClosed()
	}
	select {
	case j.changes <- c: // the writer takes until the close, which waits for us
		return nil
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

// progress is the writer's part of it.
type progress struct {
	j                          *SQLite
	enter, advance, park, done *stmt
	cursors                    *stmt
}

func newProgress(j *SQLite, db *conn) (*progress, error) {
	p := &progress{j: j}
	return p, db.prepareAll(map[**stmt]string{
		&p.enter:   `INSERT INTO destinations SELECT ?1, max(last, coalesce((SELECT max(seq) FROM events), 0)) FROM meta WHERE true ON CONFLICT DO NOTHING`,
		&p.advance: `UPDATE destinations SET cursor=max(cursor, ?2) WHERE name=?1`,
		&p.park:    `INSERT OR REPLACE INTO parked VALUES (?,?,?,?,?,?,?,?)`,
		&p.done:    `DELETE FROM parked WHERE destination=? AND seq=?`,
		&p.cursors: `SELECT name, cursor FROM destinations`,
	})
}

func (p *progress) load() error {
	p.j.mu.Lock()
	defer p.j.mu.Unlock()
	dest := make([]driver.Value, 2)
	return p.cursors.each(dest, func() {
		name, _ := dest[0].(string)
		p.j.cursors[name], _ = dest[1].(int64)
	})
}

func (p *progress) apply(c *change) error {
	for _, name := range c.register {
		if _, err := p.enter.run(name); err != nil {
			return err
		}
	}
	if c.register != nil {
		return nil
	}
	n, err := p.advance.run(c.destination, c.step.Cursor)
	if err != nil {
		return err
	}
	if n == 0 {
		return hookgate.Errorf(hookgate.InternalMistake, "destination %q is not known to the journal", c.destination)
	}
	for i := range c.step.Park {
		k := &c.step.Park[i]
		if _, err := p.park.run(c.destination, k.Seq, k.Key, int64(k.Attempts), toMilli(k.NextAt), k.Error, boolean(k.Dead), boolean(k.Replayed)); err != nil {
			return err
		}
	}
	for _, seq := range c.step.Done {
		if _, err := p.done.run(c.destination, seq); err != nil {
			return err
		}
	}
	return nil
}

// committed brings the copy in memory up to date. New destinations are rare, so that reading all again is no cost.
func (p *progress) committed(steps []*change) {
	entered := false
	p.j.mu.Lock()
	for _, c := range steps {
		entered = entered || c.register != nil
		if c.register == nil && c.step.Cursor > p.j.cursors[c.destination] {
			p.j.cursors[c.destination] = c.step.Cursor
		}
	}
	p.j.mu.Unlock()
	if entered {
		if err := p.load(); err != nil {
			p.j.fail(err)
		}
	}
}

// finished is the last place up to which every configured destination is done but for what it has parked.
func (j *SQLite) finished(last int64) (limit int64, configured []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	limit = last
	for name := range j.destinations {
		limit = min(limit, j.cursors[name])
		configured = append(configured, name)
	}
	slices.Sort(configured)
	return limit, configured
}

// toMilli keeps the zero time, which waits for nothing, apart from every real one.
func toMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
