package forward

import (
	"net"
	"net/netip"
	"testing"
)

// THREATS O1: the address that is connected to is judged, whatever the URL says.
func TestO01_GuardJudgesTheConnectedAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
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
		{"example.com", false, "::ffff:93.184.216.34", false},
		{"example.com", false, "::127.0.0.1", false},
		{"example.com", false, "64:ff9b::7f00:1", false},
		{"example.com", false, "64:ff9b:1::1", false},
		{"example.com", false, "2002:7f00:1::", false},
		{"example.com", false, "2001:0:1::1", false},
		{"example.com", true, "10.0.0.1", true},
		{"example.com", true, "127.0.0.1", true},
		{"10.0.0.1", false, "10.0.0.1", true},
		{"10.0.0.1", false, "10.0.0.2", false},
		{"::1", false, "::1", true},
		{"::1", false, "127.0.0.1", false},
		{"localhost", false, "127.0.0.1", true},
		{"LOCALHOST", false, "::1", true},
		{"localhost", false, "10.0.0.1", false},
		{"localhost.example.com", false, "127.0.0.1", false},
	}
	for _, test := range tests {
		network := "tcp6"
		if a := netip.MustParseAddr(test.to); a.Is4() {
			network = "tcp4"
		}
		err := newGuard(test.host, test.private).control(network, net.JoinHostPort(test.to, "443"), nil)
		if (err == nil) != test.ok {
			t.Errorf("%s (allow_private %v) to %s: %v", test.host, test.private, test.to, err)
		}
	}
	if newGuard("h", true).control("udp4", "93.184.216.34:53", nil) == nil || newGuard("h", true).control("tcp4", "nonsense", nil) == nil {
		t.Error("takes what it does not understand")
	}
}

// The guard sits in the dialer: a name that resolves to loopback is refused before a byte is sent.
func TestO01_GuardSitsInTheDialer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for host, ok := range map[string]bool{"example.com": false, "127.0.0.1": true, "localhost": true} {
		c, err := newGuard(host, false).dialer(defaultTimeout).DialContext(t.Context(), "tcp", l.Addr().String())
		if (err == nil) != ok {
			t.Errorf("%s: %v", host, err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}

func TestO01_OddHosts(t *testing.T) {
	t.Parallel()
	for host, odd := range map[string]bool{
		"127.1": true, "2130706433": true, "0x7f000001": true, "0x7f.1": true, "0177.0.0.1": true, "127.0.0.1.": true,
		"::ffff:127.0.0.1": true, "64:ff9b::1": true, "1.2.3.0X1": true,
		"example.com": false, "10.0.0.1": false, "::1": false, "localhost": false, "a1.example": false, "0xabc.example": false,
	} {
		if got := oddHost(host) != ""; got != odd {
			t.Errorf("%s: %v", host, got)
		}
	}
}
