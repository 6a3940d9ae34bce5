package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/hookgate/hookgate/middleware"
)

func TestInFlight_TheLimitIsExact(t *testing.T) {
	t.Parallel()
	const limit = 3
	entered, leave := make(chan struct{}), make(chan struct{})
	h := middleware.Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("boom")
		}
		if r.URL.Path == "/hold" {
			entered <- struct{}{}
			<-leave
		}
		w.WriteHeader(http.StatusOK)
	}), middleware.Recover, middleware.InFlight(limit))
	ask := func(path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("POST", path, nil))
		return rec
	}
	for range 3 * limit { // each would take a seat for good if a panic kept it
		if rec := ask("/panic"); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "" {
			t.Fatalf("a panic answers %d %v", rec.Code, rec.Header())
		}
	}
	for range 2 { // once more, to see that the seats come back
		var wg sync.WaitGroup
		for range limit {
			wg.Go(func() {
				if rec := ask("/hold"); rec.Code != http.StatusOK {
					t.Errorf("one within the limit answers %d", rec.Code)
				}
			})
		}
		for range limit {
			<-entered
		}
		for range 2 {
			rec := ask("/")
			if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "1" || rec.Header().Get("Connection") != "close" {
				t.Errorf("one over the limit answers %d %v", rec.Code, rec.Header())
			}
		}
		for range limit {
			leave <- struct{}{}
		}
		wg.Wait()
		if rec := ask("/"); rec.Code != http.StatusOK {
			t.Errorf("after the others have left: %d", rec.Code)
		}
	}
}
