package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/hookgate/hookgate/configs"
)

const (
	acmeTimeout = 10 * time.Second // of one request to the authority
	// acmeAgain is the pause after a failure: autocert itself asks the authority once a minute at most.
	acmeAgain = 90 * time.Second
	acmeLook  = 12 * time.Hour // between two looks at certificates that are there
	// acmeLate is the part of a certificate's life in which it must have been renewed: autocert begins with the last third,
	// or 30 days before the end.
	acmeLate = 5
)

// newIssuer asks an authority for certificates and renews them. It answers the authority's question, TLS-ALPN-01, on the
// hooks listener itself. Once stopped is closed it asks nothing more.
func newIssuer(c configs.ACME, stopped <-chan struct{}) *autocert.Manager {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: acmeTimeout, ForceAttemptHTTP2: true, IdleConnTimeout: 5 * time.Second}
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if pem := c.CA.Reveal(); len(pem) > 0 {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) // the loader has read them
	}
	return &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(c.Cache),
		HostPolicy: autocert.HostWhitelist(c.Domains...),
		Email:      c.Email,
		Client: &acme.Client{
			DirectoryURL: c.Directory,
			UserAgent:    "hookgate",
			HTTPClient:   &http.Client{Transport: unless{stopped, transport}, Timeout: acmeTimeout},
		},
	}
}

// issued is the certificate for a handshake. autocert takes a client that speaks TLS 1.3 alone for one that knows RSA alone,
// by its cipher suites, which say nothing of that in TLS 1.3: it would wait for a second certificate.
func (h *handshakes) issued(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.Contains(hello.SupportedVersions, tls.VersionTLS13) {
		modern := *hello
		modern.CipherSuites = append(slices.Clone(hello.CipherSuites), tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
		hello = &modern
	}
	return h.issuer.GetCertificate(hello)
}

// unless makes requests until it is stopped. autocert cannot be told to end, and ends when its requests fail.
type unless struct {
	stopped <-chan struct{}
	*http.Transport
}

func (u unless) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-u.stopped:
		return nil, context.Canceled
	default:
		return u.Transport.RoundTrip(r)
	}
}

// obtain asks for the certificates before a sender does, who would have to wait, and looks after them until ctx ends: a
// renewal that fails is tried again by autocert, without a word.
func (h *handshakes) obtain(ctx context.Context, domains []string, now func() time.Time, log zerolog.Logger) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		next := acmeLook
		for _, domain := range domains {
			if !h.has(ctx, domain, now, log) {
				next = acmeAgain
			}
		}
		wait.Reset(next)
	}
}

// has reports whether there is a certificate for the domain, and says so where that is news or trouble.
func (h *handshakes) has(ctx context.Context, domain string, now func() time.Time, log zerolog.Logger) bool {
	certificate, err := h.issuer.GetCertificate(&tls.ClientHelloInfo{
		ServerName:   domain,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, // else it would be an RSA key
	})
	var leaf *x509.Certificate
	if err == nil {
		leaf, err = x509.ParseCertificate(certificate.Certificate[0])
	}
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		log.Error().Err(err).Str("domain", domain).Str("hint", "the authority must reach this listener as https://"+domain+" at port 443").Msg("no certificate yet")
		return false
	case leaf.NotAfter.Sub(now()) < leaf.NotAfter.Sub(leaf.NotBefore)/acmeLate:
		log.Error().Str("domain", domain).Time("ends", leaf.NotAfter).Msg("the certificate is about to end and could not be renewed")
	default:
		log.Info().Str("domain", domain).Time("ends", leaf.NotAfter).Msg("certificate")
	}
	return true
}
