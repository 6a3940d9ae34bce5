package verifiers

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/hookgate/hookgate"
)

const hintFingerprint = "openssl x509 -in cert.pem -noout -fingerprint -sha256 shows it"

func newClientCertificate(s *settings) Scheme {
	c := &clientCertificate{names: s.Names}
	for i, secret := range s.CA {
		if field := fmt.Sprintf("ca[%d]", i); s.resolved(field, secret) {
			c.authorities = append(c.authorities, s.bundle(field, secret)...)
		}
	}
	if len(s.CA) > 0 {
		c.roots = x509.NewCertPool()
		for _, a := range c.authorities {
			c.roots.AddCert(a.certificate)
		}
	}
	for i, name := range s.Names {
		s.checkCertificateName(fmt.Sprintf("names[%d]", i), name)
	}
	c.pins = s.fingerprints()
	if len(s.CA) == 0 && len(s.Fingerprints) == 0 && !s.signs {
		s.problems.Add("ca", "list the certificate of who issues it under ca, or its SHA-256 digest under fingerprints", "client-certificate needs ca or fingerprints")
	}
	if len(s.private.Reveal()) > 0 {
		s.ownCertificate(c)
	}
	return c
}

// warnClientCertificate speaks of an authority that vouches for more than one sender.
func warnClientCertificate(s *settings) {
	if len(s.CA) > 0 && len(s.Names) == 0 && len(s.Fingerprints) == 0 {
		s.problems.Add("ca", "list the sender's names under names", "every certificate that this authority issues is accepted")
	}
}

// bundle reads the certificates of one reference. Text between the blocks is what openssl and others write there.
func (s *settings) bundle(field string, secret hookgate.Secret) []authority {
	var found []authority
	rest := unescaped(secret.Reveal())
	for {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		if bytes.Count(rest[:len(rest)-len(after)], []byte("-----BEGIN")) != 1 {
			s.problems.Add(field, "check that the file is whole", "a PEM block cannot be read")
			return nil
		}
		rest = after
		certificate, wrong := authorityIn(block)
		if wrong != nil {
			wrong.Field = field
			s.problems = append(s.problems, *wrong)
			return nil
		}
		found = append(found, authority{labelOf(field, secret), certificate})
	}
	switch {
	case bytes.Contains(rest, []byte("-----BEGIN")):
		s.problems.Add(field, "check that the file is whole", "a PEM block cannot be read")
	case len(found) == 0:
		s.problems.Add(field, "expected PEM: -----BEGIN CERTIFICATE-----", "there is no certificate")
	}
	return found
}

func authorityIn(block *pem.Block) (*x509.Certificate, *hookgate.Problem) {
	switch {
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, &hookgate.Problem{Message: "there is a private key", Hint: "only certificates belong here"}
	case block.Type != "CERTIFICATE":
		return nil, &hookgate.Problem{Message: "there is a PEM block that is no certificate", Hint: "expected CERTIFICATE alone"}
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, &hookgate.Problem{Message: "the certificate cannot be read", Hint: "check it with: openssl x509 -in ca.pem -noout -text"}
	}
	if certificate.Version >= 3 && !certificate.IsCA { // before version 3 nothing told the two apart
		digest := sha256.Sum256(certificate.Raw)
		return nil, problemf("list it under fingerprints instead: "+hex.EncodeToString(digest[:]), "the certificate is not that of an authority, so it could issue none")
	}
	if wrong := checkKeySize(certificate); wrong != "" {
		return nil, problemf("the authority needs another key", "the certificate has %s", wrong)
	}
	return certificate, nil
}

// checkKeySize says what is wrong with the size of an RSA key: a small one can be broken, a huge one takes long to check.
func checkKeySize(certificate *x509.Certificate) string {
	key, isRSA := certificate.PublicKey.(*rsa.PublicKey)
	if !isRSA {
		return ""
	}
	if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Sprintf("an RSA key of %d bit, where %d to %d are accepted", bits, minRSABits, maxRSABits)
	}
	return ""
}

// unescaped turns \n written out as two characters, as environment variables hold it, into line feeds.
func unescaped(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte(`\r`), nil)
	return bytes.ReplaceAll(text, []byte(`\n`), []byte("\n"))
}

func (s *settings) checkCertificateName(field, name string) {
	u, err := url.Parse(name)
	switch {
	case name == "" || strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl):
		s.problems.Add(field, "write it as the certificate has it, such as hooks.example.com", "is not a name")
	case strings.Contains(name, ":") && (err != nil || u.Scheme == ""):
		s.problems.Add(field, "write the whole URI, such as spiffe://example.com/hooks, or the host alone", "has a colon, but is no URI")
	case strings.Contains(name, ":") && u.String() != name:
		s.problems.Add(field, "write "+u.String(), "is not in its canonical form")
	}
}

// fingerprints reads the digests: 64 hexadecimal digits, in any case, with colons between all bytes or with none.
func (s *settings) fingerprints() (pins []pin) {
	seen := make(map[[sha256.Size]byte]bool)
	for i, text := range s.Fingerprints {
		field := fmt.Sprintf("fingerprints[%d]", i)
		raw, err := fingerprintBytes(text)
		switch {
		case err == nil && len(raw) == 20:
			s.problems.Add(field, hintFingerprint, "is as long as a SHA-1 digest, and a SHA-256 digest is meant")
			continue
		case err != nil || len(raw) != sha256.Size:
			s.problems.Add(field, hintFingerprint, "is not a SHA-256 digest in hex")
			continue
		}
		digest := [sha256.Size]byte(raw)
		if seen[digest] {
			s.problems.Add(field, "keep one of them", "is in the list twice")
		}
		seen[digest] = true
		pins = append(pins, pin{label{id: pinID(digest)}, digest})
	}
	return pins
}

// fingerprintBytes are those that a fingerprint is written for.
func fingerprintBytes(text string) ([]byte, error) {
	if strings.Contains(text, ":") && inPairs(text) {
		text = strings.ReplaceAll(text, ":", "")
	}
	return hex.DecodeString(text) // which takes no colon
}

// pinID is what a proof calls a fingerprint. Whoever makes a certificate with the same 16 digits has still not the others,
// which are compared.
func pinID(digest [sha256.Size]byte) string { return "sha256:" + hex.EncodeToString(digest[:8]) }

// inPairs reports whether every third character is a colon, and no other.
func inPairs(text string) bool {
	for i := range len(text) {
		if (text[i] == ':') != (i%3 == 2) {
			return false
		}
	}
	return len(text)%3 == 2
}

// ownCertificate takes what signs: a PEM private key and its certificate, the intermediate ones behind it, in one text.
func (s *settings) ownCertificate(c *clientCertificate) {
	text := unescaped(s.private.Reveal())
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		s.problems.Add("private", "put both into one file, as PEM", "there are no private key and certificate that belong together")
		return
	}
	for _, der := range pair.Certificate {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			s.problems.Add("private", "", "a certificate cannot be read")
			return
		}
		c.own = append(c.own, certificate)
	}
	if c.roots == nil && len(s.Fingerprints) == 0 {
		c.pins = []pin{{labelOf("private", s.private), sha256.Sum256(c.own[0].Raw)}}
	}
}
