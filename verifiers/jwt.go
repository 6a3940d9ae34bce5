package verifiers

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/hookgate/hookgate"
)

// This file alone knows the JWT library. It is given one key and one algorithm at a time, never a key set to choose from
// and never a fetcher, so that nothing in a token can lead it elsewhere. Its error texts may quote a token and so stay here.

const (
	maxKeySet     = 64 << 10 // bytes of one JWK set
	maxKeysPerSet = 50
	maxKid        = 128 // bytes; a kid ends up as the keyid of every event
)

// tokenHeader is what of a token's protected header is used.
type tokenHeader struct {
	alg, kid, typ string
}

// tokenClaims are the claims that Sign writes; parsed holds those of a verified token.
type tokenClaims struct {
	issuer, audience  string
	issuedAt, expires time.Time
	parsed            jwt.Token
}

func parseTokenHeader(part string) (tokenHeader, error) {
	wrong := hookgate.Refuse(hookgate.HeaderGrammar, "the token's header cannot be read")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return tokenHeader{}, wrong
	}
	parsed := jws.NewHeaders()
	if err := json.Unmarshal(raw, parsed); err != nil {
		return tokenHeader{}, wrong
	}
	var header tokenHeader
	if alg, ok := parsed.Algorithm(); ok {
		header.alg = alg.String()
	}
	header.kid, _ = parsed.KeyID()
	header.typ, _ = parsed.Type()
	// A reader must understand what crit lists or refuse the token (RFC 7515, section 4.1.11), and we understand none.
	if parsed.Has(jws.CriticalKey) {
		return tokenHeader{}, hookgate.Refuse(hookgate.HeaderGrammar, "the token has critical extensions")
	}
	return header, nil
}

// check refuses a signed token that is no access token, such as one made for a logout.
func (h tokenHeader) check() error {
	switch strings.TrimPrefix(strings.ToLower(h.typ), "application/") {
	case "", "jwt", "at+jwt":
		return nil
	}
	return hookgate.Refuse(hookgate.TokenRefused, "the token's typ is neither JWT nor at+jwt")
}

// verifyToken checks the signature with one key. genuine says that the key made the token; err is then about its claims.
func verifyToken(token, alg string, key crypto.PublicKey) (claims tokenClaims, genuine bool, err error) {
	algorithm, known := jwa.LookupSignatureAlgorithm(alg)
	if !known {
		return tokenClaims{}, false, nil
	}
	payload, err := jws.VerifyCompactFast(key, []byte(token), algorithm)
	if err != nil {
		return tokenClaims{}, false, nil
	}
	if len(payload) == 0 || payload[0] != '{' {
		return tokenClaims{}, true, hookgate.Refuse(hookgate.TokenRefused, "the token's payload is not a claims object")
	}
	claims.parsed, err = jwt.ParseInsecure(payload, jwt.WithStrictStringClaims(true))
	if err != nil {
		return tokenClaims{}, true, hookgate.Refuse(hookgate.TokenRefused, "the token's claims cannot be read")
	}
	return claims, true, nil
}

// check holds the claims against the settings and the time. exp must be there; iss and aud count where they are set.
func (c tokenClaims) check(issuer, audience string, now time.Time) error {
	options := []jwt.ValidateOption{
		jwt.WithClock(jwt.ClockFunc(func() time.Time { return now })),
		jwt.WithAcceptableSkew(tokenSkew),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
	}
	if issuer != "" {
		options = append(options, jwt.WithIssuer(issuer))
	}
	if audience != "" {
		options = append(options, jwt.WithAudience(audience))
	}
	err := jwt.Validate(c.parsed, options...)
	if err == nil {
		return nil
	}
	what := "a claim does not fit"
	for _, known := range []struct {
		is   error
		says string
	}{
		{jwt.TokenExpiredError(), "it has expired"},
		{jwt.TokenNotYetValidError(), "nbf lies ahead"},
		{jwt.InvalidIssuedAtError(), "iat lies ahead"},
		{jwt.InvalidIssuerError(), "iss is not the configured issuer"},
		{jwt.InvalidAudienceError(), "aud does not hold the configured audience"},
		{jwt.MissingRequiredClaimError(), "exp is missing"},
	} {
		if errors.Is(err, known.is) {
			what = known.says
			break
		}
	}
	return hookgate.Refuse(hookgate.TokenRefused, "the token is signed by our key, but %s", what)
}

// signToken makes the compact form, under the key's algorithm and with its kid where it has one.
func signToken(private crypto.Signer, key tokenKey, claims tokenClaims) (string, error) {
	algorithm, known := jwa.LookupSignatureAlgorithm(key.alg)
	if !known {
		return "", fmt.Errorf("unknown algorithm %s", key.alg)
	}
	builder := jwt.NewBuilder().IssuedAt(claims.issuedAt).Expiration(claims.expires)
	if claims.issuer != "" {
		builder = builder.Issuer(claims.issuer)
	}
	if claims.audience != "" {
		builder = builder.Audience([]string{claims.audience})
	}
	token, err := builder.Build()
	if err != nil {
		return "", err
	}
	headers := jws.NewHeaders()
	if key.kid != "" {
		if err := headers.Set(jws.KeyIDKey, key.kid); err != nil {
			return "", err
		}
	}
	signed, err := jwt.Sign(token, jwt.WithKey(algorithm, private, jws.WithProtectedHeaders(headers)))
	return string(signed), err
}

// keySet reads the verifying keys of a JWK set, or of a single JWK. Symmetric keys, and keys for encryption or for
// algorithms that are not allowed, are left out, because a provider's set often holds them. What must not stand in such a
// set at all (a private key) and what would make the choice of the algorithm the token's (a key without alg) is refused.
func (s *settings) keySet(field string, name label, text []byte) []tokenKey {
	var set map[string]json.RawMessage
	var members []json.RawMessage
	if len(text) > maxKeySet {
		s.problems.Add(field, "", "the key set has %d bytes, at most %d are read", len(text), maxKeySet)
		return nil
	}
	if err := json.Unmarshal(text, &set); err != nil {
		s.problems.Add(field, `expected {"keys":[...]}`, "the key set is not JSON")
		return nil
	}
	if list, isSet := set["keys"]; !isSet {
		members = []json.RawMessage{text}
	} else if err := json.Unmarshal(list, &members); err != nil || len(members) > maxKeysPerSet {
		s.problems.Add(field, fmt.Sprintf(`expected {"keys":[...]} with at most %d keys`, maxKeysPerSet), "the key set cannot be read")
		return nil
	}
	before := len(s.problems)
	var keys []tokenKey
	kids := make(map[string]bool, len(members))
	for i, member := range members {
		key, usable, wrong := parseJWK(member)
		if wrong == nil && key.kid != "" && kids[key.kid] {
			wrong = &hookgate.Problem{Message: "an earlier key of the set has the same kid"}
		}
		kids[key.kid] = true
		switch {
		case wrong != nil:
			s.problems.Add(field, wrong.Hint, "key %d of the set: %s", i+1, wrong.Message)
		case usable:
			key.label = name
			if key.kid != "" {
				key.id = key.kid
			}
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 && len(s.problems) == before {
		s.problems.Add(field, "expected a signing key for "+allowedForms, "the key set holds no key that could verify a token")
	}
	return keys
}

func parseJWK(member []byte) (key tokenKey, usable bool, wrong *hookgate.Problem) {
	// A map, because a struct would take kty and KTY for one.
	var fields map[string]any
	if err := json.Unmarshal(member, &fields); err != nil {
		return key, false, &hookgate.Problem{Message: "it is not a JSON object"}
	}
	text := func(name string) string { v, _ := fields[name].(string); return v }
	key.kid, key.alg = text("kid"), text("alg")
	_, hasPrivate := fields["d"]
	use := text("use")
	switch {
	case text("kty") == "oct" || fields["k"] != nil: // whoever reads a symmetric key could sign
		return key, false, nil
	case hasPrivate:
		return key, false, &hookgate.Problem{Message: "it is a private key", Hint: "only the public half belongs here"}
	case use != "" && use != "sig":
		return key, false, nil
	case key.alg == "":
		return key, false, &hookgate.Problem{Message: "it names no alg", Hint: `write the issuer's algorithm into it, such as "alg":"RS256"`}
	case !fits(key.alg, nil):
		return key, false, nil
	case len(key.kid) > maxKid || strings.ContainsFunc(key.kid, func(r rune) bool { return r <= ' ' || r > '~' }):
		return key, false, &hookgate.Problem{Message: "its kid is longer than 128 bytes or not plain ASCII"}
	}
	var public any
	parsed, err := jwk.ParseKey(member)
	if err == nil {
		err = jwk.Export(parsed, &public)
	}
	if err != nil {
		return key, false, &hookgate.Problem{Message: "it cannot be read", Hint: "RSA keys need 2048 bit or more"}
	}
	if key.public = public; !fits(key.alg, public) {
		return key, false, &hookgate.Problem{Message: "its alg does not fit its kty and crv"}
	}
	if rsaKey, isRSA := public.(*rsa.PublicKey); isRSA {
		if wrong := checkRSA(rsaKey); wrong != nil {
			return key, false, wrong
		}
	}
	return key, true, nil
}
