package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// operator gives the admin pages what the journal keeps and what the running destinations can do.
type operator struct {
	journals *journals
	targets  *targets
}

var _ admin.Operator = operator{}

func (o operator) Quarantined(ctx context.Context, before int64, limit int) ([]admin.QuarantinedPart, error) {
	store, err := o.journals.store()
	if err != nil {
		return nil, err
	}
	kept, err := store.Quarantine(ctx, before, limit)
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
	if !o.targets.has(destination) {
		return nil, admin.ErrUnknownDestination
	}
	store, err := o.journals.store()
	if err != nil {
		return nil, err
	}
	dead, err := store.DeadLetters(ctx, destination, after, limit)
	if err != nil {
		return nil, err
	}
	letters := make([]admin.DeadLetter, 0, len(dead))
	for _, d := range dead {
		letter := admin.DeadLetter{Seq: d.Seq, Attempts: d.Attempts, Error: d.Error}
		entries, err := store.Fetch(ctx, []int64{d.Seq})
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
	if !o.targets.has(destination) {
		return 0, admin.ErrUnknownDestination
	}
	store, err := o.journals.store()
	if err != nil {
		return 0, err
	}
	slices.Sort(seqs)
	var dead []hookgate.Parked
	for _, seq := range slices.Compact(seqs) {
		found, err := store.DeadLetters(ctx, destination, seq-1, 1)
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
	return len(dead), o.replay(ctx, destination, dead)
}

// replay has events of the journal sent again, whichever node forwards their part of it.
func (o operator) replay(ctx context.Context, destination string, events []hookgate.Parked) error {
	parts := make(map[int][]hookgate.Parked)
	for _, e := range events {
		part, seq := o.journals.place(e.Seq)
		e.Seq, e.Replayed = seq, true
		parts[part] = append(parts[part], e)
	}
	for part, events := range parts {
		if err := o.journals.replay(ctx, o.targets, destination, part, events); err != nil {
			return err
		}
	}
	return nil
}
