package verifiers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// The header's name and the word before the digest are on the provider's pages; they print no other algorithm, and so
// none is read from the request.
const (
	hubHeader = "X-Hub-Signature"
	hubPrefix = "sha256="
)

// hubSignature is Sprinklr's pre-shared key: X-Hub-Signature: sha256=<digest>. That the digest is an HMAC-SHA256 of the
// raw body under the key's own bytes is our reading; no time is signed, so a replay is found by its identity alone.
type hubSignature struct {
	keys []hmacKey
	form hubForm
}

// hubForm is one way to write the digest. The provider does not say which it uses: hex is our default, and an entry
// accepts exactly the one form that its encoding names.
type hubForm struct {
	means  string
	append func(dst, mac []byte) []byte
	fits   func(text string) bool
}

func hubForms() map[string]hubForm {
	lower := func(dst, mac []byte) []byte { return hex.AppendEncode(dst, mac) }
	return map[string]hubForm{
		"hex": {"64 lower-case hex digits", lower, func(t string) bool { return isHex(t, "0123456789abcdef") }},
		"HEX": {"64 upper-case hex digits",
			func(dst, mac []byte) []byte { return append(dst, bytes.ToUpper(lower(nil, mac))...) },
			func(t string) bool { return isHex(t, "0123456789ABCDEF") }},
		"base64": {"padded standard base64 of 32 bytes", base64.StdEncoding.AppendEncode, isDigest64},
	}
}

func newHubSignature(s *settings) Scheme {
	encoding := s.Encoding
	if encoding == "" {
		encoding = "hex"
	}
	form, known := hubForms()[encoding]
	if !known {
		s.problems.Add("encoding", "hex, HEX or base64", "unknown encoding %q", s.Encoding)
	}
	return &hubSignature{keys: s.hmacSecrets(), form: form}
}

// signed is the header's whole value for a body.
func (h *hubSignature) signed(key hmacKey, body []byte) []byte {
	sum := key.sum(body)
	return h.form.append(append(make([]byte, 0, len(hubPrefix)+2*sha256.Size), hubPrefix...), sum[:])
}

func (h *hubSignature) Sign(req *hookgate.Request, _ time.Time) error {
	set(req, hubHeader, string(h.signed(h.keys[0], req.Body)))
	return nil
}

func (h *hubSignature) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	value, err := req.One(hubHeader)
	if err != nil {
		return hookgate.Proof{}, err
	}
	if text, ok := strings.CutPrefix(value, hubPrefix); !ok || !h.form.fits(text) {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not %s and %s", hubHeader, hubPrefix, h.form.means)
	}
	for _, key := range h.keys {
		if sameText(h.signed(key, req.Body), value) {
			return key.proves("hub-signature", now)
		}
	}
	return hookgate.Proof{}, hookgate.Refuse(hookgate.Mismatch, "%s was made by none of the %d secrets for this body", hubHeader, len(h.keys))
}

func isHex(text, digits string) bool {
	if len(text) != 2*sha256.Size {
		return false
	}
	for i := range len(text) {
		if strings.IndexByte(digits, text[i]) < 0 {
			return false
		}
	}
	return true
}

// isDigest64 reports whether text is the canonical base64 of 32 bytes.
func isDigest64(text string) bool {
	var room [sha256.Size + 1]byte
	if len(text) != base64.StdEncoding.EncodedLen(sha256.Size) {
		return false
	}
	raw, ok := canonicalBase64(room[:0], text)
	return ok && len(raw) == sha256.Size
}
