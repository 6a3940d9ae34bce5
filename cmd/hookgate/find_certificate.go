package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/verifiers"
)

// findShown searches with the certificates of one header after the other, for a capture does not tell which of them a proxy wrote.
// It gives the header whose certificates the request had when something was found; none where there are no certificates.
func findShown(s verifiers.Search, shown []passed) (found []verifiers.Found, header string) {
	if len(shown) == 0 {
		return verifiers.Find(s), ""
	}
	for _, p := range shown {
		s.Request.Certificates = p.certificates
		if found = verifiers.Find(s); len(found) > 0 {
			return found, p.header
		}
	}
	return nil, ""
}

// checkProxies takes what a configuration takes under proxies.trusted.
func checkProxies(list []string) error {
	networks, err := configs.Networks(list)
	if err != nil {
		return fmt.Errorf("--proxy %w; write the address that your proxy connects from, or its network", err)
	}
	for _, n := range networks {
		if n.Bits() == 0 {
			return fmt.Errorf("--proxy %s is everybody, and any sender could claim any certificate; name your own proxies alone", n)
		}
	}
	return nil
}

// believe writes whom the gateway has to believe about certificates, and that this is the whole proof.
func (c findVerifierCommand) believe(b *strings.Builder, header string, shown []passed) {
	b.WriteString(`# A certificate in a header is only a claim: anybody can write one. It counts in what comes from the addresses under trusted
# alone. List your own proxies there and nobody else, and have them replace this header whatever their sender put into it.
`)
	for _, p := range shown {
		if p.header != header {
			fmt.Fprintf(b, "# The header %q holds a certificate, too. Name the one that your proxy replaces.\n", p.header)
		}
	}
	trusted := make([]string, len(c.Proxy))
	for i, p := range c.Proxy {
		trusted[i] = strconv.Quote(p)
	}
	fmt.Fprintf(b, "proxies:\n  trusted: [%s]\n  certificate_header: %q\n", strings.Join(trusted, ", "), header)
}

// listed is what an entry lists of a certificate.
func listed(key string, values []string) string {
	if len(values) == 0 {
		return ""
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return ", " + key + ": [" + strings.Join(quoted, ", ") + "]"
}

// holdsCertificates reports whether a secret is none, but certificates that everybody may read.
func holdsCertificates(secret hookgate.Secret) bool {
	return bytes.Contains(secret.Reveal(), []byte("BEGIN CERTIFICATE")) && !bytes.Contains(secret.Reveal(), []byte("PRIVATE KEY"))
}

// whyNoCertificate says what stood in the way, a line each, where nothing was found and certificates play a part.
func whyNoCertificate(req *hookgate.Request, secret hookgate.Secret, readable, unreadable []passed) (lines []string) {
	for _, p := range readable {
		own := p.certificates[0]
		digest := sha256.Sum256(own.Raw)
		text := p.header + " passes on the certificate " + hex.EncodeToString(digest[:])
		scheme, err := verifiers.New(hookgate.AuthSettings{Scheme: "client-certificate", CA: []hookgate.Secret{secret}})
		switch {
		case !holdsCertificates(secret):
			text += "; to find by it, give as --secret the certificate of its authority, or once the provider has confirmed that this is its own, this fingerprint"
		case err != nil:
			text += ", and what --secret refers to is neither that one nor its authority's: " + err.Error()
		default:
			trial := *req
			trial.Certificates = p.certificates
			if _, err := scheme.Verify(&trial, req.ReceivedAt); err != nil {
				e := hookgate.AsError(err)
				text += ": " + strings.Join(slices.DeleteFunc([]string{e.Detail, e.Hint}, func(s string) bool { return s == "" }), "; ")
			}
			if req.ReceivedAt.After(own.NotAfter) {
				text += "; if the request was received before that, say when by --at"
			}
		}
		lines = append(lines, text)
	}
	for _, p := range unreadable {
		lines = append(lines, p.header+" is nothing that the gateway reads as a certificate: "+hookgate.AsError(p.wrong).Detail+
			"; have the proxy write Client-Cert as RFC 9440 has it, or the PEM escaped as in a URL")
	}
	if holdsCertificates(secret) && len(lines) == 0 {
		lines = append(lines, "no header passes a certificate on; what a sender shows the gateway itself, in the TLS handshake, is in no captured request")
	}
	return lines
}
