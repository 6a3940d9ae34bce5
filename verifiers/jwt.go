package verifiers

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// tokenHeader is what of a token's protected header is used.
type tokenHeader struct {
	alg, kid, typ string
}

// tokenClaims are the claims of a token whose signature is good, or those that an issuer tells of a token.
type tokenClaims struct{ parsed jwt.Token }

// madeClaims are the claims of a token that we make ourselves; what is empty is left out.
type madeClaims struct {
	issuer            string
	audience          []string
	issuedAt, expires time.Time
	id                string // jti
	client            string // client_id, and sub
	scope             string
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
	claims, err = parseClaims(payload)
	if err != nil {
		return tokenClaims{}, true, hookgate.Refuse(hookgate.TokenRefused, "the token's payload is not an object of claims that can be read")
	}
	return claims, true, nil
}

// parseClaims reads an object of claims.
func parseClaims(object []byte) (tokenClaims, error) {
	if len(object) == 0 || object[0] != '{' {
		return tokenClaims{}, errors.New("no object")
	}
	parsed, err := jwt.ParseInsecure(object, jwt.WithStrictStringClaims(true))
	return tokenClaims{parsed}, err
}

// check holds the claims against the demands and the time.
func (c tokenClaims) check(d *demands, now time.Time) error {
	options := append(make([]jwt.ValidateOption, 0, 5), jwt.WithClock(jwt.ClockFunc(func() time.Time { return now })), jwt.WithAcceptableSkew(tokenSkew))
	if !d.endless {
		options = append(options, jwt.WithRequiredClaim(jwt.ExpirationKey))
	}
	if d.issuer != "" {
		options = append(options, jwt.WithIssuer(d.issuer))
	}
	if d.audience != "" {
		options = append(options, jwt.WithAudience(d.audience))
	}
	err := jwt.Validate(c.parsed, options...)
	if err == nil {
		return c.checkScopes(d.scopes)
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
	return hookgate.Refuse(hookgate.TokenRefused, "the token is genuine, but %s", what)
}

// checkScopes wants every scope under scope (RFC 8693, one text) or scp (Entra one text, Okta a list).
func (c tokenClaims) checkScopes(wanted []string) error {
	if len(wanted) == 0 {
		return nil
	}
	var granted []string
	for _, name := range []string{"scope", "scp"} {
		var value any
		if err := c.parsed.Get(name, &value); err != nil {
			continue // it is not there
		}
		switch v := value.(type) {
		case string:
			granted = append(granted, strings.Split(v, " ")...)
		case []any:
			for _, one := range v {
				if text, isText := one.(string); isText {
					granted = append(granted, text)
				}
			}
		}
	}
	for _, scope := range wanted {
		if !slices.Contains(granted, scope) {
			return hookgate.Refuse(hookgate.TokenRefused, "the token is genuine, but lacks the scope %s", scope)
		}
	}
	return nil
}

// text is a claim that is text; empty where it is not there or something else.
func (c tokenClaims) text(name string) string {
	var value any
	_ = c.parsed.Get(name, &value) // what is not there stays nil
	text, _ := value.(string)
	return text
}

// times are iat, nbf and exp; zero for what is not there.
func (c tokenClaims) times() (issuedAt, notBefore, expires time.Time) {
	issuedAt, _ = c.parsed.IssuedAt()
	notBefore, _ = c.parsed.NotBefore()
	expires, _ = c.parsed.Expiration()
	return issuedAt, notBefore, expires
}

// signToken makes the compact form, under the key's algorithm and with its kid where it has one.
func signToken(private crypto.Signer, key tokenKey, typ string, claims madeClaims) (string, error) {
	algorithm, known := jwa.LookupSignatureAlgorithm(key.alg)
	if !known {
		return "", fmt.Errorf("unknown algorithm %s", key.alg)
	}
	builder := jwt.NewBuilder().IssuedAt(claims.issuedAt).Expiration(claims.expires)
	if claims.issuer != "" {
		builder = builder.Issuer(claims.issuer)
	}
	if len(claims.audience) > 0 {
		builder = builder.Audience(claims.audience)
	}
	if claims.id != "" {
		builder = builder.JwtID(claims.id)
	}
	if claims.client != "" {
		builder = builder.Subject(claims.client).Claim("client_id", claims.client)
	}
	if claims.scope != "" {
		builder = builder.Claim("scope", claims.scope)
	}
	token, err := builder.Build()
	if err != nil {
		return "", err
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, typ); err != nil {
		return "", err
	}
	if key.kid != "" {
		if err := headers.Set(jws.KeyIDKey, key.kid); err != nil {
			return "", err
		}
	}
	signed, err := jwt.Sign(token, jwt.WithKey(algorithm, private, jws.WithProtectedHeaders(headers)))
	return string(signed), err
}

// parsePublicJWK reads the key of one member of a key set.
func parsePublicJWK(member []byte) (crypto.PublicKey, error) {
	parsed, err := jwk.ParseKey(member)
	if err != nil {
		return nil, err
	}
	var public any
	err = jwk.Export(parsed, &public)
	return public, err
}

// publicJWK is the member that stands for the key in a key set.
func publicJWK(key tokenKey) (json.RawMessage, error) {
	made, err := jwk.Import(key.public)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]any{jwk.KeyIDKey: key.kid, jwk.AlgorithmKey: key.alg, jwk.KeyUsageKey: jwk.ForSignature} {
		if err := made.Set(name, value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(made)
}

// thumbprint is the digest of a public key that RFC 7638 makes its natural kid.
func thumbprint(public crypto.PublicKey) (string, error) {
	made, err := jwk.Import(public)
	if err != nil {
		return "", err
	}
	sum, err := made.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}
