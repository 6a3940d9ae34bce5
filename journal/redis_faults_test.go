package journal_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
	"github.com/redis/go-redis/v9"
)

// entries counts, by payload, what stands in the logs of a journal with the usual prefix.
func entries(t *testing.T, read func(stream string) ([]redis.XMessage, error), shards int) map[string]int {
	t.Helper()
	found := map[string]int{}
	for s := range shards {
		list, err := read(fmt.Sprintf("hookgate:{%d}:log", s))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if data, ok := e.Values["d"].(string); ok {
				found[data]++
				continue
			}
			off, _ := strconv.Atoi(e.Values["o"].(string))
			length, _ := strconv.Atoi(e.Values["l"].(string))
			found[e.Values["b"].(string)[off:off+length]]++
		}
	}
	return found
}

// sender hands in events without end, each until it is taken, as a provider does.
type sender struct {
	j       *journal.Redis
	stop    chan struct{}
	group   sync.WaitGroup
	taken   atomic.Int64
	refused atomic.Int64

	mu      sync.Mutex
	slowest time.Duration
	doubles []string        // events of which the very first answer was "duplicate"
	asked   map[string]bool // whether it was taken
}

func startSender(t *testing.T, j *journal.Redis, callers int) *sender {
	s := &sender{j: j, stop: make(chan struct{}), asked: map[string]bool{}}
	for c := range callers {
		s.group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-s.stop:
					return
				default:
				}
				s.one(fmt.Sprintf("%d-%d", c, i))
			}
		})
	}
	t.Cleanup(s.end)
	return s
}

func (s *sender) one(id string) {
	for first := true; ; first = false {
		req, events := request(start, part{id: id, data: id})
		events[0].PartitionKey = id
		began := time.Now()
		results, err := s.j.Accept(context.Background(), req, events)
		took := time.Since(began)
		s.mu.Lock()
		s.slowest = max(s.slowest, took)
		s.asked[id] = err == nil
		if err == nil && first && !results[0].New() {
			s.doubles = append(s.doubles, id)
		}
		s.mu.Unlock()
		if err == nil {
			s.taken.Add(1)
			return
		}
		s.refused.Add(1)
		select {
		case <-s.stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *sender) end() {
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	s.group.Wait()
}

// grows waits until n more events have been taken.
func (s *sender) grows(t *testing.T, n int64) {
	t.Helper()
	from := s.taken.Load()
	eventually(t, fmt.Sprintf("%d more events taken", n), func() bool { return s.taken.Load() >= from+n })
}

// unrefused demands that nobody was refused. Where an answer took long that may be the machine's doing.
func (s *sender) unrefused(t *testing.T, long time.Duration) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.refused.Load(); n > 0 && s.slowest < long {
		t.Errorf("%d refusals", n)
	}
}

// check demands every acknowledged event once, and no event twice.
func (s *sender) check(t *testing.T, server *redisServer, shards int) {
	t.Helper()
	s.end()
	c := server.client()
	s.checkIn(t, func(stream string) ([]redis.XMessage, error) {
		return c.XRange(context.Background(), stream, "-", "+").Result()
	}, shards)
}

func (s *sender) checkIn(t *testing.T, read func(stream string) ([]redis.XMessage, error), shards int) {
	t.Helper()
	found := entries(t, read, shards)
	for id, taken := range s.asked {
		if n := found[id]; n > 1 || (taken && n == 0) {
			t.Errorf("%s stands %d times in the log; acknowledged: %t", id, n, taken)
		}
	}
	for _, id := range s.doubles {
		t.Errorf("%s was called a duplicate when it came first", id)
	}
	if s.slowest > 3*time.Second+3*time.Second { // the bound, and as much again for a busy machine
		t.Errorf("an answer took %s", s.slowest)
	}
	t.Logf("%d taken, %d refusals, the slowest answer after %s", s.taken.Load(), s.refused.Load(), s.slowest)
}

// TestR07_RedisKilled kills the server ten times under load, a hundred times in a long run, with every command synced.
func TestR07_RedisKilled(t *testing.T) {
	t.Parallel()
	for run := range 2 {
		t.Run(strconv.Itoa(run), func(t *testing.T) {
			t.Parallel()
			server := startRedis(t)
			j := openRedis(t, server.url(), journal.RedisOptions{Shards: 4, Compact: run == 1})
			s := startSender(t, j, 16)
			for range sized(5, 50) {
				s.grows(t, 100)
				server.kill()
				server.restart()
			}
			s.grows(t, 100)
			s.check(t, server, 4)
		})
	}
}

// TestR08_RedisUnreachable slows the way to the server down, lets it vanish, and cuts its answers.
func TestR08_RedisUnreachable(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*redisProxy){
		"10ms":         func(p *redisProxy) { p.slow(10 * time.Millisecond) },
		"100ms":        func(p *redisProxy) { p.slow(100 * time.Millisecond) },
		"1000ms":       func(p *redisProxy) { p.slow(time.Second) },
		"black hole":   func(p *redisProxy) { p.swallow() },
		"answer cut":   func(p *redisProxy) { p.cut(1) },
		"two in a row": func(p *redisProxy) { p.cut(2) },
		"answers cut":  func(p *redisProxy) { p.cut(20) },
		"closed":       func(p *redisProxy) { p.closeAll() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startRedis(t)
			proxy := newRedisProxy(t, server.addr())
			j := openRedis(t, proxy.url(), journal.RedisOptions{Shards: 4})
			s := startSender(t, j, 16)
			s.grows(t, 50)
			fault(proxy)
			switch name {
			case "1000ms", "black hole", "answers cut":
				eventually(t, "refusals", func() bool { return s.refused.Load() > 20 })
			default:
				s.grows(t, 50)
				s.unrefused(t, 500*time.Millisecond)
			}
			proxy.heal()
			s.grows(t, 50)
			s.check(t, server, 4)
		})
	}
}

// TestRedisOwnToken cuts the answer to a script that has run. The repetition must be told what the first run has done: the
// event is new, and the class of a duplicate is that of its first count.
func TestRedisOwnToken(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	proxy := newRedisProxy(t, server.addr())
	for _, compact := range []bool{false, true} {
		prefix := strconv.FormatBool(compact)
		j := openRedis(t, proxy.url(), journal.RedisOptions{Shards: 1, Prefix: prefix, Compact: compact})
		for i, c := range []struct {
			attempt int
			data    string
			want    hookgate.Result
		}{
			{1, "a", hookgate.Result{Class: hookgate.First, Seq: 1}},
			{2, "a", hookgate.Result{Class: hookgate.Retry, Seq: 1}},
			{1, "b", hookgate.Result{Class: hookgate.Replay, Seq: 1, Conflict: true}},
			{4, "a", hookgate.Result{Class: hookgate.Retry, Seq: 1}},
			{3, "a", hookgate.Result{Class: hookgate.Late, Seq: 1}},
		} {
			proxy.cut(1)
			if got := accept(t, j, start, part{id: "e", attempt: c.attempt, data: c.data})[0]; got != c.want {
				t.Errorf("copy %d: %+v, want %+v", i, got, c.want)
			}
			if keys := server.client().Keys(t.Context(), prefix+":{0}:h:*").Val(); i > 0 && server.do("LLEN", keys[0]).(int64) != int64(i) {
				t.Errorf("copy %d was counted twice", i)
			}
		}
		proxy.cut(3) // the repetitions', too
		req, events := request(start, part{id: "lost"})
		if _, err := j.Accept(t.Context(), req, events); err == nil || hookgate.AsError(err).Code != hookgate.Unavailable {
			t.Errorf("without any answer: %v", err)
		}
		j = openRedis(t, proxy.url(), journal.RedisOptions{Shards: 1, Prefix: prefix, Compact: compact}) // with a breaker that is closed
		if got := accept(t, j, start, part{id: "lost"})[0]; got != (hookgate.Result{Class: hookgate.Replay, Seq: 2}) {
			t.Errorf("what was in although nobody was told: %+v", got)
		}
		if n := server.do("XLEN", prefix+":{0}:log").(int64); n != 2 {
			t.Errorf("%d entries, want 2", n)
		}
	}
}

// TestRedisAppendFirst makes an append fail. What comes after it is not marked, what came before it stands.
func TestRedisAppendFirst(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	for _, compact := range []bool{false, true} {
		for _, broken := range []string{"log", "quarantine"} {
			t.Run(fmt.Sprintf("%s/compact=%t", broken, compact), func(t *testing.T) {
				t.Parallel()
				j := openRedis(t, server.url(), journal.RedisOptions{Shards: 1, Prefix: t.Name(), Compact: compact})
				key := t.Name() + ":{0}:" + broken
				server.do("SET", key, "not a stream")
				parts := []part{{id: "x", quarantine: "bad"}, {id: "a"}}
				if broken == "quarantine" {
					parts[0], parts[1] = parts[1], parts[0]
				}
				req, events := request(start, parts...)
				_, err := j.Accept(t.Context(), req, events)
				if e := hookgate.AsError(err); err == nil || e.Code != hookgate.Unavailable || !strings.Contains(e.Hint, "journal.prefix") {
					t.Fatalf("%v", err)
				}
				server.do("DEL", key)
				got := accept(t, j, start, parts...)
				if got[0].Class != hookgate.Replay || got[1].Class != hookgate.First {
					t.Errorf("%+v, want what was before the fault as known and the other as new", got)
				}
			})
		}
	}
}

// TestR09_RedisCommands gives the server commands under load that a journal must live through.
func TestR09_RedisCommands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		during  func(*redisServer)
		refuses string // what refusals say; nothing may surface where it is empty
	}{
		"SCRIPT FLUSH": {during: func(r *redisServer) {
			for range 20 {
				r.do("SCRIPT", "FLUSH")
			}
		}},
		"READONLY for a moment": {during: func(r *redisServer) {
			r.do("REPLICAOF", "127.0.0.1", "1")
			eventually(r.t, "callers meet it", func() bool { return r.answered("READONLY") > 3 })
			r.do("REPLICAOF", "NO", "ONE")
		}},
		"CLIENT KILL": {during: func(r *redisServer) { r.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") }},
		"maxmemory":   {during: func(r *redisServer) { r.do("CONFIG", "SET", "maxmemory", "1") }, refuses: "maxmemory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startRedis(t)
			j := openRedis(t, server.url(), journal.RedisOptions{Shards: 4})
			s := startSender(t, j, 16)
			s.grows(t, 50)
			c.during(server)
			if c.refuses != "" {
				eventually(t, "refusals", func() bool { return s.refused.Load() > 20 })
				req, events := request(start, part{id: "told"})
				if _, err := j.Accept(t.Context(), req, events); err == nil || !strings.Contains(hookgate.AsError(err).Hint, c.refuses) {
					t.Errorf("%v", err)
				}
				server.do("CONFIG", "SET", "maxmemory", "0")
			}
			s.grows(t, 50)
			if c.refuses == "" {
				s.unrefused(t, 500*time.Millisecond)
			}
			s.check(t, server, 4)
		})
	}
}

// TestR09_RedisReadOnly makes the server a replica for longer than anybody waits. Callers are told so, and after a while at
// once; then it is a master again.
func TestR09_RedisReadOnly(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	j := openRedis(t, server.url(), journal.RedisOptions{Shards: 4})
	s := startSender(t, j, 16)
	s.grows(t, 50)
	server.do("REPLICAOF", "127.0.0.1", "1")
	eventually(t, "refused at once", func() bool {
		req, events := request(start, part{id: "told"})
		_, err := j.Accept(t.Context(), req, events)
		e := hookgate.AsError(err)
		return strings.Contains(e.Detail, "READONLY") && strings.Contains(e.Hint, "is a replica") && e.RetryAfter > 20*time.Second
	})
	server.do("REPLICAOF", "NO", "ONE")
	s.grows(t, 50)
	s.check(t, server, 4)
}

// TestR09_RedisFlushed empties the server. Events that come again are accepted again, and an operator is told.
func TestR09_RedisFlushed(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	var told warnings
	j := openRedis(t, server.url(), journal.RedisOptions{Shards: 1, Warn: told.add})
	for i := range 3 {
		accept(t, j, start, part{id: strconv.Itoa(i)})
	}
	epoch := server.do("GET", "hookgate:{0}:epoch")
	server.do("FLUSHALL")
	if got := accept(t, j, start, part{id: "0"})[0]; got != (hookgate.Result{Class: hookgate.First, Seq: 1}) {
		t.Errorf("%+v", got)
	}
	if told.count("has gone back from 3 to 1") == 0 {
		t.Errorf("told: %q", told.all())
	}
	if epoch == nil || server.do("GET", "hookgate:{0}:epoch") == nil {
		t.Error("the log has no epoch")
	}
}

// TestRedisQueueFull lets the server vanish and more callers come than may wait.
func TestRedisQueueFull(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	proxy := newRedisProxy(t, server.addr())
	j := openRedis(t, proxy.url(), journal.RedisOptions{Shards: 2})
	accept(t, j, start, part{id: "before"})
	proxy.swallow()
	var wg sync.WaitGroup
	var full, away atomic.Int64
	for i := range 4400 {
		wg.Go(func() {
			req, events := request(start, part{id: strconv.Itoa(i)})
			_, err := j.Accept(context.Background(), req, events)
			e := hookgate.AsError(err)
			switch {
			case err == nil || e.Code != hookgate.Unavailable || e.RetryAfter == 0:
				t.Errorf("%+v", err)
			case strings.Contains(e.Detail, "queue is full"):
				full.Add(1)
			case strings.Contains(e.Detail, "does not answer"):
				away.Add(1)
			}
		})
	}
	wg.Wait()
	if full.Load() == 0 && away.Load() == 0 {
		t.Error("nobody was refused at once")
	}
	eventually(t, "refused at once, for half a minute", func() bool { // but for the one each second that tries
		req, events := request(start, part{id: "at once"})
		_, err := j.Accept(t.Context(), req, events)
		after := hookgate.AsError(err).RetryAfter
		return after >= 25*time.Second && after <= 35*time.Second
	})
	proxy.heal()
	eventually(t, "accepting again, although what tries it has calls of several shards", func() bool {
		parts := make([]part, 10)
		for i := range parts {
			parts[i].id = "after" + strconv.Itoa(i)
		}
		req, events := request(start, parts...)
		_, err := j.Accept(t.Context(), req, events)
		return err == nil
	})
}

// TestRedisReplica waits for a replica, and refuses what none has.
func TestRedisReplica(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+server.port)
	eventually(t, "the replica follows", func() bool {
		return strings.Contains(server.info("replication", "slave0:"), "state=online")
	})
	j := openRedis(t, server.url(), journal.RedisOptions{Shards: 1, Replicas: 1})
	if err := j.Ready(); err != nil {
		t.Error(err)
	}
	taken := func(id string) (r hookgate.Result, ok bool) {
		req, events := request(start, part{id: id})
		results, err := j.Accept(t.Context(), req, events)
		if err != nil {
			return r, false
		}
		return results[0], true
	}
	for i := range 5 {
		// A replica that has just begun to follow, and a busy machine, may take longer than an answer waits.
		eventually(t, "an answer", func() bool { _, ok := taken(strconv.Itoa(i)); return ok })
		if n := replica.do("XLEN", "hookgate:{0}:log").(int64); n != int64(i+1) {
			t.Errorf("after %d answers the replica has %d", i+1, n)
		}
	}
	replica.kill()
	eventually(t, "refused without a replica", func() bool {
		req, events := request(start, part{id: "alone"})
		_, err := j.Accept(t.Context(), req, events)
		return err != nil && strings.Contains(err.Error(), "0 of 1 replicas")
	})
	eventually(t, "not ready", func() bool { return j.Ready() != nil })
	replica.restart()
	eventually(t, "the retry is answered", func() bool {
		r, ok := taken("alone")
		return ok && r == (hookgate.Result{Class: hookgate.Replay, Seq: 6})
	})
}
