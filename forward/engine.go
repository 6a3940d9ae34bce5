package forward

import (
	"context"
	"time"

	"github.com/hookgate/hookgate"
)

// engine is the state of one forwarder. One goroutine owns all of it; readers, publishers and the recorder talk to it
// over channels that they never block on.
type engine struct {
	f      *Forwarder
	window int
	// serial is a type that has one call at a time and takes several entries of a key in it: order per key follows from
	// the order of the journal, so that lanes are needed only for keys with something parked.
	serial bool

	ring       []*item // the entries read and not yet passed by the cursor, by position modulo its length
	head, tail int64   // positions of the oldest one and of the next one
	scan       int64   // no position below it waits
	unfinished int     // of the ring
	bytes      int     // of their payloads
	flying     int     // in Publish calls
	exposed    int     // in flight, or answered and not yet recorded: what a crash would send again
	lastRead   int64
	requested  int // size of the read under way; 0 without one

	lanes  map[string]*lane
	due    laneHeap
	parked int

	active    int   // Publish calls
	batch     int64 // number of the batch that is being put together
	wave      int64 // number of pauses so far: what was sent before a pause does not lengthen it
	troubles  int   // waves in a row without a confirmation
	paused    bool
	resumeAt  time.Time
	retryTurn bool // whether the next call, if both want one, is for parked entries

	ledger ledger
	spare  []*item
	unused []*job

	suspects                map[int64]suspicion // by sequence number; at most those read and parked
	delivered, failed, dead uint64
	lastConfirmed           time.Time
	refusedInRow            int       // since the last confirmation
	hurriedAt               time.Time // when what is parked was last tried before its time

	wanted   chan readRequest
	chunks   chan chunk
	jobs     chan *job
	results  chan *job
	steps    chan hookgate.Step
	recorded chan error
}

// item is one entry on its way.
type item struct {
	entry    hookgate.Entry // without its event, if it is a parked one that has not been fetched
	pos      int64
	lane     *lane // nil in a serial engine, unless parked
	state    itemState
	exposed  bool // counted in the engine's exposed
	parked   bool // it stands in its lane's queue, not in the ring
	replayed bool // somebody asked for it
}

type itemState uint8

const (
	waiting itemState = iota
	inFlight
	finished
)

func newEngine(f *Forwarder, p hookgate.Progress) *engine {
	e := &engine{
		f: f, window: f.settings.Window, serial: f.limits.Concurrent == 1 && f.limits.SameKey,
		ring: make([]*item, 2*f.settings.Window), lanes: make(map[string]*lane), lastRead: p.Cursor,
		ledger: newLedger(p.Cursor), suspects: make(map[int64]suspicion),
		wanted: make(chan readRequest, 1), chunks: make(chan chunk, 1),
		jobs: make(chan *job, f.limits.Concurrent), results: make(chan *job, f.limits.Concurrent),
		steps: make(chan hookgate.Step, 1), recorded: make(chan error, 1),
	}
	now := time.Now()
	for _, parked := range p.Parked {
		if !parked.Dead {
			parked.NextAt = resumed(f.settings.Retry, parked.NextAt, now)
			e.insert(parked, false)
		}
	}
	return e
}

// loop is the forwarder. Each turn does everything that can be done now, and then waits for the next thing to happen.
// It is one straight function, so that the order of the steps can be seen.
func (e *engine) loop(ctx context.Context, stopPublishing, stopRecording func()) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	ending := ctx.Done()
	var cutOff, giveUp <-chan time.Time
	stopping := false
	for {
		now := time.Now()
		if !stopping {
			e.dispatch(now)
			e.overtake()
			e.request()
		}
		if stopping && e.active == 0 {
			e.strand()
		}
		e.flush(now, stopping)
		e.show(now)
		if stopping && e.active == 0 {
			cutOff = nil
			if !e.ledger.busy {
				return nil
			}
			if giveUp == nil {
				giveUp = time.After(lastRecord)
			}
		}
		timer.Reset(e.untilNext(now, stopping))
		select {
		case <-ending:
			ending, stopping, cutOff = nil, true, time.After(e.f.grace)
		case <-cutOff:
			stopPublishing()
		case <-giveUp:
			stopRecording()
		case c := <-e.chunks:
			if !stopping {
				e.admit(c)
			}
		case j := <-e.results:
			e.settle(j, time.Now())
		case err := <-e.recorded:
			if err != nil {
				return err
			}
			e.exposed -= e.ledger.confirm()
		case r := <-e.replaysFor(stopping):
			e.replay(r)
		case <-timer.C:
		}
	}
}

// untilNext is how long nothing will happen by itself.
func (e *engine) untilNext(now time.Time, stopping bool) time.Duration {
	d := time.Hour
	earlier := func(at time.Time) { d = min(d, max(0, at.Sub(now))) }
	if at, ok := e.ledger.dueAt(e); ok {
		earlier(at)
	}
	if !stopping {
		switch {
		case now.Before(e.resumeAt):
			earlier(e.resumeAt)
		case len(e.due) > 0 && e.active < e.f.limits.Concurrent && e.due[0].due().After(now):
			// A lane that is due already waits for something else to happen, of which the loop will hear.
			earlier(e.due[0].due())
		}
	}
	return d
}

func (e *engine) at(pos int64) *item { return e.ring[pos%int64(len(e.ring))] }

// room is how many more entries there is a place for, if all that are read had to be parked.
func (e *engine) room() int { return e.f.maxParked - e.parked - e.unfinished }

// request asks for more of the journal. While a call is under way small reads wait, because more room comes with its end.
func (e *engine) request() {
	n := min(e.window-e.unfinished, len(e.ring)-int(e.tail-e.head), e.room())
	held := e.bytes >= e.f.maxHeld || len(e.ledger.parks) >= e.f.maxParked // dead letters of `when` wait there only
	if e.requested > 0 || n <= 0 || held || (n < e.window/4 && e.active == e.f.limits.Concurrent) {
		return
	}
	e.requested = n
	e.wanted <- readRequest{after: e.lastRead, limit: n}
}

// admit takes what was read. What the destination does not want is finished at once and takes no place.
func (e *engine) admit(c chunk) {
	entries := c.entries[:min(len(c.entries), e.requested)]
	e.requested = 0
	for i, entry := range entries {
		if entry.Seq <= e.lastRead {
			continue
		}
		e.lastRead = entry.Seq
		if !Matches(e.f.settings.Match, entry.Event) {
			continue
		}
		if c.verdicts != nil && c.verdicts[i] != nil {
			if c.verdicts[i] != errUnwanted {
				e.turnAway(entry, c.verdicts[i])
			}
			continue
		}
		it := e.newItem()
		it.entry, it.pos = entry, e.tail
		e.ring[e.tail%int64(len(e.ring))] = it
		e.tail++
		e.unfinished++
		e.bytes += len(entry.Event.Data)
		l := e.laneOf(entry.Event.PartitionKey, !e.serial)
		if l != nil && len(l.parked) > 0 {
			e.parkBehind(l, it)
		} else if !e.serial {
			it.lane = l
			l.waiting++
		}
	}
	e.pass()
}

// finish marks an entry of the ring.
func (e *engine) finish(it *item) {
	it.state = finished
	e.unfinished--
	e.bytes -= len(it.entry.Event.Data)
}

// pass moves the cursor over all that is finished without a gap.
func (e *engine) pass() {
	for e.head < e.tail && e.at(e.head).state == finished {
		it := e.at(e.head)
		e.ring[e.head%int64(len(e.ring))] = nil
		if it.exposed {
			e.ledger.released++
		}
		e.free(it)
		e.head++
	}
	e.scan = max(e.scan, e.head)
}

// cursor is the highest sequence number up to which everything is finished.
func (e *engine) cursor() int64 {
	if e.head < e.tail {
		return e.at(e.head).entry.Seq - 1
	}
	return e.lastRead
}

func (e *engine) newItem() *item {
	if n := len(e.spare); n > 0 {
		it := e.spare[n-1]
		e.spare = e.spare[:n-1]
		return it
	}
	return &item{}
}

func (e *engine) free(it *item) {
	*it = item{}
	e.spare = append(e.spare, it)
}
