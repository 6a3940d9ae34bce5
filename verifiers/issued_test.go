package verifiers_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// endpoint is a token endpoint with one client for the sources care and chat.
func endpoint(t testing.TB, keys ...string) hookgate.TokenSettings {
	t.Helper()
	s := hookgate.TokenSettings{Issuer: "https://hooks.example.com", Clients: []hookgate.TokenClient{
		{ID: "sprinklr", Scopes: []string{"hooks"}, Sources: []string{"care", "chat"}},
	}}
	for _, key := range keys {
		s.Keys = append(s.Keys, hookgate.NewSecret(keyFile(t, key), "file:"+key))
	}
	return s
}

func issuer(t testing.TB, s hookgate.TokenSettings) *verifiers.Issuer {
	t.Helper()
	i, err := verifiers.NewIssuer(s, "")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// issuedEntry is the auth entry of a source that takes tokens of the endpoint.
func issuedEntry(s hookgate.TokenSettings, source string, scopes ...string) hookgate.AuthSettings {
	return hookgate.AuthSettings{Scheme: "bearer", Issued: true, Source: source, Tokens: &s, Scopes: scopes}
}

func issue(t testing.TB, i *verifiers.Issuer, client string, sources, scopes []string, now time.Time) string {
	t.Helper()
	token, _, err := i.Issue(client, sources, scopes, now)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestIssuedTokens(t *testing.T) {
	t.Parallel()
	settings := endpoint(t, "jwt-ed25519.key.pem")
	i := issuer(t, settings)
	both := []string{"care", "chat"}
	good := issue(t, i, "sprinklr", both, []string{"hooks"}, receipt)
	proof := accepted(t, verifier(t, issuedEntry(settings, "care")), carrying(good), receipt)
	if proof != (hookgate.Proof{Scheme: "bearer", KeyID: "file:jwt-ed25519.key.pem"}) {
		t.Errorf("proof %+v", proof)
	}
	for _, c := range []struct {
		name  string
		token string
		entry func(s *hookgate.TokenSettings) hookgate.AuthSettings
		at    time.Duration
		why   hookgate.Reason // empty for a good one
	}{
		{name: "the other source", token: good, entry: func(s *hookgate.TokenSettings) hookgate.AuthSettings { return issuedEntry(*s, "chat") }},
		{name: "within its lifetime", token: good, at: time.Hour},
		{name: "within the skew", token: good, at: time.Hour + 29*time.Second},
		{name: "expired", token: good, at: time.Hour + 30*time.Second, why: hookgate.TokenRefused},
		{name: "ahead of its time", token: good, at: -31 * time.Second, why: hookgate.TokenRefused},
		{name: "with the scope", token: good, entry: func(s *hookgate.TokenSettings) hookgate.AuthSettings { return issuedEntry(*s, "care", "hooks") }},
		{name: "without the scope", token: good, why: hookgate.TokenRefused, entry: func(s *hookgate.TokenSettings) hookgate.AuthSettings {
			return issuedEntry(*s, "care", "hooks", "admin")
		}},
		{name: "for another source", token: issue(t, i, "sprinklr", []string{"chat"}, nil, receipt), why: hookgate.TokenRefused},
		{name: "for a source with a longer name", token: issue(t, i, "sprinklr", []string{"care2"}, nil, receipt), why: hookgate.TokenRefused},
		{name: "of an unknown client", token: issue(t, i, "commbox", both, nil, receipt), why: hookgate.TokenRefused},
		{name: "of no client", token: issue(t, i, "", both, nil, receipt), why: hookgate.TokenRefused},
		{name: "whose client lost the source", token: good, why: hookgate.TokenRefused, entry: func(s *hookgate.TokenSettings) hookgate.AuthSettings {
			s.Clients = []hookgate.TokenClient{{ID: "sprinklr", Sources: []string{"chat"}}, {ID: "other", Sources: []string{"care"}}}
			return issuedEntry(*s, "care")
		}},
		{name: "made at revoked_before", token: good, entry: func(s *hookgate.TokenSettings) hookgate.AuthSettings { return revokedBefore(s, receipt) }},
		{name: "made before revoked_before", token: good, why: hookgate.TokenRefused, entry: func(s *hookgate.TokenSettings) hookgate.AuthSettings {
			return revokedBefore(s, receipt.Add(time.Second))
		}},
		{name: "of another issuer with our key", token: good, why: hookgate.TokenRefused, entry: func(s *hookgate.TokenSettings) hookgate.AuthSettings {
			s.Issuer = "https://other.example.com"
			return issuedEntry(*s, "care")
		}},
		{name: "of a key that went", token: good, why: hookgate.Mismatch, entry: func(s *hookgate.TokenSettings) hookgate.AuthSettings {
			s.Keys = []hookgate.Secret{hookgate.NewSecret(keyFile(t, "jwt.key.pem"), "file:jwt.key.pem")}
			return issuedEntry(*s, "care")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := settings
			entry := issuedEntry(s, "care")
			if c.entry != nil {
				entry = c.entry(&s)
			}
			if v, req := verifier(t, entry), carrying(c.token); c.why == "" {
				accepted(t, v, req, receipt.Add(c.at))
			} else {
				refusedFor(t, v, req, receipt.Add(c.at), c.why)
			}
		})
	}
}

func revokedBefore(s *hookgate.TokenSettings, at time.Time) hookgate.AuthSettings {
	client := s.Clients[0]
	client.RevokedBefore = at.UTC().Format(time.RFC3339)
	s.Clients = []hookgate.TokenClient{client}
	return issuedEntry(*s, "care")
}

// The keys of the endpoint may sign other things; only what has the endpoint's own form is a token of it.
func TestIssuedTokensHaveOneForm(t *testing.T) {
	t.Parallel()
	settings := endpoint(t, "jwt.key.pem")
	v, i := verifier(t, issuedEntry(settings, "care")), issuer(t, settings)
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(i.KeySet(), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("key set %s, %v", i.KeySet(), err)
	}
	payload := func(without string) object {
		o := object{"iss": "https://hooks.example.com", "aud": "care", "client_id": "sprinklr", "iat": receipt.Unix(), "exp": receipt.Unix() + 60}
		delete(o, without)
		return o
	}
	head := object{"alg": "RS256", "typ": "at+jwt", "kid": set.Keys[0].Kid}
	accepted(t, v, carrying(rs256(t, head, payload(""))), receipt)
	for _, claim := range []string{"iss", "aud", "client_id", "iat", "exp"} {
		refusedFor(t, v, carrying(rs256(t, head, payload(claim))), receipt, hookgate.TokenRefused)
	}
	number := payload("")
	number["client_id"] = []string{"sprinklr"}
	refusedFor(t, v, carrying(rs256(t, head, number)), receipt, hookgate.TokenRefused)
	for _, other := range []object{{"alg": "RS256", "typ": "JWT", "kid": set.Keys[0].Kid}, {"alg": "RS256", "kid": set.Keys[0].Kid}, {"alg": "RS256", "typ": "at+jwt"}} {
		refusedFor(t, v, carrying(rs256(t, other, payload(""))), receipt, hookgate.TokenRefused)
	}
	refusedFor(t, v, carrying(rs256(t, object{"alg": "RS256", "typ": "at+jwt", "kid": "x"}, payload(""))), receipt, hookgate.Mismatch)
	refusedFor(t, v, carrying(rs256(t, object{"alg": "PS256", "typ": "at+jwt", "kid": set.Keys[0].Kid}, payload(""))), receipt, hookgate.Mismatch)
}

// Rotation: the first key signs, all verify, and one that has ended does neither.
func TestIssuingKeysRotate(t *testing.T) {
	t.Parallel()
	before, during := endpoint(t, "jwt.key.pem"), endpoint(t, "jwt-p256.key.pem", "jwt.key.pem")
	old := issue(t, issuer(t, before), "sprinklr", []string{"care"}, nil, receipt)
	fresh := issue(t, issuer(t, during), "sprinklr", []string{"care"}, nil, receipt)
	v := verifier(t, issuedEntry(during, "care"))
	for token, key := range map[string]string{old: "file:jwt.key.pem", fresh: "file:jwt-p256.key.pem"} {
		if proof := accepted(t, v, carrying(token), receipt); proof.KeyID != key {
			t.Errorf("key id %q, want %q", proof.KeyID, key)
		}
	}
	refusedFor(t, verifier(t, issuedEntry(before, "care")), carrying(fresh), receipt, hookgate.Mismatch)

	ending := during
	ending.Keys = slices.Clone(during.Keys)
	ending.Keys[0] = ending.Keys[0].Until(receipt.Add(10 * time.Minute))
	i := issuer(t, ending)
	token, lasts, err := i.Issue("sprinklr", []string{"care"}, nil, receipt)
	if err != nil || lasts != 10*time.Minute {
		t.Errorf("a token of an ending key lasts %s, %v", lasts, err)
	}
	v = verifier(t, issuedEntry(ending, "care"))
	accepted(t, v, carrying(token), receipt.Add(10*time.Minute-time.Second))
	refusedFor(t, v, carrying(token), receipt.Add(10*time.Minute), hookgate.KeyRetired)
	after := issue(t, i, "sprinklr", []string{"care"}, nil, receipt.Add(10*time.Minute))
	if proof := accepted(t, v, carrying(after), receipt.Add(10*time.Minute)); proof.KeyID != "file:jwt.key.pem" {
		t.Errorf("after the end of the first key, %q signs", proof.KeyID)
	}
	ending.Keys = ending.Keys[:1]
	if _, _, err := issuer(t, ending).Issue("sprinklr", nil, nil, receipt.Add(time.Hour)); hookgate.AsError(errOr(err)).Code != hookgate.InternalMistake {
		t.Errorf("every key has ended, and still: %v", err)
	}
}

// Somebody who has only the key set, and no code of ours, can verify a token.
func TestIssuedTokenByItsKeySetAlone(t *testing.T) {
	t.Parallel()
	i := issuer(t, endpoint(t, "jwt-ed25519.key.pem", "jwt.key.pem", "jwt-p256.key.pem"))
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(i.KeySet(), &set); err != nil || len(set.Keys) != 3 {
		t.Fatalf("key set %s: %v", i.KeySet(), err)
	}
	for n, want := range []map[string]string{{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA"}, {"kty": "RSA", "alg": "RS256", "e": "AQAB"}, {"kty": "EC", "crv": "P-256", "alg": "ES256"}} {
		want["use"] = "sig"
		for name, value := range want {
			if set.Keys[n][name] != value {
				t.Errorf("key %d: %s is %q, want %q", n, name, set.Keys[n][name], value)
			}
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, there := set.Keys[n][private]; there {
				t.Errorf("key %d shows its private %s", n, private)
			}
		}
	}
	token := issue(t, i, "sprinklr", []string{"care", "chat"}, []string{"hooks", "more"}, receipt)
	parts := strings.Split(token, ".")
	decode := func(text string, into any) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err == nil && into != nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if !ed25519.Verify(decode(set.Keys[0]["x"], nil), []byte(parts[0]+"."+parts[1]), decode(parts[2], nil)) {
		t.Error("the signature does not verify by the key set")
	}
	var head, payload map[string]any
	decode(parts[0], &head)
	decode(parts[1], &payload)
	if got := fmt.Sprint(head); got != fmt.Sprintf("map[alg:EdDSA kid:%s typ:at+jwt]", set.Keys[0]["kid"]) {
		t.Errorf("header %s", got)
	}
	jti, _ := payload["jti"].(string)
	if delete(payload, "jti"); len(jti) < 22 {
		t.Errorf("jti %q", jti)
	}
	want := "map[aud:[care chat] client_id:sprinklr exp:1.719826864e+09 iat:1.719823264e+09 iss:https://hooks.example.com scope:hooks more sub:sprinklr]"
	if got := fmt.Sprint(payload); got != want {
		t.Errorf("claims %s\nwant   %s", got, want)
	}
	if again := issue(t, i, "sprinklr", []string{"care", "chat"}, []string{"hooks", "more"}, receipt); again == token {
		t.Error("two tokens of one second are the same")
	}
}

func TestIssuerConfig(t *testing.T) {
	t.Parallel()
	key := func(names ...string) func(*hookgate.TokenSettings) {
		return func(s *hookgate.TokenSettings) { s.Keys = endpoint(t, names...).Keys }
	}
	for _, c := range []struct {
		name        string
		change      func(s *hookgate.TokenSettings)
		field, says string
	}{
		{"no keys", func(s *hookgate.TokenSettings) { s.Keys = nil }, "keys", "openssl genpkey"},
		{"no issuer", func(s *hookgate.TokenSettings) { s.Issuer = "" }, "issuer", "public_url"},
		{"too long", func(s *hookgate.TokenSettings) { s.Lifetime = 25 * time.Hour }, "lifetime", "25h"},
		{"too short", func(s *hookgate.TokenSettings) { s.Lifetime = time.Second }, "lifetime", "1m to 24h"},
		{"negative", func(s *hookgate.TokenSettings) { s.Lifetime = -time.Hour }, "lifetime", "cannot last"},
		{"public key", key("jwt-ed25519.key.pem", "jwt.pub.pem"), "keys[1]", "cannot be read"},
		{"P-384", key("jwt-p384.key.pem"), "keys[0]", "Ed25519, P-256 or RSA"},
		{"P-224", key("p224.key.pem"), "keys[0]", "Ed25519, P-256 or RSA"},
		{"1024 bit", key("small.key.pem"), "keys[0]", "2048"},
		{"twice the same", key("jwt.key.pem", "jwt.key.pem"), "keys[1]", "the same"},
		{"empty", func(s *hookgate.TokenSettings) { s.Keys = lit("") }, "keys[0]", "empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := endpoint(t, "jwt-ed25519.key.pem")
			c.change(&s)
			i, err := verifiers.NewIssuer(s, "")
			var problems hookgate.Problems
			if !errors.As(err, &problems) || i != nil || !slices.ContainsFunc(problems, func(p hookgate.Problem) bool {
				return p.Field == c.field && strings.Contains(p.Error(), c.says)
			}) {
				t.Errorf("issuer %v, problems:\n%v\nwant %s with %q", i, err, c.field, c.says)
			}
			demandProblem(t, issuedEntry(s, "care"), "issued", "token endpoint")
		})
	}
	s := endpoint(t, "jwt-ed25519.key.pem")
	s.Issuer = ""
	i, err := verifiers.NewIssuer(s, "https://public.example.com")
	if err != nil || i.Name() != "https://public.example.com" || i.Lifetime() != time.Hour {
		t.Errorf("issuer %+v, %v", i, err)
	}
	if _, _, err := i.Issue("c", slices.Repeat([]string{strings.Repeat("s", 64)}, 200), nil, receipt); err == nil || !strings.Contains(err.Error(), "fewer sources") {
		t.Errorf("a token that no header can carry: %v", err)
	}
	// The last client of a source may go, as revoking it may need; nothing is let in then.
	settings := endpoint(t, "jwt.key.pem")
	given, err := verifiers.NewIssuer(settings, "")
	if err != nil {
		t.Fatal(err)
	}
	token := issue(t, given, "sprinklr", []string{"care"}, nil, receipt)
	settings.Clients = nil
	if _, err := verifier(t, issuedEntry(settings, "care")).Verify(carrying(token), receipt); hookgate.AsError(errOr(err)).Reason != hookgate.TokenRefused {
		t.Errorf("a token of a client that is gone: %v", err)
	}
	entry := issuedEntry(endpoint(t, "jwt.key.pem"), "care")
	entry.Tokens.Clients[0].RevokedBefore = "yesterday"
	demandProblem(t, entry, "issued", "revoked_before")
	demandProblem(t, hookgate.AuthSettings{Scheme: "bearer", Issued: true, Tokens: &hookgate.TokenSettings{}}, "issued", "no token endpoint")
	demandProblem(t, hookgate.AuthSettings{Scheme: "bearer", Issued: true}, "issued", "no token endpoint")
}
