package admin

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
)

// The bounds of guessing at the token.
const (
	freeGuesses = 30          // wrong tokens of one address (IPv6: one /64) in guessPeriod that are answered at once
	guessPeriod = time.Minute // after which all is forgotten
	guessPause  = time.Second // how long each further one waits for its answer
	slowGuesses = 8           // further ones that are judged and wait at once, of all addresses together
	maxGuessers = 4096        // addresses that are told apart; all others share one count
)

// guesses slows down whoever guesses at the token. The token is judged before anything is refused, so that a good one opens
// from the same address, too; but beyond the free guesses a judgement takes one of a few seats, and a wrong token keeps it
// for a pause. So all addresses that guess have at most slowGuesses judgements a second, over as many connections as they
// like. While they take every seat, a good token from one of these addresses must be sent again; from elsewhere it opens.
type guesses struct {
	now    func() time.Time
	tell   func(address string) // when an address has used up its free guesses; may be nil
	seats  chan struct{}
	mu     sync.Mutex
	since  time.Time
	counts map[string]int
}

func newGuesses(now func() time.Time, tell func(string)) *guesses {
	if now == nil {
		now = time.Now
	}
	return &guesses{now: now, tell: tell, seats: make(chan struct{}, slowGuesses), counts: make(map[string]int)}
}

// slow lets through what is no guess: a request without a token, which the pages judge, and one that opens.
func (g *guesses) slow(opens func(*http.Request) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Authorization"]) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		address := hookgate.Party(hookgate.Peer(r))
		if !g.exhausted(address) {
			if !opens(r) {
				g.count(address)
			}
			next.ServeHTTP(w, r)
			return
		}
		select {
		case g.seats <- struct{}{}:
		default:
			tooManyGuesses(w)
			return
		}
		if opens(r) {
			<-g.seats
			next.ServeHTTP(w, r)
			return
		}
		g.count(address)
		time.Sleep(guessPause) // also for a caller that hangs up, who would else guess as fast as he hangs up
		<-g.seats
		tooManyGuesses(w)
	})
}

func tooManyGuesses(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(int(guessPause.Seconds())))
	word(w, http.StatusTooManyRequests, "too many wrong tokens from this address")
}

func (g *guesses) exhausted(address string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.counts[g.bounded(address)] >= freeGuesses
}

func (g *guesses) count(address string) {
	g.mu.Lock()
	address = g.bounded(address)
	g.counts[address]++
	last := g.counts[address] == freeGuesses
	g.mu.Unlock()
	if last && g.tell != nil {
		g.tell(address)
	}
}

// bounded forgets what is over, and gives the name under which an address is counted.
func (g *guesses) bounded(address string) string {
	if now := g.now(); now.Sub(g.since) >= guessPeriod {
		clear(g.counts)
		g.since = now
	}
	if _, ok := g.counts[address]; !ok && len(g.counts) >= maxGuessers {
		return "the rest"
	}
	return address
}
