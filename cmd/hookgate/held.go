package main

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

// held is a part of the journal that this node forwards, as one node at a time does: a whole file, or a shard of Redis.
type held struct {
	id     int
	log    forward.Log
	ledger forward.Ledger
	// asked gives replays that another node was asked for; nil where there are no other nodes.
	asked func(ctx context.Context, destination string, limit int) ([]hookgate.Parked, error)
}

// forwarding is one destination's forwarder over one part.
type forwarding struct {
	forwarder *forward.Forwarder
	cancel    context.CancelFunc
	done      chan struct{}
}

// forward lets a destination follow a part.
func (t *targets) forward(r *target, p held) {
	f := forward.NewForwarder(r.settings, r.destination, p.log, p.ledger,
		forward.WithObserver(r.states.observer(p.id)), forward.WithShards(t.journals.shards))
	r.forwarders[p.id] = follow(p, r.settings.Name, f, t.log)
}

// take begins to forward a part of the journal, and gives what ends it.
func (t *targets) take(p held) (giveUp func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held[p.id] = p
	for _, r := range t.running {
		if !r.ending {
			t.forward(r, p)
		}
	}
	return func() { t.giveUp(p.id) }
}

// giveUp ends the forwarders of a part side by side. Others go on meanwhile.
func (t *targets) giveUp(part int) {
	t.mu.Lock()
	delete(t.held, part)
	var ending []*forwarding
	for _, r := range t.running {
		if f, ok := r.forwarders[part]; ok {
			f.cancel()
			ending = append(ending, f)
		}
	}
	t.mu.Unlock()
	for _, f := range ending {
		<-f.done
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.running {
		r.retire(part)
	}
}

// retire keeps what a forwarder that has ended counted: a counter never goes back.
func (r *target) retire(part int) {
	f, ok := r.forwarders[part]
	if !ok {
		return
	}
	s := f.forwarder.Stats()
	r.past.Delivered += s.Delivered
	r.past.Failed += s.Failed
	r.past.Dead += s.Dead
	r.states.forget(part)
	delete(r.forwarders, part)
}

// How long a forwarder that could not begin waits, and how often replays are looked for and how many are taken at once.
const (
	beginAgain = time.Second
	askEvery   = time.Second
	askAtOnce  = 256
)

// follow starts the forwarder. A journal that cannot tell the progress is asked again, for ever: it is the one that events
// are in.
func follow(p held, name string, f *forward.Forwarder, log zerolog.Logger) *forwarding {
	ctx, cancel := context.WithCancel(context.Background())
	r := &forwarding{forwarder: f, cancel: cancel, done: make(chan struct{})}
	var asking sync.WaitGroup
	if p.asked != nil {
		asking.Go(func() { p.takeAsked(ctx, name, f) })
	}
	go func() {
		defer close(r.done)
		defer asking.Wait()
		for ctx.Err() == nil {
			err := f.Run(ctx)
			if err == nil {
				return
			}
			log.Error().Str("destination", name).Int("part", p.id).Err(err).Msg("destination stopped")
			_ = pause(ctx, beginAgain)
		}
	}()
	return r
}

// takeAsked brings the forwarder what somebody wants replayed. It stays asked for until the forwarder has recorded it. What
// is still to come by itself stays, too; so there is no pause only while there are many and others each time.
func (p held) takeAsked(ctx context.Context, name string, f *forward.Forwarder) {
	for last := int64(0); ctx.Err() == nil; {
		asked, err := p.asked(ctx, name, askAtOnce)
		if err == nil && len(asked) > 0 {
			_ = f.Replay(ctx, asked) // what it does not take is asked for again
		}
		before := last
		if last = 0; len(asked) == askAtOnce {
			last = asked[askAtOnce-1].Seq
		}
		if last <= before {
			_ = pause(ctx, askEvery)
		}
	}
}
