package outbound

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSchedule lets a receiver fail by script and demands each attempt at its exact time by the clock.
func TestSchedule(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for _, c := range []struct {
		name    string
		script  func(n int, w http.ResponseWriter, r *http.Request)
		timeout bool // the clock must pass the time-out before an attempt ends
		status  int
		err     string
	}{
		{name: "500", script: status(500), status: 500, err: "the answer was 500 Internal Server Error"},
		{name: "410", script: status(410), status: 410, err: "the answer was 410 Gone"},
		{name: "301", script: func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(301)
		}, status: 301, err: "the answer was 301 Moved Permanently, and redirects are not followed"},
		{name: "reset", script: func(_ int, w http.ResponseWriter, r *http.Request) { reset(w) }, err: "connection reset"},
		{name: "closed", script: func(_ int, w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, err: "closed before the answer"},
		{name: "time-out", script: func(_ int, w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		}, timeout: true, err: "no whole answer within 5s"},
		{name: "slow body", script: func(_ int, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			_, _ = w.Write([]byte("so far"))
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		}, timeout: true, status: 200, err: "no whole answer within 5s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := newFakeClock()
			began := clock.Now()
			rc := newReceiver(t, clock, c.script)
			s := open(t, storePath(t), clock, nil)
			start(t, s)
			subscribe(t, s, "a", rc.URL+"/hook?x=1", nil)
			id := publish(t, s, `{"n":9007199254740993}`)
			want := began
			for n, wait := range []time.Duration{0, time.Minute, 2 * time.Minute, 3 * time.Minute} {
				if wait > 0 {
					eventually(t, "the engine waits", func() bool { return clock.waitsFor(want.Add(wait)) })
					clock.Advance(wait - time.Millisecond)
					clock.Advance(time.Millisecond)
					want = want.Add(wait)
				}
				eventually(t, "the request", func() bool { return rc.count() == n+1 })
				if at := rc.requests()[n].At; !at.Equal(want) {
					t.Errorf("request %d at %v, not %v", n+1, at, want)
				}
				if c.timeout {
					eventually(t, "the time-out", func() bool { return clock.waitsFor(want.Add(5 * time.Second)) })
					clock.Advance(5 * time.Second)
					want = want.Add(5 * time.Second)
				}
				settled(t, s, id, n+1)
			}
			d, attempts := delivery(t, s, id)
			if d.State != Failed || d.Attempts != 4 || d.Manual != 0 || !d.NextAt.IsZero() || !d.FirstAttempt.Equal(began) {
				t.Errorf("at the end: %+v", d)
			}
			for i, a := range attempts {
				early := c.name == "slow body" && a.Status == 0 // the time was out before the answer's beginning was read
				if a.Number != i+1 || (a.Status != c.status && !early) || !strings.Contains(a.Error, c.err) || a.Manual {
					t.Errorf("attempt %d: %+v", i+1, a)
				}
			}
			clock.Advance(time.Hour)
			for i, r := range rc.requests() {
				if r.Method != "POST" || r.Target != "/hook?x=1" {
					t.Errorf("request %d is %s %s", i+1, r.Method, r.Target)
				}
				if want := fmt.Sprintf(`{"attempt":%d,"delivery":%q,"events":[{"n":9007199254740993}]}`, i+1, id); r.Body != want {
					t.Errorf("request %d has the body %s", i+1, r.Body)
				}
			}
			sub, err := s.Get(t.Context(), "bird", "a")
			if err != nil {
				t.Fatal(err)
			}
			if sub.Failures != 1 || !sub.LastSuccess.IsZero() || sub.LastFailure.IsZero() {
				t.Errorf("the subscription counts %d, %v, %v", sub.Failures, sub.LastSuccess, sub.LastFailure)
			}
		})
	}
}

// reset ends the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}
