package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/middleware"
)

// The bounds of what a sender may show in a handshake. Its certificates stay in memory as long as its connection, and
// nobody has judged them yet.
const (
	maxHandshakeCertificates = 8
	maxHandshakeBytes        = 16 << 10
)

// handshakes is how the hooks listener speaks TLS. What it shows and what it asks for changes with a reload, while it
// serves: a connection keeps what it began with.
type handshakes struct {
	issuer  *autocert.Manager // nil where the certificate is from a file
	current atomic.Pointer[tls.Config]
}

// newHandshakes is nil where the listener speaks no TLS. It serves nothing before set.
func newHandshakes(c *configs.Config, stopped <-chan struct{}) *handshakes {
	if !c.TLS.On() {
		return nil
	}
	h := new(handshakes)
	if c.TLS.ACME.On() {
		h.issuer = newIssuer(c.TLS.ACME, stopped)
	}
	return h
}

// build makes the settings of a configuration: the certificate, and whether senders are asked for theirs.
func (h *handshakes) build(c *configs.Config) (*tls.Config, error) {
	if h == nil {
		return nil, nil
	}
	next := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	switch before := h.current.Load(); {
	case h.issuer != nil:
		next.GetCertificate = h.issued
		next.NextProtos = append(next.NextProtos, acme.ALPNProto)
	case len(c.TLS.Certificate.Reveal()) > 0:
		pair, err := tls.X509KeyPair(c.TLS.Certificate.Reveal(), c.TLS.Key.Reveal())
		if err != nil {
			return nil, err
		}
		next.Certificates = []tls.Certificate{pair}
	default: // the section has gone from the file, which counts from the next start
		next.Certificates = before.Certificates
	}
	if c.AsksForCertificates() {
		// Whatever is shown is taken, since each source has its own idea of a good one and judges with every request. A
		// resumed session would show what the first handshake did, and nothing where that was not asked, so there are none.
		next.ClientAuth = tls.RequestClientCert
		next.SessionTicketsDisabled = true
		next.VerifyPeerCertificate = boundShown
	}
	return next, nil
}

// set takes over such settings.
func (h *handshakes) set(next *tls.Config) {
	if h != nil {
		h.current.Store(next)
	}
}

// boundShown refuses the handshake of whoever shows more than anybody needs.
func boundShown(shown [][]byte, _ [][]*x509.Certificate) error {
	size := 0
	for _, der := range shown {
		size += len(der)
	}
	if len(shown) > maxHandshakeCertificates || size > maxHandshakeBytes {
		return errors.New("too many or too large client certificates")
	}
	return nil
}

// begunWith is the context key under which a connection keeps the settings that it began with. net/http hands a connection
// to its requests in no other way.
type begunWith struct{}

// speak has the server speak TLS, and HTTP/2 within bounds beside HTTP/1.1. Without TLS it is HTTP/1.1 alone: HTTP/2 is
// never spoken in the clear.
func (s *server) speak(h *handshakes, log zerolog.Logger) {
	s.http.Protocols = new(http.Protocols)
	s.http.Protocols.SetHTTP1(true)
	if h == nil {
		return
	}
	s.http.Protocols.SetHTTP2(true)
	s.http.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams:          64,
		MaxReadFrameSize:              16 << 10,
		MaxDecoderHeaderTableSize:     4 << 10,
		MaxEncoderHeaderTableSize:     4 << 10,
		MaxReceiveBufferPerConnection: 1 << 20,
		MaxReceiveBufferPerStream:     256 << 10,
		WriteByteTimeout:              10 * time.Second,
	}
	s.http.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, begunWith{}, h.current.Load())
	}
	s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if begun, ok := hello.Context().Value(begunWith{}).(*tls.Config); ok {
			return begun, nil
		}
		return h.current.Load(), nil
	}}
	s.http.ErrorLog = stdlog.New(&rarely{log.Level(zerolog.WarnLevel), middleware.NewBudget(60, time.Minute)}, "", 0)
}

// reconnect ends the connections, each with its next answer, whose senders were not asked for a certificate and would be
// now.
func (h *handshakes) reconnect(next http.Handler) http.Handler {
	if h == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if begun, ok := r.Context().Value(begunWith{}).(*tls.Config); ok && begun.ClientAuth != h.current.Load().ClientAuth {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// rarely is a log that strangers can fill, by handshakes that fail, and so takes few lines a minute.
type rarely struct {
	log    zerolog.Logger
	budget hookgate.Budget
}

func (r *rarely) Write(line []byte) (int, error) {
	if _, ok := r.budget.Take("line"); ok {
		r.log.Warn().Msg(strings.TrimSpace(string(line)))
	}
	return len(line), nil
}
