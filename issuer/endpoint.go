// Package issuer is the gateway's own OAuth 2.0 token endpoint: the client credentials grant and the password grant
// (RFC 6749, sections 4.4 and 4.3), for teams whose providers offer OAuth and who have no identity provider.
package issuer

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
)

// Signer makes the tokens.
type Signer interface {
	// Issue makes a token of the client for these sources and scopes; lasts is how long it is good for.
	Issue(client string, sources, scopes []string, now time.Time) (token string, lasts time.Duration, err error)
	// KeySet is the public keys that tokens are verified by, as a JWK set (RFC 7517).
	KeySet() []byte
}

// Guesses is a budget that can be looked at without spending any of it.
type Guesses interface {
	hookgate.Budget
	Peek(key string) (wait time.Duration, ok bool)
}

// Options are what an Endpoint is given once.
type Options struct {
	Now     func() time.Time
	Clients hookgate.Clients // tells who is at the other end
	// Strangers is spent by failed attempts, one budget an address, and turns their answers into 429 when none is left.
	// Nil means no bound.
	Strangers hookgate.Budget
	// Guesses is spent by failed attempts at one client from one address. While none is left, no attempt at that client from
	// there succeeds, not with the right secret either. Nil means no bound.
	Guesses Guesses
	// Budget makes the budget of a client's own rate; nil for a rate that is not set.
	Budget func(hookgate.Rate) hookgate.Budget
}

// Endpoint answers token requests, and serves the key set. It serves nothing before Set.
type Endpoint struct {
	options  Options
	judging  sync.Mutex // holds others back between the look at a budget and its spending
	settings atomic.Pointer[settings]
}

// settings are what a configuration says.
type settings struct {
	token, keySet string // paths
	clients       map[string]*client
	nobody        *client // stands in for a client that is not there
	signer        Signer
}

// New makes an endpoint.
func New(o Options) *Endpoint { return &Endpoint{options: o} }

// Set takes over the settings, and with them the clients and keys, for all requests that come from now on. Without clients
// the endpoint serves nothing, and needs no signer. The settings must be sound, as the configuration's loader makes sure.
func (e *Endpoint) Set(s hookgate.TokenSettings, signer Signer) {
	if len(s.Clients) == 0 {
		e.settings.Store(nil)
		return
	}
	next := &settings{token: s.Path, keySet: s.KeySetPath(), clients: make(map[string]*client, len(s.Clients)), signer: signer}
	most := 0
	for _, c := range s.Clients {
		most = max(most, len(c.Secrets))
	}
	for _, c := range s.Clients {
		next.clients[c.ID] = newClient(c, most, e.options.Budget)
	}
	next.nobody = newClient(hookgate.TokenClient{ID: hookgate.UnknownClient}, most, e.options.Budget)
	e.settings.Store(next)
}

// Serves reports whether the escaped path is one of the endpoint's.
func (e *Endpoint) Serves(escaped string) bool {
	s := e.settings.Load()
	return s != nil && (escaped == s.token || escaped == s.keySet)
}

// ServeHTTP answers a request for a token or for the key set.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	report := hookgate.ReportOf(w)
	report.Client, _ = e.options.Clients.Client(r)
	s := e.settings.Load()
	switch escaped := r.URL.EscapedPath(); {
	case s != nil && escaped == s.token:
		e.serveToken(w, r, s, report)
	case s != nil && escaped == s.keySet:
		serveKeySet(w, r, s.signer, report)
	default: // it has gone since somebody asked Serves
		report.Err = hookgate.Errorf(hookgate.UnknownSource, "the token endpoint is not here any more")
		w.WriteHeader(report.Err.Code.Status())
	}
}

// serveKeySet serves public keys, which anybody may have. Nothing in them tells who is a client.
func serveKeySet(w http.ResponseWriter, r *http.Request, signer Signer, report *hookgate.Report) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		report.Err = hookgate.Errorf(hookgate.WrongMethod, "method %q", r.Method)
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(report.Err.Code.Status())
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(signer.KeySet()) // whoever has gone asks again
}

// serveToken answers a token request, step by step: the form, the client, its rate, the grant, the scopes, the token.
func (e *Endpoint) serveToken(w http.ResponseWriter, r *http.Request, s *settings, report *hookgate.Report) {
	report.Token.Client = hookgate.UnknownClient
	form, refused := readForm(w, r, report)
	if refused != nil {
		refuse(w, report, refused)
		return
	}
	now := e.options.Now()
	c, refused := e.proved(r.Header, form, s, report, now)
	if refused == nil {
		refused = c.spend()
	}
	if refused == nil {
		refused = e.grant(c, form, report, now)
	}
	if refused != nil {
		refuse(w, report, refused)
		return
	}
	scopes, refused := c.granted(form["scope"])
	if refused != nil {
		refuse(w, report, refused)
		return
	}
	token, lasts, err := s.signer.Issue(c.id, slices.Clone(c.sources), scopes, now)
	if err != nil {
		refuse(w, report, &refusal{outcome: hookgate.TokenUnavailable, err: hookgate.AsError(err)})
		return
	}
	report.Token.Outcome = hookgate.TokenIssued
	issue(w, token, lasts, scopes)
}
