package journal

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"
)

// The pace of cleaning up, so that an answer waits for well under a millisecond of it.
const (
	retainEvery  = 2 * time.Second
	sweepEntries = 128
	sweepSteps   = 1000           // in one go through a shard
	pressedFrom  = 70             // percent of the server's memory
	forgetAfter  = 24 * time.Hour // a destination that no node has named for so long holds nothing back
)

//go:embed sweep.lua
var sweepLua string

var sweepScript = redis.NewScript(sweepLua)

// sweepState is how far the walks through the streams of a shard have come. What was spared is looked at again when a
// pause is over. Only the retention's goroutine uses it.
type sweepState struct{ log, quarantine walk }

type walk struct {
	from  int64
	again time.Time
}

// startRetention cleans up the shards that this node holds, every few seconds, until the journal closes.
func (r *Redis) startRetention() {
	ctx, cancel := context.WithCancel(context.Background())
	r.ended.Go(func() {
		<-r.stop
		cancel()
	})
	r.ended.Go(func() {
		for rest(ctx, retainEvery) {
			r.retain(ctx)
		}
	})
}

// retain first names this node's destinations again, by which it also notices when somebody has emptied the journal.
func (r *Redis) retain(ctx context.Context) {
	if r.enter(ctx, r.shards, r.destinations.names()) != nil {
		return // what is not known must not be deleted; it is tried again
	}
	for _, s := range r.shards {
		if _, err := s.held(); err != nil {
			continue
		}
		if s.walk(ctx, "log", &s.sweep.log) != nil || s.walk(ctx, "quarantine", &s.sweep.quarantine) != nil {
			return
		}
	}
}

// walk takes what may go of a stream, some entries at a time.
func (s *Shard) walk(ctx context.Context, stream string, w *walk) error {
	if now := time.Now(); now.After(w.again) {
		w.from, w.again = 0, now.Add(passPause)
	}
	keys, args := []string{s.key(stream)}, make([]any, 5)
	percent := 0
	if stream == "log" {
		percent = pressedFrom
		names, err := s.r.client.HKeys(ctx, s.key("cursors")).Result()
		if err != nil {
			return err
		}
		keys = append(keys, s.key("cursors"), s.key("seen"))
		for _, name := range names {
			keys = append(keys, s.key("parked:"+name), s.key("dead:"+name), s.key("asked:"+name))
			args = append(args, name)
		}
	}
	for range sweepSteps {
		args[0], args[1], args[2], args[3], args[4] = w.from, s.size.count(sweepEntries), s.r.agedBefore(), percent, forgetAfter.Milliseconds()
		answer, err := sweepScript.Run(ctx, s.r.client, keys, args...).Int64Slice()
		if err != nil || len(answer) != 3 || answer[0] < 0 {
			return err
		}
		w.from = answer[1]
		if answer[2] == 0 || !rest(ctx, sweepPause) {
			return nil
		}
	}
	return nil
}

// agedBefore is the time of receipt, in Unix ms, before which an entry is past its retention; 0 when it is kept for ever.
func (r *Redis) agedBefore() int64 {
	if r.o.Retention <= 0 {
		return 0
	}
	return r.o.Now().Add(-r.o.Retention).UnixMilli()
}
