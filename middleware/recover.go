package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/hookgate/hookgate"
)

// Recover turns a panic into 503: a fault of ours, so the provider sends the delivery again. The stack goes to the log
// line of the request, cut to its head, and so is what the panic said.
func Recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // the server's own way to cut a connection
			}
			stack := debug.Stack()
			hookgate.ReportOf(w).Err = hookgate.Errorf(hookgate.InternalMistake, "panic: %s\n%s", cut(fmt.Sprint(v), 100), stack[:min(len(stack), 900)])
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Connection", "close")
			w.WriteHeader(hookgate.InternalMistake.Status())
		}()
		next.ServeHTTP(w, r)
	})
}
