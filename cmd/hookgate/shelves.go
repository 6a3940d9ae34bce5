package main

import (
	"context"
	"errors"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/journal"
)

// errNotForwarded is the answer for a destination that is being stopped or exchanged just then.
var errNotForwarded = errors.New("the destination does not run at present; try again")

// place is the part of the journal that an event is in, and its number there.
func (j *journals) place(seq int64) (part int, own int64) {
	if r := j.redis.Load(); r != nil {
		s, n := r.Place(seq)
		return s.ID(), n
	}
	return 0, seq
}

// replay has events of one part sent again. On Redis the node that forwards the part finds the wish there.
func (j *journals) replay(ctx context.Context, t *targets, destination string, part int, events []hookgate.Parked) error {
	for t.has(destination) {
		r := j.redis.Load()
		if r == nil {
			f, ok := t.forwarder(destination, part)
			if !ok {
				return errNotForwarded
			}
			return f.Replay(ctx, events)
		}
		err := r.Shards()[part].Ask(ctx, destination, events)
		if !errors.Is(err, journal.ErrNoRoom) || pause(ctx, askEvery) != nil {
			return err
		}
	}
	return admin.ErrUnknownDestination
}

// history finds the copies of an event, and where it stands.
func (j *journals) history(ctx context.Context, id string) (h journal.History, part int, ok bool, err error) {
	s, err := j.store()
	if err != nil {
		return h, 0, false, err
	}
	if h, ok, err = s.History(ctx, id); h.Seq > 0 {
		part, h.Seq = j.place(h.Seq)
	}
	return h, part, ok, err
}

// parts are those of the journal, whether it was reached already or not.
func (j *journals) parts(t *targets) []part {
	all := make([]part, j.shards)
	for i := range all {
		s := slot{j, i}
		all[i] = part{
			scan: s.scan, standing: s, raw: s.raw,
			hand: func(ctx context.Context, destination string, chunk []hookgate.Parked) error {
				return j.replay(ctx, t, destination, i, chunk)
			},
		}
	}
	return all
}

// slot is the place of a part: a file, or a shard of Redis, as soon as it is reached.
type slot struct {
	journals *journals
	id       int
}

var _ standing = slot{}

// shelved is what a part can be asked for by its own numbers.
type shelved interface {
	standing
	Scan(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error)
}

func (s slot) open() (shelved, error) {
	if f := s.journals.file.Load(); f != nil {
		return f, nil
	}
	if r := s.journals.redis.Load(); r != nil {
		return r.Shards()[s.id], nil
	}
	return nil, errUnreached
}

func (s slot) scan(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
	p, err := s.open()
	if err != nil {
		return nil, err
	}
	return p.Scan(ctx, after, limit)
}

func (s slot) Progress(ctx context.Context, destination string) (hookgate.Progress, error) {
	p, err := s.open()
	if err != nil {
		return hookgate.Progress{}, err
	}
	return p.Progress(ctx, destination)
}

func (s slot) DeadLetters(ctx context.Context, destination string, after int64, limit int) ([]hookgate.Parked, error) {
	p, err := s.open()
	if err != nil {
		return nil, err
	}
	return p.DeadLetters(ctx, destination, after, limit)
}

func (s slot) raw(ctx context.Context, seq int64) (*journal.Raw, bool, error) {
	if f := s.journals.file.Load(); f != nil {
		return f.RawRequest(ctx, seq)
	}
	if r := s.journals.redis.Load(); r != nil {
		return r.RawRequest(ctx, r.Shards()[s.id].Number(seq))
	}
	return nil, false, errUnreached
}
