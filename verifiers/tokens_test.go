package verifiers_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// The tokens of this file are put together by hand, so that they can be wrong in ways that no library would write.

type object map[string]any

func claims() object {
	return object{"iss": "https://login.example.com", "aud": "hookgate", "sub": "client-1", "iat": receipt.Unix() - 60, "exp": receipt.Unix() + 3600}
}

func part(v any) string {
	if raw, ok := v.(string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(raw))
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func privateKey(t testing.TB, name string) any {
	t.Helper()
	block, _ := pem.Decode(keyFile(t, name))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rs256 signs header and claims, each an object or a text, with the key of the fixture.
func rs256(t testing.TB, header, payload any) string {
	t.Helper()
	return rs256With(t, privateKey(t, "jwt.key.pem").(*rsa.PrivateKey), header, payload)
}

func rs256With(t testing.TB, private *rsa.PrivateKey, header, payload any) string {
	t.Helper()
	signed := part(header) + "." + part(payload)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func bearerEntry(t testing.TB, keys ...string) hookgate.AuthSettings {
	t.Helper()
	entry := hookgate.AuthSettings{Scheme: "bearer", Issuer: "https://login.example.com", Audience: "hookgate"}
	for i, key := range keys {
		if !strings.HasPrefix(key, "{") {
			key = string(keyFile(t, key))
		}
		entry.Keys = append(entry.Keys, hookgate.NewSecret([]byte(key), fmt.Sprintf("file:key-%d", i)))
	}
	return entry
}

func carrying(token string) *hookgate.Request {
	return with(delivery(), "Authorization", "Bearer "+token)
}

func header(more ...any) object {
	h := object{"alg": "RS256", "typ": "JWT"}
	for i := 0; i < len(more); i += 2 {
		h[more[i].(string)] = more[i+1]
	}
	return h
}

func TestT01_AlgorithmConfusion(t *testing.T) {
	t.Parallel()
	v := verifier(t, bearerEntry(t, "jwt.pub.pem"))
	genuine := rs256(t, header(), claims())
	accepted(t, v, carrying(genuine), receipt)
	body := part(claims())
	signature := genuine[strings.LastIndexByte(genuine, '.')+1:]
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		head := part(object{"alg": alg, "typ": "JWT"})
		for _, s := range []string{"", "AA", signature} {
			refusedFor(t, v, carrying(head+"."+body+"."+s), receipt, hookgate.HeaderGrammar)
		}
		refusedFor(t, v, carrying(head+"."+body), receipt, hookgate.HeaderGrammar)
	}
	refusedFor(t, v, carrying(rs256(t, object{"typ": "JWT"}, claims())), receipt, hookgate.HeaderGrammar)
	for _, alg := range []any{"rs256", "RS1", "HS256", "RS256 ", 256, nil, []string{"RS256"}} {
		refusedFor(t, v, carrying(rs256(t, object{"alg": alg}, claims())), receipt, hookgate.HeaderGrammar)
	}
	for _, alg := range []string{"RS384", "RS512", "PS256", "ES256", "ES512", "EdDSA"} {
		refusedFor(t, v, carrying(rs256(t, object{"alg": alg}, claims())), receipt, hookgate.Mismatch)
	}
	// The public key as an HMAC secret, in every form in which it could be lying about.
	text := keyFile(t, "jwt.pub.pem")
	block, _ := pem.Decode(text)
	for _, secret := range [][]byte{text, []byte(strings.TrimSpace(string(text))), block.Bytes, {}} {
		signed := part(object{"alg": "HS256", "typ": "JWT"}) + "." + body
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(signed))
		refusedFor(t, v, carrying(signed+"."+base64.RawURLEncoding.EncodeToString(m.Sum(nil))), receipt, hookgate.HeaderGrammar)
	}
	// A key set's key has one algorithm; the same RSA key under another one is refused.
	set := verifier(t, bearerEntry(t, jwkSet(t, object{"alg": "PS256"})))
	refusedFor(t, set, carrying(genuine), receipt, hookgate.Mismatch)
}

// jwkSet is a set with the fixture's RSA key, whose members may be changed or, by nil, taken out.
func jwkSet(t testing.TB, changes ...object) string {
	t.Helper()
	public := privateKey(t, "jwt.key.pem").(*rsa.PrivateKey).PublicKey
	var keys []object
	for _, change := range changes {
		key := object{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "e": "AQAB",
			"n": base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		}
		for name, value := range change {
			if key[name] = value; value == nil {
				delete(key, name)
			}
		}
		keys = append(keys, key)
	}
	text, err := json.Marshal(object{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestT03_TokenLeadsNowhere(t *testing.T) {
	t.Parallel()
	canary, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + canary.Addr().String() + "/keys"
	own := object{"kty": "RSA", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(privateKey(t, "siq.key.pem").(*rsa.PrivateKey).N.Bytes())}
	v := verifier(t, bearerEntry(t, "jwt.pub.pem"))
	for name, value := range map[string]any{"jku": url, "x5u": url, "jwk": own, "x5c": []string{"QUJD"}} {
		head := header(name, value)
		signed := part(head) + "." + part(claims())
		digest := sha256.Sum256([]byte(signed))
		forged, err := rsa.SignPKCS1v15(nil, privateKey(t, "siq.key.pem").(*rsa.PrivateKey), crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		refusedFor(t, v, carrying(signed+"."+base64.RawURLEncoding.EncodeToString(forged)), receipt)
	}
	accepted(t, v, carrying(rs256(t, header("jku", url), claims())), receipt) // signed by our key, and still not followed
	called := make(chan struct{})
	go func() {
		defer close(called)
		if conn, err := canary.Accept(); err == nil {
			t.Errorf("somebody connected to the canary from %s", conn.RemoteAddr())
		}
	}()
	// The kernel queues a connection before Accept, so that one made above is found before the close ends it.
	if err := canary.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	<-called
	if err := canary.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestT05_Claims(t *testing.T) {
	t.Parallel()
	v := verifier(t, bearerEntry(t, "jwt.pub.pem"))
	now := receipt.Unix()
	for _, c := range []struct {
		name  string
		claim string
		value any // nil takes the claim out
		ok    bool
	}{
		{"expired within the skew", "exp", now - 29, true},
		{"expired", "exp", now - 30, false},
		{"expired long ago", "exp", now - 86400, false},
		{"no exp", "exp", nil, false},
		{"exp is null", "exp", json.RawMessage("null"), false},
		{"exp is an object", "exp", object{}, false},
		{"exp is words", "exp", "tomorrow", false},
		{"exp with a fraction", "exp", float64(now) + 0.5, true},
		{"negative exp", "exp", -1, false},
		{"nbf within the skew", "nbf", now + 30, true},
		{"nbf ahead", "nbf", now + 31, false},
		{"iat within the skew", "iat", now + 30, true},
		{"iat ahead", "iat", now + 31, false},
		{"no iat", "iat", nil, true},
		{"other issuer", "iss", "https://login.example.net", false},
		{"issuer with a slash", "iss", "https://login.example.com/", false},
		{"issuer in another case", "iss", "HTTPS://login.example.com", false},
		{"no issuer", "iss", nil, false},
		{"issuer is null", "iss", json.RawMessage("null"), false},
		{"issuer is a list", "iss", []string{"https://login.example.com"}, false},
		{"other audience", "aud", "hookgat", false},
		{"a list with it", "aud", []string{"x", "hookgate"}, true},
		{"a list without it", "aud", []string{"x", "hookgate2"}, false},
		{"empty list", "aud", []string{}, false},
		{"no audience", "aud", nil, false},
		{"subject is null", "sub", json.RawMessage("null"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			set := claims()
			if set[c.claim] = c.value; c.value == nil {
				delete(set, c.claim)
			}
			req := carrying(rs256(t, header(), set))
			if c.ok {
				accepted(t, v, req, receipt)
				return
			}
			refusedFor(t, v, req, receipt, hookgate.TokenRefused)
		})
	}
	for _, payload := range []string{"", "[]", "null", `"x"`, "{", `{"exp":1}{`, "not json", rs256(t, header(), claims())} {
		if payload == "" {
			refusedFor(t, v, carrying(rs256(t, header(), payload)), receipt, hookgate.HeaderGrammar)
			continue
		}
		refusedFor(t, v, carrying(rs256(t, header(), payload)), receipt, hookgate.TokenRefused)
	}
	// Without issuer and audience in the settings the claims may be anything, but exp stays required.
	open := bearerEntry(t, "jwt.pub.pem")
	open.Issuer, open.Audience = "", ""
	accepted(t, verifier(t, open), carrying(rs256(t, header(), object{"exp": now + 1})), receipt)
	refusedFor(t, verifier(t, open), carrying(rs256(t, header(), object{"iat": now})), receipt, hookgate.TokenRefused)
}

func TestT05_TypeAndExtensions(t *testing.T) {
	t.Parallel()
	v := verifier(t, bearerEntry(t, "jwt.pub.pem"))
	for _, typ := range []string{"JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"} {
		accepted(t, v, carrying(rs256(t, header("typ", typ), claims())), receipt)
	}
	accepted(t, v, carrying(rs256(t, object{"alg": "RS256"}, claims())), receipt)
	for _, typ := range []string{"logout+jwt", "dpop+jwt", "JOSE", "secevent+jwt"} {
		refusedFor(t, v, carrying(rs256(t, header("typ", typ), claims())), receipt, hookgate.TokenRefused)
	}
	refusedFor(t, v, carrying(rs256(t, header("crit", []string{"x"}, "x", 1), claims())), receipt, hookgate.HeaderGrammar)
	refusedFor(t, v, carrying(rs256(t, header("crit", []string{"b64"}, "b64", false), claims())), receipt, hookgate.HeaderGrammar)
	refusedFor(t, v, carrying(rs256(t, header("b64", false), claims())), receipt)
}

func TestT05_CompactForm(t *testing.T) {
	t.Parallel()
	v := verifier(t, bearerEntry(t, "jwt.pub.pem"))
	token := rs256(t, header(), claims())
	parts := strings.Split(token, ".")
	last := parts[2]
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	bits := alphabet[strings.IndexByte(alphabet, last[len(last)-1])^1]
	for name, bad := range map[string]string{
		"pad bits":         token[:len(token)-1] + string(bits),
		"padding":          token + "==",
		"line feed":        token + "\n",
		"blank":            token + " ",
		"standard base64":  parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(last) + "+/",
		"no signature":     parts[0] + "." + parts[1] + ".",
		"no header":        "." + parts[1] + "." + last,
		"no claims":        parts[0] + ".." + last,
		"two parts":        parts[0] + "." + parts[1],
		"four parts":       token + ".AA",
		"two tokens":       token + "," + token,
		"JSON form":        `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + last + `"}`,
		"header no object": part("[]") + "." + parts[1] + "." + last,
		"header cut":       part(`{"alg":"RS256"`) + "." + parts[1] + "." + last,
		"nothing":          "..",
	} {
		if _, err := v.Verify(carrying(bad), receipt); hookgate.AsError(errOr(err)).Reason != hookgate.HeaderGrammar {
			t.Errorf("%s: %v, want header_grammar", name, err)
		}
	}
	// 8 KiB is the limit of the whole token.
	long := func(n int) string {
		set := claims()
		set["x"] = strings.Repeat("a", n)
		return rs256(t, header(), set)
	}
	n := 5000 + (8<<10-len(long(5000)))*3/4 // four characters of base64 carry three
	for len(long(n)) > 8<<10 {
		n--
	}
	if len(long(n)) < 8<<10-1 {
		t.Fatalf("the longest token has %d bytes", len(long(n)))
	}
	accepted(t, v, carrying(long(n)), receipt)
	refusedFor(t, v, carrying(long(n+2)), receipt, hookgate.HeaderGrammar)
	refusedFor(t, v, carrying(rs256(t, header("kid", strings.Repeat("k", 1<<20)), claims())), receipt, hookgate.HeaderGrammar)
	for _, kid := range []string{"../../etc/passwd", "'", "k1", "", "\u0000"} {
		accepted(t, v, carrying(rs256(t, header("kid", kid), claims())), receipt)
	}
}

// Five parts are an encrypted token. A huge p2c or a compressed payload costs nothing, because it is not read.
func TestT06_EncryptedTokens(t *testing.T) {
	t.Parallel()
	v := verifier(t, bearerEntry(t, "jwt.pub.pem"))
	for _, head := range []object{
		{"alg": "PBES2-HS256+A128KW", "enc": "A128CBC-HS256", "p2c": 2_000_000_000, "p2s": "AAAA"}, // CVE-2023-49290
		{"alg": "dir", "enc": "A128CBC-HS256", "zip": "DEF"},                                       // CVE-2024-28122
		{"alg": "RS256"},
	} {
		refusedFor(t, v, carrying(part(head)+".AAAA.AAAA.AAAA.AAAA"), receipt, hookgate.HeaderGrammar)
	}
}

// A key set as some providers publish it, without alg, would leave the choice of the algorithm to the token.
func TestT08_KeySets(t *testing.T) {
	t.Parallel()
	private := privateKey(t, "jwt.key.pem").(*rsa.PrivateKey)
	small := privateKey(t, "small.key.pem").(*rsa.PrivateKey)
	for _, c := range []struct{ name, set, says string }{
		{"no alg", jwkSet(t, object{"alg": nil}), `key 1 of the set: it names no alg`},
		{"symmetric alone", jwkSet(t, object{"kty": "oct", "alg": "HS256", "k": "QUJD", "n": nil, "e": nil}), "no key that could verify"},
		{"private", jwkSet(t, object{"d": base64.RawURLEncoding.EncodeToString(private.D.Bytes())}), "private key"},
		{"small", jwkSet(t, object{"n": base64.RawURLEncoding.EncodeToString(small.N.Bytes())}), "2048"},
		{"kid twice", jwkSet(t, object{}, object{}), "same kid"},
		{"kid for a header", jwkSet(t, object{"kid": "a\r\nb"}), "kid"},
		{"long kid", jwkSet(t, object{"kid": strings.Repeat("k", 129)}), "kid"},
		{"alg of another kind", jwkSet(t, object{"alg": "ES256"}), "does not fit"},
		{"for encryption only", jwkSet(t, object{"use": "enc"}), "no key that could verify"},
		{"HMAC algorithm", jwkSet(t, object{"alg": "HS256"}), "no key that could verify"},
		{"modulus cut", jwkSet(t, object{"n": "!!"}), "cannot be read"},
		{"empty", `{"keys":[]}`, "no key that could verify"},
		{"keys is no list", `{"keys":{}}`, "cannot be read"},
		{"a key is no object", `{"keys":[1]}`, "not a JSON object"},
		{"cut", `{"keys":[`, "not JSON"},
		{"51 keys", jwkSet(t, slices.Repeat([]object{{"kid": nil}}, 51)...), "at most 50"},
		{"too long", `{"x":"` + strings.Repeat("x", 64<<10) + `"}`, "at most 65536"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			demandProblem(t, bearerEntry(t, "jwt.pub.pem", c.set), "keys[1]", c.says)
		})
	}
}

// A provider may call its keys for signing and for encryption by one kid, and list those that nobody is to use.
func TestKeySetWithOneKidForTwoUses(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]object{"for encryption": {"use": "enc"}, "symmetric": {"kty": "oct", "alg": "HS256", "k": "QUJD"}, "of another algorithm": {"alg": "RSA-OAEP"}} {
		other["kid"] = "k"
		set := jwkSet(t, object{"kid": "k"}, other)
		if proof := accepted(t, verifier(t, bearerEntry(t, set)), carrying(rs256(t, header("kid", "k"), claims())), receipt); proof.KeyID != "k" {
			t.Errorf("%s: key id %q", name, proof.KeyID)
		}
	}
}

func TestKeySetByKid(t *testing.T) {
	t.Parallel()
	set := jwkSet(t, object{"kid": "old", "n": base64.RawURLEncoding.EncodeToString(privateKey(t, "siq.key.pem").(*rsa.PrivateKey).N.Bytes())}, object{"kid": "new"})
	v := verifier(t, bearerEntry(t, set))
	for kid, ok := range map[string]bool{"new": true, "": true, "old": false, "other": false, "NEW": false} {
		head := header("kid", kid)
		if kid == "" {
			head = header()
		}
		req := carrying(rs256(t, head, claims()))
		if !ok {
			refusedFor(t, v, req, receipt, hookgate.Mismatch)
			continue
		}
		if proof := accepted(t, v, req, receipt); proof.KeyID != "new" {
			t.Errorf("kid %q: key id %q", kid, proof.KeyID)
		}
	}
	// A single key outside a set, and a signer that takes over its kid and algorithm.
	single := strings.TrimSuffix(strings.TrimPrefix(jwkSet(t, object{"alg": "PS384", "kid": "only"}), `{"keys":[`), "]}")
	entry := bearerEntry(t, single)
	req := signedBy(t, signer(t, entry, hookgate.NewSecret(keyFile(t, "jwt.key.pem"), "file:jwt.key.pem")))
	if proof := accepted(t, verifier(t, entry), req, receipt); proof.KeyID != "only" {
		t.Errorf("key id %q", proof.KeyID)
	}
	head, _, _ := strings.Cut(strings.TrimPrefix(req.Header["Authorization"][0], "Bearer "), ".")
	if raw, _ := base64.RawURLEncoding.DecodeString(head); !strings.Contains(string(raw), `"kid":"only"`) || !strings.Contains(string(raw), `"alg":"PS384"`) {
		t.Errorf("token header %s", raw)
	}
}

// Every kind of key that is allowed signs and verifies, and none of another kind.
func TestEveryKindOfKey(t *testing.T) {
	t.Parallel()
	names := []string{"jwt", "jwt-p256", "jwt-p384", "jwt-ed25519"}
	for _, a := range names {
		req := signedBy(t, signer(t, bearerEntry(t, a+".pub.pem"), hookgate.NewSecret(keyFile(t, a+".key.pem"), "file:"+a)))
		for _, b := range names {
			v := verifier(t, bearerEntry(t, b+".pub.pem"))
			if a == b {
				accepted(t, v, req, receipt)
			} else {
				refusedFor(t, v, req, receipt, hookgate.Mismatch)
			}
		}
	}
}

// An ES256 signature is r and s, 32 bytes each; the ASN.1 form of other libraries is not taken.
func TestECDSASignatureForm(t *testing.T) {
	t.Parallel()
	v := verifier(t, bearerEntry(t, "jwt-p256.pub.pem"))
	private := privateKey(t, "jwt-p256.key.pem").(*ecdsa.PrivateKey)
	signed := part(object{"alg": "ES256"}) + "." + part(claims())
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	der, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	fixed := func(n *big.Int, size int) []byte { return n.FillBytes(make([]byte, size)) }
	encode := func(raw []byte) string { return signed + "." + base64.RawURLEncoding.EncodeToString(raw) }
	accepted(t, v, carrying(encode(append(fixed(r, 32), fixed(s, 32)...))), receipt)
	refusedFor(t, v, carrying(encode(der)), receipt, hookgate.Mismatch)
	refusedFor(t, v, carrying(encode(append(fixed(r, 33), fixed(s, 33)...))), receipt, hookgate.Mismatch)
	refusedFor(t, v, carrying(encode(make([]byte, 64))), receipt, hookgate.Mismatch)
}
