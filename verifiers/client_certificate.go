package verifiers

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/hookgate/hookgate"
)

// maxShown is how many certificates of a sender are looked at, its own and the intermediate ones. Ours: real chains have
// two or three, and checking signatures costs time that a stranger could ask for.
const maxShown = 8

// clientCertificate accepts whoever showed a certificate in the TLS handshake, to us or to a proxy of ours, that passes all
// of what the entry lists: it was issued by one of the authorities, it has one of the names, it is one of those that the
// fingerprints name. CommBox presents one for its isolated customers (its page says so). It proves nothing about the
// body beyond the connection that brought it. The certificate is judged anew with every request, so that a changed
// configuration counts for connections that are open already, and so does the end of the certificate.
type clientCertificate struct {
	authorities []authority
	roots       *x509.CertPool // of all authorities; nil where the fingerprints alone decide
	names       []string
	pins        []pin
	own         []*x509.Certificate // what Sign shows
}

// authority is a certificate under ca, with the name under which a proof shows it.
type authority struct {
	label
	certificate *x509.Certificate
}

// pin is the SHA-256 digest of a certificate's DER.
type pin struct {
	label
	digest [sha256.Size]byte
}

// Sign puts the signer's certificate on the request, as the handshake with its private key would. Nothing of it is sent
// with the request: whoever delivers over a connection has to make that connection with the same key.
func (c *clientCertificate) Sign(req *hookgate.Request, _ time.Time) error {
	if len(c.own) == 0 {
		return hookgate.Errorf(hookgate.InternalMistake, "client-certificate was made without a private key, and cannot sign")
	}
	req.Certificates = slices.Clone(c.own)
	return nil
}

// Verify names as the key the fingerprint that matched, as sha256: and its first 16 digits, or else the reference of the
// authority at the end of the chain.
func (c *clientCertificate) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	if len(req.Certificates) == 0 {
		e := hookgate.Refuse(hookgate.HeaderMissing, "the sender showed no client certificate")
		e.Hint = "have the sender present it in the TLS handshake; behind a proxy, proxies.certificate_header names the header that passes it on"
		return hookgate.Proof{}, e
	}
	key, refusal := c.judge(req.Certificates, now)
	if refusal != nil {
		return hookgate.Proof{}, refusal
	}
	return key.proves("client-certificate", now)
}

// judge gives the key that lets the sender in.
func (c *clientCertificate) judge(shown []*x509.Certificate, now time.Time) (label, *hookgate.Error) {
	if c.roots == nil && len(c.pins) == 0 { // New takes no such entry; nothing listed must never mean everybody
		return label{}, refuseCertificate("", "nothing is listed that could let a certificate in")
	}
	if len(shown) > maxShown {
		return label{}, refuseCertificate("", "the sender showed %d certificates, at most %d are looked at", len(shown), maxShown)
	}
	for _, s := range shown {
		if wrong := checkKeySize(s); wrong != "" {
			return label{}, refuseCertificate("the sender needs a certificate with another key", "a certificate that the sender showed has %s", wrong)
		}
	}
	own := shown[0]
	pinned, digest := c.pinned(own)
	if len(c.pins) > 0 && pinned.id == "" {
		return label{}, refuseCertificate("if it is the sender's new one, list it beside the old one",
			"the certificate with the fingerprint %s is none of the %d listed", hex.EncodeToString(digest[:]), len(c.pins))
	}
	issuer, refusal := c.chain(shown, now)
	switch {
	case refusal != nil:
		return label{}, refusal
	case !c.hasName(own):
		return label{}, refuseCertificate("add its name to names, if it is the sender's", "the certificate is for %s, and not for one of the %d names", namesOf(own), len(c.names))
	case pinned.id != "" && !issuer.from.Retired(now):
		return pinned, nil
	}
	return issuer, nil
}

// pinned is the fingerprint that the certificate has; its id is empty for none. A certificate is public, so that nothing is
// given away by how long the comparison takes.
func (c *clientCertificate) pinned(own *x509.Certificate) (found label, digest [sha256.Size]byte) {
	if len(c.pins) == 0 {
		return label{}, digest
	}
	digest = sha256.Sum256(own.Raw)
	for _, p := range c.pins {
		if p.digest == digest {
			return p.label, digest
		}
	}
	return label{}, digest
}

// chain follows the certificate to an authority, with what else was shown in between. Where fingerprints alone decide, the
// certificate is its own authority: its time and its purpose count all the same.
func (c *clientCertificate) chain(shown []*x509.Certificate, now time.Time) (issuer label, refusal *hookgate.Error) {
	own := shown[0]
	switch { // before the chain, so that the words are ours
	case now.Before(own.NotBefore):
		return label{}, refuseCertificate("", "the certificate is not yet valid: it begins %s", stamp(own.NotBefore))
	case now.After(own.NotAfter):
		return label{}, refuseCertificate("the sender needs a new one", "the certificate has expired: it ended %s", stamp(own.NotAfter))
	case own.KeyUsage != 0 && own.KeyUsage&x509.KeyUsageDigitalSignature == 0: // x509 does not look at it, TLS asks for it
		return label{}, wrongUsage()
	}
	roots := c.roots
	if roots == nil {
		roots = x509.NewCertPool()
		roots.AddCert(own)
	}
	between := x509.NewCertPool()
	for _, s := range shown[1:] {
		between.AddCert(s)
	}
	chains, err := own.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return label{}, c.broken(shown, err)
	}
	for _, chain := range chains { // one that ends at an authority without an end is better than one that has ended
		for _, a := range c.authorities {
			if a.certificate.Equal(chain[len(chain)-1]) && (issuer.id == "" || issuer.from.Retired(now)) {
				issuer = a.label
			}
		}
	}
	return issuer, nil
}

// broken says why there is no chain. What x509 says is not passed on, since it quotes what a stranger wrote.
func (c *clientCertificate) broken(shown []*x509.Certificate, err error) *hookgate.Error {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return c.unknownAuthority(shown[0])
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return c.late(invalid.Cert)
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return wrongUsage()
	case errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName:
		return refuseCertificate("", "the certificate has a name that its authority may not give")
	case errors.As(err, &x509.UnhandledCriticalExtension{}):
		return refuseCertificate("", "the certificate has a critical extension that is not known")
	}
	return refuseCertificate("", "the certificate has no valid chain to an authority listed under ca")
}

// late is about a certificate above the sender's own that has ended, or not begun.
func (c *clientCertificate) late(above *x509.Certificate) *hookgate.Error {
	from, to := stamp(above.NotBefore), stamp(above.NotAfter)
	for _, a := range c.authorities {
		if a.certificate.Equal(above) {
			return refuseCertificate("add the authority's new certificate", "the authority %s is valid from %s to %s only", a.id, from, to)
		}
	}
	return refuseCertificate("the sender needs to show a new one", "a certificate between it and its authority is valid from %s to %s only", from, to)
}

func (c *clientCertificate) unknownAuthority(own *x509.Certificate) *hookgate.Error {
	for _, a := range c.authorities {
		if slices.Equal(own.RawIssuer, a.certificate.RawSubject) {
			return refuseCertificate("compare the authority's certificate with that of "+a.id, "the certificate names an authority of ca as its issuer, but was not signed by its key")
		}
	}
	return refuseCertificate("add its authority to ca, if it is the sender's; an intermediate one must be shown by the sender", "the certificate was issued by none of the %d authorities", len(c.authorities))
}

func wrongUsage() *hookgate.Error {
	return refuseCertificate("it needs the extended key usage clientAuth, and the key usage digitalSignature where it has any", "the certificate is not for client authentication by its key usage")
}

func refuseCertificate(hint, format string, args ...any) *hookgate.Error {
	e := hookgate.Refuse(hookgate.CertificateRefused, format, args...)
	e.Hint = hint
	return e
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
