package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/forward"
	"github.com/hookgate/hookgate/journal"
)

// targets are the running destinations. A reload starts what is new, stops what is gone, and leaves alone what is the
// same.
type targets struct {
	journal *journal.SQLite
	log     zerolog.Logger
	stdout  io.Writer
	now     func() time.Time

	mu      sync.Mutex
	running map[string]*target
}

// target is one forwarder and the destination it feeds.
type target struct {
	settings    hookgate.DestinationSettings
	destination forward.Destination
	forwarder   *forward.Forwarder
	cancel      context.CancelFunc
	done        chan struct{}
}

func newTargets(j *journal.SQLite, log zerolog.Logger, stdout io.Writer, now func() time.Time) *targets {
	return &targets{journal: j, log: log, stdout: stdout, now: now, running: make(map[string]*target)}
}

// set makes the running destinations those of c. When one of them cannot be opened, those of before go on. What changes is
// stopped first, so that no two ever write to one file; forwarding only pauses, for the journal holds what comes meanwhile.
func (t *targets) set(c *configs.Config) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	wanted := make(map[string]hookgate.DestinationSettings, len(c.Destinations))
	for _, d := range c.Destinations {
		wanted[d.Name] = routed(c, d)
	}
	var before []hookgate.DestinationSettings
	for name, r := range t.running {
		if s, ok := wanted[name]; ok && reflect.DeepEqual(s, r.settings) {
			continue
		}
		before = append(before, r.settings)
		t.drop(name)
	}
	var started []string
	for name, s := range wanted {
		if t.running[name] != nil {
			continue
		}
		if err := t.start(s); err != nil {
			return errors.Join(fmt.Errorf("destination %s: %w", name, err), t.restore(started, before))
		}
		started = append(started, name)
	}
	if err := t.journal.SetDestinations(names(c.Destinations)); err != nil {
		return err
	}
	t.warnOfAbandoned(wanted)
	return nil
}

// restore undoes a set that failed half-way: what it started ends, and what it stopped starts again.
func (t *targets) restore(started []string, before []hookgate.DestinationSettings) error {
	for _, name := range started {
		t.drop(name)
	}
	var errs []error
	for _, s := range before {
		if err := t.start(s); err != nil {
			errs = append(errs, fmt.Errorf("destination %s cannot be started again: %w", s.Name, err))
		}
	}
	return errors.Join(errs...)
}

// drop ends one destination and waits for it.
func (t *targets) drop(name string) {
	if err := t.running[name].stop(); err != nil {
		t.log.Error().Str("destination", name).Err(err).Msg("destination did not stop cleanly")
	}
	delete(t.running, name)
}

// warnOfAbandoned names the destinations that are not configured any more and are behind: after a renaming, say, which
// makes a new destination. It cannot tell what came after they were taken out, and so may speak of one that is no loss.
func (t *targets) warnOfAbandoned(wanted map[string]hookgate.DestinationSettings) {
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	for name, s := range t.journal.Stats(ctx).Destinations {
		if _, ok := wanted[name]; !ok && s.Backlog > 0 {
			t.log.Warn().Str("destination", name).Int64("backlog", s.Backlog).
				Msg("not configured any more, and behind; if it was renamed, its old name brings it what is left")
		}
	}
}

func (t *targets) start(s hookgate.DestinationSettings) error {
	d, err := forward.New(s, forward.Options{Stdout: t.stdout, Now: t.now})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &target{
		settings: s, destination: d, cancel: cancel, done: make(chan struct{}),
		forwarder: forward.NewForwarder(s, d, t.journal, t.journal, forward.WithObserver(observer(t.log, s.Name))),
	}
	go func() {
		defer close(r.done)
		if err := r.forwarder.Run(ctx); err != nil {
			t.log.Error().Str("destination", s.Name).Err(err).Msg("destination stopped")
		}
	}()
	t.running[s.Name] = r
	return nil
}

// observer logs what becomes of a destination: a line when it gets into trouble, when it is out of it again, and when
// events have been given up.
func observer(log zerolog.Logger, name string) func(forward.Stats) {
	var dead uint64
	return func(s forward.Stats) {
		level := zerolog.InfoLevel
		if s.State != forward.Running || s.Dead > dead {
			level = zerolog.WarnLevel
		}
		line := log.WithLevel(level).Str("destination", name).Str("state", string(s.State)).Uint64("delivered", s.Delivered)
		if level == zerolog.WarnLevel {
			line.Str("error", s.LastError)
		}
		if s.Dead > dead {
			line.Uint64("dead", s.Dead-dead)
		}
		dead = s.Dead
		line.Msg("destination")
	}
}

// stop waits until what is in flight is confirmed and recorded, within the forwarder's own grace.
func (r *target) stop() error {
	r.cancel()
	<-r.done
	return r.destination.Close()
}

// stop ends all of them side by side, within ctx: a reader of standard output that has stopped reading cannot be made to.
func (t *targets) stop(ctx context.Context) error {
	t.mu.Lock()
	running := maps.Clone(t.running)
	clear(t.running)
	t.mu.Unlock()
	for _, r := range running {
		r.cancel()
	}
	var errs []error
	for name, r := range running {
		select {
		case <-r.done:
			errs = append(errs, r.stop())
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("destination %s does not stop; what it has not confirmed is sent again", name))
		}
	}
	return errors.Join(errs...)
}

// named finds a running destination.
func (t *targets) named(name string) (*target, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.running[name]
	return r, ok
}

// stats are those of the running destinations, by name.
func (t *targets) stats() map[string]forward.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[string]forward.Stats, len(t.running))
	for name, r := range t.running {
		all[name] = r.forwarder.Stats()
	}
	return all
}

func names(ds []hookgate.DestinationSettings) []string {
	all := make([]string, len(ds))
	for i, d := range ds {
		all[i] = d.Name
	}
	return all
}
