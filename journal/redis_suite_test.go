package journal_test

import (
	"context"
	"hash/fnv"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// redisStore is a journal of one shard that this process holds, as the suite wants it.
type redisStore struct {
	*journal.Redis
	shard *journal.Shard
	*worker
}

func (s *redisStore) Read(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
	return s.shard.Read(ctx, after, limit)
}

func (s *redisStore) Fetch(ctx context.Context, numbers []int64) ([]hookgate.Entry, error) {
	return s.shard.Fetch(ctx, numbers)
}

func (s *redisStore) Progress(ctx context.Context, destination string) (hookgate.Progress, error) {
	return s.shard.Progress(ctx, destination)
}

func (s *redisStore) Record(ctx context.Context, destination string, step hookgate.Step) error {
	return s.shard.Record(ctx, destination, step)
}

func (s *redisStore) Close() error {
	s.end()
	return s.Redis.Close()
}

// openStore opens a journal of one shard and waits until it is held.
func openStore(t testing.TB, url string, o journal.RedisOptions) *redisStore {
	t.Helper()
	o.Shards = 1
	s := &redisStore{Redis: openRedis(t, url, o)}
	s.shard = s.Shards()[0]
	s.worker = share(t, s.Redis, nil)
	eventually(t, "the shard is held", func() bool { return len(s.holding()) == 1 })
	return s
}

// prefixOf is the journal that belongs to a folder.
func prefixOf(dir string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(dir))
	return strconv.FormatUint(h.Sum64(), 36)
}

func TestRedisConforms(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	for _, compact := range []bool{false, true} {
		t.Run("compact="+strconv.FormatBool(compact), func(t *testing.T) {
			t.Parallel()
			conform(t, func(t *testing.T, dir string, now func() time.Time) store {
				t.Helper()
				return openStore(t, server.url(), journal.RedisOptions{Prefix: prefixOf(dir), Now: now, Compact: compact})
			})
		})
	}
	t.Run("shards=4", func(t *testing.T) {
		t.Parallel()
		conformAnywhere(t, func(t *testing.T, dir string, now func() time.Time) hookgate.Journal {
			t.Helper()
			return openRedis(t, server.url(), journal.RedisOptions{Prefix: prefixOf(dir), Now: now, Shards: 4})
		})
	})
}

// TestRedisClusterConforms is the suite on a server that minds slots and undeclared keys.
func TestRedisClusterConforms(t *testing.T) {
	t.Parallel()
	server := startCluster(t)
	conform(t, func(t *testing.T, dir string, now func() time.Time) store {
		t.Helper()
		return openStore(t, server.clusterURL(), journal.RedisOptions{Prefix: prefixOf(dir), Now: now})
	})
}

// worker is a run of Share.
type worker struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	held   map[int]bool
	starts int
}

// share has r work on its shards until end; begin, if any, is what is done with each of them.
func share(t testing.TB, r *journal.Redis, begin func(*journal.Shard) func()) *worker {
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{cancel: cancel, done: make(chan struct{}), held: map[int]bool{}}
	go func() {
		defer close(w.done)
		r.Share(ctx, func(s *journal.Shard) func() {
			w.mu.Lock()
			w.held[s.ID()] = true
			w.starts++
			w.mu.Unlock()
			stop := func() {}
			if begin != nil {
				stop = begin(s)
			}
			return func() {
				stop()
				w.mu.Lock()
				delete(w.held, s.ID())
				w.mu.Unlock()
			}
		})
	}()
	t.Cleanup(w.end)
	return w
}

func (w *worker) end() {
	w.cancel()
	<-w.done
}

func (w *worker) holding() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []int
	for id := range w.held {
		ids = append(ids, id)
	}
	return ids
}

func (w *worker) started() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.starts
}
