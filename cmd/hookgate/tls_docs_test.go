package main

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// referred puts certificates and keys where an example refers to them by file:.
func referred(t *testing.T, dir, block string) {
	t.Helper()
	ca := newAuthority(t, "docs")
	server := ca.server(t)
	for _, m := range regexp.MustCompile(`file:([A-Za-z0-9.-]+)`).FindAllStringSubmatch(block, -1) {
		switch {
		case m[1] == "server.pem":
			put(t, filepath.Join(dir, m[1]), server.pem)
		case m[1] == "server.key":
			put(t, filepath.Join(dir, m[1]), server.key(t, nil))
		case m[1] == "token-key.pem":
			tokenKey(t, filepath.Join(dir, m[1]))
		case strings.HasSuffix(m[1], "-ca.pem"):
			put(t, filepath.Join(dir, m[1]), ca.pem)
		}
	}
}

// nginxWithTLS is nginxBefore with the server of docs/tls.md.
func nginxWithTLS(t *testing.T, gateway string, ca *authority) string {
	t.Helper()
	dir, server := t.TempDir(), ca.server(t)
	put(t, filepath.Join(dir, "server.pem"), server.pem)
	put(t, filepath.Join(dir, "server.key"), server.key(t, nil))
	return startNginx(t, dir, gateway, func(address string) string {
		return strings.Replace(nginxOf(t, "docs/tls.md"), "listen 443 ssl", "listen "+address+" ssl", 1)
	})
}

// TestH11_BehindNginx: nginx ends TLS and passes the certificate on, as the page has it. The sender's own headers count
// nothing, with nginx in between or past it.
func TestH11_BehindNginx(t *testing.T) {
	t.Parallel()
	dir, server, senders := t.TempDir(), newAuthority(t, "server-ca"), newAuthority(t, "senders-ca")
	config := strings.Replace(scenario(filepath.Join(dir, "j.db"), "  - {name: events, type: file, path: "+filepath.Join(dir, "events")+"}\n"), "destinations:\n",
		"  - {name: named, provider: sprinklr, auth: [{scheme: client-certificate, ca: [file:"+put(t, filepath.Join(dir, "senders.pem"), senders.pem)+"], names: [hooks.sender.example]}]}\ndestinations:\n", 1)
	r := serve(t, config+"proxies: {trusted: [127.0.0.1], certificate_header: X-SSL-Client-Cert}\n", func(m *Main) { m.Env = edgeEnv })
	right := senders.issue(t, "hooks.sender.example", nil)
	front := &secured{running: &running{Addresses: Addresses{Hooks: nginxWithTLS(t, r.Hooks, server)}}, ca: server}
	forged := strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(string(right.pem))
	var n bodies
	for name, row := range map[string]struct {
		shown  *authority
		header string
		status int
	}{
		"right":                               {right, "", 200},
		"right, and another one":              {right, "made up", 200},
		"none":                                {nil, "", 401},
		"none, but in a header":               {nil, forged, 401},
		"other authority":                     {newAuthority(t, "senders-ca").issue(t, "hooks.sender.example", nil), "", 401},
		"other one and the right in a header": {newAuthority(t, "other").issue(t, "hooks.sender.example", nil), forged, 401},
		"other name":                          {senders.issue(t, "evil.example", nil), "", 401},
	} {
		client := front.client(t, nil, nil)
		if row.shown != nil {
			client = front.client(t, &row.shown.Certificate, nil)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+front.Hooks+"/hooks/named", strings.NewReader(n.next()))
		if err != nil {
			t.Fatal(err)
		}
		if row.header != "" {
			req.Header.Set("X-SSL-Client-Cert", row.header)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != row.status {
			t.Errorf("%s: %d, want %d\n%s", name, resp.StatusCode, row.status, r.stderr)
		}
	}
}
