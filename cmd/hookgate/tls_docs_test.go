package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
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
		case strings.HasSuffix(m[1], "-ca.pem"):
			put(t, filepath.Join(dir, m[1]), ca.pem)
		}
	}
}

// nginxWithTLS starts an nginx of the test's own, with the server of docs/tls.md, in front of a gateway.
func nginxWithTLS(t *testing.T, gateway string, ca *authority) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // where Debian has it, outside of a user's path
		if _, err := os.Stat(path); err != nil {
			t.Fatal("this test puts an nginx in front and found none; `make tools` installs it")
		}
	}
	blocks := fenced(page(t, "docs/tls.md"), "nginx")
	if len(blocks) != 1 {
		t.Fatalf("docs/tls.md has %d blocks of nginx", len(blocks))
	}
	dir, port, server := t.TempDir(), freePort(t), ca.server(t)
	put(t, filepath.Join(dir, "server.pem"), server.pem)
	put(t, filepath.Join(dir, "server.key"), server.key(t, nil))
	block := strings.NewReplacer("127.0.0.1:8080", gateway, "listen 443 ssl", "listen 127.0.0.1:"+port+" ssl").Replace(blocks[0])
	temporary := ""
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("  %s_temp_path %s;\n", name, filepath.Join(dir, name))
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n" // the folder is this test's own
	}
	file := put(t, filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, "%sdaemon off;\nmaster_process off;\npid %s;\nerror_log %s;\nevents {}\nhttp {\n  access_log off;\n%s%s\n}\n",
		user, filepath.Join(dir, "pid"), filepath.Join(dir, "error.log"), temporary, block))
	output := new(syncBuffer)
	nginx := exec.Command(path, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	nginx.Stdout, nginx.Stderr = output, output
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nginx.Process.Kill()
		_ = nginx.Wait()
	})
	address := "127.0.0.1:" + port
	eventually(t, "nginx listens", func() (bool, string) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false, fmt.Sprint(err, output)
		}
		_ = conn.Close()
		return true, ""
	})
	return address
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
