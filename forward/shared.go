package forward

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
)

// closeSlack is how much longer than the time-out Close waits for a call under way: our default.
const closeSlack = time.Second

var errClosed = errors.New("the destination is closed")

// Shared is one destination that many forwarders feed at once, one a shard of the journal. It is itself a Destination. It
// makes no more calls at once than the type's Limits allow, puts what waits meanwhile together into one, in the order in
// which it came, and stands behind one breaker. Each caller's entries stay together and in order, so that the order per key
// is that of the forwarder which the key belongs to.
type Shared struct {
	breaker *breaker
	limits  Limits
	timeout time.Duration
	close   func() error

	mu     sync.Mutex
	free   int        // calls that may start now
	queue  []*request // in order of arrival; only while free is 0
	closed bool
	idle   chan struct{} // closed when, after Close, no call is under way
}

var _ Destination = (*Shared)(nil)

// request is a Publish call that has to wait.
type request struct {
	batch []hookgate.Entry
	call  *call         // with which it goes; nil while it waits, and if it goes alone
	errs  []error       // the answer, once there is one
	ready chan struct{} // closed when there is an answer, or when it is its turn to go alone
}

// call is one Publish call for several requests.
type call struct {
	requests []*request
	batch    []hookgate.Entry // a copy: a caller that has left uses its own for something else
	waiting  int              // callers that still want the answer
	cancel   context.CancelFunc
}

// Share makes d, opened by New from the same settings, fit for many forwarders and puts the breaker before it. l is
// LimitsOf(s.Type). Zero settings take their defaults. The caller closes the Shared, which closes d, after all Runs.
func Share(d Destination, s hookgate.DestinationSettings, l Limits) *Shared {
	s, l = withDefaults(s), l.atLeastOne()
	return &Shared{
		breaker: newBreaker(d, s), limits: l, timeout: s.Timeout, free: l.Concurrent, idle: make(chan struct{}),
		close: sync.OnceValue(d.Close),
	}
}

// Breaker tells whether the destination is being tried.
func (s *Shared) Breaker() BreakerState { return s.breaker.state() }

// leftAlone is the answer that Publish would give at once; nil while the destination is being tried. It spares a caller the
// work of getting a batch together.
func (s *Shared) leftAlone() *Trouble {
	if s.breaker.state() != BreakerOpen {
		return nil
	}
	return s.breaker.untried(s.breaker.remaining())
}

// Publish sends the batch, alone or with those of others. The time-out of the settings begins with the call itself. Where ctx
// ends first the answer is Trouble, although a call that is made for others, too, goes on; the entries may then be confirmed.
func (s *Shared) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	r, err := s.enter(batch)
	switch {
	case err != nil:
		return allTrouble(len(batch), &Trouble{Err: err, untried: true})
	case r == nil:
		return s.alone(ctx, batch)
	}
	select {
	case <-r.ready:
	case <-ctx.Done():
		if s.leave(r) {
			return allTrouble(len(batch), &Trouble{Err: ctx.Err(), untried: true})
		}
		<-r.ready
	}
	if r.errs != nil {
		return r.errs
	}
	return s.alone(ctx, batch)
}

// enter takes a free call, and then gives no request, or gets into the queue.
func (s *Shared) enter(batch []hookgate.Entry) (*request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errClosed
	case s.free > 0:
		s.free--
		return nil, nil
	}
	r := &request{batch: batch, ready: make(chan struct{})}
	s.queue = append(s.queue, r)
	return r, nil
}

// leave gives up a request and reports whether that was possible: not when it has its answer or its turn.
func (s *Shared) leave(r *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.queue, r); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
		return true
	}
	if r.call == nil || r.errs != nil {
		return false
	}
	if r.call.waiting--; r.call.waiting == 0 {
		r.call.cancel()
	}
	return true
}

// alone makes a call for one caller, in its own goroutine.
func (s *Shared) alone(ctx context.Context, batch []hookgate.Entry) []error {
	defer s.release()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.breaker.Publish(ctx, batch)
}

// release ends a call and lets those that wait have its place.
func (s *Shared) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.fitting()
	if n == 0 {
		s.free++
		if s.closed && s.free == s.limits.Concurrent {
			close(s.idle)
		}
		return
	}
	first := slices.Clone(s.queue[:n])
	s.queue = slices.Delete(s.queue, 0, n)
	if n == 1 {
		close(first[0].ready)
		return
	}
	// The call must not end with the context of one of those that it is made for.
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	c := &call{requests: first, waiting: n, cancel: cancel}
	for _, r := range first {
		r.call = c
		c.batch = append(c.batch, r.batch...)
	}
	go s.together(ctx, c)
}

// fitting is how many requests, from the first on, go into one batch.
func (s *Shared) fitting() int {
	entries, bytes := 0, 0
	for n, r := range s.queue {
		entries += len(r.batch)
		for _, e := range r.batch {
			bytes += len(e.Event.Data)
		}
		if n > 0 && (entries > s.limits.Batch || (s.limits.Bytes > 0 && bytes > s.limits.Bytes)) {
			return n
		}
		if entries >= s.limits.Batch {
			return n + 1
		}
	}
	return len(s.queue)
}

// together makes one call for several callers.
func (s *Shared) together(ctx context.Context, c *call) {
	defer s.release()
	defer c.cancel()
	errs := s.breaker.Publish(ctx, c.batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range c.requests {
		n := len(r.batch)
		r.errs, errs = errs[:n:n], errs[n:]
		close(r.ready)
	}
}

// Close answers what waits with Trouble, lets the calls under way come to their end, within their time-out, and closes the
// destination. One that does not come to an end stays open, and the error says so.
func (s *Shared) Close() error {
	s.shut()
	limit := time.NewTimer(s.timeout + closeSlack)
	defer limit.Stop()
	select {
	case <-s.idle:
		return s.close()
	case <-limit.C:
		return hookgate.Errorf(hookgate.Unavailable, "destination %s: a call does not end", s.breaker.name)
	}
}

func (s *Shared) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	for _, r := range s.queue {
		r.errs = allTrouble(len(r.batch), &Trouble{Err: errClosed, untried: true})
		close(r.ready)
	}
	s.queue = nil
	if s.free == s.limits.Concurrent {
		close(s.idle)
	}
}
