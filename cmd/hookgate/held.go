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
