package admin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate/admin"
)

// from asks the page of an operator from an address.
func from(h http.Handler, remote, authorization string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.RemoteAddr = remote
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// TestA01_GuessingIsSlow: after some wrong tokens the next ones cost a pause each, but the right one opens at once, from
// other addresses and from this one, and a minute later all is forgotten.
func TestA01_GuessingIsSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []string
		h := admin.Handler(options(func(o *admin.Options) { o.Guessing = func(a string) { told = append(told, a) } }))
		const guesser, right = "192.0.2.7:1", "Bearer " + token
		for range 100 {
			if rec := from(h, "192.0.2.8:1", ""); rec.Code != http.StatusUnauthorized {
				t.Fatalf("without a token, which is no guess: %d", rec.Code)
			}
		}
		began := time.Now()
		for n := range 30 {
			if rec := from(h, fmt.Sprint("192.0.2.7:", n), fmt.Sprint("Bearer guess-", n)); rec.Code != http.StatusUnauthorized {
				t.Fatalf("guess %d: %d", n, rec.Code)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the first guesses took %s", took)
		}
		for n := range 5 {
			if rec := from(h, guesser, fmt.Sprint("Basic guess-", n)); rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") != "1" {
				t.Errorf("one guess more: %d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
			}
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("five guesses more took %s", took)
		}
		slow := time.Now()
		for _, remote := range []string{guesser, "192.0.2.8:1", "[2001:db8::1]:1"} {
			if rec := from(h, remote, right); rec.Code != http.StatusOK {
				t.Errorf("the right token from %s: %d", remote, rec.Code)
			}
		}
		if rec := from(h, "192.0.2.8:1", "Bearer wrong"); rec.Code != http.StatusUnauthorized {
			t.Errorf("a slip elsewhere: %d", rec.Code)
		}
		if took := time.Since(slow); took != 0 {
			t.Errorf("those who do not guess waited for %s", took)
		}
		if strings.Join(told, " ") != "192.0.2.7" {
			t.Errorf("told of %q", told)
		}
		<-time.After(time.Minute)
		if rec := from(h, guesser, "Bearer wrong"); rec.Code != http.StatusUnauthorized {
			t.Errorf("a minute later: %d", rec.Code)
		}
	})
}

// TestA01_GuessingInParallel: many connections do not guess faster than a few, and hanging up does not help.
func TestA01_GuessingInParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := admin.Handler(options(nil))
		for n := range 30 {
			from(h, "[2001:db8:0:1::1]:1", fmt.Sprint("Bearer guess-", n))
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		answered := make(map[string]int)
		for n := range 1000 { // from all over the /64
			wg.Go(func() {
				began := time.Now()
				rec := from(h, fmt.Sprintf("[2001:db8:0:1::%x]:1", n), fmt.Sprint("Bearer guess-", n))
				mu.Lock()
				defer mu.Unlock()
				answered[fmt.Sprint(rec.Code, " after ", time.Since(began))]++
			})
		}
		synctest.Wait()
		if rec := from(h, "[2001:db8:0:2::1]:1", "Bearer "+token); rec.Code != http.StatusOK {
			t.Errorf("the right token from elsewhere meanwhile: %d", rec.Code)
		}
		wg.Wait()
		if answered["429 after 1s"] != 8 || answered["429 after 0s"] != 992 {
			t.Errorf("answered %v, want 8 judged and the others not", answered)
		}
		if rec := from(h, "[2001:db8:0:1::1]:1", "Bearer "+token); rec.Code != http.StatusOK {
			t.Errorf("the right token from the guesser's network: %d", rec.Code)
		}
	})
}

// TestA01_GuessersAreBounded: whoever has many networks shares one count with all who come after, so that the table ends.
func TestA01_GuessersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := make(map[string]int)
		h := admin.Handler(options(func(o *admin.Options) { o.Guessing = func(a string) { told[a]++ } }))
		for n := range 6000 {
			remote := fmt.Sprintf("[2001:db8:%x::1]:1", n)
			want := http.StatusUnauthorized
			if n >= 4096+30 {
				if n > 4096+33 {
					break
				}
				want = http.StatusTooManyRequests
			}
			if rec := from(h, remote, "Bearer wrong"); rec.Code != want {
				t.Fatalf("network %d: %d, want %d", n, rec.Code, want)
			}
		}
		if len(told) != 1 || told["the rest"] != 1 {
			t.Errorf("told of %v", told)
		}
		if rec := from(h, "[2001:db8:ffff::1]:1", "Bearer "+token); rec.Code != http.StatusOK {
			t.Errorf("the right token: %d", rec.Code)
		}
	})
}

// TestA01_ReadinessIsNoWayToGuess: the page that answers strangers, too, does not tell a right token from a wrong one faster.
func TestA01_ReadinessIsNoWayToGuess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := admin.Handler(options(nil))
		ready := func(authorization string) int {
			r := httptest.NewRequest(http.MethodGet, "/readyz", nil)
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			return rec.Code
		}
		for n := range 30 {
			if code := ready(fmt.Sprint("Bearer guess-", n)); code != http.StatusServiceUnavailable {
				t.Fatalf("guess %d: %d", n, code)
			}
		}
		if code := ready("Bearer guess"); code != http.StatusTooManyRequests {
			t.Errorf("one guess more: %d", code)
		}
		if code := ready(""); code != http.StatusServiceUnavailable {
			t.Errorf("a load balancer, which has no token: %d", code)
		}
	})
}
