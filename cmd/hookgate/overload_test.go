package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowLink passes bytes on to target, so many a second (0: at any speed), and its answers back with a delay, as a server
// far away does: what comes together arrives together.
func slowLink(t *testing.T, target string, perSecond int, delay time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	width := &width{perSecond: perSecond}
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				_ = near.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, near, far)
			mu.Unlock()
			all.Go(func() {
				narrow(far, near, width)
				_ = far.Close()
			})
			all.Go(func() { late(near, far, delay) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// width is what all connections of a link share.
type width struct {
	perSecond int
	mu        sync.Mutex
}

func (w *width) pass(n int) {
	if w.perSecond == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	<-time.After(time.Duration(n) * time.Second / time.Duration(w.perSecond))
}

// narrow copies no faster than the link is wide.
func narrow(dst, src net.Conn, w *width) {
	buf := make([]byte, 8<<10)
	for {
		n, err := src.Read(buf)
		w.pass(n)
		if _, broken := dst.Write(buf[:n]); err != nil || broken != nil {
			return
		}
	}
}

// late copies with a delay that does not add up.
func late(dst, src net.Conn, delay time.Duration) {
	type part struct {
		bytes []byte
		due   time.Time
	}
	parts := make(chan part, 4096)
	var writing sync.WaitGroup
	writing.Go(func() {
		for p := range parts {
			<-time.After(time.Until(p.due))
			if _, err := dst.Write(p.bytes); err != nil {
				_ = src.Close()
			}
		}
		_ = dst.Close()
	})
	for {
		buf := make([]byte, 16<<10)
		n, err := src.Read(buf)
		if n > 0 {
			parts <- part{buf[:n], time.Now().Add(delay)}
		}
		if err != nil {
			break
		}
	}
	close(parts)
	writing.Wait()
}

// TestR15_Overload: ten times what can be taken. Every answer is 200, 429 or 503 that says when to come again, what was
// answered 200 is delivered once, and afterwards everything is as before. What can be taken is made small in ways that a
// user meets, because one machine cannot offer ten times what it takes at its best. With HOOKGATE_TEST_LONG=1 it lasts a
// minute, and is judged: nine tenths of the capacity are served all the time, in less than half a second, the rest is
// refused within 5 ms more than it takes an idle gateway beside it to say 404, and 5 s later all is normal. Forgeries in such
// numbers are those of TestH10_AFloodOfForgeries.
func TestR15_Overload(t *testing.T) {
	inTurn := func(t *testing.T) { // where time is judged
		if _, judged := long(0, 0); !judged {
			t.Parallel()
		}
	}
	inTurn(t)
	most := sized(1<<18, 8<<20) // events of one case
	const window = 1024         // of a destination that says nothing else
	for _, c := range []struct {
		name   string
		few    int // connections that the capacity is measured with
		lines  int
		config func(t *testing.T, destinations string) string
		change func(*exec.Cmd)
		again  int  // how many may be repeated
		beyond bool // ten times the capacity are more than this machine can offer: nothing is judged by speed
	}{
		{name: "a source with a rate", few: 4, lines: 64, config: func(t *testing.T, destinations string) string {
			config := scenario(filepath.Join(t.TempDir(), "j.db"), destinations)
			return strings.Replace(config, "provider: sprinklr\n", fmt.Sprintf("provider: sprinklr\n    rate: %d/s\n", sized(50, 1000)), 1)
		}},
		{name: "few at once before a Redis far away", few: 40, lines: 512, again: window, config: func(t *testing.T, destinations string) string {
			return farRedis(t, destinations, 0, 100*time.Millisecond) + "limits: {in_flight: 48}\n"
		}},
		{name: "a Redis behind a narrow link", few: 128, lines: 512, again: window, config: func(t *testing.T, destinations string) string {
			return farRedis(t, destinations, 600_000, 0)
		}},
		{name: "one slow processor", few: 64, lines: 512, config: func(t *testing.T, destinations string) string {
			return scenario(filepath.Join(t.TempDir(), "j.db"), destinations)
		}, change: oneProcessor, beyond: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTurn(t)
			d := &delivered{seen: make([]bool, most)}
			target := httptest.NewServer(d)
			t.Cleanup(target.Close)
			config := c.config(t, fmt.Sprintf("  - {name: events, type: http, url: %q, allow_private: true}\n", target.URL)) + "log: {level: error}\n"
			p := startChild(t, config, func(cmd *exec.Cmd) {
				cmd.Stderr = nil // a line for every refusal would be the test's own work
				if c.change != nil {
					c.change(cmd)
				}
			})
			s := &storm{address: p.hooks, path: "/hooks/care", next: new(atomic.Int64), acked: make([]bool, most)}

			s.lines = c.few
			measure, _ := long(time.Second, 5*time.Second)
			s.run(t, 0, measure)
			capacity := s.run(t, 0, measure)
			t.Logf("capacity: %s", capacity)
			s.lines = c.lines
			length, judged := long(2*time.Second, time.Minute)
			half, offer := max(int(capacity.served())/2, 1), 10*int(capacity.served())
			if offer = max(min(offer, 20_000), 10); !judged {
				offer = min(offer, 1000)
			}
			over, control := overload(t, s, offer, length)
			settle, _ := long(time.Second/2, 5*time.Second)
			back := s.run(t, min(half, offer), settle)
			t.Logf("the next %s: %s", settle, back)
			after := s.run(t, min(half, offer), settle)
			t.Logf("then: %s", after)

			for _, v := range []*volley{capacity, over, back, after} {
				for _, x := range v.shots {
					if (x.status != http.StatusOK && x.status != http.StatusTooManyRequests && x.status != http.StatusServiceUnavailable) || x.hopeless {
						t.Fatalf("%+v: want 200, or 429 or 503 with a Retry-After", x)
					}
				}
			}
			eventually(t, "a delivery is taken", func() (bool, string) {
				v := s.run(t, 1, time.Millisecond)
				return v.count(http.StatusOK) > 0, fmt.Sprint(v)
			})
			d.once(t, s, c.again)
			if !judged || c.beyond {
				return
			}
			machine := control.percentile(0.99, refused, fromSent)
			for what, bad := range map[string]bool{
				"less than 0.9 of the capacity is served":            over.served() < 0.9*capacity.served(),
				"the p99 of what is accepted is not below 500 ms":    over.percentile(0.99, accepted, fromSent) >= 500*time.Millisecond,
				"the p99 of refusals is not below 5 ms":              over.percentile(0.99, refused, fromSent) >= 5*time.Millisecond+machine,
				"5 s after the overload not everything is taken":     after.count(http.StatusOK) < len(after.shots),
				"5 s after the overload the p99 is not below 500 ms": after.percentile(0.99, accepted, fromSent) >= 500*time.Millisecond,
			} {
				if bad {
					t.Error(what)
				}
			}
		})
	}
}

// overload runs the storm, and beside it asks a gateway that has nothing to do for something that it does not have: how long
// that takes is the machine's doing.
func overload(t *testing.T, s *storm, offer int, length time.Duration) (over, control *volley) {
	t.Helper()
	idle := startChild(t, scenario(filepath.Join(t.TempDir(), "j.db"), fileAt(filepath.Join(t.TempDir(), "none"))))
	beside := &storm{address: idle.hooks, path: "/nothing", lines: 16, next: new(atomic.Int64)}
	var running sync.WaitGroup
	running.Go(func() { control = beside.run(t, 100, length) })
	over = s.run(t, offer, length)
	running.Wait()
	idle.kill()
	t.Logf("overload: %s\n404 of an idle gateway beside it: p50 %.2f ms p99 %.2f ms from sending", over,
		millis(control.percentile(0.5, refused, fromSent)), millis(control.percentile(0.99, refused, fromSent)))
	return over, control
}

// farRedis is a scenario whose journal is on a Redis at the other end of a slow link.
func farRedis(t *testing.T, destinations string, perSecond int, delay time.Duration) string {
	t.Helper()
	link := slowLink(t, "127.0.0.1:"+startOwnRedis(t).port, perSecond, delay)
	return onRedis("redis://"+link+"/0", "", destinations)
}

// oneProcessor gives the program one, and everybody else goes first.
func oneProcessor(cmd *exec.Cmd) {
	cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
	if nice, err := exec.LookPath("nice"); err == nil {
		cmd.Path, cmd.Args = nice, append([]string{"nice", "-n", "5"}, cmd.Args...)
	}
}

// once waits until everything that was answered 200 is delivered. So many may be there again: a node that got no time loses
// its parts of a journal on Redis, and has what it was about to confirm repeated.
func (d *delivered) once(t *testing.T, s *storm, again int) {
	t.Helper()
	eventually(t, "everything that was answered 200 is delivered", func() (bool, string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		lost := 0
		for n, acked := range s.acked {
			if acked && !d.seen[n] {
				lost++
			}
		}
		return lost == 0, fmt.Sprint(lost, " are missing")
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.doubled > again || d.alien > 0 {
		t.Errorf("%d doubled, %d that were never sent", d.doubled, d.alien)
	}
}
