package verifiers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// The lifetimes of tokens that the gateway makes; all ours.
const (
	defaultLifetime = time.Hour
	minLifetime     = time.Minute
	maxLifetime     = 24 * time.Hour
)

// issuedType is the typ of an access token that is a JWT (RFC 9068). No other token of the same keys passes for one.
const issuedType = "at+jwt"

// Issuer makes the tokens of the gateway's own endpoint, and the key set by which they are verified. It is safe for
// concurrent use, and has no clock.
type Issuer struct {
	name  string // iss
	lasts time.Duration
	keys  []issuingKey
	set   []byte
}

// issuingKey is a private key with its public half.
type issuingKey struct {
	tokenKey
	private crypto.Signer
}

// NewIssuer reads the keys, lifetime and issuer of the settings; publicURL is the issuer unless they name one. A lifetime
// of 0 is one hour. The error is a hookgate.Problems, whose fields are those of the settings, such as keys[0].
func NewIssuer(t hookgate.TokenSettings, publicURL string) (*Issuer, error) {
	s := &settings{} // for its judgement of secrets
	i := &Issuer{name: t.Issuer, lasts: t.Lifetime}
	if i.name == "" {
		i.name = publicURL
	}
	if i.name == "" {
		s.problems.Add("issuer", "set public_url, or issuer under tokens", "the tokens have no issuer")
	}
	if i.lasts == 0 {
		i.lasts = defaultLifetime
	}
	if i.lasts < minLifetime || i.lasts > maxLifetime {
		s.problems.Add("lifetime", "write 1h, or another time from 1m to 24h", "a token cannot last %s", i.lasts)
	}
	if len(t.Keys) == 0 {
		s.problems.Add("keys", "make one: openssl genpkey -algorithm ed25519 -out token.pem; and write keys: [file:token.pem]", "there is no key to sign tokens with")
	}
	for n, secret := range t.Keys {
		if field := fmt.Sprintf("keys[%d]", n); s.resolved(field, secret) {
			i.add(s, field, secret)
		}
	}
	if err := s.problems.Err(); err != nil {
		return nil, err
	}
	if err := i.publish(); err != nil {
		return nil, hookgate.Problems{{Field: "keys", Message: err.Error()}}
	}
	return i, nil
}

func (i *Issuer) add(s *settings, field string, secret hookgate.Secret) {
	private, wrong := parsePrivateKey(secret.Reveal())
	if wrong == nil && !issues(private.Public()) {
		wrong = &hookgate.Problem{Message: "the key is of a kind that tokens are not signed with here", Hint: "expected Ed25519, P-256 or RSA"}
	}
	if wrong != nil {
		s.problems.Add(field, wrong.Hint, "%s", wrong.Message)
		return
	}
	key := issuingKey{private: private, tokenKey: tokenKey{
		label: labelOf("tokens."+field, secret), alg: defaultAlgorithm(private.Public()), public: private.Public(),
	}}
	var err error
	if key.kid, err = thumbprint(key.public); err != nil {
		s.problems.Add(field, "make a new key", "the key has no thumbprint")
		return
	}
	for _, earlier := range i.keys {
		if earlier.kid == key.kid {
			s.problems.Add(field, "keep one of them", "an earlier key is the same")
			return
		}
	}
	i.keys = append(i.keys, key)
}

// issues reports whether tokens may be signed by a key of this kind.
func issues(public crypto.PublicKey) bool {
	switch public.(type) {
	case ed25519.PublicKey, *rsa.PublicKey:
		return true
	case *ecdsa.PublicKey:
		return onCurve(public, elliptic.P256())
	}
	return false
}

// publish makes the key set.
func (i *Issuer) publish() (err error) {
	members := make([]json.RawMessage, len(i.keys))
	for n, key := range i.keys {
		if members[n], err = publicJWK(key.tokenKey); err != nil {
			return fmt.Errorf("the key %s cannot be published: %w", key.id, err)
		}
	}
	i.set, err = json.Marshal(map[string][]json.RawMessage{"keys": members})
	return err
}

// Name is the iss of every token.
func (i *Issuer) Name() string { return i.name }

// Lifetime is how long a token lasts.
func (i *Issuer) Lifetime() time.Duration { return i.lasts }

// KeySet is the JSON of the public halves of all keys. The caller must not change it.
func (i *Issuer) KeySet() []byte { return i.set }

// Issue makes a token by which the client may send to the sources, signed by the first key that has not ended at now. It
// lasts whole seconds from now on. The error's code is InternalMistake: every key has ended, or the token has become so
// long that Verify would refuse it.
func (i *Issuer) Issue(client string, sources, scopes []string, now time.Time) (token string, lasts time.Duration, err error) {
	n := slices.IndexFunc(i.keys, func(k issuingKey) bool { return !k.from.Retired(now) })
	if n < 0 {
		return "", 0, &hookgate.Error{Code: hookgate.InternalMistake, Detail: "every key of tokens.keys is past its not_after", Hint: "add a new one in front"}
	}
	key := i.keys[n]
	lasts = i.lasts.Truncate(time.Second)
	if end := key.from.NotAfter(); !end.IsZero() && end.Before(now.Add(lasts)) {
		lasts = end.Sub(now).Truncate(time.Second) // nobody is handed a token that ends before it says
	}
	token, err = signToken(key.private, key.tokenKey, issuedType, madeClaims{
		issuer: i.name, audience: sources, issuedAt: now, expires: now.Add(lasts),
		id: rand.Text(), client: client, scope: strings.Join(scopes, " "),
	})
	if err != nil {
		return "", 0, hookgate.Errorf(hookgate.InternalMistake, "the token cannot be signed: %w", err)
	}
	if len(token) > maxToken {
		return "", 0, &hookgate.Error{
			Code: hookgate.InternalMistake, Detail: fmt.Sprintf("the token of the client %q has %d bytes, and %d can be sent", client, len(token), maxToken),
			Hint: "give the client fewer sources or scopes",
		}
	}
	return token, lasts, nil
}

// issued are tokens of the gateway's own endpoint. They are good for a source when the endpoint made them for it, and the
// client is still one that may send there.
type issued struct {
	demands
	keys    []tokenKey
	clients map[string]time.Time // by id: tokens made before are refused
}

func newIssued(s *settings) Scheme {
	if s.Tokens == nil || len(s.Tokens.Keys) == 0 && len(s.Tokens.Clients) == 0 {
		s.problems.Add("issued", "add tokens: with keys and clients", "the configuration has no token endpoint whose tokens these could be")
		return &issued{}
	}
	issuer, err := NewIssuer(*s.Tokens, s.PublicURL)
	if err != nil {
		s.problems.Add("issued", "mend tokens", "the token endpoint cannot issue anything: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
		return &issued{}
	}
	scheme := &issued{demands: s.demands(), clients: make(map[string]time.Time)}
	scheme.issuer, scheme.audience = issuer.name, s.Source
	for _, key := range issuer.keys {
		scheme.keys = append(scheme.keys, key.tokenKey)
	}
	// There may be none left, of which the loader warns: taking a source from its last client must take effect.
	for n, c := range s.Tokens.Clients {
		if !slices.Contains(c.Sources, s.Source) {
			continue
		}
		var revoked time.Time
		if c.RevokedBefore != "" {
			if revoked, err = time.Parse(time.RFC3339, c.RevokedBefore); err != nil {
				s.problems.Add("issued", "write it as 2026-01-31T12:00:00Z", "tokens.clients[%d].revoked_before is not a time", n)
			}
		}
		scheme.clients[c.ID] = revoked
	}
	return scheme
}

// Sign refuses: a token of the endpoint is asked for there, by a client.
func (b *issued) Sign(*hookgate.Request, time.Time) error { return cannotSign("issued") }

// Verify accepts what the endpoint issued for this source, unless its client may no longer send here. What a client may do
// is looked up now, so that taking a source from it needs no new keys.
func (b *issued) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	token, header, err := tokenOf(req)
	if err != nil {
		return hookgate.Proof{}, err
	}
	key, claims, err := judge(token, header, b.keys, &b.demands, now)
	if err != nil {
		return hookgate.Proof{}, err
	}
	if header.typ != issuedType || header.kid != key.kid {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.TokenRefused, "the token is signed by our key, but the token endpoint did not make it")
	}
	// The id of a client is not logged: before it is known it is text that anybody may have chosen.
	revoked, known := b.clients[claims.text("client_id")]
	if !known {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.TokenRefused, "the token is genuine, but its client may not send to this source")
	}
	if issuedAt, _, _ := claims.times(); issuedAt.IsZero() || issuedAt.Before(revoked) {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.TokenRefused, "the token is genuine, but made before the client's revoked_before")
	}
	return key.proves("bearer", now)
}

// cannotSign is the answer of a way to verify that nobody can sign for.
func cannotSign(way string) error {
	return hookgate.Errorf(hookgate.InternalMistake, "bearer with %s cannot sign; a signer has a private key alone", way)
}
