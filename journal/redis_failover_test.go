package journal_test

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// crossing leads connections to a server that can be exchanged. Those that are open stay where they are until they are cut.
type crossing struct {
	l net.Listener

	mu     sync.Mutex
	target string
	open   map[net.Conn]*bool // whether something was read over it that waits
	wg     sync.WaitGroup
}

func newCrossing(t *testing.T, target string) *crossing {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &crossing{l: l, target: target, open: map[net.Conn]*bool{}}
	c.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.carry(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.cut(func(bool) bool { return true })
		c.wg.Wait()
	})
	return c
}

func (c *crossing) carry(client net.Conn) {
	defer client.Close()
	c.mu.Lock()
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		c.mu.Unlock()
		return
	}
	defer server.Close()
	waits := new(bool)
	c.open[client] = waits
	c.mu.Unlock()
	c.wg.Go(func() {
		defer client.Close()
		forward(client, server, func([]byte) {})
	})
	forward(server, client, func(b []byte) {
		if bytes.Contains(b, []byte("xread")) {
			c.mu.Lock()
			*waits = true
			c.mu.Unlock()
		}
	})
	c.mu.Lock()
	delete(c.open, client)
	c.mu.Unlock()
}

func forward(to, from net.Conn, see func([]byte)) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		see(b[:n])
		if _, werr := to.Write(b[:n]); err != nil || werr != nil {
			return
		}
	}
}

// turn leads what comes from now on elsewhere.
func (c *crossing) turn(target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = target
}

func (c *crossing) cut(which func(waits bool) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, waits := range c.open {
		if which(*waits) {
			_ = conn.Close()
		}
	}
}

// TestRedisFailover: a replica that misses the newest events is promoted, while a node's reads still go to the old master.
// Everything that the new one accepts is delivered, whatever numbers it has.
func TestRedisFailover(t *testing.T) {
	t.Parallel()
	old := startRedis(t)
	next := startRedis(t, "--replicaof", "127.0.0.1 "+old.port)
	o := journal.RedisOptions{Prefix: "p", Shards: 1, Destinations: []string{"d"}}
	way := newCrossing(t, old.addr())
	c := newConsumer()
	w := share(t, openRedis(t, "redis://"+way.l.Addr().String(), o), c.start)
	eventually(t, "the shard is held", func() bool { return len(w.holding()) == 1 })
	accepted := map[string]bool{}
	send := func(j hookgate.Journal, name string) {
		for i := range 10 {
			id := name + strconv.Itoa(i)
			accept(t, j, time.Now(), part{id: id})
			accepted[id] = true
		}
	}
	before := openRedis(t, old.url(), o)
	send(before, "both")
	c.check(t, accepted)
	eventually(t, "the replica has it", func() bool { return next.client().XLen(context.Background(), "p:{0}:log").Val() == 10 })
	eventually(t, "and what was recorded", func() bool {
		return next.client().HGet(context.Background(), "p:{0}:cursors", "d").Val() == "10"
	})
	next.do("REPLICAOF", "NO", "ONE")
	send(before, "lost")
	c.check(t, accepted)

	way.turn(next.addr())
	way.cut(func(waits bool) bool { return !waits })
	eventually(t, "the node has noticed", func() bool { return w.started() == 2 })
	send(openRedis(t, next.url(), o), "after")
	reads := func() int { return old.count("commandstats", "cmdstat_xread:calls=") }
	n := reads() + 2
	eventually(t, "it has read at the old master", func() bool { return reads() >= n })
	way.cut(func(bool) bool { return true })
	c.check(t, accepted)
}
