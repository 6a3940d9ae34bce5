package main

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// The bounds of what a walk holds of each part: our defaults.
const (
	walkEntries = 128
	walkBytes   = 2 << 20 // of payload, but for one entry more
)

// walk goes through all parts of the journal at once, from the newest entry back or from the oldest on. In a part the
// order is that of acceptance; between parts it is the time of receipt that decides.
type walk struct {
	tracks []*track
	oldest bool
}

// newWalk begins at a place that an earlier walk in the same direction gave; the empty one is the beginning.
func newWalk(parts []part, oldest bool, place string) (*walk, error) {
	w := &walk{oldest: oldest}
	for _, p := range parts {
		t := &track{scan: p.scan, oldest: oldest, step: walkEntries}
		if !oldest {
			t.place = math.MaxInt64
		}
		w.tracks = append(w.tracks, t)
	}
	if place == "" {
		return w, nil
	}
	places := strings.Split(place, "-")
	if len(places) != len(parts) {
		return nil, admin.ErrWrongPlace
	}
	for i, t := range w.tracks {
		n, err := strconv.ParseInt(places[i], 10, 64)
		if err != nil || n < 0 {
			return nil, admin.ErrWrongPlace
		}
		t.place = n
	}
	return w, nil
}

// next gives the next entry and the part that it is of; ok is false at the end.
func (w *walk) next(ctx context.Context) (e hookgate.Entry, of int, ok bool, err error) {
	for i, t := range w.tracks {
		if err := t.fill(ctx); err != nil {
			return e, 0, false, err
		}
		if len(t.held) == 0 {
			continue
		}
		if at := t.held[0]; !ok || w.oldest == at.Event.Received.Before(e.Event.Received) {
			e, of, ok = at, i, true
		}
	}
	if ok {
		t := w.tracks[of]
		t.held = t.held[1:]
	}
	return e, of, ok, nil
}

// place is where the walk can go on.
func (w *walk) place() string {
	places := make([]string, len(w.tracks))
	for i, t := range w.tracks {
		places[i] = strconv.FormatInt(t.mark(), 10)
	}
	return strings.Join(places, "-")
}

// track is the walk in one part.
type track struct {
	scan   scan
	oldest bool
	place  int64 // what has not been read is above it; for a walk back: below it
	step   int64 // how many numbers a walk back tries at once
	held   []hookgate.Entry
	ended  bool
}

// mark is the place of the first entry that has not been taken.
func (t *track) mark() int64 {
	switch {
	case len(t.held) == 0:
		return t.place
	case t.oldest:
		return t.held[0].Seq - 1
	default:
		return t.held[0].Seq + 1
	}
}

// fill reads on when nothing is held.
func (t *track) fill(ctx context.Context) (err error) {
	if len(t.held) > 0 || t.ended {
		return nil
	}
	if !t.oldest {
		return t.back(ctx)
	}
	t.held, err = t.scan(ctx, t.place, walkEntries)
	if n := len(t.held); n > 0 {
		t.place = t.held[n-1].Seq
	}
	t.ended = len(t.held) == 0
	return err
}

// back reads what precedes the place, although the journal can only be read forward: a stretch of numbers before it,
// which may be empty, for retention leaves gaps.
func (t *track) back(ctx context.Context) error {
	for {
		top, err := t.below(ctx, t.place)
		if err != nil {
			return err
		}
		if top == 0 {
			t.place, t.ended = 0, true
			return nil
		}
		from := max(top-t.step, 0)
		entries, bytes, err := t.between(ctx, from, top)
		if err != nil {
			return err
		}
		if bytes > walkBytes && t.step > 1 {
			t.step /= 2
			continue
		}
		if len(entries) > 0 { // else the retention has just taken them
			slices.Reverse(entries)
			t.held = entries
		}
		t.place = from + 1
		if len(entries) > 0 {
			return nil
		}
	}
}

// between reads what lies above from and not above to, as far as the bytes allow.
func (t *track) between(ctx context.Context, from, to int64) (entries []hookgate.Entry, bytes int, err error) {
	for from < to && bytes <= walkBytes {
		read, err := t.scan(ctx, from, int(to-from))
		if err != nil {
			return nil, 0, err
		}
		if len(read) == 0 {
			break
		}
		for _, e := range read {
			if from = e.Seq; from > to {
				break
			}
			entries = append(entries, e)
			bytes += len(e.Event.Data)
		}
	}
	return entries, bytes, nil
}

// below finds the highest sequence number that is there and below a place; 0 when there is none. It halves what is in
// question, for a part can only be asked what follows a number.
func (t *track) below(ctx context.Context, place int64) (int64, error) {
	seen, limit, try := int64(0), place, max(place-2, 0) // nothing is there from limit up to the place
	if place == math.MaxInt64 {                          // nobody knows where the end is
		try = 0
	}
	for ahead := int64(1024); seen < limit-1; ahead *= 2 {
		read, err := t.scan(ctx, try, 1)
		switch {
		case err != nil:
			return 0, err
		case len(read) > 0 && read[0].Seq < place:
			seen = read[0].Seq
		default:
			limit = try + 1
		}
		try = seen + (limit-1-seen)/2
		if limit == math.MaxInt64 {
			try = seen + ahead
		}
	}
	return seen, nil
}
