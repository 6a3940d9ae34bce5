package forward

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// guard keeps connections away from addresses inside. It judges the address that is really connected to, after every
// resolution, so that no way of writing a number and no name that changes its mind gets around it.
type guard struct {
	allowAll bool
	loopback bool         // the configured host is localhost, which may be where its name says
	literal  []netip.Addr // the configured host, if it is written out as an address: that one, and no other
}

// newGuard makes the guard for a configured host as url.URL.Hostname gives it.
func newGuard(host string, allowPrivate bool) guard {
	g := guard{allowAll: allowPrivate, loopback: strings.EqualFold(host, "localhost")}
	if a, err := netip.ParseAddr(host); err == nil {
		g.literal = append(g.literal, a)
	}
	return g
}

// dialer connects through the guard.
func (g guard) dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, Control: g.control}
}

func (g guard) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return fmt.Errorf("connection to %s by %s refused", address, network)
	}
	a := to.Addr()
	if g.allowAll || (g.loopback && a.IsLoopback()) || !inside(a) {
		return nil
	}
	for _, l := range g.literal {
		if l == a {
			return nil
		}
	}
	return fmt.Errorf("%s is an address inside; allow_private permits it", a)
}

// special are the ranges beside those that netip knows by name: what is not globally routed, and what carries another
// address inside it, through which a translator would reach it (IANA special-purpose registries).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), // Teredo and other protocol assignments
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("3fff::/20"),
}

// global is the only part of IPv6 that is unicast and routed; it leaves out mapped, NAT64 and local addresses.
var global = netip.MustParsePrefix("2000::/3")

// inside reports whether the address is anything but a public one.
func inside(a netip.Addr) bool {
	if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.Zone() != "" {
		return true
	}
	if !a.Is4() && !global.Contains(a) {
		return true
	}
	for _, p := range special {
		if p.Contains(a) {
			return true
		}
	}
	return false
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
	if strings.Trim(last, "0123456789") == "" || (digits != last && strings.Trim(digits, "0123456789abcdef") == "") {
		return "is a number in place of a name"
	}
	return ""
}
