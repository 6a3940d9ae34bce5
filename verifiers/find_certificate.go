package verifiers

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
)

// certified are entries under which the sender's certificate could pass, the narrowest first: it alone, where it is what was
// given as the secret, or else one of its names under the authority that was given. A certificate that is known from the
// capture alone is in none of them, since whoever sent it would vouch for itself.
func (f *finder) certified() (entries []hookgate.AuthSettings) {
	if len(f.Request.Certificates) == 0 {
		return nil
	}
	add := func(entry hookgate.AuthSettings) {
		entry.Scheme = "client-certificate"
		entries = append(entries, entry)
	}
	own := f.Request.Certificates[0]
	digest := sha256.Sum256(own.Raw)
	print := []string{hex.EncodeToString(digest[:])}
	if f.givenItself(own, digest) {
		add(hookgate.AuthSettings{Fingerprints: print})
	}
	names := allNames(own)
	for _, name := range names[:min(len(names), maxNamed)] {
		if !strings.Contains(name, "${") { // which no configuration takes
			add(hookgate.AuthSettings{CA: f.secrets(), Names: []string{name}})
		}
	}
	add(hookgate.AuthSettings{CA: f.secrets(), Fingerprints: print}) // where no name can be listed
	return entries
}

// givenItself reports whether the secret is the sender's certificate, or its fingerprint.
func (f *finder) givenItself(own *x509.Certificate, digest [sha256.Size]byte) bool {
	text := unescaped(f.Secret.Reveal())
	if raw, err := fingerprintBytes(string(bytes.TrimSpace(text))); err == nil {
		return slices.Equal(raw, digest[:])
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" && bytes.Equal(block.Bytes, own.Raw) {
			return true
		}
	}
	return false
}
