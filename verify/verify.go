// Package verify is for those who consume what Hookgate forwards. It checks on the queue that an envelope is, byte for
// byte, what the gateway sent, and so that its verifiedby and keyid are true. It needs the standard library alone.
//
//	keys, err := verify.ParseKeys(keySet) // from the gateway's /keys, fetched over a way that you trust
//	...
//	verdict, err := keys.Envelope(message)
//
// An envelope that was parsed and written again is other bytes, and is refused.
package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Keys are the gateway's public keys by their kid.
type Keys map[string]ed25519.PublicKey

// Verdict is what the gateway says of an event and of who proved it.
type Verdict struct {
	ID         string    `json:"id"`
	Source     string    `json:"source"`
	Type       string    `json:"type"`
	VerifiedBy string    `json:"verifiedby"` // the schemes that passed, joined by commas
	KeyID      string    `json:"keyid"`      // which keys of theirs
	Received   time.Time `json:"receivedtime"`
	RawSHA256  string    `json:"rawsha256"` // of the provider's request
}

// The reasons why an envelope is refused.
var (
	ErrUnsigned   = errors.New("the envelope carries no signature")
	ErrUnknownKey = errors.New("the signature names a key that is not in the set")
	ErrForged     = errors.New("the signature is not that of these bytes")
)

// maxKeys bounds a key set; what is beyond is left out.
const maxKeys = 100

// ParseKeys reads a JWK set. Keys of other kinds are left out; a set without any of ours is an error.
func ParseKeys(jwks []byte) (Keys, error) {
	var set struct {
		Keys []struct{ Kty, Crv, Kid, X string }
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, fmt.Errorf("the key set is no JSON: %w", err)
	}
	keys := make(Keys)
	for _, k := range set.Keys[:min(len(set.Keys), maxKeys)] {
		x, err := base64.RawURLEncoding.Strict().DecodeString(k.X)
		if k.Kty == "OKP" && k.Crv == "Ed25519" && k.Kid != "" && err == nil && len(x) == ed25519.PublicKeySize {
			keys[k.Kid] = x
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set holds no Ed25519 key")
	}
	return keys, nil
}

// envelopeStart is how every envelope begins; the signature is the attribute behind it.
const (
	envelopeStart = `{"specversion":"1.0"`
	signature     = `,"signature":"`
)

// Envelope checks the bytes of one message, with or without a line break at its end. The error is one of those above, unless
// what is signed cannot be read.
func (k Keys) Envelope(message []byte) (Verdict, error) {
	rest, ok := bytes.CutPrefix(bytes.TrimRight(message, "\r\n"), []byte(envelopeStart+signature))
	if !ok {
		return Verdict{}, ErrUnsigned
	}
	text, rest, ok := bytes.Cut(rest, []byte{'"'})
	head, mac, detached := strings.Cut(string(text), "..")
	if !ok || !detached {
		return Verdict{}, ErrForged
	}
	key, err := k.named(head)
	if err != nil {
		return Verdict{}, err
	}
	given, err := base64.RawURLEncoding.Strict().DecodeString(mac)
	if err != nil || strings.ContainsAny(mac, "\r\n") {
		return Verdict{}, ErrForged
	}
	envelope := append([]byte(envelopeStart), rest...)
	if !ed25519.Verify(key, []byte(head+"."+base64.RawURLEncoding.EncodeToString(envelope)), given) {
		return Verdict{}, ErrForged
	}
	var v Verdict
	if err := json.Unmarshal(envelope, &v); err != nil {
		return Verdict{}, fmt.Errorf("the envelope is signed, but no JSON: %w", err)
	}
	return v, nil
}

// named reads the header of a signature. What it says only chooses among our keys.
func (k Keys) named(head string) (ed25519.PublicKey, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(head)
	var h struct {
		Alg, Kid, Typ string
		Crit          any
	}
	if err != nil || json.Unmarshal(raw, &h) != nil || h.Alg != "EdDSA" || h.Typ != "hookgate-envelope" || h.Crit != nil {
		return nil, ErrForged
	}
	key, ok := k[h.Kid]
	if !ok {
		return nil, ErrUnknownKey
	}
	return key, nil
}
