package admin

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Own keeps out what a browser sends on behalf of somebody else's page: a request that may change something and was made by
// a page of another origin is 403, and one that was meant for another host is 421. The second closes the way around the
// first: a page whose name is made to resolve to this machine while it is open. listen is the configured address, and hosts
// are the other names that callers may use.
func Own(listen string, hosts []string, next http.Handler) http.Handler {
	known := []string{"localhost"}
	for _, name := range append([]string{listen}, hosts...) {
		if host := plainHost(name); host != "" {
			known = append(known, host)
		}
	}
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		word(w, http.StatusForbidden, "a page of another origin asks")
	}))
	own := origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !meant(r, known, len(hosts) > 0) {
			word(w, http.StatusMisdirectedRequest, "this host is not served here; the option hosts of this listener lists the names that are")
			return
		}
		own.ServeHTTP(w, r)
	})
}

// meant reports whether r is for a host that we are. It is asked where only this machine can call, for a name made up to
// resolve to it is the one way in for others, and always where names are listed. Who gives no host at all is no browser.
func meant(r *http.Request, known []string, always bool) bool {
	at := localAddr(r)
	if r.Host == "" || (!at.IsLoopback() && !always) {
		return true
	}
	host := plainHost(r.Host)
	if slices.Contains(known, host) {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && (address.IsLoopback() || address.Unmap() == at)
}

// localAddr is the address that r came to.
func localAddr(r *http.Request) netip.Addr {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.Addr{}
	}
	at, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// plainHost is the host without port, brackets, capitals and the dot of a full name.
func plainHost(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostPort, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
