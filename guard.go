package hookgate

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// Guard keeps the connections to one configured host away from addresses inside. It judges the address that is really
// connected to, after every resolution, so that no way of writing a number and no name that changes its mind gets around it.
// A proxy would connect in our place, past the guard: whoever dials through one asks for none. The zero Guard lets nothing
// inside pass.
type Guard struct {
	allowPrivate bool
	localhost    bool       // the configured host is localhost, which may be where its name says
	literal      netip.Addr // the configured host where it is written out as an address: that one, and no other; or the zero one
}

// NewGuard makes the guard for a configured host, as url.URL.Hostname gives it. What the configuration itself writes out is
// meant: an address inside leads to itself, localhost to this machine. allowPrivate lets everything pass. The host is empty
// where the configuration names none, as where others say who is called.
func NewGuard(host string, allowPrivate bool) Guard {
	literal, _ := netip.ParseAddr(host) // the zero address for a name
	return Guard{allowPrivate: allowPrivate, localhost: strings.EqualFold(host, "localhost"), literal: literal}
}

// Dialer connects through the guard, by TCP only. The timeout is for one connection, with its resolution; 0 is none.
func (g Guard) Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, Control: g.control}
}

// control is the dialer's last question before it connects.
func (g Guard) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return fmt.Errorf("connection to %s by %s refused", address, network)
	}
	a := to.Addr()
	if g.allowPrivate || (g.localhost && a.IsLoopback()) || g.literal == a || !Inside(a) {
		return nil
	}
	return fmt.Errorf("%s is an address inside; allow_private permits it", a)
}

// translated are the ranges in which a translator reads an IPv4 address (RFC 6052 and RFC 8215).
var translated = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48")}

// OddHost says what is wrong with a host that is an address in disguise: systems differ in what they make of 127.1 or
// 0x7f000001, and a mapped or translated address stands for another one. What it says continues "the host"; it is empty
// where nothing is wrong.
func OddHost(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Is4In6() || Within(translated, a) {
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
