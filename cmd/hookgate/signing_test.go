package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/verify"
)

// newSigningKey writes a private Ed25519 key as openssl makes one.
func newSigningKey(t *testing.T, path string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "openssl", "genpkey", "-algorithm", "ed25519", "-out", path).CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v: %s", err, out)
	}
}

// TestSigning takes deliveries, reads their envelopes where a consumer would, and checks them with the package for consumers and
// with openssl. A new key in front signs what comes after, and both kinds verify; nothing is signed without keys.
func TestSigning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "events")
	newSigningKey(t, filepath.Join(dir, "first.pem"))
	newSigningKey(t, filepath.Join(dir, "second.pem"))
	config := func(keys string) string {
		c := scenario(filepath.Join(dir, "journal.db"), "  - {name: file, type: file, path: "+out+"}\n")
		if keys != "" {
			c += "signing: {keys: [" + keys + "]}\n"
		}
		return c
	}
	first, second := "file:"+filepath.Join(dir, "first.pem"), "file:"+filepath.Join(dir, "second.pem")
	r := serve(t, config(first), func(m *Main) { m.Env = scenarioEnv })
	s := newSender(t, r.Hooks)
	var lines [][]byte
	deliver := func(n int) []byte {
		t.Helper()
		body := caseBody(n, 10)
		if a := s.post(t.Context(), "/hooks/care", body, sign(body)); a.outcome != "accepted" {
			t.Fatalf("%+v", a)
		}
		eventually(t, "the event is in the file", func() (bool, string) {
			text, err := os.ReadFile(out)
			lines = bytes.SplitAfter(text, []byte{'\n'})
			return err == nil && len(lines) == n+1, string(text)
		})
		return lines[n-1]
	}
	one := deliver(1)
	r.takeOver(t, config(second+", "+first))
	two := deliver(2)
	keys, err := verify.ParseKeys(published(t, r.Admin))
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for n, line := range [][]byte{one, two} {
		v, err := keys.Envelope(line)
		if err != nil || v.VerifiedBy != "hub-signature" || v.KeyID != "env:SCENARIO_SECRET" || v.Source != "/hookgate/sprinklr/care" || v.Received.IsZero() {
			t.Errorf("envelope %d: %+v, %v: %s", n+1, v, err, line)
		}
		if v, err := keys.Envelope(bytes.Replace(line, []byte("hub-signature"), []byte("bird-signature"), 1)); err == nil {
			t.Errorf("another verdict passes: %+v", v)
		}
		opensslAgrees(t, keys, line)
	}
	r.takeOver(t, config(""))
	if three := deliver(3); bytes.Contains(three, []byte("signature\":")) {
		t.Errorf("signed without keys: %s", three)
	}
	if text := string(published(t, r.Admin)); text != `{"keys":[]}` {
		t.Errorf("published without keys: %s", text)
	}
}

// published is the key set as anybody may read it.
func published(t *testing.T, address string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/keys", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return text
}

// opensslAgrees checks a signature by hand, as docs/signing.md describes it for those who have no Go.
func opensslAgrees(t *testing.T, keys verify.Keys, line []byte) {
	t.Helper()
	const start = `{"specversion":"1.0"`
	rest := bytes.TrimPrefix(bytes.TrimSpace(line), []byte(start+`,"signature":"`))
	text, rest, _ := bytes.Cut(rest, []byte{'"'})
	head, mac, _ := strings.Cut(string(text), "..")
	signature, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("signature", signature)
	write("input", []byte(head+"."+base64.RawURLEncoding.EncodeToString(append([]byte(start), rest...))))
	agreed := false
	for _, key := range keys {
		der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(key))
		if err != nil {
			t.Fatal(err)
		}
		write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		c := exec.CommandContext(context.WithoutCancel(t.Context()), "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "input", "-sigfile", "signature")
		c.Dir = dir
		agreed = agreed || c.Run() == nil
	}
	if !agreed {
		t.Errorf("openssl refuses the signature of %s", line)
	}
}
