package outbound

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tokenServer gives t1, t2 and so on, each for an hour.
func tokenServer(t *testing.T, clock Clock) *receiver {
	return newReceiver(t, clock, func(n int, w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"access_token":"t%d","token_type":"Bearer","expires_in":3600}`, n)
	})
}

func TestTokenRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		oauth OAuth
		form  string
		basic string
	}{
		{"client credentials in the body", OAuth{Grant: "client_credentials", ClientID: "c i", ClientSecret: "s&1", ClientAuth: "body", Scope: "hooks all"},
			"grant_type=client_credentials&scope=hooks+all&client_id=c+i&client_secret=s%261", ""},
		{"client credentials in the header", OAuth{Grant: "client_credentials", ClientID: "cid", ClientSecret: "sec", ClientAuth: "header"},
			"grant_type=client_credentials", "Basic Y2lkOnNlYw=="},
		{"password in the body", OAuth{Grant: "password", ClientID: "cid", ClientSecret: "sec", ClientAuth: "body", Scope: "hooks", Username: "u1", Password: "p+1"},
			"grant_type=password&username=u1&password=p%2B1&scope=hooks&client_id=cid&client_secret=sec", ""},
		{"password in the header", OAuth{Grant: "password", ClientID: "cid", ClientSecret: "sec", ClientAuth: "header", Username: "u1", Password: "p1"},
			"grant_type=password&username=u1&password=p1", "Basic Y2lkOnNlYw=="},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			issuer, rc := tokenServer(t, nil), newReceiver(t, nil, nil)
			s := open(t, storePath(t), nil, nil)
			start(t, s)
			c.oauth.TokenURL = issuer.URL + "/oauth/token?x=1"
			subscribe(t, s, "a", rc.URL, func(sub *Subscription) { sub.Auth = []Auth{{Scheme: "bearer", OAuth: &c.oauth}} })
			if d := settled(t, s, publish(t, s, `1`), 1); d.State != Delivered {
				t.Fatalf("%+v", d)
			}
			got := issuer.requests()
			if len(got) != 1 || got[0].Method != "POST" || got[0].Target != "/oauth/token?x=1" || got[0].Body != c.form ||
				got[0].Header.Get("Authorization") != c.basic || got[0].Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("%+v", got)
			}
			if h := rc.requests()[0].Header["Authorization"]; len(h) != 1 || h[0] != "Bearer t1" {
				t.Errorf("%q", h)
			}
		})
	}
}

// TestTokenIsKept demands one request for many deliveries at once, and a new one a minute before the token's end.
func TestTokenIsKept(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	issuer, rc := tokenServer(t, clock), newReceiver(t, clock, nil)
	s := open(t, storePath(t), clock, nil)
	o := OAuth{Grant: "client_credentials", TokenURL: issuer.URL, ClientID: "c", ClientSecret: "s"}
	subscribe(t, s, "a", rc.URL, func(sub *Subscription) { sub.Auth = []Auth{{Scheme: "bearer", OAuth: &o}} })
	var ids []string
	for i := range 20 {
		ids = append(ids, publish(t, s, fmt.Sprint(i)))
	}
	start(t, s)
	for _, id := range ids {
		settled(t, s, id, 1)
	}
	if n := issuer.count(); n != 1 {
		t.Errorf("%d tokens for 20 deliveries", n)
	}
	clock.Advance(59*time.Minute - time.Millisecond)
	settled(t, s, publish(t, s, `1`), 1)
	if n := issuer.count(); n != 1 {
		t.Errorf("%d tokens before the end", n)
	}
	clock.Advance(time.Millisecond)
	settled(t, s, publish(t, s, `2`), 1)
	if n := issuer.count(); n != 2 {
		t.Errorf("%d tokens after the end", n)
	}
	if got := rc.requests(); got[20].Header.Get("Authorization") != "Bearer t1" || got[21].Header.Get("Authorization") != "Bearer t2" {
		t.Errorf("%q, %q", got[20].Header, got[21].Header)
	}
	// Other settings are another token.
	if _, err := s.Update(t.Context(), "bird", "a", func(sub *Subscription) error { sub.Auth[0].OAuth.Scope = "more"; return nil }); err != nil {
		t.Fatal(err)
	}
	settled(t, s, publish(t, s, `3`), 1)
	if n := issuer.count(); n != 3 {
		t.Errorf("%d tokens after a change", n)
	}
}

// TestTokenRefused demands that a 401 fetches a new token once, in the same attempt, and that a second 401 is its end.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	var accepted atomic.Pointer[string]
	first := "Bearer t2"
	accepted.Store(&first)
	issuer := tokenServer(t, nil)
	rc := newReceiver(t, nil, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != *accepted.Load() {
			w.WriteHeader(401)
		}
	})
	s := open(t, storePath(t), nil, func(_ *Options, p *provider) { p.retries = nil })
	start(t, s)
	o := OAuth{Grant: "client_credentials", TokenURL: issuer.URL, ClientID: "c", ClientSecret: "s"}
	subscribe(t, s, "a", rc.URL, func(sub *Subscription) { sub.Auth = []Auth{{Scheme: "bearer", OAuth: &o}} })
	id := publish(t, s, `1`)
	if d := settled(t, s, id, 1); d.State != Delivered || d.Attempts != 1 || rc.count() != 2 || issuer.count() != 2 {
		t.Errorf("%+v, %d requests, %d tokens", d, rc.count(), issuer.count())
	}
	got := rc.requests()
	if got[0].Body != got[1].Body {
		t.Errorf("%s is not %s", got[1].Body, got[0].Body)
	}
	none := "Bearer none"
	accepted.Store(&none)
	id = publish(t, s, `2`)
	d := settled(t, s, id, 1)
	_, attempts := delivery(t, s, id)
	if d.State != Failed || d.LastStatus != 401 || len(attempts) != 1 || rc.count() != 4 || issuer.count() != 3 {
		t.Errorf("%+v, %d requests, %d tokens", d, rc.count(), issuer.count())
	}
}

// TestTokenTrouble demands an attempt that failed, without a secret, whatever the endpoint answers.
func TestTokenTrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		script func(n int, w http.ResponseWriter, r *http.Request)
		err    string
	}{
		{"refused", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = w.Write([]byte(`{"error":"s3cr3t"}`))
		}, "no token: the token endpoint answered 400 Bad Request"},
		{"redirect", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/")
			w.WriteHeader(307)
		}, "no token: the token endpoint answered 307 Temporary Redirect"},
		{"no JSON", func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("s3cr3t")) }, "no token: the token endpoint's answer has no access_token"},
		{"no token", func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a":1}`)) }, "no token: the token endpoint's answer has no access_token"},
		{"odd token", func(_ int, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"access_token":"s3cr3t\r\nX: y"}`))
		}, "no token: the token endpoint's access_token has characters that no token has"},
		{"endless", func(_ int, w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"access_token":"`))
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(strings.Repeat("s3cr3t", 1000))); err != nil {
					return
				}
			}
		}, "no token: the token endpoint's answer has no access_token"},
		{"reset", func(_ int, w http.ResponseWriter, _ *http.Request) { reset(w) }, "connection reset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			issuer, rc := newReceiver(t, nil, c.script), newReceiver(t, nil, nil)
			s := open(t, storePath(t), nil, func(_ *Options, p *provider) { p.retries = nil })
			start(t, s)
			o := OAuth{Grant: "password", TokenURL: issuer.URL + "/s3cr3t", ClientID: "c", ClientSecret: "s3cr3t", Username: "u", Password: "s3cr3t"}
			subscribe(t, s, "a", rc.URL, func(sub *Subscription) { sub.Auth = []Auth{{Scheme: "bearer", OAuth: &o}} })
			d := settled(t, s, publish(t, s, `1`), 1)
			if d.State != Failed || d.LastStatus != 0 || !strings.Contains(d.LastError, c.err) || strings.Contains(d.LastError, "s3cr3t") || rc.count() != 0 {
				t.Errorf("%+v, %d requests", d, rc.count())
			}
		})
	}
}

// TestTokenTimeout demands that a silent endpoint holds an attempt for ten seconds, whatever its own time-out is.
func TestTokenTimeout(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	issuer := newReceiver(t, clock, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := open(t, storePath(t), clock, func(_ *Options, p *provider) { p.retries = nil })
	start(t, s)
	o := OAuth{Grant: "client_credentials", TokenURL: issuer.URL, ClientID: "c", ClientSecret: "s"}
	subscribe(t, s, "a", issuer.URL, func(sub *Subscription) { sub.Auth = []Auth{{Scheme: "bearer", OAuth: &o}} })
	id := publish(t, s, `1`)
	eventually(t, "the wait", func() bool { return clock.waitsFor(clock.Now().Add(10 * time.Second)) })
	clock.Advance(10 * time.Second)
	if d := settled(t, s, id, 1); !strings.Contains(d.LastError, "no token: the token endpoint: no whole answer within 10s") {
		t.Errorf("%+v", d)
	}
}

// TestTokensAreBounded demands that the memory of tokens ends somewhere and stays right.
func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	issuer := tokenServer(t, nil)
	s := open(t, storePath(t), nil, nil)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 300 {
				sub := &Subscription{Provider: "bird", ID: fmt.Sprint(w, " ", i)}
				o := &OAuth{Grant: "client_credentials", TokenURL: issuer.URL, ClientID: "c", ClientSecret: "s"}
				if text, err := s.tokens.get(t.Context(), s, sub, o, ""); err != nil || !strings.HasPrefix(text, "t") {
					t.Errorf("%q, %v", text, err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(s.tokens.known); n == 0 || n > maxTokens {
		t.Errorf("%d are kept", n)
	}
}
