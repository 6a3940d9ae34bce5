package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/journal"
)

// The bounds of what one question of an operator may cost; the listener gives up on an answer after ten seconds.
const (
	listTime    = 3 * time.Second // of looking for what fits
	listBytes   = 16 << 20        // of envelopes, but for one more
	historyTime = 3 * time.Second // of looking through what is remembered of copies
	searchTime  = 4 * time.Second // of looking for an event of which nothing is remembered any more
)

// inspector shows what the journal holds.
type inspector struct {
	parts     []part
	receivers func() []receiver
	// history finds the copies of an event, and the part that it stands in; its sequence number is that part's.
	history func(ctx context.Context, id string) (h journal.History, of int, ok bool, err error)
}

var _ admin.Events = inspector{}

// List looks until it has found enough, the journal ends or its bounds are reached.
func (i inspector) List(ctx context.Context, q admin.EventQuery) (admin.EventList, error) {
	var list admin.EventList
	w, err := newWalk(i.parts, q.Oldest, q.Place)
	if err != nil {
		return list, err
	}
	fits := chosen(q.Selection)
	until, bytes := time.Now().Add(listTime), 0
	for {
		e, _, ok, err := w.next(ctx)
		if err != nil {
			return list, err
		}
		if ok && fits(e.Event) {
			envelope := shown(e.Event, q.Data)
			list.Events, bytes = append(list.Events, envelope), bytes+len(envelope)
		}
		if list.More = ok; !ok || len(list.Events) == q.Limit || bytes >= listBytes || time.Now().After(until) {
			list.Next = w.place()
			return list, nil
		}
	}
}

func shown(e *hookgate.Event, whole bool) json.RawMessage {
	if whole {
		return e.AppendEnvelope(nil)
	}
	return e.AppendAttributes(nil)
}

// Show gathers what is known of one event.
func (i inspector) Show(ctx context.Context, id string) (admin.EventRecord, error) {
	var r admin.EventRecord
	looking, cancel := context.WithTimeout(ctx, historyTime)
	defer cancel()
	h, of, remembered, err := i.history(looking, id)
	if err != nil && (looking.Err() == nil || ctx.Err() != nil) {
		return r, err
	}
	var entry hookgate.Entry
	found := false
	switch {
	case err != nil || !remembered: // not found in its time, or the window is over
		entry, of, found, err = i.search(ctx, id)
	case h.Seq == 0:
		r.Quarantined = true
	default:
		entry, found, err = at(ctx, i.parts[of], h.Seq)
	}
	if err != nil {
		return r, err
	}
	if !found && !remembered {
		return r, admin.ErrUnknownEvent
	}
	if remembered {
		r.Copies, r.Remembered = h.Copies, h.Expires
		for _, a := range h.Attempts {
			r.History = append(r.History, admin.EventCopy{
				Received: a.Received, Attempt: a.Attempt, Class: string(a.Class), Digest: a.Digest, Conflict: a.Conflict,
			})
		}
	}
	if !found {
		return r, nil
	}
	return r, i.detail(ctx, i.parts[of], entry, &r)
}

// at gives the entry at a place, if it is still there.
func at(ctx context.Context, p part, seq int64) (hookgate.Entry, bool, error) {
	entries, err := p.scan(ctx, seq-1, 1)
	if err != nil || len(entries) == 0 || entries[0].Seq != seq {
		return hookgate.Entry{}, false, err
	}
	return entries[0], true, nil
}

// search looks through the journal from its newest event back.
func (i inspector) search(ctx context.Context, id string) (hookgate.Entry, int, bool, error) {
	w, err := newWalk(i.parts, false, "")
	if err != nil {
		return hookgate.Entry{}, 0, false, err
	}
	until, seen := time.Now().Add(searchTime), 0
	for {
		e, of, ok, err := w.next(ctx)
		if err != nil || !ok || e.Event.ID == id {
			return e, of, ok, err
		}
		if seen++; time.Now().After(until) {
			err := hookgate.Errorf(hookgate.Unavailable, "the event is not among the newest %d, and there was no time for the rest", seen)
			err.Hint = "ask for the list of events with this id, which can be continued"
			return e, of, false, err
		}
	}
}

// detail adds the event itself, its request, and what has become of it.
func (i inspector) detail(ctx context.Context, p part, entry hookgate.Entry, r *admin.EventRecord) error {
	r.Event = entry.Event.AppendEnvelope(nil)
	raw, ok, err := p.raw(ctx, entry.Seq)
	if err != nil {
		return err
	}
	if ok {
		r.Request = &admin.RequestHead{ID: raw.RequestID, Method: raw.Method, Target: raw.Target, Header: raw.Header, Bytes: len(raw.Body)}
		if raw.Remote.IsValid() {
			r.Request.Remote = raw.Remote.String()
		}
	}
	for _, to := range i.receivers() {
		d, err := deliveryTo(ctx, p.standing, to, entry)
		if err != nil {
			return err
		}
		r.Destinations = append(r.Destinations, d)
	}
	return nil
}

// deliveryTo says what has become of an entry at a destination. What is parked or dead comes first: the match may have been
// another one when its turn came.
func deliveryTo(ctx context.Context, s standing, to receiver, entry hookgate.Entry) (admin.Delivery, error) {
	d := admin.Delivery{Destination: to.name}
	progress, err := s.Progress(ctx, to.name)
	if err != nil {
		return d, err
	}
	dead, err := s.DeadLetters(ctx, to.name, entry.Seq-1, 1)
	if err != nil {
		return d, err
	}
	for _, p := range append(dead, progress.Parked...) {
		if p.Seq != entry.Seq {
			continue
		}
		d.State, d.Attempts, d.Error = admin.Dead, p.Attempts, p.Error
		if !p.Dead {
			d.State, d.NextAt = admin.Parked, p.NextAt
		}
		return d, nil
	}
	switch {
	case !to.wants(entry.Event):
		d.State = admin.Unwanted
	case entry.Seq > progress.Cursor:
		d.State = admin.Waiting
	default:
		d.State = admin.Delivered
	}
	return d, nil
}
