package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
)

// The bounds of what waits. A queue of 4096 requests is drained in well under the three seconds that a provider waits.
const (
	maxQueue   = 4096
	maxChanges = 1024
	maxWait    = 3 * time.Second // the shortest provider time-out is 5 s (SalesIQ), and the answer has to travel
	retrySoon  = 5 * time.Second
	retryLater = 30 * time.Second
)

// intake is one request on its way to the writer. Everything that can be computed before the writer's turn is.
type intake struct {
	req     *hookgate.Request
	events  []*hookgate.Event
	records []record
	rawHead []byte
	bytes   int
	results []hookgate.Result
	done    chan error // buffered: the writer never waits for a caller

	// Most requests bring one event.
	oneRecord [1]record
	oneResult [1]hookgate.Result
}

// record is one event in the form it is written in.
type record struct {
	key      []byte
	head     string
	digest   int64
	attempt  int64
	received int64
	expires  int64
	off, len int64
	data     []byte // only where the payload is no part of the raw body
}

// Accept dedupes and appends all events of a request in one durable step. The request and the events belong to the
// journal from then on, even when it answers with an error: they must not be changed and the body's bytes must not be
// used again. After 3 s, and when ctx ends first, the answer is Unavailable although the commit may still happen; the
// provider's retry finds out. A window of 0 has ended when it begins: nothing is ever a duplicate then.
func (j *SQLite) Accept(ctx context.Context, req *hookgate.Request, events []*hookgate.Event) ([]hookgate.Result, error) {
	if err := j.accepting(); err != nil {
		return nil, err
	}
	in, err := newIntake(req, events, j.o.spill)
	if err != nil {
		return nil, err
	}
	w := waits.Get().(*wait)
	in.done = w.done
	if err := j.enqueue(in); err != nil {
		return nil, err
	}
	return w.results(ctx, in, "the disk is too slow")
}

// wait is what a caller waits on, used again: a context with a deadline for every request costs ten times as much.
type wait struct {
	limit *time.Timer
	done  chan error
}

var waits = sync.Pool{New: func() any { return &wait{limit: time.NewTimer(maxWait), done: make(chan error, 1)} }}

// results waits for what comes of a request that has been queued, and gives w back where nobody else holds it any more. The
// hint is for an answer that does not come in time.
func (w *wait) results(ctx context.Context, in *intake, hint string) ([]hookgate.Result, error) {
	w.limit.Reset(maxWait)
	select {
	case err := <-in.done:
		w.limit.Stop()
		waits.Put(w) // not in the other cases: the answer may still come
		if err != nil {
			return nil, err
		}
		return in.results, nil
	case <-w.limit.C:
		return nil, &hookgate.Error{Code: hookgate.Unavailable, Detail: "journal: no answer within " + maxWait.String(), Hint: hint, RetryAfter: retrySoon}
	case <-ctx.Done():
		e := hookgate.Errorf(hookgate.Unavailable, "journal: nobody waits for the answer: %w", ctx.Err())
		e.RetryAfter = retrySoon
		return nil, e
	}
}

// accepting gives the error that new events are refused with, if they are.
func (j *SQLite) accepting() error {
	if e := j.failure.Load(); e != nil {
		return e
	}
	if e := j.refusal.Load(); e != nil {
		return e
	}
	return nil
}

func (j *SQLite) enqueue(in *intake) error {
	j.gate.RLock()
	defer j.gate.RUnlock()
	if j.closed {
		return errClosed()
	}
	select {
	case j.intakes <- in:
		return nil
	default:
		j.counters.overflowed.Add(1)
		return &hookgate.Error{Code: hookgate.Unavailable, Detail: "the journal's queue is full", Hint: "the disk is slower than what comes in", RetryAfter: retrySoon}
	}
}

// newIntake computes what can be before the writer's turn. handsOn is for a journal that hands its events on to another.
func newIntake(req *hookgate.Request, events []*hookgate.Event, handsOn bool) (*intake, error) {
	in := &intake{req: req, events: events}
	if in.records, in.results = in.oneRecord[:], in.oneResult[:]; len(events) != 1 {
		in.records, in.results = make([]record, len(events)), make([]hookgate.Result, len(events))
	}
	var room [1024]byte
	for i, e := range events {
		r := &in.records[i]
		var err error
		if r.key, err = markerKey(e); err != nil {
			return nil, err
		}
		r.attempt = max(int64(e.Attempt), 1)
		r.received = req.ReceivedAt.UnixMilli()
		r.expires = req.ReceivedAt.Add(e.Window).UnixMilli()
		if off, ok := offset(req.Body, e.Data); ok {
			r.off, r.len = int64(off), int64(len(e.Data))
		} else {
			r.data = e.Data
			in.bytes += len(e.Data)
		}
		whole := r.len == int64(len(req.Body)) && r.data == nil
		sum := req.BodySHA256()
		if !whole {
			sum = sha256.Sum256(e.Data)
		}
		r.digest = int64(binary.BigEndian.Uint64(sum[:]))
		if handsOn {
			r.head = string(e.AppendHandedOn(room[:0], whole))
		} else {
			r.head = string(e.AppendStored(room[:0], whole))
		}
		in.bytes += len(r.head)
	}
	in.rawHead = bytes.Clone(appendRawHead(room[:0], req))
	in.bytes += len(in.rawHead) + len(req.Body)
	return in, nil
}

// offset finds where data lies in body when it is a slice of it: two slices of one array that nobody has capped end at
// the same place. It compares places, not contents, so that a batch of 10,000 elements is not searched 10,000 times.
func offset(body, data []byte) (int, bool) {
	if len(data) == 0 {
		return 0, true
	}
	off := cap(body) - cap(data)
	if off < 0 || off+len(data) > len(body) {
		return 0, false
	}
	return off, &body[off] == &data[0]
}

// timeLen is how many bytes of a marker's key are the time that follows from the identity.
const timeLen = 8

// markerKey is the identity's own time and the id in binary, with the attempt where the id names one. A retry computes the
// same key, because all of it follows from the identity. Microseconds matter: among keys of one second a batch would touch
// a page for every event.
func markerKey(e *hookgate.Event) ([]byte, error) {
	key := make([]byte, timeLen, 32)
	binary.BigEndian.PutUint64(key, uint64(max(e.IdentityTime, 0)))
	return appendID(key, e.ID)
}

// appendID appends the 16 bytes of an id, and for an id that ends in -<n> the number as text.
func appendID(dst []byte, id string) ([]byte, error) {
	const hexLen = 32
	bad := func() ([]byte, error) {
		return nil, hookgate.Errorf(hookgate.InternalMistake, "event id %q is not 32 hex characters, with or without an attempt", id)
	}
	if len(id) < hexLen {
		return bad()
	}
	var raw [hexLen / 2]byte
	if _, err := hex.Decode(raw[:], []byte(id[:hexLen])); err != nil {
		return bad()
	}
	dst = append(dst, raw[:]...)
	if len(id) == hexLen {
		return dst, nil
	}
	if id[hexLen] != '-' {
		return bad()
	}
	if _, err := strconv.Atoi(id[hexLen+1:]); err != nil {
		return bad()
	}
	return append(dst, id[hexLen+1:]...), nil
}
