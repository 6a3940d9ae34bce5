package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// The forms in which proxies pass certificates on, as functions of what the request shows.
func inClientCert(req *hookgate.Request) {
	text := func(c *x509.Certificate) string { return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":" }
	req.Header["Client-Cert"] = []string{text(req.Certificates[0])}
	var chain []string
	for _, c := range req.Certificates[1:] {
		chain = append(chain, text(c))
	}
	if len(chain) > 0 {
		req.Header["Client-Cert-Chain"] = []string{strings.Join(chain, ", ")}
	}
}

func pemOf(certificates []*x509.Certificate) string {
	var b strings.Builder
	for _, c := range certificates {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}

// inNginx is $ssl_client_escaped_cert: the sender's own alone, everything escaped.
func inNginx(req *hookgate.Request) {
	req.Header["X-Ssl-Client-Cert"] = []string{strings.ReplaceAll(url.QueryEscape(pemOf(req.Certificates[:1])), "+", "%20")}
}

// inChain has all of them in one header, and leaves + and / as they are.
func inChain(req *hookgate.Request) {
	req.Header["X-Amzn-Mtls-Clientcert"] = []string{strings.NewReplacer("%2B", "+", "%2F", "/").Replace(url.PathEscape(pemOf(req.Certificates)))}
}

// certificateKinds are client certificates in every form that the gateway takes from a proxy, found by everything that may be
// given for them.
func certificateKinds(t *testing.T) map[string]findKind {
	t.Helper()
	ca, self := newAuthority(t, "senders-ca"), (*authority)(nil).issue(t, "hooks.sender.example", nil)
	between := ca.issue(t, "between", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
	odd := ca.issue(t, `a "b", ]#.example`, func(c *x509.Certificate) { c.DNSNames = nil })
	none := ca.issue(t, "", func(c *x509.Certificate) { c.DNSNames = nil })
	kind := func(sender *authority, above, secret, says string, passOn func(*hookgate.Request)) findKind {
		return findKind{
			entry: hookgate.AuthSettings{Scheme: "client-certificate"}, private: string(sender.pem) + above + string(sender.key(t, nil)),
			secret: secret, other: string(newAuthority(t, "senders-ca").pem), says: says, passOn: passOn,
		}
	}
	right, behind := ca.issue(t, "hooks.sender.example", nil), between.issue(t, "hooks.sender.example", nil)
	const named = `scheme: client-certificate, ca: [env:S], names: ["hooks.sender.example"]}`
	return map[string]findKind{
		"client-certificate in Client-Cert":                  kind(right, "", string(ca.pem), named, inClientCert),
		"client-certificate in Client-Cert with its chain":   kind(behind, string(between.pem), string(ca.pem), named, inClientCert),
		"client-certificate in nginx's header":               kind(right, "", string(ca.pem), named, inNginx),
		"client-certificate in nginx's header, intermediate": kind(behind, "", string(between.pem), named, inNginx),
		"client-certificate with its chain in one header":    kind(behind, string(between.pem), string(ca.pem), named, inChain),
		"client-certificate, self-made":                      kind(self, "", string(self.pem), `{scheme: client-certificate, fingerprints: ["`+self.fingerprint()+`"]}`, inNginx),
		"client-certificate by its fingerprint":              kind(right, "", right.fingerprint(), `{scheme: client-certificate, fingerprints: ["`+right.fingerprint()+`"]}`, inClientCert),
		"client-certificate with an odd name":                kind(odd, "", string(ca.pem), `names: ["a \"b\", ]#.example"]`, inNginx),
		"client-certificate without a name":                  kind(none, "", string(ca.pem), `ca: [env:S], fingerprints: ["`+none.fingerprint()+`"]`, inNginx),
	}
}

// TestFindVerifierCertificateIsAClaim: what is printed says so and names the proxy that is believed. Under it the same request
// from anybody else is refused, although the certificate in its header is the right one.
func TestFindVerifierCertificateIsAClaim(t *testing.T) {
	t.Parallel()
	k, at := certificateKinds(t)["client-certificate in nginx's header"], time.Now()
	req := k.capture(t, at)
	file := put(t, filepath.Join(t.TempDir(), "captured.http"), captured(req))
	for proxies, status := range map[string]int{
		"127.0.0.1": http.StatusOK, "127.0.0.0/8,2001:db8::7": http.StatusOK, "192.0.2.7": http.StatusUnauthorized, "192.0.2.0/24,2001:db8::/32": http.StatusUnauthorized,
	} {
		code, stdout, stderr := findIn(t, file, k.secret, "--proxy", proxies)
		trusted := `trusted: ["` + strings.ReplaceAll(proxies, ",", `", "`) + `"]`
		if code != exitDone || !strings.Contains(stdout, "only a claim") || !strings.Contains(stdout, trusted) || !strings.Contains(stdout, `certificate_header: "X-Ssl-Client-Cert"`) {
			t.Fatalf("%d\n%s\n%s", code, stdout, stderr)
		}
		r := serveFound(t, stdout, k.secret, at)
		if a := r.sendAgain(t, req); a.StatusCode != status {
			t.Errorf("with %s trusted: %d, want %d\n%s", proxies, a.StatusCode, status, r.stderr)
		}
		if status == http.StatusUnauthorized {
			r.said(t, "showed no client certificate")
		}
	}
	code, stdout, _ := findIn(t, file, k.secret, "--json")
	var line struct{ Scheme, Configuration string }
	if err := json.Unmarshal([]byte(stdout), &line); err != nil || code != exitDone || line.Scheme != "client-certificate" || !strings.Contains(line.Configuration, "only a claim") {
		t.Errorf("%d %v %s", code, err, stdout)
	}
}

// TestFindVerifierCertificateBeside: a certificate that is passed on beside a signature, beside another certificate, or in what
// hookgate failed show prints, is found by what was given.
func TestFindVerifierCertificateBeside(t *testing.T) {
	t.Parallel()
	kinds := findKinds(t)
	certified, signed := kinds["client-certificate in nginx's header"], kinds["hub-signature"]
	at := time.Now()
	req, other := signed.capture(t, at), certified.capture(t, at)
	req.Header["X-Ssl-Client-Cert"] = other.Header["X-Ssl-Client-Cert"]
	other = kinds["client-certificate, self-made"].capture(t, at)
	req.Header["X-Another-Cert"] = other.Header["X-Ssl-Client-Cert"]
	failed, err := json.Marshal(admin.FailedDelivery{Received: at, Method: req.Method, Target: req.Target, Header: req.Header, Body: req.Body})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"as it came": captured(req), "as it is kept": failed} {
		file := put(t, filepath.Join(t.TempDir(), "captured"), content)
		for secret, says := range map[string][2]string{
			signed.secret:    {"scheme: hub-signature", "client-certificate"},
			certified.secret: {`certificate_header: "X-Ssl-Client-Cert"`, "hub-signature"},
			kinds["client-certificate, self-made"].secret: {`certificate_header: "X-Another-Cert"`, "hub-signature"},
		} {
			code, stdout, stderr := findIn(t, file, secret)
			if code != exitDone || !strings.Contains(stdout, says[0]) || strings.Contains(stdout, says[1]) {
				t.Errorf("%s: %d\n%s\n%s", name, code, stdout, stderr)
			}
			if two := strings.Contains(stdout, "holds a certificate, too"); two != (secret != signed.secret) {
				t.Errorf("%s: of the other certificate is said %v\n%s", name, two, stdout)
			}
		}
	}
}

// TestFindVerifierCertificateNotFound says why a certificate leads to nothing.
func TestFindVerifierCertificateNotFound(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "senders-ca")
	right := ca.issue(t, "hooks.sender.example", nil)
	old := ca.issue(t, "hooks.sender.example", func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(-time.Second)
	})
	later := ca.issue(t, "hooks.sender.example", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
	escaped := url.PathEscape(string(right.pem))
	in := func(a *authority) http.Header {
		return http.Header{"X-Ssl-Client-Cert": {url.PathEscape(string(a.pem))}}
	}
	for name, c := range map[string]struct {
		header http.Header
		secret string
		says   []string
	}{
		"a shared secret":       {in(right), "made-up-0123456789", []string{"passes on the certificate " + right.fingerprint(), "give as --secret the certificate of its authority"}},
		"another authority":     {in(right), string(newAuthority(t, "other").pem), []string{right.fingerprint(), "issued by none of the 1 authorities"}},
		"another certificate":   {in(right), string(old.pem), []string{right.fingerprint(), "neither that one nor its authority's", "not that of an authority"}},
		"ended":                 {in(old), string(ca.pem), []string{"has expired", "say when by --at"}},
		"begins later":          {in(later), string(ca.pem), []string{"not yet valid"}},
		"nothing passed on":     {nil, string(ca.pem), []string{"no header passes a certificate on", "TLS handshake"}},
		"twice":                 {http.Header{"X-Ssl-Client-Cert": {escaped, escaped}}, string(ca.pem), []string{"2 X-Ssl-Client-Cert headers", "RFC 9440"}},
		"in Envoy's form":       {http.Header{"X-Forwarded-Client-Cert": {`Hash=00;Cert="` + escaped + `"`}}, string(ca.pem), []string{"X-Forwarded-Client-Cert is nothing that the gateway reads", "RFC 9440"}},
		"not escaped":           {http.Header{"X-Ssl-Client-Cert": {strings.ReplaceAll(string(right.pem), "\n", " ")}}, string(ca.pem), []string{"X-Ssl-Client-Cert is nothing that the gateway reads"}},
		"base64 without colons": {http.Header{"Client-Cert": {base64.StdEncoding.EncodeToString(right.Leaf.Raw)}}, string(ca.pem), []string{"not base64 between colons"}},
		"the chain alone":       {http.Header{"Client-Cert-Chain": {":" + base64.StdEncoding.EncodeToString(right.Leaf.Raw) + ":"}}, string(ca.pem), []string{"Client-Cert-Chain is nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := &hookgate.Request{Method: "POST", Target: "/hooks/found", Header: c.header, Body: []byte("{}")}
			code, stdout, stderr := findIn(t, put(t, filepath.Join(t.TempDir(), "captured.http"), captured(req)), c.secret)
			if code != exitFailed || stdout != "" {
				t.Errorf("%d %s", code, stdout)
			}
			for _, says := range c.says {
				if !strings.Contains(stderr, says) {
					t.Errorf("%q is not in: %s", says, stderr)
				}
			}
		})
	}
}

// TestFindVerifierAsDocumented: the page shows what is printed. A certificate is no secret, so that nobody is warned of a file that
// others may read; a request that came in before the certificate ended is found with --at.
func TestFindVerifierAsDocumented(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "senders-ca")
	past := time.Now().Add(-30 * time.Minute)
	ended := ca.issue(t, "hooks.sender.example", func(c *x509.Certificate) { c.NotAfter = past.Add(time.Minute) })
	dir := t.TempDir()
	given := put(t, filepath.Join(dir, "senders-ca.pem"), ca.pem)
	if err := os.Chmod(given, 0o644); err != nil {
		t.Fatal(err)
	}
	req := &hookgate.Request{Method: "POST", Target: "/hooks/found", Header: http.Header{"X-Ssl-Client-Cert": {url.PathEscape(string(ended.pem))}}}
	file := put(t, filepath.Join(dir, "captured.http"), captured(req))
	got := runCommand(t, "find-verifier", "--request", file, "--secret", "file:"+given, "--at", past.UTC().Format(time.RFC3339), "--proxy", "10.0.0.7")
	if got.code != exitDone || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	blocks := fenced(page(t, "docs/find-verifier.md"), "yaml")
	if printed := strings.ReplaceAll(got.stdout, given, "senders-ca.pem"); len(blocks) != 1 || strings.TrimSpace(printed) != strings.TrimSpace(blocks[0]) {
		t.Errorf("docs/find-verifier.md shows %q, printed is\n%s", blocks, printed)
	}
}
