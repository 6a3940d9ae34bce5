package journal

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"modernc.org/sqlite"
)

// format is the file format's number, kept as user_version. A change of the schema raises it.
const format = 2

// schema: times are Unix milliseconds, a head is what hookgate.AppendStored writes. No table has a second index, because each costs a page for every event.
//
// An event's payload is bytes off to off+len of the raw body, which is kept once for a request: with its first new
// event, to which the request's other events refer by raw_seq. Only a payload that is no part of the body has data of its
// own.
//
// A marker's key is the time that follows from the identity, then the event id: neighbours in time are neighbours in the
// tree, which is what keeps its hot pages few.
const schema = `
CREATE TABLE meta (last INTEGER NOT NULL) STRICT;
INSERT INTO meta VALUES (0);
CREATE TABLE events (
	seq INTEGER PRIMARY KEY, received INTEGER NOT NULL, raw_seq INTEGER, off INTEGER, len INTEGER,
	head TEXT NOT NULL, data BLOB, raw_head BLOB, raw_body BLOB) STRICT;
CREATE TABLE quarantine (
	seq INTEGER PRIMARY KEY, received INTEGER NOT NULL, raw_seq INTEGER, off INTEGER, len INTEGER,
	head TEXT NOT NULL, reason TEXT NOT NULL, data BLOB, raw_head BLOB, raw_body BLOB) STRICT;
CREATE TABLE markers (
	key BLOB PRIMARY KEY, seq INTEGER NOT NULL, received INTEGER NOT NULL, expires INTEGER NOT NULL,
	attempt INTEGER NOT NULL, highest INTEGER NOT NULL, seen INTEGER NOT NULL, copies INTEGER NOT NULL,
	digest INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE attempts (
	key BLOB NOT NULL, copy INTEGER NOT NULL, received INTEGER NOT NULL, attempt INTEGER NOT NULL,
	class TEXT NOT NULL, digest INTEGER NOT NULL, conflict INTEGER NOT NULL, PRIMARY KEY (key, copy)) STRICT, WITHOUT ROWID;
CREATE TABLE destinations (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE parked (
	destination TEXT NOT NULL, seq INTEGER NOT NULL, key TEXT NOT NULL, attempts INTEGER NOT NULL,
	next_at INTEGER NOT NULL, error TEXT NOT NULL, dead INTEGER NOT NULL, replayed INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (destination, seq)) STRICT, WITHOUT ROWID;
CREATE VIEW event_list AS SELECT seq, head->>0 AS id, head->>1 AS provider, head->>2 AS source, head->>3 AS type,
	head->>4 AS subject, datetime(received/1000, 'unixepoch') AS received FROM events;
`

// fromFormat1 makes a file of format 1 one of format 2: a parked delivery remembers that somebody asked for it.
const fromFormat1 = `ALTER TABLE parked ADD COLUMN replayed INTEGER NOT NULL DEFAULT 0;`

// Larger pages cost more than they save: an event took 24 us of processor time with 4 KiB, 25 to 29 with 8, 28 with 16 and
// 31 with 32 (128 callers, 900 bytes). A log of 4 MiB, about 1,000 pages, is short for safety's sake.
const (
	pageSize        = 4096
	checkpointBytes = 4 << 20
)

// setLocking asks for locks that survive somebody else's open and close of the file in this process. Where the system has
// none, or another part of the program has opened a database before, SQLite's usual locks remain: nobody in this program
// opens the file, and other processes are kept away by our own lock.
func setLocking() { _, _ = sqlite.OFDLocking(true) }

func fileURI(path string, t tuning, settings ...string) string {
	var b strings.Builder
	b.WriteString("file:")
	b.WriteString((&url.URL{Path: path}).EscapedPath())
	b.WriteString("?_dqs=0&_pragma=busy_timeout(2000)&_pragma=foreign_keys(1)&_pragma=temp_store(memory)")
	for _, s := range settings {
		b.WriteString("&")
		b.WriteString(s)
	}
	if t.maxPages > 0 {
		fmt.Fprintf(&b, "&_pragma=max_page_count(%d)", t.maxPages)
	}
	if t.vfs != "" {
		b.WriteString("&vfs=")
		b.WriteString(t.vfs)
	}
	return b.String()
}

// writerDSN leaves checkpoints to the writer, which makes them when the answers are out; SQLite's own limit is only the
// net below.
func writerDSN(path string, t tuning) string {
	return fileURI(path, t, "_pragma=synchronous("+t.synchronous+")", "_pragma=fullfsync(1)", "_pragma=wal_autocheckpoint(4000)", "_txlock=immediate")
}

// openReaders is a pool of its own for short reads. It must not name the journal mode, which would write.
func openReaders(path string, t tuning) (*sql.DB, error) {
	c, err := sqlite.NewConnector(fileURI(path, t, "mode=ro", "_pragma=query_only(1)"))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return db, nil
}

// prepareFile checks that the settings hold, that the file is one of ours and not newer than this program, makes the
// tables of a new one and brings an older one to the present format. The log of the last process is folded in first, so that
// nothing rests on pages of a failed sync.
func prepareFile(db *conn, synchronous string) error {
	// Not in the DSN: the driver runs what stands there in alphabetical order, and the page size counts only before the
	// first write, which is the change of mode.
	if err := db.script(fmt.Sprintf("PRAGMA page_size=%d; PRAGMA journal_mode=WAL", pageSize)); err != nil {
		return err
	}
	mode, err := db.text("PRAGMA journal_mode")
	if err != nil {
		return err
	}
	if mode != "wal" {
		return hinted("put the journal on a local disk", "the file system does not allow write-ahead logging (mode %q)", mode)
	}
	level, err := db.number("PRAGMA synchronous")
	if err != nil {
		return err
	}
	if want := map[string]int64{"FULL": 2, "NORMAL": 1}[synchronous]; level != want {
		return fmt.Errorf("synchronous is %d, not %d", level, want)
	}
	if err := db.checkpoint("TRUNCATE"); err != nil {
		return err
	}
	version, err := db.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	switch {
	case version == format:
		return nil
	case version == 1:
		return reshape(db, fromFormat1)
	case version > format:
		return hinted("use the newer program, or another file", "the file has format %d, written by a newer Hookgate; this one knows formats up to %d", version, format)
	case version < 0:
		return hinted("use another file", "the file has format %d, which no Hookgate writes", version)
	}
	tables, err := db.number("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	if tables != 0 {
		return hinted("use another file", "the file is a database of another program")
	}
	return reshape(db, schema)
}

// reshape brings the file to the present format, as a whole or not at all.
func reshape(db *conn, statements string) error {
	if err := db.script("BEGIN IMMEDIATE;" + statements + fmt.Sprintf("PRAGMA user_version=%d;COMMIT;", format)); err != nil {
		return errors.Join(err, db.script("ROLLBACK"))
	}
	return nil
}
