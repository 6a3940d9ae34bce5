package forward_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A queue is in trouble for a minute while events keep arriving: the other destinations do not notice, nothing is lost, and
// afterwards the queue drains at twice the arrival rate or better. In every run the trouble is short and only what does not
// depend on speed is asserted. HOOKGATE_TEST_LONG=1 makes it a minute, HOOKGATE_TEST_LONG=20s as long as it says, one after
// the other, and asserts the figures, too; -run 'TestR12_NeighboursUnmoved/kafka/slow' picks one. The log is the table.
func TestR12_NeighboursUnmoved(t *testing.T) {
	p := paceOf(t)
	p.parallel(t)
	for _, name := range forward.Names() {
		if name == "file" || name == "stdout" {
			continue // there is no server that could go
		}
		t.Run(name, func(t *testing.T) {
			p.parallel(t)
			build, ok := sites[name]
			if !ok {
				t.Fatalf("%s: no site", name)
			}
			for _, trouble := range []string{"down", "refusing", "rejecting", "slow"} {
				if trouble == "rejecting" && !slices.Contains(rejects, name) {
					continue
				}
				t.Run(trouble, func(t *testing.T) {
					p.parallel(t)
					s := build(t, trouble)
					s.settings.Name, s.settings.Type = name, name
					if !p.judged { // else the defaults, because those are what the goal is about
						s.settings.Retry = hookgate.RetrySettings{Attempts: 1000, Backoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond}
						s.settings.Breaker = hookgate.Breaker{After: 5, Pause: 100 * time.Millisecond}
						s.settings.Timeout = 3 * time.Second
					}
					p.run(t, s, trouble)
				})
			}
		})
	}
}

// The goal.
const (
	mostMoved  = 1.2 // p99 in trouble, of that before
	leastDrain = 2.0 // confirmed in a second after the trouble, of those that arrive in it
	// clockFloor is what the scheduler of a busy machine makes of a latency: two figures below it are the same.
	clockFloor = 5 * time.Millisecond
)

// pace is how much of everything a run has.
type pace struct {
	rate           int // arrivals in a second
	quiet, trouble time.Duration
	delay          time.Duration // of each answer of a slow target
	catchUp        time.Duration // for how long events keep arriving afterwards, at most
	settle         time.Duration // for what is left then
	judged         bool          // by its figures, too
}

const arrivalKeys = 250

func paceOf(t *testing.T) pace {
	t.Helper()
	length := os.Getenv("HOOKGATE_TEST_LONG")
	if length == "" {
		return pace{rate: 200, quiet: time.Second, trouble: time.Second, delay: 100 * time.Millisecond, catchUp: time.Second, settle: time.Minute}
	}
	trouble, err := time.ParseDuration(length)
	if err != nil {
		trouble = time.Minute
	}
	return pace{rate: 400, quiet: 20 * time.Second, trouble: trouble, delay: 2 * time.Second, catchUp: 3 * trouble, settle: 10 * time.Minute, judged: true}
}

// parallel runs a test beside the others, unless that would spoil its figures.
func (p pace) parallel(t *testing.T) {
	if !p.judged {
		t.Parallel()
	}
}

func (p pace) count(d time.Duration) int { return int(d.Seconds() * float64(p.rate)) }

// run forwards the same journal to the site and to a healthy neighbour, through the trouble and on.
func (p pace) run(t *testing.T, s *site, trouble string) {
	j, name := newJournal(), s.settings.Name
	d, err := forward.New(s.settings, forward.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := follow(t, s.settings, d, j)
	near := &neighbour{}
	nearSettings := hookgate.DestinationSettings{Name: "neighbour", Type: "stdout"}
	if near.Destination, err = forward.New(nearSettings, forward.Options{Stdout: io.Discard}); err != nil {
		t.Fatal(err)
	}
	follow(t, nearSettings, near, j)
	delivered := func() int { return int(f.Stats().Delivered) }

	a := &arrivals{every: time.Second / time.Duration(p.rate)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); a.run(ctx, j) }()
	stop := func() { cancel(); <-ended }
	t.Cleanup(stop)

	within(t, p.settle, "a quiet time", func() bool { return a.count() >= p.count(p.quiet) && delivered() > 0 })
	from := a.count()
	s.turn(trouble, true)
	within(t, p.settle, "the trouble", func() bool { return a.count() >= from+p.count(p.trouble) })
	to := a.count()
	within(t, p.settle, "all of the time of trouble at the neighbour", func() bool { return near.count() >= to })
	if trouble == "slow" {
		within(t, p.settle, "an answer that came late", func() bool { return s.line.held.Load() > 0 })
	} else if delivered() >= to {
		t.Error("there was no trouble")
	}
	s.turn(trouble, false)
	r := p.recovery(a.count, delivered)
	until := a.count()
	stop()
	total := a.count()
	within(t, p.settle, "all settled", func() bool { return j.settled(name, total) && near.count() >= total })

	if st := f.Stats(); st.Dead != 0 || int(st.Delivered) != total {
		t.Errorf("%+v of %d", st, total)
	}
	near.checkAll(t, total)
	var all []*hookgate.Event
	j.set(func(j *journal) {
		for _, e := range j.entries {
			all = append(all, e.Event)
		}
	})
	ids := idsOf(t, s.held(t))
	repeated := arrivedInOrder(t, all, ids)
	if len(ids)-repeated != total {
		t.Errorf("%d of %d arrived", len(ids)-repeated, total)
	}
	// The first few meet connections that are being made.
	before, during, after := near.p99s(a.late, from/10, from), near.p99s(a.late, from, to), near.p99s(a.late, to, until)
	t.Logf("| %s | %s | p99 %s -> %s (x%.2f), then %s | with the lateness of arrivals %s -> %s, then %s | backlog %d | first after %.1f s | caught up after %.1f s, %d behind | drained %.0f/s (x%.1f) | %d repeated |",
		name, trouble, millis(before.own), millis(during.own), float64(during.own)/float64(before.own), millis(after.own),
		millis(before.open), millis(during.open), millis(after.open), r.backlog, r.first.Seconds(), r.took.Seconds(), r.behind,
		r.drain(), r.drain()/float64(p.rate), repeated)
	if p.judged {
		p.judge(t, before.own, during.own, r)
	}
}

func (p pace) judge(t *testing.T, before, during time.Duration, r recovery) {
	t.Helper()
	if float64(during) > mostMoved*float64(before) && during > clockFloor {
		t.Errorf("the neighbour's p99 moved from %s to %s", before, during)
	}
	if r.backlog > p.rate && r.drain() < leastDrain*float64(p.rate) {
		t.Errorf("it drained at %.0f/s while %d/s arrived", r.drain(), p.rate)
	}
}

// recovery is what followed the end of the trouble, while events kept arriving.
type recovery struct {
	backlog, behind int           // at its beginning and at its end
	confirmed       int           // in between
	first           time.Duration // until something was confirmed
	took            time.Duration // until next to nothing was left, or all the time there was
}

func (r recovery) drain() float64 { return float64(r.confirmed) / r.took.Seconds() }

func (p pace) recovery(arrived, delivered func() int) recovery {
	begin, before := time.Now(), delivered()
	r := recovery{backlog: arrived() - before}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		<-tick.C
		r.took, r.confirmed = time.Since(begin), delivered()-before
		r.behind = arrived() - before - r.confirmed
		if r.first == 0 && r.confirmed > 0 {
			r.first = r.took
		}
		if r.behind <= p.rate/4 || r.took >= p.catchUp {
			return r
		}
	}
}

// follow forwards a journal to a destination as the program does, and ends with the test.
func follow(t *testing.T, s hookgate.DestinationSettings, d forward.Destination, j *journal) *forward.Forwarder {
	t.Helper()
	shared := forward.Share(d, s, forward.LimitsOf(s.Type))
	t.Cleanup(func() {
		if err := shared.Close(); err != nil {
			t.Error(err)
		}
	})
	f := forward.NewForwarder(s, shared, j, j, forward.WithShards(1))
	t.Cleanup(start(t, f))
	return f
}

// arrivals is an open loop: an event comes when it is due, whatever became of those before it. Its time of receipt is when
// it was due; late is how much later it came, because the timers of a busy machine are late.
type arrivals struct {
	every time.Duration
	n     atomic.Int64
	late  []time.Duration // to be read when run has ended
}

func (a *arrivals) count() int { return int(a.n.Load()) }

func (a *arrivals) run(ctx context.Context, j *journal) {
	begin := time.Now()
	tick := time.NewTicker(a.every)
	defer tick.Stop()
	for n := 1; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for ; ; n++ {
			due := begin.Add(time.Duration(n) * a.every)
			late := time.Since(due)
			if late < 0 {
				break
			}
			e := event(n, "k"+strconv.Itoa(n%arrivalKeys))
			e.Received = due
			a.late = append(a.late, late)
			j.append(e)
			a.n.Store(int64(n))
		}
	}
}

// neighbour is a destination that notes how long each event took from its arrival to its confirmation.
type neighbour struct {
	forward.Destination
	mu   sync.Mutex
	seqs []int64 // in order of confirmation
	took []time.Duration
}

func (n *neighbour) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	errs := n.Destination.Publish(ctx, batch)
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, e := range batch {
		if errs[i] == nil {
			n.seqs, n.took = append(n.seqs, e.Seq), append(n.took, time.Since(e.Event.Received))
		}
	}
	return errs
}

func (n *neighbour) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.seqs)
}

// checkAll wants the whole journal once and in its order: the type takes one batch at a time.
func (n *neighbour) checkAll(t *testing.T, total int) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.seqs) != total {
		t.Fatalf("%d of %d came to the neighbour", len(n.seqs), total)
	}
	for i, seq := range n.seqs {
		if seq != int64(i+1) {
			t.Fatalf("event %d came to the neighbour as number %d", seq, i+1)
		}
	}
}

// latency is a p99 from the arrival in the journal, and from when the event was due.
type latency struct{ own, open time.Duration }

func (n *neighbour) p99s(late []time.Duration, from, to int) latency {
	n.mu.Lock()
	defer n.mu.Unlock()
	if from == to {
		return latency{}
	}
	own, open := make([]time.Duration, 0, to-from), slices.Sorted(slices.Values(n.took[from:to]))
	for i := from; i < to; i++ {
		own = append(own, n.took[i]-late[i])
	}
	slices.Sort(own)
	at := (to - from) * 99 / 100
	return latency{own[at], open[at]}
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }

// site is a real target at the end of a line, and what can befall it.
type site struct {
	settings     hookgate.DestinationSettings // New's, through the line
	line         *line
	kill, revive func()         // the server itself; nil where the line alone goes
	refuse       func(yes bool) // everything, for the trouble that the site was made for
	held         func(t *testing.T) [][]byte
}

// rejects are the types whose targets can refuse all events one by one, each as if it were the event's own fault.
var rejects = []string{"http", "rabbitmq"}

// turn brings the trouble or ends it. refusing is trouble of the whole target by its own word, rejecting is an answer to each
// event by itself.
func (s *site) turn(trouble string, on bool) {
	switch {
	case trouble == "slow":
		s.line.slow(on)
	case trouble != "down":
		s.refuse(on)
	case on:
		s.line.shut()
		if s.kill != nil {
			s.kill()
		}
	default:
		if s.revive != nil {
			s.revive()
		}
		s.line.reopen()
	}
}

var sites = map[string]func(t *testing.T, trouble string) *site{
	"redis-stream": func(t *testing.T, _ string) *site {
		r := ownRedis(t)
		l := newLine(t, r.addr)
		return &site{
			settings: hookgate.DestinationSettings{URL: literal("redis://:opensesame@" + l.at), Stream: "webhooks"},
			line:     l, kill: r.kill, revive: r.start,
			refuse: func(yes bool) { // for want of memory
				limit := map[bool]string{true: "1", false: "0"}[yes]
				if err := redisClient(t, r.url()).ConfigSet(context.Background(), "maxmemory", limit).Err(); err != nil {
					t.Error(err)
				}
			},
			held: r.held,
		}
	},
	"nats":     natsSite,
	"rabbitmq": rabbitSite,
	"kafka": func(t *testing.T, _ string) *site {
		c := newCluster(t, 1, 4)
		l := newLine(t, c.gates[0].at)
		c.gates[0].announce(l.Addr())
		var fault *kfake.FaultHandle
		return &site{
			settings: hookgate.DestinationSettings{URL: literal("kafka://gate:opensesame@" + l.at), Topic: "webhooks"},
			line:     l, kill: c.down, revive: c.up,
			refuse: func(yes bool) {
				if yes {
					fault = c.fault(kmsg.Produce, kerr.NotEnoughReplicas, -1)
				} else {
					fault.Remove()
				}
			},
			held: func(*testing.T) [][]byte { return c.values() },
		}
	},
	"http": func(t *testing.T, trouble string) *site {
		h := &httpTarget{}
		web := httptest.NewServer(h)
		t.Cleanup(web.Close)
		l := newLine(t, web.Listener.Addr().String())
		refusal := http.StatusServiceUnavailable
		if trouble == "rejecting" {
			refusal = http.StatusInternalServerError
		}
		return &site{
			settings: hookgate.DestinationSettings{URL: literal("http://" + l.at + "/hook")},
			line:     l,
			refuse:   func(yes bool) { h.answer(map[bool]int{true: refusal, false: http.StatusAccepted}[yes]) },
			held:     func(*testing.T) [][]byte { return h.bodies() },
		}
	},
}

// natsSite has a stream that refuses when it is full, and keeps what it has.
func natsSite(t *testing.T, _ string) *site {
	// Synced as the server does it by default: else this would measure the disk.
	n := ownNATS(t, func(o *server.Options) { o.SyncAlways = false })
	l := newLine(t, n.addr())
	return &site{
		settings: hookgate.DestinationSettings{URL: literal("nats://hookgate:opensesame@" + l.at), Subject: "webhooks.{provider}.{type}"},
		line:     l, kill: n.stop, revive: n.start,
		refuse: func(yes bool) {
			limit := map[bool]int64{true: 1, false: -1}[yes]
			nc, js := n.client()
			defer nc.Close()
			if _, err := js.UpdateStream(context.Background(), jetstream.StreamConfig{
				Name: "WEBHOOKS", Subjects: []string{"webhooks.>"}, MaxMsgs: limit, Discard: jetstream.DiscardNew,
			}); err != nil {
				t.Error(err)
			}
		},
		held: n.held,
	}
}

// rabbitSite has a queue whose binding goes when it refuses. Under a routing key that depends on the event the gateway cannot
// tell whether another event would fare better.
func rabbitSite(t *testing.T, trouble string) *site {
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	queue, exchange, key := quorumQueue(t, ch), topicExchange(t, ch), "webhooks"
	if trouble == "rejecting" {
		key = "{type}"
	}
	bind := func() error { return ch.QueueBind(queue, "#", exchange, false, nil) }
	if err := bind(); err != nil {
		t.Fatal(err)
	}
	l := newLine(t, n.addr())
	return &site{
		settings: hookgate.DestinationSettings{URL: literal(rabbitURL(l.at)), Exchange: exchange, RoutingKey: key},
		line:     l,
		refuse: func(yes bool) {
			change := bind
			if yes {
				change = func() error { return ch.QueueUnbind(queue, "#", exchange, nil) }
			}
			if err := change(); err != nil {
				t.Error(err)
			}
		},
		held: func(t *testing.T) [][]byte {
			var out [][]byte
			for _, d := range taken(t, ch, queue) {
				out = append(out, d.Body)
			}
			return out
		},
	}
}

// line is a proxy in front of a target. It can be down, as nobody listening there, and let every answer wait.
type line struct {
	*gate
	target string
	delay  time.Duration                 // of an answer, while it is slow
	slowed atomic.Pointer[chan struct{}] // closed when it is no longer slow; nil while it is not
	held   atomic.Int64                  // answers that had to wait
	done   chan struct{}
	group  sync.WaitGroup
}

func newLine(t *testing.T, target string) *line {
	t.Helper()
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{open: open, shown: open.Addr(), at: open.Addr().String(), conns: map[net.Conn]struct{}{}}
	g.turned = sync.NewCond(&g.mu)
	l := &line{gate: g, target: target, delay: paceOf(t).delay, done: make(chan struct{})}
	l.group.Go(l.serve)
	t.Cleanup(func() {
		close(l.done)
		_ = g.Close()
		l.group.Wait()
	})
	return l
}

func (l *line) slow(yes bool) {
	var until *chan struct{}
	if yes {
		c := make(chan struct{})
		until = &c
	}
	if before := l.slowed.Swap(until); before != nil {
		close(*before)
	}
}

func (l *line) serve() {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		target, err := net.Dial("tcp", l.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		l.group.Go(func() {
			_, _ = io.Copy(target, client)
			_ = target.Close()
		})
		l.group.Go(func() {
			l.answer(client, target)
			_ = client.Close()
		})
	}
}

// answer copies what the target says. What it says while an answer waits goes with the next one.
func (l *line) answer(client, target net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := target.Read(buf)
		if n > 0 {
			l.wait()
			if _, failed := client.Write(buf[:n]); failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *line) wait() {
	until := l.slowed.Load()
	if until == nil {
		return
	}
	l.held.Add(1)
	late := time.NewTimer(l.delay)
	defer late.Stop()
	select {
	case <-late.C:
	case <-*until:
	case <-l.done:
	}
}
