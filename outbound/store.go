package outbound

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// jobsAtOnce is how many changes share a transaction at most, and how many wait for the next one.
const jobsAtOnce = 256

// store is the subscriptions and the log, in one SQLite file. One goroutine writes: whatever has come in while it wrote
// shares the next transaction, and with it one sync. What is asked for often is kept in memory, and changes there only
// after the commit.
type store struct {
	lock   *os.File
	writer *sql.DB
	reader *sql.DB
	reads  reads
	conn   *sql.Conn // the writer's
	stmts  map[string]*sql.Stmt

	jobs    chan *job
	closing chan struct{}
	done    chan struct{} // closed when the writer has ended
	once    sync.Once

	// committed is told of every commit. It is set before the first job.
	committed func(*changes)

	mu     sync.RWMutex
	memory memory

	// The writer's own: the highest keys given out.
	lastSeq, lastWord, lastPlace int64
}

// job is one change, which is done whole or not at all.
type job struct {
	do     func(*tx) error
	err    error
	result chan error
}

func openStore(path string) (_ *store, err error) {
	path, err = resolve(path)
	if err != nil {
		return nil, err
	}
	st := &store{stmts: map[string]*sql.Stmt{}, jobs: make(chan *job, jobsAtOnce), closing: make(chan struct{}), done: make(chan struct{}),
		committed: func(*changes) {}, memory: newMemory()}
	if st.lock, err = takeLock(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("outbound store %s: %w", path, err), st.release())
		}
	}()
	if err = private(path); err != nil {
		return nil, err
	}
	if st.writer, err = openDB(path, true); err != nil {
		return nil, err
	}
	ctx := context.Background()
	if st.conn, err = st.writer.Conn(ctx); err != nil {
		return nil, fmt.Errorf("%w; is it an SQLite file?", err)
	}
	if err = prepare(ctx, st.conn); err != nil {
		return nil, err
	}
	if st.reader, err = openDB(path, false); err != nil {
		return nil, err
	}
	if err = st.prepareReads(ctx); err != nil {
		return nil, err
	}
	if err = st.recall(ctx); err != nil {
		return nil, err
	}
	go st.write()
	return st, nil
}

// close ends the writer after what is queued, and closes the file.
func (st *store) close() error {
	var err error
	st.once.Do(func() {
		close(st.closing)
		<-st.done
		err = st.release()
	})
	return err
}

func (st *store) release() error {
	var errs []error
	for _, s := range st.stmts {
		errs = append(errs, s.Close())
	}
	for _, s := range []*sql.Stmt{st.reads.row, st.reads.events} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if st.reader != nil {
		errs = append(errs, st.reader.Close())
	}
	if st.conn != nil {
		errs = append(errs, st.conn.Close())
	}
	if st.writer != nil {
		errs = append(errs, st.writer.Close())
	}
	// The lock is given up by itself: a close alone would leave it with a child process that is just being started.
	return errors.Join(append(errs, syscall.Flock(int(st.lock.Fd()), syscall.LOCK_UN), st.lock.Close())...)
}

// change does a job and returns when it is on stable storage. Once it has been queued, ctx does not take it back. do runs
// on the writer's goroutine and must not call change.
func (st *store) change(ctx context.Context, do func(*tx) error) error {
	j := &job{do: do, result: make(chan error, 1)}
	select {
	case <-st.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	select {
	case st.jobs <- j:
	case <-st.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-j.result:
		return err
	case <-st.done:
	}
	select {
	case err := <-j.result:
		return err
	default:
		return errClosed
	}
}

// write is the writer's goroutine.
func (st *store) write() {
	defer close(st.done)
	batch := make([]*job, 0, jobsAtOnce)
	for {
		select {
		case j := <-st.jobs:
			batch = append(batch[:0], j)
		case <-st.closing:
			select {
			case j := <-st.jobs: // queued before the end
				batch = append(batch[:0], j)
			default:
				return
			}
		}
	more:
		for len(batch) < jobsAtOnce {
			select {
			case j := <-st.jobs:
				batch = append(batch, j)
			default:
				break more
			}
		}
		all := st.commit(batch)
		for _, j := range batch {
			if all != nil {
				j.err = all
			}
			j.result <- j.err
		}
		clear(batch)
	}
}

// commit does the jobs in one transaction. The error is that of all of them; a job that failed alone holds its own.
func (st *store) commit(jobs []*job) error {
	ctx := context.Background()
	t := &tx{st: st, ctx: ctx, batch: newChanges()}
	fail := func(err error) error {
		_, _ = st.conn.ExecContext(ctx, "ROLLBACK") // SQLite may have done it already
		return fmt.Errorf("outbound store: %w", err)
	}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return fail(err)
	}
	for _, j := range jobs {
		if err := t.attempt(j); err != nil {
			return fail(err)
		}
	}
	if err := t.flush(); err != nil {
		return fail(err)
	}
	if _, err := t.exec("COMMIT"); err != nil {
		return fail(err)
	}
	st.mu.Lock()
	st.memory.apply(t.batch)
	st.mu.Unlock()
	st.committed(t.batch)
	return nil
}

// tx is the transaction as a job sees it.
type tx struct {
	st    *store
	ctx   context.Context
	batch *changes // of the jobs before
	job   *changes // of this one
}

// attempt does a job; one that fails leaves nothing. The error is of the transaction as a whole.
func (t *tx) attempt(j *job) error {
	t.job = newChanges()
	if _, err := t.exec("SAVEPOINT job"); err != nil {
		return err
	}
	if j.err = t.guarded(j.do); j.err != nil {
		if _, err := t.exec("ROLLBACK TO job"); err != nil {
			return errors.Join(j.err, err)
		}
	} else {
		t.batch.merge(t.job)
	}
	_, err := t.exec("RELEASE job")
	return err
}

// guarded turns a panic of a provider's function into an error: the writer must not end for it.
func (t *tx) guarded(do func(*tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("outbound: internal mistake: %v", r)
		}
	}()
	return do(t)
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if s := t.st.stmts[query]; s != nil {
		return s, nil
	}
	s, err := t.st.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, err
	}
	t.st.stmts[query] = s
	return s, nil
}

// exec runs a statement; its text is a constant, because each is prepared once and kept.
func (t *tx) exec(query string, args ...any) (int64, error) {
	s, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}
