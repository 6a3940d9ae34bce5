package admin

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// TestA01_EveryRouteIsClosed walks the router, so that a new page cannot be forgotten: without the token it answers 401,
// unless it is one of the two that a load balancer asks, and those say one word, or gives the public keys.
func TestA01_EveryRouteIsClosed(t *testing.T) {
	t.Parallel()
	o := Options{
		Token:   hookgate.NewSecret([]byte("admin-token-0123456789"), "env:ADMIN"),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("internals")) }),
	}
	o.Keys = func() []byte { return []byte(`{"keys":[]}`) }
	words := map[string]string{"/healthz": "alive\n", "/readyz": "ready\n", "/keys": `{"keys":[]}`}
	routes := 0
	err := o.router().Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		routes++
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		if err != nil {
			return err
		}
		for _, method := range methods {
			rec := httptest.NewRecorder()
			Handler(o).ServeHTTP(rec, httptest.NewRequest(method, path, nil))
			if word, ok := words[path]; ok {
				if rec.Code != http.StatusOK || rec.Body.String() != word {
					t.Errorf("%s %s without a token: %d %q", method, path, rec.Code, rec.Body)
				}
			} else if rec.Code != http.StatusUnauthorized {
				t.Errorf("%s %s without a token: %d", method, path, rec.Code)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if routes < 16 {
		t.Fatalf("only %d routes were walked", routes)
	}
}

// TestEveryRouteIsOnThePage: docs/operating.md names each, with its method where it is one of the API's.
func TestEveryRouteIsOnThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	named := strings.NewReplacer("{", "<", "}", ">")
	routes := 0
	err = Options{Metrics: http.NotFoundHandler()}.router().Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		if err != nil {
			return err
		}
		routes++
		text := named.Replace(path)
		if strings.HasPrefix(path, "/v1/") {
			text = methods[0] + " " + text
		}
		if !strings.Contains(string(page), "`"+text+"`") && !strings.Contains(string(page), "`"+text+"?") {
			t.Errorf("the page does not name %s", text)
		}
		return nil
	})
	if err != nil || routes < 16 {
		t.Fatalf("%d routes were walked: %v", routes, err)
	}
}
