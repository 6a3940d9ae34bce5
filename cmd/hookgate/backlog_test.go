package main

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/normalize"
)

// prefill puts events from one number up to another into the journal of a configuration, as fast as it takes them. No
// gateway may have it open.
func prefill(t *testing.T, config string, from, to int) {
	t.Helper()
	if from == to {
		return
	}
	file := filepath.Join(t.TempDir(), "hookgate.yaml")
	writeFile(t, file, []byte(config))
	c, _, err := configs.Load(file, scenarioEnv, rules())
	if err != nil {
		t.Fatal(err)
	}
	j := must(openJournals(&Main{Now: time.Now}, c, zerolog.Nop()))(t)
	reader := must(normalize.New("sprinklr", normalize.Options{}))(t)
	source := &hookgate.Source{Name: "care", Provider: "sprinklr", Window: 168 * time.Hour}
	begin := time.Now()
	var next, failed atomic.Int64
	next.Store(int64(from))
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for n := int(next.Add(1) - 1); n < to; n = int(next.Add(1) - 1) {
				if n%1_000_000 == 0 && n > from {
					t.Logf("%d events are in the journal after %s", n, time.Since(begin).Round(time.Second))
				}
				for err := error(nil); ; {
					req := &hookgate.Request{
						ID: strconv.Itoa(n), Method: http.MethodPost, Target: "/hooks/care", Header: http.Header{"Content-Type": {"application/json"}},
						Body: []byte(caseBody(n, 1000)), Remote: netip.MustParseAddr("192.0.2.1"), ReceivedAt: time.Now(),
					}
					verdict := hookgate.Verdict{{Scheme: "hub-signature", KeyID: "k"}}
					events := reader.Normalize(req, verdict)
					events[0].Seal(source, req, verdict)
					if _, err = j.Accept(context.Background(), req, events); err == nil {
						break
					}
					if failed.Add(1) > 1000 {
						t.Errorf("event %d: %v", n, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d events put into the journal in %s, %.0f a second", to-from, took.Round(time.Millisecond), float64(to-from)/took.Seconds())
}

// peaks are the most that a gateway held at any look.
type peaks struct {
	admin, wal  string
	memory, log float64 // bytes resident, bytes of the journal's WAL
}

// look gives what is held now.
func (p *peaks) look(t *testing.T) holds {
	t.Helper()
	h := look(t, p.admin, time.Now())
	p.memory = max(p.memory, h.memory)
	if info, err := os.Stat(p.wal); err == nil { // there is none on Redis
		p.log = max(p.log, float64(info.Size()))
	}
	return h
}

// while looks every quarter of a second while the pacer runs.
func (p *peaks) while(t *testing.T, live *pacer, length time.Duration) (s *stretch) {
	t.Helper()
	came := make(chan *stretch, 1)
	go func() { came <- live.run(t, length) }()
	tick := time.NewTicker(time.Second / 4)
	defer tick.Stop()
	for s == nil {
		select {
		case s = <-came:
		case <-tick.C:
			p.look(t)
		}
	}
	return s
}

func (p *peaks) String() string {
	return fmt.Sprintf("at most %.0f MiB resident, WAL at most %.1f MiB", p.memory/(1<<20), p.log/(1<<20))
}

// TestR13_Backlog: the destination is away while a journal with a backlog gets more of it. What the gateway holds in memory
// does not grow with the number of events that wait, its log stays short, it answers all the time, and once the destination is
// back everything is delivered. HOOKGATE_TEST_LONG=1 makes the backlog five million events (200,000 on Redis, where they are in
// the server's memory); then 512 MiB resident and a p99 of 50 ms are
// judged, or of twice what it is with nothing waiting where the machine is slower than that, and the start is measured.
func TestR13_Backlog(t *testing.T) {
	if _, judged := long(0, 0); !judged {
		t.Parallel()
	}
	onBoth(t, func(t *testing.T, onServer *redisServer, configure func(string) string) {
		length, judged := long(time.Second, time.Minute)
		bound := 50 * time.Millisecond
		prefills := []int{2_000}
		switch {
		case judged && onServer != nil:
			prefills = []int{200_000}
		case judged:
			prefills = []int{1_000_000, 5_000_000}
		}
		target := startOwnRedis(t)
		stream := target.fresh(t, "backlog")
		destination := streamOf(target, stream)
		if judged { // all of it would not fit into that server
			destination = strings.Replace(destination, "}", ", max_len: 50000}", 1)
		}
		config := strings.Replace(withMail(configure(destination)), ", token: env:ADMIN", "", 1)
		admin := "127.0.0.1:" + freePort(t)
		config = strings.Replace(config, `{listen: "127.0.0.1:0"}`, fmt.Sprintf("{listen: %q}", admin), 1)
		_, wal, _ := strings.Cut(config, "sqlite://")
		wal, _, _ = strings.Cut(wal, `"`)
		p := &peaks{admin: admin, wal: wal + "-wal"}

		tidy := func(cmd *exec.Cmd) {
			if !judged {
				cmd.Env = append(cmd.Env, "GOGC=25") // so that the heap is about what is held, and not what was thrown away since
			}
		}
		waiting := 0
		start := func() *child {
			begin := time.Now()
			c := startChild(t, config, tidy)
			eventually(t, "the operator's listener is there too", func() (bool, string) {
				resp, err := http.Get("http://" + admin + "/readyz")
				if err != nil {
					return false, c.stderr.String()
				}
				return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK, resp.Status
			})
			t.Logf("from the start until it is ready, with %d events waiting: %s", waiting, time.Since(begin).Round(time.Millisecond))
			return c
		}
		c := start()
		first := 1 // events before the backlog
		if judged {
			quiet := &pacer{s: newSender(t, c.hooks), rate: 200}
			quiet.next.Store(10_000_000)
			got := p.while(t, quiet, length)
			p99 := got.took[len(got.took)*99/100]
			first, bound = first+got.sent, max(bound, 2*p99)
			t.Logf("nothing waits: %d of %d answered 200, p99 %.1f ms; %s", got.statuses[http.StatusOK], got.sent, millis(p99), p)
		}
		if a := newSender(t, c.hooks).deliver(t.Context(), caseBody(0, 1000)); a.outcome != "accepted" {
			t.Fatalf("%+v", a)
		}
		client := target.client(t)
		delivered := func() int {
			info, err := client.XInfoStream(t.Context(), stream).Result()
			if err != nil { // there is none before the first event
				return 0
			}
			return int(info.EntriesAdded) // those that were cut off again count
		}
		eventually(t, "the destination has begun", func() (bool, string) { return delivered() >= first, fmt.Sprint(delivered(), c.stderr) })
		c.stop(t) // which records what was delivered
		target.kill()
		for _, to := range prefills {
			prefill(t, config, waiting+1, to)
			waiting = to - 1
			c = start()
			if to != prefills[len(prefills)-1] {
				c.stop(t)
			}
		}

		s := newSender(t, c.hooks)
		live := &pacer{s: s, rate: sized(50, 200)}
		live.next.Store(int64(waiting))
		answers := func(what string) {
			got := p.while(t, live, length)
			for n := waiting + 1; n <= waiting+got.sent && got.statuses[http.StatusOK] < got.sent; n++ { // of some it is not known
				eventually(t, "what was refused is taken", func() (bool, string) {
					a := s.deliver(t.Context(), caseBody(n, 50))
					return a.status == http.StatusOK, fmt.Sprint(a)
				})
			}
			waiting += got.sent
			p99 := got.took[len(got.took)*99/100]
			t.Logf("%s: %d of %d answered 200, p99 %.1f ms; %s", what, got.statuses[http.StatusOK], got.sent, millis(p99), p)
			if judged && (p99 > bound || got.statuses[http.StatusOK] != got.sent) {
				t.Errorf("%s: answers %v, p99 %s, above %s", what, got.statuses, p99, bound)
			}
			if delete(got.statuses, http.StatusServiceUnavailable); len(got.statuses) > 1 { // a machine that is busy may be too slow
				t.Errorf("%s: answers %v", what, got.statuses)
			}
		}
		answers("the destination is away")

		// More comes into the running gateway, in events of 16 KiB. Were it to hold on to a quarter of each, it would show.
		const size, few, many, each = 16 << 10, 20, 50, 100
		sent := 0
		more := func(batches int) (heap float64) {
			for ; sent < batches; sent++ {
				parts := elements(sent*each, (sent+1)*each)
				for i, part := range parts {
					parts[i] = strings.Replace(part, "{", `{"text":"`+strings.Repeat("x", size)+`",`, 1)
				}
				if a, _ := s.taken(t, "/hooks/mail", batchOf(parts...)); a.status != http.StatusOK {
					t.Fatalf("batch %d: %+v", sent, a)
				}
				p.look(t)
			}
			return p.look(t).heap
		}
		before := more(few)
		after := more(many)
		eventually(t, "the heap is as large as with fewer events waiting, or nearly so", func() (bool, string) {
			s.deliver(t.Context(), caseBody(1, 1000)) // a copy, so that there is something to do
			after = p.look(t).heap
			return after-before < (many-few)*each*size/4, fmt.Sprintf("%.1f MiB, %.1f before %d events more", after/(1<<20), before/(1<<20), (many-few)*each)
		})
		t.Logf("heap with %d events more of 16 KiB: %.1f MiB, %.1f before; %s", (many-few)*each, after/(1<<20), before/(1<<20), p)

		target.start(t)
		answers("the destination is back")
		waiting += many * each
		if !judged {
			drained(t, c, delivered, waiting+first)
			if got := counts(target.stream(t, client, stream)); len(got) != waiting+first || doubled(got) > 0 {
				t.Errorf("%d events are delivered, %d of them twice, want %d", len(got), doubled(got), waiting+first)
			}
		}
		t.Logf("%d events have waited, %d of them were delivered; %s", waiting, delivered()-first, p)
		if p.log > 64<<20 {
			t.Errorf("the WAL grew to %.1f MiB", p.log/(1<<20))
		}
		if judged && p.memory > 512<<20 {
			t.Errorf("%.0f MiB resident", p.memory/(1<<20))
		}
	})
}

// drained waits until so many are delivered, as long as more of them come.
func drained(t *testing.T, c *child, delivered func() int, want int) {
	t.Helper()
	for n := delivered(); n < want; {
		before := n
		eventually(t, "more is delivered", func() (bool, string) {
			n = delivered()
			return n > before || n >= want, fmt.Sprintf("%d of %d: %s", n, want, c.stderr)
		})
	}
}
