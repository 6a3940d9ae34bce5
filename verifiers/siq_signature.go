package verifiers

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/hookgate/hookgate"
)

// The header's name is on the provider's page for webhooks.
const siqHeader = "X-Siqsignature"

// siqSignature is Zoho SalesIQ's x-siqsignature: base64 of an RSA signature over the SHA-256 of the raw body (the
// provider's page says so). The padding is PKCS #1 v1.5, as seen in public receivers; no other one is tried. A webhook has
// at most two public keys at the provider, and either is accepted, so that a key can be exchanged without a gap.
type siqSignature struct {
	keys    []siqKey
	private *rsa.PrivateKey // nil unless made by NewSigner
}

type siqKey struct {
	label
	public *rsa.PublicKey
}

func newSiqSignature(s *settings) Scheme {
	scheme := &siqSignature{}
	for i, secret := range s.Keys {
		field := fmt.Sprintf("keys[%d]", i)
		if !s.resolved(field, secret) {
			continue
		}
		public, wrong := parsePublicKey(secret.Reveal())
		key, isRSA := public.(*rsa.PublicKey)
		if wrong == nil && !isRSA {
			wrong = &hookgate.Problem{Message: "the key is not an RSA key", Hint: "siq-signature is RSA alone"}
		}
		if wrong != nil {
			s.problems.Add(field, wrong.Hint, "%s", wrong.Message)
			continue
		}
		scheme.keys = append(scheme.keys, siqKey{label: labelOf(field, secret), public: key})
	}
	if !s.signs || !s.resolved("private", s.private) {
		return scheme
	}
	private, wrong := parsePrivateKey(s.private.Reveal())
	key, isRSA := private.(*rsa.PrivateKey)
	switch {
	case wrong != nil:
		s.problems.Add("private", wrong.Hint, "%s", wrong.Message)
	case !isRSA:
		s.problems.Add("private", "siq-signature is RSA alone", "the private key is not an RSA key")
	case len(s.Keys) == 0:
		scheme.private, scheme.keys = key, []siqKey{{label: labelOf("private", s.private), public: &key.PublicKey}}
	default:
		scheme.private = key
		for _, k := range scheme.keys {
			if k.public.Equal(&key.PublicKey) {
				return scheme
			}
		}
		s.problems.Add("private", "", "the private key belongs to none of the keys")
	}
	return scheme
}

// signed is the digest that the signature covers.
func (*siqSignature) signed(req *hookgate.Request) [sha256.Size]byte { return req.BodySHA256() }

func (q *siqSignature) Sign(req *hookgate.Request, _ time.Time) error {
	if q.private == nil {
		return hookgate.Errorf(hookgate.InternalMistake, "siq-signature was made without a private key and cannot sign")
	}
	digest := q.signed(req)
	signature, err := rsa.SignPKCS1v15(nil, q.private, crypto.SHA256, digest[:])
	if err != nil {
		return hookgate.Errorf(hookgate.InternalMistake, "siq-signature: %w", err)
	}
	set(req, siqHeader, base64.StdEncoding.EncodeToString(signature))
	return nil
}

func (q *siqSignature) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	text, err := req.One(siqHeader)
	if err != nil {
		return hookgate.Proof{}, err
	}
	var room [maxRSABits / 8]byte
	var signature []byte
	canonical := false
	if len(text) <= base64.StdEncoding.EncodedLen(len(room)) {
		signature, canonical = canonicalBase64(room[:0], text)
	}
	if !canonical {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not canonical standard base64", siqHeader)
	}
	digest := q.signed(req)
	fits := false
	for _, key := range q.keys {
		if len(signature) != key.public.Size() {
			continue
		}
		fits = true
		if rsa.VerifyPKCS1v15(key.public, crypto.SHA256, digest[:], signature) == nil {
			return key.proves("siq-signature", now)
		}
	}
	if !fits {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s holds %d bytes, which is the length of no key", siqHeader, len(signature))
	}
	return hookgate.Proof{}, hookgate.Refuse(hookgate.Mismatch, "%s was made by none of the %d keys for this body", siqHeader, len(q.keys))
}
