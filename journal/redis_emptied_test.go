package journal_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/hookgate/hookgate/journal"
)

// TestRedisEmptiedAgain: a second FLUSHALL is noticed as the first was, although the same node takes the first event
// after both.
func TestRedisEmptiedAgain(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	c := newConsumer()
	r := openRedis(t, server.url(), journal.RedisOptions{Prefix: "p", Shards: 1, Destinations: []string{"d"}})
	share(t, r, c.start)
	accepted := map[string]bool{}
	for flush := range 3 {
		server.do("FLUSHALL")
		for i := range 5 {
			id := strconv.Itoa(flush) + "-" + strconv.Itoa(i)
			accept(t, r, time.Now(), part{id: id})
			accepted[id] = true
		}
		c.check(t, accepted)
	}
}

// TestRedisEmptiedAndLeft: the only node takes events into a journal that was emptied, and is gone before it has noticed.
// The next one cannot know what destinations there were, but it can see that the events came before any of them was entered.
func TestRedisEmptiedAndLeft(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	o := journal.RedisOptions{Prefix: "p", Shards: 1, Destinations: []string{"d"}}
	old := openRedis(t, server.url(), o)
	accepted := map[string]bool{}
	server.do("FLUSHALL")
	for i := range 5 {
		accept(t, old, time.Now(), part{id: strconv.Itoa(i)})
		accepted[strconv.Itoa(i)] = true
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	c := newConsumer()
	share(t, openRedis(t, server.url(), o), c.start)
	c.check(t, accepted)
	late := openRedis(t, server.url(), journal.RedisOptions{Prefix: "p", Shards: 1, Destinations: []string{"d", "late"}})
	if p, err := late.Shards()[0].Progress(t.Context(), "late"); err != nil || p.Cursor != 5 {
		t.Errorf("a destination that is new later: %+v, %v", p, err)
	}
}

// TestRedisEmptiedSeenByAnother: who asks for one destination and so is the first to notice a FLUSHALL has all of them begin
// anew.
func TestRedisEmptiedSeenByAnother(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	r := openRedis(t, server.url(), journal.RedisOptions{Prefix: "p", Shards: 1, Destinations: []string{"d"}})
	server.do("FLUSHALL")
	for i := range 3 {
		accept(t, r, start, part{id: strconv.Itoa(i)})
	}
	for _, name := range []string{"other", "d"} {
		if p, err := r.Shards()[0].Progress(t.Context(), name); err != nil || p.Cursor != 0 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
