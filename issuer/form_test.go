package issuer

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// TestT09_EveryClientCostsTheSame: a secret is compared as often whoever is asked for, and what fills up is nobody's.
func TestT09_EveryClientCostsTheSame(t *testing.T) {
	t.Parallel()
	e := New(Options{Budget: func(hookgate.Rate) hookgate.Budget { return nil }})
	secret := func(s string) hookgate.Secret { return hookgate.NewSecret([]byte(s), "env:TEST") }
	e.Set(hookgate.TokenSettings{Path: "/t", Clients: []hookgate.TokenClient{
		{ID: "one", Secrets: []hookgate.Secret{secret("a")}},
		{ID: "three", Secrets: []hookgate.Secret{secret("b"), secret("c"), secret("d")}},
	}}, nil)
	s := e.settings.Load()
	var seen []digest
	for _, id := range []string{"one", "three", "nobody", ""} {
		c := s.find(id)
		if len(c.secrets) != 3 {
			t.Errorf("%q has %d secrets to compare with", id, len(c.secrets))
		}
		for _, own := range c.secrets {
			if own.digest == (digest{}) || id != "" && slices.Contains(seen, own.digest) {
				t.Errorf("%q has a secret that others have, too", id)
			}
			seen = append(seen, own.digest)
		}
		for _, shown := range []string{"", "\x00", strings.Repeat("\x00", 32)} {
			if known, _ := c.knows(shown, time.Now()); known {
				t.Errorf("%q is opened by %q", id, shown)
			}
		}
	}
}

// FuzzForm holds the parser against the library's: what it takes, the library reads the same way.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"", "&", "=", "a", "a=b&c=d", "a=b&a=c", "a=%41+b", "a=%", "a=%4", "a=%4g", "a=%zz", "a;b=c", "a=b;c=d", "a==b", "%61=b&a=c", "a=%ff", "a=\xff", "a=%0a", "a=\t", "a=%00",
		"grant_type=password&username=u&password=p%2B1&scope=a+b&client_id=c&client_secret=s%261", strings.Repeat("a&", 70),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := string(body)
		got, err := parseForm(body)
		if string(body) != before {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if got != nil {
				t.Fatalf("both %v and %v", got, err)
			}
			return
		}
		// The library refuses every semicolon, which is a character like any other.
		values, err := url.ParseQuery(strings.ReplaceAll(before, ";", "%3B"))
		if err != nil {
			t.Fatalf("%q is read as %v, the library says %v", body, got, err)
		}
		if len(values) != len(got) {
			t.Fatalf("%q is read as %v, the library has %v", body, got, values)
		}
		for name, all := range values {
			if value, ok := got[name]; !ok || len(all) != 1 || all[0] != value {
				t.Fatalf("%q: %q is %q, the library has %q", body, name, value, all)
			}
		}
		again, err := parseForm([]byte(values.Encode()))
		if err != nil || len(again) != len(got) {
			t.Fatalf("%q: written again it is %v, %v", body, again, err)
		}
	})
}

// FuzzBasic: whatever is taken for credentials has one form.
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"Basic Yzpz", "basic Yzpz", "Basic  Yzpz", "Basic Yzpz\n", "Basic Yz==", "Basic JTQxOis=", "Basic JTQ6Kw==", "Bearer Yzpz", "Basic", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		shown, ok := readBasic(value)
		if !ok {
			return
		}
		if shown.id == "" || shown.secret == "" || !shown.basic {
			t.Fatalf("%q is read as half of a pair", value)
		}
		if f, err := parseForm([]byte("a=" + url.QueryEscape(shown.id) + "&b=" + url.QueryEscape(shown.secret))); err != nil || f["a"] != shown.id || f["b"] != shown.secret {
			t.Fatalf("%q holds what no form can: %v", value, err)
		}
	})
}
