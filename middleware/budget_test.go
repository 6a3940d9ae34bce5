package middleware_test

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/middleware"
)

var _ hookgate.Budget = (*middleware.Budget)(nil)

func TestH10_EachKeyHasItsOwnBudget(t *testing.T) {
	t.Parallel()
	b := middleware.NewBudget(3, time.Hour)
	for n := range 5 {
		for _, key := range []string{"192.0.2.1", "192.0.2.2", "care", "invalid IP", ""} {
			wait, ok := b.Take(key)
			if ok != (n < 3) {
				t.Errorf("take %d of %q: %v", n, key, ok)
			}
			if ok && wait != 0 {
				t.Errorf("take %d of %q waits %s", n, key, wait)
			}
			if !ok && (wait <= 0 || wait > time.Hour) {
				t.Errorf("take %d of %q: wait %s, want within the hour", n, key, wait)
			}
		}
	}
}

// TestH10_AddressesOfOneParty: whoever has one IPv6 address has 2^64 of them.
func TestH10_AddressesOfOneParty(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a, b string
		one  bool
	}{
		"one /64":                 {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		"the next /64":            {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"two spellings":           {"2001:db8:0:0:0:0:0:1", "2001:DB8::1", true},
		"zones of one address":    {"fe80::1%eth0", "fe80::1%eth1", true},
		"IPv4 neighbours":         {"192.0.2.1", "192.0.2.2", false},
		"IPv4 and IPv4 in IPv6":   {"192.0.2.1", "::ffff:192.0.2.1", true},
		"IPv4 in IPv6 neighbours": {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		"names":                   {"care", "chat", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := middleware.NewBudget(1, time.Hour)
			if _, ok := b.Take(c.a); !ok {
				t.Fatal("the first is refused")
			}
			if _, ok := b.Take(c.b); ok == c.one {
				t.Errorf("after %s, %s: %v", c.a, c.b, ok)
			}
		})
	}
}

// TestH10_TheWaitIsEnough: whoever comes back after the wait that he was told is let in, and the wait is no longer than a
// period.
func TestH10_TheWaitIsEnough(t *testing.T) {
	t.Parallel()
	for range 2 { // at two points of the second
		const period = 1500 * time.Millisecond
		b := middleware.NewBudget(1, period)
		b.Take("a")
		start := time.Now()
		wait, ok := b.Take("a")
		if ok || wait <= 0 || wait > period {
			t.Fatalf("%s %v, want a wait within %s", wait, ok, period)
		}
		<-time.After(time.Until(start.Add(wait)))
		if again, ok := b.Take("a"); !ok {
			t.Errorf("after the wait of %s: refused, for another %s", wait, again)
		}
	}
}

func TestH10_NobodyGetsMoreByAskingAtOnce(t *testing.T) {
	t.Parallel()
	const limit, workers, each = 100, 8, 500
	b := middleware.NewBudget(limit, time.Hour)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for n := range each {
				if _, ok := b.Take("2001:db8::1"); ok {
					taken.Add(1)
				}
				b.Take(netip.AddrFrom4([4]byte{10, byte(worker), byte(n >> 8), byte(n)}).String())
			}
		})
	}
	wg.Wait()
	if taken.Load() != limit {
		t.Errorf("%d of %d were let in", taken.Load(), limit)
	}
}

// TestH10_AMillionAddresses: a table of everybody who ever came would be a weapon. With a short period the addresses
// of many periods must not add up either.
func TestH10_AMillionAddresses(t *testing.T) { // not parallel: it measures the heap
	for name, period := range map[string]time.Duration{"all in one period": time.Hour, "over many periods": 5 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			b := middleware.NewBudget(1, period)
			addr := netip.MustParseAddr("2001:db8::1").As16()
			for n := range uint32(1_000_000) {
				binary.BigEndian.PutUint32(addr[4:8], n)
				b.Take(netip.AddrFrom16(addr).String())
			}
			if grown := int64(heap()) - int64(before); grown > 64<<20 {
				t.Errorf("a million addresses take %d MiB, want less than 64", grown>>20)
			}
			runtime.KeepAlive(b)
		})
	}
}

// TestH10_TheRestShareABudget: those who come when the table is full are bounded together, and those who were there
// before keep their own.
func TestH10_TheRestShareABudget(t *testing.T) {
	t.Parallel()
	b := middleware.NewBudget(2, time.Hour)
	b.Take("192.0.2.1")
	addr := netip.MustParseAddr("2001:db8::1").As16()
	refused := 0
	for n := range uint32(60_000) {
		binary.BigEndian.PutUint32(addr[4:8], n)
		if _, ok := b.Take(netip.AddrFrom16(addr).String()); !ok {
			refused++
		}
	}
	if refused < 9_000 {
		t.Errorf("%d of 60,000 addresses are refused, want all beyond the table", refused)
	}
	if _, ok := b.Take("192.0.2.1"); !ok {
		t.Error("an address from before has lost its budget")
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestT09_PeekSpendsNothing, and says what Take would.
func TestT09_PeekSpendsNothing(t *testing.T) {
	t.Parallel()
	b := middleware.NewBudget(3, time.Hour)
	for n := range 6 {
		for _, key := range []string{"sprinklr 192.0.2.1", "2001:db8::1"} {
			for range 10 {
				wait, ok := b.Peek(key)
				if ok != (n < 3) || ok != (wait == 0) || wait > time.Hour {
					t.Fatalf("after %d of 3: %s, %v", n, wait, ok)
				}
			}
			b.Take(key)
		}
	}
	if _, ok := b.Peek("2001:db8::ffff"); ok {
		t.Error("another address of the same party has a budget of its own")
	}
	if _, ok := b.Peek("192.0.2.1"); !ok {
		t.Error("another key has none left")
	}
}
