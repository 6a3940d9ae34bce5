package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/middleware"
)

func TestReport_TheStatusIsThatOfTheAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  int
	}{
		"written":               {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, 418},
		"body alone":            {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a")) }, 200},
		"nothing written":       {func(http.ResponseWriter, *http.Request) {}, 200},
		"the first counts":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401); w.WriteHeader(200) }, 401},
		"after the body":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil); w.WriteHeader(500) }, 200},
		"through http's helper": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusNotFound) }, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := -1
			h := middleware.Report(time.Now, func(a middleware.Answer) { got = a.Status })(c.handler)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest("POST", "/", nil))
			if got != c.status || rec.Code != c.status {
				t.Errorf("observed %d, answered %d, want %d", got, rec.Code, c.status)
			}
		})
	}
}

func TestReport_EveryObserverSeesWhatTheHandlerSaid(t *testing.T) {
	t.Parallel()
	clock := time.Unix(1_700_000_000, 0)
	now := func() time.Time {
		clock = clock.Add(250 * time.Millisecond)
		return clock
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r := hookgate.ReportOf(wrapped{w}) // other middleware may have wrapped the writer
		if r.RequestID == "" {
			t.Error("the handler sees no request id")
		}
		r.Source, r.Bytes = "care", 7
		r.Outcome.Kind = hookgate.Accepted
		w.WriteHeader(http.StatusOK)
	})
	var seen []middleware.Answer
	observe := func(a middleware.Answer) {
		report := *a.Report
		a.Report = &report // the original is used again
		seen = append(seen, a)
	}
	request := httptest.NewRequest("POST", "/hooks/care", nil)
	middleware.Report(now, observe, observe)(handler).ServeHTTP(httptest.NewRecorder(), request)
	if len(seen) != 2 {
		t.Fatalf("%d observations, want 2", len(seen))
	}
	for _, a := range seen {
		if a.Request != request || a.Report.Source != "care" || a.Report.Bytes != 7 || a.Report.Outcome.Kind != hookgate.Accepted || a.Duration != 250*time.Millisecond {
			t.Errorf("observed %+v with %+v", a, a.Report)
		}
	}
}

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestL01_TheSendersIDIsNotOurs: a request id that a sender chooses could be anything, and be the same twice.
func TestL01_TheSendersIDIsNotOurs(t *testing.T) {
	t.Parallel()
	var id string
	h := middleware.Report(time.Now, func(a middleware.Answer) { id = a.Report.RequestID })(http.NotFoundHandler())
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("X-Request-Id", "chosen")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if id == "chosen" || id == "" {
		t.Errorf("the request id is %q", id)
	}
}

// TestReport_NothingLeaksBetweenRequests: the writers are pooled, so every request must find a blank one. A request that
// writes only some of the facts has none of those that another one wrote, and no id is given twice.
func TestReport_NothingLeaksBetweenRequests(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ids := make(map[string]bool)
	observe := func(a middleware.Answer) {
		mu.Lock()
		defer mu.Unlock()
		if ids[a.Report.RequestID] {
			t.Errorf("the id %s was given twice", a.Report.RequestID)
		}
		ids[a.Report.RequestID] = true
		want := a.Request.Header.Get("Want")
		if a.Report.Source != want || (want == "") != (a.Report.Err == nil) || (want == "") != (a.Report.Bytes == 0) || (want == "") != (len(a.Report.Outcome.Events) == 0) {
			t.Errorf("a request for %q is reported as %+v", want, *a.Report)
		}
		if status := 200 + len(want); a.Status != status {
			t.Errorf("a request for %q is reported with status %d, want %d", want, a.Status, status)
		}
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report := hookgate.ReportOf(w)
		want := r.Header.Get("Want")
		if want != "" {
			report.Source, report.Bytes = want, 1
			report.Err = hookgate.Errorf(hookgate.Malformed, "%s", want)
			report.Outcome.Events = []*hookgate.Event{{ID: want}}
			w.WriteHeader(200 + len(want))
		}
		if r.Header.Get("Abort") != "" {
			panic(http.ErrAbortHandler)
		}
	})
	// Two chains, as two listeners have them, share the pool.
	chains := []http.Handler{middleware.Report(time.Now, observe)(handler), middleware.Report(time.Now, observe)(handler)}
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for n := range 200 {
				r := httptest.NewRequest("POST", "/", nil)
				if n%2 == 0 {
					r.Header.Set("Want", fmt.Sprint("source-", worker, "-", n))
				}
				if n%6 == 0 {
					r.Header.Set("Abort", "1")
				}
				func() {
					defer func() { _ = recover() }()
					chains[worker%2].ServeHTTP(httptest.NewRecorder(), r)
				}()
			}
		})
	}
	wg.Wait()
	if len(ids) == 0 {
		t.Fatal("nothing was observed")
	}
}
