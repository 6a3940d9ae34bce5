package verifiers_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// way is one of the ways in which a JWT is verified, with a token that passes.
type way struct {
	v            hookgate.Verifier
	head, claims object
	kid          string
}

// ways are all of them: by a key of the configuration, by a published key set, and as the gateway's own token. Each knows
// the same RSA key.
func ways(t *testing.T, clock *fakeClock) map[string]way {
	t.Helper()
	idp := provider(t, jwkSet(t, object{"kid": "k1"}))
	settings := endpoint(t, "jwt.key.pem")
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(issuer(t, settings).KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	own := object{"iss": "https://hooks.example.com", "aud": "care", "client_id": "sprinklr", "iat": receipt.Unix() - 60, "exp": receipt.Unix() + 3600}
	kid := set.Keys[0].Kid
	return map[string]way{
		"keys":     {verifier(t, bearerEntry(t, jwkSet(t, object{"kid": "k1"}))), object{"alg": "RS256", "typ": "JWT", "kid": "k1"}, claims(), "k1"},
		"jwks_url": {asking(t, parties(t, clock), fetchedEntry(idp.URL)), object{"alg": "RS256", "typ": "JWT", "kid": "k1"}, claims(), "k1"},
		"issued":   {verifier(t, issuedEntry(settings, "care")), object{"alg": "RS256", "typ": "at+jwt", "kid": kid}, own, kid},
	}
}

func changed(o object, changes object) object {
	c := maps.Clone(o)
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// TestT01_T06_HostileTokens is the matrix of tokens that have fooled others, against every way of verifying one.
func TestT01_T06_HostileTokens(t *testing.T) {
	t.Parallel()
	canary, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = canary.Close() })
	url := "http://" + canary.Addr().String() + "/keys"
	clock := newClock()
	rsaKey := privateKey(t, "jwt.key.pem").(*rsa.PrivateKey)
	foreign := privateKey(t, "siq.key.pem").(*rsa.PrivateKey)
	p256, p384 := privateKey(t, "jwt-p256.key.pem").(*ecdsa.PrivateKey), privateKey(t, "jwt-p384.key.pem").(*ecdsa.PrivateKey)
	edwards := privateKey(t, "jwt-ed25519.key.pem").(ed25519.PrivateKey)
	publicPEM := keyFile(t, "jwt.pub.pem")
	block, _ := pem.Decode(publicPEM)
	encode := base64.RawURLEncoding.EncodeToString
	foreignJWK := object{"kty": "RSA", "alg": "RS256", "kid": "k1", "e": "AQAB", "n": encode(foreign.N.Bytes())}
	for name, w := range ways(t, clock) {
		now := receipt.Unix()
		signed := func(head, payload any) string { return part(head) + "." + part(payload) }
		hs256 := func(key []byte) string {
			text := signed(changed(w.head, object{"alg": "HS256"}), w.claims)
			m := hmac.New(sha256.New, key)
			m.Write([]byte(text))
			return text + "." + encode(m.Sum(nil))
		}
		elliptic := func(alg string, key *ecdsa.PrivateKey) string {
			text := signed(changed(w.head, object{"alg": alg}), w.claims)
			digest := sha256.Sum256([]byte(text))
			hashed := digest[:]
			if alg == "ES384" {
				long := sha512.Sum384([]byte(text))
				hashed = long[:]
			}
			r, s, err := ecdsa.Sign(rand.Reader, key, hashed)
			if err != nil {
				t.Fatal(err)
			}
			size := (key.Curve.Params().BitSize + 7) / 8
			return text + "." + encode(append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...))
		}
		ours := func(changes object) string { return rs256With(t, rsaKey, changed(w.head, changes), w.claims) }
		theirs := func(changes object) string { return rs256With(t, foreign, changed(w.head, changes), w.claims) }
		saying := func(changes object) string { return rs256With(t, rsaKey, w.head, changed(w.claims, changes)) }
		good := ours(nil)
		signature := good[strings.LastIndexByte(good, '.')+1:]
		edText := signed(changed(w.head, object{"alg": "EdDSA"}), w.claims)
		hostile := map[string]string{
			"alg none, no signature":         signed(changed(w.head, object{"alg": "none"}), w.claims) + ".",
			"alg none, a signature":          signed(changed(w.head, object{"alg": "none"}), w.claims) + "." + signature,
			"alg None":                       signed(changed(w.head, object{"alg": "None"}), w.claims) + ".",
			"alg NONE":                       signed(changed(w.head, object{"alg": "NONE"}), w.claims) + "." + signature,
			"no alg":                         ours(object{"alg": nil}),
			"alg null":                       ours(object{"alg": json.RawMessage("null")}),
			"alg list":                       ours(object{"alg": []string{"RS256"}}),
			"alg in lower case":              ours(object{"alg": "rs256"}),
			"HS256 by the PEM":               hs256(publicPEM),
			"HS256 by the trimmed PEM":       hs256([]byte(strings.TrimSpace(string(publicPEM)))),
			"HS256 by the DER":               hs256(block.Bytes),
			"HS256 by the modulus":           hs256(rsaKey.N.Bytes()),
			"HS256 by nothing":               hs256(nil),
			"another RSA algorithm's name":   ours(object{"alg": "PS256"}),
			"RS512 by its name alone":        ours(object{"alg": "RS512"}),
			"ES256 for an RSA key":           elliptic("ES256", p256),
			"wrong curve: ES256 with P-384":  elliptic("ES256", p384),
			"wrong curve: ES384 with P-256":  elliptic("ES384", p256),
			"EdDSA for an RSA key":           edText + "." + encode(ed25519.Sign(edwards, []byte(edText))),
			"another key":                    theirs(nil),
			"another key without kid":        theirs(object{"kid": nil}),
			"embedded jwk":                   theirs(object{"jwk": foreignJWK}),
			"embedded jwk of another kid":    theirs(object{"jwk": foreignJWK, "kid": "evil"}),
			"jku":                            theirs(object{"jku": url}),
			"jku of another kid":             theirs(object{"jku": url, "kid": "evil"}),
			"x5u":                            theirs(object{"x5u": url}),
			"x5c":                            theirs(object{"x5c": []string{base64.StdEncoding.EncodeToString(block.Bytes)}}),
			"crit":                           ours(object{"crit": []string{"exp"}, "exp": now + 60}),
			"crit empty":                     ours(object{"crit": []string{}}),
			"crit b64":                       ours(object{"crit": []string{"b64"}, "b64": false}),
			"b64":                            ours(object{"b64": false}),
			"1 MB kid":                       ours(object{"kid": strings.Repeat("k", 1<<20)}),
			"kid with a path":                theirs(object{"kid": "../../../../dev/null"}),
			"kid with a quote":               theirs(object{"kid": "' UNION SELECT '"}),
			"kid with NUL":                   theirs(object{"kid": w.kid + "\x00"}),
			"logout token":                   ours(object{"typ": "logout+jwt"}),
			"expired":                        saying(object{"exp": now - 30}),
			"no exp":                         saying(object{"exp": nil}),
			"exp beyond 64 bit":              saying(object{"exp": json.RawMessage("1e400")}),
			"not yet valid":                  saying(object{"nbf": now + 31}),
			"made in the future":             saying(object{"iat": now + 31}),
			"wrong issuer":                   saying(object{"iss": "https://evil.example.net"}),
			"issuer as a prefix":             saying(object{"iss": w.claims["iss"].(string) + ".evil.example.net"}),
			"no issuer":                      saying(object{"iss": nil}),
			"wrong audience":                 saying(object{"aud": "other"}),
			"audience as a list of letters":  saying(object{"aud": strings.Split(w.claims["aud"].(string), "")}),
			"no audience":                    saying(object{"aud": nil}),
			"five parts: CVE-2023-49290":     part(object{"alg": "PBES2-HS512+A256KW", "enc": "A256CBC-HS512", "p2c": 2_147_483_647, "p2s": "c2FsdA"}) + ".AAAA.AAAA.AAAA.AAAA",
			"five parts: CVE-2024-28122":     part(object{"alg": "dir", "enc": "A128CBC-HS256", "zip": "DEF"}) + "." + strings.Join([]string{"", "AAAA", strings.Repeat("A", 4096), "AAAA"}, "."),
			"five parts around a good token": good + ".AAAA.AAAA",
			"JSON form":                      `{"payload":"` + strings.Split(good, ".")[1] + `","protected":"` + strings.Split(good, ".")[0] + `","signature":"` + signature + `"}`,
			"claims around other claims":     rs256With(t, rsaKey, w.head, object{"payload": part(w.claims), "signatures": []object{{"protected": part(w.head), "signature": signature}}}),
			"a token within a token":         rs256With(t, rsaKey, changed(w.head, object{"cty": "JWT"}), good),
			"last letter changed":            good[:len(good)-2] + flipped(good[len(good)-2:]),
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passes(t, w.v, good, clock)
			for _, name := range slices.Sorted(maps.Keys(hostile)) {
				verdict, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{w.v}, carrying(hostile[name]), clock.now())
				if verdict != nil || hookgate.AsError(errOr(err)).Code != hookgate.Unauthenticated {
					t.Errorf("%s: verdict %v, error %v", name, verdict, err)
				}
			}
			passes(t, w.v, ours(object{"jku": url, "x5u": url}), clock) // signed by our key, and still not followed
			passes(t, w.v, good, clock)
		})
	}
	// Clean-ups run when all of the parallel tests above have ended; the kernel has queued any connection by then.
	t.Cleanup(func() {
		if err := canary.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		if conn, err := canary.Accept(); err == nil {
			t.Errorf("a token made us connect to %s", conn.LocalAddr())
		}
	})
}

// TestT05_Scopes: all of the entry's scopes must be granted, under either claim and in either form.
func TestT05_Scopes(t *testing.T) {
	t.Parallel()
	entry := bearerEntry(t, "jwt.pub.pem")
	entry.Scopes = []string{"read", "hooks:write"}
	v := verifier(t, entry)
	for _, c := range []struct {
		name string
		more object
		ok   bool
	}{
		{"text", object{"scope": "read hooks:write"}, true},
		{"text in another order, with more", object{"scope": "x hooks:write read"}, true},
		{"scp as text", object{"scp": "read hooks:write"}, true},
		{"scp as a list", object{"scp": []string{"hooks:write", "read"}}, true},
		{"half in each", object{"scope": "read", "scp": []string{"hooks:write"}}, true},
		{"none", nil, false},
		{"one of two", object{"scope": "read"}, false},
		{"a longer one", object{"scope": "read hooks:writer"}, false},
		{"in another case", object{"scope": "READ hooks:write"}, false},
		{"other blanks", object{"scope": "read\thooks:write"}, false},
		{"commas", object{"scope": "read,hooks:write"}, false},
		{"both in one of a list", object{"scp": []string{"read hooks:write"}}, false},
		{"numbers", object{"scp": []any{1, "read"}}, false},
		{"an object", object{"scope": object{"read": true, "hooks:write": true}}, false},
		{"another claim", object{"scopes": "read hooks:write", "Scope": "read hooks:write"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := carrying(rs256(t, header(), changed(claims(), c.more)))
			if c.ok {
				accepted(t, v, req, receipt)
			} else {
				refusedFor(t, v, req, receipt, hookgate.TokenRefused)
			}
		})
	}
	// A signer asks its own tokens for the same.
	accepted(t, v, signedBy(t, signer(t, entry, hookgate.NewSecret(keyFile(t, "jwt.key.pem"), "file:jwt.key.pem"))), receipt)
}
