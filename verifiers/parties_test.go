package verifiers_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *fakeClock { return &fakeClock{t: receipt} }

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *fakeClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// identityProvider is an issuer whose answer can be changed.
type identityProvider struct {
	*httptest.Server
	asked atomic.Int64

	mu     sync.Mutex
	answer http.HandlerFunc
}

// provider answers every question with text, until the test changes that.
func provider(t testing.TB, text string) *identityProvider {
	t.Helper()
	p := &identityProvider{}
	p.says(text)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		p.mu.Lock()
		answer := p.answer
		p.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *identityProvider) does(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *identityProvider) says(text string) {
	p.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
}

// parties are those of one program, which end with the test.
func parties(t testing.TB, clock *fakeClock) *verifiers.Parties {
	t.Helper()
	p := verifiers.NewParties(clock.now, nil)
	t.Cleanup(p.Close)
	return p
}

func asking(t testing.TB, p *verifiers.Parties, entry hookgate.AuthSettings) verifiers.Scheme {
	t.Helper()
	s, err := p.New(entry)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// passes lets the delivery in as the gateway would.
func passes(t testing.TB, v hookgate.Verifier, token string, clock *fakeClock) hookgate.Proof {
	t.Helper()
	verdict, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, carrying(token), clock.now())
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return verdict[0]
}

// fails demands that the delivery is refused with the code, and gives the error.
func fails(t testing.TB, v hookgate.Verifier, token string, clock *fakeClock, code hookgate.Code) *hookgate.Error {
	t.Helper()
	verdict, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, carrying(token), clock.now())
	if err == nil {
		t.Fatalf("taken as %+v", verdict)
	}
	e := hookgate.AsError(err)
	if e.Code != code || verdict != nil {
		t.Fatalf("verdict %v, error %v, want %s", verdict, err, code)
	}
	if code == hookgate.Unavailable && e.RetryAfter <= 0 {
		t.Errorf("%v does not say when to try again", err)
	}
	return e
}

// eventually asks until done or twenty seconds have passed.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: still not", what)
		}
	}
}
