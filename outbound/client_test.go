package outbound

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// wireOf answers one connection at a time and gives the requests as they came over it, up to the body.
func wireOf(t *testing.T) (url string, next func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heads := make(chan []string, 16)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				r := bufio.NewReader(conn)
				var lines []string
				length := 0
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					line = strings.TrimSuffix(line, "\r\n")
					if line == "" {
						break
					}
					if _, n, found := strings.Cut(line, "Content-Length: "); found {
						for _, c := range n {
							length = length*10 + int(c-'0')
						}
					}
					lines = append(lines, line)
				}
				_, _ = io.CopyN(io.Discard, r, int64(length))
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				heads <- lines
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return "http://" + l.Addr().String(), func() []string {
		select {
		case lines := <-heads:
			return lines
		case <-time.After(20 * time.Second):
			t.Fatal("no request came")
			return nil
		}
	}
}

// TestWire demands the request's head byte by byte: the target as it is written, no header that nobody asked for, and
// names in lower case where the provider writes them so.
func TestWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		target string // after scheme://host
		lower  bool
		custom map[string]string
		want   []string // beside Host
	}{
		{"plain", "/hook", false, nil, []string{"POST /hook HTTP/1.1", "Content-Length: 2", "Content-Type: text/x", "X-Attempt: 1"}},
		{"no path", "", false, nil, []string{"POST / HTTP/1.1", "Content-Length: 2", "Content-Type: text/x", "X-Attempt: 1"}},
		{"query alone", "?a=1", false, nil, []string{"POST /?a=1 HTTP/1.1", "Content-Length: 2", "Content-Type: text/x", "X-Attempt: 1"}},
		{"odd target", "/a|b/%7e/;x//y?q=[1]&r=%c3%a9+{}^", false, nil,
			[]string{"POST /a|b/%7e/;x//y?q=[1]&r=%c3%a9+{}^ HTTP/1.1", "Content-Length: 2", "Content-Type: text/x", "X-Attempt: 1"}},
		{"empty query", "/h?", false, nil, []string{"POST /h? HTTP/1.1", "Content-Length: 2", "Content-Type: text/x", "X-Attempt: 1"}},
		{"fragment", "/h?a#top", false, nil, []string{"POST /h?a HTTP/1.1", "Content-Length: 2", "Content-Type: text/x", "X-Attempt: 1"}},
		{"custom", "/", false, map[string]string{"x-KEY": "1", "content-type": "b/c", "User-Agent": "me"},
			[]string{"POST / HTTP/1.1", "Content-Length: 2", "User-Agent: me", "X-Attempt: 1", "content-type: b/c", "x-KEY: 1"}},
		{"lower", "/", true, map[string]string{"X-Key": "1", "User-Agent": "me"},
			[]string{"POST / HTTP/1.1", "Content-Length: 2", "content-type: text/x", "user-agent: me", "x-attempt: 1", "x-key: 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, next := wireOf(t)
			s := open(t, storePath(t), nil, func(_ *Options, p *provider) {
				p.lowerHeaders = c.lower
				p.write = func(*Subscription, *Delivery, int) (http.Header, []byte, error) {
					return http.Header{"Content-Type": {"text/x"}, "X-Attempt": {"1"}}, []byte("{}"), nil
				}
			})
			start(t, s)
			subscribe(t, s, "a", url+c.target, func(sub *Subscription) { sub.Headers = c.custom })
			settled(t, s, publish(t, s, `1`), 1)
			got := next()
			host := slices.IndexFunc(got, func(line string) bool { return line == "Host: "+strings.TrimPrefix(url, "http://") })
			if host < 0 {
				t.Fatalf("no Host among %q", got)
			}
			got = slices.Delete(got, host, host+1)
			slices.Sort(got[1:])
			if !slices.Equal(got, c.want) {
				t.Errorf("\n%q, not\n%q", got, c.want)
			}
		})
	}
}

func TestHeadersOfTheTransport(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, nil)
	for _, name := range []string{"Host", "content-length", "Transfer-Encoding"} {
		a := s.Call(t.Context(), &Subscription{Provider: "bird", URL: "http://127.0.0.1:1/", Headers: map[string]string{name: "1"}}, "POST", nil, nil)
		if !strings.Contains(a.Error, name+" cannot be set") {
			t.Errorf("%s: %q", name, a.Error)
		}
	}
}

// TestO01_InsideIsRefused demands that no way of writing an address inside leads there.
func TestO01_InsideIsRefused(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, nil, nil)
	_, port, err := net.SplitHostPort(rc.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, storePath(t), nil, func(o *Options, p *provider) {
		o.AllowPrivate = false
		p.retries = nil
	})
	start(t, s)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[fe80::1]", "[fd00::1]", "[::]", "127.1.2.3"} {
		a := s.Call(t.Context(), &Subscription{Provider: "bird", URL: "http://" + host + ":" + port + "/", Timeout: time.Second}, "POST", nil, nil)
		if a.Status != 0 || !strings.Contains(a.Error, "is an address inside; allow_private permits it") {
			t.Errorf("%s: %d %q", host, a.Status, a.Error)
		}
	}
	// A token is not fetched from inside either, and a delivery ends as any that fails.
	subscribe(t, s, "a", "http://192.0.2.1/", func(sub *Subscription) {
		sub.Auth = []Auth{{Scheme: "bearer", OAuth: &OAuth{Grant: "client_credentials", TokenURL: rc.URL, ClientID: "c", ClientSecret: "s3cr3t"}}}
	})
	if d := settled(t, s, publish(t, s, `1`), 1); d.State != Failed || !strings.Contains(d.LastError, "no token: the token endpoint: dial tcp 127.0.0.1:"+port) {
		t.Errorf("%+v", d)
	}
	if n := rc.count(); n != 0 {
		t.Errorf("%d requests came inside", n)
	}
}

// TestO01_NameThatChanges resolves a name first to a public address and then to one inside.
func TestO01_NameThatChanges(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, nil, nil)
	addr := rc.Listener.Addr().(*net.TCPAddr)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	answer := [4]byte{93, 184, 216, 34}
	queries := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			mu.Lock()
			queries++
			_, _ = pc.WriteTo(dnsAnswer(buf[:n], answer), from)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = pc.Close(); <-done })
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
	permitted := errors.New("permitted") // and not connected to: a test stays at home
	dialer := *newClient(Options{}).dialer
	judge := dialer.Control
	dialer.Resolver = resolver
	dialer.Control = func(network, address string, c syscall.RawConn) error {
		return cmp.Or(judge(network, address, c), permitted)
	}
	dial := func() error {
		conn, err := dialer.DialContext(t.Context(), "tcp4", net.JoinHostPort("hooks.example.com", "65000"))
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	if err := dial(); !errors.Is(err, permitted) {
		t.Errorf("first: %v", err)
	}
	mu.Lock()
	answer = [4]byte(addr.IP.To4())
	mu.Unlock()
	if err := dial(); err == nil || !strings.Contains(err.Error(), "127.0.0.1 is an address inside") {
		t.Errorf("then: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if queries < 2 {
		t.Errorf("%d queries", queries)
	}
}

// dnsAnswer answers an A query with an address and any other with nothing.
func dnsAnswer(query []byte, a [4]byte) []byte {
	if len(query) < 12 {
		return nil
	}
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	out := append([]byte(nil), query[:end]...)
	binary.BigEndian.PutUint16(out[2:], 0x8180)
	binary.BigEndian.PutUint16(out[6:], 0)
	binary.BigEndian.PutUint16(out[8:], 0)
	binary.BigEndian.PutUint16(out[10:], 0)
	if binary.BigEndian.Uint16(query[end-4:]) != 1 {
		return out
	}
	binary.BigEndian.PutUint16(out[6:], 1)
	out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(out, a[:]...)
}

// TestO01_ProxyIsNotUsed cannot run beside others, because the environment is everybody's.
func TestO01_ProxyIsNotUsed(t *testing.T) {
	proxy := newReceiver(t, nil, nil)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	s := open(t, storePath(t), nil, func(o *Options, _ *provider) { o.AllowPrivate = false })
	a := s.Call(t.Context(), &Subscription{Provider: "bird", URL: "http://10.1.2.3/", Timeout: time.Second}, "POST", nil, nil)
	if proxy.count() != 0 || !strings.Contains(a.Error, "is an address inside") {
		t.Errorf("%d requests, %q", proxy.count(), a.Error)
	}
}

// TestO03_LongAnswer demands that no more of an endless answer is read than 64 KiB, and that it counts.
func TestO03_LongAnswer(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, nil, func(_ int, w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 8192)); err != nil {
				return
			}
		}
	})
	s := open(t, storePath(t), nil, nil)
	a := s.Call(t.Context(), &Subscription{Provider: "bird", URL: rc.URL}, "POST", nil, []byte("x"))
	if a.Error != "" || a.Status != 200 || len(a.Response) != 4096 {
		t.Errorf("%d, %q, %d bytes", a.Status, a.Error, len(a.Response))
	}
}

// TestErrorsKeepSecrets demands that a URL, which may hold a token, is in no error.
func TestErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, func(o *Options, _ *provider) { o.AllowPrivate = false })
	for _, url := range []string{"http://127.0.0.1/t0k3n?k=t0k3n", "http://user:t0k3n@127.0.0.1/", "://t0k3n", "http://127.0.0.1:99999/t0k3n", "ftp://x/t0k3n", "http://[t0k3n/"} {
		a := s.Call(t.Context(), &Subscription{Provider: "bird", URL: url}, "POST", nil, nil)
		if a.Error == "" || strings.Contains(a.Error, "t0k3n") {
			t.Errorf("%s: %q", url, a.Error)
		}
	}
}

// TestClientCertificate delivers to a receiver that demands one, over TLS with the authorities of the options.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	certificate, key, pool := selfSigned(t)
	names := make(chan string, 4)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names <- r.TLS.PeerCertificates[0].Subject.CommonName + " " + r.Proto
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, NextProtos: []string{"h2", "http/1.1"}}
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	s := open(t, storePath(t), nil, func(o *Options, _ *provider) { o.TLS = &tls.Config{RootCAs: roots} })
	sub := &Subscription{Provider: "bird", URL: server.URL, Auth: []Auth{{Scheme: "client-certificate", Certificate: certificate, CertificateKey: key}}}
	for range 2 {
		if a := s.Call(t.Context(), sub, "POST", nil, nil); a.Error != "" {
			t.Fatal(a.Error)
		}
		if got := <-names; got != "a client HTTP/1.1" {
			t.Errorf("the receiver saw %q", got)
		}
	}
	sub.Auth = nil
	if a := s.Call(t.Context(), sub, "POST", nil, nil); a.Error == "" || a.Status != 0 {
		t.Errorf("without a certificate: %d", a.Status)
	}
	sub.Auth = []Auth{{Scheme: "client-certificate", Certificate: certificate, CertificateKey: "s3cr3t"}}
	if a := s.Call(t.Context(), sub, "POST", nil, nil); !strings.Contains(a.Error, "no pair") || strings.Contains(a.Error, "s3cr3t") {
		t.Errorf("with a wrong key: %q", a.Error)
	}
	other := open(t, storePath(t), nil, nil)
	if a := other.Call(t.Context(), sub, "POST", nil, nil); a.Error == "" {
		t.Error("an unknown authority was accepted")
	}
}

func selfSigned(t *testing.T) (certificate, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a client"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), pool
}
