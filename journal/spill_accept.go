package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hookgate/hookgate"
)

// Accept gives the request to the primary or, where that does not take it, to the local file. It answers within 3 s. A
// result of the local file has no place: where the primary will put the event is not known yet, and one that is new here may
// turn out to be a duplicate there.
func (s *Spill) Accept(ctx context.Context, req *hookgate.Request, events []*hookgate.Event) ([]hookgate.Result, error) {
	if s.closed.Load() {
		return nil, errClosed()
	}
	began := time.Now()
	req.BodySHA256() // now: from here on both journals may read the request at once
	if s.gate.enter(s.t.hold) == direct {
		results, err := s.direct(ctx, req, events, began)
		if err == nil || ctx.Err() != nil || !passesOn(err) {
			return results, err
		}
		if s.gate.divert(time.Now()) {
			s.o.Warn(fmt.Sprintf("the journal takes no events, and they are spilled to %s: %v", s.local.path, err))
		}
	}
	results, err := s.spill(ctx, req, events, began)
	s.gate.leave()
	s.nudge()
	if err != nil {
		return nil, s.bothRefuse(err)
	}
	s.spilled.Add(int64(len(events)))
	s.ease(ctx, began)
	return results, nil
}

// spill gives the request to the local file.
func (s *Spill) spill(ctx context.Context, req *hookgate.Request, events []*hookgate.Event, began time.Time) ([]hookgate.Result, error) {
	ctx, cancel := context.WithDeadline(ctx, began.Add(s.t.total))
	defer cancel()
	results, err := s.local.Accept(ctx, req, events)
	for i := range results {
		results[i].Seq = 0
	}
	return results, err
}

// The moment that an answer is kept back, for each event that waits and at most.
const (
	easeEach = 20 * time.Microsecond
	easeMost = 100 * time.Millisecond
)

// ease keeps the answer back for a moment while a long tail is being handed on: a sender that is as fast as the answers would
// never let it come to its end.
func (s *Spill) ease(ctx context.Context, began time.Time) {
	wait := min(time.Duration(s.local.tail.newest()-s.events.reached.Load())*easeEach, easeMost, time.Until(began.Add(s.t.total)))
	s.mu.Lock()
	taken := s.takenAt
	s.mu.Unlock()
	if wait > time.Millisecond && time.Since(taken) < time.Second {
		sleep(ctx, wait)
	}
}

// direct asks the primary, unless it says itself that it is of no use.
func (s *Spill) direct(ctx context.Context, req *hookgate.Request, events []*hookgate.Event, began time.Time) ([]hookgate.Result, error) {
	if err := s.unready(); err != nil {
		return nil, err
	}
	asked, cancel := context.WithDeadline(ctx, began.Add(s.t.primary))
	defer cancel()
	results, err := (*s.prime.Load()).Accept(asked, req, events)
	if err != nil && ctx.Err() == nil {
		s.refused(err)
	}
	return results, err
}

// passesOn reports whether another journal may take what was refused with err: a mistake in the request itself is one
// everywhere.
func passesOn(err error) bool {
	var e *hookgate.Error
	return !errors.As(err, &e) || e.Code == hookgate.Unavailable
}

// bothRefuse is the answer when the local file does not take a request either.
func (s *Spill) bothRefuse(local error) error {
	l := hookgate.AsError(local)
	if l.Code != hookgate.Unavailable {
		return local
	}
	why := "it is still to be handed what was spilled"
	if _, err := s.lastRefusal(); err != nil {
		why = detail(err)
	}
	e := hookgate.Errorf(hookgate.Unavailable, "neither the journal nor its spill takes events; the journal: %s; the spill: %s", why, detail(l))
	e.Hint, e.RetryAfter, e.Err = l.Hint, max(l.RetryAfter, retrySoon), local
	return e
}

func detail(err error) string {
	if e := hookgate.AsError(err); e.Detail != "" {
		return e.Detail
	}
	return err.Error()
}
