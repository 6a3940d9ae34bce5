package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The secrets of the token house.
const (
	houseSecret   = "house-secret-0123456789abcdef"
	houseNext     = "house-next-fedcba9876543210"
	housePassword = "house-password-0123456789"
)

// tokenHouse is the program with a token endpoint: the client sprinklr may send to care, which wants a signature besides, and
// to desk; commbox may send to inbox.
type tokenHouse struct {
	*running
	t      *testing.T
	dir    string
	config string
	clock  *atomic.Int64 // how far ahead the program's time is, in nanoseconds
	loads  int           // of changed files; there is a client of the newest one's number
	client *http.Client
}

const houseConfig = `listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
public_url: https://hooks.example.com
journal: {url: "sqlite://DIR/j.db"}
log: {level: debug}
limits: {strangers: 100000/h}
tokens:
  keys: [file:a.pem]
  clients:
    - {id: sprinklr, secrets: [env:HOUSE], grants: [client_credentials], scopes: [hooks, more], sources: [care, desk]}
    - {id: commbox, secrets: [env:NEXT], grants: [password, client_credentials], users: [env:USER], sources: [inbox]}
    - {id: version-0, secrets: [env:NEXT], grants: [client_credentials], sources: [inbox]}
sources:
  - {name: care, provider: sprinklr, auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}, {scheme: bearer, issued: true, scopes: [hooks]}]}
  - {name: desk, provider: sprinklr, auth: [{scheme: bearer, issued: true}]}
  - {name: inbox, provider: sprinklr, auth: [{scheme: bearer, issued: true}]}
destinations:
  - {name: events, type: file, path: DIR/events}
`

func houseEnv(name string) (string, bool) {
	v, ok := map[string]string{"HOUSE": houseSecret, "NEXT": houseNext, "USER": "robin:" + housePassword, "SCENARIO_SECRET": scenarioSecret}[name]
	return v, ok
}

// newPrivateKey is a new Ed25519 key, and the same as PEM.
func newPrivateKey(t *testing.T) (ed25519.PrivateKey, []byte) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// tokenKey writes a new private key.
func tokenKey(t *testing.T, path string) {
	t.Helper()
	_, text := newPrivateKey(t)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// newTokenHouse starts the program with some of the configuration's text replaced.
func newTokenHouse(t *testing.T, replace ...string) *tokenHouse {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	h := &tokenHouse{t: t, dir: t.TempDir(), clock: new(atomic.Int64), client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
	for _, name := range []string{"a", "b", "c"} {
		tokenKey(t, filepath.Join(h.dir, name+".pem"))
	}
	h.config = strings.ReplaceAll(houseConfig, "DIR", h.dir)
	h.replace(replace)
	h.start()
	return h
}

// start runs the program, once more after a stop.
func (h *tokenHouse) start() {
	h.t.Helper()
	h.running = &running{file: filepath.Join(h.dir, "hookgate.yaml"), hangup: make(chan os.Signal, 1)}
	h.write(h.t, h.config)
	h.run(h.t, &Main{
		Args: []string{"serve", "--config", h.file}, Env: houseEnv, Hangup: h.hangup,
		Now: func() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) },
	})
}

// reload takes over the configuration with some of its text replaced, for good.
func (h *tokenHouse) reload(replace ...string) {
	h.t.Helper()
	h.replace(replace)
	h.loads++
	newest := fmt.Sprint("version-", h.loads)
	h.replace([]string{fmt.Sprint("version-", h.loads-1), newest})
	h.write(h.t, h.config)
	h.hangup <- nil
	eventually(h.t, "the file is taken over", func() (bool, string) {
		resp, _ := h.ask(clientCredentials(), newest, houseNext)
		return resp.StatusCode == http.StatusOK, h.stderr.String()
	})
}

func (h *tokenHouse) replace(pairs []string) {
	h.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(h.config, pairs[i]) {
			h.t.Fatalf("the configuration has no %q", pairs[i])
		}
		h.config = strings.Replace(h.config, pairs[i], pairs[i+1], 1)
	}
}

// ask is a token request with what is given, and no more.
func (h *tokenHouse) ask(values url.Values, basic ...string) (*http.Response, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(h.t.Context()), http.MethodPost, "http://"+h.Hooks+"/oauth/token", strings.NewReader(values.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(basic) == 2 {
		req.SetBasicAuth(basic[0], basic[1])
	}
	return h.do(req)
}

func (h *tokenHouse) do(req *http.Request) (*http.Response, string) {
	h.t.Helper()
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Error(err)
		return &http.Response{}, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Error(err)
	}
	return resp, string(body)
}

func clientCredentials() url.Values { return url.Values{"grant_type": {"client_credentials"}} }

// token fetches one, which must be there to have.
func (h *tokenHouse) token(id, secret string) string {
	h.t.Helper()
	resp, body := h.ask(clientCredentials(), id, secret)
	var a struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || resp.StatusCode != http.StatusOK || a.AccessToken == "" {
		h.t.Fatalf("no token: %d %s (%v)", resp.StatusCode, body, err)
	}
	return a.AccessToken
}

// deliver sends an event with a token and, unless that is empty, the source's signature, and gives the status.
func (h *tokenHouse) deliver(source, body, token, signature string) int {
	h.t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(h.t.Context()), http.MethodPost, "http://"+h.Hooks+"/hooks/"+source, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if signature != "" {
		req.Header.Set("X-Hub-Signature", signature)
	}
	resp, _ := h.do(req)
	return resp.StatusCode
}

// TestT09_ATokenIsForItsSources: it opens those of its client, one of them only beside a signature, and no other.
func TestT09_ATokenIsForItsSources(t *testing.T) {
	t.Parallel()
	h := newTokenHouse(t)
	own, others := h.token("sprinklr", houseSecret), h.token("commbox", houseNext)
	body := caseBody(1, 1)
	for _, c := range []struct {
		source, token, signature string
		want                     int
	}{
		{"desk", own, "", 200}, {"inbox", others, "", 200},
		{"desk", others, "", 401}, {"inbox", own, "", 401}, {"desk", "", "", 401},
		{"care", own, sign(body), 200}, {"care", own, "", 401}, {"care", "", sign(body), 401}, {"care", others, sign(body), 401},
		{"care", own, sign(body + " "), 401}, {"desk", own + "A", "", 401}, {"desk", own[:len(own)-2], "", 401},
	} {
		if got := h.deliver(c.source, body, c.token, c.signature); got != c.want {
			t.Errorf("%s with the token of %q, signed %v: %d, want %d", c.source, map[string]string{own: "sprinklr", others: "commbox"}[c.token], c.signature != "", got, c.want)
		}
	}
	// The source wants the scope hooks, which a token can be made without.
	_, answer := h.ask(url.Values{"grant_type": {"client_credentials"}, "scope": {"more"}}, "sprinklr", houseSecret)
	var less struct {
		AccessToken string `json:"access_token"`
		Scope       string
	}
	if err := json.Unmarshal([]byte(answer), &less); err != nil || less.Scope != "more" {
		t.Fatal(answer, err)
	}
	if got := h.deliver("care", body, less.AccessToken, sign(body)); got != 401 {
		t.Errorf("without the scope: %d", got)
	}
	if got := h.deliver("desk", caseBody(2, 1), less.AccessToken, ""); got != 200 {
		t.Errorf("where none is wanted: %d", got)
	}
}

// TestT09_TokensEnd: by their own time, by revoked_before, with their client and with their key; a restart ends none.
func TestT09_TokensEnd(t *testing.T) {
	t.Parallel()
	h := newTokenHouse(t)
	token := h.token("sprinklr", houseSecret)
	n := 0
	opens := func(token string) int {
		t.Helper()
		n++
		return h.deliver("desk", caseBody(n, 1), token, "")
	}
	want := func(what, token string, status int) {
		t.Helper()
		if got := opens(token); got != status {
			t.Errorf("%s: %d, want %d\n%s", what, got, status, h.stderr)
		}
	}
	want("fresh", token, 200)
	want("used again", token, 200)
	if code := h.stop(); code != exitDone {
		t.Fatal(code)
	}
	h.start()
	want("after a restart", token, 200)
	h.clock.Add(int64(59 * time.Minute))
	want("a minute before its end", token, 200)
	h.clock.Add(int64(91 * time.Second))
	want("over its end", token, 401)

	token = h.token("sprinklr", houseSecret)
	h.clock.Add(int64(time.Minute))
	revoked := time.Now().Add(time.Duration(h.clock.Load())).UTC().Format(time.RFC3339)
	h.reload("id: sprinklr, ", "id: sprinklr, revoked_before: '"+revoked+"', ")
	want("revoked", token, 401)
	h.clock.Add(int64(time.Minute))
	token = h.token("sprinklr", houseSecret)
	want("made after that", token, 200)

	h.reload("[file:a.pem]", "[file:b.pem, file:a.pem]")
	second := h.token("sprinklr", houseSecret)
	want("of the older key", token, 200)
	want("of the newer key", second, 200)
	h.reload("[file:b.pem, file:a.pem]", "[file:b.pem]")
	want("of a key that is gone", token, 401)
	want("of the key that is left", second, 200)

	h.reload("sources: [care, desk]", "sources: [care]", "[password, client_credentials], users: [env:USER], sources: [inbox]", "[password, client_credentials], users: [env:USER], sources: [inbox, desk]")
	want("of a client that lost the source", second, 401)
	h.reload("sources: [care]", "sources: [care, desk]")
	want("of one that has it again", second, 200)
	h.reload("id: sprinklr,", "id: another,")
	want("of a client that is gone", second, 401)
	if resp, _ := h.ask(clientCredentials(), "sprinklr", houseSecret); resp.StatusCode != 401 {
		t.Errorf("a client that is gone gets %d", resp.StatusCode)
	}
}

// TestT09_GuessersAreSlowedDown: after the budget of the address even the right secret is refused, until the period is over;
// the sources and the other clients do not notice.
func TestT09_GuessersAreSlowedDown(t *testing.T) {
	t.Parallel()
	h := newTokenHouse(t, "strangers: 100000/h", "strangers: 20/h")
	token := h.token("sprinklr", houseSecret)
	statuses := map[int]int{}
	var first, firstUnknown string
	for n := range 40 {
		id := "sprinklr"
		if n == 1 {
			id = "nobody"
		}
		resp, body := h.ask(clientCredentials(), id, fmt.Sprint("guess-", n))
		statuses[resp.StatusCode]++
		said := fmt.Sprint(resp.StatusCode, resp.Header["Www-Authenticate"], resp.Header["Cache-Control"], body)
		switch n {
		case 0:
			first = said
		case 1:
			firstUnknown = said
		}
		if resp.StatusCode == 429 && resp.Header.Get("Retry-After") == "" {
			t.Fatal("429 without Retry-After")
		}
	}
	if first != firstUnknown || first != `401 [Basic realm="hookgate"] [no-store]{"error":"invalid_client"}` {
		t.Errorf("a wrong secret: %s, an unknown client: %s", first, firstUnknown)
	}
	if statuses[401] != 20 || statuses[429] != 20 {
		t.Errorf("answers to guesses: %v", statuses)
	}
	if resp, body := h.ask(clientCredentials(), "sprinklr", houseSecret); resp.StatusCode != 429 {
		t.Errorf("the right secret at last: %d %s", resp.StatusCode, body)
	}
	h.token("commbox", houseNext)
	if got := h.deliver("desk", caseBody(1, 1), token, ""); got != 200 {
		t.Errorf("a token from before: %d", got)
	}
	page := h.get(t, "/metrics")
	for series, count := range map[string]int{
		`client="sprinklr",outcome="issued"`: 1, `client="commbox",outcome="issued"`: 1, `client="unknown",outcome="invalid_client"`: 1,
		`client="sprinklr",outcome="invalid_client"`: 19, `client="sprinklr",outcome="over_limit"`: 21, `client="commbox",outcome="invalid_grant"`: 0,
		`client="unknown",outcome="issued"`: 0,
	} {
		if line := fmt.Sprintf("\nhookgate_token_requests_total{%s} %d\n", series, count); !strings.Contains(page, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	for n := range 100 {
		h.ask(clientCredentials(), fmt.Sprint("client-", n), "x")
	}
	if page := h.get(t, "/metrics"); strings.Contains(page, `client="client-`) || strings.Contains(page, `client="nobody`) {
		t.Error("a stranger has made a series")
	}
}

// TestT09_NoTokenIsSeen looks for tokens, secrets and passwords, right and wrong, in all that the program writes.
func TestT09_NoTokenIsSeen(t *testing.T) {
	t.Parallel()
	h := newTokenHouse(t)
	c := &canaries{secret: []string{houseSecret, houseNext, housePassword, scenarioSecret, "canary-wrong-secret", "canary-wrong-id", "canary-form", "canary-scope"}}
	for _, client := range [][2]string{{"sprinklr", houseSecret}, {"commbox", houseNext}} {
		token := h.token(client[0], client[1])
		for _, source := range []string{"care", "desk", "inbox"} {
			h.deliver(source, caseBody(1, 1), token, sign(caseBody(1, 1)))
			h.deliver(source, caseBody(1, 1), token+"A", "")
			h.deliver(source, "{", token, sign("{")) // to quarantine
		}
		parts := strings.Split(token, ".")
		c.secret = append(c.secret, token, parts[len(parts)-1])
	}
	password := url.Values{"grant_type": {"password"}, "username": {"robin"}, "password": {housePassword}}
	if resp, body := h.ask(password, "commbox", houseNext); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	password["password"] = []string{"canary-wrong-secret"}
	h.ask(password, "commbox", houseNext)
	h.ask(clientCredentials(), "canary-wrong-id", houseSecret)
	h.ask(clientCredentials(), "sprinklr", "canary-wrong-secret")
	h.ask(url.Values{"canary-form": {houseSecret}, "a": {"%"}, "client_secret": {houseSecret}})
	h.ask(url.Values{"grant_type": {"client_credentials"}, "scope": {"canary-scope"}, "client_id": {"sprinklr"}, "client_secret": {houseSecret}})
	h.ask(url.Values{"grant_type": {"canary-form"}, "client_id": {"sprinklr"}, "client_secret": {houseSecret}})
	h.ask(clientCredentials(), houseSecret, "sprinklr") // the fields mixed up
	for _, path := range []string{"/metrics", "/readyz"} {
		c.search(t, path, h.get(t, path))
	}
	eventually(t, "events are forwarded, for else the search would prove nothing", func() (bool, string) {
		return len(lines(t, filepath.Join(h.dir, "events"))) > 0, h.stderr.String()
	})
	if code := h.stop(); code != exitDone {
		t.Errorf("ended with %d", code)
	}
	for _, name := range []string{"a.pem", "b.pem", "c.pem", "hookgate.yaml"} {
		if err := os.Remove(filepath.Join(h.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	c.searchFiles(t, "after the stop", h.dir)
	c.search(t, "the log", h.stderr.String())
	c.search(t, "stdout", h.stdout.String())
	log := h.stderr.String()
	for _, said := range []string{
		`"token_client":"sprinklr","token_outcome":"issued"`, `"token_client":"unknown","token_outcome":"invalid_client"`, `"token_client":"commbox","token_outcome":"invalid_grant"`,
		`"detail":"there is no such client"`, `"detail":"the secret is none of the client's"`, `"token_outcome":"invalid_scope"`, `"path":"/oauth/token"`,
	} {
		if !strings.Contains(log, said) {
			t.Errorf("the log does not say %s", said)
		}
	}
}

// TestTheTokenEndpointComesAndGoes with the file, and so does its path.
func TestTheTokenEndpointComesAndGoes(t *testing.T) {
	t.Parallel()
	h := newTokenHouse(t)
	status := func(method, path string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+h.Hooks+path, bytes.NewReader(nil))
		if err != nil {
			t.Fatal(err)
		}
		resp, _ := h.do(req)
		return resp.StatusCode
	}
	becomes := func(path string, want int) {
		t.Helper()
		h.write(t, h.config)
		h.hangup <- nil
		eventually(t, "the file is taken over", func() (bool, string) {
			got := status("GET", path)
			return got == want, fmt.Sprint(got)
		})
	}
	served := func(all map[string]int) {
		t.Helper()
		for request, want := range all {
			method, path, _ := strings.Cut(request, " ")
			if got := status(method, path); got != want {
				t.Errorf("%s: %d, want %d", request, got, want)
			}
		}
	}
	served(map[string]int{"GET /oauth/jwks": 200, "GET /oauth/token": 405, "POST /oauth/token": 400, "POST /oauth/token/": 404, "POST //oauth/token": 404, "POST /oauth/%74oken": 404, "GET /t/jwks": 404})
	h.replace([]string{"tokens:\n", "tokens:\n  path: /t/get\n"})
	becomes("/t/jwks", 200)
	served(map[string]int{"GET /oauth/jwks": 404, "POST /oauth/token": 404, "POST /t/get": 400})
	before, rest, _ := strings.Cut(h.config, "tokens:\n")
	_, after, _ := strings.Cut(rest, "sources:\n  - ")
	h.config = before + "sources:\n  - " + strings.NewReplacer(", {scheme: bearer, issued: true, scopes: [hooks]}", "", "{scheme: bearer, issued: true}", "{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}").Replace(after)
	becomes("/t/jwks", 404)
	served(map[string]int{"POST /t/get": 404, "POST /oauth/token": 404})
}

// accessToken is the token of an answer, or empty.
func accessToken(body string) string {
	var a struct {
		AccessToken string `json:"access_token"`
	}
	_ = json.Unmarshal([]byte(body), &a)
	return a.AccessToken
}
