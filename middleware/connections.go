package middleware

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/hookgate/hookgate"
)

// Connections is a listener that bounds how many of its connections are open, because each costs memory before the first
// byte has come. Beyond the total more wait until the system takes no more, which delays everybody alike; what keeps one
// party from taking all is the bound on an address.
type Connections struct {
	net.Listener
	seats  chan struct{}
	each   int
	exempt func(netip.Addr) bool
	ended  chan struct{}
	end    sync.Once

	refused atomic.Uint64
	mu      sync.Mutex
	open    map[string]int // by party, so never more than there are seats
	total   int
}

// LimitConnections bounds the connections of l: so many in total, which is at least 1, and so many of one IPv4 address or
// IPv6 /64, of which more are closed at once. Those that exempt names count to the total alone.
func LimitConnections(l net.Listener, total, each int, exempt func(netip.Addr) bool) *Connections {
	return &Connections{
		Listener: l, seats: make(chan struct{}, total), each: each, exempt: exempt,
		ended: make(chan struct{}), open: make(map[string]int),
	}
}

// Accept gives the next connection that may stay, once there is a seat for it.
func (l *Connections) Accept() (net.Conn, error) {
	for {
		select {
		case l.seats <- struct{}{}:
		case <-l.ended:
			return nil, net.ErrClosed
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.seats
			return nil, err
		}
		if c, ok := l.admit(conn); ok {
			return c, nil
		}
		l.refused.Add(1)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // nothing of it is kept by the system, either
		}
		_ = conn.Close()
		<-l.seats
	}
}

// Close ends the listener, and the wait for a seat.
func (l *Connections) Close() error {
	l.end.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

// Open is how many connections there are.
func (l *Connections) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// Refused is how many connections were closed at once since the start.
func (l *Connections) Refused() uint64 { return l.refused.Load() }

// admit counts a connection, unless its party has as many as it may.
func (l *Connections) admit(conn net.Conn) (*connection, bool) {
	c := &connection{Conn: conn, of: l}
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		if a := tcp.AddrPort().Addr().Unmap().WithZone(""); !l.exempt(a) {
			c.party = hookgate.Party(a)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.party != "" {
		if l.open[c.party] >= l.each {
			return nil, false
		}
		l.open[c.party]++
	}
	l.total++
	return c, true
}

func (l *Connections) release(party string) {
	l.mu.Lock()
	l.total--
	if party != "" {
		if l.open[party]--; l.open[party] == 0 {
			delete(l.open, party)
		}
	}
	l.mu.Unlock()
	<-l.seats
}

// connection gives its seat back when it is closed for the first time.
type connection struct {
	net.Conn
	of     *Connections
	party  string // empty where nobody counts
	closed atomic.Bool
}

func (c *connection) Close() error {
	err := c.Conn.Close()
	if !c.closed.Swap(true) {
		c.of.release(c.party)
	}
	return err
}

// CloseWrite is what the server asks for before it closes a connection on which more is to come, so that its last answer
// arrives.
func (c *connection) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
