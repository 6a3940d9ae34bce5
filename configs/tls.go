package configs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// clientCertificate is the one scheme whose proof is part of the connection and not of the request.
const clientCertificate = "client-certificate"

// domainGrammar is a host name that an authority can look at: no wildcard, no address, at least one dot.
var domainGrammar = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)

// On reports whether the listener speaks HTTPS.
func (t TLS) On() bool { return len(t.Certificate.Reveal()) > 0 || t.ACME.On() }

// On reports whether certificates come from an authority.
func (a ACME) On() bool { return len(a.Domains) > 0 }

// AsksForCertificates reports whether a source judges senders by their certificates, so that the listener has to ask for
// them.
func (c *Config) AsksForCertificates() bool {
	for _, s := range c.Sources {
		for _, a := range s.Auth {
			if a.Scheme == clientCertificate {
				return true
			}
		}
	}
	return false
}

func (l *loader) checkTLS(c *Config) {
	t := c.TLS
	const at = "tls"
	if l.set(at) && l.sound(at) {
		switch certificate, key := l.set("tls.certificate"), l.set("tls.key"); {
		case l.set("tls.acme") && (certificate || key):
			l.bad(TLSEither, "tls.acme", "and a certificate of one's own are both set", "keep tls.certificate and tls.key, or tls.acme")
		case l.set("tls.acme"):
			l.checkACME(t.ACME)
		case certificate && !key:
			l.bad(TLSHalf, "tls.certificate", "has no private key beside it", "set tls.key to file:PATH of its key")
		case !certificate:
			l.bad(TLSHalf, at, "has no certificate", "set tls.certificate and tls.key, or tls.acme, or take the section out")
		default:
			l.checkPair(t)
		}
	}
	l.checkCertificateWay(c)
}

// checkPair wants a certificate and a key that belong together.
func (l *loader) checkPair(t TLS) {
	const at = "tls.certificate"
	pair, err := tls.X509KeyPair(t.Certificate.Reveal(), t.Key.Reveal())
	switch { // in our own words, since those of the library quote the beginnings of blocks
	case err == nil:
	case !onlyCertificates(t.Certificate.Reveal()):
		l.bad(TLSPair, at, "refers to something that is no certificate", "write the certificate with its chain behind it, as PEM")
		return
	case strings.Contains(err.Error(), "does not match"):
		l.bad(TLSPair, at, "and tls.key do not belong together", "see which was replaced without the other")
		return
	default:
		l.bad(TLSPair, "tls.key", "refers to something that is no private key", "write the key of tls.certificate as PEM, without a pass phrase")
		return
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		l.warn(TLSExpired, at, at+" has expired: it ended "+end.UTC().Format(time.RFC3339)+", so senders will refuse to connect", "put a new one into its place")
	}
}

func (l *loader) checkACME(a ACME) {
	const at = "tls.acme"
	if len(a.Domains) == 0 {
		l.bad(ACMEDomains, at, "has no domains to ask certificates for", "list the names of this gateway under tls.acme.domains")
	}
	for i, domain := range a.Domains {
		if !domainGrammar.MatchString(domain) {
			l.bad(ACMEDomains, item(at+".domains", i), "is not a host name that an authority can check", "write it in lower case, such as hooks.example.com, without a wildcard")
		}
	}
	if a.Email != "" {
		if parsed, err := mail.ParseAddress(a.Email); err != nil || parsed.Address != a.Email {
			l.bad(ACMEAccount, at+".email", "is not a bare e-mail address", "write one, such as operator@example.com")
		}
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		l.bad(ACMEAccount, at+".directory", "is not an https:// URL", "write the authority's directory, such as https://acme-v02.api.letsencrypt.org/directory")
	}
	if l.set(at+".ca") && !onlyCertificates(a.CA.Reveal()) {
		l.bad(ACMEAccount, at+".ca", "refers to something that is no certificate", "write the authority's own certificates as PEM")
	}
}

// checkCertificateWay wants a way by which a sender's certificate can reach the source that asks for it.
func (l *loader) checkCertificateWay(c *Config) {
	if l.set("tls") || c.Proxies.CertificateHeader != "" || !l.sound("proxies") {
		return
	}
	for i, s := range c.Sources {
		for j, a := range s.Auth {
			if a.Scheme == clientCertificate {
				l.bad(CertificateWay, item(item("sources", i)+".auth", j)+".scheme", "is client-certificate, and no certificate could ever arrive",
					"set tls, or behind a proxy proxies.certificate_header")
			}
		}
	}
}

// onlyCertificates reports whether all PEM blocks are certificates, and there is one.
func onlyCertificates(text []byte) bool {
	found := false
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return found
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil || block.Type != "CERTIFICATE" {
			return false
		}
		found = true
	}
}

// Certificates are the references whose files are read again when they change: the listener's own pair, and the
// authorities of senders.
func (c *Config) Certificates() []hookgate.Secret {
	all := []hookgate.Secret{c.TLS.Certificate, c.TLS.Key}
	for _, s := range c.Sources {
		for _, a := range s.Auth {
			all = append(all, a.CA...)
		}
	}
	return all
}
