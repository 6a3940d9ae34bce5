package issuer_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzTokenRequest: whatever is sent is answered by JSON that nobody may keep, and a token is given only to who shows the
// secret, once, in one place.
func FuzzTokenRequest(f *testing.F) {
	basic := base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))
	for _, seed := range [][2]string{
		{"", form("grant_type", "client_credentials", "client_id", id, "client_secret", secret)},
		{"", form("grant_type", "password", "client_id", id, "client_secret", secret, "username", user, "password", password, "scope", "read")},
		{"Basic " + basic, grant}, {"Basic " + basic, grant + "&scope=read+write"}, {"Basic " + basic, grant + "&client_secret=x"}, {"Bearer x", grant}, {"Basic", ""},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, authorization string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		w := serve(endpoint(), r)
		h := w.Header()
		var members map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
			t.Fatalf("%d %v %s", w.Code, h, w.Body)
		}
		if (w.Code == http.StatusOK) != (members["access_token"] != nil) || (w.Code == http.StatusOK) == (members["error"] != nil) {
			t.Fatalf("%d %v", w.Code, members)
		}
		if w.Code != http.StatusOK {
			return
		}
		_, text, _ := strings.Cut(authorization, " ")
		pair, _ := base64.StdEncoding.DecodeString(text)
		shown, _ := url.QueryUnescape(string(pair))
		values, err := url.ParseQuery(strings.ReplaceAll(string(body), ";", "%3B"))
		known := []string{secret, secret + "-2", next, "t+y%p e:d-0123456789"}
		inHeader, inForm := false, false
		for _, s := range known {
			inHeader = inHeader || strings.HasSuffix(shown, ":"+s)
			inForm = inForm || values.Get("client_secret") == s
		}
		if err != nil || inHeader == inForm || len(values["client_secret"]) > 1 || len(values["grant_type"]) != 1 {
			t.Fatalf("a token is given to %q, %q", authorization, body)
		}
	})
}
