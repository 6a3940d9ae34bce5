package outbound

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// notary is a signer of the tests' own, which says in headers what it was made of and what it was given.
type notary struct {
	entry   hookgate.AuthSettings
	private string
}

func (n notary) Sign(req *hookgate.Request, now time.Time) error {
	req.Header["X-Signed-At"] = []string{strconv.FormatInt(now.UnixMilli(), 10)}
	var text string
	for _, secret := range slices.Concat(n.entry.Secrets, n.entry.Users) {
		text += string(secret.Reveal()) + "|"
	}
	if n.entry.Prefix != nil {
		text += "prefix " + *n.entry.Prefix + "|"
	}
	text += n.private
	switch n.entry.Scheme {
	case "basic", "access-token", "bearer":
		req.Header["Authorization"] = []string{n.entry.Scheme + " " + text}
	case "bird-signature":
		mac := hmac.New(sha256.New, n.entry.Secrets[0].Reveal())
		_, _ = fmt.Fprintf(mac, "%d %s%s %s", now.Unix(), n.entry.PublicURL, req.Target, req.Body)
		req.Header["Messagebird-Signature"] = []string{base64.StdEncoding.EncodeToString(mac.Sum(nil))}
	case "hub-signature":
		mac := hmac.New(sha256.New, n.entry.Secrets[0].Reveal())
		_, _ = mac.Write(req.Body)
		req.Header["X-Hub-Signature"] = []string{hex.EncodeToString(mac.Sum(nil))}
	default:
		req.Header["X-Proof"] = []string{n.entry.Scheme + " " + text}
	}
	return nil
}

func notaries(made *[]string) func(hookgate.AuthSettings, hookgate.Secret) (Signer, error) {
	var mu sync.Mutex
	return func(entry hookgate.AuthSettings, private hookgate.Secret) (Signer, error) {
		mu.Lock()
		defer mu.Unlock()
		if made != nil {
			*made = append(*made, entry.Scheme)
		}
		if entry.Scheme == "odd" {
			return nil, errors.New("no such scheme")
		}
		return notary{entry, string(private.Reveal())}, nil
	}
}

func TestProofs(t *testing.T) {
	t.Parallel()
	old, new := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		auth []Auth
		want map[string]string
		err  string
	}{
		{"nothing", nil, map[string]string{"Authorization": "", "X-Proof": "", "X-Custom": "1"}, ""},
		{"none", []Auth{{Scheme: "none"}}, map[string]string{"Authorization": ""}, ""},
		{"basic", []Auth{{Scheme: "basic", User: "u", Password: "p:q"}}, map[string]string{"Authorization": "basic u:p:q|"}, ""},
		{"token", []Auth{{Scheme: "access-token", Secret: "tok", Prefix: "Bearer"}}, map[string]string{"Authorization": "access-token tok|prefix Bearer|"}, ""},
		{"bare token", []Auth{{Scheme: "access-token", Secret: "tok"}}, map[string]string{"Authorization": "access-token tok|prefix |"}, ""},
		{"oldest key", []Auth{{Scheme: "siq-signature", Keys: []Key{{"b", "NEW", new}, {"a", "OLD", old}}}}, map[string]string{"X-Proof": "siq-signature OLD"}, ""},
		{"own bearer", []Auth{{Scheme: "bearer", Keys: []Key{{"a", "KEY", old}}}}, map[string]string{"Authorization": "bearer KEY"}, ""},
		{"both", []Auth{{Scheme: "hub-signature", Secret: "shared"}, {Scheme: "basic", User: "u", Password: "p"}}, map[string]string{
			"Authorization": "basic u:p|", "X-Hub-Signature": func() string {
				mac := hmac.New(sha256.New, []byte("shared"))
				_, _ = mac.Write([]byte("body"))
				return hex.EncodeToString(mac.Sum(nil))
			}(), "X-Custom": "1"}, ""},
		{"unknown", []Auth{{Scheme: "odd", Secret: "s3cr3t"}}, nil, "the request could not be made: no such scheme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rc := newReceiver(t, nil, nil)
			s := open(t, storePath(t), nil, func(o *Options, _ *provider) { o.Signers = notaries(nil) })
			sub := &Subscription{Provider: "bird", ID: "a", URL: rc.URL + "/x", Auth: c.auth,
				Headers: map[string]string{"x-custom": "1", "x-hub-signature": "forged"}}
			a := s.Call(t.Context(), sub, "PUT", http.Header{"X-Custom": {"0"}}, []byte("body"))
			if a.Error != c.err {
				t.Fatalf("%q", a.Error)
			}
			if c.err != "" {
				return
			}
			got := rc.requests()[0]
			if got.Method != "PUT" || got.Body != "body" {
				t.Errorf("%+v", got)
			}
			for name, want := range c.want {
				if values := got.Header[name]; strings.Join(values, " and ") != want {
					t.Errorf("%s is %q, not %q", name, values, want)
				}
			}
		})
	}
}

// TestSignedURL demands that what is signed is the subscription's URL byte for byte.
func TestSignedURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://h.example.com", "https://h.example.com/", "https://h.example.com:8443/a//b?x=%7e|&y", "http://h.example.com?q", "https://H.example.COM/Ü?ü", "https://h.example.com/a?u=https://b/c", "nonsense"} {
		base, rest := splitURL(url)
		if base+rest != url || strings.ContainsAny(strings.TrimPrefix(strings.TrimPrefix(base, "https://"), "http://"), "/?#") {
			t.Errorf("%s is cut into %q and %q", url, base, rest)
		}
	}
	clock := newFakeClock()
	rc := newReceiver(t, clock, nil)
	s := open(t, storePath(t), clock, func(o *Options, _ *provider) { o.Signers = notaries(nil) })
	url := rc.URL + "/a//b?x=%7e|&y=a%20b"
	s.Call(t.Context(), &Subscription{Provider: "bird", URL: url, Auth: []Auth{{Scheme: "bird-signature", Secret: "shared"}}}, "POST", nil, []byte("{}"))
	mac := hmac.New(sha256.New, []byte("shared"))
	_, _ = fmt.Fprintf(mac, "%d %s {}", clock.Now().Unix(), url)
	got := rc.requests()[0]
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); got.Header.Get("Messagebird-Signature") != want || got.Target != strings.TrimPrefix(url, rc.URL) {
		t.Errorf("%s with %s", got.Target, got.Header)
	}
}

// TestSignersAreKept demands that a key is read once, and again when it is another one.
func TestSignersAreKept(t *testing.T) {
	t.Parallel()
	var made []string
	s := open(t, storePath(t), nil, func(o *Options, _ *provider) { o.Signers = notaries(&made) })
	a := &Auth{Scheme: "siq-signature", Keys: []Key{{Private: "one"}}}
	for range 3 {
		if _, err := s.signers.of(s.options.Signers, a, "https://a.example.com"); err != nil {
			t.Fatal(err)
		}
	}
	a.Keys[0].Private = "two"
	if _, err := s.signers.of(s.options.Signers, a, "https://b.example.com"); err != nil {
		t.Fatal(err)
	}
	if len(made) != 2 {
		t.Errorf("%d were made", len(made))
	}
	if _, err := newSigners().of(nil, a, ""); err == nil {
		t.Error("something signs where nothing was given")
	}
}

// TestFrozen demands that retries repeat the headers of the first attempt, but for Authorization, also after a restart.
func TestFrozen(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, status(500))
	path := storePath(t)
	change := func(o *Options, p *provider) {
		o.Signers = notaries(nil)
		p.frozen, p.lowerHeaders = true, true
		p.retries = []time.Duration{time.Minute, time.Minute}
	}
	s := open(t, path, clock, change)
	stop := start(t, s)
	subscribe(t, s, "a", rc.URL, func(sub *Subscription) {
		sub.Auth = []Auth{{Scheme: "bird-signature", Secret: "shared"}, {Scheme: "basic", User: "u", Password: "old"}}
		sub.Headers = map[string]string{"X-Team": "red"}
	})
	id := publish(t, s, `1`)
	d := settled(t, s, id, 1)
	if _, kept := d.Frozen["Authorization"]; kept || len(d.Frozen) < 4 {
		t.Errorf("kept are %q", d.Frozen)
	}
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clock.Advance(10 * time.Minute)
	s = open(t, path, clock, change)
	if _, err := s.Update(t.Context(), "bird", "a", func(sub *Subscription) error {
		sub.Auth[1].Password, sub.Auth[0].Secret = "new", "other"
		sub.Headers["X-Team"] = "blue"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	start(t, s)
	settled(t, s, id, 2)
	first, second := rc.requests()[0].Header, rc.requests()[1].Header
	if first.Get("Authorization") != "basic u:old|" || second.Get("Authorization") != "basic u:new|" {
		t.Errorf("%q, %q", first.Get("Authorization"), second.Get("Authorization"))
	}
	for _, h := range []http.Header{first, second} {
		delete(h, "Authorization")
		delete(h, "Content-Length") // the fake's body has the attempt in it
	}
	if fmt.Sprint(first) != fmt.Sprint(second) || first.Get("X-Attempt") != "1" || first.Get("X-Team") != "red" || first.Get("Messagebird-Signature") == "" {
		t.Errorf("\n%v\n%v", first, second)
	}
}
