package forward_test

import (
	"net"
	"sync"
	"testing"
)

// proxy stands between a destination and its target. It can cut the connections at once or after so many bytes, and it
// can swallow what the target answers.
type proxy struct {
	l      net.Listener
	target string
	group  sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	left   int64 // bytes that still pass towards the target before the cut; below 0 there is none
	muted  bool
	sent   int64 // bytes that went towards the target
	closed bool  // for good, or until refuse is called with false
}

// newProxy starts one in front of a TCP address; it ends with the test.
func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, target: target, conns: map[net.Conn]struct{}{}, left: -1}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		_ = l.Close()
		p.cut()
		p.group.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = c.Close()
			continue
		}
		if !p.keep(c, out) {
			continue
		}
		p.group.Go(func() { p.pump(out, c, p.forth) })
		p.group.Go(func() { p.pump(c, out, p.back) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close()
			continue
		}
		p.conns[c] = struct{}{}
	}
	return !p.closed
}

// pump copies until one end is closed, and then closes the other.
func (p *proxy) pump(dst, src net.Conn, pass func(part []byte) (n int, cut bool)) {
	defer func() {
		_ = dst.Close()
		_ = src.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, src)
	}()
	buf := make([]byte, 4096)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			m, cut := pass(buf[:n])
			if _, failed := dst.Write(buf[:m]); failed != nil || cut {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// forth counts what goes to the target and says where the cut is.
func (p *proxy) forth(part []byte) (n int, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = len(part)
	if p.left >= 0 && int64(n) >= p.left {
		n, cut = int(p.left), true
		p.left = -1
	} else if p.left >= 0 {
		p.left -= int64(n)
	}
	p.sent += int64(n)
	return n, cut
}

func (p *proxy) back(part []byte) (n int, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.muted {
		return 0, false
	}
	return len(part), false
}

// cut ends all connections now. New ones are taken.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// refuse ends all connections, and each new one at once, until it is called with false.
func (p *proxy) refuse(yes bool) {
	p.mu.Lock()
	p.closed = yes
	p.mu.Unlock()
	if yes {
		p.cut()
	}
}

// cutAfter ends the connection over which the n-th byte from now on goes to the target, right behind that byte.
func (p *proxy) cutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = n
}

// mute swallows what the target answers from now on, as if it had never answered.
func (p *proxy) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = true
}

// unmute lets answers pass on new connections; the old ones, whose answers have a gap, are cut.
func (p *proxy) unmute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.muted = false
}

// passed is how many bytes have gone to the target.
func (p *proxy) passed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}
