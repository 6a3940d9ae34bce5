package journal

import (
	"context"
	_ "embed"
	"errors"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
)

// blockFor is how long a read waits at the server for something new, and so about how long an end waits for the reader.
const blockFor = 100 * time.Millisecond

// Shard is one stream of the journal and what the destinations remember of it. Its sequence numbers are its own; Redis
// numbers all shards together where an operator sees them.
type Shard struct {
	r     *Redis
	id    int
	size  sizer
	sweep sweepState

	mu    sync.Mutex
	hold  *hold  // nil while the shard is not this node's
	epoch string // which life of the shard this node knows; empty before it has looked
}

// Read gives up to limit entries (at most 1024) that follow the number after, in order. It blocks until there is one, ctx
// ends, the journal closes or the shard is no longer this node's; it fails at once while Share does not hold the shard.
// Entries that retention has taken are passed over.
func (s *Shard) Read(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
	limit = min(max(limit, 1), maxRead)
	h, err := s.held()
	if err != nil {
		return nil, err
	}
	for {
		entries, last, wait := h.tail.after(after, limit)
		if len(entries) > 0 {
			return entries, nil
		}
		if wait == nil {
			entries, err := s.span(ctx, h, after, entryID(last), limit)
			if errors.Is(err, errMoved) && h.ctx.Err() == nil && rest(ctx, roundPause) {
				continue
			}
			if err != nil || len(entries) > 0 {
				return entries, err
			}
			after = last // everything up to there is gone
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		case <-h.ctx.Done():
			return nil, s.notHeld()
		case <-s.r.stop:
			return nil, errClosed()
		}
	}
}

// Scan reads as Read does, but without waiting and without holding the shard. There are no more when it gives none.
func (s *Shard) Scan(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
	return s.span(ctx, nil, after, "+", min(max(limit, 1), maxRead))
}

// span reads what follows a number, about readBytes at most.
func (s *Shard) span(ctx context.Context, h *hold, after int64, to string, limit int) ([]hookgate.Entry, error) {
	var answer *redis.XMessageSliceCmd
	err := s.look(ctx, s.r.client, h, func(p redis.Pipeliner) {
		answer = p.XRangeN(ctx, s.key("log"), entryID(max(after, 0)+1), to, int64(s.size.count(limit)))
	})
	if err != nil {
		return nil, err
	}
	messages := answer.Val()
	s.size.saw(messages)
	entries := make([]hookgate.Entry, 0, len(messages))
	for _, m := range messages {
		e, err := parseEntry(m)
		if err != nil && len(entries) > 0 {
			return entries, nil // the next read begins with it and tells
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

//go:embed same.lua
var sameLua string

// errMoved means that what was read may be another server's, whose entries may have the numbers of others.
var errMoved = &hookgate.Error{Code: hookgate.Unavailable, Detail: "journal: Redis was started again or has another master, and is looked at first", RetryAfter: retrySoon}

// look sends reads in one pipeline. A holder's must go to the server that its lease is of: after a failover a connection
// may still lead to the old one, and its rows are not those that were accepted.
func (s *Shard) look(ctx context.Context, client redis.UniversalClient, h *hold, reads func(redis.Pipeliner)) error {
	var same *redis.Cmd
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		reads(p)
		if h != nil {
			same = p.Eval(ctx, sameLua, []string{s.key("lease")}, h.current())
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		s.size.failed()
		return redisError(err)
	}
	if same == nil || same.Val() == int64(1) {
		return nil
	}
	if same.Err() != nil {
		return redisError(same.Err())
	}
	h.wake()
	return errMoved
}

// Fetch gives the entries with these numbers of the shard, in the order asked for; those that are not there are left out.
func (s *Shard) Fetch(ctx context.Context, numbers []int64) ([]hookgate.Entry, error) {
	found := make([]*hookgate.Entry, len(numbers))
	h, _ := s.held()
	var missing []int
	for i, n := range numbers {
		if h != nil {
			if e, ok := h.tail.get(n); ok {
				found[i] = &e
				continue
			}
		}
		missing = append(missing, i)
	}
	for len(missing) > 0 {
		part := missing[:min(len(missing), s.size.count(256))]
		missing = missing[len(part):]
		if err := s.fetch(ctx, h, numbers, part, found); err != nil {
			return nil, err
		}
	}
	entries := make([]hookgate.Entry, 0, len(numbers))
	for _, e := range found {
		if e != nil {
			entries = append(entries, *e)
		}
	}
	return entries, nil
}

// fetch reads the entries at some of the places of numbers.
func (s *Shard) fetch(ctx context.Context, h *hold, numbers []int64, places []int, found []*hookgate.Entry) error {
	answers := make([]*redis.XMessageSliceCmd, len(places))
	err := s.look(ctx, s.r.client, h, func(p redis.Pipeliner) {
		for i, place := range places {
			id := entryID(numbers[place])
			answers[i] = p.XRange(ctx, s.key("log"), id, id)
		}
	})
	if err != nil {
		return err
	}
	for i, place := range places {
		messages := answers[i].Val()
		s.size.saw(messages)
		if len(messages) == 0 {
			continue
		}
		e, err := parseEntry(messages[0])
		if err != nil {
			return err
		}
		found[place] = &e
	}
	return nil
}

// next waits a little for entries after a number.
func (s *Shard) next(ctx context.Context, h *hold, after int64, count int) ([]redis.XMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, blockFor+redisTimeout)
	defer cancel()
	var answer *redis.XStreamSliceCmd
	err := s.look(ctx, s.r.waits, h, func(p redis.Pipeliner) {
		answer = p.XRead(ctx, &redis.XReadArgs{Streams: []string{s.key("log"), entryID(after)}, Count: int64(count), Block: blockFor})
	})
	if streams := answer.Val(); err == nil && len(streams) > 0 {
		return streams[0].Messages, nil
	}
	return nil, err
}

func (s *Shard) held() (*hold, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold == nil || s.hold.ctx.Err() != nil {
		return nil, s.notHeld()
	}
	return s.hold, nil
}

// notHeld is what a caller hears that still works on a shard that is no longer this node's.
func (s *Shard) notHeld() error {
	select {
	case <-s.r.stop:
		return errClosed()
	default:
	}
	e := hookgate.Errorf(hookgate.Unavailable, "shard %d of the journal is not held by this node", s.id)
	e.RetryAfter = retrySoon
	return e
}
