package configs

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/hookgate/hookgate"
)

const networkHint = "write an address or a network, such as 192.0.2.7, 192.0.2.0/24, '2001:db8::7' or '2001:db8::/32'"

// Networks reads a list of addresses and networks (CIDR). An address alone is a network of its own.
func Networks(list []string) ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		n, err := network(s)
		if err != nil {
			return nil, fmt.Errorf("%q %w", s, err)
		}
		networks = append(networks, n)
	}
	return networks, nil
}

var errNetwork = errors.New("is neither an address nor a network")

// network is strict: no zone, no IPv4 written as IPv6, and no bits behind the length of the network, which would hide that
// something else was meant.
func network(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return netip.Prefix{}, errNetwork
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, errNetwork
	}
	if p != p.Masked() {
		return netip.Prefix{}, hookgate.Problem{
			Message: fmt.Sprintf("has bits behind the first %d", p.Bits()),
			Hint:    "write " + p.Masked().String() + ", or the address alone",
		}
	}
	return p, nil
}

// networks reports what is wrong with a list, and gives what could be read by its place.
func (l *loader) networks(at string, list []string) map[string]netip.Prefix {
	read := make(map[string]netip.Prefix, len(list))
	first := make(map[netip.Prefix]bool, len(list))
	for i, s := range list {
		at := item(at, i)
		if !l.sound(at) {
			continue
		}
		n, err := network(s)
		var bits hookgate.Problem
		switch {
		case errors.As(err, &bits):
			l.bad(NetworkBits, at, bits.Message, bits.Hint)
		case err != nil:
			l.bad(Network, at, err.Error(), networkHint)
		case first[n]:
			l.bad(NetworkRepeated, at, "is in the list in another form", "keep one of them")
		default:
			read[at], first[n] = n, true
		}
	}
	return read
}

// checkProxies gives the networks that are trusted. Whoever trusts everybody believes what any sender writes.
func (l *loader) checkProxies(p Proxies) map[string]netip.Prefix {
	const at = "proxies.trusted"
	trusted := l.networks(at, p.Trusted)
	for at, n := range trusted {
		if n.Bits() == 0 {
			l.bad(ProxiesTrusted, at, "is everybody, and any sender could claim any address", "name your own proxies alone")
		}
	}
	for _, key := range []string{"header", "certificate_header"} {
		if at := "proxies." + key; l.set(at) && l.sound(at) && !l.set("proxies.trusted") {
			l.bad(ProxiesTrusted, at, "is believed of nobody", "list your proxies under proxies.trusted")
		}
	}
	return trusted
}

// checkAllow warns of a list that a proxy of ours is on: what comes from the proxy without a sender's address, such as one
// that it could not write, would be allowed.
func (l *loader) checkAllow(s *Source, at string, trusted map[string]netip.Prefix) {
	for at, n := range l.networks(at+".allow", s.Allow) {
		for _, t := range trusted {
			if n.Overlaps(t) {
				l.warn(AllowProxy, at, at+" overlaps with "+t.String()+" of proxies.trusted, so that what a proxy names no sender of is allowed", "name the senders alone")
				break
			}
		}
	}
}
