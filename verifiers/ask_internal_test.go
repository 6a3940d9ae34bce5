package verifiers

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// THREATS O1: the guard sits in the client, so that a host that turns out to be this machine is refused before a byte is
// sent. A proxy, which would connect in our place, is never asked for.
func TestO01_GuardSitsInTheClient(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer server.Close()
	for _, c := range []struct {
		host        string // configured, in place of a name that resolves to where the server is
		private, ok bool
	}{
		{"login.example.com", false, false},
		{"login.example.com", true, true},
		{"127.0.0.1", false, true},
		{"10.0.0.1", false, false},
		{"localhost", false, true},
	} {
		client := newClient(&url.URL{Scheme: "http", Host: c.host}, c.private)
		if client.Transport.(*http.Transport).Proxy != nil {
			t.Error("a proxy is asked for")
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ask(client, req)
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil && !strings.Contains(err.Error(), "an address inside; allow_private permits it") {
			t.Errorf("no way out is shown: %v", err)
		}
	}
}

// The key of RFC 7638, section 3.1, has the thumbprint that stands there.
func TestThumbprintOfRFC7638(t *testing.T) {
	t.Parallel()
	public, err := parsePublicJWK([]byte(`{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := thumbprint(public); err != nil || got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("thumbprint %s, %v", got, err)
	}
	if got, err := thumbprint(crypto.PublicKey("no key")); err == nil {
		t.Errorf("no key has the thumbprint %s", got)
	}
}

// THREATS T7: however many tokens are made up, so many answers are kept; and those that go are of those that end first.
func TestT07_AnswersKeptAreBounded(t *testing.T) {
	t.Parallel()
	p := NewParties(time.Now, nil)
	defer p.Close()
	o := newOracle(p, &url.URL{Scheme: "https", Host: "login.example.com"}, false, "", demands{})
	now := time.Unix(1719823264, 0)
	id := func(n int) (d tokenDigest) { binary.BigEndian.PutUint32(d[:], uint32(n)); return d }
	o.keep(id(0), answer{asked: now, until: now.Add(time.Hour)})
	for n := range 3 * maxKept {
		o.keep(id(n+1), answer{refusal: "x", asked: now, until: now.Add(badKept)})
		o.keep(id(-n-1), answer{asked: now, until: now.Add(goodKept)})
	}
	if len(o.bad) != maxKept || len(o.good) != maxKept {
		t.Errorf("%d refusals and %d good tokens are kept", len(o.bad), len(o.good))
	}
	if _, there := o.good[id(0)]; !there {
		t.Error("the answer that lasts longest went first")
	}
	o.keep(id(0), answer{refusal: "x", asked: now, until: now.Add(badKept)})
	if a, _ := o.told(id(0)); a.refusal == "" || len(o.good) != maxKept-1 {
		t.Error("a token that was refused is still a good one")
	}
}

// An answer can come between Prepare and Verify, from a question that took its time: a refusal refuses then, too, and a
// good answer does not outlive its minute.
func TestT07_AnswersThatCameLate(t *testing.T) {
	t.Parallel()
	p := NewParties(time.Now, nil)
	defer p.Close()
	o := newOracle(p, &url.URL{Scheme: "https", Host: "login.example.com"}, false, "", demands{})
	now := time.Unix(1719823264, 0)
	for _, c := range []struct {
		name   string
		answer answer
		code   hookgate.Code // empty for a token that is taken
	}{
		{"refused long ago", answer{refusal: "x", asked: now.Add(-time.Minute)}, hookgate.Unauthenticated},
		{"good a minute ago", answer{asked: now.Add(-goodKept)}, hookgate.Unavailable},
		{"good a moment less ago", answer{asked: now.Add(-goodKept + 1)}, ""},
		{"good, ended within the skew", answer{asked: now, expires: now.Add(-tokenSkew + 1)}, ""},
		{"good, ended", answer{asked: now, expires: now.Add(-tokenSkew)}, hookgate.Unauthenticated},
		{"good, begins within the skew", answer{asked: now, notBefore: now.Add(tokenSkew)}, ""},
		{"good, begins later", answer{asked: now, notBefore: now.Add(tokenSkew + 1)}, hookgate.Unauthenticated},
	} {
		o.keep(sha256.Sum256([]byte("token")), c.answer)
		proof, err := (&introspected{o}).Verify(&hookgate.Request{Header: http.Header{"Authorization": {"Bearer token"}}}, now)
		var code hookgate.Code
		if err != nil {
			code = hookgate.AsError(err).Code
		}
		if code != c.code || (proof == hookgate.Proof{}) != (err != nil) {
			t.Errorf("%s: proof %+v, error %v, want %q", c.name, proof, err, c.code)
		}
	}
}

// FuzzPublishedKeySet reads any answer as a key set: what comes of it verifies by asymmetric keys of a decent size alone.
func FuzzPublishedKeySet(f *testing.F) {
	for _, seed := range []string{
		`{"keys":[]}`, `{"keys":[{"kty":"oct","k":"QUJD","alg":"HS256","kid":"a"}]}`, `{"kty":"OKP","crv":"Ed25519","x":"rnZad7MZyCxiUH-wyXOOgN-NvWcHIp8UIr1mGEQabTE"}`,
		`{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"k2","x":"ZzAQpQnNoBU7QGQfTqFZep8i8gOIafbqc3Uv8c8eeSk","y":"Z_NJmHFUmK5mcRpEmYOPC7YXJtcVWv89zUjDKpgWM-Q"}]}`,
		`{"keys":[{"kty":"RSA","alg":"RS256","n":"AQAB","e":"AQAB"}]}`, `{"keys":{}}`, `[`, ``, `null`, `{"keys":null}`, `{"keys":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := readPublishedSet(body)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("the error has several lines: %q", err)
			}
			return
		}
		if len(set.inferred) == 0 || len(set.inferred) > maxKeysPerSet || len(set.strict) > len(set.inferred) {
			t.Fatalf("%d keys, %d with alg", len(set.inferred), len(set.strict))
		}
		for _, key := range set.inferred {
			if key.id == "" || len(key.kid) > maxKid || !fits(key.alg, key.public) || defaultAlgorithm(key.public) == "" {
				t.Fatalf("key %+v", key)
			}
		}
	})
}

// FuzzIntrospectionAnswer reads any answer: only one that says true, plainly, lets a token in.
func FuzzIntrospectionAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"active":true}`, `{"active":false}`, `{"active":"true"}`, `{"active":true,"iss":"i","aud":["a"],"scope":"s","exp":1719823300}`, `{"active": true ,"exp":1e9}`,
		`{"active":true,"exp":null,"nbf":1.5}`, `{"active":true,"token_type":"DPoP"}`, `[]`, `{`, `{"active":true}{}`, `{"active":false,"active":true}`,
	} {
		f.Add([]byte(seed), "i", "a", "s")
	}
	now := time.Unix(1719823264, 0)
	f.Fuzz(func(t *testing.T, body []byte, issuer, audience, scope string) {
		d := demands{issuer: issuer, audience: audience, endless: true}
		if scope != "" {
			d.scopes = []string{scope}
		}
		a, err := readAnswer(body, &d, now)
		if err != nil || a.refusal != "" {
			return
		}
		text := string(body)
		if !strings.Contains(text, "true") || !strings.Contains(text, "{") {
			t.Fatalf("%q lets a token in", body)
		}
		for _, wanted := range []string{issuer, audience, scope} {
			if wanted != "" && !strings.ContainsAny(text, `\`) && strings.ToValidUTF8(wanted, "") == wanted && !strings.Contains(text, wanted) {
				t.Fatalf("%q lets a token in without %q", body, wanted)
			}
		}
		if !a.expires.IsZero() && !now.Before(a.expires.Add(tokenSkew)) {
			t.Fatalf("%q has expired", body)
		}
	})
}

// FuzzOpaqueToken: what is asked about has the grammar of RFC 6750, so that it can break out of nothing.
func FuzzOpaqueToken(f *testing.F) {
	for _, seed := range []string{"Bearer abc", "bearer a.b.c==", "Bearer ", "Bearer a&token=b", "Bearer a b", "Basic x", "Bearer =", "Bearer " + base64.StdEncoding.EncodeToString([]byte{0xfb, 0xff})} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, err := opaqueToken(&hookgate.Request{Header: http.Header{"Authorization": {value}}})
		if err != nil {
			if e := hookgate.AsError(err); e.Code != hookgate.Unauthenticated || e.Reason == "" {
				t.Fatal(err)
			}
			return
		}
		if !strings.HasSuffix(value, " "+token) || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") != "" || len(token) > maxToken {
			t.Fatalf("%q is asked about", token)
		}
	})
}
