package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// request asks the admin listener, with a token if there is one.
func (r *running) request(t *testing.T, method, path, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// ask is request for a page.
func (r *running) ask(t *testing.T, path, token string) (int, string) {
	t.Helper()
	return r.request(t, http.MethodGet, path, token, "")
}

func TestA01_TheTokenGuardsEverythingButAWord(t *testing.T) {
	t.Parallel()
	const token = adminToken
	r := operate(t, fileAt(filepath.Join(t.TempDir(), "e")))
	for _, c := range []struct {
		path, token string
		status      int
		says        string
	}{
		{"/healthz", "", 200, "alive\n"},
		{"/readyz", "", 200, "ready\n"},
		{"/readyz", token, 200, `{"checks":{"journal":"ok: sqlite, every commit synced: an answer of 200 is on this node's disk"},"ready":true}` + "\n"},
		{"/metrics", "", 401, "unauthorized\n"},
		{"/metrics", "wrong", 401, "unauthorized\n"},
		{"/metrics", token, 200, ""},
		{"/", token, 404, ""},
	} {
		status, body := r.ask(t, c.path, c.token)
		if status != c.status || (c.says != "" && body != c.says) {
			t.Errorf("%s with token %q: %d %q", c.path, c.token, status, body)
		}
	}
	if strings.Contains(r.stderr.String(), token) {
		t.Error("the token is in the log")
	}
}
