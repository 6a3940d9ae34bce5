package main

import (
	"context"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/forward"
	"github.com/hookgate/hookgate/journal"
)

// scan reads one part of the journal without waiting: at most limit entries above a sequence number, in order, and none
// only where none follows.
type scan func(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error)

// standing is how far a destination is in one part of the journal.
type standing interface {
	Progress(ctx context.Context, destination string) (hookgate.Progress, error)
	DeadLetters(ctx context.Context, destination string, after int64, limit int) ([]hookgate.Parked, error)
}

// part is one part of the journal: an SQLite file is one, a journal on Redis has one a shard. Sequence numbers are the
// part's own.
type part struct {
	scan     scan
	standing standing
	// raw gives the request that brought an event; ok is false when it is no longer kept.
	raw func(ctx context.Context, seq int64) (raw *journal.Raw, ok bool, err error)
	// hand gives a chunk to the forwarding of a destination, which keeps it. It blocks while there is no room. After an error
	// some of the chunk may have been taken over all the same.
	hand func(ctx context.Context, destination string, chunk []hookgate.Parked) error
}

// receiver is a configured destination, and what it would be sent.
type receiver struct {
	name  string
	wants func(*hookgate.Event) bool
}

// chosen makes a selection a question about one event.
func chosen(s admin.Selection) func(*hookgate.Event) bool {
	ids := make(map[string]bool, len(s.IDs))
	for _, id := range s.IDs {
		ids[id] = true
	}
	return func(e *hookgate.Event) bool {
		return (len(ids) == 0 || ids[e.ID]) && within(e.Received, s.From, s.To) && forward.Matches(s.Match, e)
	}
}

func within(at, from, to time.Time) bool {
	return (from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to))
}
