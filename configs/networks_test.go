package configs_test

import (
	"net/netip"
	"testing"

	"github.com/hookgate/hookgate/configs"
)

func TestNetworks(t *testing.T) {
	t.Parallel()
	got, err := configs.Networks([]string{"192.0.2.7", "192.0.2.0/24", "2001:db8::7", "2001:DB8::/32", "0.0.0.0/0", "::/0"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"192.0.2.7/32", "192.0.2.0/24", "2001:db8::7/128", "2001:db8::/32", "0.0.0.0/0", "::/0"} {
		if got[i] != netip.MustParsePrefix(want) {
			t.Errorf("%s, want %s", got[i], want)
		}
	}
	for _, bad := range []string{
		"", "x", "192.0.2", "192.0.2.1/33", "192.0.2.1/-1", "192.0.2.1/", "/24", "192.0.2.0/024", "192.0.2.0/24 ", " 192.0.2.0", "192.0.2.01", "192.0.2.1:80",
		"192.0.2.7/24", "2001:db8::1/32", "fe80::1%eth0", "fe80::/10%eth0", "fe80::%eth0/10", "::ffff:192.0.2.1", "::ffff:192.0.2.0/120", "[::1]", "*", "0xC0000201",
	} {
		if got, err := configs.Networks([]string{bad}); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
	if got, err := configs.Networks(nil); len(got) != 0 || err != nil {
		t.Errorf("nothing is %v, %v", got, err)
	}
}
