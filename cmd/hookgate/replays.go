package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// The bounds of replays that are no settings: our defaults.
const (
	keptReplays = 100             // that have ended
	dryRunWait  = 3 * time.Second // for a dry run's counts, before its caller has to ask again
)

// replays runs the operator's replays, one to a destination at a time, and remembers the last ones.
type replays struct {
	parts     []part
	receivers func() []receiver
	now       func() time.Time // the clock of what is received

	mu      sync.Mutex
	jobs    []*replay // in the order of their beginnings
	stopped bool
	running sync.WaitGroup
}

var _ admin.Replays = (*replays)(nil)

func newReplays(parts []part, receivers func() []receiver, now func() time.Time) *replays {
	return &replays{parts: parts, receivers: receivers, now: now}
}

// Begin starts a replay. One that only counts may go on beside one that sends.
func (r *replays) Begin(ctx context.Context, order admin.ReplayOrder) (admin.Replay, error) {
	all := r.receivers()
	i := slices.IndexFunc(all, func(to receiver) bool { return to.name == order.Destination })
	if i < 0 {
		return admin.Replay{}, admin.ErrUnknownDestination
	}
	j, err := r.start(order, all[i])
	if err != nil {
		return admin.Replay{}, err
	}
	if order.DryRun {
		patience, cancel := context.WithTimeout(ctx, dryRunWait)
		defer cancel()
		select {
		case <-j.done:
		case <-patience.Done():
		}
	}
	return j.status(), nil
}

func (r *replays) start(order admin.ReplayOrder, to receiver) (*replay, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, hookgate.Errorf(hookgate.Unavailable, "the program is stopping")
	}
	for _, j := range r.jobs {
		if s := j.status(); s.State == admin.ReplayRunning && s.Destination == order.Destination && s.DryRun == order.DryRun {
			return nil, admin.ErrReplayRuns
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	j := newReplay(order, to, r.now, cancel)
	r.jobs = append(r.jobs, j)
	r.forget()
	r.running.Go(func() {
		defer close(j.done)
		j.end(ctx, j.run(ctx, r.parts))
	})
	return j, nil
}

// forget drops the oldest ones that have ended.
func (r *replays) forget() {
	for i := 0; len(r.jobs) > keptReplays && i < len(r.jobs); {
		if r.jobs[i].status().State == admin.ReplayRunning {
			i++
			continue
		}
		r.jobs = slices.Delete(r.jobs, i, i+1)
	}
}

// List gives the newest first.
func (r *replays) List() []admin.Replay {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]admin.Replay, 0, len(r.jobs))
	for _, j := range slices.Backward(r.jobs) {
		list = append(list, j.status())
	}
	return list
}

// Stop ends one and waits until nothing more of it is sent.
func (r *replays) Stop(ctx context.Context, id string) (admin.Replay, error) {
	r.mu.Lock()
	i := slices.IndexFunc(r.jobs, func(j *replay) bool { return j.status().ID == id })
	if i < 0 {
		r.mu.Unlock()
		return admin.Replay{}, admin.ErrUnknownReplay
	}
	j := r.jobs[i]
	r.mu.Unlock()
	j.cancel()
	select {
	case <-j.done:
		return j.status(), nil
	case <-ctx.Done():
		return j.status(), hookgate.Errorf(hookgate.Unavailable, "the replay has been told to stop: %w", ctx.Err())
	}
}

// stop ends all of them, and lets none begin any more.
func (r *replays) stop() {
	r.mu.Lock()
	r.stopped = true
	for _, j := range r.jobs {
		j.cancel()
	}
	r.mu.Unlock()
	r.running.Wait()
}
