package forward

import (
	"context"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
)

// Log is the journal as a forwarder reads it. Read gives at most limit entries after a sequence number, in order, and
// blocks until there is one or ctx ends. Fetch gives the named ones that are still there.
type Log interface {
	Read(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error)
	Fetch(ctx context.Context, seqs []int64) ([]hookgate.Entry, error)
}

// Ledger remembers how far a destination is. Record is durable when it returns; a Done of something that was never
// parked changes nothing.
type Ledger interface {
	Progress(ctx context.Context, destination string) (hookgate.Progress, error)
	Record(ctx context.Context, destination string, step hookgate.Step) error
}

// The bounds that are no settings: our defaults.
const (
	defaultMaxParked = 10_000
	defaultMaxHeld   = 32 << 20 // bytes of payloads in memory, but for one read more
	leastParked      = 1000     // of a forwarder that shares its destination: one bad key must not stop its shard at once
	leastHeld        = 1 << 20
	defaultGrace     = 5 * time.Second // for what is in flight when the forwarder is told to stop
	lastRecord       = 5 * time.Second // for the final Record after that
)

// Option changes a bound of a forwarder.
type Option func(*Forwarder)

// WithLimits feeds the destination by l instead of by the limits of its type.
func WithLimits(l Limits) Option { return func(f *Forwarder) { f.limits = l } }

// WithMaxParked bounds the parked entries, 10,000 by default; beyond it the forwarder stops reading.
func WithMaxParked(n int) Option { return func(f *Forwarder) { f.maxParked = n } }

// WithObserver has observe told whenever the state changes or events become dead letters. It is called by the engine
// itself, which waits for it.
func WithObserver(observe func(Stats)) Option { return func(f *Forwarder) { f.observe = observe } }

// WithGrace is how long Run waits for what is in flight after its context has ended, 5 s by default.
func WithGrace(d time.Duration) Option { return func(f *Forwarder) { f.grace = d } }

// WithShards says that n forwarders, on this node and on others, feed the destination together, each from its own shard of the
// journal. What is bounded for the destination is divided among them: the window, so that a crash of all of them repeats no
// more than one window, and what is kept in memory.
func WithShards(n int) Option { return func(f *Forwarder) { f.shards = n } }

// Forwarder brings the journal's entries to one destination, at least once and in order per partition key.
type Forwarder struct {
	settings    hookgate.DestinationSettings
	destination Destination
	log         Log
	ledger      Ledger
	limits      Limits
	maxParked   int
	maxHeld     int
	shards      int
	shared      *Shared // the destination, if it is one
	grace       time.Duration
	replays     chan *replayRequest
	observe     func(Stats) // may be nil

	mu     sync.Mutex
	over   chan struct{} // closed at the end of a run; the next one makes another
	stats  Stats
	oldest time.Time // when the oldest unconfirmed event was received; zero without one
}

// NewForwarder makes the forwarder of one destination; zero settings take their defaults. The caller closes d after Run.
func NewForwarder(s hookgate.DestinationSettings, d Destination, log Log, ledger Ledger, options ...Option) *Forwarder {
	f := &Forwarder{
		settings: withDefaults(s), destination: d, log: log, ledger: ledger,
		limits: LimitsOf(s.Type), maxParked: defaultMaxParked, maxHeld: defaultMaxHeld, shards: 1, grace: defaultGrace,
		replays: make(chan *replayRequest), over: make(chan struct{}),
	}
	if shared, ok := d.(*Shared); ok {
		f.limits, f.shared = shared.limits, shared
	}
	for _, o := range options {
		o(f)
	}
	f.limits = f.limits.atLeastOne()
	if f.shards > 1 {
		f.divide()
	}
	return f
}

// divide gives a forwarder its part of the bounds. Of the calls at once it keeps four times its part, since a node seldom
// holds all shards and not all of them are busy; the shared destination bounds them all together.
func (f *Forwarder) divide() {
	n := f.shards
	f.settings.Window = max(1, f.settings.Window/n)
	f.limits.Concurrent = min(f.limits.Concurrent, (4*f.limits.Concurrent+n-1)/n)
	f.maxParked = min(f.maxParked, max(leastParked, f.maxParked/n))
	f.maxHeld = max(leastHeld, f.maxHeld/n)
}

// Name is the destination's name.
func (f *Forwarder) Name() string { return f.settings.Name }

// Run forwards until ctx ends. Then it takes up nothing new, waits for what is in flight, cuts that short after the
// grace period, records what was confirmed, and returns when every goroutine it started has ended. The error is that of
// compiling `when`, of loading the progress or of the final record; nil after an orderly end. It must not run twice at once.
func (f *Forwarder) Run(ctx context.Context) error {
	defer close(f.begin())
	var when *condition
	if f.settings.When != "" {
		var problems hookgate.Problems
		if when, problems = newCondition(f.settings.When); problems != nil {
			return hookgate.Errorf(hookgate.InternalMistake, "destination %s: %w", f.settings.Name, problems)
		}
	}
	progress, err := f.ledger.Progress(ctx, f.settings.Name)
	if err != nil {
		return hookgate.Errorf(hookgate.Unavailable, "destination %s: progress: %w", f.settings.Name, err)
	}
	e := newEngine(f, progress)
	// What is in flight and what is recorded must outlive ctx for a while.
	publishing, stopPublishing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPublishing()
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()

	var helpers sync.WaitGroup
	helpers.Go(func() { f.read(reading, when, e.wanted, e.chunks) })
	helpers.Go(func() { f.record(recording, e.steps, e.recorded) })
	for range f.limits.Concurrent {
		helpers.Go(func() { f.publish(publishing, e.jobs, e.results) })
	}
	err = e.loop(ctx, stopPublishing, stopRecording)
	stopReading()
	close(e.wanted)
	close(e.steps)
	close(e.jobs)
	helpers.Wait()
	e.ledger.abandon()
	f.finishStats()
	if err != nil {
		return hookgate.Errorf(hookgate.Unavailable, "destination %s: last record: %w", f.settings.Name, err)
	}
	return nil
}

// begin gives what is to be closed at the end of this run.
func (f *Forwarder) begin() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.over: // there was a run before
		f.over = make(chan struct{})
	default:
	}
	return f.over
}

// ended is closed at the end of the run that is under way or, before the first one, still to come.
func (f *Forwarder) ended() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}
