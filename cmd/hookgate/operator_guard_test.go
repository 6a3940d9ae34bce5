package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// browse asks a listener for a path as a browser would, with these headers; Host among them is the host.
func (r *running) browse(t *testing.T, address, method, path, token string, headers ...string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestA02_ForeignPagesAreTurnedAway: neither listener of the operator does what a page of somebody else asks for, and the
// names that the configuration lists are served.
func TestA02_ForeignPagesAreTurnedAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := strings.Replace(scenario(filepath.Join(dir, "j.db"), fileAt(filepath.Join(dir, "e"))),
		`admin: {listen: "127.0.0.1:0"}`, `admin: {listen: "127.0.0.1:0", token: env:ADMIN, hosts: [Hookgate.internal]}`, 1)
	config += fmt.Sprintf("outbound: {listen: '127.0.0.1:0', store: %q, hosts: [api.internal]}\n", filepath.Join(dir, "o.db"))
	r := operating(t, config)
	for _, c := range []struct {
		address, method, path, header string
		status                        int
	}{
		{r.Admin, "POST", "/v1/replays", "Origin: https://evil.example", 403},
		{r.Admin, "POST", "/v1/replays", "Sec-Fetch-Site: cross-site", 403},
		{r.Admin, "DELETE", "/v1/replays/r1", "Sec-Fetch-Site: same-site", 403},
		{r.Admin, "POST", "/v1/failed/verify", "Origin: null", 403},
		{r.Admin, "POST", "/v1/replays", "Origin: http://" + r.Admin, 400},
		{r.Admin, "GET", "/v1/replays", "Host: evil.example", 421},
		{r.Admin, "GET", "/metrics", "Host: evil.example:8081", 421},
		{r.Admin, "GET", "/metrics", "Host: hookgate.internal", 200},
		{r.Admin, "GET", "/metrics", "Host: localhost", 200},
		{r.Outbound, "POST", "/v1/subscriptions/netcore", "Origin: https://evil.example", 403},
		{r.Outbound, "POST", "/v1/subscriptions/netcore", "Sec-Fetch-Site: cross-site", 403},
		{r.Outbound, "GET", "/v1/subscriptions/netcore", "Host: evil.example", 421},
		{r.Outbound, "GET", "/v1/providers", "Host: api.internal", 200},
	} {
		if status := r.browse(t, c.address, c.method, c.path, adminToken, c.header); status != c.status {
			t.Errorf("%s %s with %s: %d, want %d", c.method, c.path, c.header, status, c.status)
		}
	}
}

// TestA01_GuessersAreNamed: who guesses at the token is in the log, and the right token still opens.
func TestA01_GuessersAreNamed(t *testing.T) {
	t.Parallel()
	r := operate(t, fileAt(filepath.Join(t.TempDir(), "e")))
	for n := range 31 {
		want := http.StatusUnauthorized
		if n == 30 {
			want = http.StatusTooManyRequests
		}
		if status, _ := r.ask(t, "/metrics", fmt.Sprint("guess-", n)); status != want {
			t.Fatalf("guess %d: %d, want %d", n, status, want)
		}
	}
	if status, _ := r.ask(t, "/metrics", adminToken); status != http.StatusOK {
		t.Errorf("the right token: %d", status)
	}
	eventually(t, "the log names the guesser", func() (bool, string) {
		log := r.stderr.String()
		return strings.Count(log, `"remote":"127.0.0.1"`) == 1 && strings.Contains(log, "many wrong admin tokens"), log
	})
}
