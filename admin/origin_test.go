package admin_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// browse sends a request that came to the address at, for the host, with these headers.
func browse(o admin.Options, method, path, at, host string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r = arrived(r, at)
	r.Host = host
	r.Header.Set("Authorization", "Bearer "+token)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	admin.Handler(o).ServeHTTP(rec, r)
	return rec
}

// arrived is r as net/http gives it to a handler of a listener at this address.
func arrived(r *http.Request, at string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(at))))
}

// TestA02_OtherOrigins: what a page of somebody else has a browser send changes nothing, with the right token or where none
// is asked for.
func TestA02_OtherOrigins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path string
		header       map[string]string
		status       int
	}{
		"no browser":             {"POST", "/v1/replays", nil, http.StatusBadRequest},
		"the same origin":        {"POST", "/v1/replays", map[string]string{"Origin": "http://127.0.0.1:8081", "Sec-Fetch-Site": "same-origin"}, http.StatusBadRequest},
		"the same, older":        {"POST", "/v1/replays", map[string]string{"Origin": "http://127.0.0.1:8081"}, http.StatusBadRequest},
		"typed in":               {"POST", "/v1/replays", map[string]string{"Sec-Fetch-Site": "none"}, http.StatusBadRequest},
		"another site":           {"POST", "/v1/replays", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		"another origin":         {"POST", "/v1/replays", map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		"another origin, older":  {"POST", "/v1/replays", map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		"another port":           {"POST", "/v1/replays", map[string]string{"Origin": "http://127.0.0.1:8082"}, http.StatusForbidden},
		"a sandboxed page":       {"POST", "/v1/replays", map[string]string{"Origin": "null"}, http.StatusForbidden},
		"both, one a lie":        {"POST", "/v1/replays", map[string]string{"Origin": "http://127.0.0.1:8081", "Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		"a stop":                 {"DELETE", "/v1/replays/r1", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		"dead letters":           {"POST", "/v1/dead-letters/events/replay", map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		"failed deliveries":      {"POST", "/v1/failed/verify", map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		"reading, which is safe": {"GET", "/v1/replays", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{}
			o := withReplays(d)
			rec := browse(o, c.method, c.path, "127.0.0.1:8081", "127.0.0.1:8081", c.header)
			if rec.Code != c.status || len(d.orders) > 0 {
				t.Errorf("%d %s, want %d", rec.Code, rec.Body, c.status)
			}
			if c.status == http.StatusForbidden {
				o.Token = hookgate.Secret{}
				if rec := browse(o, c.method, c.path, "127.0.0.1:8081", "127.0.0.1:8081", c.header); rec.Code != c.status {
					t.Errorf("without a token: %d", rec.Code)
				}
			}
		})
	}
}

// TestA02_OtherHosts: a name that somebody has made to resolve to this machine opens nothing, not even a page that asks for
// no token.
func TestA02_OtherHosts(t *testing.T) {
	t.Parallel()
	const inside, outside = "127.0.0.1:8081", "192.0.2.1:8081"
	for name, c := range map[string]struct {
		at, listen, host string
		hosts            []string
		ok               bool
	}{
		"localhost":                     {inside, inside, "localhost:8081", nil, true},
		"localhost in capitals":         {inside, inside, "LOCALHOST", nil, true},
		"localhost with a dot":          {inside, inside, "localhost.:8081", nil, true},
		"the address":                   {inside, inside, "127.0.0.1:8081", nil, true},
		"another loopback address":      {inside, inside, "127.1.2.3", nil, true},
		"IPv6 loopback":                 {"[::1]:8081", "[::1]:8081", "[::1]:8081", nil, true},
		"IPv6 loopback without port":    {"[::1]:8081", "[::1]:8081", "[::1]", nil, true},
		"HTTP/1.0, no host":             {inside, inside, "", nil, true},
		"through a tunnel's port":       {inside, inside, "localhost:9999", nil, true},
		"rebound":                       {inside, inside, "evil.example:8081", nil, false},
		"rebound, IPv6":                 {"[::1]:8081", "localhost:8081", "evil.example:8081", nil, false},
		"rebound, all interfaces":       {inside, ":8081", "evil.example:8081", nil, false},
		"begins like localhost":         {inside, inside, "localhost.evil.example", nil, false},
		"ends like localhost":           {inside, inside, "evil-localhost", nil, false},
		"an address elsewhere":          {inside, inside, "192.0.2.1:8081", nil, false},
		"an address in disguise":        {inside, inside, "2130706433", nil, false},
		"a port alone":                  {inside, ":8081", ":8081", nil, false},
		"the configured name":           {inside, "Hooks.internal:8081", "hooks.internal:8081", nil, true},
		"a listed name":                 {inside, inside, "hooks.example.com", []string{"other.example", "Hooks.Example.com"}, true},
		"a listed name below":           {inside, inside, "a.hooks.example.com", []string{"hooks.example.com"}, false},
		"a listed address":              {inside, inside, "[2001:db8::1]:8081", []string{"2001:db8::1"}, true},
		"outside, any name":             {outside, ":8081", "whatever.example", nil, true},
		"outside, names are listed":     {outside, ":8081", "evil.example", []string{"hooks.example.com"}, false},
		"outside, the listed name":      {outside, ":8081", "hooks.example.com:8081", []string{"hooks.example.com"}, true},
		"outside, names, its address":   {outside, ":8081", "192.0.2.1:8081", []string{"hooks.example.com"}, true},
		"outside, names, another's":     {outside, ":8081", "192.0.2.2:8081", []string{"hooks.example.com"}, false},
		"mapped, as dual stacks see it": {"[::ffff:127.0.0.1]:8081", ":8081", "evil.example", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/metrics", "/healthz", "/unknown"} {
				o := options(func(o *admin.Options) { o.Listen, o.Hosts = c.listen, c.hosts })
				rec := browse(o, "GET", path, c.at, c.host, nil)
				if (rec.Code != http.StatusMisdirectedRequest) != c.ok {
					t.Errorf("%s: %d", path, rec.Code)
				}
				if rec.Header().Get("Content-Security-Policy") == "" {
					t.Errorf("%s: an answer without the headers of all pages", path)
				}
			}
		})
	}
}
