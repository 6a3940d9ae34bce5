package forward

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/hookgate/hookgate"
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
	if g.allowAll || (g.loopback && a.IsLoopback()) || !hookgate.Inside(a) {
		return nil
	}
	for _, l := range g.literal {
		if l == a {
			return nil
		}
	}
	return fmt.Errorf("%s is an address inside; allow_private permits it", a)
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
