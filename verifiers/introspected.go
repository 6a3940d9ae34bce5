package verifiers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// askedID stands in a proof where the issuer's word is the key.
const askedID = "introspection"

// introspected are tokens that only their issuer understands: it is asked about each (RFC 7662), and its answer is
// remembered for a while.
type introspected struct{ oracle *oracle }

func newIntrospected(s *settings) Scheme {
	in := s.Introspection
	u := s.partyURL("introspection.url", in.URL)
	if in.ClientID == "" {
		s.problems.Add("introspection.client_id", "make a client for the gateway at the issuer", "the gateway has nothing to prove itself with to the issuer")
	}
	// A name and a password are form-encoded before they go into a Basic header (RFC 6749, section 2.3.1).
	if !s.resolved("introspection.client_secret", in.ClientSecret) || u == nil {
		return &introspected{}
	}
	pair := url.QueryEscape(in.ClientID) + ":" + url.QueryEscape(string(in.ClientSecret.Reveal()))
	d := s.demands()
	d.endless = true // an issuer need not tell when a token ends; it is asked again anyway
	key := oracleKey{
		url: u.String(), allowPrivate: s.AllowPrivate, credentials: sha256.Sum256([]byte(pair)),
		issuer: d.issuer, audience: d.audience, scopes: strings.Join(d.scopes, " "),
	}
	return &introspected{shared(s.parties, s.parties.oracles, key, func() *oracle {
		return newOracle(s.parties, u, s.AllowPrivate, "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)), d)
	})}
}

// Sign refuses: the tokens are the issuer's.
func (b *introspected) Sign(*hookgate.Request, time.Time) error { return cannotSign("introspection") }

// Prepare asks the issuer about a token that it has not told of within the last minute.
func (b *introspected) Prepare(ctx context.Context, req *hookgate.Request, _ time.Time) error {
	token, err := opaqueToken(req)
	if err != nil {
		return nil // Verify says what is wrong with it, and nobody is asked about such a thing
	}
	return b.oracle.ask(ctx, token)
}

// Verify goes by what the issuer has told of the token.
func (b *introspected) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	token, err := opaqueToken(req)
	if err != nil {
		return hookgate.Proof{}, err
	}
	answer, heard := b.oracle.heard(token)
	switch {
	case !heard || answer.refusal == "" && !now.Before(answer.asked.Add(goodKept)):
		return hookgate.Proof{}, away(time.Second, nil, "%s has not been asked about the token", b.oracle.host)
	case answer.refusal != "":
		return hookgate.Proof{}, hookgate.Refuse(hookgate.TokenRefused, "%s", answer.refusal)
	case !answer.expires.IsZero() && !now.Before(answer.expires.Add(tokenSkew)):
		return hookgate.Proof{}, hookgate.Refuse(hookgate.TokenRefused, "the token is genuine, but it has expired")
	case now.Before(answer.notBefore.Add(-tokenSkew)):
		return hookgate.Proof{}, hookgate.Refuse(hookgate.TokenRefused, "the token is genuine, but nbf lies ahead")
	}
	return hookgate.Proof{Scheme: "bearer", KeyID: askedID}, nil
}

// opaqueToken takes the token out of the request, if it can be one (RFC 6750, section 2.1).
func opaqueToken(req *hookgate.Request) (string, error) {
	token, err := credentials(req, "Bearer")
	if err != nil {
		return "", err
	}
	if len(token) > maxToken {
		return "", hookgate.Refuse(hookgate.HeaderGrammar, "the token has %d bytes, at most %d are asked about", len(token), maxToken)
	}
	body := strings.TrimRight(token, "=")
	for i := range len(body) {
		switch c := body[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return "", hookgate.Refuse(hookgate.HeaderGrammar, "the token holds what no token holds")
		}
	}
	if body == "" {
		return "", hookgate.Refuse(hookgate.HeaderGrammar, "the token is empty")
	}
	return token, nil
}

// introspect asks about one token. The error is safe to show.
func (o *oracle) introspect(ctx context.Context, token string) ([]byte, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, strings.NewReader(form))
	if err != nil {
		return nil, errors.New("the question cannot be made")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", o.credentials)
	return ask(o.client, req)
}

// readAnswer holds an issuer's answer against the demands. An error means that it is no answer.
func readAnswer(body []byte, d *demands, now time.Time) (answer, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return answer{}, errors.New("the answer is no JSON object")
	}
	switch string(bytes.TrimSpace(members["active"])) {
	case "true":
	case "false":
		return answer{refusal: "the issuer says that the token is not active"}, nil
	default:
		return answer{}, errors.New("the answer does not say whether the token is active")
	}
	// Only what is looked at, so that nothing else in the answer can be misread; null stands for a member that is not there.
	looked := make(map[string]json.RawMessage)
	for _, name := range []string{"iss", "aud", "exp", "nbf", "iat", "scope", "scp", "token_type"} {
		if value, there := members[name]; there && string(value) != "null" {
			looked[name] = value
		}
	}
	object, err := json.Marshal(looked)
	if err != nil {
		return answer{}, errors.New("the answer cannot be read")
	}
	claims, err := parseClaims(object)
	if err != nil {
		return answer{}, errors.New("the answer's claims cannot be read")
	}
	// A token that is bound to a key (DPoP) or is no access token must not pass as one that anybody may bear.
	if kind := strings.ToLower(claims.text("token_type")); looked["token_type"] != nil && kind != "bearer" && kind != "access_token" {
		return answer{refusal: "the issuer says that it is no bearer token"}, nil
	}
	if err := claims.check(d, now); err != nil {
		return answer{refusal: hookgate.AsError(err).Detail}, nil
	}
	var told answer
	_, told.notBefore, told.expires = claims.times()
	return told, nil
}
