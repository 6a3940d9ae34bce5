package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/forward"
)

// targets are the running destinations over the parts of the journal that this node holds. A reload starts what is new,
// stops what is gone, and leaves alone what is the same; parts come and go as nodes do.
type targets struct {
	journals *journals
	log      zerolog.Logger
	stdout   io.Writer
	now      func() time.Time
	signing  signing

	setting sync.Mutex // one set at a time; it waits for destinations, and mu is for what nobody waits with
	mu      sync.Mutex
	held    map[int]held
	running map[string]*target
}

// target is one destination and its forwarders, one a part, which share it.
type target struct {
	settings    hookgate.DestinationSettings
	wants       func(*hookgate.Event) bool
	destination *forward.Shared
	forwarders  map[int]*forwarding
	past        forward.Stats // what forwarders that have ended counted
	ending      bool          // no part begins any more
	states      *states
}

func newTargets(j *journals, log zerolog.Logger, stdout io.Writer, now func() time.Time) *targets {
	return &targets{journals: j, log: log, stdout: stdout, now: now, held: make(map[int]held), running: make(map[string]*target)}
}

// set makes keys and running destinations those of c. When one of these cannot be opened, or the journal cannot be told of
// them, all is as before. The keys come first: what a new destination brings is signed with them from the first event on.
func (t *targets) set(c *configs.Config) error {
	t.setting.Lock()
	defer t.setting.Unlock()
	signer, err := newSigner(c.Signing)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	before := t.signing.current.Swap(signer)
	if err := t.replace(c); err != nil {
		t.signing.current.Store(before)
		return err
	}
	return nil
}

// replace stops what changes first, so that no two destinations ever write to one file; forwarding only pauses, for the
// journal holds what comes meanwhile.
func (t *targets) replace(c *configs.Config) error {
	wanted := make(map[string]hookgate.DestinationSettings, len(c.Destinations))
	for _, d := range c.Destinations {
		wanted[d.Name] = routed(c, d)
	}
	var before []hookgate.DestinationSettings
	running := t.all()
	for name, r := range running {
		if s, ok := wanted[name]; ok && reflect.DeepEqual(s, r.settings) {
			continue
		}
		delete(running, name)
		before = append(before, r.settings)
		t.drop(name)
	}
	var started []string
	for name, s := range wanted {
		if running[name] != nil {
			continue
		}
		if err := t.start(s); err != nil {
			return errors.Join(fmt.Errorf("destination %s: %w", name, err), t.restore(started, before))
		}
		started = append(started, name)
	}
	if err := t.journals.setDestinations(names(c.Destinations)); err != nil {
		return errors.Join(err, t.restore(started, before))
	}
	t.warnOfAbandoned(wanted)
	return nil
}

// restore undoes a replace that failed half-way: what it started ends, and what it stopped starts again.
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

// all are the running destinations of this moment.
func (t *targets) all() map[string]*target {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.running)
}

// drop ends one destination, all its forwarders side by side, and waits for it. Until then it is one of those that run, so
// that no part is given up before it is done with it.
func (t *targets) drop(name string) {
	t.mu.Lock()
	r := t.running[name]
	r.ending = true
	ending := slices.Collect(maps.Values(r.forwarders))
	t.mu.Unlock()
	for _, f := range ending {
		f.cancel()
	}
	for _, f := range ending {
		<-f.done
	}
	if err := r.destination.Close(); err != nil {
		t.log.Error().Str("destination", name).Err(err).Msg("destination did not stop cleanly")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, name)
}

// warnOfAbandoned names the destinations that are not configured any more and are behind: after a renaming, say, which
// makes a new destination. It cannot tell what came after they were taken out, and so may speak of one that is no loss.
func (t *targets) warnOfAbandoned(wanted map[string]hookgate.DestinationSettings) {
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	for name, s := range t.journals.stats(ctx).Destinations {
		if _, ok := wanted[name]; !ok && s.Backlog > 0 {
			t.log.Warn().Str("destination", name).Int64("backlog", s.Backlog).
				Msg("not configured any more, and behind; if it was renamed, its old name brings it what is left")
		}
	}
}

func (t *targets) start(s hookgate.DestinationSettings) error {
	wants, err := forward.Wants(s)
	if err != nil {
		return err
	}
	d, err := forward.New(s, forward.Options{Stdout: t.stdout, Now: t.now, Sign: t.signing.sign})
	if err != nil {
		return err
	}
	r := &target{
		settings: s, wants: wants, destination: forward.Share(d, s, forward.LimitsOf(s.Type)), forwarders: make(map[int]*forwarding),
		states: &states{log: t.log, name: s.Name, of: make(map[int]forward.Stats)},
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[s.Name] = r
	for _, p := range t.held {
		t.forward(r, p)
	}
	return nil
}

// stop ends all of them side by side, within ctx: a reader of standard output that has stopped reading cannot be made to.
func (t *targets) stop(ctx context.Context) error {
	t.mu.Lock()
	running := maps.Clone(t.running)
	clear(t.running)
	t.mu.Unlock()
	var errs []error
	for _, r := range running {
		for _, f := range r.forwarders {
			f.cancel()
		}
	}
	for name, r := range running {
		if !r.ended(ctx) {
			errs = append(errs, fmt.Errorf("destination %s does not stop; what it has not confirmed is sent again", name))
			continue
		}
		errs = append(errs, r.destination.Close())
	}
	return errors.Join(errs...)
}

// ended waits for all forwarders of the destination, within ctx.
func (r *target) ended(ctx context.Context) bool {
	for _, f := range r.forwarders {
		select {
		case <-f.done:
			continue
		case <-ctx.Done():
		}
		select {
		case <-f.done: // before: one that hangs must not have those named that do not
		default:
			return false
		}
	}
	return true
}

// forwarder finds the one that brings a part of the journal to a destination, if this node has it.
func (t *targets) forwarder(destination string, part int) (*forward.Forwarder, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.running[destination]
	if !ok || r.ending || r.forwarders[part] == nil {
		return nil, false
	}
	return r.forwarders[part].forwarder, true
}

// parts is how many parts of the journal this node has.
func (t *targets) parts() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.held)
}

// breaker tells whether a destination is being tried.
func (t *targets) breaker(destination string) forward.BreakerState {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r, ok := t.running[destination]; ok {
		return r.destination.Breaker()
	}
	return forward.BreakerClosed
}

// has tells whether a destination of this name is configured.
func (t *targets) has(destination string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running[destination] != nil
}

// receivers are the running destinations, by name.
func (t *targets) receivers() []receiver {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []receiver
	for _, name := range slices.Sorted(maps.Keys(t.running)) {
		all = append(all, receiver{name: name, wants: t.running[name].wants})
	}
	return all
}

// stats are those of the running destinations, by name: the sums over their parts, and the worst of their states.
func (t *targets) stats() map[string]forward.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[string]forward.Stats, len(t.running))
	for name, r := range t.running {
		sum := r.past
		for _, f := range r.forwarders {
			s := f.forwarder.Stats()
			sum.Delivered += s.Delivered
			sum.Failed += s.Failed
			sum.Dead += s.Dead
			sum.InFlight += s.InFlight
			sum.State = worse(sum.State, s.State)
		}
		all[name] = sum
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
