// Package admin is the operator's side: health, metrics and what becomes of events, on a listener of its own.
package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// Check is one condition of readiness. Ready gives nil, or why deliveries cannot be taken at present.
type Check struct {
	Name  string
	Ready func() error
	About func() string // what the readiness rests on, for those who hold the token; may be nil
}

// Options are what the operator's side shows.
type Options struct {
	// Token opens every page. Without one those that show no events are open, which the configuration allows on loopback only.
	Token hookgate.Secret
	// Listen is the configured address, and Hosts are the other names that callers may address these pages by.
	Listen   string
	Hosts    []string
	Guessing func(address string) // told once a minute of an address that guesses at the token; may be nil
	Checks   []Check
	Metrics  http.Handler
	Keys     func() []byte // the JWK set that consumers check forwarded envelopes by
	Operator Operator
	Events   Events
	Replays  Replays
	Failures Failures
	Audit    func(Act)        // told of what operators do, of reading alone excepted; may be nil
	Now      func() time.Time // time.Now when nil
}

// Handler serves /healthz, /readyz, /keys and /metrics, and the pages about events, replays, quarantine, dead letters and failed
// deliveries. The two health pages answer strangers as well, for a load balancer has no token, but with one word only, and
// /keys gives them the public keys; all else is for those who hold it.
func Handler(o Options) http.Handler {
	return headers(Own(o.Listen, o.Hosts, newGuesses(o.Now, o.Guessing).slow(o.opens, o.router())))
}

func (o Options) router() *mux.Router {
	router := mux.NewRouter().SkipClean(true).StrictSlash(false).UseEncodedPath()
	get := []string{http.MethodGet, http.MethodHead}
	router.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { word(w, http.StatusOK, "alive") }).Methods(get...)
	router.HandleFunc("/readyz", o.readyz).Methods(get...)
	router.Handle("/metrics", o.closed(o.Metrics)).Methods(get...)
	router.HandleFunc("/keys", o.keys).Methods(get...)
	o.operate(router)
	router.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(allowed(router, r), ", "))
		word(w, http.StatusMethodNotAllowed, "method not allowed")
	})
	return router
}

// allowed are the methods that a path has.
func allowed(router *mux.Router, r *http.Request) (methods []string) {
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		asked, match := *r, mux.RouteMatch{}
		asked.Method = method
		if router.Match(&asked, &match) && match.MatchErr == nil {
			methods = append(methods, method)
		}
	}
	return methods
}

func (o Options) readyz(w http.ResponseWriter, r *http.Request) {
	status, summary, detail := http.StatusOK, "ready", make(map[string]string)
	for _, c := range o.Checks {
		detail[c.Name] = "ok"
		if err := c.Ready(); err != nil {
			status, summary, detail[c.Name] = http.StatusServiceUnavailable, "not ready", err.Error()
		} else if c.About != nil {
			detail[c.Name] += ": " + c.About()
		}
	}
	if !o.opens(r) {
		word(w, status, summary)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": status == http.StatusOK, "checks": detail})
}

func (o Options) keys(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(o.Keys())
}

// closed lets only the holder of the token through.
func (o Options) closed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.opens(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			word(w, http.StatusUnauthorized, "unauthorized")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (o Options) opens(r *http.Request) bool {
	token := o.Token.Reveal()
	if len(token) == 0 {
		return true
	}
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return false
	}
	given, ok := strings.CutPrefix(values[0], "Bearer ")
	return ok && hookgate.SecretEqual([]byte(given), token)
}

func word(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// headers tell a browser to run and to frame nothing of these pages, and nobody to keep them.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
