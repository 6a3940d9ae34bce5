package verifiers

import (
	"crypto/sha256"
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
// The provider does not say how it writes the digest: hex is our default, and an entry accepts exactly the one form that
// its encoding names.
type hubSignature struct {
	keys []hmacKey
	form form
}

func newHubSignature(s *settings) Scheme {
	encoding := s.Encoding
	if encoding == "" {
		encoding = "hex"
	}
	form, known := forms()[encoding]
	if !known || strings.HasPrefix(encoding, "base64url") {
		s.problems.Add("encoding", "hex, HEX or base64", "unknown encoding %q", s.Encoding)
	}
	return &hubSignature{keys: s.hmacSecrets("raw", sha256.New), form: form}
}

// signed is the header's whole value for a body.
func (h *hubSignature) signed(key hmacKey, body []byte) []byte {
	var room [sha256.Size]byte
	return h.form.append(append(make([]byte, 0, len(hubPrefix)+2*sha256.Size), hubPrefix...), key.appendSum(room[:0], body))
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
	if text, ok := strings.CutPrefix(value, hubPrefix); !ok || !h.form.fits(text, sha256.Size) {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not %s and %s", hubHeader, hubPrefix, h.form.means(sha256.Size))
	}
	for _, key := range h.keys {
		if sameText(h.signed(key, req.Body), value) {
			return key.proves("hub-signature", now)
		}
	}
	return hookgate.Proof{}, hookgate.Refuse(hookgate.Mismatch, "%s was made by none of the %d secrets for this body", hubHeader, len(h.keys))
}
