package verifiers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
)

// How key sets are fetched; all ours.
const (
	setCooldown = 30 * time.Second // between two fetches of one set, whatever comes and however the first one ended
	setFresh    = 15 * time.Minute // older, a set is fetched again while it still serves
	setOldest   = 24 * time.Hour   // older, it serves no more: keys that were withdrawn must end at some time
	maxWaiting  = 256              // deliveries that wait for one answer; they hold seats that others need
)

// fetched are tokens by keys that their issuer publishes at a URL.
type fetched struct {
	demands
	infer  bool
	source *keySource
}

func newFetched(s *settings) Scheme {
	b := &fetched{demands: s.demands(), infer: s.InferAlgorithm}
	if u := s.partyURL("jwks_url", s.JWKSURL); u != nil {
		b.source = s.parties.source(u, s.AllowPrivate)
	}
	return b
}

// Sign refuses: the private keys are the issuer's.
func (b *fetched) Sign(*hookgate.Request, time.Time) error { return cannotSign("jwks_url") }

// Prepare fetches the key set where there is none, where it may lack the token's key, or where it is old. Only the last
// does not make the delivery wait.
func (b *fetched) Prepare(ctx context.Context, req *hookgate.Request, _ time.Time) error {
	token, header, err := tokenOf(req)
	if err != nil {
		return nil // Verify says what is wrong with it, and nobody is asked for such a thing
	}
	set := b.source.set.Load()
	switch age := b.source.age(set); {
	case set == nil || age >= setOldest || !mayKnow(set.usable(b.infer), token, header):
		if err := b.source.refresh(ctx); err != nil {
			return err
		}
		set = b.source.set.Load()
	case age >= setFresh:
		b.source.renew()
	}
	if len(set.usable(b.infer)) == 0 {
		return &hookgate.Error{Code: hookgate.Unavailable, Detail: "no key in the key set of " + b.source.host + " names its alg", Hint: "set infer_algorithm: true", RetryAfter: setCooldown}
	}
	return nil
}

// Verify judges by the set that is there, as bearer does by its keys.
func (b *fetched) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	token, header, err := tokenOf(req)
	if err != nil {
		return hookgate.Proof{}, err
	}
	set := b.source.set.Load()
	if set == nil {
		return hookgate.Proof{}, away(0, nil, "the key set of %s has not been fetched", b.source.host)
	}
	key, _, err := judge(token, header, set.usable(b.infer), &b.demands, now)
	if err != nil {
		return hookgate.Proof{}, err
	}
	return key.proves("bearer", now)
}

// mayKnow reports whether a new set could not help: one of the keys has the token's kid or, where no kid decides, has made
// the token. With a kid the signature is left to Verify.
func mayKnow(keys []tokenKey, token string, header tokenHeader) bool {
	for i := range keys {
		if header.kid != "" && keys[i].kid == header.kid {
			return true
		}
	}
	for i := range keys {
		if !keys[i].mayHaveMade(header) {
			continue
		}
		if _, genuine, _ := verifyToken(token, header.alg, keys[i].public); genuine {
			return true
		}
	}
	return false
}

// publishedSet is a key set as it was fetched.
type publishedSet struct {
	strict   []tokenKey // those that name their alg
	inferred []tokenKey // all
	asked    time.Time  // before it came
}

func (p *publishedSet) usable(infer bool) []tokenKey {
	if infer {
		return p.inferred
	}
	return p.strict
}

// keySource is one URL of a key set. One fetch at most is under way, and between two there is a pause.
type keySource struct {
	parties *Parties
	client  *http.Client
	url     string
	host    string // for messages
	set     atomic.Pointer[publishedSet]

	mu      sync.Mutex
	asked   time.Time     // the last fetch; zero before the first
	err     error         // how it ended
	flight  chan struct{} // closed when the one under way ends; nil where none is
	waiting int
}

type setKey struct {
	url          string
	allowPrivate bool
}

func (p *Parties) source(u *url.URL, allowPrivate bool) *keySource {
	return shared(p, p.sets, setKey{u.String(), allowPrivate}, func() *keySource {
		return &keySource{parties: p, client: newClient(u, allowPrivate), url: u.String(), host: u.Host}
	})
}

func (k *keySource) age(set *publishedSet) time.Duration {
	if set == nil {
		return 0
	}
	return k.parties.now().Sub(set.asked)
}

// renew fetches the set without anybody waiting for it, unless the last fetch is too recent.
func (k *keySource) renew() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begin()
}

// refresh waits for a new set, or says why there is none. Within the pause after a fetch it says how that one ended.
func (k *keySource) refresh(ctx context.Context) error {
	k.mu.Lock()
	if wait := k.begin(); k.flight == nil {
		defer k.mu.Unlock()
		return k.outcome(wait)
	}
	flight := k.flight
	if k.waiting >= maxWaiting {
		defer k.mu.Unlock()
		return away(time.Second, nil, "%d deliveries wait for the key set of %s, which is the limit", k.waiting, k.host)
	}
	k.waiting++
	k.mu.Unlock()
	var given error
	select {
	case <-flight:
	case <-ctx.Done():
		given = away(time.Second, ctx.Err(), "nobody waits for the key set of %s any more", k.host)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting--
	if given != nil {
		return given
	}
	return k.outcome(setCooldown)
}

// begin starts a fetch where none is under way and the pause is over, or else says how much of the pause is left. It is
// called with mu held.
func (k *keySource) begin() time.Duration {
	if k.flight != nil {
		return 0
	}
	now := k.parties.now()
	if wait := k.asked.Add(setCooldown).Sub(now); !k.asked.IsZero() && wait > 0 {
		return wait
	}
	flight := make(chan struct{})
	started := k.parties.start(func(ctx context.Context) {
		set, err := k.fetch(ctx)
		switch {
		case err == nil:
			set.asked = now
			k.set.Store(set)
		case k.parties.ctx.Err() == nil:
			k.parties.failed(fmt.Errorf("the key set of %s cannot be had: %w", k.host, err))
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.err, k.flight = err, nil
		close(flight)
	})
	if !started {
		k.err = errors.New("the gateway is stopping")
		return time.Second
	}
	k.asked, k.flight = now, flight
	return 0
}

// outcome is called with mu held.
func (k *keySource) outcome(retry time.Duration) error {
	if k.err == nil {
		return nil
	}
	return away(retry, k.err, "the key set of %s cannot be had: %v", k.host, k.err)
}

// fetch asks for the set. A key that cannot verify is left out; a set without one that can is no set.
func (k *keySource) fetch(ctx context.Context) (*publishedSet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	body, err := ask(k.client, req)
	if err != nil {
		return nil, err
	}
	return readPublishedSet(body)
}

func readPublishedSet(body []byte) (*publishedSet, error) {
	keys, left, wrong := readKeySet(body, true)
	if wrong != nil {
		return nil, errors.New(wrong.Message)
	}
	if len(keys) == 0 {
		why := "it holds no key that could verify a token"
		if len(left) > 0 {
			why += "; " + left[0].Message
		}
		return nil, errors.New(why)
	}
	set := &publishedSet{inferred: keys}
	for i := range keys {
		if keys[i].id = keys[i].kid; keys[i].id == "" {
			keys[i].id = "jwks_url"
		}
		if !keys[i].inferred {
			set.strict = append(set.strict, keys[i])
		}
	}
	return set, nil
}
