package verifiers_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// A fuzz target changes what a stranger controls in a good delivery. Whatever it makes of it, Verify must not panic, must
// refuse with a reason and without a proof, and may accept only the delivery that was signed. Its seeds are the
// scheme's independent vectors and the headers that have fooled others.

var hostile = []string{
	"", " ", "sha256=", "sha1=00", "sha256=a,sha256=b", "Basic ", "Basic Og==", "Basic eDp5\n", "Bearer ", "Bearer a.b.c", "Bearer ..", "Bearer a.b.c.d.e",
	"Bearer eyJhbGciOiJub25lIn0.e30.", "QUJ=", "====", "-_", "\x00", "\xff", "1719823264", "-1", "99999999999999999999",
}

func fuzzScheme(f *testing.F, scheme, first, second string) {
	fix := fixtures(f)[scheme]
	s, v := signer(f, fix.one, fix.privateOne), verifier(f, fix.one)
	good := signedBy(f, s)
	value := func(req *hookgate.Request, name string) string {
		if len(req.Header[name]) == 0 {
			return ""
		}
		return req.Header[name][0]
	}
	genuine := []*hookgate.Request{good} // what may be accepted: vectors are made with the fixture's keys too
	f.Add(value(good, first), value(good, second), good.Target, good.Body, receipt.Unix())
	for _, h := range hostile {
		f.Add(h, value(good, second), good.Target, good.Body, receipt.Unix())
		f.Add(value(good, first), h, good.Target, good.Body, receipt.Unix())
	}
	for _, vec := range vectors(f, scheme) {
		req := vec.request()
		genuine = append(genuine, req)
		f.Add(value(req, first), value(req, second), req.Target, req.Body, vec.Now)
	}
	covered := golden(f)[scheme]
	f.Fuzz(func(t *testing.T, a, b, target string, body []byte, now int64) {
		req := copyOf(good)
		req.Header[first], req.Header[second] = []string{a}, []string{b}
		req.Target, req.Body = target, body
		proof, err := v.Verify(req, time.Unix(now, 0))
		if err != nil {
			if e := hookgate.AsError(err); e.Code != hookgate.Unauthenticated || e.Reason == "" || proof != (hookgate.Proof{}) {
				t.Fatalf("proof %+v, error %#v", proof, err)
			}
			return
		}
		if proof.Scheme != scheme || (scheme != "none" && proof.KeyID == "") {
			t.Fatalf("proof %+v", proof)
		}
		for _, g := range genuine {
			if (!covered["body"] || bytes.Equal(body, g.Body)) && (!covered["path"] || target == g.Target) &&
				(!covered[first] || sameCredential(scheme, a, value(g, first))) && (!covered[second] || b == value(g, second)) {
				return
			}
		}
		t.Fatalf("accepted what nobody signed: %q, %q, target %q, body %q", a, b, target, body)
	})
}

// sameCredential allows for the scheme word of basic and bearer, which may be in any case, and for lists of signatures, in
// which the good one is among others.
func sameCredential(scheme, got, want string) bool {
	if scheme == "standard-webhooks" {
		for entry := range strings.SplitSeq(want, " ") {
			if strings.HasPrefix(entry, "v1,") && strings.Contains(" "+got+" ", " "+entry+" ") {
				return true
			}
		}
		return false
	}
	if scheme == "basic" || scheme == "bearer" {
		word := bytes.IndexByte([]byte(want), ' ')
		return len(got) == len(want) && got[word:] == want[word:]
	}
	return got == want
}

func FuzzHubSignature(f *testing.F)  { fuzzScheme(f, "hub-signature", hubHeader, "X-Other") }
func FuzzSiqSignature(f *testing.F)  { fuzzScheme(f, "siq-signature", siqHeader, "X-Other") }
func FuzzBirdSignature(f *testing.F) { fuzzScheme(f, "bird-signature", birdHeader, birdTime) }
func FuzzBasic(f *testing.F)         { fuzzScheme(f, "basic", "Authorization", "X-Other") }
func FuzzAccessToken(f *testing.F)   { fuzzScheme(f, "access-token", "Authorization", "X-Other") }
func FuzzBearer(f *testing.F)        { fuzzScheme(f, "bearer", "Authorization", "X-Other") }
func FuzzNone(f *testing.F)          { fuzzScheme(f, "none", "Authorization", "X-Other") }

// FuzzKeys reads any text as the key of the two schemes that take keys: an error is a list of problems, and what loads
// refuses an unsigned delivery.
func FuzzKeys(f *testing.F) {
	for _, name := range []string{"siq.pub.pem", "jwt-p256.pub.pem", "jwt-ed25519.pub.pem", "small.pub.pem", "cert.pem", "siq.key.pem"} {
		f.Add(keyFile(f, name))
	}
	for _, scheme := range []string{"siq-signature", "bearer"} {
		for _, vec := range vectors(f, scheme) {
			for _, key := range vec.Auth.Keys {
				f.Add([]byte(key))
			}
		}
	}
	f.Add([]byte("45678998765"))
	f.Fuzz(func(t *testing.T, key []byte) {
		for _, scheme := range []string{"siq-signature", "bearer"} {
			s, err := verifiers.New(hookgate.AuthSettings{Scheme: scheme, Keys: []hookgate.Secret{hookgate.NewSecret(key, "file:key")}})
			if err != nil {
				if ps, ok := err.(hookgate.Problems); !ok || len(ps) == 0 {
					t.Fatalf("error %#v", err)
				}
				continue
			}
			if _, err := s.Verify(delivery(), receipt); err == nil {
				t.Fatal("accepted without a header")
			}
		}
	})
}
