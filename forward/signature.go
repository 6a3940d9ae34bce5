package forward

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"github.com/hookgate/hookgate"
)

// Signer signs envelopes, so that a consumer can check on his queue that this gateway verified the event, and by which key
// of the provider. Its signatures are JWS with a detached payload (RFC 7515, appendix F; EdDSA by RFC 8037).
type Signer struct {
	head   string // encoded, with its dot
	key    ed25519.PrivateKey
	keySet []byte
}

// signatureType keeps a signature of ours from being taken for another kind of token by the same key.
const signatureType = "hookgate-envelope"

// NewSigner takes private Ed25519 keys in PEM; the first one signs. The error is hookgate.Problems.
func NewSigner(keys []hookgate.Secret) (*Signer, error) {
	var ps hookgate.Problems
	type jwk struct {
		Kty string `json:"kty"`
		Crv string `json:"crv"`
		Alg string `json:"alg"`
		Use string `json:"use"`
		Kid string `json:"kid"`
		X   string `json:"x"`
	}
	s, set := &Signer{}, make([]jwk, 0, len(keys))
	for i, secret := range keys {
		field := fmt.Sprintf("keys[%d]", i)
		key, ok := ed25519Key(secret.Reveal())
		if !ok {
			ps.Add(field, "make one with: openssl genpkey -algorithm ed25519", "this is no private Ed25519 key in PEM")
			continue
		}
		x := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
		kid := thumbprint(x)
		set = append(set, jwk{"OKP", "Ed25519", "EdDSA", "sig", kid, x})
		if i == 0 {
			head := fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"typ":%q}`, kid, signatureType)
			s.head, s.key = base64.RawURLEncoding.EncodeToString([]byte(head))+".", key
		}
	}
	var err error
	if s.keySet, err = json.Marshal(map[string]any{"keys": set}); err != nil {
		return nil, err
	}
	return s, ps.Err()
}

// thumbprint is the key's own name (RFC 7638): the digest of its members in alphabetical order.
func thumbprint(x string) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func ed25519Key(text []byte) (ed25519.PrivateKey, bool) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, false
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	return key, err == nil && ok
}

// Sign makes the detached JWS of an envelope: header, two dots, signature. It costs about as much as a verification by RSA.
func (s *Signer) Sign(envelope []byte) string {
	input := make([]byte, 0, len(s.head)+base64.RawURLEncoding.EncodedLen(len(envelope)))
	input = append(input, s.head...)
	input = base64.RawURLEncoding.AppendEncode(input, envelope)
	return s.head + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.key, input))
}

// KeySet is the JWK set of the public halves.
func (s *Signer) KeySet() []byte { return s.keySet }
