package middleware

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"

	"github.com/hookgate/hookgate"
)

// Budget allows so many per period for each key, in fixed windows (so up to twice the rate around the edge of one). It
// is a hookgate.Budget.
type Budget struct {
	limiter *limiter.Limiter
	period  time.Duration
	swept   time.Duration // how often the store forgets who is done

	mu    sync.Mutex
	keys  map[string]struct{} // seen in this generation
	since time.Time
}

// maxKeys bounds the memory that strangers can take: the store holds those of two generations, about 30 MB.
const maxKeys = 50_000

// NewBudget allows limit per period for each key. It runs by the machine's clock, as the limiter's store does.
func NewBudget(limit int64, period time.Duration) *Budget {
	swept := max(period, 30*time.Second)
	store := memory.NewStoreWithOptions(limiter.StoreOptions{CleanUpInterval: swept})
	return &Budget{
		limiter: limiter.New(store, limiter.Rate{Limit: limit, Period: period}),
		period:  period,
		swept:   swept,
		keys:    make(map[string]struct{}),
		since:   time.Now(),
	}
}

// Take spends one of key's budget.
func (b *Budget) Take(key string) (time.Duration, bool) {
	c, err := b.limiter.Get(context.Background(), b.bounded(block(key)))
	if err != nil { // the memory store has no error to give; fail closed if it ever does
		return b.period, false
	}
	if !c.Reached {
		return 0, true
	}
	// Reset has lost its fraction of a second, and whoever came back so much too early would be refused once more.
	return min(time.Until(time.Unix(c.Reset+1, 0)), b.period), false
}

// Peek tells what Take would, and spends nothing. Keys that share a budget because there are too many have always some left.
func (b *Budget) Peek(key string) (time.Duration, bool) {
	c, err := b.limiter.Peek(context.Background(), block(key))
	if err != nil {
		return b.period, false
	}
	if c.Remaining > 0 {
		return 0, true
	}
	return min(time.Until(time.Unix(c.Reset+1, 0)), b.period), false
}

// bounded puts every key beyond the most into one shared budget until the generation ends, so that a sender with a
// million addresses cannot grow the table. A generation is as long as the store keeps a key, for with a shorter one the
// store would hold the keys of many.
func (b *Budget) bounded(key string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.since) >= b.swept {
		clear(b.keys)
		b.since = time.Now()
	}
	if _, ok := b.keys[key]; ok {
		return key
	}
	if len(b.keys) >= maxKeys {
		return "the rest"
	}
	b.keys[key] = struct{}{}
	return key
}

// block has all addresses of one party share a budget; any other key stands for itself, as an IPv4 address does.
func block(key string) string {
	if !strings.Contains(key, ":") {
		return key
	}
	if addr, err := netip.ParseAddr(key); err == nil {
		return hookgate.Party(addr)
	}
	return key
}
