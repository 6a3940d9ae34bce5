package journal

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
)

// maxAsked bounds the replays that wait for one destination in one shard.
const maxAsked = 10_000

// ErrNoRoom is what Ask says when so many replays wait already that these do not fit in.
var ErrNoRoom = errors.New("no room for more replays")

//go:embed enter.lua
var enterLua string

//go:embed record.lua
var recordLua string

//go:embed ask.lua
var askLua string

var (
	recordScript = redis.NewScript(recordLua)
	askScript    = redis.NewScript(askLua)
)

// redisDestinations are those of this node.
type redisDestinations struct {
	mu     sync.Mutex
	all    []string
	warned time.Time
}

func (d *redisDestinations) names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all
}

// SetDestinations replaces the list of this node's destinations, whose unfinished deliveries retention spares, and enters
// those that are new at the present end of every shard. The list stands even when Redis is away; it is entered later then.
func (r *Redis) SetDestinations(names []string) error {
	r.destinations.mu.Lock()
	r.destinations.all = slices.Clone(names)
	r.destinations.mu.Unlock()
	var err error
	for range 3 {
		if err = r.enter(context.Background(), r.shards, names); err == nil {
			break
		}
	}
	return err
}

// enter makes destinations known to shards, says that this node has them, and finds out whether somebody has emptied a
// shard since this node has looked at it.
func (r *Redis) enter(ctx context.Context, shards []*Shard, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	answers := make([]*redis.Cmd, len(shards))
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, s := range shards {
			args := []any{s.known(), rand.Text()}
			for _, name := range names {
				args = append(args, name)
			}
			keys := []string{s.key("cursors"), s.key("seen"), s.key("epoch"), s.key("log"), s.key("reset"), s.key("lease")}
			answers[i] = p.Eval(ctx, enterLua, keys, args...)
		}
		return nil
	})
	emptied := false
	for i, s := range shards {
		answer, err := answers[i].Slice()
		if err != nil || len(answer) != 2 {
			continue // Pipelined has told the first error
		}
		s.mu.Lock()
		s.epoch, _ = answer[0].(string)
		s.mu.Unlock()
		emptied = emptied || answer[1] == int64(1)
	}
	if emptied {
		r.warnEmptied()
	}
	if err != nil {
		return redisError(err)
	}
	return nil
}

// warnEmptied tells it once for all shards.
func (r *Redis) warnEmptied() {
	r.destinations.mu.Lock()
	again := time.Since(r.destinations.warned) < 10*time.Second
	if !again {
		r.destinations.warned = time.Now()
	}
	r.destinations.mu.Unlock()
	if !again {
		r.o.Warn("somebody has emptied the journal on Redis: what was not delivered is lost, and what is accepted from now on is delivered from its beginning")
	}
}

// storedParked is a parked delivery as it stands in Redis.
type storedParked struct {
	Seq      int64  `json:"seq"`
	Key      string `json:"key,omitempty"`
	Attempts int    `json:"n,omitempty"`
	NextAt   int64  `json:"at,omitempty"` // Unix ms
	Error    string `json:"err,omitempty"`
	Replayed bool   `json:"re,omitempty"`
}

func storeParked(p hookgate.Parked) (string, error) {
	b, err := json.Marshal(storedParked{p.Seq, p.Key, p.Attempts, toMilli(p.NextAt), p.Error, p.Replayed})
	return string(b), err
}

func parseParked(texts []string, dead bool) ([]hookgate.Parked, error) {
	var list []hookgate.Parked
	for _, text := range texts {
		var k storedParked
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			return nil, hookgate.Errorf(hookgate.Unavailable, "journal: a parked delivery cannot be read: %w", err)
		}
		list = append(list, hookgate.Parked{Seq: k.Seq, Key: k.Key, Attempts: k.Attempts, NextAt: fromMilli(k.NextAt), Error: k.Error, Replayed: k.Replayed, Dead: dead})
	}
	return list, nil
}

// Progress reads what is remembered of a destination in this shard. One that the shard does not know yet is entered at the
// present end: it gets what is accepted from now on.
func (s *Shard) Progress(ctx context.Context, destination string) (hookgate.Progress, error) {
	for entered := false; ; entered = true {
		var cursor *redis.StringCmd
		var parked *redis.StringSliceCmd
		h, _ := s.held()
		err := s.look(ctx, s.r.client, h, func(p redis.Pipeliner) {
			cursor = p.HGet(ctx, s.key("cursors"), destination)
			parked = p.ZRange(ctx, s.key("parked:"+destination), 0, -1)
		})
		if err != nil {
			return hookgate.Progress{}, err
		}
		if errors.Is(cursor.Err(), redis.Nil) && !entered {
			// With all others: if this look is the first to notice that the shard was emptied, they begin anew, too.
			if err := s.r.enter(ctx, []*Shard{s}, append(slices.Clone(s.r.destinations.names()), destination)); err != nil {
				return hookgate.Progress{}, err
			}
			continue
		}
		p := hookgate.Progress{}
		if p.Cursor, err = cursor.Int64(); err != nil {
			return hookgate.Progress{}, redisError(err)
		}
		p.Parked, err = parseParked(parked.Val(), false)
		return p, err
	}
}

// Record makes a step of a destination durable, as a whole or not at all; a cursor never goes back. It is refused once
// another node holds the shard, whatever this node believes.
func (s *Shard) Record(ctx context.Context, destination string, step hookgate.Step) error {
	h, err := s.held()
	if err != nil {
		return err
	}
	args := make([]any, 0, 4+4*len(step.Park)+len(step.Done))
	args = append(args, h.token, destination, step.Cursor, len(step.Park))
	for _, p := range step.Park {
		text, err := storeParked(p)
		if err != nil {
			return hookgate.Errorf(hookgate.InternalMistake, "journal: %w", err)
		}
		args = append(args, p.Seq, text, boolean(p.Dead), boolean(p.Replayed))
	}
	for _, n := range step.Done {
		args = append(args, n)
	}
	keys := []string{s.key("lease"), s.key("cursors"), s.key("parked:" + destination), s.key("dead:" + destination), s.key("asked:" + destination)}
	state, err := recordScript.Run(ctx, s.r.client, keys, args...).Int()
	switch {
	case err != nil:
		return redisError(err)
	case state == 1:
		return nil
	case state == 2:
		h.wake() // the next renewal looks whether the new server has all that was read
		return errMoved
	case state < 0:
		return hookgate.Errorf(hookgate.InternalMistake, "destination %q is not known to the journal", destination)
	}
	h.lose()
	return s.notHeld()
}

// Ask has deliveries sent again by whoever holds the shard, each before the later ones of its key; it need not be this
// node. They wait until a Record says that they are taken over, and retention spares their events. At most 10,000 wait in
// a shard for one destination; ErrNoRoom means that none of these was added.
func (s *Shard) Ask(ctx context.Context, destination string, replays []hookgate.Parked) error {
	args := make([]any, 0, 2+2*len(replays))
	args = append(args, destination, maxAsked)
	for _, p := range replays {
		p.Replayed = true
		text, err := storeParked(p)
		if err != nil {
			return hookgate.Errorf(hookgate.InternalMistake, "journal: %w", err)
		}
		args = append(args, p.Seq, text)
	}
	n, err := askScript.Run(ctx, s.r.client, []string{s.key("cursors"), s.key("asked:" + destination)}, args...).Int()
	switch {
	case err != nil:
		return redisError(err)
	case n == -1:
		return hookgate.Errorf(hookgate.InternalMistake, "destination %q is not known to the journal", destination)
	case n < 0:
		e := hookgate.Errorf(hookgate.Unavailable, "%w: more than %d would wait for destination %q in shard %d", ErrNoRoom, maxAsked, destination, s.id)
		e.Hint, e.RetryAfter = "ask for fewer at once, or wait until those are sent", retryLater
		return e
	}
	return nil
}

// Asked gives the first replays that wait to be taken over, by their numbers.
func (s *Shard) Asked(ctx context.Context, destination string, limit int) ([]hookgate.Parked, error) {
	texts, err := s.r.client.ZRange(ctx, s.key("asked:"+destination), 0, int64(bounded(limit))-1).Result()
	if err != nil {
		return nil, redisError(err)
	}
	return parseParked(texts, false)
}
