package verifiers

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/hookgate/hookgate"
)

// guard keeps questions to an issuer away from addresses inside. It judges the address that is really connected to, after
// every resolution, so that no name that changes its mind gets around it.
type guard struct {
	allowAll bool
	loopback bool       // the configured host is localhost, which may be where its name says
	literal  netip.Addr // the configured host where it is written out as an address: that one, and no other; or the zero one
}

func newGuard(host string, allowPrivate bool) guard {
	literal, _ := netip.ParseAddr(host) // the zero address for a name
	return guard{allowAll: allowPrivate, loopback: strings.EqualFold(host, "localhost"), literal: literal}
}

// control is the dialer's last question before it connects.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return fmt.Errorf("connection to %s by %s refused", address, network)
	}
	a := to.Addr()
	if g.allowAll || g.loopback && a.IsLoopback() || g.literal == a || !hookgate.Inside(a) {
		return nil
	}
	return fmt.Errorf("%s is an address inside; allow_private permits it", a)
}

// dialer connects through the guard.
func (g guard) dialer() *net.Dialer { return &net.Dialer{Timeout: askTime, Control: g.control} }

// partyURL reads the URL of an issuer. Everything that comes from there is believed, so it must be https, but for a host
// that cannot be reached through other people's networks.
func (s *settings) partyURL(field, text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || u.Fragment != "" {
		s.problems.Add(field, "write https://HOST/PATH", "this is not the URL of an issuer")
		return nil
	}
	host := u.Hostname()
	odd := oddHost(host)
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

// oddHost says what is wrong with a host that is an address in disguise: systems differ in what they make of 127.1 or
// 0x7f000001, and a mapped or translated address stands for another one. Empty where nothing is.
func oddHost(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Is4In6() || netip.MustParsePrefix("64:ff9b::/96").Contains(a) || netip.MustParsePrefix("64:ff9b:1::/48").Contains(a) {
			return "stands for an IPv4 address"
		}
		return ""
	}
	last := strings.TrimSuffix(host, ".")
	last = strings.ToLower(last[strings.LastIndexByte(last, '.')+1:])
	digits := strings.TrimPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || digits != last && strings.Trim(digits, "0123456789abcdef") == "" {
		return "is a number in place of a name"
	}
	return ""
}
