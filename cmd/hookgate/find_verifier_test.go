package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/verifiers"
)

// findKind is one way in which a delivery is proved, and how it is found again.
type findKind struct {
	entry         hookgate.AuthSettings
	private       string
	secret, other string
	says          string
	passOn        func(*hookgate.Request) // writes the certificates that the request shows into headers, as a proxy does
}

// findKinds are one or more for every scheme and every declaration that is shipped.
func findKinds(t *testing.T) map[string]findKind {
	t.Helper()
	const secret, other = "found-by-searching-0123456789", "another-secret-0123456789abc"
	shared := func(scheme, secret string) hookgate.AuthSettings {
		return hookgate.AuthSettings{Scheme: scheme, Secrets: []hookgate.Secret{hookgate.NewSecret([]byte(secret), "env:S")}, PublicURL: "https://hooks.example.com"}
	}
	private, public, otherPublic := keyPair(t)
	const whsec, otherWhsec = "whsec_Zm91bmQtYnktc2VhcmNoaW5nLTAxMjM0NTY3ODk=", "whsec_YW5vdGhlci1zZWNyZXQtMDEyMzQ1Njc4OWFiYw=="
	kinds := map[string]findKind{
		"hub-signature":     {entry: shared("hub-signature", secret), secret: secret, other: other, says: "scheme: hub-signature"},
		"bird-signature":    {entry: shared("bird-signature", secret), secret: secret, other: other, says: "public_url: https://hooks.example.com"},
		"access-token":      {entry: shared("access-token", secret), secret: secret, other: other, says: "scheme: access-token"},
		"basic":             {entry: hookgate.AuthSettings{Scheme: "basic", Users: []hookgate.Secret{hookgate.NewSecret([]byte("u:"+secret), "env:S")}}, secret: "u:" + secret, other: "u:" + other, says: "users: [env:S]"},
		"standard-webhooks": {entry: shared("standard-webhooks", whsec), secret: whsec, other: otherWhsec, says: "scheme: standard-webhooks"},
		"siq-signature":     {entry: hookgate.AuthSettings{Scheme: "siq-signature"}, private: private, secret: public, other: otherPublic, says: "keys: [env:S]"},
		"bearer":            {entry: hookgate.AuthSettings{Scheme: "bearer"}, private: private, secret: public, other: otherPublic, says: "scheme: bearer"},
	}
	maps.Copy(kinds, certificateKinds(t))
	for _, name := range configs.Shipped() {
		d, err := configs.Declared(name, rules())
		if err != nil {
			t.Fatal(err)
		}
		entry := shared("hmac", secret)
		entry.Declaration, entry.Declared = name, d
		kinds[name] = findKind{entry: entry, secret: secret, other: other, says: "declaration: " + name}
	}
	own := shared("hmac", secret)
	own.Declared = &hookgate.Declaration{
		Name: "acme", Header: "X-Acme-Signature", Prefix: "v1:", Encoding: "base64", Algorithm: "sha512", Key: "raw", Signed: `{timestamp}\n{target}\n{body}`,
		Timestamp: hookgate.DeclaredTime{Header: "X-Acme-Time", Unit: "ms", Tolerance: time.Minute},
	}
	own.Declaration = "acme"
	kinds["a declaration of its own"] = findKind{entry: own, secret: secret, other: other, says: "declarations:\n  - name: found"}
	return kinds
}

// keyPair is a private key, its public half, and the public half of another, as PEM.
func keyPair(t *testing.T) (private, public, other string) {
	t.Helper()
	halves := make([]string, 2)
	for i := range halves {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		halves[i] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		if i == 0 {
			private = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
		}
	}
	return private, halves[0], halves[1]
}

// TestFindVerifierKnowsAll: no scheme and no declaration is missing from what the next test finds.
func TestFindVerifierKnowsAll(t *testing.T) {
	t.Parallel()
	found := make(map[string]bool)
	for _, k := range findKinds(t) {
		found[k.entry.Scheme], found[k.entry.Declaration] = true, true
	}
	for _, name := range slices.Concat(verifiers.Names(), configs.Shipped(), []string{"github", "shopify", "slack", "stripe"}) {
		if !found[name] && name != "none" { // which leaves nothing to find
			t.Errorf("no test finds %s from a captured request", name)
		}
	}
}

// TestFindVerifier captures a delivery of each kind and has the command search. What it prints must pass hookgate check, and the
// program that runs under it must take the captured request, sent again as it is; a request without its proof, and another
// secret, must come to nothing.
func TestFindVerifier(t *testing.T) {
	t.Parallel()
	kinds := findKinds(t)
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := time.Now().Add(-30 * time.Minute)
			req := k.capture(t, at)
			file := put(t, filepath.Join(t.TempDir(), "captured.http"), captured(req))
			code, stdout, stderr := findIn(t, file, k.secret)
			if code != exitDone || !strings.Contains(stdout, k.says) || strings.Contains(stdout+stderr, "found-by-searching") {
				t.Fatalf("%d\n%s\n%s", code, stdout, stderr)
			}
			r := serveFound(t, stdout, k.secret, at)
			if a := r.sendAgain(t, req); a.StatusCode != http.StatusOK {
				t.Errorf("the captured delivery is answered %d under what was found\n%s\n%s", a.StatusCode, stdout, r.stderr)
			}
			bare := *req
			bare.Header = http.Header{"Accept": {"*/*"}}
			if a := r.sendAgain(t, &bare); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("without its proof it is answered %d", a.StatusCode)
			}
			if code, stdout, stderr := findIn(t, file, k.other); code != exitFailed || stdout != "" || !strings.Contains(stderr, "nothing that was tried verifies") {
				t.Errorf("with another secret: %d %s %s", code, stdout, stderr)
			}
		})
	}
}

// capture is a delivery as it came in at some time.
func (k findKind) capture(t *testing.T, at time.Time) *hookgate.Request {
	t.Helper()
	var private hookgate.Secret
	if k.private != "" {
		private = hookgate.NewSecret([]byte(k.private), "env:P")
	}
	signer, err := verifiers.NewSigner(k.entry, private)
	if err != nil {
		t.Fatal(err)
	}
	req := &hookgate.Request{Method: "POST", Target: "/hooks/found", Header: http.Header{"Host": {"hooks.example.com"}, "Accept": {"*/*"}}, Body: []byte("{\"a\":\"made up\",\r\n \"b\": 1}")}
	if err := signer.Sign(req, at); err != nil {
		t.Fatal(err)
	}
	if k.passOn != nil {
		k.passOn(req)
		req.Certificates = nil
	}
	return req
}

// findIn runs the command over a captured request.
func findIn(t *testing.T, file, secret string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	m := &Main{Args: append([]string{"find-verifier", "--request", file, "--secret", "env:S"}, args...), Stdout: &o, Stderr: &e, Env: envOf(secret)}
	code = m.Run(t.Context())
	return code, o.String(), e.String()
}

// envOf has the one secret as S.
func envOf(secret string) func(string) (string, bool) {
	return func(name string) (string, bool) { return secret, name == "S" }
}

// serveFound runs the program under what was found, with what every configuration needs beside it, after hookgate check has
// found it good. Its clock starts at a time of the past.
func serveFound(t *testing.T, found, secret string, at time.Time) *running {
	t.Helper()
	dir := t.TempDir()
	text := found + fmt.Sprintf("listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}\njournal: {url: \"sqlite://%s\"}\ndestinations: [{name: out, type: file, path: %q}]\n",
		filepath.Join(dir, "j.db"), filepath.Join(dir, "out"))
	var o, e bytes.Buffer
	check := &Main{Args: []string{"check", "--config", put(t, filepath.Join(dir, "hookgate.yaml"), []byte(text))}, Stdout: &o, Stderr: &e, Env: envOf(secret)}
	if code := check.Run(t.Context()); code != exitDone || e.Len() > 0 {
		t.Fatalf("hookgate check: %d %s\n%s", code, e.String(), text)
	}
	started := time.Now()
	return serve(t, text, func(m *Main) {
		m.Env, m.Now = envOf(secret), func() time.Time { return at.Add(time.Since(started)) }
	})
}

// sendAgain delivers a captured request as it is. Its answer has been read.
func (r *running) sendAgain(t *testing.T, captured *hookgate.Request) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), captured.Method, "http://"+r.Hooks+captured.Target, bytes.NewReader(captured.Body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = captured.Header.Clone()
	req.Host = captured.Header.Get("Host")
	resp, err := newSender(t, r.Hooks).client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// captured is the request as it goes over the wire.
func captured(req *hookgate.Request) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", req.Method, req.Target)
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		for _, value := range req.Header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	fmt.Fprintf(&b, "\r\n%s", req.Body)
	return b.Bytes()
}

// TestFindVerifierTellsWhatIsWrong with what it is given.
func TestFindVerifierTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		content, says string
		args          []string
	}{
		"no request line": {"hello\n\n", ":1: this is no request line", nil},
		"no header":       {"POST / HTTP/1.1\nhello\n\n", ":2: this is no header line", nil},
		"no empty line":   {"POST / HTTP/1.1\nA: b", "the file ends before the empty line", nil},
		"other JSON":      {`{"a":1}`, "is not what hookgate failed show --json prints", nil},
		"no file":         {"", "no such file", []string{"--request", filepath.Join(dir, "none")}},
		"time":            {"POST / HTTP/1.1\n\n", "--at is a time", []string{"--at", "yesterday"}},
		"nobody's proxy":  {"POST / HTTP/1.1\n\n", "--proxy \"proxy.example\" is neither", []string{"--proxy", "proxy.example"}},
		"any proxy":       {"POST / HTTP/1.1\n\n", "--proxy 0.0.0.0/0 is everybody", []string{"--proxy", "0.0.0.0/0"}},
		"secret":          {"POST / HTTP/1.1\n\n", "written out", []string{"--secret", "plain"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "captured.http")
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"find-verifier", "--request", file, "--secret", "env:S"}, c.args...)
			var o, e bytes.Buffer
			m := &Main{Args: args, Stdout: &o, Stderr: &e, Env: func(string) (string, bool) { return "secret-0123456789", true }}
			if code := m.Run(t.Context()); code == exitDone || !strings.Contains(e.String(), c.says) {
				t.Errorf("%d %s", code, e.String())
			}
		})
	}
}
