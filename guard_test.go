package hookgate_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// judged asks the dialer of a guard, as it is asked before it connects.
func judged(host string, allowPrivate bool, network, address string) error {
	return hookgate.NewGuard(host, allowPrivate).Dialer(time.Second).Control(network, address, nil)
}

// TestO01_GuardJudgesTheConnectedAddress: whatever the URL says and whatever its name resolves to.
func TestO01_GuardJudgesTheConnectedAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		host    string // configured
		private bool   // allow_private
		to      string
		ok      bool
	}{
		{"example.com", false, "93.184.216.34", true},
		{"example.com", false, "2606:2800:220:1::1", true},
		{"example.com", false, "127.0.0.1", false},
		{"example.com", false, "127.9.9.9", false},
		{"example.com", false, "::1", false},
		{"example.com", false, "0.0.0.0", false},
		{"example.com", false, "0.1.2.3", false},
		{"example.com", false, "::", false},
		{"example.com", false, "10.0.0.1", false},
		{"example.com", false, "172.16.0.1", false},
		{"example.com", false, "192.168.1.1", false},
		{"example.com", false, "169.254.169.254", false},
		{"example.com", false, "100.64.0.1", false},
		{"example.com", false, "198.18.0.1", false},
		{"example.com", false, "224.0.0.1", false},
		{"example.com", false, "255.255.255.255", false},
		{"example.com", false, "fe80::1", false},
		{"example.com", false, "fe80::1%eth0", false},
		{"example.com", false, "fc00::1", false},
		{"example.com", false, "ff02::1", false},
		{"example.com", false, "::ffff:127.0.0.1", false},
		{"example.com", false, "::ffff:10.0.0.1", false},
		{"example.com", false, "::ffff:93.184.216.34", false},
		{"example.com", false, "::127.0.0.1", false},
		{"example.com", false, "64:ff9b::7f00:1", false},
		{"example.com", false, "64:ff9b::a00:1", false},
		{"example.com", false, "64:ff9b:1::1", false},
		{"example.com", false, "2002:7f00:1::", false},
		{"example.com", false, "2001:0:1::1", false},
		{"example.com", true, "93.184.216.34", true},
		{"example.com", true, "10.0.0.1", true},
		{"example.com", true, "127.0.0.1", true},
		{"example.com", true, "::ffff:10.0.0.1", true},
		{"example.com", true, "fe80::1%eth0", true},
		{"10.0.0.1", false, "10.0.0.1", true},
		{"10.0.0.1", false, "10.0.0.2", false},
		{"10.0.0.1", false, "127.0.0.1", false},
		{"10.0.0.1", false, "::ffff:10.0.0.1", false},
		{"::1", false, "::1", true},
		{"::1", false, "127.0.0.1", false},
		{"localhost", false, "127.0.0.1", true},
		{"localhost", false, "::1", true},
		{"LOCALHOST", false, "::1", true},
		{"localhost", false, "10.0.0.1", false},
		{"localhost", false, "93.184.216.34", true},
		{"localhost.example.com", false, "127.0.0.1", false},
		{"", false, "93.184.216.34", true},
		{"", false, "127.0.0.1", false},
		{"", false, "10.0.0.1", false},
		{"", true, "10.0.0.1", true},
	} {
		network := "tcp6"
		to := netip.MustParseAddr(test.to)
		if to.Is4() {
			network = "tcp4"
		}
		err := judged(test.host, test.private, network, net.JoinHostPort(test.to, "443"))
		if (err == nil) != test.ok {
			t.Errorf("%s (allow_private %v) to %s: %v", test.host, test.private, test.to, err)
		}
		if err != nil && err.Error() != to.String()+" is an address inside; allow_private permits it" {
			t.Errorf("%s to %s: no way out is shown: %v", test.host, test.to, err)
		}
	}
}

// TestO01_GuardTakesOnlyWhatItUnderstands: not even allow_private leads out of TCP.
func TestO01_GuardTakesOnlyWhatItUnderstands(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		for _, to := range [][2]string{
			{"udp4", "93.184.216.34:53"}, {"udp6", "[2606:2800:220:1::1]:53"}, {"unix", "93.184.216.34:443"}, {"tcp", "93.184.216.34:443"},
			{"tcp4", "nonsense"}, {"tcp6", "nonsense"}, {"tcp4", "93.184.216.34"}, {"tcp4", ""}, {"", ""},
		} {
			err := judged("example.com", private, to[0], to[1])
			if err == nil || err.Error() != "connection to "+to[1]+" by "+to[0]+" refused" {
				t.Errorf("%q by %q (allow_private %v): %v", to[1], to[0], private, err)
			}
		}
	}
}

// TestO01_GuardSitsInTheDialer: a name that resolves to loopback is refused before a byte is sent, and so for a guard that
// nobody has made.
func TestO01_GuardSitsInTheDialer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, c := range map[string]struct {
		guard hookgate.Guard
		ok    bool
	}{
		"a name":            {hookgate.NewGuard("example.com", false), false},
		"no name":           {hookgate.NewGuard("", false), false},
		"zero":              {hookgate.Guard{}, false},
		"the address":       {hookgate.NewGuard("127.0.0.1", false), true},
		"localhost":         {hookgate.NewGuard("localhost", false), true},
		"everything passes": {hookgate.NewGuard("example.com", true), true},
	} {
		conn, err := c.guard.Dialer(time.Minute).DialContext(t.Context(), "tcp", l.Addr().String())
		if (err == nil) != c.ok || (err != nil && !strings.Contains(err.Error(), "127.0.0.1 is an address inside")) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

func TestO01_OddHosts(t *testing.T) {
	t.Parallel()
	const number, other, fine = "is a number in place of a name", "stands for an IPv4 address", ""
	for host, want := range map[string]string{
		"127.1": number, "2130706433": number, "0x7f000001": number, "0X7F000001": number, "0x7f.1": number, "0177.0.0.1": number,
		"127.0.0.1.": number, "1.2.3.0X1": number, "1.2.3.0xff.": number, "example.0xcafe": number,
		"::ffff:127.0.0.1": other, "::ffff:93.184.216.34": other, "64:ff9b::1": other, "64:ff9b::7f00:1": other, "64:ff9b:1::1": other,
		"example.com": fine, "example.com.": fine, "10.0.0.1": fine, "::1": fine, "64:ff9c::1": fine, "localhost": fine, "a1.example": fine, "0xabc.example": fine,
		"example.cafe": fine, "1.2.3.cafe": fine, "1a": fine, "0xyz": fine, "127.0.0.1.example.com": fine,
	} {
		if got := hookgate.OddHost(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
