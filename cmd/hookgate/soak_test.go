package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// delivered are the events of a run by their number: which were delivered, and how often too much.
type delivered struct {
	mu      sync.Mutex
	seen    []bool
	doubled int
	alien   int // never sent
}

// ServeHTTP is the destination.
func (d *delivered) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var envelope struct {
		Data struct {
			Payload struct {
				Version *int `json:"version"`
			} `json:"payload"`
		} `json:"data"`
	}
	if err == nil {
		err = json.Unmarshal(body, &envelope)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := envelope.Data.Payload.Version
	switch {
	case err != nil || n == nil || *n < 0 || *n >= len(d.seen):
		d.alien++
	case d.seen[*n]:
		d.doubled++
	default:
		d.seen[*n] = true
	}
}

// missing counts those of the first n that did not arrive.
func (d *delivered) missing(n int) (lost int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, there := range d.seen[:n] {
		if !there {
			lost++
		}
	}
	return lost
}

// holds is what a process holds at one moment.
type holds struct {
	after                     time.Duration
	memory, goroutines, files float64 // bytes resident, goroutines, open files
	disk                      float64 // bytes of the journal
	heap                      float64 // bytes of it that are in use, or were before the last collection
}

// look reads it off the metrics.
func look(t *testing.T, address string, begin time.Time) holds {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // a kept one could be closed by the server while it is asked again
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) float64 {
		_, rest, found := strings.Cut(string(body), "\n"+name+" ")
		line, _, _ := strings.Cut(rest, "\n")
		v, err := strconv.ParseFloat(line, 64)
		if !found || err != nil {
			t.Fatalf("no metric %s (%v)", name, err)
		}
		return v
	}
	return holds{time.Since(begin), value("process_resident_memory_bytes"), value("go_goroutines"), value("process_open_fds"), value("hookgate_journal_bytes"), value("go_memstats_heap_alloc_bytes")}
}

// slope is how much a value grows an hour, by least squares.
func slope(all []holds, value func(holds) float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for _, h := range all {
		x, y := h.after.Hours(), value(h)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

// TestR20_Soak: a steady load. Every event is answered 200 and delivered once; when it ends, goroutines and files
// are back but for what the pools of connections keep. HOOKGATE_TEST_LONG=1 makes it two hours at 1,000 a second, another length there makes it as long as that; then the
// memory and the disk must be flat as well, once retention has begun to take away what is older than ten minutes.
func TestR20_Soak(t *testing.T) {
	t.Parallel()
	length, rate, every := 4*time.Second, 200, time.Second/4
	if text := os.Getenv("HOOKGATE_TEST_LONG"); text != "" {
		length, rate, every = 2*time.Hour, 1000, 30*time.Second
		if d, err := time.ParseDuration(text); err == nil {
			length = d
		}
	}
	judged := length >= time.Hour
	d := &delivered{seen: make([]bool, int(length.Seconds()+1)*rate)}
	target := httptest.NewServer(d)
	t.Cleanup(target.Close)
	config := scenario(filepath.Join(t.TempDir(), "j.db"), fmt.Sprintf("  - {name: events, type: http, url: %q, allow_private: true}\n", target.URL))
	admin := "127.0.0.1:" + freePort(t)
	config = strings.Replace(config, `"127.0.0.1:0"`, strconv.Quote(admin), 1)
	config = strings.Replace(config, ".db\"", ".db\", retention: 10m", 1)
	config = strings.Replace(config, "provider: sprinklr\n", "provider: sprinklr\n    dedupe: {window: 10m}\n", 1)
	c := startChild(t, config)

	eventually(t, "the metrics are served", func() (bool, string) {
		conn, err := net.Dial("tcp", admin)
		return err == nil && conn.Close() == nil, fmt.Sprint(err)
	})
	begin := time.Now()
	idle := look(t, admin, begin)
	var all []holds
	p := &pacer{s: newSender(t, c.hooks), rate: rate}
	p.next.Store(-1)
	came := make(chan *stretch, 1)
	go func() { came <- p.run(t, length) }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	var s *stretch
	for s == nil {
		select {
		case s = <-came:
		case <-tick.C:
			h := look(t, admin, begin)
			all = append(all, h)
			if n := len(all); n%10 == 0 {
				t.Logf("%s: %.1f MiB, %.0f goroutines, %.0f files, journal %.1f MiB", h.after.Round(time.Second), h.memory/(1<<20), h.goroutines, h.files, h.disk/(1<<20))
			}
		}
	}
	for status, n := range s.statuses {
		if status != http.StatusOK && (judged || status != http.StatusServiceUnavailable) { // a machine that is busy with other tests may be too slow
			t.Errorf("%d answers of %d", n, status)
		}
	}
	if s.statuses[http.StatusOK] == s.sent {
		eventually(t, "every event is delivered", func() (bool, string) {
			lost := d.missing(s.sent)
			return lost == 0, fmt.Sprint(lost, " are missing")
		})
	}
	d.mu.Lock()
	doubled, alien := d.doubled, d.alien
	d.mu.Unlock()
	if doubled > 0 || alien > 0 {
		t.Errorf("%d doubled, %d that were never sent", doubled, alien)
	}
	t.Logf("%d sent, %d answered 200, p99 %.1f ms", s.sent, s.statuses[http.StatusOK], millis(s.took[len(s.took)*99/100]))
	p.s.client.CloseIdleConnections()
	eventually(t, "goroutines and files are given back", func() (bool, string) {
		last := look(t, admin, begin) // the pools keep some connections
		return last.goroutines <= idle.goroutines+64 && last.files <= idle.files+64, fmt.Sprintf("%+v, before %+v", last, idle)
	})
	if !judged {
		return
	}
	warm := all[len(all)/4:] // by then the retention has begun
	mib := func(value func(holds) float64) float64 { return slope(warm, value) / (1 << 20) }
	memory, disk := mib(func(h holds) float64 { return h.memory }), mib(func(h holds) float64 { return h.disk })
	t.Logf("after a quarter of %s: memory %+.2f MiB an hour, goroutines %+.2f, files %+.2f, disk %+.1f MiB", length, memory,
		slope(warm, func(h holds) float64 { return h.goroutines }), slope(warm, func(h holds) float64 { return h.files }), disk)
	if memory > 1 {
		t.Errorf("the memory grows by %.2f MiB an hour", memory)
	}
	if at := warm[0].disk / (1 << 20); disk > at/10 {
		t.Errorf("the disk grows by %.1f MiB an hour from %.1f", disk, at)
	}
}
