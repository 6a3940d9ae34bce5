package outbound

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const childVariable = "HOOKGATE_OUTBOUND_TEST_CHILD"

// restless is a provider with six retries a few milliseconds apart.
func restless() provider {
	p := fake()
	p.retries = []time.Duration{20 * time.Millisecond, 0, 40 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 20 * time.Millisecond}
	return p
}

// childMain is the life of a child process: it delivers, publishes as many events as it was told and prints the ids of
// their deliveries.
func childMain() bool {
	path, count, found := strings.Cut(os.Getenv(childVariable), "|")
	if !found {
		return false
	}
	s, err := New(Options{Path: path, AllowPrivate: true})
	if err != nil {
		fmt.Println("error", err)
		return true
	}
	s.providers = map[string]provider{"bird": restless()}
	go func() { _ = s.Run(context.Background()) }()
	var n int
	_, _ = fmt.Sscan(count, &n)
	for i := range n {
		ids, err := s.Publish(context.Background(), "bird", Event{Type: "sms.inbound", Payload: json.RawMessage(fmt.Sprint(i))})
		if err != nil {
			fmt.Println("error", err)
			return true
		}
		_, _ = os.Stdout.WriteString(ids[0] + "\n") // at once: a buffer would die with us
	}
	select {}
}

// TestKill kills the process again and again while deliveries fail and are tried again. Every delivery that was
// acknowledged must have all its attempts in the end, none of them twice, and only one that was under way at a kill may
// be missing at the receiver.
func TestKill(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	arrived := map[string]int{} // by delivery and attempt
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		var body struct {
			Delivery string
			Attempt  int
		}
		if err != nil || json.Unmarshal(raw, &body) != nil {
			return // cut off by a kill
		}
		mu.Lock()
		arrived[fmt.Sprint(body.Delivery, " ", body.Attempt)]++
		mu.Unlock()
		w.WriteHeader(500)
	}))
	defer server.Close()

	path := storePath(t)
	s := open(t, path, nil, nil)
	subscribe(t, s, "a", server.URL, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var acknowledged []string
	for round := range 8 {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), childVariable+"="+path+"|30")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var trouble bytes.Buffer
		cmd.Stderr = &trouble
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		stop := 10 + random.IntN(21)
		for n := 1; lines.Scan(); n++ {
			id := lines.Text()
			if rawID(id) == nil {
				t.Fatalf("round %d: the child says %q", round, id)
			}
			acknowledged = append(acknowledged, id)
			if n == stop {
				mu.Lock()
				before := len(arrived)
				mu.Unlock()
				more := random.IntN(40)
				eventually(t, "more requests", func() bool {
					mu.Lock()
					defer mu.Unlock()
					return len(arrived) >= before+more
				})
				_ = cmd.Process.Kill() // what it still prints counts too
			}
		}
		_ = cmd.Wait() // it was killed
		if trouble.Len() > 0 {
			t.Fatalf("round %d: %s", round, trouble.String())
		}
	}

	s = open(t, path, nil, func(_ *Options, p *provider) { *p = restless() })
	start(t, s)
	eventually(t, "all have ended", func() bool {
		n, err := s.Count(t.Context(), LogQuery{States: []State{Gathering, Waiting}})
		return err == nil && n == 0
	})
	interrupted := 0
	for _, id := range acknowledged {
		d, attempts := delivery(t, s, id)
		if d.State != Failed || d.Attempts != 7 || len(attempts) != 7 {
			t.Fatalf("%s is %s after %d attempts, of which %d are recorded", id, d.State, d.Attempts, len(attempts))
		}
		for i, a := range attempts {
			n := arrived[fmt.Sprint(id, " ", i+1)]
			cut := a.Error == errInterrupted.Error()
			if cut {
				interrupted++
			}
			if a.Number != i+1 || n > 1 || (n == 0 && !cut) || (!cut && a.Status != 500) {
				t.Errorf("%s: attempt %d arrived %d times: %+v", id, i+1, n, a)
			}
		}
	}
	if interrupted == 0 {
		t.Error("no attempt was interrupted: this test has shown nothing")
	}
	total, err := s.Count(t.Context(), LogQuery{})
	if err != nil || total < int64(len(acknowledged)) {
		t.Errorf("%d acknowledged, %d in the log, %v", len(acknowledged), total, err)
	}
	t.Logf("%d acknowledged, %d attempts interrupted, %d requests", len(acknowledged), interrupted, len(arrived))
}

// TestRestart demands that a schedule goes on where it was when the program is started again, and what was due meanwhile
// goes out at once.
func TestRestart(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, status(500))
	path := storePath(t)
	var id string
	for n, wait := range []time.Duration{0, time.Minute, 30 * time.Minute, 3 * time.Minute} { // the third is late
		s := open(t, path, clock, nil)
		if n == 0 {
			subscribe(t, s, "a", rc.URL, nil)
			id = publish(t, s, `1`)
			if err := s.Close(); err != nil { // published is durable, without a single attempt
				t.Fatal(err)
			}
			s = open(t, path, clock, nil)
		}
		stop := start(t, s)
		if n > 0 && n != 2 {
			if d, _ := delivery(t, s, id); !d.NextAt.Equal(clock.Now().Add(wait)) {
				t.Errorf("attempt %d is planned for %v", n+1, d.NextAt)
			}
			eventually(t, "the wait", func() bool { return clock.waitsFor(clock.Now().Add(wait)) })
		}
		clock.Advance(wait)
		settled(t, s, id, n+1)
		if got := rc.count(); got != n+1 {
			t.Errorf("%d requests, not %d", got, n+1)
		}
		stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path, clock, nil)
	if d, _ := delivery(t, s, id); d.State != Failed || d.Attempts != 4 {
		t.Errorf("%+v", d)
	}
}

// TestInterrupted plants an attempt without an outcome, as a kill leaves it.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		retries []time.Duration
		ordered bool
		state   State
		next    time.Duration // after the start of the attempt
	}{
		{"in the middle", []time.Duration{time.Hour}, false, Waiting, time.Hour},
		{"overdue", []time.Duration{time.Second}, false, Failed, 0},
		{"the last", nil, false, Failed, 0},
		{"by hand", []time.Duration{time.Hour, time.Hour}, true, Failed, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := newFakeClock()
			rc := newReceiver(t, clock, status(500))
			path := storePath(t)
			observed := 0
			change := func(_ *Options, p *provider) {
				p.retries = c.retries
				p.observe = func(*Subscription, *Delivery, *Attempt, bool) { observed++ }
			}
			s := open(t, path, clock, change)
			subscribe(t, s, "a", rc.URL, nil)
			id := publish(t, s, `1`)
			began := clock.Now()
			if err := s.store.change(t.Context(), func(tx *tx) error {
				_, err := tx.exec("UPDATE deliveries SET running = ?, attempts = 1, first = ?, ordered = ?, manual = ?", millis(began), millis(began), c.ordered, c.ordered)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			clock.Advance(10 * time.Second)
			s = open(t, path, clock, change)
			start(t, s)
			d := settled(t, s, id, 1)
			if c.name == "overdue" { // the second attempt goes out at once
				d = settled(t, s, id, 2)
			} else if rc.count() != 0 {
				t.Errorf("%d requests", rc.count())
			}
			_, attempts := delivery(t, s, id)
			if a := attempts[0]; a.Error != "interrupted by a stop" || !a.At.Equal(began) || a.Manual != c.ordered || a.Number != 1 {
				t.Errorf("%+v", a)
			}
			if d.State != c.state || (c.next > 0 && !d.NextAt.Equal(began.Add(c.next))) {
				t.Errorf("%s, next at %v", d.State, d.NextAt)
			}
			if sub, err := s.Get(t.Context(), "bird", "a"); err != nil || sub.LastFailure.IsZero() != (c.state == Waiting) {
				t.Errorf("the last failure was at %v, %v", sub.LastFailure, err)
			}
			if c.state == Failed {
				if skipped, err := s.Retry(t.Context(), []string{id}, 5); err != nil || len(skipped) != 0 {
					t.Errorf("%v, %v", skipped, err)
				}
				settled(t, s, id, d.Attempts+1)
			}
			stopRun(t, s)
			if want := rc.count(); observed != want {
				t.Errorf("%d attempts were observed, not %d", observed, want)
			}
		})
	}
}
