package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// storm offers events faster than they can be taken. Each is due at its time, whatever became of those before. It writes
// requests to bare connections, because a real client would cost more than the gateway that it shares the machine with.
type storm struct {
	address string
	path    string
	from    string // the address that it comes from; the system's choice when empty
	forged  bool
	lines   int // connections; each has one event under way at most
	next    *atomic.Int64
	acked   []bool // by number: answered 200
}

// comeAgain is how long those who wait for their answers wait after a refusal; the gateway asks for more.
const comeAgain = 100 * time.Millisecond

// shot is one event: when it was due, sent and answered, from the begin on.
type shot struct {
	status          int // 0 without an answer
	hopeless        bool
	due, sent, done time.Duration
}

// run offers so many a second; at a rate of 0 each line sends its next event when the last one is answered.
func (s *storm) run(t *testing.T, rate int, length time.Duration) *volley {
	t.Helper()
	var slot atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	v := &volley{length: length, rate: rate}
	start := make(chan struct{})
	var begin time.Time
	for range s.lines {
		l := &line{storm: s, mac: hmac.New(sha256.New, []byte(scenarioSecret))}
		if err := l.dial(); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			var shots []shot
			timer := time.NewTimer(time.Hour)
			defer timer.Stop()
			<-start
			for {
				due := time.Since(begin)
				if k := slot.Add(1) - 1; rate > 0 {
					due = time.Duration(k) * time.Second / time.Duration(rate)
				}
				if due >= length || time.Since(begin) > length { // what is due and finds no line is not offered
					break
				}
				if wait := due - time.Since(begin); wait > 0 {
					timer.Reset(wait)
					<-timer.C
				}
				x := shot{due: due, sent: time.Since(begin)}
				x.status, x.hopeless = l.send(int(s.next.Add(1)) - 1)
				x.done = time.Since(begin)
				shots = append(shots, x)
				if rate == 0 && x.status != http.StatusOK { // who is told to come later does
					timer.Reset(comeAgain)
					<-timer.C
				}
			}
			_ = l.conn.Close()
			mu.Lock()
			defer mu.Unlock()
			v.shots = append(v.shots, shots...)
		})
	}
	begin = time.Now()
	close(start)
	wg.Wait()
	return v
}

// line is one connection.
type line struct {
	storm *storm
	conn  net.Conn
	in    *bufio.Reader
	mac   interface {
		io.Writer
		Reset()
		Sum([]byte) []byte
	}
	buf  []byte
	used time.Time
}

func (l *line) dial() (err error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if l.storm.from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(l.storm.from)}
	}
	if l.conn, err = d.Dial("tcp", l.storm.address); err == nil {
		l.in = bufio.NewReaderSize(l.conn, 2048)
	}
	return err
}

// send delivers the n-th event. A refusal is hopeless when it does not say when to come again.
func (l *line) send(n int) (status int, hopeless bool) {
	body := caseBody(n, 50)
	l.mac.Reset()
	if l.storm.forged {
		_, _ = io.WriteString(l.mac, "another body")
	}
	_, _ = io.WriteString(l.mac, body)
	l.buf = fmt.Appendf(l.buf[:0], "POST %s HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\nX-Hub-Signature: sha256=%s\r\n\r\n%s", l.storm.path, len(body), hex.EncodeToString(l.mac.Sum(nil)), body)
	now := time.Now()
	if now.Sub(l.used) > time.Second { // the gateway closes what says nothing for three
		_ = l.conn.Close()
		if l.dial() != nil {
			return 0, false
		}
	}
	l.used = now
	_ = l.conn.SetDeadline(now.Add(20 * time.Second))
	_, err := l.conn.Write(l.buf)
	again := false
	if err == nil {
		status, again, err = readAnswer(l.in)
	}
	if err != nil {
		_ = l.conn.Close()
		_ = l.dial() // if not now, then the next event fails
		return 0, false
	}
	if status == http.StatusOK {
		l.storm.acked[n] = true
	}
	return status, !again && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable)
}

// readAnswer reads one answer that announces its length, as all of the gateway's do.
func readAnswer(in *bufio.Reader) (status int, again bool, err error) {
	text, err := in.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	if len(text) < 12 {
		return 0, false, fmt.Errorf("status line %q", text)
	}
	if status, err = strconv.Atoi(string(text[9:12])); err != nil {
		return 0, false, err
	}
	length := 0
	for {
		if text, err = in.ReadSlice('\n'); err != nil {
			return 0, false, err
		}
		name, value, found := bytes.Cut(bytes.TrimSpace(text), []byte(":"))
		switch {
		case !found:
			_, err = io.CopyN(io.Discard, in, int64(length))
			return status, again, err
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, false, err
			}
		case bytes.EqualFold(name, []byte("Retry-After")):
			again = true
		}
	}
}

// volley is what came of a run.
type volley struct {
	length time.Duration
	rate   int
	shots  []shot
}

func (v *volley) count(status int) (n int) {
	for _, x := range v.shots {
		if x.status == status {
			n++
		}
	}
	return n
}

// served is how many a second were answered 200.
func (v *volley) served() float64 { return float64(v.count(http.StatusOK)) / v.length.Seconds() }

// percentile is that of the answers with the status of which is true.
func (v *volley) percentile(p float64, which func(int) bool, took func(shot) time.Duration) time.Duration {
	var all []time.Duration
	for _, x := range v.shots {
		if which(x.status) {
			all = append(all, took(x))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(p*float64(len(all))), len(all)-1)]
}

func fromDue(x shot) time.Duration  { return x.done - x.due }
func fromSent(x shot) time.Duration { return x.done - x.sent }
func lateness(x shot) time.Duration { return x.sent - x.due }

func accepted(status int) bool { return status == http.StatusOK }
func refused(status int) bool  { return !accepted(status) }

// String tells the figures.
func (v *volley) String() string {
	var b strings.Builder
	statuses := make(map[int]int)
	for _, x := range v.shots {
		statuses[x.status]++
	}
	fmt.Fprintf(&b, "%d/s due for %s, %.0f/s offered: %v, served %.0f/s", v.rate, v.length, float64(len(v.shots))/v.length.Seconds(), statuses, v.served())
	for _, kind := range []struct {
		name  string
		which func(int) bool
		took  func(shot) time.Duration
	}{
		{"sent late by", func(int) bool { return true }, lateness},
		{"200 from when due", accepted, fromDue}, {"200 from sending", accepted, fromSent},
		{"others from when due", refused, fromDue}, {"others from sending", refused, fromSent},
	} {
		fmt.Fprintf(&b, "\n\t%-21s", kind.name)
		for _, p := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
			fmt.Fprintf(&b, "  p%g %.2f ms", 100*p, millis(v.percentile(p, kind.which, kind.took)))
		}
	}
	return b.String()
}
