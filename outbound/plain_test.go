package outbound

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

const plainToken = "plain-token-0123456789"

// plainHost is a server with its API on a real listener; nothing is delivered.
func plainHost(t *testing.T) (*Server, func(method, path, body string) (int, map[string]any)) {
	t.Helper()
	s, err := New(Options{Path: storePath(t), AllowPrivate: true, Clock: newFakeClock(), Token: hookgate.NewSecret([]byte(plainToken), "test")})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		api.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, func(method, path, body string) (int, map[string]any) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, api.URL+"/v1"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+plainToken)
		answer, err := api.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if len(b) > 0 {
			if err := json.Unmarshal(b, &v); err != nil {
				t.Fatalf("%v: %s", err, b)
			}
		}
		return answer.StatusCode, v
	}
}

// everySecret is a subscription with a secret in every place that can hold one; each is a canary.
const everySecret = `{"name":"crm","url":"https://hooks.example.com/h","settings":{"protocol":"soap","soap_parameters":[{"name":"apiKey","value":"canary-1"}]},
	"headers":{"X-Api-Key":"canary-2"},"auth":[{"scheme":"bearer","oauth":{"grant":"password","token_url":"https://id.example.com/token","client_id":"c",
	"client_secret":"canary-3","client_auth":"body","username":"u","password":"canary-4"}}]}`

func TestPlainHidesSecretsAndKeepsThem(t *testing.T) {
	t.Parallel()
	s, call := plainHost(t)
	status, made := call("POST", "/subscriptions/commbox", everySecret)
	if status != http.StatusCreated {
		t.Fatal(status, made)
	}
	id := made["id"].(string)
	holds := func() bool {
		sub, err := s.Get(t.Context(), "commbox", id)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(sub)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), "canary-") == 4
	}
	if !holds() {
		t.Error("not every secret was stored")
	}
	_, got := call("GET", "/subscriptions/commbox/"+id, "")
	_, list := call("GET", "/subscriptions/commbox", "")
	for _, shown := range []map[string]any{made, got, list} {
		b, _ := json.Marshal(shown)
		if strings.Contains(string(b), "canary") || strings.Count(string(b), hidden) != 4 {
			t.Errorf("an answer shows secrets, or not where they are: %s", b)
		}
	}
	for _, name := range []string{"id", "provider", "created", "updated", "failures"} {
		delete(got, name)
	}
	got["name"] = "renamed"
	back, _ := json.Marshal(got)
	if status, v := call("PATCH", "/subscriptions/commbox/"+id, string(back)); status != http.StatusOK || v["name"] != "renamed" {
		t.Fatal(status, v)
	}
	if !holds() {
		t.Error("sent back as it was shown, it has lost secrets")
	}
	if status, v := call("PATCH", "/subscriptions/commbox/"+id, `{"headers":{"X-Api-Key":"new"}}`); status != http.StatusOK || holds() {
		t.Errorf("a new secret was not taken: %d %v", status, v)
	}
}

func TestPlainErrors(t *testing.T) {
	t.Parallel()
	_, call := plainHost(t)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code, says         string
	}{
		"provider":           {"GET", "/subscriptions/other", "", 404, "not_found", `no provider "other"`},
		"subscription":       {"GET", "/subscriptions/bird/x", "", 404, "not_found", ""},
		"delivery":           {"GET", "/deliveries/x", "", 404, "not_found", ""},
		"path":               {"GET", "/other", "", 404, "not_found", ""},
		"not JSON":           {"POST", "/events", "{", 400, "invalid", ""},
		"unknown member":     {"POST", "/events", `{"provider":"bird","other":1}`, 400, "invalid", "other"},
		"unknown provider":   {"POST", "/events", `{"provider":"other","type":"a"}`, 400, "invalid", `"other"`},
		"unknown sample":     {"POST", "/events", `{"provider":"bird","type":"a","sample":true}`, 400, "invalid", "/v1/providers"},
		"event without type": {"POST", "/events", `{"provider":"salesiq","payload":{}}`, 422, "invalid", ""},
		"no URL":             {"POST", "/subscriptions/commbox", `{"name":"a"}`, 422, "invalid", "not a URL"},
		"credentials in URL": {"POST", "/subscriptions/commbox", `{"name":"a","url":"https://u:p@example.com/"}`, 422, "invalid", "not a URL"},
		"scheme":             {"POST", "/subscriptions/netcore", `{"url":"https://example.com/","auth":[{"scheme":"bearer"}]}`, 422, "invalid", "bearer"},
		"span":               {"POST", "/subscriptions/netcore", `{"url":"https://example.com/","timeout":10}`, 400, "invalid", "time span"},
		"timeout":            {"POST", "/subscriptions/netcore", `{"url":"https://example.com/","timeout":"1h"}`, 422, "invalid", "timeout"},
		"retries":            {"POST", "/subscriptions/netcore", `{"url":"https://example.com/","retries":["48h"]}`, 422, "invalid", "retries"},
		"success":            {"POST", "/subscriptions/netcore", `{"url":"https://example.com/","success":"3xx"}`, 422, "invalid", "success"},
		"header":             {"POST", "/subscriptions/netcore", `{"url":"https://example.com/","headers":{"a b":"c"}}`, 422, "invalid", "headers"},
		"state":              {"GET", "/deliveries?state=lost", "", 400, "invalid", "state is"},
		"limit":              {"GET", "/deliveries?limit=0", "", 400, "invalid", "limit is"},
		"time":               {"GET", "/deliveries?from=yesterday", "", 400, "invalid", "from is"},
		"no ids":             {"POST", "/deliveries/retry", `{}`, 400, "invalid", "ids"},
		"no set-up call":     {"POST", "/subscriptions/commbox/x/test", "", 400, "invalid", "set-up call"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, v := call(c.method, c.path, c.body)
			b, _ := json.Marshal(v)
			if status != c.status || v["code"] != c.code || !strings.Contains(strings.ReplaceAll(string(b), `\"`, `"`), c.says) {
				t.Errorf("%d %s", status, b)
			}
		})
	}
}

func TestPlainNeedsTheToken(t *testing.T) {
	t.Parallel()
	s, _ := plainHost(t)
	for _, authorization := range []string{"", "Bearer", "Bearer wrong", "Basic " + plainToken, plainToken} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/v1/deliveries", nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if s.Handler().ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
			t.Errorf("%q is answered %d", authorization, w.Code)
		}
	}
}

// TestPlainRoutesAreDocumented compares the routes with the table of docs/outbound.md.
func TestPlainRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	s, _ := plainHost(t)
	r := mux.NewRouter()
	s.plainRoutes(r)
	var served []string
	if err := r.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		if err == nil {
			served = append(served, methods[0]+" "+path)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	documented := documentedRoutes(t)
	slices.Sort(served)
	slices.Sort(documented)
	if !slices.Equal(served, documented) {
		t.Errorf("served:\n%s\ndocumented:\n%s", strings.Join(served, "\n"), strings.Join(documented, "\n"))
	}
}

func documentedRoutes(t *testing.T) (routes []string) {
	t.Helper()
	page, err := os.ReadFile("../docs/outbound.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /v1/[^`]*)` \\|").FindAllSubmatch(page, -1) {
		routes = append(routes, string(m[1]))
	}
	return routes
}

// TestSettingsAreDocumented compares the names of every provider's settings with the table of docs/outbound.md.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/outbound.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string][]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| ((?:`[a-z_]+`(?:, )?)+) \\|").FindAllStringSubmatch(string(page), -1) {
		for name := range strings.SplitSeq(m[2], ", ") {
			documented[m[1]] = append(documented[m[1]], strings.Trim(name, "`"))
		}
	}
	for provider, of := range map[string]reflect.Type{
		"bird": reflect.TypeFor[birdSettings](), "commbox": reflect.TypeFor[commboxSettings](), "netcore": reflect.TypeFor[netcoreSettings](),
		"salesiq": reflect.TypeFor[salesiqSettings](), "sprinklr": reflect.TypeFor[sprinklrSettings](),
	} {
		var read []string
		for _, f := range reflect.VisibleFields(of) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				read = append(read, name)
			}
		}
		slices.Sort(read)
		slices.Sort(documented[provider])
		if !slices.Equal(read, documented[provider]) {
			t.Errorf("%s reads %v, documented are %v", provider, read, documented[provider])
		}
	}
}
