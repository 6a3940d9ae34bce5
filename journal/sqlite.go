// Package journal keeps events: dedupe and append in one durable step, the raw request with them, and the progress of
// every destination. SQLite is the embedded journal, one file and one writer.
package journal

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
)

var _ hookgate.Journal = (*SQLite)(nil)

// Options are the settings of an SQLite journal. The zero value works: it keeps events for ever.
type Options struct {
	// Retention is how long an event is kept once every destination is done with it; 0 keeps it for ever. Markers live
	// by their event's window instead.
	Retention time.Duration
	// MaxSize bounds the used part of the file in bytes; 0 is no bound. From nine tenths on the oldest finished events
	// go before their time, and at the bound new events are refused, because what is left is still to be delivered.
	MaxSize int64
	// MinFree is the room in bytes that must stay free on the file system, 256 MiB unless set; where a tenth of the file
	// system is less, that is enough. A negative value switches the check off.
	MinFree int64
	// Destinations are the configured ones. Nothing is deleted that one of them has still to deliver.
	Destinations []string
	// Now is the clock of retention and of the end of windows; time.Now unless set.
	Now func() time.Time

	spill bool // the file of a Spill
}

// defaultMinFree is our own choice: room for about two minutes of events at 1,000 a second.
const defaultMinFree = 256 << 20

// tuning is what only tests change.
type tuning struct {
	synchronous string // FULL
	vfs         string // SQLite's name of another file system layer
	maxPages    int    // SQLite's own limit of the file
	space       func(dir string) (free, total int64, err error)
}

// SQLite is the embedded journal. Its methods may be called from any number of goroutines.
type SQLite struct {
	path     string
	o        Options
	t        tuning
	lock     *lockFile
	readers  *sql.DB
	intakes  chan *intake
	changes  chan *change
	stop     chan struct{}
	stopped  chan struct{} // the writer has ended
	failed   chan struct{}
	tail     *tail
	counters counters
	refusal  atomic.Pointer[hookgate.Error] // why nothing is accepted for now: no room
	failure  atomic.Pointer[hookgate.Error] // why nothing is accepted any more

	gate   sync.RWMutex // orders enqueuing before the close
	closed bool

	mu           sync.Mutex
	destinations map[string]bool  // configured
	cursors      map[string]int64 // of every destination the file knows
	oldest       position
}

// position is an event's place and age.
type position struct {
	seq      int64
	received time.Time
}

// OpenSQLite opens the journal at path or makes a new one; the folder must exist. A second process, or a second call in
// this one, is refused while the first holds it. Everything that was acknowledged before a crash is there afterwards.
func OpenSQLite(path string, o Options) (*SQLite, error) { return open(path, o, tuning{}) }

func open(path string, o Options, t tuning) (*SQLite, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MinFree == 0 {
		o.MinFree = defaultMinFree
	}
	if t.synchronous == "" {
		t.synchronous = "FULL"
	}
	if t.space == nil {
		t.space = fileSystemSpace
	}
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	j := &SQLite{
		path: path, o: o, t: t, lock: lock,
		intakes: make(chan *intake, maxQueue), changes: make(chan *change, maxChanges),
		stop: make(chan struct{}), stopped: make(chan struct{}), failed: make(chan struct{}),
		tail: newTail(), destinations: map[string]bool{}, cursors: map[string]int64{},
	}
	// Before the writer begins: its retention must not take what one of them has still to deliver.
	for _, name := range o.Destinations {
		j.destinations[name] = true
	}
	if o.spill {
		j.destinations[spillEvents] = true
	}
	w, err := j.start()
	if err != nil {
		if troubleOf(err) == noRoom {
			err = hinted("make room on its disk and start again: nothing that was acknowledged is lost", "%w", err)
		}
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), lock.release())
	}
	go w.run()
	if o.spill {
		err = j.enterSpill()
	} else {
		err = j.SetDestinations(o.Destinations)
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// start opens the connections and reads what the file remembers.
func (j *SQLite) start() (*writer, error) {
	setLocking()
	if err := createPrivate(j.path); err != nil {
		return nil, err
	}
	db, err := openConn(writerDSN(j.path, j.t))
	if err != nil {
		return nil, err
	}
	w, err := newWriter(j, db)
	if err == nil {
		err = j.checkUse(w)
	}
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	if j.readers, err = openReaders(j.path, j.t); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return w, nil
}

// createPrivate makes a new file that nobody else may read: it will hold what customers wrote. SQLite gives the files
// beside it the same rights. An existing file keeps its own, and nothing of it is opened here.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Ready is nil while the journal accepts events; otherwise the error says why not.
func (j *SQLite) Ready() error {
	if e := j.failure.Load(); e != nil {
		return e
	}
	if e := j.refusal.Load(); e != nil {
		return e
	}
	select {
	case <-j.stop:
		return errClosed()
	default:
		return nil
	}
}

// Failed is closed when an I/O error or a damaged file has ended this journal for good: nothing is acknowledged any
// more, because a commit that succeeds after a failed sync proves nothing. The program must end and be started again.
func (j *SQLite) Failed() <-chan struct{} { return j.failed }

// fail latches the first I/O error.
func (j *SQLite) fail(cause error) {
	e := hookgate.Errorf(hookgate.Unavailable, "the journal has failed and accepts nothing until the program is started again: %w", cause)
	e.Hint = "look at the disk and the kernel's log, then start the program again"
	e.RetryAfter = retryLater
	if j.failure.CompareAndSwap(nil, e) {
		close(j.failed)
	}
}

// Close takes no more, commits what is queued and leaves one file without a log beside it. Waiting readers return.
func (j *SQLite) Close() error {
	j.gate.Lock()
	if j.closed {
		j.gate.Unlock()
		<-j.stopped
		return nil
	}
	j.closed = true
	close(j.stop)
	j.gate.Unlock()
	<-j.stopped
	return j.lock.release()
}

func errClosed() *hookgate.Error {
	return &hookgate.Error{Code: hookgate.Unavailable, Detail: "the journal is closed", RetryAfter: retrySoon}
}

// hinted is a refusal to open with what the operator can do.
func hinted(hint, format string, args ...any) error {
	e := hookgate.Errorf(hookgate.Unavailable, format, args...)
	e.Hint = hint
	return e
}

// fileSize is 0 for a file that is not there. Stat opens nothing, and so takes no lock of SQLite's away.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
