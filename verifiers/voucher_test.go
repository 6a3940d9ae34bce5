package verifiers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

func TestBearerConfig(t *testing.T) {
	t.Parallel()
	const url = "https://login.example.com/keys"
	keys := bearerEntry(t, "jwt.pub.pem").Keys
	asked := introspectedEntry("https://login.example.com/introspect").Introspection
	own := endpoint(t, "jwt.key.pem")
	type entry = hookgate.AuthSettings
	for _, c := range []struct {
		name        string
		entry       entry
		field, says string
	}{
		{"nothing", entry{}, "keys", "one of keys, jwks_url, introspection, issued"},
		{"two", entry{Keys: keys, JWKSURL: url}, "jwks_url", "this one has keys and jwks_url"},
		{"three", entry{JWKSURL: url, Introspection: asked, Issued: true}, "introspection", "jwks_url and introspection and issued"},
		{"secrets", entry{JWKSURL: url, Secrets: lit(goodKey)}, "secrets", "bearer takes keys, issuer, audience, scopes, jwks_url"},
		{"issuer beside issued", entry{Issued: true, Tokens: &own, Source: "care", Issuer: "x"}, "issuer", "no use beside issued"},
		{"audience beside issued", entry{Issued: true, Tokens: &own, Source: "care", Audience: "x"}, "audience", "no use beside issued"},
		{"infer_algorithm beside introspection", entry{Introspection: asked, InferAlgorithm: true}, "infer_algorithm", "no use beside introspection"},
		{"allow_private beside keys", entry{Keys: keys, AllowPrivate: true}, "allow_private", "no use beside keys"},
		{"scope with a blank", entry{Keys: keys, Scopes: []string{"read", "a b"}}, "scopes[1]", "by itself"},
		{"scope with a quote", entry{Keys: keys, Scopes: []string{`a"`}}, "scopes[0]", "not the name"},
		{"empty scope", entry{Keys: keys, Scopes: []string{""}}, "scopes[0]", "not the name"},
		{"scope with a backslash", entry{Keys: keys, Scopes: []string{`a\b`}}, "scopes[0]", "not the name"},
		{"scope beyond ASCII", entry{Keys: keys, Scopes: []string{"läse"}}, "scopes[0]", "not the name"},
		{"no client_id", entry{Introspection: hookgate.Introspection{URL: url, ClientSecret: lit(goodKey)[0]}}, "introspection.client_id", "nothing to prove itself"},
		{"no client_secret", entry{Introspection: hookgate.Introspection{URL: url, ClientID: "x"}}, "introspection.client_secret", "empty"},
		{"client_secret left over", entry{Introspection: hookgate.Introspection{URL: url, ClientID: "x", ClientSecret: lit("${SECRET}")[0]}}, "introspection.client_secret", "${...}"},
		{"no url", entry{Introspection: hookgate.Introspection{ClientID: "x", ClientSecret: lit(goodKey)[0]}}, "introspection.url", "not the URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.entry.Scheme = "bearer"
			demandProblem(t, c.entry, c.field, c.says)
		})
	}
}

// THREATS O1: no spelling of an address gets past the configuration, and nothing is asked in clear over other people's networks.
func TestO01_URLsOfIssuers(t *testing.T) {
	t.Parallel()
	for url, says := range map[string]string{
		"https://127.1/keys": "number in place", "https://2130706433/": "number in place", "https://0x7f000001/": "number in place", "https://0x7f.0.0.1/": "",
		"https://0177.0.0.1/": "number in place", "https://127.0.0.1./": "number in place", "https://[::ffff:127.0.0.1]/": "stands for an IPv4", "https://[64:ff9b::7f00:1]/": "stands for an IPv4",
		"https://[64:ff9b:1::1]/": "stands for an IPv4", "https://login.example.de/": "ok",
		"http://login.example.com/keys": "write https://", "http://93.184.216.34/": "write https://", "http://169.254.169.254/": "write https://", "http://[2606:2800:220:1::1]/": "write https://",
		"https://user:made-up@login.example.com/": "a user or a password", "ftp://login.example.com/": "not the URL", "file:///etc/passwd": "not the URL", "https:///keys": "not the URL",
		"https://": "not the URL", "login.example.com/keys": "not the URL", "https:login.example.com": "not the URL", "https://login.example.com/#x": "not the URL", "://": "not the URL", "https://:443/": "not the URL",
		"gopher://127.0.0.1/": "not the URL", "http://localhost.example.com/": "write https://",
		"https://login.example.com/keys?tenant=a": "ok", "https://[2606:2800:220:1::1]:8443/": "ok", "http://127.0.0.1:8080/keys": "ok", "http://localhost/keys": "ok", "http://[::1]:80/": "ok",
		"http://10.1.2.3/keys": "ok", "http://192.168.0.9/keys": "ok", "https://10.1.2.3/": "ok",
	} {
		asked := introspectedEntry(url)
		for field, entry := range map[string]hookgate.AuthSettings{"jwks_url": {Scheme: "bearer", JWKSURL: url}, "introspection.url": asked} {
			_, err := verifiers.New(entry)
			switch {
			case says == "ok" && err != nil, says != "ok" && err == nil:
				t.Errorf("%s at %s: %v", field, url, err)
			case err != nil && (!strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "made-up")):
				t.Errorf("%s at %s: %v, want %q", field, url, err, says)
			}
		}
	}
}

func TestBearerWarnings(t *testing.T) {
	t.Parallel()
	const url = "https://login.example.com/keys"
	for _, c := range []struct {
		entry hookgate.AuthSettings
		warns bool
	}{
		{hookgate.AuthSettings{JWKSURL: url, Issuer: "https://login.example.com"}, true},
		{introspectedEntry(url), true},
		{hookgate.AuthSettings{JWKSURL: url, Audience: "hookgate"}, false},
		{hookgate.AuthSettings{JWKSURL: url, Scopes: []string{"hooks"}}, false},
		{hookgate.AuthSettings{Keys: lit("x")}, false},
	} {
		c.entry.Scheme = "bearer"
		if got := len(verifiers.Warnings(c.entry)) > 0; got != c.warns {
			t.Errorf("%+v: warned %v", c.entry, got)
		}
	}
}

// Who signs has a private key, and nothing to ask anybody.
func TestSignersAskNobody(t *testing.T) {
	t.Parallel()
	own := endpoint(t, "jwt.key.pem")
	private := hookgate.NewSecret(keyFile(t, "jwt.key.pem"), "file:jwt.key.pem")
	for _, entry := range []hookgate.AuthSettings{fetchedEntry("https://login.example.com"), introspectedEntry("https://login.example.com"), issuedEntry(own, "care")} {
		if _, err := verifiers.NewSigner(entry, private); err == nil || !strings.Contains(err.Error(), "no use for") {
			t.Errorf("a signer of %+v: %v", entry, err)
		}
		if err := verifier(t, entry).Sign(delivery(), receipt); hookgate.AsError(errOr(err)).Code != hookgate.InternalMistake {
			t.Errorf("it signs: %v", err)
		}
	}
}

// One mistake is one problem.
func TestOneProblemForOneMistake(t *testing.T) {
	t.Parallel()
	for says, entry := range map[string]hookgate.AuthSettings{
		"names no alg":                      bearerEntry(t, jwkSet(t, object{"alg": nil})),
		"the token endpoint cannot issue":   issuedEntry(hookgate.TokenSettings{Issuer: "x", Clients: endpoint(t).Clients}, "care"),
		"has no token endpoint":             {Scheme: "bearer", Issued: true, Tokens: &hookgate.TokenSettings{}},
		"bearer needs one of":               {Scheme: "bearer"},
		"gateway has nothing to prove":      {Scheme: "bearer", Introspection: hookgate.Introspection{URL: "https://a.example.com", ClientSecret: lit(goodKey)[0]}},
		"the key set holds no key that cou": bearerEntry(t, `{"keys":[]}`),
	} {
		_, err := verifiers.New(entry)
		var problems hookgate.Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems[0].Message, says) {
			t.Errorf("%v, want one problem: %s", err, says)
		}
	}
}

// An endpoint with keys and no client left is one whose tokens are all refused.
func TestTokensOfAnEndpointWithoutClients(t *testing.T) {
	t.Parallel()
	own := endpoint(t, "jwt.key.pem")
	token := issue(t, issuer(t, own), "sprinklr", []string{"care"}, nil, receipt)
	accepted(t, verifier(t, issuedEntry(own, "care")), carrying(token), receipt)
	own.Clients = nil
	refusedFor(t, verifier(t, issuedEntry(own, "care")), carrying(token), receipt, hookgate.TokenRefused)
}

// What proofs call the keys is known before the first one.
func TestKeyIDsOfBearer(t *testing.T) {
	t.Parallel()
	tokens := endpoint(t, "jwt.key.pem")
	for _, c := range []struct {
		entry hookgate.AuthSettings
		want  []string
	}{
		{issuedEntry(endpoint(t, "jwt.key.pem", "jwt-ed25519.key.pem"), "care"), []string{"file:jwt.key.pem", "file:jwt-ed25519.key.pem"}},
		{introspectedEntry("https://login.example.com"), []string{"introspection"}},
		{fetchedEntry("https://login.example.com"), nil}, // the issuer names them
		{hookgate.AuthSettings{Scheme: "bearer", Issued: true}, nil},
		{hookgate.AuthSettings{Scheme: "bearer", Tokens: &tokens}, nil}, // which others use
	} {
		if got := verifiers.KeyIDs(c.entry); !slices.Equal(got, c.want) {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
}
