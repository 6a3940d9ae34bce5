package issuer_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/issuer"
)

func TestKeySet(t *testing.T) {
	t.Parallel()
	e := endpoint()
	for method, want := range map[string]struct {
		status int
		body   string
	}{
		http.MethodGet: {200, `{"keys":[]}`}, http.MethodHead: {200, `{"keys":[]}`}, http.MethodPost: {405, ""}, http.MethodDelete: {405, ""},
	} {
		w := serve(e, request(method, "/oauth/jwks", ""))
		if w.Code != want.status || w.Body.String() != want.body {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
		if h := w.Header(); w.Code == 200 && (h.Get("Content-Type") != "application/jwk-set+json" || h.Get("Cache-Control") != "public, max-age=300") || w.Code == 405 && h.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %v", method, h)
		}
		if w.report.Token.Outcome != "" {
			t.Errorf("%s counts as a token request: %+v", method, w.report.Token)
		}
	}
}

// TestPaths: exactly two are served, and they follow the settings.
func TestPaths(t *testing.T) {
	t.Parallel()
	e := issuer.New(options())
	served := func() (all []string) {
		for _, p := range []string{"/", "/oauth", "/oauth/", "/oauth/token", "/oauth/token/", "/oauth/%74oken", "/OAuth/token", "/oauth/jwks", "/token", "/jwks"} {
			if e.Serves(p) {
				all = append(all, p)
			}
		}
		return all
	}
	s := tokenSettings()
	for _, c := range []struct {
		path string
		want string
	}{{"", "[]"}, {"/oauth/token", "[/oauth/token /oauth/jwks]"}, {"/token", "[/token /jwks]"}, {"", "[]"}} {
		s.Path = c.path
		if c.path == "" {
			e.Set(hookgate.TokenSettings{Path: "/oauth/token"}, nil)
		} else {
			e.Set(s, signer{})
		}
		if got := fmt.Sprint(served()); got != c.want {
			t.Errorf("with %q: %s, want %s", c.path, got, c.want)
		}
	}
	for _, p := range []string{"/oauth/token", "/oauth/jwks"} { // somebody asked Serves before the settings went
		if w := serve(e, request(http.MethodPost, p, grant)); w.Code != 404 || w.Body.Len() > 0 {
			t.Errorf("%s: %d %s", p, w.Code, w.Body)
		}
	}
}

// TestT09_ANewFileCounts: a client that is gone and a secret that is gone open nothing any more.
func TestT09_ANewFileCounts(t *testing.T) {
	t.Parallel()
	e := endpoint()
	ask := func() int { return serve(e, asked("grant_type", "client_credentials")).Code }
	if got := ask(); got != 200 {
		t.Fatal(got)
	}
	s := tokenSettings()
	s.Clients[0].Secrets = secrets(next, secret)
	e.Set(s, signer{})
	if got := ask(); got != 200 {
		t.Errorf("an older secret that is still there: %d", got)
	}
	s.Clients[0].Secrets = secrets(next)
	e.Set(s, signer{})
	if got := ask(); got != 401 {
		t.Errorf("a secret that is gone: %d", got)
	}
	s.Clients = s.Clients[1:]
	e.Set(s, signer{})
	if got := ask(); got != 401 {
		t.Errorf("a client that is gone: %d", got)
	}
}

// TestT09_ASecretEnds, and a password: the last moment is the one before the end.
func TestT09_ASecretEnds(t *testing.T) {
	t.Parallel()
	for after, ended := range map[time.Duration]bool{-time.Nanosecond: true, 0: true, time.Nanosecond: false} {
		until := func(s string) hookgate.Secret { return secrets(s)[0].Until(now.Add(after)) }
		s := tokenSettings()
		s.Clients[0].Secrets = []hookgate.Secret{secrets(next)[0], until(secret)}
		s.Clients[0].Users = []hookgate.Secret{until(user + ":" + password), secrets("other:" + password)[0]}
		e := issuer.New(options())
		e.Set(s, signer{})
		w := serve(e, asked("grant_type", "client_credentials"))
		if (w.Code == 401) != ended || ended && w.report.Err.Reason != hookgate.KeyRetired {
			t.Errorf("the secret, %s before its end: %d (%v)", after, w.Code, w.report.Err)
		}
		w = serve(e, basicly(id, next, form("grant_type", "password", "username", user, "password", password)))
		if (w.Code == 400) != ended {
			t.Errorf("the password, %s before its end: %d", after, w.Code)
		}
		if got := serve(e, basicly(id, next, form("grant_type", "password", "username", "other", "password", password))).Code; got != 200 {
			t.Errorf("another user: %d", got)
		}
	}
}

// TestT09_TheClientsRate is spent by nobody but the client.
func TestT09_TheClientsRate(t *testing.T) {
	t.Parallel()
	s := tokenSettings()
	s.Clients[0].Rate = hookgate.Rate{Count: 2, Per: time.Minute}
	e := issuer.New(options())
	e.Set(s, signer{})
	for range 20 {
		wantRefused(t, serve(e, basicly(id, "wr0ng", grant)), 401, "invalid_client", id, hookgate.TokenInvalidClient)
	}
	for range 2 {
		wantIssued(t, serve(e, basicly(id, secret, grant)), "sprinklr/care,chat/read,write", "read write")
	}
	w := serve(e, basicly(id, secret, grant))
	wantRefused(t, w, 429, "temporarily_unavailable", id, hookgate.TokenOverLimit)
	if got := w.Header().Get("Retry-After"); got != "2" { // a second and a half, rounded up
		t.Errorf("Retry-After: %q", got)
	}
	if got := serve(e, basicly("commbox", next, grant)).Code; got != 200 {
		t.Errorf("another client: %d", got)
	}
}

// guarded is an endpoint with budgets of so many guesses.
func guarded(limit int) (*issuer.Endpoint, *budget, *budget) {
	o, strangers, guesses := options(), newBudget(limit), newBudget(limit)
	o.Strangers, o.Guesses = strangers, guesses
	e := issuer.New(o)
	e.Set(tokenSettings(), signer{})
	return e, strangers, guesses
}

func from(r *http.Request, address string) *http.Request {
	r.RemoteAddr = address
	return r
}

// TestT09_GuessingIsSlow: once an address has failed too often at a client, not even the right secret opens it from there;
// it does from elsewhere, and other clients are open from there.
func TestT09_GuessingIsSlow(t *testing.T) {
	t.Parallel()
	for name, guess := range map[string]func() *http.Request{
		"secrets":   func() *http.Request { return basicly(id, "wr0ng", grant) },
		"passwords": func() *http.Request { return basicly(id, secret, "grant_type=password&username=robin&password=wr0ng") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _, _ := guarded(5)
			for n := range 5 {
				if w := serve(e, guess()); w.Code >= 429 {
					t.Errorf("attempt %d: %d", n, w.Code)
				}
			}
			for range 3 {
				w := serve(e, basicly(id, secret, form("grant_type", "password", "username", user, "password", password)))
				wantRefused(t, w, 429, "temporarily_unavailable", id, hookgate.TokenOverLimit)
				if w.Header().Get("Retry-After") == "" {
					t.Error("429 without Retry-After")
				}
			}
			if got := serve(e, basicly("commbox", next, grant)).Code; got != 200 {
				t.Errorf("another client from there: %d", got)
			}
			if got := serve(e, from(basicly(id, secret, grant), "192.0.2.2:1")).Code; got != 200 {
				t.Errorf("from elsewhere: %d", got)
			}
		})
	}
}

// TestT09_ANeighbourLocksNobodyOut: failures at other clients, or at none, leave an authentic one alone.
func TestT09_ANeighbourLocksNobodyOut(t *testing.T) {
	t.Parallel()
	e, strangers, guesses := guarded(5)
	for n := range 30 {
		for _, r := range []*http.Request{basicly("commbox", "wr0ng", grant), basicly(fmt.Sprint("nobody-", n), "wr0ng", grant), post(grant), with(post(grant), "Authorization", "Basic")} {
			if got := serve(e, r).Code; got != 401 && got != 429 {
				t.Fatal(got)
			}
		}
	}
	wantIssued(t, serve(e, basicly(id, secret, grant)), "sprinklr/care,chat/read,write", "read write")
	if n := strangers.keys(); n != 1 {
		t.Errorf("one address has %d budgets", n)
	}
	if n := guesses.keys(); n != 1 {
		t.Errorf("unknown clients have budgets: %d", n)
	}
}

// TestT09_AllFailuresLookAlike: status, headers and body of an unknown client, a wrong secret and a secret that was not
// looked at are the same, attempt by attempt.
func TestT09_AllFailuresLookAlike(t *testing.T) {
	t.Parallel()
	history := func(secretOfLast string, ids ...string) string {
		e, _, _ := guarded(5)
		var all strings.Builder
		for n := range 8 {
			guess := "wr0ng"
			if n > 4 {
				guess = secretOfLast
			}
			w := serve(e, basicly(ids[n%len(ids)], guess, grant))
			fmt.Fprintln(&all, w.Code, w.Header(), w.Body)
		}
		return all.String()
	}
	unknown := history("wr0ng", "nobody")
	if strings.Count(unknown, "401 ") != 5 || strings.Count(unknown, "429 ") != 3 {
		t.Fatal(unknown)
	}
	for name, got := range map[string]string{
		"a wrong secret":     history("wr0ng", id),
		"the right one late": history(secret, id),
		"mixed":              history("wr0ng", id, "nobody", "commbox"),
	} {
		if got != unknown {
			t.Errorf("%s:\n%s\nan unknown client:\n%s", name, got, unknown)
		}
	}
}

// TestT09_OnePartyHasOneBudget: an IPv6 sender has 2^64 addresses, and many connections gain nothing.
func TestT09_OnePartyHasOneBudget(t *testing.T) {
	t.Parallel()
	e, _, guesses := guarded(50)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for n := range 40 {
				serve(e, from(basicly(id, "wr0ng", grant), fmt.Sprintf("[2001:db8:1:2:%x::%x]:1", worker, n)))
			}
		})
	}
	wg.Wait()
	if n := guesses.keys(); n != 1 {
		t.Errorf("%d budgets", n)
	}
	if got := serve(e, from(basicly(id, secret, grant), "[2001:db8:1:2::9]:1")).Code; got == 200 {
		t.Error("the secret opens it from the address that guesses")
	}
	for _, other := range []string{"[2001:db8:1:3::1]:1", "192.0.2.1:1"} {
		if got := serve(e, from(basicly(id, secret, grant), other)).Code; got != 200 {
			t.Errorf("from %s: %d", other, got)
		}
	}
	o := options()
	o.Clients, o.Guesses = written{}, newBudget(1)
	e = issuer.New(o)
	e.Set(tokenSettings(), signer{})
	serve(e, from(basicly(id, "wr0ng", grant), "192.0.2.7:1"))
	if got := serve(e, from(basicly(id, secret, grant), "[::ffff:192.0.2.7]:1")).Code; got == 200 {
		t.Error("the same address in IPv6 form is another one")
	}
}

// last has one look left, and then nothing.
type last struct{ *budget }

func (l last) Peek(key string) (time.Duration, bool) {
	_, ok := l.budget.Peek(key)
	l.Take(key)
	return 0, ok
}

// TestT09_GuessesAtOnce: what others have used up between the client's proof and the user's counts.
func TestT09_GuessesAtOnce(t *testing.T) {
	t.Parallel()
	o := options()
	o.Guesses = last{newBudget(1)}
	e := issuer.New(o)
	e.Set(tokenSettings(), signer{})
	wantRefused(t, serve(e, asked("grant_type", "password", "username", user, "password", password)), 400, "invalid_grant", id, hookgate.TokenInvalidGrant)
}

// written takes addresses as they are written.
type written struct{}

func (written) Client(r *http.Request) (netip.Addr, []*x509.Certificate) {
	return netip.MustParseAddrPort(r.RemoteAddr).Addr(), nil
}

// TestT09_NothingShownIsAFailure, too: whoever comes without credentials spends the budget of the address.
func TestT09_NothingShownIsAFailure(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]func() *http.Request{
		"nothing":      func() *http.Request { return post(grant) },
		"half a pair":  func() *http.Request { return post(grant + "&client_id=" + id) },
		"another form": func() *http.Request { return with(post(grant), "Authorization", "Basic x") },
	} {
		e, _, _ := guarded(2)
		for n, want := range []int{401, 401, 429, 429} {
			if got := serve(e, r()).Code; got != want {
				t.Errorf("%s, attempt %d: %d", name, n, got)
			}
		}
	}
}

// TestReloadUnderLoad: settings change while requests come, and none of them fails.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	e := endpoint()
	var asking atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		asking.Add(1)
		wg.Go(func() {
			defer asking.Add(-1)
			for range 200 {
				if got := serve(e, asked("grant_type", "client_credentials")).Code; got != 200 {
					t.Errorf("%d", got)
					return
				}
			}
		})
	}
	for n := 0; n < 500 || asking.Load() > 0; n++ {
		s := tokenSettings()
		s.Clients = s.Clients[:1+n%3]
		e.Set(s, signer{})
	}
	wg.Wait()
}
