package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/journal"
)

// redisStart bounds the first conversation with Redis.
const redisStart = 10 * time.Second

// journals are what events are kept in: a file, or Redis, and a spill in front of either where one is configured.
type journals struct {
	hookgate.Journal // what takes deliveries
	// One of the two is set, as soon as it was reached for the first time: at the start, or later where there is a spill.
	file    atomic.Pointer[journal.SQLite]
	redis   atomic.Pointer[journal.Redis]
	reached chan struct{}  // closed then
	spill   *journal.Spill // nil without one
	spills  bool           // there is to be one: known before spill is, which connects while it is made
	shards  int            // the parts that it has
	log     zerolog.Logger

	mu           sync.Mutex
	destinations []string // the configured ones
}

// store is what a file and Redis are both asked for, events by their numbers in the whole journal.
type store interface {
	SetDestinations(names []string) error
	Ready() error
	Stats(ctx context.Context) journal.Stats
	Close() error
	Quarantine(ctx context.Context, before int64, limit int) ([]journal.Quarantined, error)
	DeadLetters(ctx context.Context, destination string, after int64, limit int) ([]hookgate.Parked, error)
	Fetch(ctx context.Context, seqs []int64) ([]hookgate.Entry, error)
	History(ctx context.Context, id string) (h journal.History, ok bool, err error)
}

// store is the journal itself, once it was reached.
func (j *journals) store() (store, error) {
	if f := j.file.Load(); f != nil {
		return f, nil
	}
	if r := j.redis.Load(); r != nil {
		return r, nil
	}
	return nil, errUnreached
}

// errUnreached is what an operator is told of a journal that was never there.
var errUnreached = &hookgate.Error{Code: hookgate.Unavailable, Detail: "the journal has not been reached yet", Hint: "deliveries go to the spill meanwhile"}

// openJournals opens what the configuration names. It may be away at the start only where there is a spill.
func openJournals(m *Main, c *configs.Config, log zerolog.Logger) (_ *journals, err error) {
	j := &journals{log: log, shards: 1, spills: c.Journal.Spill != "", reached: make(chan struct{}), destinations: names(c.Destinations)}
	defer func() {
		if err != nil {
			_ = j.close()
		}
	}()
	connect := func(context.Context) (journal.Primary, error) { return j.openFile(m, c.Journal) }
	if c.Journal.OnRedis() {
		j.shards = c.Journal.Shards
		connect = func(ctx context.Context) (journal.Primary, error) { return j.openRedis(ctx, m, c.Journal) }
	}
	if j.spills {
		return j, j.openSpill(connect, m, c.Journal)
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisStart)
	defer cancel()
	j.Journal, err = connect(ctx)
	return j, err
}

// openSpill puts a spill in front. It can do without the journal for a while, but not with one that would lose events.
func (j *journals) openSpill(connect func(context.Context) (journal.Primary, error), m *Main, c configs.Journal) (err error) {
	first := make(chan error, 1) // NewSpill tries once before it returns
	j.spill, err = journal.NewSpill(context.Background(), c.SpillPath(), journal.SpillOptions{
		Connect: func(ctx context.Context) (journal.Primary, error) {
			p, err := connect(ctx)
			select {
			case first <- err:
			default:
			}
			return p, err
		},
		Warn: j.warn, Now: m.Now, MaxSize: int64(c.MaxSize), MinFree: int64(c.MinFree),
	})
	if err != nil {
		return err
	}
	j.Journal = j.spill
	if err := <-first; errors.Is(err, journal.ErrUnfit) {
		return err
	}
	return nil
}

func (j *journals) openFile(m *Main, c configs.Journal) (journal.Primary, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	file, err := journal.OpenSQLite(c.Path(), journal.Options{
		Retention: c.Retention, MaxSize: int64(c.MaxSize), MinFree: int64(c.MinFree), Destinations: j.destinations, Now: m.Now,
	})
	if err != nil {
		return nil, err
	}
	if lost := file.Stats(context.Background()).Missing; lost > 0 {
		j.log.Error().Int64("missing", lost).Str("hint", "the disk has lost them, or the lock file beside the journal belongs to another one").
			Msg("events that were committed once are not in the journal")
	}
	j.file.Store(file)
	j.opened()
	return file, nil
}

func (j *journals) openRedis(ctx context.Context, m *Main, c configs.Journal) (journal.Primary, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, err := journal.OpenRedis(ctx, string(c.URL.Reveal()), journal.RedisOptions{
		Shards: c.Shards, Prefix: c.Prefix, Retention: c.Retention, Compact: c.Markers == "compact", Replicas: c.Replicas,
		AllowLoss: c.AllowLoss, Destinations: j.destinations, Warn: j.warn, Now: m.Now,
	})
	if err != nil {
		return nil, err
	}
	j.redis.Store(r)
	j.opened()
	return r, nil
}

func (j *journals) opened() {
	j.log.Info().Str("durability", j.durability()).Msg("journal")
	close(j.reached)
}

func (j *journals) warn(text string) { j.log.Warn().Msg(text) }

// setDestinations tells the journal what is configured, at once or when it is reached. After an error all is as before.
func (j *journals) setDestinations(names []string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.Equal(names, j.destinations) {
		return nil // it was told when it was opened, or later
	}
	if err := j.tell(names); err != nil {
		_ = j.tell(j.destinations) // Redis keeps the list even when it is away, and enters it later
		return err
	}
	j.destinations = names
	return nil
}

func (j *journals) tell(names []string) error {
	if s, err := j.store(); err == nil {
		return s.SetDestinations(names)
	}
	return nil
}

// ready is nil while deliveries are taken.
func (j *journals) ready() error {
	if j.spill != nil {
		return j.spill.Ready()
	}
	s, err := j.store()
	if err != nil {
		return err
	}
	return s.Ready()
}

// durability says in a line what an answer of 200 rests on.
func (j *journals) durability() string {
	line := "not reached yet"
	if j.file.Load() != nil {
		line = "sqlite, every commit synced: an answer of 200 is on this node's disk"
	} else if r := j.redis.Load(); r != nil {
		line = r.Durability()
	}
	if j.spills {
		line += "; events that it does not take go to a file, every commit synced"
	}
	return line
}

// failed tells of a file that can be trusted no more, and without which nothing can be taken.
func (j *journals) failed() <-chan struct{} {
	if j.spill != nil {
		return j.spill.Failed()
	}
	if f := j.file.Load(); f != nil {
		return f.Failed()
	}
	return nil // a Redis that comes back is as good as before
}

// close ends the spill first, which hands on to the other.
func (j *journals) close() error {
	var errs []error
	if j.spill != nil {
		errs = append(errs, j.spill.Close())
	}
	if s, err := j.store(); err == nil {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// share lets this node forward its share of the journal until ctx ends and all of it has been given up.
func (j *journals) share(ctx context.Context, take func(held) (giveUp func())) {
	select {
	case <-j.reached:
	case <-ctx.Done():
		return
	}
	if f := j.file.Load(); f != nil {
		giveUp := take(held{log: f, ledger: f})
		<-ctx.Done()
		giveUp()
		return
	}
	j.redis.Load().Share(ctx, func(s *journal.Shard) func() {
		return take(held{id: s.ID(), log: s, ledger: s, asked: s.Asked})
	})
}

func (j *journals) stats(ctx context.Context) journal.Stats {
	if s, err := j.store(); err == nil {
		return s.Stats(ctx)
	}
	return journal.Stats{}
}
