package outbound

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestO01_NumbersInDisguise: what a resolver may take for an address inside leads nowhere, whether it does or not.
func TestO01_NumbersInDisguise(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, nil, nil)
	_, port, err := net.SplitHostPort(rc.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, storePath(t), nil, func(o *Options, _ *provider) { o.AllowPrivate = false })
	for _, host := range []string{"127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[::127.0.0.1]", "①②⑦.0.0.1", "127。0。0。1"} {
		a := s.Call(t.Context(), &Subscription{Provider: "bird", URL: "http://" + host + ":" + port + "/", Timeout: 2 * time.Second}, "POST", nil, nil)
		if a.Status != 0 || a.Error == "" {
			t.Errorf("%s: %d %q", host, a.Status, a.Error)
		}
	}
	if n := rc.count(); n != 0 {
		t.Errorf("%d requests came inside", n)
	}
}

// TestO02_CredentialsFollowNoRedirect: whatever a receiver points to sees nothing, not even that there was a delivery.
func TestO02_CredentialsFollowNoRedirect(t *testing.T) {
	t.Parallel()
	other := newReceiver(t, nil, nil)
	for _, to := range []string{other.URL, "http://169.254.169.254/latest/meta-data/", "//" + strings.TrimPrefix(other.URL, "http://")} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			rc := newReceiver(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			})
			s := open(t, storePath(t), nil, nil)
			a := s.Call(t.Context(), &Subscription{Provider: "bird", URL: rc.URL, Headers: map[string]string{"Authorization": "Bearer t0k3n", "X-Api-Key": "t0k3n"}}, "POST", nil, []byte("x"))
			if a.Status != status || rc.count() != 1 {
				t.Errorf("%d to %s: status %d %q, %d requests", status, to, a.Status, a.Error, rc.count())
			}
		}
	}
	if n := other.count(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// TestO03_AnswersWithoutEnd, by header, by informational answers and by silence: none holds a delivery longer or costs more
// than its bounds. An endless body is TestO03_LongAnswer's.
func TestO03_AnswersWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(net.Conn){
		"header": func(c net.Conn) {
			_, err := fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
			for n := 0; err == nil; n++ {
				_, err = fmt.Fprintf(c, "X-%d: %s\r\n", n, strings.Repeat("a", 1000))
			}
		},
		"one header line": func(c net.Conn) {
			_, err := fmt.Fprint(c, "HTTP/1.1 200 OK\r\nX: ")
			for err == nil {
				_, err = fmt.Fprint(c, strings.Repeat("a", 1000))
			}
		},
		"status line": func(c net.Conn) {
			_, err := fmt.Fprint(c, "HTTP/1.1 200 ")
			for err == nil {
				_, err = fmt.Fprint(c, strings.Repeat("a", 1000))
			}
		},
		"informational": func(c net.Conn) {
			var err error
			for err == nil {
				_, err = fmt.Fprint(c, "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n")
			}
		},
		"chunk extension": func(c net.Conn) {
			_, err := fmt.Fprint(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")
			for err == nil {
				_, err = fmt.Fprint(c, strings.Repeat("a", 1000))
			}
		},
		"silence": func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1<<16))
			_, _ = c.Read(make([]byte, 1<<16)) // until the other side has had enough
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				answer(c)
			}()
			t.Cleanup(func() { _ = l.Close(); <-ended })
			s := open(t, storePath(t), wallClock{}, nil)
			silent, timeout := name == "silence", 10*time.Second
			if silent {
				timeout = 2 * time.Second
			}
			a := s.Call(t.Context(), &Subscription{Provider: "bird", URL: "http://" + l.Addr().String(), Timeout: timeout}, "POST", nil, []byte("x"))
			if late := strings.HasPrefix(a.Error, "no whole answer within"); a.Error == "" || late != silent { // all others end by their size
				t.Errorf("%d, %d bytes: %q", a.Status, len(a.Response), a.Error)
			}
			if len(a.Response) > keptAnswer {
				t.Errorf("%d bytes were kept", len(a.Response))
			}
		})
	}
}
