package verifiers

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/hookgate/hookgate"
)

// partyURL reads the URL of an issuer. Everything that comes from there is believed, so it must be https, but for a host
// that cannot be reached through other people's networks.
func (s *settings) partyURL(field, text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || u.Fragment != "" {
		s.problems.Add(field, "write https://HOST/PATH", "this is not the URL of an issuer")
		return nil
	}
	host := u.Hostname()
	odd := hookgate.OddHost(host)
	switch {
	case u.User != nil:
		s.problems.Add(field, "leave the user out", "the URL holds a user or a password")
	case odd != "":
		s.problems.Add(field, "write the address as a.b.c.d, or a name", "the host %s", odd)
	case u.Scheme == "https" || u.Scheme == "http" && sameNetwork(host):
		return u
	case u.Scheme == "http":
		s.problems.Add(field, "write https://; http is for localhost and written-out private addresses", "the answers of %s could be changed on their way", host)
	default:
		s.problems.Add(field, "write https://HOST/PATH", "this is not the URL of an issuer")
	}
	return nil
}

// sameNetwork reports whether a host is this machine, or a written-out address of a private network.
func sameNetwork(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && (a.IsLoopback() || a.IsPrivate())
}
