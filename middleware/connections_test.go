package middleware_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/middleware"
)

// queue is a listener that hands out what a test puts in, so that connections can come from anywhere.
type queue struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func newQueue() *queue { return &queue{conns: make(chan net.Conn, 64), ended: make(chan struct{})} }

func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		if c == nil {
			return nil, errors.New("no more files")
		}
		return c, nil
	case <-q.ended:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error   { q.once.Do(func() { close(q.ended) }); return nil }
func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }

// visitor is a connection of an address; it knows whether it was closed.
type visitor struct {
	net.Conn
	from   string
	closed chan struct{}
	once   sync.Once
}

func (v *visitor) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(v.from), 4711))
}

func (v *visitor) Close() error { v.once.Do(func() { close(v.closed) }); return nil }

func (q *queue) visit(from string) *visitor {
	v := &visitor{from: from, closed: make(chan struct{})}
	q.conns <- v
	return v
}

// take gives the next connection that the listener lets in.
func take(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func nobody(netip.Addr) bool { return false }

// TestH04_ConnectionsOfOneAddress: whoever has as many as it may gets no more, under whatever address of its own, and those
// of others are let in.
func TestH04_ConnectionsOfOneAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, more, other string
	}{
		"IPv4":                {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
		"IPv6":                {"2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"},
		"IPv4 and mapped":     {"192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"},
		"zones of one":        {"fe80::1%a", "fe80::2%b", "2001:db8::1"},
		"not that of proxies": {"192.0.2.1", "192.0.2.1", "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQueue()
			l := middleware.LimitConnections(q, 100, 2, func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.1") })
			defer l.Close()
			q.visit(c.first)
			q.visit(c.more)
			one, two := take(t, l), take(t, l)
			third := q.visit(c.more)
			fourth := q.visit(c.other)
			if got := take(t, l); got.RemoteAddr().String() != fourth.RemoteAddr().String() {
				t.Fatalf("%s was let in", got.RemoteAddr())
			}
			<-third.closed
			if l.Open() != 3 || l.Refused() != 1 {
				t.Errorf("%d open, %d refused", l.Open(), l.Refused())
			}
			// A connection gives its seat back once, however often it is closed.
			for range 3 {
				_ = one.Close()
			}
			q.visit(c.more)
			take(t, l)
			fifth := q.visit(c.first)
			q.visit("203.0.113.1")
			take(t, l)
			<-fifth.closed
			_ = two.Close()
			if l.Open() != 3 || l.Refused() != 2 {
				t.Errorf("%d open, %d refused in the end", l.Open(), l.Refused())
			}
		})
	}
}

// TestH04_ProxiesAreNoParty: behind a proxy of ours are many senders.
func TestH04_ProxiesAreNoParty(t *testing.T) {
	t.Parallel()
	q := newQueue()
	l := middleware.LimitConnections(q, 100, 1, func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.1") })
	defer l.Close()
	for _, from := range []string{"10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"} {
		q.visit(from)
		take(t, l)
	}
	last := q.visit("10.0.0.2")
	q.visit("10.0.0.1")
	take(t, l)
	<-last.closed
	if l.Open() != 5 || l.Refused() != 1 {
		t.Errorf("%d open, %d refused", l.Open(), l.Refused())
	}
}

// TestH04_MoreWaitInAll: beyond the total nobody is let in, and nobody is closed, until somebody leaves.
func TestH04_MoreWaitInAll(t *testing.T) {
	t.Parallel()
	q := newQueue()
	l := middleware.LimitConnections(q, 2, 2, nobody)
	q.visit("192.0.2.1")
	q.visit("192.0.2.2")
	one := take(t, l)
	take(t, l)
	waiting := q.visit("192.0.2.3")
	came := make(chan net.Conn, 1)
	failed := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		came <- conn
		failed <- err
	}()
	select {
	case <-came:
		t.Fatal("a third was let in")
	case <-waiting.closed:
		t.Fatal("the third was closed")
	case <-time.After(50 * time.Millisecond):
	}
	_ = one.Close()
	if conn := <-came; <-failed != nil || conn.RemoteAddr().String() != waiting.RemoteAddr().String() {
		t.Fatal("the third was not let in when the first had left")
	}
	// The end of the listener ends the wait, too.
	go func() {
		_, err := l.Accept()
		failed <- err
	}()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the wait ends with %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// TestH04_AFailedAcceptTakesNoSeat: the server asks again, and must not run out of seats by that.
func TestH04_AFailedAcceptTakesNoSeat(t *testing.T) {
	t.Parallel()
	q := newQueue()
	l := middleware.LimitConnections(q, 1, 1, nobody)
	defer l.Close()
	for range 5 {
		q.conns <- nil
		if _, err := l.Accept(); err == nil {
			t.Fatal("no error")
		}
	}
	q.visit("192.0.2.1")
	take(t, l)
}

// TestH04_OverARealConnection: the one too many is reset, and a last answer still arrives where the server has closed its
// side only.
func TestH04_OverARealConnection(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := middleware.LimitConnections(tcp, 10, 1, nobody)
	defer l.Close()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		return conn
	}
	mine := dial()
	theirs := take(t, l)
	over := dial()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := l.Accept()
		accepted <- conn
	}()
	if n, err := over.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the one too many reads %d, %v; want a reset", n, err)
	}
	if _, err := fmt.Fprint(theirs, "bye"); err != nil {
		t.Fatal(err)
	}
	if err := theirs.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(mine); string(got) != "bye" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	_ = theirs.Close()
	dial()
	if conn := <-accepted; conn == nil {
		t.Error("nobody is let in after the first has left")
	}
}

// TestH04_TheTableOfConnectionsIsBounded: what has left leaves nothing behind.
func TestH04_TheTableOfConnectionsIsBounded(t *testing.T) { // not parallel: it measures the heap
	q := newQueue()
	l := middleware.LimitConnections(q, 16, 2, nobody)
	defer l.Close()
	before := heap()
	addr := netip.MustParseAddr("2001:db8::1").As16()
	for n := range 200_000 {
		addr[4], addr[5], addr[6] = byte(n>>16), byte(n>>8), byte(n)
		q.conns <- &passing{from: netip.AddrFrom16(addr)}
		_ = take(t, l).Close()
	}
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("%d KiB are kept of 200,000 addresses that have left", grown>>10)
	}
	if l.Open() != 0 || l.Refused() != 0 {
		t.Errorf("%d open, %d refused", l.Open(), l.Refused())
	}
}

// passing is a connection of which nothing but its address matters.
type passing struct {
	net.Conn
	from netip.Addr
}

func (p *passing) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.from, 1))
}
func (p *passing) Close() error { return nil }
