package middleware

import (
	"net/http"

	"github.com/hookgate/hookgate"
)

// InFlight lets at most limit requests in at once and answers 503 to the rest, so that bodies in memory are bounded:
// limit times the largest body.
func InFlight(limit int) Middleware {
	seats := make(chan struct{}, limit)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case seats <- struct{}{}:
				defer func() { <-seats }()
				next.ServeHTTP(w, r)
			default:
				hookgate.ReportOf(w).Err = hookgate.Errorf(hookgate.Unavailable, "%d requests are in flight, which is the limit", limit)
				w.Header().Set("Retry-After", "1")
				w.Header().Set("Connection", "close")
				w.WriteHeader(hookgate.Unavailable.Status())
			}
		})
	}
}
