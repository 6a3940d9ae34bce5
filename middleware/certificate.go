package middleware

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"

	"github.com/hookgate/hookgate"
)

// The headers of RFC 9440, in canonical form.
const (
	clientCert      = "Client-Cert"
	clientCertChain = "Client-Cert-Chain"
)

// The bounds of what a proxy passes on; both ours. A certificate with two intermediates takes about 6 KiB.
const (
	maxCertificateText = 16 << 10 // bytes of a header
	maxCertificates    = 8
)

// CertificatesFrom reads the certificates that a sender showed to a proxy, its own first. Client-Cert is read as RFC 9440
// defines it, together with Client-Cert-Chain; a header of any other name as PEM that is escaped as in a URL, which is
// what nginx has in $ssl_client_escaped_cert. There are none where the header is missing or empty. The error is a
// *hookgate.Error with a reason; such a request has shown no certificate. The headers prove nothing by themselves: the
// caller must know that a proxy of ours sent them, and whoever runs the proxy that it replaces what its sender wrote there.
func CertificatesFrom(h http.Header, name string) ([]*x509.Certificate, error) {
	name = http.CanonicalHeaderKey(name)
	text, err := oneText(h, name)
	if err != nil {
		return nil, err
	}
	if name != clientCert {
		if text == "" {
			return nil, nil
		}
		return escapedPEM(name, text)
	}
	chain, err := oneText(h, clientCertChain)
	switch {
	case err != nil:
		return nil, err
	case text == "" && chain == "":
		return nil, nil
	case text == "":
		return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s without %s", clientCertChain, clientCert)
	}
	return byteSequences(text, chain)
}

// oneText is the value of a header that may be there once, in the size that is allowed. Empty is as good as missing:
// nginx leaves out what is empty, other proxies do not.
func oneText(h http.Header, name string) (string, error) {
	values := h[name]
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", hookgate.Refuse(hookgate.HeaderDoubled, "%d %s headers, expected one", len(values), name)
	case len(values[0]) > maxCertificateText:
		return "", hookgate.Refuse(hookgate.HeaderGrammar, "%s has %d bytes, at most %d are read", name, len(values[0]), maxCertificateText)
	}
	return values[0], nil
}

// byteSequences reads Client-Cert, one byte sequence (RFC 8941, section 3.3.5), and Client-Cert-Chain, a list of them.
// Parameters, which the RFC defines none of, are refused.
func byteSequences(leaf, chain string) ([]*x509.Certificate, error) {
	texts := []string{leaf}
	if chain != "" {
		texts = append(texts, strings.Split(chain, ",")...)
	}
	if len(texts) > maxCertificates {
		return nil, tooMany(clientCertChain)
	}
	certificates := make([]*x509.Certificate, 0, len(texts))
	for i, text := range texts {
		header := clientCert
		if i > 0 {
			header, text = clientCertChain, strings.Trim(text, " \t")
		}
		if len(text) < 2 || text[0] != ':' || text[len(text)-1] != ':' || strings.ContainsAny(text, "\r\n") {
			return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not base64 between colons", header)
		}
		der, err := base64.StdEncoding.Strict().DecodeString(text[1 : len(text)-1])
		if err != nil {
			return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not canonical base64 between colons", header)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, unreadable(header)
		}
		certificates = append(certificates, certificate)
	}
	return certificates, nil
}

// escapedPEM reads PEM blocks, nothing else between them. A plus sign is itself: base64 has it, and not every proxy
// escapes it.
func escapedPEM(name, text string) ([]*x509.Certificate, error) {
	plain, err := url.PathUnescape(text)
	if err != nil {
		return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not escaped as in a URL", name)
	}
	var certificates []*x509.Certificate
	for rest := strings.TrimSpace(plain); rest != ""; {
		if !strings.HasPrefix(rest, "-----BEGIN CERTIFICATE-----") {
			return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not a certificate in PEM form", name)
		}
		block, after := pem.Decode([]byte(rest))
		// The decoder passes over a broken block to the next one.
		if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || strings.Count(rest[:len(rest)-len(after)], "-----BEGIN") != 1 {
			return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not a certificate in PEM form", name)
		}
		if len(certificates) == maxCertificates {
			return nil, tooMany(name)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, unreadable(name)
		}
		certificates = append(certificates, certificate)
		rest = strings.TrimSpace(string(after))
	}
	if certificates == nil {
		return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s is blank", name)
	}
	return certificates, nil
}

func tooMany(header string) error {
	return hookgate.Refuse(hookgate.HeaderGrammar, "%s holds more than the %d certificates that are read", header, maxCertificates)
}

func unreadable(header string) error {
	return hookgate.Refuse(hookgate.HeaderGrammar, "%s holds something that is no certificate", header)
}
