package verifiers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// TestFindCertificate: whatever certificate a proxy passed on, what is found lists as little as it can, and only what was given
// as the secret lets it in.
func TestFindCertificate(t *testing.T) {
	t.Parallel()
	given := func(names ...string) string {
		var all strings.Builder
		for _, name := range names {
			all.Write(certificateFile(t, name))
		}
		return all.String()
	}
	print := fingerprint(t, "client-one")
	var colons []string
	for i := 0; i < len(print); i += 2 {
		colons = append(colons, strings.ToUpper(print[i:i+2]))
	}
	for _, c := range []struct {
		name   string
		shown  []string
		secret string
		want   string // names and fingerprints of what is found, behind ca where it is listed; empty for nothing
	}{
		{"by its authority", []string{"client-one"}, given("ca-one"), "ca names [hooks.one.example]"},
		{"by its authority, on one line", []string{"client-one"}, strings.ReplaceAll(given("ca-one"), "\n", `\n`), "ca names [hooks.one.example]"},
		{"by one of two authorities", []string{"client-two"}, given("ca-one", "ca-two"), "ca names [hooks.two.example]"},
		{"by another authority", []string{"client-one"}, given("ca-two"), ""},
		{"by an authority of the same name", []string{"impostor"}, given("ca-one"), ""},
		{"through an intermediate one", []string{"behind", "between"}, given("ca-one"), "ca names [hooks.one.example]"},
		{"the intermediate one is not passed on", []string{"behind"}, given("ca-one"), ""},
		{"the intermediate one is given", []string{"behind"}, given("between"), "ca names [hooks.one.example]"},
		{"a common name alone", []string{"bare"}, given("ca-one"), "ca names [CommBox Hooks]"},
		{"an e-mail address and a URI", []string{"uri"}, given("ca-one"), "ca names [Hooks@One.Example]"},
		{"a wildcard", []string{"wildcard"}, given("ca-one"), "ca names [*.one.example]"},
		{"no name that can be listed", []string{"doubled"}, given("ca-one"), "ca fingerprints [" + fingerprint(t, "doubled") + "]"},
		{"by itself", []string{"client-one"}, given("client-one"), "fingerprints [" + print + "]"},
		{"by itself, self-made", []string{"self-made"}, given("self-made"), "fingerprints [" + fingerprint(t, "self-made") + "]"},
		{"by itself, its authority behind it", []string{"client-one"}, given("client-one", "ca-one"), "fingerprints [" + print + "]"},
		{"by its fingerprint", []string{"client-one"}, print, "fingerprints [" + print + "]"},
		{"by its fingerprint, as openssl shows it", []string{"client-one"}, strings.Join(colons, ":") + "\n", "fingerprints [" + print + "]"},
		{"by the beginning of its fingerprint", []string{"client-one"}, print[:40], ""},
		{"by another certificate", []string{"client-one"}, given("client-two"), ""},
		{"by another fingerprint", []string{"client-one"}, fingerprint(t, "client-two"), ""},
		{"what stands behind does not count", []string{"client-two", "client-one"}, given("client-one"), ""},
		{"by its private key", []string{"client-one"}, strings.Replace(given("client-one.key"), given("client-one"), "", 1), ""},
		{"expired", []string{"expired"}, given("ca-one"), ""},
		{"expired, by itself", []string{"expired"}, given("expired"), ""},
		{"a server's", []string{"server"}, given("ca-one"), ""},
		{"nothing shown", nil, given("ca-one"), ""},
		{"by a shared secret", []string{"client-one"}, "made-up-secret-number-one", ""},
		{"no secret", []string{"client-one"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := delivery()
			req.Certificates = certificates(t, c.shown...)
			found := verifiers.Find(verifiers.Search{Request: req, Secret: hookgate.NewSecret([]byte(c.secret), "env:GIVEN"), Now: receipt})
			var got []string
			for _, f := range found {
				words := []string{}
				if len(f.Entry.CA) > 0 {
					words = append(words, "ca")
				}
				if len(f.Entry.Names) > 0 {
					words = append(words, fmt.Sprint("names ", f.Entry.Names))
				}
				if len(f.Entry.Fingerprints) > 0 {
					words = append(words, fmt.Sprint("fingerprints ", f.Entry.Fingerprints))
				}
				got = append(got, strings.Join(words, " "))
				accepted(t, verifier(t, f.Entry), req, f.At)
				if warned := verifiers.Warnings(f.Entry); len(warned) > 0 {
					t.Errorf("what is found is warned of: %v", warned)
				}
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzFindCertificate: whatever is given as the secret, what is found of a certificate verifies, and it is found of nothing that
// holds neither a certificate nor its fingerprint.
func FuzzFindCertificate(f *testing.F) {
	for _, name := range []string{"ca-one", "client-one", "client-one.key", "ca-two"} {
		f.Add(certificateFile(f, name))
	}
	f.Add([]byte(fingerprint(f, "client-one")))
	shown := certificates(f, "client-one")
	f.Fuzz(func(t *testing.T, secret []byte) {
		req := &hookgate.Request{Method: "POST", Target: "/", Certificates: shown}
		for _, found := range verifiers.Find(verifiers.Search{Request: req, Secret: hookgate.NewSecret(secret, "env:A"), Now: receipt.Add(time.Minute)}) {
			if found.Entry.Scheme != "client-certificate" || len(secret) < 64 {
				t.Fatalf("%q: %+v", secret, found.Entry)
			}
			accepted(t, verifier(t, found.Entry), req, found.At)
		}
	})
}
