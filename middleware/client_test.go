package middleware_test

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/middleware"
)

// behind trusts 10.0.0.0/8 and 2001:db8:f::/48.
func behind(header string) *middleware.Clients {
	c := new(middleware.Clients)
	c.Set(middleware.Proxies{
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:f::/48")},
		Header:  header,
	})
	return c
}

// from is a request of a peer with the values of a header, one a line.
func from(peer, header string, values ...string) *http.Request {
	r := httptest.NewRequest("POST", "/hooks/care", nil)
	r.RemoteAddr = peer
	for _, v := range values {
		r.Header.Add(header, v)
	}
	return r
}

const proxy, stranger = "10.0.0.1:4711", "198.51.100.9:4711"

func TestH09_XForwardedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer   string
		values []string
		want   string
	}{
		"no header":                         {proxy, nil, "10.0.0.1"},
		"a stranger's header":               {stranger, []string{"203.0.113.1"}, "198.51.100.9"},
		"a stranger who names a proxy":      {stranger, []string{"203.0.113.1, 10.0.0.1"}, "198.51.100.9"},
		"one hop":                           {proxy, []string{"203.0.113.1"}, "203.0.113.1"},
		"a forged one in front":             {proxy, []string{"192.0.2.1, 203.0.113.1"}, "203.0.113.1"},
		"a forged chain of proxies":         {proxy, []string{"192.0.2.1, 10.0.0.2, 203.0.113.1"}, "203.0.113.1"},
		"two proxies":                       {proxy, []string{"203.0.113.1, 10.0.0.2"}, "203.0.113.1"},
		"two proxies, forged in front":      {proxy, []string{"192.0.2.1, 203.0.113.1, 10.0.0.2"}, "203.0.113.1"},
		"two lines":                         {proxy, []string{"192.0.2.1", "203.0.113.1"}, "203.0.113.1"},
		"two lines, a proxy in the last":    {proxy, []string{"192.0.2.1, 203.0.113.1", "10.0.0.2"}, "203.0.113.1"},
		"a line of one's own behind":        {proxy, []string{"203.0.113.1", "10.0.0.2, 192.0.2.1"}, "192.0.2.1"},
		"all are proxies":                   {proxy, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"a peer in IPv6":                    {"[2001:db8:f::1]:4711", []string{"2001:db8::7"}, "2001:db8::7"},
		"a peer in IPv6 that is none":       {"[2001:db8:e::1]:4711", []string{"2001:db8::7"}, "2001:db8:e::1"},
		"a peer mapped into IPv6":           {"[::ffff:10.0.0.1]:4711", []string{"203.0.113.1"}, "203.0.113.1"},
		"a hop mapped into IPv6":            {proxy, []string{"203.0.113.1, ::ffff:10.0.0.2"}, "203.0.113.1"},
		"a stranger mapped into IPv6":       {proxy, []string{"10.0.0.9, ::ffff:203.0.113.1"}, "203.0.113.1"},
		"brackets":                          {proxy, []string{"[2001:db8::7]"}, "2001:db8::7"},
		"brackets and port":                 {proxy, []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"port":                              {proxy, []string{"203.0.113.1:4711"}, "203.0.113.1"},
		"upper case":                        {proxy, []string{"2001:DB8::7"}, "2001:db8::7"},
		"white space":                       {proxy, []string{" \t203.0.113.1\t "}, "203.0.113.1"},
		"a peer with a zone":                {"[fe80::1%eth0]:4711", []string{"203.0.113.1"}, "fe80::1"},
		"a zone":                            {proxy, []string{"fe80::1%eth0"}, "10.0.0.1"},
		"a zone on a proxy":                 {proxy, []string{"203.0.113.1, 2001:db8:f::2%eth0"}, "10.0.0.1"},
		"a zone on a mapped one":            {proxy, []string{"203.0.113.1, ::ffff:10.0.0.2%a"}, "10.0.0.1"},
		"unknown":                           {proxy, []string{"203.0.113.1, unknown"}, "10.0.0.1"},
		"unknown behind a proxy":            {proxy, []string{"203.0.113.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		"an obfuscated word":                {proxy, []string{"203.0.113.1, _hidden"}, "10.0.0.1"},
		"nothing between commas":            {proxy, []string{"203.0.113.1, "}, "10.0.0.1"},
		"an empty line behind":              {proxy, []string{"203.0.113.1", ""}, "10.0.0.1"},
		"a name":                            {proxy, []string{"203.0.113.1, localhost"}, "10.0.0.1"},
		"leading zeros":                     {proxy, []string{"203.0.113.1, 010.0.0.2"}, "10.0.0.1"},
		"a number":                          {proxy, []string{"203.0.113.1, 167772162"}, "10.0.0.1"},
		"three parts":                       {proxy, []string{"203.0.113.1, 10.0.2"}, "10.0.0.1"},
		"a network":                         {proxy, []string{"203.0.113.1, 10.0.0.0/8"}, "10.0.0.1"},
		"a port without digits":             {proxy, []string{"203.0.113.1, 10.0.0.2:http"}, "10.0.0.1"},
		"a port of six digits":              {proxy, []string{"203.0.113.1, 10.0.0.2:004711"}, "10.0.0.1"},
		"no port behind the colon":          {proxy, []string{"203.0.113.1, 10.0.0.2:"}, "10.0.0.1"},
		"an open bracket":                   {proxy, []string{"203.0.113.1, [2001:db8:f::2"}, "10.0.0.1"},
		"something behind the bracket":      {proxy, []string{"203.0.113.1, [2001:db8:f::2]4711"}, "10.0.0.1"},
		"IPv4 in brackets":                  {proxy, []string{"203.0.113.1, [10.0.0.2]"}, "10.0.0.1"},
		"quotes":                            {proxy, []string{`203.0.113.1, "10.0.0.2"`}, "10.0.0.1"},
		"semicolons":                        {proxy, []string{"203.0.113.1, 10.0.0.2;x"}, "10.0.0.1"},
		"bytes beyond ASCII":                {proxy, []string{"203.0.113.1, 10.0.0.2\u00a0"}, "10.0.0.1"},
		"digits beyond ASCII":               {proxy, []string{"203.0.113.1, 10.0.0.\u0662"}, "10.0.0.1"},
		"31 proxies":                        {proxy, []string{"203.0.113.1" + strings.Repeat(", 10.0.0.2", 31)}, "203.0.113.1"},
		"32 proxies":                        {proxy, []string{"203.0.113.1" + strings.Repeat(", 10.0.0.2", 32)}, "10.0.0.2"},
		"32 proxies in lines of their own":  {proxy, append([]string{"203.0.113.1"}, strings.Fields(strings.Repeat("10.0.0.2 ", 32))...), "10.0.0.2"},
		"a long element":                    {proxy, []string{"203.0.113.1, 10.0.0.2" + strings.Repeat(" ", 20) + strings.Repeat("x", 300)}, "10.0.0.1"},
		"a peer that is no address":         {"@", []string{"203.0.113.1"}, "invalid IP"},
		"the other header, of a proxy":      {proxy, nil, "10.0.0.1"},
		"a sender whose address is a proxy": {proxy, []string{"10.0.0.9"}, "10.0.0.9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := from(c.peer, "X-Forwarded-For", c.values...)
			for _, other := range []string{"Forwarded", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip", "Client-Ip", "X-Forwarded-Host"} {
				r.Header.Set(other, "for=192.0.2.66")
			}
			if got, _ := behind("X-Forwarded-For").Client(r); got.String() != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestH09_Forwarded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values []string
		want   string
	}{
		"one hop":                       {[]string{"for=203.0.113.1"}, "203.0.113.1"},
		"all parameters":                {[]string{"by=10.0.0.1;for=203.0.113.1;host=a.example;proto=https"}, "203.0.113.1"},
		"quoted":                        {[]string{`for="203.0.113.1"`}, "203.0.113.1"},
		"quoted with a port":            {[]string{`for="203.0.113.1:4711"`}, "203.0.113.1"},
		"with a hidden port":            {[]string{`for="203.0.113.1:_a.b-c_D9"`}, "203.0.113.1"},
		"with a hidden port of nothing": {[]string{`for=203.0.113.1, for="10.0.0.2:_"`}, "10.0.0.1"},
		"with a hidden port of others":  {[]string{`for=203.0.113.1, for="10.0.0.2:_a/b"`}, "10.0.0.1"},
		"IPv6":                          {[]string{`for="[2001:db8::7]"`}, "2001:db8::7"},
		"IPv6 with a port":              {[]string{`For="[2001:db8::7]:4711";proto=http`}, "2001:db8::7"},
		"IPv4 mapped":                   {[]string{`for=203.0.113.1, for="[::ffff:10.0.0.2]"`}, "203.0.113.1"},
		"two proxies":                   {[]string{"for=192.0.2.1, for=203.0.113.1, for=10.0.0.2"}, "203.0.113.1"},
		"two lines":                     {[]string{"for=192.0.2.1", "for=203.0.113.1"}, "203.0.113.1"},
		"empty parts":                   {[]string{";for=203.0.113.1;;"}, "203.0.113.1"},
		"upper case":                    {[]string{"FOR=203.0.113.1"}, "203.0.113.1"},
		"an open quote in front":        {[]string{`for="192.0.2.1, for=203.0.113.1`}, "203.0.113.1"},
		"a quote around the comma":      {[]string{`for="a, for=203.0.113.1`}, "203.0.113.1"},
		"a host with a comma":           {[]string{`for=203.0.113.1;host="a, for=10.0.0.2"`}, "10.0.0.1"},
		"a host with a whole element":   {[]string{`for=203.0.113.1;host="a, for=192.0.2.1;b=c"`}, "10.0.0.1"},
		"a host with quotes within":     {[]string{`for=203.0.113.1;host="a, for=192.0.2.1;b=\""`}, "10.0.0.1"},
		"unknown":                       {[]string{"for=203.0.113.1, for=unknown"}, "10.0.0.1"},
		"obfuscated":                    {[]string{"for=203.0.113.1, for=_gazonk"}, "10.0.0.1"},
		"obfuscated and quoted":         {[]string{`for=203.0.113.1, for="_gazonk:80"`}, "10.0.0.1"},
		"no for":                        {[]string{"for=203.0.113.1, by=10.0.0.1;proto=https"}, "10.0.0.1"},
		"nothing":                       {[]string{"for=203.0.113.1, "}, "10.0.0.1"},
		"two for":                       {[]string{"for=203.0.113.1, for=10.0.0.2;for=10.0.0.3"}, "10.0.0.1"},
		"two for, one in capitals":      {[]string{"for=203.0.113.1, for=10.0.0.2;For=10.0.0.2"}, "10.0.0.1"},
		"a name like for":               {[]string{"for=203.0.113.1, xfor=10.0.0.2"}, "10.0.0.1"},
		"IPv6 without brackets":         {[]string{`for=203.0.113.1, for="2001:db8:f::2"`}, "10.0.0.1"},
		"IPv4 mapped without brackets":  {[]string{`for=203.0.113.1, for="::ffff:10.0.0.2"`}, "10.0.0.1"},
		"IPv6 without quotes":           {[]string{"for=203.0.113.1, for=[2001:db8:f::2]"}, "10.0.0.1"},
		"a port without quotes":         {[]string{"for=203.0.113.1, for=10.0.0.2:80"}, "10.0.0.1"},
		"an open quote":                 {[]string{`for=203.0.113.1, for="10.0.0.2`}, "10.0.0.1"},
		"a quote alone":                 {[]string{`for=203.0.113.1, for="`}, "10.0.0.1"},
		"something behind the quote":    {[]string{`for=203.0.113.1, for="10.0.0.2"x`}, "10.0.0.1"},
		"a backslash":                   {[]string{`for=203.0.113.1, for="10.0.0.\2"`}, "10.0.0.1"},
		"white space around the equals": {[]string{"for=203.0.113.1, for = 10.0.0.2"}, "10.0.0.1"},
		"white space between the parts": {[]string{"for=203.0.113.1, for=10.0.0.2; proto=http"}, "10.0.0.1"},
		"a part without a value":        {[]string{"for=203.0.113.1, for=10.0.0.2;proto"}, "10.0.0.1"},
		"an address alone":              {[]string{"for=203.0.113.1, 10.0.0.2"}, "10.0.0.1"},
		"32 proxies":                    {[]string{"for=203.0.113.1" + strings.Repeat(", for=10.0.0.2", 32)}, "10.0.0.2"},
		"a long element":                {[]string{"for=203.0.113.1, for=10.0.0.2;host=" + strings.Repeat("x", 300)}, "10.0.0.1"},
		"the other header alone is bad": {nil, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := from(proxy, "Forwarded", c.values...)
			r.Header.Set("X-Forwarded-For", "192.0.2.66")
			if got, _ := behind("Forwarded").Client(r); got.String() != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestH09_WhoMayShowACertificate: a peer's own handshake counts where it is the sender, and a proxy's word where it is ours.
func TestH09_WhoMayShowACertificate(t *testing.T) {
	t.Parallel()
	shown, passed := &x509.Certificate{}, selfSigned(t)
	escaped := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: passed.Raw})))
	const header = "X-Client-Certificate"
	for name, c := range map[string]struct {
		peer   string
		tls    bool
		named  string // the configured header
		values []string
		want   *x509.Certificate
	}{
		"a stranger in the clear":                  {stranger, false, header, []string{escaped}, nil},
		"a stranger with a certificate":            {stranger, true, header, []string{escaped}, shown},
		"a proxy that passes one":                  {proxy, false, header, []string{escaped}, passed},
		"a proxy that passes none":                 {proxy, false, header, nil, nil},
		"a proxy that passes two":                  {proxy, false, header, []string{escaped, escaped}, nil},
		"a proxy that passes what is none":         {proxy, false, header, []string{"x"}, nil},
		"a proxy with one of its own":              {proxy, true, header, nil, nil},
		"a proxy with its own that passes one":     {proxy, true, header, []string{escaped}, passed},
		"a proxy that is not asked":                {proxy, false, "", []string{escaped}, nil},
		"a proxy with its own that is not asked":   {proxy, true, "", []string{escaped}, nil},
		"a proxy that is asked for another header": {proxy, false, "Client-Cert", []string{escaped}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients := new(middleware.Clients)
			clients.Set(middleware.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Header: "X-Forwarded-For", CertificateHeader: c.named})
			r := from(c.peer, header, c.values...)
			r.TLS = nil
			if c.tls {
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{shown}}
			}
			_, got := clients.Client(r)
			if (c.want == nil) != (len(got) == 0) || len(got) > 0 && !got[0].Equal(c.want) {
				t.Errorf("certificates %v", got)
			}
		})
	}
}

// selfSigned is a certificate that proves nothing.
func selfSigned(t *testing.T) *x509.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestClients_NobodyIsTrustedUnlessSaid, and what is said can be taken back.
func TestClients_NobodyIsTrustedUnlessSaid(t *testing.T) {
	t.Parallel()
	clients := new(middleware.Clients)
	r := from(proxy, "X-Forwarded-For", "203.0.113.1")
	want := func(when, want string, trusted bool) {
		t.Helper()
		if got, _ := clients.Client(r); got.String() != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
		if got := clients.Trusts(netip.MustParseAddr("10.0.0.1")); got != trusted {
			t.Errorf("%s: trusts %v", when, got)
		}
	}
	want("at first", "10.0.0.1", false)
	clients.Set(middleware.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, Header: "X-Forwarded-For"})
	want("once trusted", "203.0.113.1", true)
	clients.Set(middleware.Proxies{Header: "X-Forwarded-For"})
	want("no longer", "10.0.0.1", false)
}

// TestClients_ADirectPeerCostsNothing is not parallel, because it counts what is allocated.
func TestClients_ADirectPeerCostsNothing(t *testing.T) {
	clients := behind("X-Forwarded-For")
	for name, r := range map[string]*http.Request{
		"IPv4":          from(stranger, "X-Forwarded-For", "203.0.113.1"),
		"IPv6":          from("[2001:db8::7]:4711", "X-Forwarded-For", "203.0.113.1"),
		"a proxy's own": from(proxy, "X-Forwarded-For", "192.0.2.1, 203.0.113.1"),
	} {
		if n := testing.AllocsPerRun(100, func() { clients.Client(r) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// FuzzForwarded: whatever a sender writes in front, and in however many lines, the address that our proxy puts behind it is
// the one that counts. And whatever stands there alone, the answer is the proxy or an address that stands there.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{
		"", "192.0.2.1", "10.0.0.2", "192.0.2.1, 10.0.0.2", `for="`, `for="a, for=10.0.0.2`, `for="[2001:db8::7]:80";by=_x`, "unknown", "_x", ",", ";", `"`,
		`\"`, "[::ffff:10.0.0.1]:80", "fe80::1%eth0", "10.0.0.1:80", strings.Repeat("10.0.0.2,", 40), strings.Repeat("for=10.0.0.2,", 40), "a\nb",
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, first, last string) {
		const real = "203.0.113.1"
		for header, own := range map[string]string{"X-Forwarded-For": real, "Forwarded": "for=" + real + ";proto=https"} {
			clients := behind(header)
			for _, values := range [][]string{{first, last + ", " + own}, {first, last, own}, {first + "," + last + "," + own}} {
				if got, _ := clients.Client(from(proxy, header, values...)); got.String() != real {
					t.Errorf("%q is from %s", values, got)
				}
			}
			got, _ := clients.Client(from(proxy, header, first, last))
			if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
				t.Errorf("%q and %q are from %s", first, last, got)
			}
			if got, _ := clients.Client(from(stranger, header, first, last)); got.String() != "198.51.100.9" {
				t.Errorf("%q and %q of a stranger are from %s", first, last, got)
			}
		}
	})
}
