package outbound

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Our own spans; no provider documents anything of the kind.
const (
	stopWait   = 10 * time.Second // for requests under way when the server stops
	choreEvery = time.Second
	sweepEvery = time.Minute
	troubled   = time.Second // before a step that the store refused is tried again
)

// run works until ctx ends. The requests have a context of their own, which ends stopWait later.
func (s *Server) run(ctx context.Context) error {
	if err := s.recoverInterrupted(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	var chores, attempts sync.WaitGroup
	for name, p := range s.providers {
		if p.chores != nil {
			chores.Go(func() {
				s.every(ctx, choreEvery, "the chores of "+name+" failed", func(now time.Time) error { return p.chores(ctx, s, now) })
			})
		}
	}
	chores.Go(func() {
		s.every(ctx, sweepEvery, "retention failed", func(now time.Time) error {
			s.schedule.wake() // in case that the clock was set, or stood still while the machine slept
			return s.sweep(ctx, now)
		})
	})
	s.dispatch(ctx, requests, &attempts)

	chores.Wait()
	ended := make(chan struct{})
	go func() { attempts.Wait(); close(ended) }()
	patience := time.NewTimer(s.patience) // in real time: nobody advances another clock now
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
		cut(errInterrupted)
		<-ended
	}
	return nil
}

// every does something now and each time that the interval has passed.
func (s *Server) every(ctx context.Context, interval time.Duration, failed string, do func(now time.Time) error) {
	for {
		err := guardedError(func() error { return do(s.now()) })
		if err != nil && ctx.Err() == nil {
			s.note(failed, map[string]string{"error": err.Error()})
		}
		select {
		case <-s.clock.After(interval):
		case <-ctx.Done():
			return
		}
	}
}

// dispatch starts what is due, in order of time and then of the log, until ctx ends.
func (s *Server) dispatch(ctx, requests context.Context, attempts *sync.WaitGroup) {
	free := make(chan struct{}, s.options.Workers)
	for {
		now := s.now()
		next := int64(0)
		for ctx.Err() == nil {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			it, ok, at := s.schedule.pick(millis(now))
			if !ok {
				<-free
				next = at
				break
			}
			attempts.Go(func() {
				defer func() { <-free }()
				s.work(ctx, requests, it)
			})
		}
		var due <-chan time.Time
		if next != 0 {
			due = s.clock.After(time.Duration(next-millis(now)) * time.Millisecond)
			if s.now().After(now) { // the clock went on before the wait began, which would now be too long
				continue
			}
		}
		select {
		case <-due:
		case <-s.schedule.more:
		case <-ctx.Done():
			return
		}
	}
}

// work makes one attempt of an item. What the store refuses is tried again, because nothing else would.
func (s *Server) work(ctx, requests context.Context, it item) {
	release := sync.OnceFunc(func() { s.schedule.done(it.sub) })
	defer release()
	for {
		err := s.attempt(ctx, requests, it, release)
		if err == nil || errors.Is(err, errGone) {
			return
		}
		if errors.Is(err, errHeld) || ctx.Err() != nil {
			s.schedule.add(it)
			return
		}
		s.note("a delivery is held up by the store", map[string]string{"error": err.Error()})
		select {
		case <-s.clock.After(troubled):
		case <-ctx.Done():
		}
	}
}

// recoverInterrupted settles the attempts that an earlier process started and did not end. Each counts as made, because it
// may have arrived, and the schedule goes on from it.
func (s *Server) recoverInterrupted(ctx context.Context) error {
	seqs, err := s.store.interrupted(ctx)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		r, err := s.store.load(ctx, seq)
		if err != nil {
			return err
		}
		if r == nil || r.running.IsZero() {
			continue
		}
		a := &Attempt{Number: r.Attempts, At: r.running, Manual: r.ordered, Error: errInterrupted.Error()}
		if err := s.settle(ctx, r, a, r.running); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	return nil
}
