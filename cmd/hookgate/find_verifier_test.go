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

// TestFindVerifier captures a delivery of each kind, has the command search, and loads what it prints: under that configuration
// the captured delivery must be authentic, and with another secret nothing may be found.
func TestFindVerifier(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pemText := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	const secret, other = "found-by-searching-0123456789", "another-secret-0123456789abc"
	shared := func(scheme string) hookgate.AuthSettings {
		return hookgate.AuthSettings{Scheme: scheme, Secrets: []hookgate.Secret{hookgate.NewSecret([]byte(secret), "env:S")}, PublicURL: "https://hooks.example.com"}
	}
	type kind struct {
		entry         hookgate.AuthSettings
		private       string
		secret, other string
		says          string
	}
	kinds := map[string]kind{
		"hub-signature":  {entry: shared("hub-signature"), secret: secret, other: other, says: "scheme: hub-signature"},
		"bird-signature": {entry: shared("bird-signature"), secret: secret, other: other, says: "public_url: https://hooks.example.com"},
		"access-token":   {entry: shared("access-token"), secret: secret, other: other, says: "scheme: access-token"},
		"basic":          {entry: hookgate.AuthSettings{Scheme: "basic", Users: []hookgate.Secret{hookgate.NewSecret([]byte("u:"+secret), "env:S")}}, secret: "u:" + secret, other: "u:" + other, says: "users: [env:S]"},
		"siq-signature": {
			entry: hookgate.AuthSettings{Scheme: "siq-signature"}, private: pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private)), secret: pemText("PUBLIC KEY", public), other: "", says: "keys: [env:S]",
		},
	}
	for _, name := range configs.Shipped() {
		d, err := configs.Declared(name, rules())
		if err != nil {
			t.Fatal(err)
		}
		entry := shared("hmac")
		entry.Declaration, entry.Declared = name, d
		kinds[name] = kind{entry: entry, secret: secret, other: other, says: "declaration: " + name}
	}
	own := shared("hmac")
	own.Declared = &hookgate.Declaration{
		Name: "acme", Header: "X-Acme-Signature", Prefix: "v1:", Encoding: "base64", Algorithm: "sha512", Key: "raw", Signed: `{timestamp}\n{target}\n{body}`,
		Timestamp: hookgate.DeclaredTime{Header: "X-Acme-Time", Unit: "ms", Tolerance: time.Minute},
	}
	own.Declaration = "acme"
	kinds["a declaration of its own"] = kind{entry: own, secret: secret, other: other, says: "declarations:\n  - name: found"}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signer, err := verifiers.NewSigner(k.entry, hookgate.NewSecret([]byte(k.private), "env:P"))
			if k.private == "" {
				signer, err = verifiers.NewSigner(k.entry, hookgate.Secret{})
			}
			if err != nil {
				t.Fatal(err)
			}
			at := time.Now().Add(-time.Hour)
			req := &hookgate.Request{Method: "POST", Target: "/hooks/found", Header: http.Header{"Host": {"hooks.example.com"}, "Accept": {"*/*"}}, Body: []byte("{\"a\":\"made up\",\r\n \"b\": 1}")}
			if err := signer.Sign(req, at); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "captured.http")
			if err := os.WriteFile(file, captured(req), 0o600); err != nil {
				t.Fatal(err)
			}
			find := func(secret string) (int, string, string) {
				var o, e bytes.Buffer
				m := &Main{Args: []string{"find-verifier", "--request", file, "--secret", "env:S"}, Stdout: &o, Stderr: &e, Env: func(string) (string, bool) { return secret, true }}
				return m.Run(t.Context()), o.String(), e.String()
			}
			code, stdout, stderr := find(k.secret)
			if code != exitDone || !strings.Contains(stdout, k.says) || strings.Contains(stdout+stderr, secret) {
				t.Fatalf("%d\n%s\n%s", code, stdout, stderr)
			}
			text := strings.Replace(stdout, " # or who sends it", "", 1) + "destinations: [{name: out, type: stdout}]\n"
			c, _, err := configs.Parse(file, []byte(text), func(string) (string, bool) { return k.secret, true }, rules())
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			sources, err := buildSources(c, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := hookgate.Authenticate(t.Context(), sources[0].Verifiers, req, at); err != nil {
				t.Errorf("the captured delivery is refused under what was found: %v\n%s", err, text)
			}
			if k.other == "" {
				return
			}
			if code, stdout, stderr := find(k.other); code != exitFailed || stdout != "" || !strings.Contains(stderr, "nothing that was tried verifies") {
				t.Errorf("with another secret: %d %s %s", code, stdout, stderr)
			}
		})
	}
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
