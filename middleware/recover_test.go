package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/middleware"
)

func TestRecover_APanicIsOurFault(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"text":   "boom",
		"error":  errors.New("boom"),
		"secret": hookgate.NewSecret([]byte("canary"), "env:X"),
		"long":   strings.Repeat("x", 1<<20),
		"nil":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var err *hookgate.Error
			h := middleware.Chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(v) }),
				middleware.Report(time.Now, func(a middleware.Answer) { err = a.Report.Err }), middleware.Recover)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest("POST", "/", nil))
			if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Connection") != "close" || rec.Body.Len() > 0 {
				t.Errorf("answered %d %v %q", rec.Code, rec.Header(), rec.Body)
			}
			if err == nil || err.Code != hookgate.InternalMistake || !strings.Contains(err.Detail, "goroutine ") {
				t.Fatalf("reported %v", err)
			}
			if strings.Contains(err.Detail, "canary") {
				t.Error("the secret is in the report")
			}
			if len(err.Detail) > 2048 {
				t.Errorf("the report has %d bytes", len(err.Detail))
			}
		})
	}
}

// TestRecover_TheServersOwnWayPasses: http.ErrAbortHandler cuts the connection and must reach the server.
func TestRecover_TheServersOwnWayPasses(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]error{"itself": http.ErrAbortHandler, "wrapped": fmt.Errorf("gone: %w", http.ErrAbortHandler)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if got := recover(); got != v {
					t.Errorf("recovered %v, want %v", got, v)
				}
			}()
			h := middleware.Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(v) }))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil))
		})
	}
}

// TestRecover_AnAnswerUnderWayIsNotTakenBack: the status that went out is the one that is reported.
func TestRecover_AnAnswerUnderWayIsNotTakenBack(t *testing.T) {
	t.Parallel()
	var a middleware.Answer
	h := middleware.Chain(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		panic("too late")
	}), middleware.Report(time.Now, func(got middleware.Answer) { a = got }), middleware.Recover)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("POST", "/", nil))
	if rec.Code != http.StatusOK || a.Status != http.StatusOK {
		t.Errorf("answered %d, reported %d", rec.Code, a.Status)
	}
}
