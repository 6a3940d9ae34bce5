package outbound

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// ask makes one request to a handler.
func ask(h http.Handler, method, target, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	t.Parallel()
	var logged []string
	s := open(t, storePath(t), nil, func(o *Options, p *provider) {
		o.Token = hookgate.NewSecret([]byte("t0k3n"), "")
		o.Log = func(m string, about map[string]string) { logged = append(logged, m+about["error"]) }
		p.routes = func(s *Server, r *mux.Router) {
			r.HandleFunc("/fake/{id}", func(w http.ResponseWriter, r *http.Request) {
				reply(w, http.StatusCreated, map[string]string{"id": mux.Vars(r)["id"], "text": "<&>"})
			}).Methods(http.MethodPost)
			r.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("s3cr3t") })
			r.HandleFunc("/body", func(w http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				reply(w, http.StatusOK, err != nil)
			})
		}
	})
	h := s.Handler()
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"POST", "/fake/a%2Fb", "", 201, `{"id":"a%2Fb","text":"<&>"}`},
		{"GET", "/fake/a", "", 405, `{"code":"method_not_allowed","message":"this address does not take this method"}`},
		{"GET", "/nothing", "", 404, `{"code":"not_found","message":"there is nothing here"}`},
		{"POST", "//fake/a", "", 404, `{"code":"not_found","message":"there is nothing here"}`},
		{"POST", "/fake/a/", "", 404, `{"code":"not_found","message":"there is nothing here"}`},
		{"POST", "/x/../fake/a", "", 404, `{"code":"not_found","message":"there is nothing here"}`},
		{"GET", "/panic", "", 500, `{"code":"internal","message":"the server made a mistake"}`},
		{"POST", "/body", strings.Repeat("x", maxBody), 200, `false`},
		{"POST", "/body", strings.Repeat("x", maxBody+1), 200, `true`},
	} {
		w := ask(h, c.method, c.target, c.body, nil)
		if w.Code != c.status || w.Body.String() != c.want {
			t.Errorf("%s %s: %d %s", c.method, c.target, w.Code, w.Body)
		}
		if h := w.Header(); h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v", c.method, c.target, h)
		}
	}
	if len(logged) != 1 || logged[0] != "a request of the API faileds3cr3t" {
		t.Errorf("%q", logged)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	refuse := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	for _, c := range []struct {
		token, scheme string
		header        []string
		open          bool
	}{
		{"t0k3n", "Bearer", []string{"Bearer t0k3n"}, true},
		{"t0k3n", "AccessKey", []string{"AccessKey t0k3n"}, true},
		{"t0k3n", "Bearer", []string{"bearer t0k3n"}, true},
		{"t0k3n", "", []string{"t0k3n"}, true},
		{"t0k3n", "", []string{"Bearer t0k3n"}, false},
		{"t0k3n", "Bearer", []string{"Bearer t0k3n", "Bearer t0k3n"}, false},
		{"t0k3n", "Bearer", []string{"Bearer t0k3"}, false},
		{"t0k3n", "Bearer", []string{"Bearer  t0k3n"}, false},
		{"t0k3n", "Bearer", []string{"Bearer"}, false},
		{"t0k3n", "Bearer", []string{"Bearer "}, false},
		{"t0k3n", "Bearer", []string{"AccessKey t0k3n"}, false},
		{"t0k3n", "Bearer", nil, false},
		{"", "Bearer", nil, true},
		{"", "Bearer", []string{"whatever"}, true},
	} {
		s := &Server{options: Options{Token: hookgate.NewSecret([]byte(c.token), "")}}
		h := s.closed(c.scheme, refuse)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
		want := map[bool]int{true: 204, false: 401}[c.open]
		if w := ask(h, "GET", "/", "", http.Header{"Authorization": c.header}); w.Code != want {
			t.Errorf("token %q, scheme %q, %q: %d", c.token, c.scheme, c.header, w.Code)
		}
	}
}

func TestReadJSON(t *testing.T) {
	t.Parallel()
	type shape struct {
		Name string `json:"name"`
		Any  any    `json:"any"`
	}
	for _, c := range []struct {
		body   string
		strict bool
		code   hookgate.Code
		err    string
	}{
		{`{"name":"a","any":9007199254740993}`, true, "", ""},
		{`{"name":"a","other":1}`, false, "", ""},
		{`{"name":"a","other":1}`, true, hookgate.Malformed, `unknown field "other"`},
		{``, true, hookgate.Malformed, "the body is empty"},
		{`{"name":1}`, false, hookgate.Malformed, "the body's name has the wrong type: number"},
		{`[]`, false, hookgate.Malformed, "the body's value has the wrong type: array"},
		{`{"name":"a"} {}`, false, hookgate.Malformed, "something after"},
		{`{"name":`, false, hookgate.Malformed, "not the expected JSON"},
		{`{"name":"` + strings.Repeat("x", maxBody) + `"}`, false, hookgate.TooLarge, "more than 1048576 bytes"},
	} {
		var v shape
		err := readJSON(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(c.body)), &v, c.strict)
		if c.err == "" {
			if err != nil || v.Name != "a" {
				t.Errorf("%s: %v, %+v", c.body, err, v)
			}
			continue
		}
		var e *hookgate.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Detail, c.err) {
			t.Errorf("%.40s: %v", c.body, err)
		}
	}
	var v any
	if err := readJSON(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader("9007199254740993")), &v, true); err != nil {
		t.Error(err)
	}
	w := httptest.NewRecorder()
	reply(w, 200, v)
	if w.Body.String() != "9007199254740993" {
		t.Errorf("the digits have become %s", w.Body)
	}
}
