package hookgate

import (
	"net/http"
	"net/netip"
	"time"
)

// Source is one address that a provider calls, with all it needs to judge and read what arrives there.
type Source struct {
	Name      string
	Provider  string
	Path      string // exact and escaped, such as /hooks/care
	Verifiers []Verifier
	Keys      []Proof // what the verifiers' proofs may name, for metrics that must exist before they happen
	Reader    Reader
	Quota     Budget        // of authenticated deliveries; nil for none
	Window    time.Duration // how long an event is remembered
	// PerAttempt makes every attempt of an event an event of its own (dedupe.by: attempt).
	PerAttempt bool
	// RejectMalformed answers 400 to what authenticated but cannot be read, instead of keeping it in quarantine.
	RejectMalformed bool
	MaxBody         int64 // bytes, as sent and as decompressed
	// Gzip takes bodies with Content-Encoding: gzip. They are verified as sent and read decompressed.
	Gzip bool
	// Allow are the networks that may send; empty for all.
	Allow []netip.Prefix
	// KeepFailed bounds how many failed deliveries are kept for the operator; nil keeps none.
	KeepFailed Budget
}

// Reader turns an authenticated request of one provider into events, in the order of the body. It is total and pure:
// what it cannot read comes back as a Quarantined event, never as an error. No event at all means that the request was a
// set-up call that had to authenticate first.
type Reader interface {
	Normalize(req *Request, verdict Verdict) []*Event
}

// Prober is a Reader whose provider sends a set-up call that carries no proof, beside HEAD and GET.
type Prober interface {
	Probe(req *Request) bool
}

// Replier is a Reader whose provider expects a body with the 200.
type Replier interface {
	Reply(req *Request) (contentType string, body []byte)
}

// Budget bounds how often something may happen. Take spends one; when none is left it says after which wait there is.
type Budget interface {
	Take(key string) (wait time.Duration, ok bool)
}

// allows reports whether a sender at this address may speak at all.
func (s *Source) allows(a netip.Addr) bool {
	return len(s.Allow) == 0 || Within(s.Allow, a)
}

// probes reports whether req is a set-up call that is answered before authentication.
func (s *Source) probes(req *Request) bool {
	if req.Method == http.MethodHead || req.Method == http.MethodGet {
		return true
	}
	p, ok := s.Reader.(Prober)
	return ok && p.Probe(req)
}
