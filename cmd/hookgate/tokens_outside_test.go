package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTokensOutside has openssl make the keys and check the tokens, and compares the key set with what openssl says is the
// public half. Nothing of this knows the library that signs.
func TestTokensOutside(t *testing.T) {
	t.Parallel()
	h := newTokenHouse(t)
	path := func(name string) string { return filepath.Join(h.dir, name) }
	was := "a.pem"
	for alg, making := range map[string][]string{
		"EdDSA": {"-algorithm", "ed25519"},
		"ES256": {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
		"RS256": {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
	} {
		name := alg + ".pem"
		sslDoes(t, append([]string{"genpkey", "-out", path(name)}, making...)...)
		if err := os.Chmod(path(name), 0o600); err != nil {
			t.Fatal(err)
		}
		sslDoes(t, "pkey", "-in", path(name), "-pubout", "-out", path(alg+".pub"))
		h.reload("file:"+was, "file:"+name)
		was = name
		token := h.token("sprinklr", houseSecret)
		now := time.Now()

		signed, signature := token[:strings.LastIndexByte(token, '.')], token[strings.LastIndexByte(token, '.')+1:]
		parts := strings.Split(signed, ".")
		var header struct{ Alg, Kid, Typ string }
		var claims struct {
			Iss, Scope string
			Client     string `json:"client_id"`
			Jti        string
			Aud        []string
			Iat, Exp   int64
		}
		for i, v := range []any{&header, &claims} {
			if err := json.Unmarshal(base64url(t, parts[i]), v); err != nil {
				t.Fatal(err)
			}
		}
		if header.Alg != alg || header.Kid == "" || header.Typ != "at+jwt" {
			t.Errorf("%s: the header is %+v", alg, header)
		}
		if claims.Iss != "https://hooks.example.com" || claims.Scope != "hooks more" || claims.Client != "sprinklr" || claims.Jti == "" ||
			!slices.Equal(claims.Aud, []string{"care", "desk"}) || claims.Exp != claims.Iat+3600 || claims.Iat > now.Unix()+1 || claims.Iat < now.Unix()-60 {
			t.Errorf("%s: the claims are %+v", alg, claims)
		}
		write := func(name string, b []byte) string {
			t.Helper()
			if err := os.WriteFile(path(name), b, 0o600); err != nil {
				t.Fatal(err)
			}
			return path(name)
		}
		raw := base64url(t, signature)
		if alg == "ES256" {
			half := len(raw) / 2
			der, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
			if err != nil || len(raw) != 64 {
				t.Fatalf("a signature of %d bytes: %v", len(raw), err)
			}
			raw = der
		}
		text, proof := write("signed", []byte(signed)), write("signature", raw)
		verify := []string{"dgst", "-sha256", "-verify", path(alg + ".pub"), "-signature", proof, text}
		if alg == "EdDSA" {
			verify = []string{"pkeyutl", "-verify", "-pubin", "-inkey", path(alg + ".pub"), "-rawin", "-in", text, "-sigfile", proof}
		}
		sslDoes(t, verify...)
		write("signed", []byte(signed+"A"))
		if out, err := openssl(t, verify...); err == nil {
			t.Errorf("%s: openssl takes another text, too: %s", alg, out)
		}

		public, kid := h.published(t, alg)
		block, _ := pem.Decode([]byte(readAll(t, path(alg+".pub"))))
		want, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if !public.(interface{ Equal(crypto.PublicKey) bool }).Equal(want) || kid != header.Kid {
			t.Errorf("%s: the key set has another key, or %q in place of %q", alg, kid, header.Kid)
		}
	}
}

// sslDoes has openssl do what it must be able to do.
func sslDoes(t *testing.T, args ...string) {
	t.Helper()
	if out, err := openssl(t, args...); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func readAll(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func base64url(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// published reads the one key of the key set, which must have nothing of a private one.
func (h *tokenHouse) published(t *testing.T, alg string) (crypto.PublicKey, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "http://"+h.Hooks+"/oauth/jwks", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := h.do(req)
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(body), &set); err != nil || resp.StatusCode != http.StatusOK || len(set.Keys) != 1 {
		t.Fatalf("%d %s (%v)", resp.StatusCode, body, err)
	}
	k := set.Keys[0]
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		if _, there := k[private]; there {
			t.Errorf("%s: the key set has %s", alg, private)
		}
	}
	if k["alg"] != alg || k["use"] != "sig" {
		t.Errorf("%s: the key set says %v", alg, k)
	}
	number := func(name string) *big.Int { return new(big.Int).SetBytes(base64url(t, k[name])) }
	switch fmt.Sprint(k["kty"], " ", k["crv"]) {
	case "OKP Ed25519":
		return ed25519.PublicKey(base64url(t, k["x"])), k["kid"]
	case "EC P-256":
		point := append([]byte{4}, append(base64url(t, k["x"]), base64url(t, k["y"])...)...)
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			t.Fatal(err)
		}
		return public, k["kid"]
	case "RSA ":
		return &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}, k["kid"]
	}
	t.Fatalf("%s: the key set has %v", alg, k)
	return nil, ""
}
