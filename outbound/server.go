package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
)

// Signer sets on a request the headers that prove where it comes from. It is used by several goroutines at once.
type Signer interface {
	Sign(req *hookgate.Request, now time.Time) error
}

// Mailer sends the alerts.
type Mailer interface {
	Send(ctx context.Context, to []string, subject, text string) error
}

// Options are the settings of a server.
type Options struct {
	Path      string        // of the store, an SQLite file; its folder must exist
	Retention time.Duration // how long a delivery stays in the log after its end; 0 keeps it for ever
	// AllowPrivate lets deliveries and token requests go to addresses inside.
	AllowPrivate bool
	// Token opens the management APIs, in each provider's documented form, and the plain API; empty opens them to everybody.
	Token hookgate.Secret
	// Signers makes the scheme that signs a delivery. private is zero but for schemes with key pairs.
	Signers func(entry hookgate.AuthSettings, private hookgate.Secret) (Signer, error)
	Mailer  Mailer // nil: alerts are not sent
	Clock   Clock  // the real one unless set
	// Log is told what an operator has to know: a subscription that was disabled, an alert that could not be sent. It is
	// called by several goroutines at once.
	Log func(message string, about map[string]string)
	// TLS holds the certificate authorities that receivers are checked against; the system's unless set.
	TLS *tls.Config

	Workers         int // deliveries at most that are worked on at once; 0 is 64
	PerSubscription int // requests at most that are under way to one subscription; 0 is 8
}

// Clock is time as the server sees it; tests advance their own.
type Clock interface {
	Now() time.Time
	// After fires once d has passed.
	After(d time.Duration) <-chan time.Time
}

// Server keeps the subscriptions and delivers. Its methods may be called from any number of goroutines.
type Server struct {
	options   Options
	providers map[string]provider
	store     *store

	clock    Clock
	schedule *schedule
	client   *client
	tokens   *tokens
	signers  *signers
	patience time.Duration // of a stop with the requests under way

	// admission orders the changes that a limit over several subscriptions is checked for.
	admission sync.Mutex

	mu      sync.Mutex
	running bool
	shut    bool
	stop    context.CancelFunc // ends Run
	ended   chan struct{}      // closed when Run has returned
}

// Page bounds a listing.
type Page struct {
	After string // the last id of the page before; "" begins
	Limit int    // 1 to 1000; 0 is 100
}

// LogQuery selects deliveries, newest first. Zero fields select all.
type LogQuery struct {
	Provider, Subscription string
	States                 []State
	Events                 []string
	From, To               time.Time // of the delivery's creation; From is included, To is not
	Before                 int64     // Seq of the last one of the page before; 0 begins at the newest
	Limit                  int       // 1 to 1000; 0 is 100
	// Bare leaves out the deliveries' events, which a listing seldom shows and which can be large.
	Bare bool
}

// Errors that a provider's API answers in its own form.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("there is one with this id already")
	// ErrFull means that as many deliveries wait, or as many subscriptions are kept, as the server holds at most. Nothing
	// was stored; it may succeed once some have ended.
	ErrFull = errors.New("the server is full")
)

var errClosed = errors.New("outbound: the server is closed")

// New opens the store, or makes it. Nothing is delivered before Run.
func New(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = wallClock{}
	}
	if o.Log == nil {
		o.Log = func(string, map[string]string) {}
	}
	if o.Workers <= 0 {
		o.Workers = 64
	}
	if o.PerSubscription <= 0 {
		o.PerSubscription = 8
	}
	s := &Server{options: o, providers: providers(), clock: o.Clock, tokens: newTokens(), signers: newSigners(), patience: stopWait}
	s.schedule = newSchedule(o.PerSubscription, s.isActive)
	s.client = newClient(o)
	st, err := openStore(o.Path)
	if err != nil {
		return nil, err
	}
	s.store = st
	st.committed = s.committed
	items, err := st.pending()
	if err != nil {
		return nil, errors.Join(err, st.close())
	}
	s.schedule.add(items...)
	return s, nil
}

// Run delivers what is due, 64 at once and 8 at once to one subscription. What waits for a subscription that is inactive is
// held until it is active again; what has become overdue meanwhile then goes out at once.
//
// When ctx ends, Run waits up to 10 s for the requests under way; what is cut off then counts as made, and the schedule
// goes on from it at the next start. It runs once at a time.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.shut || s.running {
		defer s.mu.Unlock()
		if s.shut {
			return errClosed
		}
		return errors.New("outbound: the server runs already")
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.running, s.ended = true, make(chan struct{})
	s.mu.Unlock()
	defer func() {
		s.stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = false
		close(s.ended)
	}()
	return s.run(ctx)
}

// Close ends Run, waits for it and closes the store.
func (s *Server) Close() error {
	s.mu.Lock()
	s.shut = true
	running, ended := s.running, s.ended
	if running {
		s.stop()
	}
	s.mu.Unlock()
	if running {
		<-ended
	}
	s.client.close()
	return s.store.close()
}

// now is the server's time in the precision that it keeps, milliseconds.
func (s *Server) now() time.Time { return s.clock.Now().Truncate(time.Millisecond) }

// isActive is what the schedule asks; ok is false when there is no such subscription.
func (s *Server) isActive(key int64) (active, ok bool) {
	e := s.store.entry(key)
	if e == nil {
		return false, false
	}
	return e.sub.Active, true
}

// committed is called by the store after every commit, before the callers are answered.
func (s *Server) committed(c *changes) {
	for key := range c.subs {
		s.schedule.refresh(key)
	}
	s.schedule.add(c.items...)
}

// wallClock is the real time.
type wallClock struct{}

func (wallClock) Now() time.Time                         { return time.Now() }
func (wallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// note tells the operator.
func (s *Server) note(message string, about map[string]string) { s.options.Log(message, about) }
