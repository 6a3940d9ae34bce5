package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/journal"
)

// operator gives the admin pages what the journal keeps and what the running destinations can do.
type operator struct {
	journal *journal.SQLite
	targets *targets
}

var _ admin.Operator = operator{}

func (o operator) Quarantined(ctx context.Context, before int64, limit int) ([]admin.QuarantinedPart, error) {
	kept, err := o.journal.Quarantine(ctx, before, limit)
	parts := make([]admin.QuarantinedPart, len(kept))
	for i, q := range kept {
		parts[i] = admin.QuarantinedPart{
			Seq: q.Seq, Source: q.Event.Source, Provider: q.Event.Provider, Received: q.Received, Reason: q.Reason,
			Verified: q.Event.VerifiedBy, Part: q.Event.Data,
		}
	}
	return parts, err
}

func (o operator) DeadLetters(ctx context.Context, destination string, after int64, limit int) ([]admin.DeadLetter, error) {
	if _, ok := o.targets.named(destination); !ok {
		return nil, admin.ErrUnknownDestination
	}
	dead, err := o.journal.DeadLetters(ctx, destination, after, limit)
	if err != nil {
		return nil, err
	}
	letters := make([]admin.DeadLetter, 0, len(dead))
	for _, d := range dead {
		letter := admin.DeadLetter{Seq: d.Seq, Attempts: d.Attempts, Error: d.Error}
		entries, err := o.journal.Fetch(ctx, []int64{d.Seq})
		if err != nil {
			return nil, err
		}
		if len(entries) == 1 { // retention may have taken the event
			letter.Event = json.RawMessage(entries[0].Event.AppendEnvelope(nil))
		}
		letters = append(letters, letter)
	}
	return letters, nil
}

func (o operator) Replay(ctx context.Context, destination string, seqs []int64) (int, error) {
	t, ok := o.targets.named(destination)
	if !ok {
		return 0, admin.ErrUnknownDestination
	}
	slices.Sort(seqs)
	var dead []hookgate.Parked
	for _, seq := range slices.Compact(seqs) {
		found, err := o.journal.DeadLetters(ctx, destination, seq-1, 1)
		if err != nil {
			return 0, err
		}
		if len(found) == 1 && found[0].Seq == seq {
			dead = append(dead, found[0])
		}
	}
	if len(dead) == 0 {
		return 0, nil
	}
	return len(dead), t.forwarder.Replay(ctx, dead)
}
