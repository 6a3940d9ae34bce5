package oracle

import (
	"slices"
	"time"
)

// event is what the sender's log says of one event.
type event struct {
	key     string
	digests []Digest  // of its attempts
	first   time.Time // when it was sent first
	acked   time.Time // when it was first acknowledged; zero if it was not
	copies  int       // at the destination
}

// lane is what has arrived of one key.
type lane struct {
	newest time.Time // the latest first sending
	oldest time.Time // the earliest acknowledgement; zero while none
}

// Judge holds the sender's log against the destination's. The sender's may be in any order; both must be complete, so that
// whoever still sends or still delivers is judged too early.
func Judge(sent []Sent, delivered []Delivered) Verdict {
	var v Verdict
	events := gather(sent)
	v.Sent = len(events)
	lanes := make(map[string]lane)
	for _, d := range delivered {
		e, known := events[d.ID]
		if !known {
			v.found(&v.Forged, "forged", d.ID)
			continue
		}
		if !slices.Contains(e.digests, d.Digest) {
			v.found(&v.Wrong, "wrong", d.ID)
		}
		if e.copies++; e.copies > 1 {
			v.found(&v.Doubled, "doubled", d.ID)
			continue
		}
		v.Delivered++
		lanes[e.key] = v.order(d.ID, e, lanes[e.key])
	}
	for id, e := range events {
		if e.acked.IsZero() {
			continue
		}
		v.Acknowledged++
		if e.copies == 0 {
			v.found(&v.Lost, "lost", id)
		}
	}
	return v
}

// order judges the first copy of an event by those of its key that arrived before it, and gives the lane with it. An event
// that had been acknowledged before another was even sent comes first.
func (v *Verdict) order(id string, e *event, l lane) lane {
	overtaken := !e.acked.IsZero() && e.acked.Before(l.newest)
	if overtaken {
		v.found(&v.OutOfOrder, "out_of_order", id)
	}
	if overtaken || (!l.oldest.IsZero() && l.oldest.Before(e.first)) {
		v.Compared++
	}
	if e.first.After(l.newest) {
		l.newest = e.first
	}
	if !e.acked.IsZero() && (l.oldest.IsZero() || e.acked.Before(l.oldest)) {
		l.oldest = e.acked
	}
	return l
}

// gather puts the attempts of each event together.
func gather(sent []Sent) map[string]*event {
	events := make(map[string]*event)
	for _, s := range sent {
		e, known := events[s.ID]
		if !known {
			e = &event{key: s.Key, first: s.At}
			events[s.ID] = e
		}
		if s.At.Before(e.first) {
			e.first = s.At
		}
		if !slices.Contains(e.digests, s.Digest) {
			e.digests = append(e.digests, s.Digest)
		}
		if s.Acknowledged() && (e.acked.IsZero() || s.Answered.Before(e.acked)) {
			e.acked = s.Answered
		}
	}
	return events
}

// Promised are the ids that were acknowledged: what a destination has to have before it is complete.
func Promised(sent []Sent) map[string]bool {
	ids := make(map[string]bool)
	for _, s := range sent {
		if s.Acknowledged() {
			ids[s.ID] = true
		}
	}
	return ids
}
