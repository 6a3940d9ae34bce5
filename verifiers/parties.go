package verifiers

import (
	"context"
	"sync"
	"time"
	"weak"

	"github.com/hookgate/hookgate"
)

// Parties are the issuers that bearer entries ask, with what they have told so far. One value is handed to every entry and
// outlives reloads, so that a reload neither forgets key sets nor asks again. What no entry uses any more goes by itself.
type Parties struct {
	now    func() time.Time
	failed func(error)
	ctx    context.Context // ends every question under way
	stop   context.CancelFunc

	mu      sync.Mutex
	closed  bool
	asking  sync.WaitGroup
	sets    map[setKey]weak.Pointer[keySource]
	oracles map[oracleKey]weak.Pointer[oracle]
}

// NewParties makes one that has heard nothing. now is the clock of caches and pauses. failed is told why an issuer could
// not be asked, at most once in 30 s for a key set; nil for nobody. Its error names no secret.
func NewParties(now func() time.Time, failed func(error)) *Parties {
	if failed == nil {
		failed = func(error) {}
	}
	p := &Parties{now: now, failed: failed, sets: make(map[setKey]weak.Pointer[keySource]), oracles: make(map[oracleKey]weak.Pointer[oracle])}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// New is the package's New for an entry that shares what the issuers have told with all others of p.
func (p *Parties) New(entry hookgate.AuthSettings) (Scheme, error) {
	return build(&settings{AuthSettings: entry, parties: p})
}

// Close ends the questions under way and waits for them. Whoever asks afterwards is told that nobody answers.
func (p *Parties) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.asking.Wait()
}

// start runs a question, which has 3 s, beside the request that needs its answer, so that others can wait for it, too. It
// reports false when p is closed.
func (p *Parties) start(question func(ctx context.Context)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.asking.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, askTime)
		defer cancel()
		question(ctx)
	})
	return true
}

// shared gives what the entries in use have under a key, or makes it.
func shared[K comparable, V any](p *Parties, all map[K]weak.Pointer[V], key K, fresh func() *V) *V {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, v := range all {
		if v.Value() == nil {
			delete(all, k)
		}
	}
	if v, ok := all[key]; ok {
		if there := v.Value(); there != nil {
			return there
		}
	}
	made := fresh()
	all[key] = weak.Make(made)
	return made
}

// away is the error of an issuer that could not be asked. It has not said no, so the sender is to try again.
func away(retry time.Duration, cause error, format string, args ...any) error {
	e := hookgate.Errorf(hookgate.Unavailable, format, args...)
	e.RetryAfter, e.Err = retry, cause
	return e
}
