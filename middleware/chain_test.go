package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/middleware"
)

func TestChain_TheFirstIsTheOutermost(t *testing.T) {
	t.Parallel()
	var order []string
	named := func(name string) middleware.Middleware {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				order = append(order, "into "+name)
				next.ServeHTTP(w, r)
				order = append(order, "out of "+name)
			})
		}
	}
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { order = append(order, "handler") })
	for _, c := range []struct {
		names, want []string
	}{
		{nil, []string{"handler"}},
		{[]string{"a"}, []string{"into a", "handler", "out of a"}},
		{[]string{"a", "b", "c"}, []string{"into a", "into b", "into c", "handler", "out of c", "out of b", "out of a"}},
	} {
		order = nil
		var all []middleware.Middleware
		for _, name := range c.names {
			all = append(all, named(name))
		}
		middleware.Chain(handler, all...).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil))
		if !slices.Equal(order, c.want) {
			t.Errorf("chain of %v: %v, want %v", c.names, order, c.want)
		}
	}
}

// ingress is the chain that every delivery passes: report, recover.
func ingress(seen *[]middleware.Answer, h http.HandlerFunc) http.Handler {
	return middleware.Chain(h,
		middleware.Report(time.Now, func(a middleware.Answer) {
			report := *a.Report
			a.Report = &report // the original is used again
			*seen = append(*seen, a)
		}),
		middleware.Recover,
	)
}

// TestChain_Ingress shows why the order is what it is: what Recover answers is reported like any other answer.
func TestChain_Ingress(t *testing.T) {
	t.Parallel()
	var seen []middleware.Answer
	inner := ingress(&seen, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("boom")
		default:
			w.WriteHeader(http.StatusOK)
		}
	})
	for _, path := range []string{"/panic", "/last"} {
		inner.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", path, nil))
	}
	type fact struct {
		path   string
		status int
		code   hookgate.Code
	}
	var got []fact
	for _, a := range seen {
		f := fact{path: a.Request.URL.Path, status: a.Status}
		if a.Report.Err != nil {
			f.code = a.Report.Err.Code
		}
		if a.Report.RequestID == "" {
			t.Errorf("%s has no request id", f.path)
		}
		got = append(got, f)
	}
	want := []fact{{"/panic", 503, hookgate.InternalMistake}, {"/last", 200, ""}}
	if !slices.Equal(got, want) {
		t.Errorf("observed %v, want %v", got, want)
	}
}
