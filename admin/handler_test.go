package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

const token = "admin-token-0123456789"

// paths is every page of the operator's side; open are those that say a word to a stranger.
var (
	paths = []string{"/healthz", "/readyz", "/metrics"}
	open  = []string{"/healthz", "/readyz"}
)

func options(change func(*admin.Options)) admin.Options {
	o := admin.Options{
		Token: hookgate.NewSecret([]byte(token), "env:ADMIN"),
		Checks: []admin.Check{
			{Name: "journal", Ready: func() error { return errors.New("the disk is full") }},
			{Name: "clock", Ready: func() error { return nil }},
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("internals 1\n")) }),
	}
	if change != nil {
		change(&o)
	}
	return o
}

func ask(o admin.Options, method, path string, authorization ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}
	rec := httptest.NewRecorder()
	admin.Handler(o).ServeHTTP(rec, r)
	return rec
}

// TestA01_OnlyTheTokenOpens asks every page in every way that is not the one right one.
func TestA01_OnlyTheTokenOpens(t *testing.T) {
	t.Parallel()
	const right = "Bearer " + token
	ways := map[string][]string{
		"none":                    nil,
		"empty":                   {""},
		"no token":                {"Bearer "},
		"scheme alone":            {"Bearer"},
		"wrong token":             {"Bearer admin-token-0123456780"},
		"shorter":                 {right[:len(right)-1]},
		"longer":                  {right + "0"},
		"lower-case scheme":       {"bearer " + token},
		"wrong scheme":            {"Basic " + token},
		"basic with the token":    {"Basic YWRtaW46YWRtaW4tdG9rZW4tMDEyMzQ1Njc4OQ=="},
		"no scheme":               {token},
		"two blanks":              {"Bearer  " + token},
		"blank behind":            {right + " "},
		"another case":            {"Bearer " + strings.ToUpper(token)},
		"two in one":              {right + ", " + right},
		"doubled":                 {right, right},
		"right and wrong":         {right, "Bearer wrong"},
		"wrong and right":         {"Bearer wrong", right},
		"what the secret prints":  {"Bearer [secret]"},
		"reference of the secret": {"Bearer env:ADMIN"},
	}
	for name, way := range ways {
		for _, path := range paths {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				rec := ask(options(nil), method, path, way...)
				body := rec.Body.String()
				if strings.Contains(body, "internals") || strings.Contains(body, "disk") || strings.Contains(body, "journal") {
					t.Errorf("%s: %s %s tells a stranger %q", name, method, path, body)
				}
				if !slices.Contains(open, path) && (rec.Code != http.StatusUnauthorized || rec.Header().Get("WWW-Authenticate") != "Bearer") {
					t.Errorf("%s: %s %s answers %d %v", name, method, path, rec.Code, rec.Header())
				}
			}
		}
	}
	for _, path := range paths {
		if rec := ask(options(nil), http.MethodGet, path, right); rec.Code == http.StatusUnauthorized {
			t.Errorf("%s with the token answers %d", path, rec.Code)
		}
	}
}

// TestA01_ATokenElsewhereIsNone: not in the query, where proxies log it, nor in a cookie, which a browser sends by itself.
func TestA01_ATokenElsewhereIsNone(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/metrics?token="+token+"&access_token="+token, nil)
	r.AddCookie(&http.Cookie{Name: "token", Value: token})
	r.Header.Set("X-Token", token)
	rec := httptest.NewRecorder()
	admin.Handler(options(nil)).ServeHTTP(rec, r)
	if rec.Code != http.StatusUnauthorized {
		t.Errorf("answers %d", rec.Code)
	}
}

func TestA01_WithoutATokenAllIsOpen(t *testing.T) {
	t.Parallel()
	o := options(func(o *admin.Options) { o.Token = hookgate.Secret{} })
	if rec := ask(o, http.MethodGet, "/metrics"); rec.Code != http.StatusOK || rec.Body.String() != "internals 1\n" {
		t.Errorf("answers %d %q", rec.Code, rec.Body)
	}
	if rec := ask(o, http.MethodGet, "/readyz"); !strings.Contains(rec.Body.String(), "the disk is full") {
		t.Errorf("says %q", rec.Body)
	}
}

func TestAdmin_Readiness(t *testing.T) {
	t.Parallel()
	ready := func(o *admin.Options) { o.Checks = o.Checks[1:] }
	for name, c := range map[string]struct {
		change        func(*admin.Options)
		authorization []string
		status        int
		body          string
	}{
		"ready":                     {ready, nil, 200, "ready\n"},
		"ready, with the token":     {ready, []string{"Bearer " + token}, 200, `{"checks":{"clock":"ok"},"ready":true}` + "\n"},
		"not ready":                 {nil, nil, 503, "not ready\n"},
		"not ready, wrong token":    {nil, []string{"Bearer wrong"}, 503, "not ready\n"},
		"not ready, with the token": {nil, []string{"Bearer " + token}, 503, `{"checks":{"clock":"ok","journal":"the disk is full"},"ready":false}` + "\n"},
		"nothing to check":          {func(o *admin.Options) { o.Checks = nil }, nil, 200, "ready\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := ask(options(c.change), http.MethodGet, "/readyz", c.authorization...)
			if rec.Code != c.status || rec.Body.String() != c.body {
				t.Errorf("%d %q, want %d %q", rec.Code, rec.Body, c.status, c.body)
			}
		})
	}
}

func TestAdmin_MethodsAndPaths(t *testing.T) {
	t.Parallel()
	for _, path := range paths {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"} {
			rec := ask(options(nil), method, path, "Bearer "+token)
			if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q", method, path, rec.Code, rec.Header().Get("Allow"))
			}
		}
	}
	// Neither cleaned nor redirected, and nothing that a proxy in front could read as another path.
	for _, path := range []string{"/", "//metrics", "/metrics/", "/./metrics", "/x/../metrics", "/%6detrics", "/metrics%00", "/metrics%2f", "/healthz/metrics", "/hooks/care", "/debug/pprof/"} {
		rec := ask(options(nil), http.MethodGet, path, "Bearer "+token)
		if rec.Code != http.StatusNotFound || strings.Contains(rec.Body.String(), "internals") {
			t.Errorf("%s: %d %q", path, rec.Code, rec.Body)
		}
	}
}

// TestA02_NoPageRunsIsFramedOrKept, whatever the answer is.
func TestA02_NoPageRunsIsFramedOrKept(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "POST"} {
		for _, path := range append([]string{"/", "/unknown"}, paths...) {
			for _, authorization := range [][]string{nil, {"Bearer " + token}} {
				h := ask(options(nil), method, path, authorization...).Header()
				for name, want := range map[string]string{
					"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
					"X-Content-Type-Options":  "nosniff",
					"Cache-Control":           "no-store",
				} {
					if got := h.Values(name); len(got) != 1 || got[0] != want {
						t.Errorf("%s %s: %s is %q", method, path, name, got)
					}
				}
			}
		}
	}
}
