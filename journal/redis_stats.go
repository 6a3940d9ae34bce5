package journal

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
)

// statsFor is how long a look at Redis serves: metrics, pages and commands may ask at any rate.
const statsFor = time.Second

// redisStats is the last look.
type redisStats struct {
	mu   sync.Mutex
	at   time.Time
	seen Stats
}

// Stats looks into Redis at most once a second; where that fails the last look stands. What is counted is this node's,
// since its start. Last is how many events all shards have taken, and Oldest the place of the oldest that is kept.
func (r *Redis) Stats(ctx context.Context) Stats {
	r.stats.mu.Lock()
	if time.Since(r.stats.at) >= statsFor {
		r.stats.at = time.Now()
		if seen, err := r.look(ctx); err == nil {
			r.stats.seen = seen
		}
	}
	s := r.stats.seen
	r.stats.mu.Unlock()
	c := &r.intake.counters
	s.Queue, s.Overflowed, s.Conflicts, s.Quarantined, s.Missing =
		int(r.intake.queued.Load()), c.overflowed.Load(), c.conflicts.Load(), c.quarantined.Load(), c.missing.Load()
	s.Classes = map[hookgate.Class]int64{}
	for k, class := range hookgate.Classes() {
		s.Classes[class] = c.classes[k].Load()
	}
	destinations := map[string]DestinationStats{} // the caller's own
	for name, d := range s.Destinations {
		destinations[name] = d
	}
	s.Destinations = destinations
	return s
}

// shardLook is what is read of a shard.
type shardLook struct {
	info    *redis.XInfoStreamCmd
	cursors *redis.MapStringStringCmd
	last    int64
	parked  map[string]*redis.IntCmd
	dead    map[string]*redis.IntCmd
}

// look reads all shards in two conversations: first what there is, then how much waits for each destination.
func (r *Redis) look(ctx context.Context) (Stats, error) {
	stats := Stats{Destinations: map[string]DestinationStats{}}
	looks := make([]shardLook, len(r.shards))
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, s := range r.shards {
			looks[i].info = p.XInfoStream(ctx, s.key("log"))
			looks[i].cursors = p.HGetAll(ctx, s.key("cursors"))
		}
		return nil
	})
	if err != nil && !onlyMissing(looks) {
		return stats, err
	}
	_, err = r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, s := range r.shards {
			l := &looks[i]
			l.parked, l.dead = map[string]*redis.IntCmd{}, map[string]*redis.IntCmd{}
			for name := range l.cursors.Val() {
				l.parked[name] = p.ZCard(ctx, s.key("parked:"+name))
				l.dead[name] = p.ZCard(ctx, s.key("dead:"+name))
			}
		}
		return nil
	})
	if err != nil {
		return stats, err
	}
	for i, s := range r.shards {
		if err := stats.add(s, &looks[i]); err != nil {
			return stats, err
		}
	}
	return stats, nil
}

// onlyMissing tells that nothing failed but looks at streams that are not there yet.
func onlyMissing(looks []shardLook) bool {
	return !slices.ContainsFunc(looks, func(l shardLook) bool {
		return l.cursors.Err() != nil || (l.info.Err() != nil && l.info.Err().Error() != "ERR no such key")
	})
}

func (stats *Stats) add(s *Shard, l *shardLook) error {
	if info := l.info.Val(); l.info.Err() == nil {
		last, err := entryNumber(info.LastGeneratedID)
		if err != nil {
			return err
		}
		l.last = last
		if first := info.FirstEntry; first.ID != "" {
			n, err := entryNumber(first.ID)
			if err != nil {
				return err
			}
			received, err := fields(first.Values).number("r")
			if err != nil {
				return err
			}
			if at := fromMilli(received); stats.Oldest == 0 || at.Before(stats.OldestTime) {
				stats.Oldest, stats.OldestTime = s.Number(n), at
			}
		}
	}
	stats.Last += l.last
	for name, cursor := range l.cursors.Val() {
		at, err := entryNumber("0-" + cursor)
		if err != nil {
			return err
		}
		d := stats.Destinations[name]
		d.Backlog += max(l.last-at, 0) + l.parked[name].Val()
		d.Parked += l.parked[name].Val()
		d.DeadLetters += l.dead[name].Val()
		stats.Destinations[name] = d
	}
	return nil
}
