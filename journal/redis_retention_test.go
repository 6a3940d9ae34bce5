package journal_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// retained is a journal of two shards, of which the first is looked at. The quarantine of the second shows when both have
// been cleaned.
type retained struct {
	*journal.Redis
	server *redisServer
	prefix string
	shard  *journal.Shard
}

func openRetained(t *testing.T, server *redisServer, o journal.RedisOptions) *retained {
	t.Helper()
	o.Shards = 2
	r := &retained{server: server, prefix: o.Prefix, Redis: openRedis(t, server.url(), o)}
	r.shard = r.Shards()[0]
	return r
}

// add writes entries received at a time.
func (r *retained) add(stream string, at time.Time, n int) {
	_, events := request(at, part{id: "e"})
	for range n {
		r.server.do("XADD", stream, "0-*", "r", at.UnixMilli(), "h", string(events[0].AppendStored(nil, false)), "d", "data", "q", "h", "b", "")
	}
}

func (r *retained) key(shard int, name string) string {
	return fmt.Sprintf("%s:{%d}:%s", r.prefix, shard, name)
}

func (r *retained) record(t *testing.T, destination string, step hookgate.Step) {
	t.Helper()
	if err := r.shard.Record(t.Context(), destination, step); err != nil {
		t.Error(err)
	}
}

// left lists what shard 0 still has.
func (r *retained) left(t *testing.T) []int64 {
	t.Helper()
	var list []int64
	for last := int64(0); ; last = list[len(list)-1] {
		entries, err := r.shard.Scan(t.Context(), last, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			return list
		}
		list = append(list, places(entries)...)
	}
}

// cleaned waits until all shards have been looked at from the first to the last.
func cleaned(t *testing.T, journals ...*retained) {
	t.Helper()
	for range 2 { // the first time may come into the middle of a walk
		for _, r := range journals {
			r.add(r.key(1, "quarantine"), time.UnixMilli(1), 1)
		}
		for _, r := range journals {
			eventually(t, "the shards are cleaned", func() bool {
				list, err := r.Quarantine(t.Context(), 0, 1)
				return err == nil && len(list) == 0
			})
		}
	}
}

func TestRedisRetention(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "no")
	all := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	cases := []struct {
		name    string
		age     time.Duration // an hour's retention
		prepare func(t *testing.T, r *retained)
		want    []int64
		dead    int
	}{
		{"young", 59 * time.Minute, func(t *testing.T, r *retained) { r.record(t, "d", hookgate.Step{Cursor: 10}) }, all, 0},
		{"delivered", 2 * time.Hour, func(t *testing.T, r *retained) { r.record(t, "d", hookgate.Step{Cursor: 10}) }, nil, 0},
		{"not delivered", 2 * time.Hour, func(t *testing.T, r *retained) { r.record(t, "d", hookgate.Step{Cursor: 4}) }, all[4:], 0},
		{"never delivered", 2 * time.Hour, func(t *testing.T, r *retained) {}, all, 0},
		{"younger behind", 2 * time.Hour, func(t *testing.T, r *retained) {
			r.add(r.key(0, "log"), start.Add(2*time.Hour), 1)
			r.add(r.key(0, "log"), start, 1) // a node whose clock is behind: it goes with those before it, later
			r.record(t, "d", hookgate.Step{Cursor: 12})
		}, []int64{11, 12}, 0},
		{"another node's destination", 2 * time.Hour, func(t *testing.T, r *retained) {
			r.record(t, "d", hookgate.Step{Cursor: 10})
			r.record(t, "e", hookgate.Step{Cursor: 7})
		}, all[7:], 0},
		{"a destination that nobody has had for a day", 2 * time.Hour, func(t *testing.T, r *retained) {
			r.record(t, "d", hookgate.Step{Cursor: 10})
			r.record(t, "gone", hookgate.Step{Cursor: 2, Park: []hookgate.Parked{{Seq: 1}, {Seq: 2, Dead: true}}})
			r.server.do("HSET", r.key(0, "seen"), "gone", time.Now().Add(-24*time.Hour-time.Minute).UnixMilli())
		}, nil, 0},
		{"a destination that somebody had half a day ago", 2 * time.Hour, func(t *testing.T, r *retained) {
			r.record(t, "d", hookgate.Step{Cursor: 10})
			r.record(t, "gone", hookgate.Step{Cursor: 2})
			r.server.do("HSET", r.key(0, "seen"), "gone", time.Now().Add(-12*time.Hour).UnixMilli())
		}, all[2:], 0},
		{"parked", 2 * time.Hour, func(t *testing.T, r *retained) {
			r.record(t, "d", hookgate.Step{Cursor: 10, Park: []hookgate.Parked{{Seq: 1}, {Seq: 5, Dead: true}, {Seq: 6}}})
		}, []int64{1, 6}, 0},
		{"asked", 2 * time.Hour, func(t *testing.T, r *retained) {
			r.record(t, "d", hookgate.Step{Cursor: 10})
			if err := r.shard.Ask(t.Context(), "d", []hookgate.Parked{{Seq: 4}}); err != nil {
				t.Error(err)
			}
		}, []int64{4}, 0},
		{"dead letters", 2 * time.Hour, func(t *testing.T, r *retained) {
			r.record(t, "d", hookgate.Step{Cursor: 8, Park: []hookgate.Parked{{Seq: 3, Dead: true}, {Seq: 8, Dead: true}, {Seq: 9, Dead: true}}})
		}, []int64{9, 10}, 1},
		{"dead for one, waiting for another", 2 * time.Hour, func(t *testing.T, r *retained) {
			r.record(t, "d", hookgate.Step{Cursor: 10, Park: []hookgate.Parked{{Seq: 3, Dead: true}}})
			r.record(t, "e", hookgate.Step{Cursor: 10, Park: []hookgate.Parked{{Seq: 3}}})
		}, []int64{3}, 1},
	}
	// All of them at the same time: each waits for seconds.
	journals := make([]*retained, len(cases))
	var prepared sync.WaitGroup
	for i, c := range cases {
		clock := newTimepiece()
		r := openRetained(t, server, journal.RedisOptions{Prefix: fmt.Sprint(i), Now: clock.Now, Retention: time.Hour, Destinations: []string{"d"}})
		journals[i] = r
		if strings.Contains(c.name, "another") {
			openRedis(t, server.url(), journal.RedisOptions{Prefix: r.prefix, Shards: 2, Now: clock.Now, Destinations: []string{"e"}})
		}
		if _, err := r.shard.Progress(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
		r.server.do("HSET", r.key(0, "seen"), "gone", 1)
		if err := r.SetDestinations([]string{"d"}); err != nil { // no longer this node's
			t.Fatal(err)
		}
		r.add(r.key(0, "log"), start, 10)
		var once sync.Once
		prepared.Add(1)
		share(t, r.Redis, func(s *journal.Shard) func() {
			if s.ID() == 0 {
				once.Do(func() {
					c.prepare(t, r)
					clock.advance(c.age)
					prepared.Done()
				})
			}
			return func() {}
		})
	}
	prepared.Wait()
	cleaned(t, journals...)
	for i, c := range cases {
		r := journals[i]
		t.Run(c.name, func(t *testing.T) {
			if got := r.left(t); !slices.Equal(got, c.want) {
				t.Errorf("left %v, want %v", got, c.want)
			}
			if list, err := r.DeadLetters(t.Context(), "d", 0, 100); err != nil || len(list) != c.dead {
				t.Errorf("dead letters %+v, %v", list, err)
			}
		})
	}
}

// TestRedisRetentionOfMany cleans more than one step's worth, spares what waits in the middle, and takes that once it is
// delivered. Numbers are never used again.
func TestRedisRetentionOfMany(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "no")
	clock := newTimepiece()
	o := journal.RedisOptions{Now: clock.Now, Retention: time.Hour, Destinations: []string{"d"}, Prefix: "p"}
	j := openStore(t, server.url(), o)
	for i := range 300 {
		accept(t, j, start, part{id: fmt.Sprint("a", i), data: "x"}, part{id: fmt.Sprint("b", i), data: "y"}, part{id: fmt.Sprint("q", i), quarantine: "?"})
	}
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: 590, Park: []hookgate.Parked{{Seq: 100}, {Seq: 300}}}); err != nil {
		t.Fatal(err)
	}
	clock.advance(2 * time.Hour)
	left := func(want ...int64) func() bool {
		return func() bool {
			entries, err := j.shard.Scan(t.Context(), 0, 1000)
			return err == nil && slices.Equal(places(entries), want)
		}
	}
	eventually(t, "the delivered ones are gone", left(100, 300, 591, 592, 593, 594, 595, 596, 597, 598, 599, 600))
	eventually(t, "the quarantine is empty", func() bool {
		list, err := j.Quarantine(t.Context(), 0, 10)
		return err == nil && len(list) == 0
	})
	if entries, err := j.Fetch(t.Context(), []int64{100, 300}); err != nil || len(entries) != 2 {
		t.Errorf("%d, %v", len(entries), err)
	}
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: 600, Done: []int64{100, 300}}); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	j = openStore(t, server.url(), o) // a new walk begins
	eventually(t, "all is gone", left())
	if r := accept(t, j, clock.Now(), part{id: "next"})[0]; r.Seq != 601 {
		t.Errorf("the sequence went back to %d", r.Seq)
	}
	if r := accept(t, j, start, part{id: "a0"})[0]; r.Class != hookgate.Replay || r.Seq != 0 {
		t.Errorf("a copy of what is gone: %+v", r)
	}
}

// TestRedisRetentionUnderPressure: when memory runs short delivered events go before their time, and nothing else does.
func TestRedisRetentionUnderPressure(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "no")
	o := journal.RedisOptions{Now: clock, Destinations: []string{"d"}, Prefix: "p"} // kept for ever
	j := openStore(t, server.url(), o)
	for i := range 400 {
		accept(t, j, start, part{id: strconv.Itoa(i), data: strings.Repeat("x", 10_000)})
	}
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: 390, Park: []hookgate.Parked{{Seq: 2}, {Seq: 7, Dead: true}}}); err != nil {
		t.Fatal(err)
	}
	aged := openRetained(t, server, journal.RedisOptions{Prefix: "aged", Now: clock, Retention: time.Hour}) // another journal on the server
	share(t, aged.Redis, nil)
	cleaned(t, aged)
	if entries, err := j.Fetch(t.Context(), []int64{1, 390}); err != nil || len(entries) != 2 {
		t.Fatalf("gone without need: %d, %v", len(entries), err)
	}
	used := server.used()
	server.do("CONFIG", "SET", "maxmemory", used*5/4)
	there := func(n int64) bool {
		entries, err := j.shard.Scan(t.Context(), n-1, 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries) == 1 && entries[0].Seq == n
	}
	eventually(t, "the oldest is gone", func() bool { return !there(1) })
	server.do("CONFIG", "SET", "maxmemory", used/2) // now all that may go must
	eventually(t, "all that is delivered is gone", func() bool { return !there(390) })
	for _, n := range []int64{2, 7, 391, 400} { // one waits, a dead letter stays for its time, two are not delivered
		if !there(n) {
			t.Errorf("%d is gone", n)
		}
	}
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: 400, Done: []int64{2}}); err != nil {
		t.Errorf("a record that makes room: %v", err)
	}
}

// TestRedisRetentionOfStrangers: who asks how far a destination is does not make it one of this node's, for which events
// would be kept as long as the node runs.
func TestRedisRetentionOfStrangers(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "no")
	clock := newTimepiece()
	j := openStore(t, server.url(), journal.RedisOptions{Now: clock.Now, Retention: time.Hour, Destinations: []string{"d"}, Prefix: "p"})
	if _, err := j.Progress(t.Context(), "failed"); err != nil {
		t.Fatal(err)
	}
	server.do("HSET", "p:{0}:seen", "failed", 1) // long ago
	accept(t, j, start, part{id: "a"})
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: 1}); err != nil {
		t.Fatal(err)
	}
	clock.advance(2 * time.Hour)
	eventually(t, "it is gone", func() bool {
		entries, err := j.shard.Scan(t.Context(), 0, 1)
		return err == nil && len(entries) == 0
	})
}
