package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/outbound"
)

// clients are a server and those who may call it.
type clients struct {
	*secured
	ours                *authority // issues the senders' certificates
	right, old, renewed *authority
}

// newClients runs a program with one source a way of judging certificates.
func newClients(t *testing.T) *clients {
	t.Helper()
	c := &clients{ours: newAuthority(t, "senders-ca")}
	c.right = c.ours.issue(t, "hooks.sender.example", nil)
	c.old, c.renewed = (*authority)(nil).issue(t, "pinned", nil), (*authority)(nil).issue(t, "pinned", nil)
	ca := put(t, filepath.Join(t.TempDir(), "senders.pem"), c.ours.pem)
	c.secured = secure(t, fmt.Sprintf(`
  - name: named
    provider: sprinklr
    auth: [{scheme: client-certificate, ca: [file:%s], names: [hooks.sender.example]}]
  - name: pinned
    provider: sprinklr
    auth: [{scheme: client-certificate, fingerprints: ["%s", "%s"]}]
  - name: inbox
    provider: commbox
    auth: [{scheme: client-certificate, ca: [file:%s], names: [hooks.sender.example]}]
  - name: double
    provider: sprinklr
    auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}, {scheme: client-certificate, ca: [file:%s], names: [hooks.sender.example]}]
`, ca, c.old.fingerprint(), c.renewed.fingerprint(), ca, ca))
	return c
}

func (a *authority) fingerprint() string {
	digest := sha256.Sum256(a.Leaf.Raw)
	return hex.EncodeToString(digest[:])
}

// TestH11_Clients is the table of clients, each with a connection of its own, over either version of TLS and of HTTP.
func TestH11_Clients(t *testing.T) {
	t.Parallel()
	c := newClients(t)
	between := c.ours.issue(t, "between", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
	behind := between.issue(t, "hooks.sender.example", nil)
	chain := behind.Certificate
	chain.Certificate = append(chain.Certificate, between.Certificate.Certificate[0])
	rows := []struct {
		name, path  string
		shown       *tls.Certificate
		status      int
		reason      string
		verifiedBy  string
		detail      string
		withoutSign bool
	}{
		{name: "right", path: "named", shown: &c.right.Certificate, status: 200, verifiedBy: "client-certificate"},
		{name: "none", path: "named", status: 401, reason: "header_missing", detail: "showed no client certificate"},
		{name: "chain", path: "named", shown: &chain, status: 200, verifiedBy: "client-certificate"},
		{name: "chain without its middle", path: "named", shown: &behind.Certificate, status: 401, reason: "certificate_refused", detail: "issued by none of the 1 authorities"},
		{name: "other authority", path: "named", shown: &newAuthority(t, "other").issue(t, "hooks.sender.example", nil).Certificate, status: 401, reason: "certificate_refused", detail: "issued by none"},
		{name: "authority of the same name", path: "named", shown: &newAuthority(t, "senders-ca").issue(t, "hooks.sender.example", nil).Certificate, status: 401, reason: "certificate_refused", detail: "not signed by its key"},
		{name: "the server's authority", path: "named", shown: &c.ca.issue(t, "hooks.sender.example", nil).Certificate, status: 401, reason: "certificate_refused", detail: "issued by none"},
		{name: "self-made, same name", path: "named", shown: &(*authority)(nil).issue(t, "hooks.sender.example", nil).Certificate, status: 401, reason: "certificate_refused", detail: "issued by none"},
		{name: "expired", path: "named", shown: &c.ours.issue(t, "hooks.sender.example", func(x *x509.Certificate) { x.NotAfter = time.Now().Add(-time.Minute) }).Certificate, status: 401, reason: "certificate_refused", detail: "has expired"},
		{name: "not yet valid", path: "named", shown: &c.ours.issue(t, "hooks.sender.example", func(x *x509.Certificate) { x.NotBefore = time.Now().Add(time.Hour) }).Certificate, status: 401, reason: "certificate_refused", detail: "not yet valid"},
		{name: "other name", path: "named", shown: &c.ours.issue(t, "evil.example", nil).Certificate, status: 401, reason: "certificate_refused", detail: "not for one of the 1 names"},
		{name: "server's usage", path: "named", shown: &c.ours.issue(t, "hooks.sender.example", func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }).Certificate, status: 401, reason: "certificate_refused", detail: "not for client authentication"},
		{name: "issued by a client", path: "named", shown: &c.right.issue(t, "hooks.sender.example", nil).Certificate, status: 401, reason: "certificate_refused", detail: "issued by none"},
		{name: "pinned, old", path: "pinned", shown: &c.old.Certificate, status: 200, verifiedBy: "client-certificate"},
		{name: "pinned, new", path: "pinned", shown: &c.renewed.Certificate, status: 200, verifiedBy: "client-certificate"},
		{name: "pinned, another of the same name", path: "pinned", shown: &(*authority)(nil).issue(t, "pinned", nil).Certificate, status: 401, reason: "certificate_refused", detail: "none of the 2 listed"},
		{name: "of another source", path: "pinned", shown: &c.right.Certificate, status: 401, reason: "certificate_refused", detail: "none of the 2 listed"},
		{name: "signature and certificate", path: "double", shown: &c.right.Certificate, status: 200, verifiedBy: "hub-signature,client-certificate"},
		{name: "signature alone", path: "double", status: 401, reason: "header_missing", detail: "showed no client certificate"},
		{name: "certificate alone", path: "double", shown: &c.right.Certificate, status: 401, reason: "header_missing", detail: "X-Hub-Signature", withoutSign: true},
		{name: "signature where no certificate is needed", path: "care", status: 200, verifiedBy: "hub-signature"},
		{name: "a certificate where none is needed", path: "care", shown: &c.old.Certificate, status: 200, verifiedBy: "hub-signature"},
	}
	var n bodies
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, http2 := range []bool{false, true} {
			for _, row := range rows {
				name := fmt.Sprintf("%s over %s, HTTP/2 %v", row.name, tls.VersionName(version), http2)
				client := c.client(t, row.shown, func(config *tls.Config) { config.MinVersion, config.MaxVersion = version, version })
				client.Transport.(*http.Transport).ForceAttemptHTTP2 = http2
				body := n.next()
				sig := sign(body)
				if row.withoutSign {
					sig = ""
				}
				before, logged := c.stored(t), len(c.stderr.String())
				resp, err := c.deliver(t.Context(), client, "/hooks/"+row.path, body, sig)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if resp.StatusCode != row.status || (resp.ProtoMajor == 2) != http2 || resp.TLS.Version != version {
					t.Errorf("%s: %d over %s, %s; want %d", name, resp.StatusCode, resp.Proto, tls.VersionName(resp.TLS.Version), row.status)
				}
				if grown := c.stored(t) - before; (grown == 1) != (row.status == 200) {
					t.Errorf("%s: %d events were stored", name, grown)
				}
				eventually(t, name+": the line of the request", func() (bool, string) {
					line := c.stderr.String()[logged:]
					ok := strings.Contains(line, `"reason":"`+row.reason+`"`) && strings.Contains(line, row.detail)
					if row.status == 200 {
						ok = strings.Contains(line, `"verifiedby":"`+row.verifiedBy+`"`)
					}
					return ok, line
				})
			}
		}
	}
}

// TestH11_OldVersions: nothing before TLS 1.2 is spoken, asked by Go and by openssl.
func TestH11_OldVersions(t *testing.T) {
	t.Parallel()
	s := secure(t, "")
	for version, good := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", s.Hooks, &tls.Config{RootCAs: s.ca.pool(), MinVersion: version, MaxVersion: version})
		if (err == nil) != good {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			_ = conn.Close()
		} else if !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("%s is refused for another reason: %v", tls.VersionName(version), err)
		}
	}
	ca := put(t, filepath.Join(s.dir, "ca.pem"), s.ca.pem)
	for version, good := range map[string]bool{"-tls1": false, "-tls1_1": false, "-tls1_2": true, "-tls1_3": true} {
		out, err := openssl(t, "s_client", "-connect", s.Hooks, "-CAfile", ca, "-verify_return_error", "-cipher", "DEFAULT:@SECLEVEL=0", version)
		if (err == nil) != good {
			t.Errorf("openssl %s: %v\n%s", version, err, out)
		}
	}
	// A log that strangers can write to has a limit.
	for range 200 {
		_, _ = tls.Dial("tcp", s.Hooks, &tls.Config{RootCAs: s.ca.pool(), MaxVersion: tls.VersionTLS11})
	}
	s.said(t, "TLS handshake error")
	if n := strings.Count(s.stderr.String(), "TLS handshake error"); n >= 200 { // 60 a minute, and a slow run may see several minutes
		t.Errorf("%d lines about failed handshakes", n)
	}
	if a, err := s.deliver(t.Context(), s.client(t, nil, nil), "/hooks/care", caseBody(1, 1), sign(caseBody(1, 1))); err != nil || a.StatusCode != http.StatusOK {
		t.Errorf("a delivery afterwards: %v, %v", a, err)
	}
}

func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("this test asks openssl; `make tools` installs it")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = strings.NewReader("Q\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestH11_Curl delivers by somebody else's TLS: with the certificate, without it and with a wrong one.
func TestH11_Curl(t *testing.T) {
	t.Parallel()
	c := newClients(t)
	dir := t.TempDir()
	ca := put(t, filepath.Join(dir, "ca.pem"), c.ca.pem)
	wrong := (*authority)(nil).issue(t, "hooks.sender.example", nil)
	var n bodies
	for _, version := range []string{"--http1.1", "--http2"} {
		for name, row := range map[string]struct {
			shown *authority
			want  string
		}{"right": {c.right, "200"}, "none": {nil, "401"}, "wrong": {wrong, "401"}} {
			body := n.next()
			args := []string{"-sS", "-o", "-", "-w", "%{http_code} %{http_version}", version, "--cacert", ca, "--data-binary", body, "https://" + c.Hooks + "/hooks/named"}
			if row.shown != nil {
				args = append(args, "--cert", put(t, filepath.Join(dir, "c.pem"), row.shown.pem), "--key", put(t, filepath.Join(dir, "c.key"), row.shown.key(t, nil)))
			}
			out, err := exec.CommandContext(t.Context(), "curl", args...).CombinedOutput()
			if want := row.want + map[string]string{"--http1.1": " 1.1", "--http2": " 2"}[version]; err != nil || string(out) != want {
				t.Errorf("%s %s: %q, %v, want %s", name, version, out, err, want)
			}
		}
	}
}

// TestH11_AskedWhereNeeded: a certificate is asked for exactly while a source judges by it. A session from before, in which
// nothing was asked, is not resumed, and a connection from before ends with its next answer.
func TestH11_AskedWhereNeeded(t *testing.T) {
	t.Parallel()
	s := secure(t, "")
	ours := newAuthority(t, "senders-ca")
	sender := ours.issue(t, "hooks.sender.example", nil)
	var asked atomic.Int64
	client := func(change func(*tls.Config)) *http.Client {
		return s.client(t, nil, func(config *tls.Config) {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked.Add(1)
				return &sender.Certificate, nil
			}
			if change != nil {
				change(config)
			}
		})
	}
	var n bodies
	post := func(c *http.Client, path string) *http.Response {
		t.Helper()
		body := n.next()
		resp, err := s.deliver(t.Context(), c, path, body, sign(body))
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	cache := tls.NewLRUClientSessionCache(8)
	sessions := client(func(config *tls.Config) { config.ClientSessionCache = cache })
	kept := map[bool]*http.Client{false: client(nil), true: client(nil)}
	for http2, c := range kept {
		c.Transport.(*http.Transport).ForceAttemptHTTP2 = http2
		post(c, "/hooks/care")
	}
	resumed := func() bool {
		t.Helper()
		sessions.CloseIdleConnections()
		return post(sessions, "/hooks/care").TLS.DidResume
	}
	resumed()
	if !resumed() || asked.Load() != 0 {
		t.Fatalf("before: asked %d times, and sessions should be resumed", asked.Load())
	}
	put(t, filepath.Join(s.dir, "senders.pem"), ours.pem)
	s.takeOver(t, strings.Replace(s.config, "destinations:\n", "  - name: named\n    provider: sprinklr\n    auth: [{scheme: client-certificate, ca: [file:"+filepath.Join(s.dir, "senders.pem")+"], names: [hooks.sender.example]}]\ndestinations:\n", 1))
	for http2, c := range kept {
		if resp := post(c, "/hooks/named"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("HTTP/2 %v: the connection from before shows a certificate: %d", http2, resp.StatusCode)
		}
		if resp := post(c, "/hooks/named"); resp.StatusCode != http.StatusOK {
			t.Errorf("HTTP/2 %v: the next connection is answered %d", http2, resp.StatusCode)
		}
	}
	if resumed() || asked.Load() == 0 {
		t.Errorf("after: asked %d times, and a session from before must not be resumed", asked.Load())
	}
	if resp := post(sessions, "/hooks/named"); resp.StatusCode != http.StatusOK {
		t.Errorf("with a certificate: %d", resp.StatusCode)
	}
	if resumed() {
		t.Error("a session with a certificate is resumed")
	}

	// A certificate that the configuration no longer takes is refused on the connection that it opened.
	s.takeOver(t, strings.Replace(s.config, "destinations:\n", "  - name: named\n    provider: sprinklr\n    auth: [{scheme: client-certificate, ca: [file:"+filepath.Join(s.dir, "senders.pem")+"], names: [other.example]}]\ndestinations:\n", 1))
	if resp := post(sessions, "/hooks/named"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a name that was taken away: %d", resp.StatusCode)
	}
	s.takeOver(t, s.config)
	before := asked.Load()
	post(client(nil), "/hooks/care")
	if asked.Load() != before {
		t.Error("asked although no source needs it any more")
	}
}

// TestH11_TooMuchShown: whoever shows more than anybody needs is not listened to, and nobody else notices.
func TestH11_TooMuchShown(t *testing.T) {
	t.Parallel()
	c := newClients(t)
	many := c.right.Certificate
	for range 8 {
		many.Certificate = append(many.Certificate, c.ours.Certificate.Certificate[0])
	}
	large := c.ours.issue(t, "hooks.sender.example", func(x *x509.Certificate) {
		for i := range 900 {
			x.DNSNames = append(x.DNSNames, fmt.Sprintf("name-%d.sender.example", i))
		}
	})
	for name, shown := range map[string]*tls.Certificate{"many": &many, "large": &large.Certificate} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			resp, err := c.deliver(t.Context(), c.client(t, shown, func(config *tls.Config) { config.MaxVersion = version }), "/hooks/named", "{}", "")
			if err == nil {
				t.Errorf("%s over %s: %d", name, tls.VersionName(version), resp.StatusCode)
			}
		}
	}
	if resp, err := c.deliver(t.Context(), c.client(t, &c.right.Certificate, nil), "/hooks/named", caseBody(1, 1), ""); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the right one: %v, %v", resp, err)
	}
}

// TestH11_CertificateReload replaces the server's certificate under load, again and again. Nobody is refused, kept
// connections go on, new ones see the new certificate, and a bad pair changes nothing.
func TestH11_CertificateReload(t *testing.T) {
	t.Parallel()
	s := secure(t, "")
	var n, failed atomic.Int64
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for i := range 6 {
		c := s.client(t, nil, nil)
		c.Transport.(*http.Transport).DisableKeepAlives = i%2 == 0
		c.Transport.(*http.Transport).ForceAttemptHTTP2 = i%3 == 0
		senders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				body := caseBody(int(n.Add(1)), 50)
				if resp, err := s.deliver(t.Context(), c, "/hooks/care", body, sign(body)); err != nil || resp.StatusCode != http.StatusOK {
					failed.Add(1)
					t.Errorf("a delivery: %v, %v", resp, err)
				}
			}
		})
	}
	shown := func() string {
		conn, err := tls.Dial("tcp", s.Hooks, &tls.Config{RootCAs: s.ca.pool()})
		if err != nil {
			t.Errorf("a connection: %v", err)
			return ""
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	var last string
	for range 3 { // by itself, without a signal
		made := s.certify(t)
		last = made.Leaf.SerialNumber.String()
		eventually(t, "the new certificate is shown", func() (bool, string) { now := shown(); return now == last, now })
	}
	for says, bad := range map[string]func(){
		"tls.certificate refers to something that is no certificate": func() { put(t, filepath.Join(s.dir, "server.pem"), []byte("nothing")) },
		"tls.certificate and tls.key do not belong together": func() {
			s.certify(t)
			put(t, filepath.Join(s.dir, "server.key"), s.ca.key(t, nil))
		},
	} {
		before := len(s.stderr.String())
		bad()
		s.hangup <- nil
		eventually(t, "the log says "+says, func() (bool, string) {
			line := s.stderr.String()[before:]
			return strings.Contains(line, says) && strings.Contains(line, "the old one goes on"), line
		})
		if now := shown(); now != last {
			t.Errorf("%s: %s is shown, want %s", says, now, last)
		}
	}
	last = s.certify(t).Leaf.SerialNumber.String()
	eventually(t, "a good one is taken again", func() (bool, string) { now := shown(); return now == last, now })
	close(stop)
	senders.Wait()
	t.Logf("%d deliveries, %d refused", n.Load(), failed.Load())
}

// TestH11_AuthorityReload: a changed file of authorities counts without a signal, on connections that are open, too.
func TestH11_AuthorityReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "senders.pem")
	old, renewed := newAuthority(t, "old"), newAuthority(t, "new")
	put(t, file, old.pem)
	s := secure(t, "  - name: named\n    provider: sprinklr\n    auth: [{scheme: client-certificate, ca: [file:"+file+"], names: [a.example]}]\n")
	one, two := s.client(t, &old.issue(t, "a.example", nil).Certificate, nil), s.client(t, &renewed.issue(t, "a.example", nil).Certificate, nil)
	var n bodies
	status := func(c *http.Client) int {
		t.Helper()
		resp, err := s.deliver(t.Context(), c, "/hooks/named", n.next(), "")
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	want := func(first, second int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d and %d", first, second), func() (bool, string) {
			a, b := status(one), status(two)
			return a == first && b == second, fmt.Sprint(a, b)
		})
	}
	want(200, 401)
	put(t, file, append(append([]byte{}, old.pem...), renewed.pem...))
	want(200, 200)
	put(t, file, renewed.pem)
	want(401, 200)
}

// TestH11_CommBoxTwin: the outbound side presents the certificate of an isolated customer of CommBox, and the gateway lets it
// in for that.
func TestH11_CommBoxTwin(t *testing.T) {
	t.Parallel()
	c := newClients(t)
	server, err := outbound.New(outbound.Options{
		Path: filepath.Join(t.TempDir(), "outbound.db"), AllowPrivate: true, Signers: signers, TLS: &tls.Config{RootCAs: c.ca.pool()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	other := newAuthority(t, "other").issue(t, "hooks.sender.example", nil)
	for name, row := range map[string]struct {
		auth   []outbound.Auth
		status int
	}{
		"right": {[]outbound.Auth{{Scheme: "client-certificate", Certificate: string(c.right.pem), CertificateKey: string(c.right.key(t, nil))}}, 200},
		"other": {[]outbound.Auth{{Scheme: "client-certificate", Certificate: string(other.pem), CertificateKey: string(other.key(t, nil))}}, 401},
		"none":  {nil, 401},
	} {
		sub := &outbound.Subscription{Provider: "commbox", URL: "https://" + c.Hooks + "/hooks/inbox", Auth: row.auth}
		a := server.Call(t.Context(), sub, http.MethodPost, http.Header{"Content-Type": {"application/json"}}, []byte(`{"Brand":"1","requestId":"r-1"}`))
		if a.Status != row.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Error)
		}
	}
}
