package forward

import (
	"net"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
)

// The guard sits in the dialer of every destination: a name that resolves to loopback is refused before a byte is sent, and
// a proxy, which would connect in our place, is never asked for.
func TestO01_GuardSitsInTheDestination(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		host        string // configured, in place of a name that resolves to where the listener is
		private, ok bool
	}{
		{"example.com", false, false},
		{"example.com", true, true},
		{"10.0.0.1", false, false},
		{"127.0.0.1", false, true},
		{"localhost", false, true},
	} {
		opened, err := openHTTP(hookgate.DestinationSettings{
			URL: hookgate.NewSecret([]byte("http://"+c.host+"/in"), "literal"), AllowPrivate: c.private, Timeout: defaultTimeout,
		}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		pool := opened.(*httpTarget).pool
		if pool.Proxy != nil {
			t.Error("a proxy is asked for")
		}
		conn, err := pool.DialContext(t.Context(), "tcp", l.Addr().String())
		if (err == nil) != c.ok || (err != nil && !strings.Contains(err.Error(), "127.0.0.1 is an address inside; allow_private permits it")) {
			t.Errorf("%+v: %v", c, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}
