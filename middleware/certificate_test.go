package middleware_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/middleware"
)

// shown are certificates as proxies pass them on.
type shown struct{ der []byte }

func newShown(t testing.TB, name string, more int) shown {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: slices.Repeat([]string{"x.example"}, more)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return shown{der}
}

func (s shown) colons() string { return ":" + base64.StdEncoding.EncodeToString(s.der) + ":" }

func (s shown) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.der}))
}

func TestCertificatesFrom(t *testing.T) {
	t.Parallel()
	a, b, large := newShown(t, "a", 0), newShown(t, "b", 0), newShown(t, "large", 1200)
	type header = map[string][]string
	one := func(name string, values ...string) header { return header{name: values} }
	const rfc, chain, ours = "Client-Cert", "Client-Cert-Chain", "X-Ssl-Client-Cert"
	escaped := url.PathEscape(a.pem())
	nginx := strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(escaped) // nginx escapes these, too
	broken := strings.Replace(a.pem(), "-----END", "----END", 1)
	cases := []struct {
		name, header string
		in           header
		want         string // the common names, or the reason of the refusal
	}{
		{"nothing", rfc, nil, ""},
		{"empty", rfc, one(rfc, ""), ""},
		{"one", rfc, one(rfc, a.colons()), "a"},
		{"its name in another case", "client-cert", one(rfc, a.colons()), "a"},
		{"with a chain of one", rfc, header{rfc: {a.colons()}, chain: {b.colons()}}, "a b"},
		{"with a chain of two", rfc, header{rfc: {a.colons()}, chain: {b.colons() + ", " + a.colons()}}, "a b a"},
		{"with a chain of nothing", rfc, header{rfc: {a.colons()}, chain: {""}}, "a"},
		{"with a chain of eight", rfc, header{rfc: {a.colons()}, chain: {strings.Repeat(b.colons()+",", 7) + b.colons()}}, "header_grammar"},
		{"a chain alone", rfc, one(chain, a.colons()), "header_grammar"},
		{"a chain with a hole", rfc, header{rfc: {a.colons()}, chain: {b.colons() + ",," + b.colons()}}, "header_grammar"},
		{"a chain that ends with a comma", rfc, header{rfc: {a.colons()}, chain: {b.colons() + ","}}, "header_grammar"},
		{"two chains", rfc, header{rfc: {a.colons()}, chain: {b.colons(), b.colons()}}, "header_doubled"},
		{"twice", rfc, one(rfc, a.colons(), b.colons()), "header_doubled"},
		{"twice the same", rfc, one(rfc, a.colons(), a.colons()), "header_doubled"},
		{"empty and one", rfc, one(rfc, "", a.colons()), "header_doubled"},
		{"a list", rfc, one(rfc, a.colons()+", "+b.colons()), "header_grammar"},
		{"no colons", rfc, one(rfc, strings.Trim(a.colons(), ":")), "header_grammar"},
		{"one colon", rfc, one(rfc, ":"), "header_grammar"},
		{"two colons", rfc, one(rfc, "::"), "header_grammar"},
		{"a parameter", rfc, one(rfc, a.colons()+";v=1"), "header_grammar"},
		{"a blank within", rfc, one(rfc, a.colons()[:40]+" "+a.colons()[40:]), "header_grammar"},
		{"a line within", rfc, one(rfc, a.colons()[:40]+"\n"+a.colons()[40:]), "header_grammar"},
		{"no padding", rfc, one(rfc, strings.TrimRight(newPadded(t).colons(), "=:")+":"), "header_grammar"},
		{"URL alphabet", rfc, one(rfc, ":"+base64.URLEncoding.EncodeToString(append([]byte{0xfb, 0xff}, a.der...))+":"), "header_grammar"},
		{"more behind it", rfc, one(rfc, shown{append(slices.Clone(a.der), 0)}.colons()), "header_grammar"},
		{"two in one", rfc, one(rfc, shown{append(slices.Clone(a.der), b.der...)}.colons()), "header_grammar"},
		{"PEM", rfc, one(rfc, escaped), "header_grammar"},
		{"too large", rfc, one(rfc, large.colons()), "header_grammar"},
		{"a chain too large", rfc, header{rfc: {a.colons()}, chain: {large.colons()}}, "header_grammar"},

		{"escaped", ours, one(ours, escaped), "a"},
		{"its name in lower case", "x-ssl-client-cert", one(ours, escaped), "a"},
		{"as nginx escapes it", ours, one(ours, nginx), "a"},
		{"two certificates", ours, one(ours, url.PathEscape(a.pem()+b.pem())), "a b"},
		{"nine certificates", ours, one(ours, url.PathEscape(strings.Repeat(a.pem(), 9))), "header_grammar"},
		{"no header", ours, one(rfc, a.colons()), ""},
		{"empty PEM", ours, one(ours, ""), ""},
		{"blank PEM", ours, one(ours, "%20"), "header_grammar"},
		{"doubled PEM", ours, one(ours, escaped, escaped), "header_doubled"},
		{"not escaped", ours, one(ours, strings.ReplaceAll(a.pem(), "\n", " ")), "header_grammar"},
		{"escaped twice", ours, one(ours, url.PathEscape(escaped)), "header_grammar"},
		{"broken escape", ours, one(ours, escaped+"%"), "header_grammar"},
		{"text before", ours, one(ours, "x"+escaped), "header_grammar"},
		{"text behind", ours, one(ours, escaped+"x"), "header_grammar"},
		{"text between", ours, one(ours, url.PathEscape(a.pem()+"x\n"+b.pem())), "header_grammar"},
		{"a key", ours, one(ours, url.PathEscape(strings.ReplaceAll(a.pem(), "CERTIFICATE", "PRIVATE KEY"))), "header_grammar"},
		{"headers in the block", ours, one(ours, url.PathEscape(strings.Replace(a.pem(), "-----\n", "-----\nA: b\n\n", 1))), "header_grammar"},
		{"a broken one before a good one", ours, one(ours, url.PathEscape(broken+a.pem())), "header_grammar"},
		{"broken off", ours, one(ours, escaped[:len(escaped)-20]), "header_grammar"},
		{"no certificate", ours, one(ours, url.PathEscape(shown{[]byte("made up")}.pem())), "header_grammar"},
		{"PEM too large", ours, one(ours, url.PathEscape(large.pem())), "header_grammar"},
		{"base64 between colons", ours, one(ours, a.colons()), "header_grammar"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list, err := middleware.CertificatesFrom(c.in, c.header)
			var got []string
			for _, certificate := range list {
				got = append(got, certificate.Subject.CommonName)
			}
			if err != nil {
				got = append(got, string(hookgate.AsError(err).Reason))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// newPadded is a certificate whose base64 ends with padding.
func newPadded(t *testing.T) shown {
	t.Helper()
	for name := "p"; ; name += "p" {
		if s := newShown(t, name, 0); len(s.der)%3 != 0 {
			return s
		}
	}
}

// TestCertificatesFromOpenssl reads what openssl made and Python's standard library escaped.
func TestCertificatesFromOpenssl(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "c.pem")
	out, err := exec.CommandContext(t.Context(), "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", os.DevNull, "-subj", "/CN=outside", "-out", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v; `make tools` installs openssl\n%s", err, out)
	}
	for name, script := range map[string]string{
		"Client-Cert":       `import ssl,sys,base64; print(":"+base64.b64encode(ssl.PEM_cert_to_DER_cert(open(sys.argv[1]).read())).decode()+":", end="")`,
		"X-Ssl-Client-Cert": `import sys,urllib.parse; print(urllib.parse.quote(open(sys.argv[1]).read(), safe=""), end="")`,
	} {
		text, err := exec.CommandContext(t.Context(), "python3", "-c", script, file).Output()
		if err != nil {
			t.Fatalf("%v; `make tools` installs python3", err)
		}
		list, err := middleware.CertificatesFrom(http.Header{name: {string(text)}}, name)
		if err != nil || len(list) != 1 || list[0].Subject.CommonName != "outside" {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

// FuzzCertificatesFrom: whatever a header holds, there is an error with a reason or there are few certificates.
func FuzzCertificatesFrom(f *testing.F) {
	a, b := newShown(f, "a", 0), newShown(f, "b", 0)
	f.Add(a.colons(), "", true)
	f.Add(a.colons(), b.colons()+", "+a.colons(), true)
	f.Add(url.PathEscape(a.pem()), "", false)
	f.Add(url.PathEscape(a.pem()+b.pem()), "x", false)
	f.Add("::", ":,:", true)
	f.Add("%2D-----BEGIN CERTIFICATE-----", "", false)
	f.Fuzz(func(t *testing.T, text, chain string, rfc bool) {
		name := "X-Cert"
		if rfc {
			name = "Client-Cert"
		}
		list, err := middleware.CertificatesFrom(http.Header{name: {text}, "Client-Cert-Chain": {chain}}, name)
		switch {
		case err != nil && (list != nil || hookgate.AsError(err).Reason == ""):
			t.Fatalf("%v, %#v", list, err)
		case len(list) > 8 || len(text) > 16<<10 && err == nil:
			t.Fatalf("%d certificates of %d bytes", len(list), len(text))
		case err == nil && text != "" && list == nil:
			t.Fatal("neither certificates nor an error")
		}
	})
}
