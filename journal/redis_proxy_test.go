package journal_test

import (
	"bytes"
	"cmp"
	"net"
	"sync"
	"testing"
	"time"
)

// redisProxy stands between the journal and its server. It can delay what the server answers, let everything vanish, close
// a connection in place of the answer to a script, and change what passes.
type redisProxy struct {
	l      net.Listener
	target string
	group  sync.WaitGroup
	end    chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]bool
	delay time.Duration
	hole  chan struct{} // closed when things pass again; nil while they do
	cuts  int           // answers to scripts that are still to be cut
	which string        // what stands in these scripts; empty is accept.lua
	forth func([]byte) []byte
	back  func([]byte) []byte
}

func newRedisProxy(t testing.TB, target string) *redisProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &redisProxy{l: l, target: target, end: make(chan struct{}), conns: map[net.Conn]bool{}}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		close(p.end)
		_ = l.Close()
		p.closeAll()
		p.group.Wait()
	})
	return p
}

func (p *redisProxy) url() string { return "redis://" + p.l.Addr().String() + "/0" }

func (p *redisProxy) set(change func(*redisProxy)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// cut closes a connection instead of passing the answer to a script, n times. The server has run the script then.
func (p *redisProxy) cut(n int) { p.set(func(p *redisProxy) { p.cuts = n }) }

// cutOf is cut for the scripts that a text stands in.
func (p *redisProxy) cutOf(text string, n int) {
	p.set(func(p *redisProxy) { p.which, p.cuts = text, n })
}

// left is how many answers are still to be cut.
func (p *redisProxy) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

func (p *redisProxy) slow(delay time.Duration) { p.set(func(p *redisProxy) { p.delay = delay }) }

// swallow lets nothing through in either direction; heal lets everything through again.
func (p *redisProxy) swallow() { p.set(func(p *redisProxy) { p.hole = make(chan struct{}) }) }

func (p *redisProxy) heal() {
	p.set(func(p *redisProxy) {
		if p.delay, p.cuts = 0, 0; p.hole != nil {
			close(p.hole)
			p.hole = nil
		}
	})
}

// rewrite changes what goes to the server and what comes back. Parts are changed as they are read, so that this is for
// short conversations.
func (p *redisProxy) rewrite(forth, back func([]byte) []byte) {
	p.set(func(p *redisProxy) { p.forth, p.back = forth, back })
}

// replacing makes a rewriting of one text by another.
func replacing(before, after string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(before), []byte(after)) }
}

func (p *redisProxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *redisProxy) accept() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		select {
		case <-p.end:
			p.closeAll()
		default:
		}
		var asked scripted
		p.group.Go(func() { p.pump(out, in, func(b []byte) ([]byte, bool) { return p.ask(&asked, b) }) })
		p.group.Go(func() { p.pump(in, out, func(b []byte) ([]byte, bool) { return p.answer(&asked, b) }) })
	}
}

// scripted says that a script is on its way through a connection.
type scripted struct {
	mu  sync.Mutex
	yes bool
}

func (p *redisProxy) ask(asked *scripted, b []byte) ([]byte, bool) {
	p.pass(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	if bytes.Contains(b, []byte(cmp.Or(p.which, "EVAL"))) { // accept.lua alone is asked for in capitals
		asked.mu.Lock()
		asked.yes = true
		asked.mu.Unlock()
	}
	if p.forth != nil {
		b = p.forth(b)
	}
	return b, true
}

func (p *redisProxy) answer(asked *scripted, b []byte) ([]byte, bool) {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	p.pass(delay)
	p.mu.Lock()
	defer p.mu.Unlock()
	asked.mu.Lock()
	defer asked.mu.Unlock()
	if asked.yes && p.cuts > 0 {
		p.cuts--
		return nil, false
	}
	asked.yes = false
	if p.back != nil {
		b = p.back(b)
	}
	return b, true
}

// pass waits for the delay and while the hole is open.
func (p *redisProxy) pass(delay time.Duration) {
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-p.end:
		}
	}
	p.mu.Lock()
	hole := p.hole
	p.mu.Unlock()
	if hole != nil {
		select {
		case <-hole:
		case <-p.end:
		}
	}
}

func (p *redisProxy) pump(dst, src net.Conn, change func([]byte) ([]byte, bool)) {
	defer func() {
		_ = dst.Close()
		_ = src.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, src)
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			b, ok := change(buf[:n])
			if !ok {
				return
			}
			if _, err := dst.Write(b); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
