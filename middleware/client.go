package middleware

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/hookgate/hookgate"
)

// Proxies is what stands in front of the gateway, and what is believed of it.
type Proxies struct {
	// Trusted are our own proxies. Only what these say of a sender is believed.
	Trusted []netip.Prefix
	// Header is where they append the address of whom they took the request from: X-Forwarded-For, or Forwarded (RFC 7239).
	Header string
	// CertificateHeader is where they put the certificate that the sender showed them (see CertificatesFrom); empty where
	// they do not.
	CertificateHeader string
}

// Clients finds out who sent a request. It is a hookgate.Clients; the zero value trusts nobody.
type Clients struct{ proxies atomic.Pointer[Proxies] }

var _ hookgate.Clients = (*Clients)(nil)

// Set replaces what is known of proxies; requests under way keep what they have found.
func (c *Clients) Set(p Proxies) { c.proxies.Store(&p) }

// Trusts reports whether a peer is one of our own proxies.
func (c *Clients) Trusts(peer netip.Addr) bool {
	p := c.proxies.Load()
	return p != nil && p.trusts(peer)
}

// Client is the sender's address and the certificates that it showed. Of a peer that is no proxy of ours, no header is
// read. Of one that is, the TLS connection is the proxy's own, so its certificate is not the sender's.
func (c *Clients) Client(r *http.Request) (netip.Addr, []*x509.Certificate) {
	peer, shown := hookgate.Direct(r)
	p := c.proxies.Load()
	if p == nil || !p.trusts(peer) {
		return peer, shown
	}
	client := p.walk(peer, r.Header[p.Header])
	if p.CertificateHeader == "" {
		return client, nil
	}
	shown, _ = CertificatesFrom(r.Header, p.CertificateHeader) // what cannot be read shows nothing
	return client, shown
}

func (p *Proxies) trusts(a netip.Addr) bool { return hookgate.Within(p.Trusted, a) }

// maxHops is how many addresses are read of one request. Nobody has so many proxies, and a sender may write any number.
const maxHops = 32

// walk goes from the peer towards the sender for as long as it is told by a proxy of ours. Every proxy appends whom it took
// the request from, so that the last address was written by the peer, and the one before it can be believed only if the
// last is one of ours, too. What a sender has put in front is never reached. Where a proxy says nothing that can be read,
// the walk ends with the proxy itself.
func (p *Proxies) walk(peer netip.Addr, values []string) netip.Addr {
	read := addressOf
	if p.Header == "Forwarded" {
		read = forwardedFor
	}
	at, hops := peer, 0
	for i := len(values) - 1; i >= 0; i-- {
		for rest, more := values[i], true; more; hops++ {
			var last string
			rest, last, more = cutLast(rest)
			hop, ok := read(last)
			if !ok || hops == maxHops {
				return at
			}
			if at = hop; !p.trusts(at) {
				return at
			}
		}
	}
	return at
}
