package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const acmeName = "hooks.acme.example"

// acmeConfig listens at a port that the authority knows, for it asks there.
func acmeConfig(dir, port, directory, ca string) string {
	return strings.NewReplacer("listen: 127.0.0.1:0\n", "listen: 127.0.0.1:"+port+"\n", "destinations:\n", `
  - name: pinned
    provider: sprinklr
    auth: [{scheme: client-certificate, fingerprints: ["`+strings.Repeat("0", 64)+`"]}]
destinations:
`).Replace(scenario(filepath.Join(dir, "j.db"), "  - {name: events, type: file, path: "+filepath.Join(dir, "events")+"}\n")) + fmt.Sprintf(`
tls:
  acme: {domains: [%s, second.acme.example], email: operator@acme.example, cache: %s, directory: "%s", ca: "file:%s"}
`, acmeName, filepath.Join(dir, "acme"), directory, ca)
}

// TestH11_ACME gets certificates from Let's Encrypt's test authority, which asks back by TLS-ALPN-01 on the hooks listener,
// and keeps them over a start.
func TestH11_ACME(t *testing.T) {
	t.Parallel()
	port, dir := freePort(t), t.TempDir()
	p := startPebble(t, port)
	config := acmeConfig(dir, port, p.directory, p.ca)
	start := func() *secured {
		return &secured{running: serve(t, config, func(m *Main) { m.Env = edgeEnv })}
	}
	named := func(name string) func(*tls.Config) {
		return func(config *tls.Config) { config.RootCAs, config.ServerName = p.roots, name }
	}
	client := func(s *secured, name string) *http.Client {
		s.ca = newAuthority(t, "unused")
		return s.client(t, nil, named(name))
	}
	s := start()
	for _, name := range []string{acmeName, "second.acme.example"} {
		eventually(t, "a certificate for "+name, func() (bool, string) {
			return strings.Contains(s.stderr.String(), `"domain":"`+name+`","ends"`), s.stderr.String() + p.stderr.String()
		})
	}
	var n bodies
	serials := map[string]string{}
	for _, name := range []string{acmeName, "second.acme.example", strings.ToUpper(acmeName)} {
		body := n.next()
		resp, err := s.deliver(t.Context(), client(s, name), "/hooks/care", body, sign(body))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", name, resp, err)
		}
		serials[name] = resp.TLS.PeerCertificates[0].SerialNumber.String()
	}
	modern := s.client(t, nil, func(config *tls.Config) {
		config.RootCAs, config.ServerName, config.MinVersion = p.roots, acmeName, tls.VersionTLS13
	})
	resp, err := s.deliver(t.Context(), modern, "/hooks/care", n.next(), "")
	if err != nil || resp.TLS.PeerCertificates[0].SerialNumber.String() != serials[acmeName] {
		t.Errorf("TLS 1.3 alone gets another certificate: %v, %v", resp, err)
	}
	for _, name := range []string{"other.acme.example", "acme.example", "localhost"} {
		if resp, err := s.deliver(t.Context(), client(s, name), "/hooks/care", n.next(), ""); err == nil {
			t.Errorf("%s, which is not ours: %d", name, resp.StatusCode)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "acme", "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("the cache holds %v, %v", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if code := s.stop(); code != exitDone {
		t.Errorf("ended with %d:\n%s", code, s.stderr)
	}

	p.stop() // what is kept needs no authority
	s = start()
	s.said(t, `"domain":"`+acmeName+`","ends"`)
	body := n.next()
	resp, err = s.deliver(t.Context(), client(s, acmeName), "/hooks/care", body, sign(body))
	if err != nil || resp.StatusCode != http.StatusOK || resp.TLS.PeerCertificates[0].SerialNumber.String() != serials[acmeName] {
		t.Errorf("after a start: %v, %v", resp, err)
	}
}

// TestH11_ACMEAway: without its authority the program starts all the same, says what is missing, and ends when it is told.
func TestH11_ACMEAway(t *testing.T) {
	t.Parallel()
	dir, authority := t.TempDir(), newAuthority(t, "away")
	config := acmeConfig(dir, "0", "https://127.0.0.1:"+freePort(t)+"/dir", put(t, filepath.Join(dir, "ca.pem"), authority.pem))
	r := serve(t, config, func(m *Main) { m.Env = edgeEnv })
	r.said(t, "no certificate yet")
	if conn, err := tls.Dial("tcp", r.Hooks, &tls.Config{ServerName: acmeName}); err == nil {
		_ = conn.Close()
		t.Error("there is a connection without a certificate")
	}
	begun := time.Now()
	if code := r.stop(); code != exitDone {
		t.Errorf("ended with %d:\n%s", code, r.stderr)
	}
	if took := time.Since(begun); took > grace {
		t.Errorf("the end took %s", took)
	}
}
