package verifiers_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

func lit(values ...string) (list []hookgate.Secret) {
	for _, v := range values {
		list = append(list, hookgate.NewSecret([]byte(v), "env:NAME"))
	}
	return list
}

func text(s string) *string { return &s }

const goodKey = "made-up-secret-number-one"

// TestS02_Config lists what the loader must refuse, each with the field and words that the user sees.
func TestS02_Config(t *testing.T) {
	t.Parallel()
	pem := func(name string) []hookgate.Secret {
		return []hookgate.Secret{hookgate.NewSecret(keyFile(t, name), "file:"+name)}
	}
	type entry = hookgate.AuthSettings
	const url = "https://hooks.example.com"
	cases := []struct {
		name  string
		entry entry
		field string
		says  string
	}{
		{"no scheme", entry{}, "scheme", "missing"},
		{"unknown scheme", entry{Scheme: "hub-signatur"}, "scheme", "one of access-token"},
		{"far unknown scheme", entry{Scheme: "kerberos"}, "scheme", "access-token, basic, bearer, bird-signature, client-certificate, hmac, hub-signature, none, siq-signature, standard-webhooks"},
		{"very long scheme", entry{Scheme: strings.Repeat("x", 5000)}, "scheme", "unknown scheme"},
		{"option not taken", entry{Scheme: "hub-signature", Secrets: lit(goodKey), Issuer: "i"}, "issuer", "hub-signature takes secrets, encoding"},
		{"users for bearer", entry{Scheme: "bearer", Keys: pem("jwt.pub.pem"), Users: lit("a:b")}, "users", "does not take users"},
		{"secrets for siq", entry{Scheme: "siq-signature", Keys: pem("siq.pub.pem"), Secrets: lit(goodKey)}, "secrets", "does not take secrets"},
		{"prefix for basic", entry{Scheme: "basic", Users: lit("a:b"), Prefix: text("")}, "prefix", "does not take prefix"},
		{"encoding for bird", entry{Scheme: "bird-signature", Secrets: lit(goodKey), PublicURL: url, Encoding: "hex"}, "encoding", "does not take encoding"},
		{"audience for basic", entry{Scheme: "basic", Users: lit("a:b"), Audience: "x"}, "audience", "does not take audience"},
		{"introspection for hub", entry{Scheme: "hub-signature", Secrets: lit(goodKey), Introspection: hookgate.Introspection{URL: url}}, "introspection", "does not take"},
		{"its client for hub", entry{Scheme: "hub-signature", Secrets: lit(goodKey), Introspection: hookgate.Introspection{ClientID: "a"}}, "introspection", "does not take"},
		{"its secret for hub", entry{Scheme: "hub-signature", Secrets: lit(goodKey), Introspection: hookgate.Introspection{ClientSecret: lit(goodKey)[0]}}, "introspection", "does not take"},
		{"option for none", entry{Scheme: "none", Secrets: lit(goodKey)}, "secrets", "none takes no options"},
		{"no secrets", entry{Scheme: "hub-signature"}, "secrets", "needs secrets"},
		{"no keys", entry{Scheme: "siq-signature"}, "keys", "needs keys"},
		{"no users", entry{Scheme: "basic"}, "users", "needs users"},
		{"empty", entry{Scheme: "hub-signature", Secrets: lit(goodKey, "")}, "secrets[1]", "empty; give env:NAME its value"},
		{"blank", entry{Scheme: "bird-signature", Secrets: lit(" \t "), PublicURL: url}, "secrets[0]", "blank"},
		{"left over", entry{Scheme: "hub-signature", Secrets: lit("${SPRINKLR_PRE_SHARED_KEY}")}, "secrets[0]", "${...}"},
		{"left over password", entry{Scheme: "basic", Users: lit("care:${PASSWORD:-}")}, "users[0]", "${...}"},
		{"own name", entry{Scheme: "access-token", Secrets: lit("NAME")}, "secrets[0]", "name of its own variable"},
		{"own name with dollar", entry{Scheme: "access-token", Secrets: lit("$NAME")}, "secrets[0]", "name of its own variable"},
		{"own reference", entry{Scheme: "access-token", Secrets: lit("env:NAME")}, "secrets[0]", "name of its own variable"},
		{"own name as password", entry{Scheme: "basic", Users: lit("care:NAME")}, "users[0]", "name of its own variable"},
		{"15 bytes", entry{Scheme: "hub-signature", Secrets: lit("123456789012345")}, "secrets[0]", "15 bytes, and an HMAC key needs 16"},
		{"short bird key", entry{Scheme: "bird-signature", Secrets: lit("abc"), PublicURL: url}, "secrets[0]", "needs 16"},
		{"encoding", entry{Scheme: "hub-signature", Secrets: lit(goodKey), Encoding: "Hex"}, "encoding", "hex, HEX or base64"},
		{"no public_url", entry{Scheme: "bird-signature", Secrets: lit(goodKey)}, "", "public_url"},
		{"public_url without scheme", entry{Scheme: "bird-signature", Secrets: lit(goodKey), PublicURL: "hooks.example.com"}, "", "public_url"},
		{"public_url with query", entry{Scheme: "bird-signature", Secrets: lit(goodKey), PublicURL: url + "?a=b"}, "", "public_url"},
		{"no colon", entry{Scheme: "basic", Users: lit("care")}, "users[0]", "no colon"},
		{"empty user", entry{Scheme: "basic", Users: lit(":made-up-password")}, "users[0]", "user is empty"},
		{"empty password", entry{Scheme: "basic", Users: lit("care:")}, "users[0]", "password is empty"},
		{"blank password", entry{Scheme: "basic", Users: lit("care:  ")}, "users[0]", "password is empty"},
		{"not UTF-8", entry{Scheme: "basic", Users: lit("care:made-up\xff")}, "users[0]", "not UTF-8"},
		{"empty token", entry{Scheme: "access-token", Secrets: lit("")}, "secrets[0]", "empty"},
		{"line break in token", entry{Scheme: "access-token", Secrets: lit("made-up-token\n")}, "secrets[0]", "no header can carry it"},
		{"blank prefix", entry{Scheme: "access-token", Secrets: lit(goodKey), Prefix: text("Bearer ")}, "prefix", "bare word"},
		{"control in prefix", entry{Scheme: "access-token", Secrets: lit(goodKey), Prefix: text("a\x00b")}, "prefix", "control"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			demandProblem(t, c.entry, c.field, c.says)
		})
	}
}

func TestS14_Keys(t *testing.T) {
	t.Parallel()
	key := func(name string) string { return string(keyFile(t, name)) }
	exponent := func(e int) string {
		der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: privateKey(t, "siq.key.pem").(*rsa.PrivateKey).N, E: e})
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(der)
	}
	cases := []struct{ name, scheme, key, says string }{
		{"exponent 1", "siq-signature", exponent(1), "public exponent is 1"},
		{"exponent 2", "siq-signature", exponent(2), "public exponent is 2"},
		{"exponent 4", "bearer", exponent(4), "public exponent is 4"},
		{"1024 bit", "siq-signature", key("small.pub.pem"), "1024 bit, and 2048 are needed"},
		{"1024 bit", "bearer", key("small.pub.pem"), "1024 bit, and 2048 are needed"},
		{"EC key", "siq-signature", key("jwt-p256.pub.pem"), "not an RSA key"},
		{"Ed25519 key", "siq-signature", key("jwt-ed25519.pub.pem"), "not an RSA key"},
		{"certificate", "siq-signature", key("cert.pem"), "openssl x509"},
		{"certificate", "bearer", key("cert.pem"), "openssl x509"},
		{"private key", "siq-signature", key("siq.key.pem"), "private key; only the public half"},
		{"private key", "bearer", key("jwt-p256.key.pem"), "private key"},
		{"P-224", "bearer", key("p224.pub.pem"), "signs no tokens"},
		{"two keys in one", "siq-signature", key("siq.pub.pem") + key("siq-spare.pub.pem"), "an entry of its own"},
		{"placeholder of the page", "siq-signature", "45678998765", "neither PEM nor base64"},
		{"base64 of nothing useful", "siq-signature", "QUJDRA==", "cannot be read"},
		{"words", "bearer", "not a key!", "neither PEM nor base64"},
		{"cut PEM", "siq-signature", key("siq.pub.pem")[:200], "check that the file is whole"},
		{"another PEM block", "siq-signature", "-----BEGIN NOTHING-----\nQUJD\n-----END NOTHING-----\n", "not a public key"},
		{"key set for siq", "siq-signature", `{"keys":[]}`, "neither PEM nor base64"},
	}
	for _, c := range cases {
		t.Run(c.scheme+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			demandProblem(t, hookgate.AuthSettings{Scheme: c.scheme, Keys: lit(key("siq.pub.pem"), c.key)}, "keys[1]", c.says)
		})
	}
}

func demandProblem(t *testing.T, entry hookgate.AuthSettings, field, says string) {
	t.Helper()
	s, err := verifiers.New(entry)
	var problems hookgate.Problems
	if !errors.As(err, &problems) || s != nil {
		t.Fatalf("scheme %v, error %v: want Problems and no scheme", s, err)
	}
	if !slices.ContainsFunc(problems, func(p hookgate.Problem) bool { return p.Field == field && strings.Contains(p.Error(), says) }) {
		t.Errorf("problems:\n%v\nwant field %q with %q", err, field, says)
	}
}

// TestSecretsThatLookLeftOver: only what opens and closes is the mark of a variable that nothing has replaced.
func TestSecretsThatLookLeftOver(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"made-up-${-secret-number-one", "made-up-}-secret-number-one", "}made-up-secret-number-one${"} {
		verifier(t, hookgate.AuthSettings{Scheme: "hub-signature", Secrets: lit(secret)})
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	_, err := verifiers.New(hookgate.AuthSettings{Scheme: "hub-signature", Secrets: lit("", "short", goodKey, "${X}"), Encoding: "hexa", Audience: "a"})
	var problems hookgate.Problems
	if !errors.As(err, &problems) || len(problems) != 5 {
		t.Errorf("want five problems, got:\n%v", err)
	}
}

func TestSignerConfig(t *testing.T) {
	t.Parallel()
	private := func(name string) hookgate.Secret { return hookgate.NewSecret(keyFile(t, name), "file:"+name) }
	block := func(kind string, der []byte) hookgate.Secret {
		return hookgate.NewSecret(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), "file:made-up")
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agreement, err := x509.MarshalPKCS8PrivateKey(x25519)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name    string
		entry   hookgate.AuthSettings
		private hookgate.Secret
		says    string
	}{
		{"none given", hookgate.AuthSettings{Scheme: "siq-signature"}, hookgate.Secret{}, "private: siq-signature signs with a private key"},
		{"not taken", hookgate.AuthSettings{Scheme: "hub-signature", Secrets: lit(goodKey)}, private("siq.key.pem"), "does not take a private key"},
		{"small", hookgate.AuthSettings{Scheme: "siq-signature"}, private("small.key.pem"), "1024 bit"},
		{"public", hookgate.AuthSettings{Scheme: "bearer"}, private("jwt.pub.pem"), "cannot be read"},
		{"no RSA key", hookgate.AuthSettings{Scheme: "siq-signature"}, private("jwt-p256.key.pem"), "not an RSA key"},
		{"P-224", hookgate.AuthSettings{Scheme: "bearer"}, private("p224.key.pem"), "signs no tokens"},
		{"PKCS #1 of nothing", hookgate.AuthSettings{Scheme: "bearer"}, block("RSA PRIVATE KEY", []byte("nothing")), "cannot be read"},
		{"SEC 1 of nothing", hookgate.AuthSettings{Scheme: "bearer"}, block("EC PRIVATE KEY", []byte("nothing")), "cannot be read"},
		{"X25519, which cannot sign", hookgate.AuthSettings{Scheme: "bearer"}, block("PRIVATE KEY", agreement), "cannot be read"},
		{"of another key", hookgate.AuthSettings{Scheme: "siq-signature", Keys: lit(string(keyFile(t, "siq.pub.pem")))}, private("siq-spare.key.pem"), "belongs to none"},
		{"of another key", hookgate.AuthSettings{Scheme: "bearer", Keys: lit(string(keyFile(t, "jwt.pub.pem")))}, private("jwt-p256.key.pem"), "belongs to none"},
	}
	for _, c := range cases {
		if _, err := verifiers.NewSigner(c.entry, c.private); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: %v, want %q", c.entry.Scheme, c.name, err, c.says)
		}
	}
}

// What a provider dictates loads, and is warned of.
func TestWarnings(t *testing.T) {
	t.Parallel()
	cases := []struct {
		entry  hookgate.AuthSettings
		fields []string
	}{
		{hookgate.AuthSettings{Scheme: "basic", Users: lit("panel:s3cret", "panel:123456789012")}, []string{"users[0]"}},
		{hookgate.AuthSettings{Scheme: "basic", Users: lit("größe:schlüsselöß")}, []string{"users[0]"}},
		{hookgate.AuthSettings{Scheme: "access-token", Secrets: lit("long-enough-token", "abc-123"), Prefix: text("Token")}, []string{"secrets[1]"}},
		{hookgate.AuthSettings{Scheme: "access-token", Secrets: lit("long-enough-token"), Prefix: text("")}, nil},
		{hookgate.AuthSettings{Scheme: "hub-signature", Secrets: lit(goodKey)}, nil},
		{hookgate.AuthSettings{Scheme: "none"}, nil},
	}
	for _, c := range cases {
		verifier(t, c.entry)
		var fields []string
		for _, p := range verifiers.Warnings(c.entry) {
			fields = append(fields, p.Field)
		}
		if !slices.Equal(fields, c.fields) {
			t.Errorf("%s: warned of %v, want %v", c.entry.Scheme, fields, c.fields)
		}
	}
	if ws := verifiers.Warnings(hookgate.AuthSettings{Scheme: "kerberos"}); len(ws) != 0 {
		t.Errorf("warnings of an unknown scheme: %v", ws)
	}
}

func TestNamesAreSorted(t *testing.T) {
	t.Parallel()
	want := []string{"access-token", "basic", "bearer", "bird-signature", "client-certificate", "hmac", "hub-signature", "none", "siq-signature", "standard-webhooks"}
	if got := verifiers.Names(); !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	for _, name := range append(verifiers.Names(), "kerberos") {
		want := map[string]time.Duration{"bird-signature": 24*time.Hour + 5*time.Minute, "standard-webhooks": 10 * time.Minute}[name]
		if got := verifiers.Freshness(hookgate.AuthSettings{Scheme: name}); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestSignersTakeShortKeys: a provider's account may have one, and only the receiver can refuse it.
func TestSignersTakeShortKeys(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"hub-signature", "bird-signature"} {
		entry := hookgate.AuthSettings{Scheme: scheme, Secrets: []hookgate.Secret{hookgate.NewSecret([]byte("short"), "env:KEY")}, PublicURL: "https://hooks.example.com"}
		if _, err := verifiers.New(entry); err == nil {
			t.Errorf("%s: a short key verifies", scheme)
		}
		if _, err := verifiers.NewSigner(entry, hookgate.Secret{}); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}
