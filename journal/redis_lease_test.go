package journal_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// consumer is a forwarder in short, on any number of nodes: it reads, delivers, records.
type consumer struct {
	mu        sync.Mutex
	delivered map[string]int
	repeated  int
	orders    map[int][]int64 // the numbers of each shard as they were delivered
	refused   int             // records
	active    map[int]int     // how many work on a shard
	together  bool            // two have
}

func newConsumer() *consumer {
	return &consumer{delivered: map[string]int{}, orders: map[int][]int64{}, active: map[int]int{}}
}

func (c *consumer) deliver(s *journal.Shard, entries []hookgate.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		c.delivered[e.Event.Subject]++
		if c.delivered[e.Event.Subject] > 1 {
			c.repeated++
		}
		c.orders[s.ID()] = append(c.orders[s.ID()], e.Seq)
	}
}

func (c *consumer) work(s *journal.Shard, step int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active[s.ID()] += step
	c.together = c.together || c.active[s.ID()] > 1
}

func (c *consumer) start(s *journal.Shard) func() {
	c.work(s, 1)
	stop := consume(s, func(entries []hookgate.Entry) { c.deliver(s, entries) }, func(error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refused++
	})
	return func() {
		stop()
		c.work(s, -1)
	}
}

// consume works on a shard until the function that it gives is called.
func consume(s *journal.Shard, deliver func([]hookgate.Entry), refused func(error)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	pause := func() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	run := func() {
		defer close(done)
		p, err := s.Progress(ctx, "d")
		for ; err != nil; p, err = s.Progress(ctx, "d") {
			if pause(); ctx.Err() != nil {
				return
			}
		}
		for ctx.Err() == nil {
			entries, err := s.Read(ctx, p.Cursor, 64)
			if err != nil {
				pause()
				continue
			}
			deliver(entries)
			p.Cursor = entries[len(entries)-1].Seq
			for err := s.Record(context.Background(), "d", hookgate.Step{Cursor: p.Cursor}); err != nil; err = s.Record(context.Background(), "d", hookgate.Step{Cursor: p.Cursor}) {
				refused(err)
				if pause(); ctx.Err() != nil {
					return
				}
			}
		}
	}
	go run()
	return func() { cancel(); <-done }
}

// check demands that everything was delivered, and that no shard was passed over: a number that comes first is the next.
func (c *consumer) check(t *testing.T, accepted map[string]bool) {
	t.Helper()
	eventually(t, "all is delivered", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for id := range accepted {
			if c.delivered[id] == 0 {
				return false
			}
		}
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("%d accepted, %d delivered, %d times again, %d records refused", len(accepted), len(c.delivered), c.repeated, c.refused)
}

func (c *consumer) inOrder(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, order := range c.orders {
		highest := int64(0)
		for _, n := range order {
			if n > highest+1 {
				t.Errorf("shard %d: %d follows %d", id, n, highest)
				break
			}
			highest = max(highest, n)
		}
	}
}

// load accepts events of many keys until end; those that were acknowledged are kept.
type load struct {
	stop     atomic.Bool
	wg       sync.WaitGroup
	mu       sync.Mutex
	accepted map[string]bool
}

func startLoad(t testing.TB, j hookgate.Journal, name string) *load {
	l := &load{accepted: map[string]bool{}}
	for w := range 2 {
		l.wg.Go(func() {
			for i := w; !l.stop.Load(); i += 2 {
				id := name + strconv.Itoa(i)
				req, events := request(time.Now(), part{id: id, data: id})
				if _, err := j.Accept(context.Background(), req, events); err == nil {
					l.mu.Lock()
					l.accepted[id] = true
					l.mu.Unlock()
				}
				select {
				case <-time.After(time.Millisecond):
				case <-t.Context().Done():
				}
			}
		})
	}
	t.Cleanup(func() { l.end() })
	return l
}

func (l *load) end() map[string]bool {
	l.stop.Store(true)
	l.wg.Wait()
	return l.accepted
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted)
}

// grows waits until so many more were accepted.
func (l *load) grows(t *testing.T, n int) {
	t.Helper()
	n += l.count()
	eventually(t, "more is accepted", func() bool { return l.count() >= n })
}

// TestRedisShare has nodes join and leave under load. Each shard is worked on by one at any time, every node has its part,
// and nothing is lost or passed over.
func TestRedisShare(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "everysec")
	const shards = 8
	c := newConsumer()
	open := func(node string) (*journal.Redis, *worker) {
		r := openRedis(t, server.url(), journal.RedisOptions{Prefix: "p", Shards: shards, Node: node, Destinations: []string{"d"}})
		return r, share(t, r, c.start)
	}
	balanced := func(workers ...*worker) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d nodes share", len(workers)), func() bool {
			var all []int
			for _, w := range workers {
				ids := w.holding()
				if len(ids) < shards/len(workers) || len(ids) > (shards-1)/len(workers)+1 {
					return false
				}
				all = append(all, ids...)
			}
			slices.Sort(all)
			return len(all) == shards && len(slices.Compact(all)) == shards
		})
	}
	r, one := open("one")
	balanced(one)
	l := startLoad(t, r, "e")
	_, two := open("two")
	balanced(one, two)
	_, three := open("three")
	balanced(one, two, three)
	l.grows(t, 100)
	two.end()
	balanced(one, three)
	l.grows(t, 100)
	three.end()
	balanced(one)
	c.check(t, l.end())
	c.inOrder(t)
	if c.together {
		t.Error("two nodes worked on a shard at once")
	}
}

// redisChild is the life of a node of its own: it works on its shards and tells what it delivers.
func redisChild(value string) {
	url, prefix, _ := strings.Cut(value, "|")
	r, err := journal.OpenRedis(context.Background(), url, journal.RedisOptions{Prefix: prefix, Shards: 4, Node: "child", Destinations: []string{"d"}})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var mu sync.Mutex
	say := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = os.Stdout.WriteString(text) // at once: a buffer would die with us
	}
	r.Share(context.Background(), func(s *journal.Shard) func() {
		say(fmt.Sprintf("start %d\n", s.ID()))
		stop := consume(s, func(entries []hookgate.Entry) {
			text := ""
			for _, e := range entries {
				text += fmt.Sprintf("deliver %d %d %s\n", s.ID(), e.Seq, e.Event.Subject)
			}
			say(text)
		}, func(error) { say("refused\n") })
		return func() {
			stop()
			if s.Record(context.Background(), "d", hookgate.Step{}) != nil { // a forwarder's last one
				say("refused\n")
			}
		}
	})
}

// TestRedisNodeDies stops a node in the middle of its work, lets it go on when others have taken over, and then kills it.
// What it records after the pause is refused, and nothing is lost or passed over.
func TestRedisNodeDies(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "everysec")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVariable+"=redis|"+server.url()+"|p")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := newConsumer()
	var starts, refused, delivered atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			words := strings.Fields(lines.Text())
			switch words[0] {
			case "start":
				starts.Add(1)
			case "refused":
				refused.Add(1)
			case "deliver":
				delivered.Add(1)
				id, _ := strconv.Atoi(words[1])
				n, _ := strconv.ParseInt(words[2], 10, 64)
				c.mu.Lock()
				c.delivered[words[3]]++
				if c.delivered[words[3]] > 1 {
					c.repeated++
				}
				c.orders[id] = append(c.orders[id], n)
				c.mu.Unlock()
			case "error":
				t.Error(lines.Text())
			}
		}
	}()
	kill := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait() // it was killed
	})
	t.Cleanup(kill)
	eventually(t, "the child has all shards", func() bool { return starts.Load() == 4 })

	r := openRedis(t, server.url(), journal.RedisOptions{Prefix: "p", Shards: 4, Node: "parent", Destinations: []string{"d"}})
	l := startLoad(t, r, "e")
	w := share(t, r, c.start)
	eventually(t, "both have two", func() bool { return len(w.holding()) == 2 && delivered.Load() > 20 })
	_ = cmd.Process.Signal(syscall.SIGSTOP)
	eventually(t, "the others have taken over", func() bool { return len(w.holding()) == 4 })
	l.grows(t, 50)
	before := refused.Load()
	_ = cmd.Process.Signal(syscall.SIGCONT)
	eventually(t, "the child's last records are refused", func() bool { return refused.Load() > before })
	again := starts.Load()
	eventually(t, "both have two again", func() bool { return len(w.holding()) == 2 && starts.Load() >= max(again, 6) })
	l.grows(t, 50)
	kill()
	eventually(t, "the parent has all", func() bool { return len(w.holding()) == 4 })
	l.grows(t, 50)
	c.check(t, l.end())
	c.inOrder(t)
}

// TestRedisLeaseTaken: who has lost its lease is refused by the server before it knows itself, and stops.
func TestRedisLeaseTaken(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	j := openStore(t, server.url(), journal.RedisOptions{Prefix: "p", Destinations: []string{"d"}})
	accept(t, j, start, part{id: "a"})
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: 1}); err != nil {
		t.Fatal(err)
	}
	server.do("SET", "p:{0}:lease", "another|x", "PX", 1500)
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: 2, Park: []hookgate.Parked{{Seq: 1}}, Done: []int64{1}}); err == nil || !strings.Contains(err.Error(), "not held by this node") {
		t.Errorf("with another's lease: %v", err)
	}
	if _, err := j.Read(context.Background(), 1, 1); err == nil {
		t.Error("it still reads")
	}
	if p, err := j.Progress(t.Context(), "d"); err != nil || p.Cursor != 1 || len(p.Parked) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	eventually(t, "it takes the shard again when that is free", func() bool { return j.started() == 2 && len(j.holding()) == 1 })
	eventually(t, "it records again", func() bool { return j.Record(t.Context(), "d", hookgate.Step{Cursor: 1}) == nil })
}

// TestRedisSilent: a node that cannot renew its leases stops by itself, before they end.
func TestRedisSilent(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	j := openStore(t, server.url(), journal.RedisOptions{Prefix: "p", Destinations: []string{"d"}})
	_ = server.cmd.Process.Signal(syscall.SIGSTOP)
	eventually(t, "it stops", func() bool { return len(j.holding()) == 0 })
	_ = server.cmd.Process.Signal(syscall.SIGCONT)
	eventually(t, "it works again", func() bool { return j.started() == 2 && len(j.holding()) == 1 })
}

// TestRedisRestarts kills a server that syncs everything, under load. Nothing is lost, and as long as the node has kept its
// shards nothing is delivered again.
func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	c := newConsumer()
	r := openRedis(t, server.url(), journal.RedisOptions{Prefix: "p", Shards: 4, Destinations: []string{"d"}})
	w := share(t, r, c.start)
	eventually(t, "all are held", func() bool { return len(w.holding()) == 4 })
	l := startLoad(t, r, "e")
	for range 3 {
		l.grows(t, 50)
		server.kill()
		server.restart()
	}
	l.grows(t, 50)
	c.check(t, l.end())
	c.inOrder(t)
	if w.started() == 4 && c.repeated > 0 {
		t.Errorf("%d delivered again", c.repeated)
	}
}

// TestRedisAdoptionUnheard: a server that was started again has let the holder go on, and the answer that says so is lost. The
// shard must not wait for the next restart.
func TestRedisAdoptionUnheard(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	proxy := newRedisProxy(t, server.addr())
	c := newConsumer()
	r := openRedis(t, proxy.url(), journal.RedisOptions{Prefix: "p", Shards: 1, Destinations: []string{"d"}})
	w := share(t, r, c.start)
	eventually(t, "it is held", func() bool { return len(w.holding()) == 1 })
	l := startLoad(t, r, "e")
	l.grows(t, 20)
	proxy.cutOf("Lets a holder go on", 1)
	server.kill()
	server.restart()
	eventually(t, "an answer was lost", func() bool { return proxy.left() == 0 })
	l.grows(t, 20)
	c.check(t, l.end())
	c.inOrder(t)
}

// TestRedisGoesBack: a server that comes back without its newest events, as after a failover, gives their numbers to
// others. Those must not be taken for what was delivered before.
func TestRedisGoesBack(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendonly", "no", "--appendfsync", "no")
	c := newConsumer()
	var told warnings
	r := openRedis(t, server.url(), journal.RedisOptions{Prefix: "p", Shards: 2, Destinations: []string{"d"}, AllowLoss: true, Warn: told.add})
	w := share(t, r, c.start)
	eventually(t, "all are held", func() bool { return len(w.holding()) == 2 })
	accepted := map[string]bool{}
	send := func(name string, n int) {
		for i := range n {
			id := name + strconv.Itoa(i)
			eventually(t, "it is accepted", func() bool {
				req, events := request(time.Now(), part{id: id, data: id})
				_, err := r.Accept(context.Background(), req, events)
				return err == nil
			})
			accepted[id] = true
		}
	}
	send("kept", 20)
	c.check(t, accepted)
	server.do("SAVE")
	send("lost", 20)
	c.check(t, accepted)
	server.kill()
	server.restart()
	send("after", 30)
	c.check(t, accepted)
	if w.started() < 4 || told.count("has lost its newest events") == 0 {
		t.Errorf("%d starts; told: %q", w.started(), told.all())
	}
}

// TestRedisEmptied: after a FLUSHALL under load everything that is accepted from then on is delivered, by nodes that were
// there before and by one that comes later.
func TestRedisEmptied(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "everysec")
	c := newConsumer()
	var told warnings
	open := func(node string) *journal.Redis {
		return openRedis(t, server.url(), journal.RedisOptions{Prefix: "p", Shards: 4, Node: node, Destinations: []string{"d"}, Warn: told.add})
	}
	one, two := open("one"), open("two")
	a, b := share(t, one, c.start), share(t, two, c.start)
	eventually(t, "both have two", func() bool { return len(a.holding()) == 2 && len(b.holding()) == 2 })
	before := startLoad(t, one, "before")
	before.grows(t, 100)
	server.do("FLUSHALL")
	after := startLoad(t, two, "after") // what was accepted before the flush may be gone, this may not
	after.grows(t, 30)
	before.end()
	share(t, open("three"), c.start)
	after.grows(t, 100)
	c.check(t, after.end())
	if told.count("emptied") == 0 {
		t.Error("nobody was warned")
	}
}

// TestRedisEmptiedUnseen: a node that starts after a FLUSHALL that no other has noticed yet does not know that there were
// destinations before. Whoever does corrects it.
func TestRedisEmptiedUnseen(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	o := journal.RedisOptions{Prefix: "p", Shards: 1, Destinations: []string{"d"}}
	old := openRedis(t, server.url(), o)
	accepted := map[string]bool{}
	server.do("FLUSHALL")
	for i := range 5 {
		id := strconv.Itoa(i)
		accept(t, old, time.Now(), part{id: id})
		accepted[id] = true
	}
	c := newConsumer()
	share(t, openRedis(t, server.url(), o), c.start)
	c.check(t, accepted)
}

// TestRedisStopStuck: a node whose work on a shard does not end cannot keep the shard from the others for ever.
func TestRedisStopStuck(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	o := journal.RedisOptions{Prefix: "p", Shards: 1, Node: "b", Destinations: []string{"d"}}
	letGo := make(chan struct{})
	stuck := openRedis(t, server.url(), o)
	stuck.SetPatience(100 * time.Millisecond)
	one := share(t, stuck, func(*journal.Shard) func() { return func() { <-letGo } })
	t.Cleanup(func() { close(letGo) })
	eventually(t, "the first has it", func() bool { return len(one.holding()) == 1 })
	o.Node = "a" // the shard is the first node's by name
	two := share(t, openRedis(t, server.url(), o), nil)
	eventually(t, "the second has it", func() bool { return len(two.holding()) == 1 })
}
