package journal

import (
	"sync"
	"time"
)

// The ways of a request through a spill.
type way int

const (
	direct   way = iota // to the primary
	diverted            // to the local journal
	held                // wait: the way is about to become direct
)

// spillGate decides for every request which way it goes. What a sender was answered for is in the primary before anything that
// he sends afterwards goes there directly: the way becomes direct only while nobody is on the other one and when the last of
// what was diverted has been handed on.
type spillGate struct {
	mu     sync.Mutex
	way    way
	since  time.Time     // of the diversion
	locals int           // requests on their way into the local journal
	quiet  chan struct{} // closed when there are none; nil unless held
	opened chan struct{} // closed at the end of a hold; nil unless held
}

// enter gives the way of a request: direct, or diverted, and then leave must be called. While the gate is held it waits, but
// not beyond limit: then the hold is over for everybody.
func (g *spillGate) enter(limit time.Duration) way {
	var over <-chan time.Time
	for {
		g.mu.Lock()
		opened := g.opened
		switch g.way {
		case direct:
			g.mu.Unlock()
			return direct
		case diverted:
			g.locals++
			g.mu.Unlock()
			return diverted
		case held:
			g.mu.Unlock()
		}
		if over == nil {
			t := time.NewTimer(limit)
			defer t.Stop()
			over = t.C
		}
		select {
		case <-opened:
		case <-over:
			g.release()
		}
	}
}

// divert leads the caller, whom the primary has refused, and everybody after him into the local journal; leave must be
// called. It tells whether he is the first.
func (g *spillGate) divert(now time.Time) (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if first = g.way == direct; first {
		g.since = now
	}
	g.toLocal()
	g.locals++
	return first
}

// leave ends a stay in the local journal.
func (g *spillGate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.locals--
	if g.locals == 0 && g.quiet != nil {
		close(g.quiet)
		g.quiet = nil
	}
}

// hold stops newcomers. The channel is closed when nobody is on his way into the local journal any more. It is refused when
// the way is direct already.
func (g *spillGate) hold() (quiet <-chan struct{}, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.way != diverted {
		return nil, false
	}
	nobody := make(chan struct{})
	g.way, g.opened = held, make(chan struct{})
	if g.locals == 0 {
		close(nobody)
	} else {
		g.quiet = nobody
	}
	return nobody, true
}

// open ends a hold with the direct way. It is refused when the hold was broken.
func (g *spillGate) open() (since time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.way != held {
		return time.Time{}, false
	}
	since = g.since
	g.way, g.since = direct, time.Time{}
	g.end()
	return since, true
}

// release ends a hold without success.
func (g *spillGate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.way == held {
		g.toLocal()
	}
}

func (g *spillGate) toLocal() {
	g.way = diverted
	g.end()
}

// end lets those go on who wait.
func (g *spillGate) end() {
	if g.opened != nil {
		close(g.opened)
	}
	g.opened, g.quiet = nil, nil
}

// state is the present way, and since when it is not direct.
func (g *spillGate) state() (way, time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.way, g.since
}
