package journal

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
)

// The bounds of handing on.
const (
	drainLanes    = 64                     // requests that are with the primary at a time
	drainWindow   = 512                    // requests in memory
	drainBytes    = 8 << 20                // their size
	drainSpan     = 8192                   // requests that may be done behind one that is not: what a crash repeats
	drainFailures = 16                     // refusals after which a round is given up
	recordEvery   = 250 * time.Millisecond // so much of the work, too, a crash repeats
	pollEvery     = time.Second            // for what came after its sender had been told that it would not
	firstBackOff  = 20 * time.Millisecond
)

// drain hands on what one table of the local file holds. Requests go side by side, but each waits for the one before it of
// each of its partition keys, and none passes one that was refused. Quarantined parts are never forwarded and have no order.
type drain struct {
	s          *Spill
	table      string
	name       string       // of its progress
	cursor     int64        // everything up to here has been handed on or set aside
	reached    atomic.Int64 // the same, for others
	recorded   int64
	recordedAt time.Time
	window     []*task
	more       bool // the last look did not see the end
	nudged     chan struct{}
	backOff    time.Duration
	notBefore  time.Time // the next try of the way back
	holdPause  time.Duration
}

// task is a request on its way.
type task struct {
	delivery
	done    bool          // the primary has it, or it was set aside
	refused time.Time     // since when it is refused; zero when it is not
	ended   chan struct{} // the present round is over for it
}

func newDrain(s *Spill, table, name string, cursor int64) *drain {
	d := &drain{s: s, table: table, name: name, cursor: cursor, recorded: cursor, nudged: make(chan struct{}, 1)}
	d.reached.Store(cursor)
	return d
}

// run hands on until ctx ends. What is done then is recorded.
func (d *drain) run(ctx context.Context) {
	defer func() {
		last, cancel := context.WithTimeout(context.Background(), maxWait)
		defer cancel()
		d.record(last)
	}()
	for ctx.Err() == nil {
		if d.ordered() {
			d.s.aside.retry(ctx)
		}
		switch progress, err := d.round(ctx); {
		case err != nil || (len(d.window) > 0 && !progress):
			d.backOff = min(max(2*d.backOff, firstBackOff), d.s.t.backOff)
			sleep(ctx, d.backOff)
		case len(d.window) > 0 || d.more:
			d.backOff = 0
		default:
			d.backOff = 0
			if d.ordered() && d.goBack(ctx) {
				continue
			}
			d.record(ctx)
			d.idle(ctx)
		}
	}
}

// ordered reports whether these are events, which new ones must not overtake.
func (d *drain) ordered() bool { return d.table == "events" }

// idle waits for something new.
func (d *drain) idle(ctx context.Context) {
	wait := pollEvery
	if d.ordered() && d.s.Spilling() {
		wait = min(wait, d.s.t.settle)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-d.nudged:
	case <-t.C:
	case <-ctx.Done():
	}
}

// round takes up what there is, offers it to the primary once and notes how far all of it has got. It tells whether anything
// has got in.
func (d *drain) round(ctx context.Context) (progress bool, err error) {
	if err := d.fill(ctx); err != nil {
		d.s.refused(fmt.Errorf("the spill cannot be read: %w", err))
		return false, err
	}
	if len(d.window) == 0 {
		return false, nil
	}
	if err := d.s.unready(); err != nil {
		return false, err
	}
	progress = d.offer(ctx)
	for len(d.window) > 0 && d.window[0].done {
		d.cursor = d.window[0].last
		d.window[0] = nil
		d.window = d.window[1:]
	}
	d.reached.Store(d.cursor)
	if time.Since(d.recordedAt) >= recordEvery {
		d.record(ctx)
	}
	return progress, nil
}

// fill reads what follows, as long as there is room.
func (d *drain) fill(ctx context.Context) error {
	waiting, bytes, after := 0, 0, d.cursor
	for _, t := range d.window {
		if after = t.last; !t.done {
			waiting++
			bytes += t.bytes
		}
	}
	if waiting >= drainWindow || bytes >= drainBytes || len(d.window) >= drainSpan {
		return nil
	}
	room := drainWindow - waiting
	list, err := d.s.local.deliveries(ctx, d.table, after, room)
	read := 0
	for _, found := range list {
		d.window = append(d.window, &task{delivery: found})
		read += found.bytes
	}
	d.more = len(list) >= room || read >= maxReadBytes
	return err
}

// offer gives every request that waits to the primary, once.
func (d *drain) offer(ctx context.Context) (progress bool) {
	var (
		lanes    = make(chan struct{}, drainLanes)
		before   = map[string]*task{}
		failures atomic.Int32
		got      atomic.Bool
		all      sync.WaitGroup
	)
	for _, t := range d.window {
		if t.done {
			continue
		}
		t.ended = make(chan struct{})
		var earlier []*task
		if d.ordered() {
			earlier = t.follow(before)
		}
		all.Go(func() {
			defer close(t.ended)
			for _, e := range earlier {
				if <-e.ended; !e.done {
					return
				}
			}
			lanes <- struct{}{}
			defer func() { <-lanes }()
			if failures.Load() >= drainFailures || ctx.Err() != nil {
				return
			}
			if d.hand(ctx, t) {
				got.Store(true)
			} else {
				failures.Add(1)
			}
		})
	}
	all.Wait()
	return got.Load()
}

// follow puts the task behind the last one of each of its keys.
func (t *task) follow(before map[string]*task) (earlier []*task) {
	for _, e := range t.events {
		if last := before[e.PartitionKey]; last != nil && last != t {
			earlier = append(earlier, last)
		}
		before[e.PartitionKey] = t
	}
	return earlier
}

// hand gives one request to the primary.
func (d *drain) hand(ctx context.Context, t *task) bool {
	now := time.Now()
	err := d.s.give(ctx, &t.delivery)
	switch {
	case err == nil:
		t.done, t.delivery = true, delivery{first: t.first, last: t.last}
		return true
	case ctx.Err() != nil:
		return false
	}
	if t.refused.IsZero() {
		t.refused = now
	}
	if d.ordered() && d.s.hopeless(t.refused) && d.s.aside.put(ctx, &t.delivery, err) {
		t.done, t.delivery = true, delivery{first: t.first, last: t.last}
		return true
	}
	return false
}

// give lets the primary accept a request that was spilled, and counts.
func (s *Spill) give(ctx context.Context, t *delivery) error {
	asked, cancel := context.WithTimeout(ctx, s.t.hand)
	defer cancel()
	results, err := (*s.prime.Load()).Accept(asked, t.req, t.events)
	if err != nil {
		if ctx.Err() == nil {
			s.refused(err)
		}
		return err
	}
	s.drained.Add(int64(len(results)))
	for _, r := range results {
		if !r.New() {
			s.duplicates.Add(1)
		}
	}
	s.mu.Lock()
	s.takenAt = time.Now()
	s.mu.Unlock()
	return nil
}

// record makes the progress durable. Where that fails a crash repeats more, and the primary finds it out.
func (d *drain) record(ctx context.Context) {
	d.recordedAt = time.Now()
	if d.cursor == d.recorded {
		return
	}
	if d.s.local.Record(ctx, d.name, hookgate.Step{Cursor: d.cursor}) == nil {
		d.recorded = d.cursor
	}
}

// goBack makes the direct way the usual one again: it keeps newcomers waiting for a moment, lets those in the local file
// finish, and hands on what they have left there. Where that takes too long or the primary refuses, all stays as it was.
func (d *drain) goBack(ctx context.Context) bool {
	s := d.s
	if at, _ := s.lastRefusal(); time.Since(at) < s.t.settle || time.Now().Before(d.notBefore) || s.unready() != nil {
		return false
	}
	quiet, ok := s.gate.hold()
	if !ok {
		return false
	}
	defer s.gate.release()
	held, cancel := context.WithTimeout(ctx, s.t.hold)
	defer cancel()
	select {
	case <-quiet:
	case <-held.Done():
	}
	for held.Err() == nil {
		progress, err := d.round(held)
		if err != nil || (len(d.window) > 0 && !progress) {
			break
		}
		if len(d.window) > 0 || progress {
			continue // until a look finds nothing
		}
		since, ok := s.gate.open()
		if !ok {
			break
		}
		d.holdPause = 0
		s.o.Warn(fmt.Sprintf("the journal has everything that was spilled since %s and takes events again", since.UTC().Format(time.RFC3339)))
		d.record(ctx)
		return true
	}
	// Requests must not be kept waiting over and over for a primary that is too slow.
	d.holdPause = min(max(2*d.holdPause, s.t.settle), 30*s.t.settle)
	d.notBefore = time.Now().Add(d.holdPause)
	return false
}
