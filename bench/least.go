//go:build linux

package main

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"net/http"

	"github.com/redis/go-redis/v9"
	"modernc.org/sqlite"
)

// leastCommand is what a durable gateway cannot do without, and nothing else: it shows how near to the bare handler any
// gateway of this shape can come. It checks the HMAC, finds the id by a search for text, and answers when the commit that
// carries id and body is synced; then the body goes to the stream. It does not parse, normalise, remember attempts, log,
// count, bound, or read back what a crash has left.
type leastCommand struct {
	Address string `arg:""`
	File    string `arg:"" help:"The database."`
	Queue   string `arg:"" help:"The address of the stream's Redis."`
}

// Run serves it in a process of its own, as Hookgate runs in one.
func (c *leastCommand) Run() error {
	store, err := openLeast(c.File)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return err
	}
	waiting, committed := make(chan *keeping, leastBatch), make(chan []byte, 16*leastBatch)
	failed := make(chan error, 3)
	go func() { failed <- store.run(waiting, committed) }()
	go func() { failed <- hand(committed, c.Queue) }()
	go func() {
		failed <- http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // as bare as the ceiling
			body, ok := authentic(w, r)
			if !ok {
				return
			}
			k := keeping{body: body, done: make(chan struct{})}
			waiting <- &k
			<-k.done
		}))
	}()
	return <-failed
}

// The most that share a commit, and that share a statement.
const (
	leastBatch = 256
	leastRows  = 8
)

// keeping is a body on its way into the database.
type keeping struct {
	body []byte
	done chan struct{}
}

// id is the event's, which stands first in the bodies that are sent here.
func (k *keeping) id() []byte {
	_, rest, _ := bytes.Cut(k.body, []byte(`"id":"`))
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	return id
}

// leastStore has one table for what is remembered and one for the bodies, as the journal has.
type leastStore struct {
	driver.Conn
	next                int64
	markers, events     driver.StmtExecContext // for leastRows at once
	oneMarker, oneEvent driver.StmtExecContext
	begin, commit       driver.StmtExecContext
	args                []driver.NamedValue
}

func openLeast(file string) (*leastStore, error) {
	c, err := sqlite.NewConnector("file:" + file + "?_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(4000)")
	if err != nil {
		return nil, err
	}
	raw, err := c.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	s := &leastStore{Conn: raw}
	if err := s.script(`PRAGMA journal_mode=WAL;
CREATE TABLE markers (id BLOB PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT`); err != nil {
		return nil, err
	}
	row := ",(?,?)"
	many := row[1:] + string(bytes.Repeat([]byte(row), leastRows-1))
	for sql, to := range map[string]*driver.StmtExecContext{
		"INSERT OR IGNORE INTO markers VALUES " + row[1:]: &s.oneMarker, "INSERT OR IGNORE INTO markers VALUES " + many: &s.markers,
		"INSERT INTO events VALUES " + row[1:]: &s.oneEvent, "INSERT INTO events VALUES " + many: &s.events,
		"BEGIN IMMEDIATE": &s.begin, "COMMIT": &s.commit,
	} {
		stmt, err := raw.Prepare(sql)
		if err != nil {
			return nil, err
		}
		*to = stmt.(driver.StmtExecContext)
	}
	return s, nil
}

func (s *leastStore) script(sql string) error {
	_, err := s.Conn.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return err
}

// run commits whatever waits together, and answers then.
func (s *leastStore) run(waiting <-chan *keeping, committed chan<- []byte) error {
	for first := range waiting {
		batch := []*keeping{first}
		for more := true; more && len(batch) < leastBatch; {
			select {
			case k := <-waiting:
				batch = append(batch, k)
			default:
				more = false
			}
		}
		if err := s.write(batch); err != nil {
			return err
		}
		for _, k := range batch {
			close(k.done)
			committed <- k.body
		}
	}
	return nil
}

func (s *leastStore) write(batch []*keeping) error {
	err := s.exec(s.begin)
	for len(batch) > 0 && err == nil {
		markers, events, n := s.oneMarker, s.oneEvent, 1
		if len(batch) >= leastRows {
			markers, events, n = s.markers, s.events, leastRows
		}
		var keys, bodies [2 * leastRows]driver.Value
		for i, k := range batch[:n] {
			s.next++
			keys[2*i], keys[2*i+1] = k.id(), s.next
			bodies[2*i], bodies[2*i+1] = s.next, k.body
		}
		err = errors.Join(s.exec(markers, keys[:2*n]...), s.exec(events, bodies[:2*n]...))
		batch = batch[n:]
	}
	return errors.Join(err, s.exec(s.commit))
}

func (s *leastStore) exec(stmt driver.StmtExecContext, args ...driver.Value) error {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	_, err := stmt.ExecContext(context.Background(), s.args)
	return err
}

// hand writes the bodies to the stream, whatever waits in one pipeline.
func hand(committed <-chan []byte, address string) error {
	client := redis.NewClient(&redis.Options{Addr: address})
	for body := range committed {
		p := client.Pipeline()
		add := func(body []byte) {
			p.Do(context.Background(), "XADD", streamName, "*", "id", (&keeping{body: body}).id(), "event", body)
		}
		for add(body); p.Len() < leastBatch && len(committed) > 0; {
			add(<-committed) // nobody else takes from it
		}
		if _, err := p.Exec(context.Background()); err != nil {
			return err
		}
	}
	return nil
}
