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
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// secret signs every delivery; it stands in both servers' configuration.
const secret = "bench-secret-0123456789"

// requests are complete HTTP requests of different signed Sprinklr events, made before the clock starts: building and
// signing is the provider's work, and this machine's two cores are to be spent on taking deliveries.
type requests struct {
	buf  []byte
	ends []int
}

// makeRequests builds n deliveries with ids from first on, each with a body of about size bytes.
func makeRequests(host string, first, n, size int) *requests {
	r := &requests{buf: make([]byte, 0, n*(size+200)), ends: make([]int, 0, n)}
	filler := bytes.Repeat([]byte("a parcel "), size/9+1)
	var body []byte
	mac := hmac.New(sha256.New, []byte(secret))
	second := time.Now().Unix()
	for i := range n {
		id := first + i
		// The id is a Mongo ObjectId: its first four bytes are the second of the event.
		body = fmt.Appendf(body[:0], `{"id":"%08x%016x","type":"case.update","payload":{"id":"6650a2af%016x","version":%d,"description":"`, second, id, id%5000, id)
		const rest = `"},"eventTime":1716560560020,"subscriptionDetails":{"subscriptionId":"6650a1f2c3d4e5f607182930"}}`
		body = append(body, filler[:max(size-len(body)-len(rest), 0)]...)
		body = append(body, rest...)
		mac.Reset()
		mac.Write(body)
		r.buf = fmt.Appendf(r.buf, "POST /hooks/bench HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Hub-Signature: sha256=%s\r\n\r\n",
			host, len(body), hex.EncodeToString(mac.Sum(nil)))
		r.buf = append(r.buf, body...)
		r.ends = append(r.ends, len(r.buf))
	}
	return r
}

func (r *requests) at(i int) []byte {
	start := 0
	if i > 0 {
		start = r.ends[i-1]
	}
	return r.buf[start:r.ends[i]]
}

// outcome is what one run of the generator saw.
type outcome struct {
	took      time.Duration
	statuses  map[int]int
	latencies []time.Duration // sorted
}

func (o outcome) rate() float64 { return float64(o.statuses[200]) / o.took.Seconds() }

func (o outcome) percentile(p float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	return o.latencies[min(int(p*float64(len(o.latencies))), len(o.latencies)-1)]
}

// fire sends every request over so many kept connections, each of which waits for its answer: it measures capacity, and
// latency only as seen by senders that wait.
func fire(address string, r *requests, connections int) (outcome, error) {
	o := outcome{statuses: make(map[int]int), latencies: make([]time.Duration, len(r.ends))}
	var next atomic.Int64
	var mu sync.Mutex
	var failed error
	var senders sync.WaitGroup
	start := time.Now()
	for range connections {
		senders.Go(func() {
			statuses := make(map[int]int)
			err := send(address, r, &next, statuses, o.latencies)
			mu.Lock()
			defer mu.Unlock()
			for status, n := range statuses {
				o.statuses[status] += n
			}
			if err != nil {
				failed = err
			}
		})
	}
	senders.Wait()
	o.took = time.Since(start)
	slices.Sort(o.latencies)
	return o, failed
}

func send(address string, r *requests, next *atomic.Int64, statuses map[int]int, latencies []time.Duration) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 4096)
	for {
		i := int(next.Add(1)) - 1
		if i >= len(r.ends) {
			return nil
		}
		sent := time.Now()
		if err := conn.SetDeadline(sent.Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := conn.Write(r.at(i)); err != nil {
			return err
		}
		status, err := readAnswer(in)
		if err != nil {
			return err
		}
		latencies[i] = time.Since(sent)
		statuses[status]++
	}
}

// readAnswer reads one answer with a Content-Length, which is all that the two servers send. A real client would cost
// more than the server it measures.
func readAnswer(in *bufio.Reader) (status int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length := 0
	for {
		line, err = in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	_, err = io.CopyN(io.Discard, in, int64(length))
	return status, err
}
