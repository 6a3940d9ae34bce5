package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nginxBefore starts an nginx of the test's own in front of a gateway, with the location of docs/edge.md, and gives its
// address.
func nginxBefore(t *testing.T, gateway string) string {
	t.Helper()
	return startNginx(t, t.TempDir(), gateway, func(address string) string {
		return "server {\n    listen " + address + ";\n" + nginxOf(t, "docs/edge.md") + "\n}"
	})
}

// nginxOf is the one block of nginx on a page.
func nginxOf(t *testing.T, name string) string {
	t.Helper()
	blocks := fenced(page(t, name), "nginx")
	if len(blocks) != 1 {
		t.Fatalf("%s has %d blocks of nginx", name, len(blocks))
	}
	return blocks[0]
}

// startNginx starts an nginx in a folder of the test's own, in front of a gateway, with a server that listens at the address
// it is told. The page's 127.0.0.1:8080 becomes the gateway's address.
func startNginx(t *testing.T, dir, gateway string, server func(address string) string) (address string) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // where Debian has it, outside of a user's path
		if _, err := os.Stat(path); err != nil {
			t.Fatal("this test puts an nginx in front and found none; `make tools` installs it")
		}
	}
	address = "127.0.0.1:" + freePort(t)
	block := strings.Replace(server(address), "127.0.0.1:8080", gateway, 1)
	if !strings.Contains(block, gateway) || !strings.Contains(block, address) {
		t.Fatalf("the page's server does not listen at %s before %s:\n%s", address, gateway, block)
	}
	temporary := ""
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("  %s_temp_path %s;\n", name, filepath.Join(dir, name))
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n" // the folder is this test's own
	}
	file := filepath.Join(dir, "nginx.conf")
	config := fmt.Sprintf("%sdaemon off;\nmaster_process off;\npid %s;\nerror_log %s;\nevents {}\nhttp {\n  access_log off;\n%s%s\n}\n",
		user, filepath.Join(dir, "pid"), filepath.Join(dir, "error.log"), temporary, block)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
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

// TestH03_BehindNginx: in front of the gateway stands another reader of the same bytes, and the two never take them for
// different requests. What nginx says of the sender is believed, and what the sender says of itself is not.
func TestH03_BehindNginx(t *testing.T) {
	t.Parallel()
	r, _ := walled(t, "proxies: {trusted: [127.0.0.1]}\n")
	front := nginxBefore(t, r.Hooks)
	var n bodies
	good := n.next()
	// Whatever is smuggled in would be taken by a source that asks for no proof.
	hidden := post("/hooks/chat", chatBody(66))
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d", n) }
	head := func(headers ...string) []string { return append([]string{signed(good)}, headers...) }
	chunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(good), good)
	for name, request := range map[string]string{
		"both, the chunks first":       message("POST", "/hooks/care", head("Transfer-Encoding: chunked", length(len(chunks)+len(hidden))), chunks+hidden),
		"both, the length first":       message("POST", "/hooks/care", head(length(6), "Transfer-Encoding: chunked"), "0\r\n\r\n"+hidden),
		"both, a coding in capitals":   message("POST", "/hooks/care", head(length(6), "Transfer-Encoding: CHUNKED"), "0\r\n\r\n"+hidden),
		"unequal lengths":              message("POST", "/hooks/care", head(length(len(good)), length(len(good)+len(hidden))), good+hidden),
		"equal lengths":                message("POST", "/hooks/care", head(length(len(good)), length(len(good))), good+hidden),
		"a list of lengths":            message("POST", "/hooks/care", head(fmt.Sprintf("Content-Length: %d, %d", len(good), len(good))), good+hidden),
		"a length with a sign":         message("POST", "/hooks/care", head("Content-Length: +5"), good+hidden),
		"a blank before the colon":     message("POST", "/hooks/care", head("Transfer-Encoding : chunked"), chunks+hidden),
		"a tab in front of the coding": message("POST", "/hooks/care", head("Transfer-Encoding:\x0bchunked"), chunks+hidden),
		"an unknown coding":            message("POST", "/hooks/care", head("Transfer-Encoding: xchunked"), chunks+hidden),
		"a coding twice":               message("POST", "/hooks/care", head("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), chunks+hidden),
		"a coding before chunked":      message("POST", "/hooks/care", head("Transfer-Encoding: gzip, chunked"), chunks+hidden),
		"a chunk larger than a number": message("POST", "/hooks/care", head("Transfer-Encoding: chunked"), "fffffffffffffffff\r\n"+good+hidden),
		"a chunk without its end":      message("POST", "/hooks/care", head("Transfer-Encoding: chunked"), fmt.Sprintf("%x\r\n%sXX0\r\n\r\n", len(good), good)+hidden),
		"two hosts":                    post("/hooks/care", good, signed(good), "Host: evil.example.net") + hidden,
	} {
		before := r.stored(t)
		w := dialFrom(t, "127.0.0.2", front)
		w.write(t, request)
		resp, err := http.ReadResponse(w.in, &http.Request{Method: "POST"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode < 400 || resp.StatusCode > 501 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if rest, _ := io.ReadAll(w.in); len(rest) > 0 {
			t.Errorf("%s: another answer follows: %q", name, rest)
		}
		_ = w.Close()
		if grown := r.stored(t) - before; grown > 0 {
			t.Errorf("%s: %d events were stored", name, grown)
		}
	}

	for _, c := range []struct {
		name, from, request string
		status              int
	}{
		{"a length", "127.0.0.2", post("/hooks/care", good, signed(good)), 200},
		{"chunks", "127.0.0.2", chunked("/hooks/care", good, 7, []string{signed(good)}), 200},
		{"forged", "127.0.0.2", post("/hooks/care", good, signed(good+" ")), 401},
		{"who may send", "127.0.0.3", post("/hooks/walled", good, signed(good)), 200},
		{"who may not", "127.0.0.2", post("/hooks/walled", good, signed(good)), 401},
		{"who claims that he may", "127.0.0.2", post("/hooks/walled", good, signed(good), "X-Forwarded-For: 127.0.0.3"), 401},
		{"who claims it in two lines", "127.0.0.2", post("/hooks/walled", good, signed(good), "X-Forwarded-For: 127.0.0.3", "X-Forwarded-For: 203.0.113.7, 127.0.0.1"), 401},
		{"who may send and claims what not", "127.0.0.3", post("/hooks/walled", good, signed(good), "X-Forwarded-For: 198.51.100.1"), 200},
		{"a path that is not clean", "127.0.0.2", post("/hooks//care", good, signed(good)), 404},
		{"an encoded path", "127.0.0.2", post("/hooks/c%61re", good, signed(good)), 404},
		{"a path out of the location", "127.0.0.2", post("/hooks/../metrics", good), 404},
	} {
		w := dialFrom(t, c.from, front)
		w.write(t, c.request)
		if resp, _ := w.read(t, "POST"); resp.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, resp.StatusCode, c.status)
		}
		_ = w.Close()
	}
}
