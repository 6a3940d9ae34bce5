package journal_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// TestR17_RedisBatch spreads the parts of a request over the shards of a Cluster's node, which refuses a script with keys of
// two slots. Known, repeated and unreadable parts have their own results.
func TestR17_RedisBatch(t *testing.T) {
	t.Parallel()
	server := startCluster(t)
	for _, compact := range []bool{false, true} {
		t.Run(fmt.Sprintf("compact=%t", compact), func(t *testing.T) {
			t.Parallel()
			j := openRedis(t, server.clusterURL(), journal.RedisOptions{Shards: 3, Prefix: t.Name(), Compact: compact})
			known := accept(t, j, start, part{id: "known", data: "k"})[0]
			parts := []part{{id: "known", data: "k"}, {id: "bad", data: "<", quarantine: "not JSON"}, {id: "known", data: "other"}}
			for i := range 1200 { // more than one script a shard
				parts = append(parts, part{id: strconv.Itoa(i), data: "body"})
			}
			parts = append(parts, part{id: "7", data: "body"})
			check := func(got []hookgate.Result, class hookgate.Class) {
				t.Helper()
				if want := (hookgate.Result{Class: hookgate.Replay, Seq: known.Seq}); got[0] != want {
					t.Errorf("a known part: %+v, want %+v", got[0], want)
				}
				if got[1].Class != class || got[1].Seq != 0 {
					t.Errorf("an unreadable part: %+v", got[1])
				}
				if want := (hookgate.Result{Class: hookgate.Replay, Seq: known.Seq, Conflict: true}); got[2] != want {
					t.Errorf("other content: %+v, want %+v", got[2], want)
				}
				places := map[int64]bool{}
				for i, r := range got[3:1203] {
					if r.Class != class || r.Seq == 0 || places[r.Seq] {
						t.Fatalf("part %d: %+v", i, r)
					}
					places[r.Seq] = true
				}
				if last := got[1203]; last.Class != hookgate.Replay || last.Seq != got[10].Seq {
					t.Errorf("a part twice in one request: %+v and %+v", got[10], last)
				}
			}
			first := accept(t, j, start, parts...)
			check(first, hookgate.First)
			again := accept(t, j, start, parts...)
			check(again, hookgate.Replay)
			for i := range first {
				if first[i].Seq != again[i].Seq {
					t.Errorf("part %d stands at %d and then at %d", i, first[i].Seq, again[i].Seq)
				}
			}
			// The request stands once: that of the repetition, which nothing refers to, goes with the next call.
			accept(t, j, start, part{id: "known"})
			c := server.client()
			eventually(t, "one raw request", func() bool {
				for i := range 3 { // a worker deletes when it sends the next time
					accept(t, j, start, part{id: "wake" + strconv.Itoa(i)})
				}
				keys, err := c.Keys(t.Context(), "*"+t.Name()+":*:raw:*").Result()
				return err == nil && len(keys) == 1
			})
		})
	}
}

// TestR17_RedisShortPipelines: a large request is sent in several pipelines, so that none comes near the time that a server
// has for one. In one it could never get in where Redis is slow, and would close the gate for everybody.
func TestR17_RedisShortPipelines(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	j := openRedis(t, server.url(), journal.RedisOptions{Shards: 4, Prefix: t.Name()})
	var parts []part
	for i := range 10_000 {
		parts = append(parts, part{id: strconv.Itoa(i), data: "body"})
	}
	executed := func() (n int) {
		stats := server.client().Info(t.Context(), "commandstats").Val()
		if _, rest, ok := strings.Cut(stats, "cmdstat_exec:calls="); ok {
			_, _ = fmt.Sscanf(rest, "%d", &n)
		}
		return n
	}
	before := executed()
	for i, r := range accept(t, j, start, parts...) {
		if r.Class != hookgate.First {
			t.Fatalf("part %d: %+v", i, r)
		}
	}
	if n := executed() - before; n < 7 { // a pipeline may hold one script more than a thousand events
		t.Errorf("10,000 events went in %d pipelines", n)
	}
}

// TestRedisSweep fills a bucket, lets the windows end and demands that what has ended goes when the bucket is touched.
func TestRedisSweep(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	j := openRedis(t, server.url(), journal.RedisOptions{Shards: 1, Compact: true})
	put := func(at time.Time, n int, windows ...time.Duration) {
		t.Helper()
		req, events := request(at, part{})
		for _, window := range windows {
			events[0].Window = window
		}
		events[0].ID = fmt.Sprintf("0000%028x", n) // all in one bucket
		if _, err := j.Accept(t.Context(), req, events); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 { return server.do("HLEN", "hookgate:{0}:b:0000").(int64) - 1 } // one field tells when to sweep
	for i := range 600 {
		put(start.Add(time.Duration(i)*time.Second), i)
	}
	if n := size(); n != 600 {
		t.Fatalf("%d markers, want 600", n)
	}
	put(start.Add(80*time.Minute), 1000) // the first 600 of their hours have ended, and most also their ten minutes of grace
	if n := size(); n != 1 {
		t.Errorf("%d markers are left, want 1", n)
	}
	ends := func(least, most time.Duration) {
		t.Helper()
		if ttl := time.Duration(server.do("PTTL", "hookgate:{0}:b:0000").(int64)) * time.Millisecond; ttl < least || ttl > most {
			t.Errorf("the bucket ends in %s, want %s to %s", ttl, least, most)
		}
	}
	ends(time.Hour, 2*time.Hour)
	for i, window := range []time.Duration{5 * time.Hour, time.Minute} {
		put(start.Add(80*time.Minute), 2000+i, window)
		ends(5*time.Hour, 6*time.Hour)
	}
}

// TestR16_RedisDuplicateStorm has four nodes take the same events at the same time: each is new once.
func TestR16_RedisDuplicateStorm(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	const ids, copies, nodes = 50, 40, 4
	var news [ids]atomic.Int32
	var wg sync.WaitGroup
	for range nodes {
		j := openRedis(t, server.url(), journal.RedisOptions{Shards: 4})
		for c := range copies / nodes {
			wg.Go(func() {
				for k := range ids {
					i := (k + c*7) % ids
					req, events := request(start, part{id: strconv.Itoa(i), attempt: 1 + c%4})
					results, err := j.Accept(context.Background(), req, events)
					if err != nil {
						t.Error(err)
						return
					}
					if results[0].New() {
						news[i].Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	for i := range ids {
		if n := news[i].Load(); n != 1 {
			t.Errorf("event %d was new %d times", i, n)
		}
	}
}

const endOfMonitor = "monitor-ends-here-5b1e"

// TestRedisDeclaresKeys listens to what scripts do and demands that they touch no key but those that the call has declared:
// an undeclared one passes on a single server and fails in a Cluster alone.
func TestRedisDeclaresKeys(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	conn, err := net.Dial("tcp", server.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil || !lines.Scan() {
		t.Fatal(err)
	}
	for _, compact := range []bool{false, true} {
		prefix := "p" + strconv.FormatBool(compact)
		j := openRedis(t, server.url(), journal.RedisOptions{Shards: 2, Prefix: prefix, Compact: compact, Retention: time.Hour})
		for range 2 {
			accept(t, j, start, part{id: "a"}, part{id: "b"}, part{id: "c"}, part{id: "x", quarantine: "bad"})
			accept(t, j, start, part{id: "a", attempt: 2})
			accept(t, j, start.Add(2*time.Hour), part{id: "a"})
		}
	}
	server.do("ECHO", endOfMonitor)
	declared := map[string]bool{}
	scripts, inner, last := 0, 0, ""
	for lines.Scan() && !strings.Contains(lines.Text(), endOfMonitor) {
		_, rest, _ := strings.Cut(lines.Text(), "] ")
		words := strings.Split(strings.Trim(rest, `"`), `" "`)
		switch {
		case strings.HasPrefix(strings.ToUpper(words[0]), "EVAL"):
			n, err := strconv.Atoi(words[2])
			if err != nil {
				t.Fatal(err)
			}
			clear(declared)
			last = strings.Join(words[2:], " ")
			for _, key := range words[3 : 3+n] {
				declared[key] = true
			}
			scripts++
		case strings.Contains(lines.Text(), " lua] "):
			inner++
			if len(words) > 1 && !declared[words[1]] {
				t.Errorf("%s uses %s, which is not declared by %.300s", words[0], words[1], last)
			}
		}
	}
	if scripts < 10 || inner < 30 {
		t.Errorf("%d scripts with %d commands were seen, too few", scripts, inner)
	}
}

// TestRedisEveryPathWrites looks at the server's own count of changes: WAIT and WAITAOF cover what a connection has written.
func TestRedisEveryPathWrites(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	proxy := newRedisProxy(t, server.addr())
	for _, compact := range []bool{false, true} {
		j := openRedis(t, proxy.url(), journal.RedisOptions{Shards: 1, Prefix: strconv.FormatBool(compact), Compact: compact})
		changes := func(attempt int, id, quarantine string) int {
			t.Helper()
			count := func() int { return server.count("persistence", "rdb_changes_since_last_save:") }
			before := count()
			accept(t, j, start, part{id: id, attempt: attempt, quarantine: quarantine})
			return count() - before
		}
		once := changes(1, "a", "")
		for _, id := range []string{"a1", "a2", "a3"} { // the first one begins the log
			once = min(once, changes(1, id, ""))
		}
		for i, attempt := range []int{1, 2, 1} {
			if n := changes(attempt, "a", ""); n == 0 {
				t.Errorf("compact=%t: duplicate %d writes nothing", compact, i)
			}
		}
		for range 70 { // beyond the history's end
			changes(1, "a", "")
		}
		if n := changes(1, "a", ""); n == 0 {
			t.Errorf("compact=%t: a duplicate that is only counted writes nothing", compact)
		}
		if n := changes(1, "q", "bad"); n == 0 {
			t.Errorf("compact=%t: a quarantined part writes nothing", compact)
		}
		proxy.cut(1)
		if n := changes(1, "b", ""); n <= once {
			t.Errorf("compact=%t: %d changes with the repetition, %d without", compact, n, once)
		}
		proxy.cut(1)
		if n := changes(2, "b", ""); n < 3 { // marker and history, and then the marker again
			t.Errorf("compact=%t: the repetition of a duplicate writes nothing", compact)
		}
	}
}

// TestRedisKeysEnd looks at what is kept beside the log: how much, and until when.
func TestRedisKeysEnd(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	c := server.client()
	for _, compact := range []bool{false, true} {
		t.Run(fmt.Sprintf("compact=%t", compact), func(t *testing.T) {
			t.Parallel()
			j := openRedis(t, server.url(), journal.RedisOptions{Shards: 1, Prefix: t.Name(), Compact: compact, Retention: 5 * time.Hour})
			key := func(pattern string) string {
				t.Helper()
				keys, err := c.Keys(t.Context(), t.Name()+":{0}:"+pattern).Result()
				if err != nil || len(keys) != 1 {
					t.Fatalf("%s: %q, %v", pattern, keys, err)
				}
				return keys[0]
			}
			ends := func(pattern string, least, most time.Duration) {
				t.Helper()
				if ttl := c.PTTL(t.Context(), key(pattern)).Val(); ttl <= least || ttl > most {
					t.Errorf("%s ends in %s, want %s to %s", pattern, ttl, least, most)
				}
			}
			marker := "[mb]:*"
			take := func(at time.Time, window time.Duration) hookgate.Result {
				t.Helper()
				req, events := request(at, part{id: "e"})
				events[0].Window = window
				results, err := j.Accept(t.Context(), req, events)
				if err != nil {
					t.Fatal(err)
				}
				return results[0]
			}
			take(start, 2*time.Hour)
			ends(marker, 2*time.Hour, 2*time.Hour+11*time.Minute)
			for range 70 {
				take(start.Add(time.Hour), 2*time.Hour)
			}
			ends(marker, 2*time.Hour, 2*time.Hour+11*time.Minute)
			ends("h:*", time.Hour, time.Hour+11*time.Minute)
			if n := c.LLen(t.Context(), key("h:*")).Val(); n != 63 {
				t.Errorf("%d copies are kept beside the first, want 63", n)
			}
			c.XTrimMaxLen(t.Context(), t.Name()+":{0}:log", 0)
			if r := take(start, 2*time.Hour); r != (hookgate.Result{Class: hookgate.Replay}) {
				t.Errorf("when retention has taken the event: %+v", r)
			}
			if r := take(start.Add(2*time.Hour), time.Hour); r != (hookgate.Result{Class: hookgate.First, Seq: 2}) {
				t.Errorf("after the window: %+v", r)
			}
			if keys := c.Keys(t.Context(), t.Name()+":{0}:h:*").Val(); len(keys) > 0 {
				t.Error("copies of the window before are still there")
			}
			if compact { // of what is in a bucket the last to end counts
				ends(marker, 2*time.Hour, 2*time.Hour+11*time.Minute)
			} else {
				ends(marker, time.Hour, time.Hour+11*time.Minute)
			}
			accept(t, j, start, part{id: "several"}, part{id: "parts"})
			ends("raw:*", 4*time.Hour, 5*time.Hour)
			accept(t, j, start, part{id: "several"}, part{id: "parts"})
			key("raw:*") // still one
		})
	}
}

// TestRedisOrder hands in events of one key one after the other, among many others.
func TestRedisOrder(t *testing.T) {
	t.Parallel()
	j := openRedis(t, startRedis(t).url(), journal.RedisOptions{Shards: 4})
	var wg sync.WaitGroup
	for c := range 20 {
		wg.Go(func() {
			var places []int64
			for i := range 20 {
				req, events := request(start, part{id: fmt.Sprintf("%d-%d", c, i)})
				events[0].PartitionKey = strconv.Itoa(c)
				results, err := j.Accept(context.Background(), req, events)
				if err != nil {
					t.Error(err)
					return
				}
				places = append(places, results[0].Seq)
			}
			if !slices.IsSorted(places) {
				t.Errorf("key %d stands at %v", c, places)
			}
		})
	}
	wg.Wait()
}

// BenchmarkRedisAccept has 256 callers hand in events of 900 bytes, on a server that syncs as the name says.
func BenchmarkRedisAccept(b *testing.B) {
	for _, fsync := range []string{"always", "everysec"} {
		for _, compact := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/compact=%t", fsync, compact), func(b *testing.B) { benchmarkRedis(b, 0, fsync, compact) })
		}
		b.Run(fsync+"/duplicates", func(b *testing.B) { benchmarkRedis(b, 100, fsync, false) })
	}
}

func benchmarkRedis(b *testing.B, distinct int64, fsync string, compact bool) {
	server := startRedis(b, "--appendfsync", fsync)
	j := openRedis(b, server.url(), journal.RedisOptions{Compact: compact})
	var n atomic.Int64
	src := &hookgate.Source{Name: "care", Provider: "sprinklr", Window: time.Hour}
	pad := strings.Repeat("x", 830)
	b.SetParallelism(128)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if distinct > 0 {
				i %= distinct
			}
			req, events := delivery(src, i, pad)
			events[0].PartitionKey = strconv.FormatInt(i, 10)
			if _, err := j.Accept(context.Background(), req, events); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-us/event")
}

// BenchmarkRedisMarkers measures what a remembered event takes of Redis' memory. The figures of the documentation are those
// of a million: -benchtime 1000000x.
func BenchmarkRedisMarkers(b *testing.B) {
	for _, shards := range []int{16, 1} {
		for _, compact := range []bool{false, true} {
			b.Run(fmt.Sprintf("shards=%d/compact=%t", shards, compact), func(b *testing.B) {
				server := startRedis(b, "--appendonly", "no")
				j := openRedis(b, server.url(), journal.RedisOptions{Shards: shards, Compact: compact, AllowLoss: true})
				before := server.used()
				for left := b.N; left > 0; left -= 1000 {
					parts := make([]part, min(left, 1000))
					for i := range parts {
						parts[i].id = strconv.FormatUint(rand.Uint64(), 36)
					}
					req, events := request(time.Now(), parts...)
					if _, err := j.Accept(b.Context(), req, events); err != nil {
						b.Fatal(err)
					}
				}
				for s := range shards { // only the markers stay
					server.do("XTRIM", fmt.Sprintf("hookgate:{%d}:log", s), "MAXLEN", 0)
				}
				server.do("EVAL", `for _, k in ipairs(redis.call('KEYS', '*:raw:*')) do redis.call('DEL', k) end return 1`, 0)
				b.ReportMetric(float64(server.used()-before)/float64(b.N), "bytes/marker")
			})
		}
	}
}
