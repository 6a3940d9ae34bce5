package forward

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/sony/gobreaker/v2"
)

// BreakerState says whether a shared destination is tried at all.
type BreakerState string

// The states.
const (
	BreakerClosed   BreakerState = "closed"    // every call goes through
	BreakerOpen     BreakerState = "open"      // none does
	BreakerHalfOpen BreakerState = "half-open" // one does, and its answer decides
)

// Bounds of the breaker that are no settings: our defaults.
const (
	maxBreakerAfter = 1_000_000
	minProbePause   = 10 * time.Millisecond
	maxProbePause   = time.Second      // how long those wait at most that come while one call tries
	maxTried        = 1024             // suspects that are remembered
	tick            = time.Millisecond // after the end of a pause, so that nobody comes back a moment too early
)

// errCut marks a call whose caller went away: its failure says nothing of the destination.
var errCut = errors.New("cut off")

// breaker stands before one destination and sees the calls of all its forwarders. After some failures of the whole
// destination in a row it answers for it, until a pause has passed and one call has shown that it is back. What a target asks
// for by itself, by Retry-After or by saying that it is gone, counts for all forwarders from then on.
type breaker struct {
	destination Destination
	name        string
	pause       time.Duration
	gonePause   time.Duration
	circuit     *gobreaker.CircuitBreaker[[]error]

	// mu is taken while the circuit's own lock is held, never the other way round.
	mu     sync.Mutex
	until  time.Time // no call before: end of the pause
	asked  time.Time // no call before: the target's own wish
	gone   bool      // it came with Pause
	cause  string    // of the last failure
	trying time.Time // since when one call may try
	tried  map[string]struct{}
}

func newBreaker(d Destination, s hookgate.DestinationSettings) *breaker {
	b := &breaker{
		destination: d, name: s.Name, pause: s.Breaker.Pause, gonePause: s.Retry.MaxBackoff, tried: make(map[string]struct{}),
	}
	b.circuit = gobreaker.NewCircuitBreaker[[]error](gobreaker.Settings{
		MaxRequests:   1,
		Timeout:       b.pause,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= s.Breaker.After },
		IsExcluded:    func(err error) bool { return errors.Is(err, errCut) },
		OnStateChange: b.changed,
	})
	return b
}

// checkBreaker finds what no breaker can work with. The zero one stands for the defaults.
func checkBreaker(b hookgate.Breaker, ps *hookgate.Problems) {
	if b == (hookgate.Breaker{}) {
		return
	}
	if b.After < 1 || b.After > maxBreakerAfter {
		ps.Add("breaker.after", "5 is the default", "must be from 1 to %d", maxBreakerAfter)
	}
	if b.Pause <= 0 || b.Pause > maxRetryAfter {
		ps.Add("breaker.pause", "2s is the default", "must be above zero and at most %s", maxRetryAfter)
	}
}

// changed follows the circuit.
func (b *breaker) changed(_ string, _, to gobreaker.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch to {
	case gobreaker.StateOpen:
		b.until = time.Now().Add(b.pause)
	case gobreaker.StateHalfOpen:
		b.trying = time.Now()
	case gobreaker.StateClosed:
		clear(b.tried)
	}
}

// state is what a gauge shows.
func (b *breaker) state() BreakerState {
	circuit := b.circuit.State()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case circuit == gobreaker.StateOpen, time.Now().Before(b.asked):
		return BreakerOpen
	case circuit == gobreaker.StateHalfOpen:
		return BreakerHalfOpen
	}
	return BreakerClosed
}

// Publish passes the batch on, unless the destination is being left alone.
func (b *breaker) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	if wait := b.early(batch); wait > 0 {
		return allTrouble(len(batch), b.untried(wait))
	}
	var worst *Trouble
	errs, err := b.circuit.Execute(func() ([]error, error) {
		errs := checked(b.name, len(batch), b.destination.Publish(ctx, batch))
		if worst = failure(errs); worst == nil {
			return errs, nil
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return errs, errCut
		}
		b.note(batch, worst)
		return errs, worst
	})
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		return allTrouble(len(batch), b.untried(b.remaining()))
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return allTrouble(len(batch), b.untried(b.probePause()))
	case worst != nil && b.circuit.State() == gobreaker.StateOpen:
		return pace(errs, b.remaining())
	}
	return errs
}

// failure is the trouble of a batch of which nothing got through; nil where the target took or refused an entry.
func failure(errs []error) *Trouble {
	var worst *Trouble
	for _, err := range errs {
		var refusal *Refusal
		switch {
		case err == nil, errors.As(err, &refusal):
			return nil
		case !errors.Is(err, ErrHeld):
			worst = worse(worst, asTrouble(err))
		}
	}
	return worst
}

// note keeps what a failure says to the calls that come after it.
func (b *breaker) note(batch []hookgate.Entry, t *Trouble) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cause = errorText(t.Err)
	wish := min(t.RetryAfter, maxRetryAfter)
	if t.Pause {
		wish = max(wish, b.gonePause)
	}
	if at := time.Now().Add(wish); wish > 0 && at.After(b.asked) {
		b.asked, b.gone = at, t.Pause
	}
	if t.Suspect && len(batch) == 1 {
		if len(b.tried) >= maxTried {
			clear(b.tried)
		}
		b.tried[batch[0].Event.ID] = struct{}{}
	}
}

// early is how long a call has to wait before the circuit is asked. While one call tries whether the destination is back, it
// is not to be one of an event that may itself be what the target cannot take: else a single such event could keep the
// breaker open for ever. It gets its turn when no other has come.
func (b *breaker) early(batch []hookgate.Entry) time.Duration {
	b.mu.Lock()
	wait := time.Until(b.asked)
	_, suspect := b.tried[idOf(batch)]
	b.mu.Unlock()
	if wait > 0 || !suspect || b.circuit.State() != gobreaker.StateHalfOpen {
		return wait
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.probePause() - time.Since(b.trying)
}

// idOf is the event's id, where there is one only.
func idOf(batch []hookgate.Entry) string {
	if len(batch) != 1 {
		return ""
	}
	return batch[0].Event.ID
}

// remaining is what is left of the pause, or of what the target asked for, whichever is longer.
func (b *breaker) remaining() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(time.Until(b.until), time.Until(b.asked))
}

// probePause is how long those wait that come while one call tries.
func (b *breaker) probePause() time.Duration {
	return min(max(b.pause/4, minProbePause), maxProbePause)
}

// untried is the answer of a call that was not let through. It quotes the failure that opened the breaker, because that is
// what an operator has to know.
func (b *breaker) untried(wait time.Duration) *Trouble {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Trouble{
		Err: fmt.Errorf("left alone after: %s", b.cause), RetryAfter: max(wait, 0) + tick,
		Pause: b.gone && time.Now().Before(b.asked), paced: true, untried: true,
	}
}

// pace tells the callers of a failed batch to come back when the breaker lets one through, not before and not much later.
func pace(errs []error, wait time.Duration) []error {
	paced := make([]error, len(errs))
	for i, err := range errs {
		if errors.Is(err, ErrHeld) {
			paced[i] = err
			continue
		}
		t := *asTrouble(err)
		t.RetryAfter, t.paced = max(t.RetryAfter, wait+tick), true
		paced[i] = &t
	}
	return paced
}
