// Package hookgate is the domain of the gateway: the types that travel through it and the pipeline that every delivery
// takes. It knows no provider, no scheme, no queue and no database; the folders beside it do, and cmd/hookgate wires
// them together.
package hookgate

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// Gateway takes deliveries in. Its fields are set before the first request; the sources can be replaced at any time.
type Gateway struct {
	Journal Journal
	Now     func() time.Time
	// Strangers is spent by failed authentications, one budget an address, so that guessing is slow and a flood of
	// forgeries costs the authentic sender nothing. Nil means no bound.
	Strangers Budget
	// Seats bounds how many deliveries are worked on at once; more are answered 503. A seat is taken when the body is in, so
	// that whoever sends slowly takes none. Nil means no bound.
	Seats chan struct{}
	// Clients tells who is at the other end; nil takes the peer for the sender.
	Clients Clients
	// Failures is told of every failed authentication at a source; nil for nobody.
	Failures Failures

	sources atomic.Pointer[map[string]*Source]
}

// Clients finds out who sent a request: behind a proxy the peer is the proxy.
type Clients interface {
	Client(r *http.Request) (netip.Addr, []*x509.Certificate)
}

// Failures hears of failed authentications, to explain them to the operator. Failed must return at once and bound what it
// keeps, for strangers decide how often it is called. The request is no longer used by anybody else.
type Failures interface {
	Failed(src *Source, req *Request, err *Error)
}

// Journal keeps events. Accept dedupes and appends all events of a request in one atomic and durable step, and answers
// one Result per event, in order. It returns only when what it reports is on stable storage; a duplicate, too, is
// reported only once the first copy is. It bounds its own wait, well inside the shortest time-out of a provider, and owns
// the request and the events from then on. The error is a *Error with code Unavailable.
type Journal interface {
	Accept(ctx context.Context, req *Request, events []*Event) ([]Result, error)
}

// Receive is the whole inbound path. Nothing is acknowledged before Accept returns, and nothing of a stranger reaches
// the quota, the reader or the journal.
func (g *Gateway) Receive(ctx context.Context, src *Source, req *Request) (Outcome, error) {
	if src.probes(req) { // a set-up call carries no proof: answered, nothing stored
		return Outcome{Kind: Probe}, nil
	}
	verdict, err := Authenticate(ctx, src.Verifiers, req, req.ReceivedAt) // every listed scheme, over the raw bytes
	if err != nil {
		return Outcome{}, g.refused(src, req, err)
	}
	if err := src.spend(); err != nil {
		return Outcome{Verdict: verdict}, err
	}
	events := src.normalize(req, verdict) // total: the worst case is a quarantined event
	if len(events) == 0 {
		return Outcome{Kind: Probe, Verdict: verdict}, nil
	}
	if err := src.readable(events); err != nil {
		return Outcome{Verdict: verdict}, err
	}
	for _, e := range events {
		e.Seal(src, req, verdict)
	}
	results, err := g.Journal.Accept(ctx, req, events) // dedupe and append, durable, in one step
	if err != nil {
		return Outcome{Verdict: verdict}, err // the provider sends it again
	}
	return Outcome{Kind: kindOf(events, results), Verdict: verdict, Events: events, Results: results}, nil
}

// refused spends the stranger's budget and turns the answer into 429 when none is left. The verifiers, or the source's list
// of networks, have always judged first: an authentic delivery from the same address is never refused for what others sent.
func (g *Gateway) refused(src *Source, req *Request, err error) error {
	e := AsError(err)
	if e.Code != Unauthenticated { // whoever had to be asked could not be
		return e
	}
	if g.Failures != nil {
		g.Failures.Failed(src, req, e)
	}
	if g.Strangers == nil {
		return e
	}
	wait, ok := g.Strangers.Take(req.Remote.String())
	if ok {
		return e
	}
	return &Error{Code: OverLimit, Reason: e.Reason, Detail: "too many failed authentications from this address; last: " + e.Error(), RetryAfter: wait, Err: err}
}

// spend takes one of the source's quota of authenticated deliveries.
func (s *Source) spend() error {
	if s.Quota == nil {
		return nil
	}
	if wait, ok := s.Quota.Take(s.Name); !ok {
		return &Error{Code: OverLimit, Detail: "the source is over its rate", Hint: "raise the source's rate", RetryAfter: wait}
	}
	return nil
}

// readable refuses a request of which nothing could be read, where the source wants that.
func (s *Source) readable(events []*Event) error {
	if !s.RejectMalformed {
		return nil
	}
	for _, e := range events {
		if e.Quarantine == "" {
			return nil
		}
	}
	return Errorf(Malformed, "%s", events[0].Quarantine)
}

// SetSources replaces all sources at once; requests under way keep the one they have.
func (g *Gateway) SetSources(sources []*Source) {
	byPath := make(map[string]*Source, len(sources))
	for _, s := range sources {
		byPath[s.Path] = s
	}
	g.sources.Store(&byPath)
}

// Source finds the source that listens at exactly this escaped path.
func (g *Gateway) Source(path string) (*Source, bool) {
	m := g.sources.Load()
	if m == nil {
		return nil, false
	}
	s, ok := (*m)[path]
	return s, ok
}
