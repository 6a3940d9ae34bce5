package outbound

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	"modernc.org/sqlite"
)

// format is the file format's number, kept as user_version; a change of the schema raises it. mark is the application id,
// which tells the file from Hookgate's journal.
const (
	format = 1
	mark   = 0x486b4f62
)

// schema: times are Unix milliseconds, 0 for none. Names of providers, subscriptions and events are kept once, in words;
// elsewhere stands their key. A state is its number of stateNumber.
//
// Every index ends in the row's seq, as all of SQLite's do, so that each gives its rows newest first without sorting. A
// query that names no state asks for each in turn. What changes with an attempt is apart from the payloads, which never do.
// A payload's id is the delivery's seq and the event's place, an attempt's the seq and its number; see part.
//
// spans tells of each run of 1024 seqs the earliest and the latest creation: creation is no index's column, and a clock
// that was set back must not hide a delivery.
const schema = `
CREATE TABLE words (key INTEGER PRIMARY KEY, provider TEXT NOT NULL, kind INTEGER NOT NULL, word TEXT NOT NULL) STRICT;
CREATE TABLE subscriptions (key INTEGER PRIMARY KEY, place INTEGER NOT NULL, content TEXT NOT NULL) STRICT;
CREATE TABLE deliveries (
	seq INTEGER PRIMARY KEY, id BLOB NOT NULL, provider INTEGER NOT NULL, subscription INTEGER NOT NULL, event INTEGER NOT NULL,
	state INTEGER NOT NULL, total INTEGER NOT NULL, size INTEGER NOT NULL, attempts INTEGER NOT NULL, manual INTEGER NOT NULL, ordered INTEGER NOT NULL,
	status INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, first INTEGER NOT NULL, next_at INTEGER NOT NULL,
	running INTEGER NOT NULL, ended INTEGER NOT NULL, keep INTEGER NOT NULL, error TEXT NOT NULL, frozen TEXT) STRICT;
CREATE UNIQUE INDEX by_id ON deliveries (id);
CREATE INDEX by_provider ON deliveries (provider, state);
CREATE INDEX by_event ON deliveries (event, state);
CREATE INDEX by_subscription ON deliveries (subscription, state);
CREATE INDEX by_subscription_event ON deliveries (subscription, event, state);
CREATE INDEX by_end ON deliveries (keep, ended) WHERE ended > 0;
CREATE TABLE payloads (id INTEGER PRIMARY KEY, event TEXT NOT NULL, payload BLOB) STRICT;
CREATE TABLE attempts (
	id INTEGER PRIMARY KEY, at INTEGER NOT NULL, took INTEGER NOT NULL, status INTEGER NOT NULL, manual INTEGER NOT NULL,
	error TEXT NOT NULL, response BLOB) STRICT;
CREATE TABLE counts (
	subscription INTEGER NOT NULL, event INTEGER NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL,
	PRIMARY KEY (subscription, event, state)) STRICT, WITHOUT ROWID;
CREATE TABLE spans (span INTEGER PRIMARY KEY, earliest INTEGER NOT NULL, latest INTEGER NOT NULL) STRICT;
`

// part is the id of the n-th event or attempt of a delivery; n is below 65536.
func part(seq int64, n int) int64 { return seq<<16 | int64(n) }

func dsn(path string, settings string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_dqs=0&_pragma=busy_timeout(2000)&_pragma=temp_store(memory)&_pragma=cache_size(-16000)" + settings
}

// openDB opens one of the two pools: the writer's one connection, or the readers'.
func openDB(path string, writes bool) (*sql.DB, error) {
	settings, most := "&mode=ro&_pragma=query_only(1)", 4
	if writes {
		settings, most = "&_pragma=synchronous(FULL)&_pragma=fullfsync(1)&_pragma=wal_autocheckpoint(2000)&_txlock=immediate", 1
	}
	c, err := sqlite.NewConnector(dsn(path, settings))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

// prepare checks that the file is one of ours and not newer than this program, and makes the tables of a new one.
func prepare(ctx context.Context, c *sql.Conn) error {
	number := func(q string) (n int64, err error) {
		err = c.QueryRowContext(ctx, q).Scan(&n)
		return n, err
	}
	tables, err := number("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return fmt.Errorf("%w; is it an SQLite file?", err)
	}
	id, err := number("PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := number("PRAGMA user_version")
	if err != nil {
		return err
	}
	switch {
	case tables != 0 && id != mark, tables == 0 && (id != 0 && id != mark || version != 0):
		return fmt.Errorf("the file is a database of another program or purpose; use another file")
	case version > format:
		return fmt.Errorf("the file has format %d, written by a newer Hookgate, and this one knows formats up to %d; use the newer program, or another file", version, format)
	case tables != 0 && version != format:
		return fmt.Errorf("the file has format %d, which no Hookgate writes; use another file", version)
	}
	var mode string
	if err := c.QueryRowContext(ctx, "PRAGMA journal_mode=WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file system does not allow write-ahead logging (mode %q); put the store on a local disk", mode)
	}
	if level, err := number("PRAGMA synchronous"); err != nil || level != 2 {
		return fmt.Errorf("synchronous is %d, not 2: %w", level, err)
	}
	if tables != 0 {
		return nil
	}
	_, err = c.ExecContext(ctx, "BEGIN IMMEDIATE;"+schema+fmt.Sprintf("PRAGMA application_id=%d;PRAGMA user_version=%d;COMMIT;", mark, format))
	return err
}
