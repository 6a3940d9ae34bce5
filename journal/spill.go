package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
)

var _ hookgate.Journal = (*Spill)(nil)

// Primary is the journal that a spill stands in for. Accept must give up when its context ends, must not change what it is
// given, and must know an event again that it has got before, even where it answered with an error.
type Primary interface {
	hookgate.Journal
	Ready() error
}

// SpillOptions are the settings of a spill. Connect must be set.
type SpillOptions struct {
	// Connect opens the primary, or gives up when ctx ends. It is called until it succeeds, for the first time by NewSpill
	// itself. The primary remains its caller's, who closes it after the spill.
	Connect func(ctx context.Context) (Primary, error)
	// Connected is told when Connect has succeeded: once, perhaps before NewSpill returns. It must not block.
	Connected func(Primary)
	// Warn is told when events begin to be spilled, when the last of them has been handed on, and when one of them cannot
	// be. It must not block.
	Warn func(text string)
	// MaxSize and MinFree bound the local file as those of Options do.
	MaxSize, MinFree int64
	// Now is the clock of retention and windows; time.Now unless set.
	Now func() time.Time
}

// spillRetention is how long events stay in the local file when the primary has them: for the eyes of an operator.
const spillRetention = time.Hour

// spillTuning is what only tests change.
type spillTuning struct {
	primary time.Duration // what the primary gets of a request's time
	hand    time.Duration // what it gets when nobody waits for the answer
	total   time.Duration // a request's time
	settle  time.Duration // without a refusal before the way back is tried
	hold    time.Duration // how long requests may be kept waiting for it
	aside   time.Duration // of refusals before one request is left out
	backOff time.Duration // between two rounds that bring nothing, at most
	file    tuning
}

// defaults leave the shortest time-out of a provider, 5 s, room for the way of the answer.
var defaults = spillTuning{
	primary: 1500 * time.Millisecond, hand: 3 * time.Second, total: 2900 * time.Millisecond,
	settle: 500 * time.Millisecond, hold: 500 * time.Millisecond, aside: 10 * time.Minute, backOff: time.Second,
}

const (
	firstConnect = 2 * time.Second // a start must not wait long for a primary that is away
	laterConnect = 10 * time.Second
	minPause     = 100 * time.Millisecond
	maxPause     = 5 * time.Second
)

// Spill is a journal whose events go to a local file while the primary takes none. From there they are handed on to the
// primary, in order per partition key and none twice: what has got in although its answer was lost is a duplicate there.
// While anything is still to be handed on, new events go the same way, or they would overtake it. Other nodes do not wait
// for that.
//
// An outage that outlives an event's window is beyond this: a copy that came in before it may be forwarded a second time.
type Spill struct {
	o     SpillOptions
	t     spillTuning
	local *SQLite
	gate  spillGate
	prime atomic.Pointer[Primary] // nil until it is connected

	events, parts *drain
	aside         *aside
	cancel        context.CancelFunc
	ended         sync.WaitGroup
	closed        atomic.Bool
	close         sync.Once
	closeErr      error

	spilled, drained, duplicates atomic.Int64

	mu      sync.Mutex
	last    error // of the primary
	lastAt  time.Time
	takenAt time.Time // when the primary last took something that was handed on
}

// NewSpill opens the local file at path or makes a new one and tries once to connect. It succeeds without the primary, too:
// until that is there, everything goes to the local file. What a spill of before has left in the file is handed on.
func NewSpill(ctx context.Context, path string, o SpillOptions) (*Spill, error) {
	return newSpill(ctx, path, o, defaults)
}

func newSpill(ctx context.Context, path string, o SpillOptions, t spillTuning) (*Spill, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Connected == nil {
		o.Connected = func(Primary) {}
	}
	local, err := open(path, Options{Retention: spillRetention, MaxSize: o.MaxSize, MinFree: o.MinFree, Now: o.Now, spill: true}, t.file)
	if err != nil {
		return nil, err
	}
	s := &Spill{o: o, t: t, local: local}
	s.gate.way, s.gate.since = diverted, time.Now()
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(err, local.Close())
	}
	s.connect(ctx, firstConnect)
	s.begin()
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.ended.Go(func() { s.run(ctx) })
	return s, nil
}

// load takes up what the file remembers.
func (s *Spill) load(ctx context.Context) error {
	events, err := s.local.Progress(ctx, spillEvents)
	if err != nil {
		return err
	}
	parts, err := s.local.Progress(ctx, spillQuarantine)
	if err != nil {
		return err
	}
	s.aside = newAside(s, events.Parked)
	s.events = newDrain(s, "events", spillEvents, events.Cursor)
	s.parts = newDrain(s, "quarantine", spillQuarantine, parts.Cursor)
	return nil
}

// begin opens the direct way where nothing stands against it.
func (s *Spill) begin() {
	waiting := s.local.tail.newest() - s.events.cursor
	if waiting > 0 {
		s.o.Warn(fmt.Sprintf("%d events that were spilled before the start are still to be handed on to the journal", waiting))
		return
	}
	if err := s.unready(); err != nil {
		s.o.Warn(fmt.Sprintf("the journal is not there at the start; events are spilled to %s: %v", s.local.path, err))
		return
	}
	s.gate.way, s.gate.since = direct, time.Time{}
}

// run connects and hands on until ctx ends.
func (s *Spill) run(ctx context.Context) {
	for pause := minPause; s.prime.Load() == nil; pause = min(2*pause, maxPause) {
		if !sleep(ctx, pause) {
			return
		}
		s.connect(ctx, laterConnect)
	}
	s.ended.Go(func() { s.parts.run(ctx) })
	s.events.run(ctx)
}

// connect tries once.
func (s *Spill) connect(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	p, err := s.o.Connect(ctx)
	if err == nil && p == nil {
		err = errors.New("there is no journal")
	}
	if err != nil {
		s.refused(err)
		return
	}
	s.prime.Store(&p)
	s.o.Connected(p)
}

// unready is why the primary cannot be asked for anything now.
func (s *Spill) unready() error {
	p := s.prime.Load()
	if p == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.last
	}
	err := (*p).Ready()
	if err != nil {
		s.refused(err)
	}
	return err
}

// refused notes what the primary said last.
func (s *Spill) refused(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.lastAt = err, time.Now()
}

func (s *Spill) lastRefusal() (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastAt, s.last
}

// nudge tells the drains that there may be something to do.
func (s *Spill) nudge() {
	for _, d := range []*drain{s.events, s.parts} {
		select {
		case d.nudged <- struct{}{}:
		default:
		}
	}
}

// Ready is nil while the next event would be taken, by whichever of the two; otherwise the error says why not.
func (s *Spill) Ready() error {
	if s.closed.Load() {
		return errClosed()
	}
	if !s.Spilling() && s.unready() == nil {
		return nil
	}
	if err := s.local.Ready(); err != nil {
		return s.bothRefuse(err)
	}
	return nil
}

// Failed is closed when the local file has failed for good, as SQLite.Failed says.
func (s *Spill) Failed() <-chan struct{} { return s.local.Failed() }

// Close stops handing on, keeps what is left for the next start, and closes the local file. Requests that are with the
// primary are left to it.
func (s *Spill) Close() error {
	s.close.Do(func() {
		s.closed.Store(true)
		s.cancel()
		s.ended.Wait()
		s.closeErr = s.local.Close()
	})
	return s.closeErr
}

// sleep waits about d, or until ctx ends; then it is false. Nodes that were cut off together do not come back together.
func sleep(ctx context.Context, d time.Duration) bool {
	return rest(ctx, d*3/4+rand.N(d/2+1))
}
