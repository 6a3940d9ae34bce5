//go:build linux

package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// signed are n deliveries of 900 bytes, or of as many as told.
func signed(t *testing.T, n, size int) requests {
	t.Helper()
	p, err := newProvider("hub-signature", nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := prepare(n, p, func(i int) delivery { return delivery{"/hooks/bench", p.body(i, size)} })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func serve(t *testing.T, h http.HandlerFunc) (address string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestBareHandler takes what is signed and refuses what is forged, at full speed and by the clock.
func TestBareHandler(t *testing.T) {
	t.Parallel()
	all := signed(t, 500, 900)
	for name, c := range map[string]struct {
		requests requests
		rate     float64
		status   int
	}{
		"capacity": {all, 0, 200}, "by the clock": {all, 10_000, 200}, "forged": {all.forge(), 0, 401}, "large": {signed(t, 20, 1_000_000), 0, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := fire(load{address: serve(t, serveBare), requests: c.requests, connections: 8, rate: c.rate})
			if err != nil {
				t.Fatal(err)
			}
			n := len(c.requests)
			if o.sent != n || o.statuses[c.status] != n || o.latency.TotalCount() != int64(n) {
				t.Errorf("%d sent, %v, %d latencies; want %d times %d", o.sent, o.statuses, o.latency.TotalCount(), n, c.status)
			}
			if got, want := count(o.acked), int64(o.statuses[200]); got != want {
				t.Errorf("%d are held to be acknowledged, %d were", got, want)
			}
		})
	}
}

// TestEveryRequestOnce sends in turn: each arrives once, and where more are asked for than there are, each as often.
func TestEveryRequestOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen[string(body)]++
	})
	if _, err := fire(load{address: address, requests: signed(t, 100, 300), count: 300, connections: 7}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 100 {
		t.Errorf("%d different requests, want 100", len(seen))
	}
	for body, n := range seen {
		if n != 3 {
			t.Errorf("%d times %.60s", n, body)
		}
	}
}

// TestStallIsSeen holds the first answer back. By the clock every later request waits behind it on the one connection, and
// must be told to have waited, although each was answered at once when it was sent.
func TestStallIsSeen(t *testing.T) {
	t.Parallel()
	const held, n = 400 * time.Millisecond, 100
	var once sync.Once
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { <-time.After(held) })
	})
	o, err := fire(load{address: address, requests: signed(t, n, 200), connections: 1, rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	// The last one was due after 100 ms and could not leave before 400 ms.
	if least := o.latency.ValueAtPercentile(1); least < 290_000 {
		t.Errorf("the least latency is %d us, want 300,000 or more", least)
	}
	if late := o.late.ValueAtPercentile(50); late < 290_000 {
		t.Errorf("half of the requests left less than %d us late", late)
	}
}

func TestGeneratorGivesUp(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	hangsUp := serve(t, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	for name, address := range map[string]string{"nobody listens": gone.Addr().String(), "the server hangs up": hangsUp} {
		if _, err := fire(load{address: address, requests: signed(t, 1, 200), connections: 1}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\n"
	for name, c := range map[string]struct {
		text           string
		status, length int
		wrong          string
	}{
		"whole":          {head + "hello", 200, len(head) + 5, ""},
		"part of a body": {head + "he", 200, len(head) + 5, ""},
		"part of a head": {head[:20], 0, 0, ""},
		"nothing":        {"", 0, 0, ""},
		"last header":    {"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", 503, 37, ""},
		"chunked":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 0, "without Content-Length"},
		"no number":      {"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", 0, 0, "answer"},
		"too short":      {"HTTP/1.1\r\n\r\n", 0, 0, "answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, length, err := parseAnswer([]byte(c.text))
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("error %v, want one with %q", err, c.wrong)
				}
				return
			}
			if status != c.status || length != c.length || err != nil {
				t.Errorf("status %d, length %d, %v; want %d and %d", status, length, err, c.status, c.length)
			}
		})
	}
}
