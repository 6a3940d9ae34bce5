//go:build linux

package main

import (
	"fmt"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// load is what the generator is to do: count requests, taken from the prepared ones in turn, over kept connections.
type load struct {
	address     string
	requests    requests
	count       int // all of them once where it is 0
	connections int
	// rate is requests a second on a schedule that is fixed beforehand and waits for no answer: a latency counts from the
	// moment at which the schedule has the request, so that a server that stalls cannot hide how long others would have
	// waited. 0 sends on each connection as soon as the last answer has come, which is what measures capacity.
	rate float64
}

// stalled is how long nothing may happen before the generator gives up.
const stalled = 10 * time.Second

// outcome is what one run of the generator saw. Latencies are in microseconds.
type outcome struct {
	sent     int
	took     time.Duration // from the first request to the last answer
	statuses map[int]int
	acked    []bool // by request: answered 200
	latency  *hdrhistogram.Histogram
	late     *hdrhistogram.Histogram // how late requests left by the schedule, for want of time or of a free connection
	cpu      time.Duration           // of the generator
}

func (o *outcome) perSecond() float64 { return float64(o.sent) / o.took.Seconds() }

// newHistogram holds a microsecond to a minute with three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

// generator is one thread around epoll. A goroutine a connection costs more, and Go's timers are a millisecond coarse on a
// machine that is idle otherwise; the cores are to be spent on the server.
type generator struct {
	load
	*outcome
	links  []link
	idle   chan int32 // links without a request under way; the one that has waited longest is next, so that the server closes none
	byFile map[int32]int32
	began  time.Time
	next   int // the request that leaves next
	done   int
}

// fire runs a load to its end.
func fire(l load) (*outcome, error) {
	if l.count == 0 {
		l.count = len(l.requests)
	}
	g := &generator{load: l, idle: make(chan int32, l.connections), byFile: make(map[int32]int32, l.connections), outcome: &outcome{
		statuses: map[int]int{}, acked: make([]bool, len(l.requests)), latency: newHistogram(), late: newHistogram(),
	}}
	defer g.hangUp()
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	defer syscall.Close(epoll)
	if err := g.dial(epoll); err != nil {
		return nil, err
	}
	before := ownCPU()
	g.began = time.Now()
	if err := g.run(epoll); err != nil {
		return nil, fmt.Errorf("%w after %d of %d answers; by status: %v", err, g.done, g.count, g.statuses)
	}
	g.took, g.sent, g.cpu = time.Since(g.began), g.done, ownCPU()-before
	return g.outcome, nil
}

// run sends and reads in turn until every request is answered.
func (g *generator) run(epoll int) error {
	events := make([]syscall.EpollEvent, 256)
	progress := g.began
	for g.done < g.count {
		if err := g.send(); err != nil {
			return err
		}
		n, err := g.wait(epoll, events)
		if err != nil {
			return err
		}
		if n == 0 && time.Since(progress) > stalled {
			return fmt.Errorf("nothing for %s", stalled)
		}
		for _, e := range events[:n] {
			progress = time.Now()
			if err := g.serve(g.byFile[e.Fd]); err != nil {
				return err
			}
		}
	}
	return nil
}

// send starts every request whose time has come, as far as there are connections for them.
func (g *generator) send() error {
	for g.next < g.count && len(g.idle) > 0 {
		now := time.Now()
		due := now
		if g.rate > 0 {
			if due = g.due(g.next); due.After(now) {
				return nil
			}
			_ = g.late.RecordValue(now.Sub(due).Microseconds()) // a minute of it ends the run
		}
		l := &g.links[<-g.idle]
		l.request, l.due = g.next%len(g.requests), due
		l.left = g.requests[l.request]
		g.next++
		if err := l.write(); err != nil {
			return err
		}
	}
	return nil
}

func (g *generator) due(i int) time.Time {
	return g.began.Add(time.Duration(float64(i) / g.rate * float64(time.Second)))
}

// wait gives what has happened, once something has or there is something to send. epoll_wait counts in milliseconds, so that
// a shorter wait takes a select.
func (g *generator) wait(epoll int, events []syscall.EpollEvent) (n int, err error) {
	if g.rate == 0 || g.next == g.count || len(g.idle) == 0 {
		n, err = syscall.EpollWait(epoll, events, 1000)
	} else if n, err = syscall.EpollWait(epoll, events, 0); n == 0 && err == nil {
		if err = sleep(epoll, time.Until(g.due(g.next))); err == nil {
			n, err = syscall.EpollWait(epoll, events, 0)
		}
	}
	if err == syscall.EINTR {
		return 0, nil
	}
	return max(n, 0), err
}

// serve goes on with a connection that epoll has named.
func (g *generator) serve(i int32) error {
	l := &g.links[i]
	if len(l.left) > 0 {
		if err := l.write(); err != nil {
			return err
		}
	}
	if l.request < 0 {
		return nil
	}
	status, err := l.read()
	if err != nil || status == 0 {
		return err
	}
	_ = g.latency.RecordValue(max(time.Since(l.due).Microseconds(), 1))
	g.statuses[status]++
	if status == 200 {
		g.acked[l.request] = true
	}
	l.request = -1
	g.done++
	g.idle <- i
	return nil
}
