package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// set makes the running destinations those of c. When one cannot be opened, everything stays as it was, but for a file
// that two settings of one destination would share: the old one is closed before the new one is opened.
func (t *targets) set(c *configs.Config) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	wanted := make(map[string]hookgate.DestinationSettings, len(c.Destinations))
	for _, d := range c.Destinations {
		wanted[d.Name] = routed(c, d)
	}
	if err := t.journal.SetDestinations(names(c.Destinations)); err != nil {
		return err
	}
	for name, r := range t.running {
		if s, ok := wanted[name]; !ok || !reflect.DeepEqual(s, r.settings) {
			if err := r.stop(); err != nil {
				t.log.Error().Str("destination", name).Err(err).Msg("destination did not stop cleanly")
			}
			delete(t.running, name)
		}
	}
	for _, d := range c.Destinations {
		if _, ok := t.running[d.Name]; ok {
			continue
		}
		started, err := t.start(wanted[d.Name])
		if err != nil {
			return fmt.Errorf("destination %s: %w", d.Name, err)
		}
		t.running[d.Name] = started
	}
	return nil
}

func (t *targets) start(s hookgate.DestinationSettings) (*target, error) {
	d, err := forward.New(s, forward.Options{Stdout: t.stdout, Now: t.now})
	if err != nil {
		return nil, err
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
	return r, nil
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

// stop ends all of them side by side.
func (t *targets) stop() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.running {
		r.cancel()
	}
	var errs []error
	for name, r := range t.running {
		if err := r.stop(); err != nil {
			errs = append(errs, fmt.Errorf("destination %s: %w", name, err))
		}
	}
	clear(t.running)
	return errors.Join(errs...)
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
