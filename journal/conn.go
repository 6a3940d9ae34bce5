package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// conn is the writer's connection, straight at the driver: through database/sql an event cost 15 to 30 % more, and
// its transactions hang on a context. Everything here runs on the writer's goroutine and is never cancelled.
type conn struct {
	driver.Conn
	exec  driver.ExecerContext
	query driver.QueryerContext
	stmts []*stmt
}

func openConn(dsn string) (*conn, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	raw, err := c.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	exec, ok1 := raw.(driver.ExecerContext)
	query, ok2 := raw.(driver.QueryerContext)
	if !ok1 || !ok2 {
		return nil, errors.Join(errors.New("the sqlite driver has changed its methods"), raw.Close())
	}
	return &conn{Conn: raw, exec: exec, query: query}, nil
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		_ = s.s.Close() // reports the last statement's error once more
	}
	return c.Close()
}

func (c *conn) script(sql string) error {
	_, err := c.exec.ExecContext(context.Background(), sql, nil)
	return err
}

// row runs a query that gives at most one row.
func (c *conn) row(sql string, dest []driver.Value) (bool, error) {
	rows, err := c.query.QueryContext(context.Background(), sql, nil)
	if err != nil {
		return false, err
	}
	return firstRow(rows, dest)
}

func (c *conn) number(sql string) (int64, error) {
	var dest [1]driver.Value
	if _, err := c.row(sql, dest[:]); err != nil {
		return 0, err
	}
	n, _ := dest[0].(int64) // NULL, such as the max of nothing, is 0
	return n, nil
}

func (c *conn) text(sql string) (string, error) {
	var dest [1]driver.Value
	if _, err := c.row(sql, dest[:]); err != nil {
		return "", err
	}
	s, _ := dest[0].(string)
	return s, nil
}

// checkpoint folds the log into the database. Being kept from it by a reader is no error: it is tried again.
func (c *conn) checkpoint(mode string) error {
	var dest [3]driver.Value
	_, err := c.row("PRAGMA wal_checkpoint("+mode+")", dest[:])
	return err
}

// stmt is a statement prepared once, with its arguments' places.
type stmt struct {
	s    driver.Stmt
	exec driver.StmtExecContext
	qry  driver.StmtQueryContext
	args []driver.NamedValue
}

func (c *conn) prepare(sql string) (*stmt, error) {
	s, err := c.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, sql)
	}
	exec, ok1 := s.(driver.StmtExecContext)
	qry, ok2 := s.(driver.StmtQueryContext)
	if !ok1 || !ok2 {
		return nil, errors.Join(errors.New("the sqlite driver has changed its methods"), s.Close())
	}
	st := &stmt{s: s, exec: exec, qry: qry}
	c.stmts = append(c.stmts, st)
	return st, nil
}

func (s *stmt) bind(args []driver.Value) {
	if len(s.args) != len(args) {
		s.args = make([]driver.NamedValue, len(args))
	}
	for i, a := range args {
		s.args[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
}

// run executes and tells how many rows changed.
func (s *stmt) run(args ...driver.Value) (int64, error) {
	s.bind(args)
	r, err := s.exec.ExecContext(context.Background(), s.args)
	clear(s.args) // a body must not live on because it was the last one
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// first gives the first row, if there is one.
func (s *stmt) first(dest []driver.Value, args ...driver.Value) (bool, error) {
	s.bind(args)
	rows, err := s.qry.QueryContext(context.Background(), s.args)
	if err != nil {
		return false, err
	}
	return firstRow(rows, dest)
}

// each calls yield for every row; dest is used again.
func (s *stmt) each(dest []driver.Value, yield func(), args ...driver.Value) error {
	s.bind(args)
	rows, err := s.qry.QueryContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	for {
		switch err := rows.Next(dest); {
		case err == io.EOF:
			return rows.Close()
		case err != nil:
			return errors.Join(err, rows.Close())
		}
		yield()
	}
}

func firstRow(rows driver.Rows, dest []driver.Value) (bool, error) {
	err := rows.Next(dest)
	if err == io.EOF {
		return false, rows.Close()
	}
	return err == nil, errors.Join(err, rows.Close())
}

// trouble is what an error of SQLite's means for us.
type trouble int

const (
	ownFault trouble = iota // the statement's: its request fails alone
	passing                 // nobody's, such as a lock: the batch fails and may come again
	noRoom                  // the batch fails, and readiness until there is room
	broken                  // I/O or a damaged file: the end
)

// troubleOf looks at the primary code only; the text is never compared.
func troubleOf(err error) trouble {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return ownFault
	}
	switch e.Code() & 0xff {
	case 1, 18, 19, 20, 25: // error, too big, constraint, mismatch, range
		return ownFault
	case 13: // full
		return noRoom
	case 8, 10, 11, 14, 26: // read-only, I/O, corrupt, cannot open, not a database
		return broken
	}
	return passing
}

// blob binds no bytes at all as NULL.
func blob(b []byte) driver.Value {
	if b == nil {
		return nil
	}
	return b
}
