package verifiers

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"

	"github.com/hookgate/hookgate"
)

// The sizes of RSA keys that are accepted, in bits. Above the upper one a single verification takes milliseconds, which
// a stranger could ask for at will.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// parsePublicKey reads one public key in the forms that receivers are given it: PEM PUBLIC KEY (PKIX) or RSA PUBLIC KEY
// (PKCS #1), either also with \n written out as two characters, as environment variables hold it, or the bare base64 of
// the SubjectPublicKeyInfo with or without line breaks. The problem has no field, and no text of the key.
func parsePublicKey(text []byte) (crypto.PublicKey, *hookgate.Problem) {
	block, wrong := pemBlock(text)
	if wrong != nil {
		return nil, wrong
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		return nil, &hookgate.Problem{Message: "this is a certificate, not a public key", Hint: "take the key out: openssl x509 -in cert.pem -noout -pubkey"}
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		return nil, &hookgate.Problem{Message: "this is a private key", Hint: "only the public half belongs here: openssl pkey -in key.pem -pubout"}
	default:
		return nil, &hookgate.Problem{Message: "the PEM block is not a public key", Hint: "expected PUBLIC KEY or RSA PUBLIC KEY"}
	}
	if err != nil {
		return nil, &hookgate.Problem{Message: "the public key cannot be read", Hint: "expected PEM or bare base64 of a SubjectPublicKeyInfo"}
	}
	if k, isRSA := key.(*rsa.PublicKey); isRSA {
		if wrong := checkRSA(k); wrong != nil {
			return nil, wrong
		}
	}
	return key, nil
}

// parsePrivateKey reads one PEM private key: PKCS #8, PKCS #1 or SEC 1.
func parsePrivateKey(text []byte) (crypto.Signer, *hookgate.Problem) {
	unreadable := &hookgate.Problem{Message: "the private key cannot be read", Hint: "expected PEM: PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY"}
	block, wrong := pemBlock(text)
	if wrong != nil {
		return nil, unreadable
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, unreadable
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, unreadable
	}
	if k, isRSA := signer.Public().(*rsa.PublicKey); isRSA {
		if wrong := checkRSA(k); wrong != nil {
			return nil, wrong
		}
	}
	return signer, nil
}

// pemBlock finds the one PEM block of text; bare base64 counts as a PUBLIC KEY.
func pemBlock(text []byte) (*pem.Block, *hookgate.Problem) {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("-----BEGIN")) {
		der, err := base64.StdEncoding.Strict().DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
		if err != nil {
			return nil, &hookgate.Problem{Message: "this is neither PEM nor base64", Hint: "expected -----BEGIN PUBLIC KEY----- or the bare base64 of a SubjectPublicKeyInfo"}
		}
		return &pem.Block{Type: "PUBLIC KEY", Bytes: der}, nil
	}
	block, rest := pem.Decode(unescaped(text))
	switch {
	case block == nil:
		return nil, &hookgate.Problem{Message: "the PEM block cannot be read", Hint: "check that the file is whole"}
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, &hookgate.Problem{Message: "something follows the first PEM block", Hint: "give each key an entry of its own under keys"}
	}
	return block, nil
}

func checkRSA(key *rsa.PublicKey) *hookgate.Problem {
	switch bits := key.N.BitLen(); {
	case bits < minRSABits:
		return problemf("use 2048 bit or more", "the RSA key has %d bit, and %d are needed", bits, minRSABits)
	case bits > maxRSABits:
		return problemf("use 2048 to 4096 bit", "the RSA key has %d bit, and at most %d are accepted", bits, maxRSABits)
	case key.E < 3 || key.E%2 == 0:
		return problemf("make a new key with the usual exponent 65537", "the RSA key's public exponent is %d", key.E)
	}
	return nil
}

func problemf(hint, format string, args ...any) *hookgate.Problem {
	var ps hookgate.Problems
	ps.Add("", hint, format, args...)
	return &ps[0]
}
