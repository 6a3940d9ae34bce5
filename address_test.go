package hookgate_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// untouchable is a body that must not be read.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, http.ErrBodyReadAfterClose
}

// TestH09_WhoIsDeniedIsNotHeard: nothing of a sender outside of the list is read, judged, stored or answered but with 401,
// and it spends its budget. Without a known address nobody is on a list.
func TestH09_WhoIsDeniedIsNotHeard(t *testing.T) {
	t.Parallel()
	list := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("fe80::/10")}
	for name, c := range map[string]struct {
		peer    string
		allowed bool
	}{
		"IPv4":                   {"203.0.113.7:80", true},
		"IPv6":                   {"[2001:db8::1]:80", true},
		"IPv4 written as IPv6":   {"[::ffff:203.0.113.7]:80", true},
		"a zone":                 {"[fe80::1%eth0]:80", true},
		"another IPv4":           {"203.0.114.7:80", false},
		"another IPv6":           {"[2001:db9::1]:80", false},
		"another in disguise":    {"[::ffff:203.0.114.7]:80", false},
		"IPv4 in the wrong way":  {"[::203.0.113.7]:80", false},
		"nobody":                 {"", false},
		"a name":                 {"localhost:80", false},
		"an address and no port": {"203.0.113.7", false},
	} {
		for _, method := range []string{"POST", "HEAD", "GET", "PUT"} {
			k, left := new(keeper), budget(5)
			g := &hookgate.Gateway{Journal: k, Now: time.Now, Strangers: &left}
			g.SetSources([]*hookgate.Source{{
				Name: "test", Provider: "keeper", Path: "/hooks/test", Verifiers: []hookgate.Verifier{k}, Reader: k, MaxBody: 1024, Allow: list,
			}})
			r := httptest.NewRequest(method, "/hooks/test", strings.NewReader("{}"))
			if !c.allowed {
				r = httptest.NewRequest(method, "/hooks/test", untouchable{t})
			}
			r.Header.Set("Word", "open")
			r.RemoteAddr = c.peer
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if c.allowed {
				if w.Code == http.StatusUnauthorized || left != 5 {
					t.Errorf("%s of %s: %d, %d of 5 left", method, name, w.Code, left)
				}
				continue
			}
			if w.Code != http.StatusUnauthorized || k.verified != nil || k.stored != nil || w.Body.Len() > 0 || left != 4 {
				t.Errorf("%s of %s: %d, verified %q, stored %q, %d of 5 left", method, name, w.Code, k.verified, k.stored, left)
			}
		}
	}
}

// TestH10_AParty: whoever has one IPv6 address has 2^64 of them, and an address has one name however it is written.
func TestH10_AParty(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1%eth0": "192.0.2.1", "192.0.2.2": "192.0.2.2",
		"2001:db8:1:2::1": "2001:db8:1:2::/64", "2001:DB8:1:2:ffff::9": "2001:db8:1:2::/64", "2001:db8:1:3::1": "2001:db8:1:3::/64",
		"fe80::1%eth0": "fe80::/64", "::192.0.2.1": "::/64",
	} {
		if got := hookgate.Party(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	if got := hookgate.Party(netip.Addr{}); got != "" {
		t.Errorf("nobody is %q", got)
	}
}
