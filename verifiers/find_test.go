package verifiers_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// capture is a delivery as a provider would have signed it.
func capture(t *testing.T, entry hookgate.AuthSettings, private hookgate.Secret) *hookgate.Request {
	t.Helper()
	signer, err := verifiers.NewSigner(entry, private)
	if err != nil {
		t.Fatal(err)
	}
	req := &hookgate.Request{
		Method: "POST", Target: "/hooks/found?a=1", Body: []byte(`{"event":"made up","n":1}`),
		Header: http.Header{"User-Agent": {"provider/1.0"}, "Content-Type": {"application/json"}, "X-Trace": {"00f067aa0ba902b700f067aa0ba902b7"}, "Content-Length": {"25"}},
	}
	if err := signer.Sign(req, receipt); err != nil {
		t.Fatal(err)
	}
	return req
}

// TestFindOwnSchemes: each of our own schemes is found from one capture, whatever else the request holds, and nothing is found
// with another secret.
func TestFindOwnSchemes(t *testing.T) {
	t.Parallel()
	for scheme, f := range fixtures(t) {
		if scheme == "none" || scheme == "hmac" { // nothing to find; by declaration
			continue
		}
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			secrets := slices.Concat(f.one.Secrets, f.one.Keys, f.one.Users, f.one.CA)
			s := verifiers.Search{
				Request: capture(t, f.one, f.privateOne), Secret: secrets[0], Now: receipt.Add(time.Hour),
				PublicURLs: []string{"https://elsewhere.example.com", "https://hooks.example.com"},
			}
			found := verifiers.Find(s)
			if len(found) != 1 || found[0].Entry.Scheme != scheme {
				t.Fatalf("found %+v", found)
			}
			scheme, err := verifiers.New(found[0].Entry)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := scheme.Verify(s.Request, found[0].At); err != nil {
				t.Errorf("what was found does not verify: %v", err)
			}
			s.Secret = slices.Concat(f.two.Secrets, f.two.Keys, f.two.Users, f.two.CA)[0]
			if found := verifiers.Find(s); len(found) > 0 {
				t.Errorf("found with another secret: %+v", found)
			}
		})
	}
}

// TestFindDeclared makes up providers and finds their declarations again.
func TestFindDeclared(t *testing.T) {
	t.Parallel()
	declarations := map[string]hookgate.Declaration{}
	add := func(name string, d hookgate.Declaration) {
		d.Name = "made-up"
		declarations[name] = d
	}
	for _, encoding := range []string{"hex", "HEX", "base64", "base64url", "base64url-padded"} {
		for _, algorithm := range []string{"sha1", "sha256", "sha512"} {
			add(encoding+" "+algorithm, hookgate.Declaration{Header: "X-Acme-Signature", Encoding: encoding, Algorithm: algorithm, Key: "raw", Signed: "{body}"})
		}
	}
	for _, key := range []string{"base64", "hex", "whsec"} {
		add("key "+key, hookgate.Declaration{Header: "X-Acme-Signature", Prefix: "v1=", Encoding: "hex", Algorithm: "sha256", Key: key, Signed: "{body}"})
	}
	for _, signed := range []string{"{timestamp}.{body}", `{timestamp}\n{body}`, "{body}{timestamp}", "{id}.{timestamp}.{body}", `{url}\n{body}`, `{method}\n{target}\n{timestamp}\n{body}`, "{timestamp}.{url}.{body}"} {
		for _, unit := range []string{"s", "ms"} {
			d := hookgate.Declaration{Header: "X-Acme-Signature", Encoding: "base64", Algorithm: "sha256", Key: "raw", Signed: signed}
			if strings.Contains(signed, "{timestamp}") {
				d.Timestamp = hookgate.DeclaredTime{Header: "X-Acme-Time", Unit: unit, Tolerance: time.Minute}
			}
			if strings.Contains(signed, "{id}") {
				d.ID = "X-Acme-Delivery-Id"
			}
			add(signed+" "+unit, d)
		}
	}
	add("pairs", hookgate.Declaration{
		Header: "X-Acme-Signature", Pair: "v1", Encoding: "hex", Algorithm: "sha256", Key: "raw", Signed: "{timestamp}.{body}",
		Timestamp: hookgate.DeclaredTime{Pair: "t", Unit: "s", Tolerance: time.Minute},
	})
	secrets := map[string]string{
		"raw": "made-up-secret-number-one", "base64": "bWFkZS11cC1zZWNyZXQtbnVtYmVyLW9uZQ==", "hex": "6d6164652d75702d7365637265742d6e756d626572",
		"whsec": "whsec_bWFkZS11cC1zZWNyZXQtbnVtYmVyLW9uZQ==",
	}
	for _, name := range slices.Sorted(maps.Keys(declarations)) {
		d := declarations[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret := hookgate.NewSecret([]byte(secrets[d.Key]), "env:ACME")
			entry := hookgate.AuthSettings{Scheme: "hmac", Declaration: d.Name, Declared: &d, Secrets: []hookgate.Secret{secret}, PublicURL: "https://hooks.example.com"}
			req := capture(t, entry, hookgate.Secret{})
			found := verifiers.Find(verifiers.Search{Request: req, Secret: secret, PublicURLs: []string{"https://hooks.example.com"}, Now: receipt.Add(24 * time.Hour)})
			if len(found) != 1 || found[0].Entry.Declared == nil {
				t.Fatalf("found %+v", found)
			}
			got := *found[0].Entry.Declared
			got.Name, got.Timestamp.Tolerance = d.Name, d.Timestamp.Tolerance
			if fmt.Sprint(got) != fmt.Sprint(d) {
				t.Errorf("found %+v, want %+v", got, d)
			}
			scheme, err := verifiers.New(found[0].Entry)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := scheme.Verify(req, found[0].At); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFindAtItsLimits: the bounds of what is combined hold at their edges, and what is beside the proof does not fill them.
func TestFindAtItsLimits(t *testing.T) {
	t.Parallel()
	plain := hookgate.Declaration{Name: "made-up", Header: "X-Acme-Signature", Encoding: "hex", Algorithm: "sha256", Key: "raw", Signed: "{body}"}
	prefixed := func(length int) hookgate.Declaration {
		d := plain
		d.Prefix = strings.Repeat("p", length-1) + ":"
		return d
	}
	pairs, ids, timed := plain, plain, plain
	pairs.Pair, pairs.Signed, pairs.Timestamp = "v1", "{timestamp}.{body}", hookgate.DeclaredTime{Pair: "t", Unit: "s", Tolerance: time.Minute}
	ids.Signed, ids.ID = "{id}.{body}", "X-Acme-Id"
	timed.Signed, timed.Timestamp = pairs.Signed, hookgate.DeclaredTime{Header: "X-Acme-Time", Unit: "s", Tolerance: time.Minute}
	more := func(n int) func(http.Header) {
		return func(h http.Header) {
			for i := range n {
				h["X-Acme-Signature"][0] += fmt.Sprintf(",p%d=x", i)
			}
		}
	}
	headers := func(n int, name, value string) func(http.Header) {
		return func(h http.Header) {
			for i := range n {
				h[fmt.Sprintf(name, i)] = []string{value}
			}
		}
	}
	for name, c := range map[string]struct {
		declaration hookgate.Declaration
		change      func(http.Header)
		found       bool
	}{
		"prefix of 24 bytes":            {prefixed(24), headers(0, "", ""), true},
		"prefix of 25 bytes":            {prefixed(25), headers(0, "", ""), false},
		"8 pairs":                       {pairs, more(6), true},
		"9 pairs":                       {pairs, more(7), false},
		"6 ids":                         {ids, headers(5, "A%d-Id", "other"), true},
		"7 ids":                         {ids, headers(6, "A%d-Id", "other"), false},
		"what is no id":                 {ids, headers(9, "A%d", "other"), true},
		"numbers that are no time":      {timed, headers(9, "A%d", "25"), true},
		"words as long as a time":       {timed, headers(9, "A%d", "thirteen of-1"), true},
		"one id in many forms":          {ids, headers(1, "A%d-Id", "a=b c:d,e=f,g=h,i=j"), true},
		"pairs in another header":       {pairs, headers(1, "A%d", fmt.Sprintf("t=%d,x=y", receipt.Unix()+30)), true},
		"pairs without their signature": {pairs, func(h http.Header) { h["X-Acme-Signature"][0], _, _ = strings.Cut(h["X-Acme-Signature"][0], ",") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret := hookgate.NewSecret([]byte("made-up-secret-number-one"), "env:ACME")
			req := capture(t, hookgate.AuthSettings{Scheme: "hmac", Declaration: "made-up", Declared: &c.declaration, Secrets: []hookgate.Secret{secret}}, hookgate.Secret{})
			c.change(req.Header)
			found := verifiers.Find(verifiers.Search{Request: req, Secret: secret, Now: receipt})
			if (len(found) == 1) != c.found {
				t.Fatalf("found %+v", found)
			}
			if c.found && !found[0].At.Equal(receipt) {
				t.Errorf("verifies as of %s, and was made at %s", found[0].At, receipt)
			}
		})
	}
}

// FuzzFind: whatever was captured, a search ends, and what it finds verifies.
func FuzzFind(f *testing.F) {
	f.Add([]byte("{}"), "sha256=00", "1719823264", "Bearer a.b.c")
	f.Add([]byte(""), "t=1719823264,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd", "", "")
	f.Fuzz(func(t *testing.T, body []byte, signature, stamp, authorization string) {
		s := verifiers.Search{
			Request: &hookgate.Request{Method: "POST", Target: "/", Body: body, Header: http.Header{"X-Signature": {signature}, "X-Time": {stamp}, "Authorization": {authorization}}},
			Secret:  hookgate.NewSecret([]byte("made-up-secret-number-one"), "env:A"), Now: receipt,
		}
		for _, found := range verifiers.Find(s) {
			scheme, err := verifiers.New(found.Entry)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := scheme.Verify(s.Request, found.At); err != nil {
				t.Errorf("%+v: %v", found.Entry, err)
			}
		}
	})
}
