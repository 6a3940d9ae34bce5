package issuer_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/issuer"
)

// The one client that most tests ask as, and a second one with two secrets, so that not all have as many.
const (
	id       = "sprinklr"
	secret   = "s3cr3t-0123456789abcdef"
	next     = "n3xt-0123456789abcdef"
	user     = "robin"
	password = "p4ss+word:0123456789 &=%é"
)

func secrets(values ...string) []hookgate.Secret {
	var all []hookgate.Secret
	for _, v := range values {
		all = append(all, hookgate.NewSecret([]byte(v), "env:TEST"))
	}
	return all
}

func tokenSettings() hookgate.TokenSettings {
	return hookgate.TokenSettings{
		Path: "/oauth/token",
		Clients: []hookgate.TokenClient{
			{ID: id, Secrets: secrets(secret), Grants: []string{"client_credentials", "password"}, Users: secrets("other:"+secret, user+":"+password),
				Scopes: []string{"read", "write"}, Sources: []string{"care", "chat"}},
			{ID: "commbox", Secrets: secrets(secret+"-2", next), Grants: []string{"client_credentials"}, Sources: []string{"inbox"}},
			{ID: "typed", Secrets: secrets("t+y%p e:d-0123456789"), Grants: []string{"password"}, Users: secrets("u:" + secret), Sources: []string{"inbox"}},
		},
	}
}

// signer writes into the token what it is asked for.
type signer struct{ err error }

func (s signer) Issue(client string, sources, scopes []string, now time.Time) (string, time.Duration, error) {
	if s.err != nil {
		return "", 0, s.err
	}
	return fmt.Sprintf("%s/%s/%s/%d", client, strings.Join(sources, ","), strings.Join(scopes, ","), now.Unix()), 90 * time.Minute, nil
}

func (signer) KeySet() []byte { return []byte(`{"keys":[]}`) }

// peers takes the peer for the sender.
type peers struct{}

func (peers) Client(r *http.Request) (netip.Addr, []*x509.Certificate) { return hookgate.Peer(r), nil }

// budget allows so many of each key.
type budget struct {
	limit int
	mu    sync.Mutex
	taken map[string]int
}

func newBudget(limit int) *budget { return &budget{limit: limit, taken: make(map[string]int)} }

func (b *budget) Take(key string) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken[key]++
	return 1500 * time.Millisecond, b.taken[key] <= b.limit
}

func (b *budget) Peek(key string) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Second, b.taken[key] < b.limit
}

func (b *budget) keys() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.taken)
}

var now = time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)

func options() issuer.Options {
	return issuer.Options{
		Now: func() time.Time { return now }, Clients: peers{},
		Budget: func(r hookgate.Rate) hookgate.Budget {
			if r.Count == 0 {
				return nil
			}
			return newBudget(r.Count)
		},
	}
}

func endpoint() *issuer.Endpoint {
	e := issuer.New(options())
	e.Set(tokenSettings(), signer{})
	return e
}

// reporter is a recorder with a report, as the middleware hands it on.
type reporter struct {
	*httptest.ResponseRecorder
	report hookgate.Report
}

func (r *reporter) Report() *hookgate.Report { return &r.report }

func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = "192.0.2.1:4711"
	return r
}

func serve(e *issuer.Endpoint, r *http.Request) *reporter {
	w := &reporter{ResponseRecorder: httptest.NewRecorder()}
	e.ServeHTTP(w, r)
	return w
}

// basicly is a request with the credentials as RFC 6749 wants them in the header.
func basicly(id, secret, body string) *http.Request {
	r := request(http.MethodPost, "/oauth/token", body)
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r
}

func post(body string) *http.Request { return request(http.MethodPost, "/oauth/token", body) }

// form writes name, value, name, value as a form.
func form(pairs ...string) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	return strings.Join(parts, "&")
}

// asked is a request of the first client, with its credentials in the form.
func asked(pairs ...string) *http.Request {
	return post(form(append([]string{"client_id", id, "client_secret", secret}, pairs...)...))
}

const grant = "grant_type=client_credentials"

// members reads an answer, which is JSON that nobody may keep.
func members(t *testing.T, w *reporter) map[string]any {
	t.Helper()
	h := w.Header()
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
		t.Errorf("headers %v", h)
	}
	var m map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return m
}

// wantIssued wants a token that says this.
func wantIssued(t *testing.T, w *reporter, token, scope string) {
	t.Helper()
	want := map[string]any{"access_token": fmt.Sprintf("%s/%d", token, now.Unix()), "token_type": "Bearer", "expires_in": 5400.0}
	if scope != "" {
		want["scope"] = scope
	}
	if got := members(t, w); w.Code != http.StatusOK || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d %v, want %v (%v)", w.Code, got, want, w.report.Err)
	}
	if client, _, _ := strings.Cut(token, "/"); w.report.Token != (hookgate.TokenRequest{Client: client, Outcome: hookgate.TokenIssued}) || w.report.Err != nil {
		t.Errorf("reported %+v, %v", w.report.Token, w.report.Err)
	}
}

// wantRefused wants an error and not a word more.
func wantRefused(t *testing.T, w *reporter, status int, word, client string, outcome hookgate.TokenOutcome) {
	t.Helper()
	if got := members(t, w); w.Code != status || fmt.Sprint(got) != fmt.Sprint(map[string]any{"error": word}) {
		t.Errorf("%d %v, want %d %s (%v)", w.Code, got, status, word, w.report.Err)
	}
	if w.report.Token != (hookgate.TokenRequest{Client: client, Outcome: outcome}) || w.report.Err == nil {
		t.Errorf("reported %+v, %v", w.report.Token, w.report.Err)
	}
	for _, s := range []string{secret, next, password, "wr0ng"} {
		if w.report.Err != nil && strings.Contains(w.report.Err.Error(), s) {
			t.Errorf("the log would show a secret: %v", w.report.Err)
		}
	}
}
