package verifiers

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

const (
	maxToken     = 8 << 10 // bytes; refused above it, before anything is decoded
	tokenSkew    = 30 * time.Second
	tokenLasts   = 5 * time.Minute // of a token that Sign makes
	allowedForms = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA"
)

// demands are what the claims of a token must say.
type demands struct {
	issuer, audience string // iss and aud; empty for what nobody asks for
	scopes           []string
	endless          bool // exp may be missing
}

// bearer is a JWT under Authorization: Bearer, as OAuth 2.0 hands it out, made by a key of the configuration. Sprinklr and
// CommBox offer OAuth in their consoles (their pages say so); that the access token is a JWT under that header is our
// reading. It proves who sends, and nothing about the body. The token's own header never decides where a key comes from
// (jku, x5u, jwk and x5c are not read) and only chooses among the algorithms that the configured key allows.
type bearer struct {
	demands
	keys    []tokenKey
	private crypto.Signer // nil unless made by NewSigner
	signing tokenKey      // the public half of private
}

// newBearer makes the scheme of whatever vouches for the tokens, of which there must be exactly one.
func newBearer(s *settings) Scheme {
	s.checkScopes()
	switch s.voucher() {
	case "jwks_url":
		return newFetched(s)
	case "introspection":
		return newIntrospected(s)
	case "issued":
		return newIssued(s)
	}
	scheme := &bearer{demands: s.demands()}
	for i, secret := range s.Keys {
		field := fmt.Sprintf("keys[%d]", i)
		if !s.resolved(field, secret) {
			continue
		}
		if text := bytes.TrimSpace(secret.Reveal()); text[0] == '{' {
			scheme.keys = append(scheme.keys, s.keySet(field, labelOf(field, secret), text)...)
			continue
		}
		public, wrong := parsePublicKey(secret.Reveal())
		if wrong == nil && defaultAlgorithm(public) == "" {
			wrong = &hookgate.Problem{Message: "the key is of a kind that signs no tokens", Hint: "expected RSA, P-256, P-384, P-521 or Ed25519"}
		}
		if wrong != nil {
			s.problems.Add(field, wrong.Hint, "%s", wrong.Message)
			continue
		}
		scheme.keys = append(scheme.keys, tokenKey{label: labelOf(field, secret), public: public})
	}
	if s.signs && s.resolved("private", s.private) {
		scheme.addPrivate(s)
	}
	return scheme
}

// addPrivate reads the private key and finds the public key that it belongs to, whose kid and algorithm it signs under.
func (b *bearer) addPrivate(s *settings) {
	private, wrong := parsePrivateKey(s.private.Reveal())
	if wrong == nil && defaultAlgorithm(private.Public()) == "" {
		wrong = &hookgate.Problem{Message: "the private key is of a kind that signs no tokens", Hint: "expected RSA, P-256, P-384, P-521 or Ed25519"}
	}
	if wrong != nil {
		s.problems.Add("private", wrong.Hint, "%s", wrong.Message)
		return
	}
	b.private = private
	if len(s.Keys) == 0 {
		b.keys = []tokenKey{{label: labelOf("private", s.private), public: private.Public()}}
	}
	for _, key := range b.keys {
		if k, ok := key.public.(interface{ Equal(crypto.PublicKey) bool }); ok && k.Equal(private.Public()) {
			b.signing = key
			if key.alg == "" {
				b.signing.alg = defaultAlgorithm(key.public)
			}
			return
		}
	}
	s.problems.Add("private", "", "the private key belongs to none of the keys")
}

// signed is the claims that a token carries: who says it, to whom, for what, and from when until when.
func (b *bearer) signed(now time.Time) madeClaims {
	claims := madeClaims{issuer: b.issuer, scope: strings.Join(b.scopes, " "), issuedAt: now, expires: now.Add(tokenLasts)}
	if b.audience != "" {
		claims.audience = []string{b.audience}
	}
	return claims
}

// Sign makes a token that lasts five minutes. It stands for the provider's authorisation server.
func (b *bearer) Sign(req *hookgate.Request, now time.Time) error {
	if b.private == nil {
		return hookgate.Errorf(hookgate.InternalMistake, "bearer was made without a private key and cannot sign")
	}
	token, err := signToken(b.private, b.signing, "JWT", b.signed(now))
	if err != nil {
		return hookgate.Errorf(hookgate.InternalMistake, "bearer: %w", err)
	}
	set(req, "Authorization", "Bearer "+token)
	return nil
}

// Verify accepts a compact signed token with exp, whose iss and aud are the configured ones where those are set. exp, nbf
// and iat may be 30 s off; exactly 30 s after exp it has expired.
func (b *bearer) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	token, header, err := tokenOf(req)
	if err != nil {
		return hookgate.Proof{}, err
	}
	key, _, err := judge(token, header, b.keys, &b.demands, now)
	if err != nil {
		return hookgate.Proof{}, err
	}
	return key.proves("bearer", now)
}

// judge finds the key that made the token, and holds what the token says against the demands.
func judge(token string, header tokenHeader, keys []tokenKey, d *demands, now time.Time) (*tokenKey, tokenClaims, error) {
	for i := range keys {
		key := &keys[i]
		if !key.mayHaveMade(header) {
			continue
		}
		claims, genuine, err := verifyToken(token, header.alg, key.public)
		if !genuine {
			continue
		}
		if err == nil {
			err = header.check()
		}
		if err == nil {
			err = claims.check(d, now)
		}
		return key, claims, err
	}
	return nil, tokenClaims{}, hookgate.Refuse(hookgate.Mismatch, "the token was made by none of the %d keys", len(keys))
}

// tokenOf takes the token out of the request, and reads its header. Nothing in it is believed yet.
func tokenOf(req *hookgate.Request) (token string, header tokenHeader, err error) {
	if token, err = credentials(req, "Bearer"); err != nil {
		return "", tokenHeader{}, err
	}
	header, err = readToken(token)
	return token, header, err
}

// readToken checks the outer form of a token and reads its header.
func readToken(token string) (tokenHeader, error) {
	if len(token) > maxToken {
		return tokenHeader{}, hookgate.Refuse(hookgate.HeaderGrammar, "the token has %d bytes, at most %d are read", len(token), maxToken)
	}
	// Five parts are an encrypted token, whose key derivation and compression can be made to cost a lot: refused unread.
	if n := strings.Count(token, ".") + 1; n != 3 {
		return tokenHeader{}, hookgate.Refuse(hookgate.HeaderGrammar, "the token has %d parts, a signed one has 3", n)
	}
	head, rest, _ := strings.Cut(token, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	// Of all three parts only the form is checked here: the first two are signed as text, the third must have one form.
	for _, part := range []string{head, claims, signature} {
		if part == "" || strings.ContainsAny(part, "\r\n") {
			return tokenHeader{}, hookgate.Refuse(hookgate.HeaderGrammar, "a part of the token is empty or broken over lines")
		}
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return tokenHeader{}, hookgate.Refuse(hookgate.HeaderGrammar, "a part of the token is not canonical URL-safe base64")
		}
	}
	header, err := parseTokenHeader(head)
	if err != nil {
		return tokenHeader{}, err
	}
	if !fits(header.alg, nil) {
		return tokenHeader{}, hookgate.Refuse(hookgate.HeaderGrammar, "the token's alg is not %s", allowedForms)
	}
	return header, nil
}

// mayHaveMade reports whether the key can be the token's: a kid counts where both have one, the algorithm of a key set's
// key must be the token's, and the key must be of the algorithm's kind. A public key is never taken as an HMAC secret.
func (k *tokenKey) mayHaveMade(header tokenHeader) bool {
	if k.kid != "" && header.kid != "" && k.kid != header.kid {
		return false
	}
	if k.alg != "" && k.alg != header.alg {
		return false
	}
	return fits(header.alg, k.public)
}

// fits reports whether a key is of the kind that an algorithm needs. With a nil key it says only whether the algorithm
// is allowed at all; none and the HMAC ones never are.
func fits(alg string, key crypto.PublicKey) bool {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		_, ok := key.(*rsa.PublicKey)
		return ok || key == nil
	case "ES256":
		return key == nil || onCurve(key, elliptic.P256())
	case "ES384":
		return key == nil || onCurve(key, elliptic.P384())
	case "ES512":
		return key == nil || onCurve(key, elliptic.P521())
	case "EdDSA":
		_, ok := key.(ed25519.PublicKey)
		return ok || key == nil
	}
	return false
}

func onCurve(key crypto.PublicKey, curve elliptic.Curve) bool {
	k, ok := key.(*ecdsa.PublicKey)
	return ok && k.Curve == curve
}

// defaultAlgorithm is what a key without a written algorithm signs with; empty for a kind that signs no tokens.
func defaultAlgorithm(key crypto.PublicKey) string {
	for _, alg := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} {
		if key != nil && fits(alg, key) {
			return alg
		}
	}
	return ""
}
