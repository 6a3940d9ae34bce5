package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// TestBearerThreeWays runs the program with a source for each way in which a token that is no key of ours is verified: by a
// key set that the issuer publishes, by asking the issuer, and as a token of the gateway itself.
func TestBearerThreeWays(t *testing.T) {
	t.Parallel()
	private, _ := newPrivateKey(t)
	var away atomic.Bool
	var fetches, questions atomic.Int64
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		switch r.URL.Path {
		case "/keys":
			fetches.Add(1)
			fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"%s"}]}`, base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey)))
		case "/introspect":
			questions.Add(1)
			fmt.Fprintf(w, `{"active":%v,"scope":"hooks"}`, r.FormValue("token") == "opaque-token")
		}
	}))
	t.Cleanup(issuer.Close)
	dir := t.TempDir()
	_, pemText := newPrivateKey(t)
	if err := os.WriteFile(filepath.Join(dir, "token.pem"), pemText, 0o600); err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("ISSUER", issuer.URL, "DIR", dir).Replace(`
listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
public_url: https://hooks.example.com
journal: {url: "sqlite://DIR/journal.db"}
tokens:
  keys: ["file:DIR/token.pem"]
  clients: [{id: sprinklr, secrets: [env:CLIENT_SECRET], grants: [client_credentials], sources: [own]}]
sources:
  - {name: published, provider: sprinklr, auth: [{scheme: bearer, jwks_url: "ISSUER/keys", issuer: login, audience: hookgate}]}
  - {name: asked, provider: sprinklr, auth: [{scheme: bearer, introspection: {url: "ISSUER/introspect", client_id: gate, client_secret: env:CLIENT_SECRET}, scopes: [hooks]}]}
  - {name: own, provider: sprinklr, auth: [{scheme: bearer, issued: true}]}
destinations: [{name: out, type: file, path: "DIR/out.jsonl"}]
`)
	lookup := func(name string) (string, bool) { return "made-up-client-secret", name == "CLIENT_SECRET" }
	r := serve(t, config, func(m *Main) { m.Env = lookup })

	sent := 0
	deliver := func(source, token string, want int) {
		t.Helper()
		sent++
		body := fmt.Sprintf(`{"id":"%024x","type":"case.create","payload":{"id":"1"},"eventTime":1719823264000,"subscriptionDetails":{"subscriptionId":"%024x"}}`, sent, 1)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.Hooks+"/hooks/"+source, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d, want %d\n%s", source, answer.StatusCode, want, r.stderr)
		}
		if want == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s: 503 without Retry-After", source)
		}
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	claims := map[string]any{"iss": "login", "aud": "hookgate", "exp": time.Now().Add(time.Hour).Unix()}
	good := jwtOf(t, private, claims)
	stranger, _ := newPrivateKey(t)
	i, err := verifiers.NewIssuer(hookgate.TokenSettings{Keys: []hookgate.Secret{hookgate.NewSecret(pemText, "test")}}, "https://hooks.example.com")
	if err != nil {
		t.Fatal(err)
	}
	own, _, err := i.Issue("sprinklr", []string{"own"}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	away.Store(true)
	deliver("asked", "opaque-token", http.StatusServiceUnavailable)
	away.Store(false)
	deliver("published", good, http.StatusOK)
	deliver("asked", "opaque-token", http.StatusOK)
	deliver("own", own, http.StatusOK)
	for range 3 {
		deliver("published", jwtOf(t, stranger, claims), http.StatusUnauthorized)
		deliver("published", own, http.StatusUnauthorized)
		deliver("asked", good, http.StatusUnauthorized)
		deliver("own", good, http.StatusUnauthorized)
	}
	// What the issuer has told outlives its absence and a reload.
	away.Store(true)
	r.takeOver(t, strings.Replace(config, "sources:\n", "sources:\n  - {name: second, provider: sprinklr, auth: [{scheme: bearer, jwks_url: \""+issuer.URL+"/keys\", audience: hookgate}]}\n", 1))
	deliver("second", good, http.StatusOK)
	deliver("published", good, http.StatusOK)
	deliver("asked", "opaque-token", http.StatusOK)
	if fetches.Load() != 1 || questions.Load() != 2 {
		t.Errorf("%d fetches and %d questions, want 1 and 2", fetches.Load(), questions.Load())
	}
	if code := r.stop(); code != exitDone {
		t.Errorf("ends with %d:\n%s", code, r.stderr)
	}
	for _, secret := range []string{"opaque-token", "made-up-client-secret", good, own} {
		if strings.Contains(r.stderr.String(), secret) {
			t.Errorf("the log shows %s", secret)
		}
	}
}
