package configs

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// minToken is the shortest admin token, in bytes: 16 random characters cannot be guessed over a network.
const minToken = 16

var hostGrammar = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)

// check holds the whole file against the rules that one value alone cannot break. It fills in the defaults that depend
// on other values.
func (l *loader) check(c *Config) {
	l.checkPublicURL(c.PublicURL)
	l.checkListeners(c)
	l.checkJournal(c.Journal)
	l.checkOutbound(c)
	for at, n := range map[string]int{"limits.in_flight": c.Limits.InFlight, "limits.connections": c.Limits.Connections, "limits.per_address": c.Limits.PerAddress} {
		if n < 1 && l.sound(at) {
			l.bad(BadNumber, at, "is 0, so every delivery would be refused", "write 1 or more")
		}
	}
	l.checkDeclarations(c)
	trusted := l.checkProxies(c.Proxies)
	destinations := l.checkDestinations(c)
	l.checkTokens(c)
	l.checkSources(c, destinations, trusted)
	l.checkMemory(c)
	if len(c.Signing.Keys) > 0 && l.sound("signing") && l.rules.Signing != nil {
		l.theirs(SigningSettings, "signing", l.rules.Signing(c.Signing.Keys))
	}
	l.checkTLS(c)
}

// checkPublicURL wants a URL that a path can be put behind, because Bird signs the two together.
func (l *loader) checkPublicURL(s string) {
	if s == "" {
		return
	}
	const at, hint = "public_url", "write https://host or https://host/prefix, without a slash at its end"
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		l.bad(PublicURL, at, "is not a URL that a provider could call", hint)
	case u.User != nil || strings.ContainsAny(s, "?#"):
		l.bad(PublicURL, at, "has more than scheme, host and path", hint)
	case strings.HasSuffix(s, "/"):
		l.bad(PublicURL, at, "ends with a slash, and the paths of the sources begin with one", hint)
	case u.Path != "" && path.Clean(u.Path) != u.Path:
		l.bad(PublicURL, at, "has a path that is not in its plain form", hint)
	}
}

func (l *loader) checkListeners(c *Config) {
	listen, ok := l.address("listen", c.Listen)
	admin, ok2 := l.address("admin.listen", c.Admin.Listen)
	if ok && ok2 && overlap(listen, admin) {
		l.bad(AdminListen, "admin.listen", "is the address that the providers reach", "give the admin API a port of its own")
	}
	l.checkHosts("admin.hosts", c.Admin.Hosts)
	token := c.Admin.Token.Reveal()
	if !l.sound("admin") {
		return
	}
	switch {
	case len(token) == 0 && !loopback(c.Admin.Listen):
		l.bad(AdminToken, "admin.listen", "is reachable from other machines, and there is no token", "set admin.token, or listen at 127.0.0.1")
	case len(token) > 0 && len(token) < minToken:
		l.warn(AdminTokenShort, "admin.token", "admin.token refers to a token under 16 bytes", "make one with: openssl rand -hex 32")
	}
}

// checkHosts wants hosts as a Host header has them, ports aside, so that no entry is there in vain.
func (l *loader) checkHosts(list string, hosts []string) {
	for i, host := range hosts {
		at := item(list, i)
		if _, err := netip.ParseAddr(host); err != nil && !hostGrammar.MatchString(host) && l.sound(at) {
			l.bad(HostName, at, "is not a host", "write a name or an address without a port, such as hooks.internal.example.com")
		}
	}
}

// hostPort is an address to listen at.
type hostPort struct{ host, port string }

func (l *loader) address(at, s string) (hostPort, bool) {
	if !l.sound(at) {
		return hostPort{}, false
	}
	host, port, err := net.SplitHostPort(s)
	if err == nil && host != "" && !hostGrammar.MatchString(host) {
		_, err = netip.ParseAddr(host)
	}
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		l.bad(ListenAddress, at, "is not an address to listen at", "write host:port, such as 127.0.0.1:8080 or :8080")
		return hostPort{}, false
	}
	return hostPort{host, port}, true
}

// overlap reports whether two listeners would meet. Port 0 asks for any free one.
func overlap(a, b hostPort) bool {
	return a.port == b.port && a.port != "0" && (a.host == b.host || wild(a.host) || wild(b.host))
}

func wild(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}
