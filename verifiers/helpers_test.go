package verifiers_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

var receipt = time.Unix(1719823264, 0)

// fixture is what the suites over the registry need of a scheme: two entries that share nothing, one that holds the
// secrets of both, and the private keys where there are any.
type fixture struct {
	one, two, both         hookgate.AuthSettings
	privateOne, privateTwo hookgate.Secret
	headers                []string // that authenticate
}

func fixtures(t testing.TB) map[string]fixture {
	t.Helper()
	secret := func(name, value string) hookgate.Secret { return hookgate.NewSecret([]byte(value), "env:"+name) }
	pem := func(name string) hookgate.Secret { return hookgate.NewSecret(keyFile(t, name), "file:"+name) }
	a, b := secret("ONE", "made-up-secret-number-one"), secret("TWO", "made-up-secret-number-two")
	ua, ub := secret("USER_ONE", "one:made-up-password"), secret("USER_TWO", "two:made-up-password")
	by := func(scheme string) (one, two, both hookgate.AuthSettings) {
		one = hookgate.AuthSettings{Scheme: scheme, PublicURL: "https://hooks.example.com"}
		return one, one, one
	}
	secrets := func(scheme string, headers ...string) fixture {
		f := fixture{headers: headers}
		f.one, f.two, f.both = by(scheme)
		f.one.Secrets, f.two.Secrets, f.both.Secrets = []hookgate.Secret{a}, []hookgate.Secret{b}, []hookgate.Secret{a, b}
		return f
	}
	keys := func(scheme, one, two, header string) fixture {
		f := fixture{headers: []string{header}, privateOne: pem(one + ".key.pem"), privateTwo: pem(two + ".key.pem")}
		f.one, f.two, f.both = by(scheme)
		ka, kb := pem(one+".pub.pem"), pem(two+".pub.pem")
		f.one.Keys, f.two.Keys, f.both.Keys = []hookgate.Secret{ka}, []hookgate.Secret{kb}, []hookgate.Secret{ka, kb}
		return f
	}
	basic := fixture{headers: []string{"Authorization"}}
	basic.one, basic.two, basic.both = by("basic")
	basic.one.Users, basic.two.Users, basic.both.Users = []hookgate.Secret{ua}, []hookgate.Secret{ub}, []hookgate.Secret{ua, ub}
	standard := secrets("standard-webhooks", standardSignature, standardID, standardTime)
	sa, sb := secret("ONE", "whsec_bWFkZS11cC1zZWNyZXQtbnVtYmVyLW9uZQ=="), secret("TWO", "whsec_bWFkZS11cC1zZWNyZXQtbnVtYmVyLXR3bw==")
	standard.one.Secrets, standard.two.Secrets, standard.both.Secrets = []hookgate.Secret{sa}, []hookgate.Secret{sb}, []hookgate.Secret{sa, sb}
	declared := secrets("hmac", sumHeader, sumTime, sumID)
	declared.one.Declared, declared.two.Declared, declared.both.Declared = everything(), everything(), everything()
	var none fixture
	none.one, none.two, none.both = by("none")
	authority := func(name string) hookgate.Secret {
		return hookgate.NewSecret(certificateFile(t, name), "file:"+name+".pem")
	}
	certified := fixture{
		privateOne: hookgate.NewSecret(certificateFile(t, "client-one.key"), "file:client-one.key.pem"),
		privateTwo: hookgate.NewSecret(certificateFile(t, "client-two.key"), "file:client-two.key.pem"),
	}
	certified.one, certified.two, certified.both = by("client-certificate")
	certified.one.CA, certified.two.CA = []hookgate.Secret{authority("ca-one")}, []hookgate.Secret{authority("ca-two")}
	certified.both.CA = slices.Concat(certified.one.CA, certified.two.CA)
	return map[string]fixture{
		"client-certificate": certified,

		"access-token":   secrets("access-token", "Authorization"),
		"basic":          basic,
		"bearer":         keys("bearer", "jwt", "jwt-p256", "Authorization"),
		"bird-signature": secrets("bird-signature", "Messagebird-Signature", "Messagebird-Request-Timestamp"),
		"hmac":           declared,
		"hub-signature":  secrets("hub-signature", "X-Hub-Signature"),
		"none":           none,
		"siq-signature":  keys("siq-signature", "siq", "siq-spare", "X-Siqsignature"),

		"standard-webhooks": standard,
	}
}

// everything is a declaration that signs all that one can sign.
func everything() *hookgate.Declaration {
	return &hookgate.Declaration{
		Name: "everything", Header: "X-Sum", Prefix: "sha512=", Encoding: "base64", Algorithm: "sha512",
		Signed: `{method}\n{url}\n{id}.{timestamp}.{body}`, Timestamp: hookgate.DeclaredTime{Header: "X-Sum-Time"}, ID: "X-Sum-Id",
	}
}

func keyFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func certificateFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "certificates", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// certificates are those of files, in their order.
func certificates(t testing.TB, names ...string) (list []*x509.Certificate) {
	t.Helper()
	for _, name := range names {
		list = append(list, parsed(certificateFile(t, name))...)
	}
	return list
}

func parsed(text []byte) (list []*x509.Certificate) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return list
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			list = append(list, certificate)
		}
	}
}

func verifier(t testing.TB, entry hookgate.AuthSettings) verifiers.Scheme {
	t.Helper()
	s, err := verifiers.New(entry)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}

func signer(t testing.TB, entry hookgate.AuthSettings, private hookgate.Secret) verifiers.Scheme {
	t.Helper()
	s, err := verifiers.NewSigner(entry, private)
	if err != nil {
		t.Fatalf("NewSigner: %v", err)
	}
	return s
}

func delivery() *hookgate.Request {
	return &hookgate.Request{
		Method: http.MethodPost,
		Target: "/hooks/test?team=a%20b",
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   []byte(`{"id":"1","sum":161.0}`),
	}
}

// signedBy is a delivery that s signed at the time of receipt.
func signedBy(t testing.TB, s verifiers.Scheme) *hookgate.Request {
	t.Helper()
	req := delivery()
	if err := s.Sign(req, receipt); err != nil {
		t.Fatalf("Sign: %v", err)
	}
	return req
}

// copyOf is a request with the same content and nothing shared or computed.
func copyOf(req *hookgate.Request) *hookgate.Request {
	return &hookgate.Request{Method: req.Method, Target: req.Target, Header: req.Header.Clone(), Body: bytes.Clone(req.Body), Certificates: slices.Clone(req.Certificates)}
}

func with(req *hookgate.Request, name string, values ...string) *hookgate.Request {
	c := copyOf(req)
	c.Header[name] = values
	return c
}

func accepted(t testing.TB, v hookgate.Verifier, req *hookgate.Request, now time.Time) hookgate.Proof {
	t.Helper()
	proof, err := v.Verify(req, now)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return proof
}

// refusedFor demands an empty proof, a 401 and one of the reasons; without reasons any will do.
func refusedFor(t testing.TB, v hookgate.Verifier, req *hookgate.Request, now time.Time, reasons ...hookgate.Reason) {
	t.Helper()
	proof, err := v.Verify(req, now)
	if err == nil {
		t.Fatalf("accepted as %+v", proof)
	}
	if proof != (hookgate.Proof{}) {
		t.Errorf("refused, but with the proof %+v", proof)
	}
	e := hookgate.AsError(err)
	if e.Code != hookgate.Unauthenticated || e.Reason == "" {
		t.Errorf("error %v, want code unauthenticated and a reason", err)
	}
	for _, r := range reasons {
		if e.Reason == r {
			return
		}
	}
	if len(reasons) > 0 {
		t.Errorf("reason %s (%v), want one of %v", e.Reason, err, reasons)
	}
}

// flipped changes one character in the middle of text into another of the same alphabet.
func flipped(text string) string {
	b := []byte(text)
	i := len(b) / 2
	switch c := b[i]; {
	case c == '1':
		b[i] = '2'
	case c >= '0' && c <= '9':
		b[i] = '1'
	case c == 'b' || c == 'B':
		b[i] = c + 1
	case c >= 'a' && c <= 'z':
		b[i] = 'b'
	default:
		b[i] = 'B'
	}
	return string(b)
}
