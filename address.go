package hookgate

import (
	"net/netip"
	"slices"
)

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

// Inside reports whether the address is anything but a public one: the check for where a URL that somebody else wrote may
// lead. It must be made of the address that is connected to, after every resolution.
func Inside(a netip.Addr) bool {
	if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.Zone() != "" {
		return true
	}
	return !a.Is4() && !global.Contains(a) || Within(special, a)
}

// Within reports whether an address is in one of the networks.
func Within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// Party names whoever controls an address, which is the unit that limits count by: an IPv4 address, or all of an IPv6 /64. It
// is empty where there is no address.
func Party(a netip.Addr) string {
	switch a = a.Unmap().WithZone(""); {
	case a.Is6():
		return netip.PrefixFrom(a, 64).Masked().String()
	case a.Is4():
		return a.String()
	}
	return ""
}
