package outbound

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/hookgate/hookgate"
)

// Signer sets on a request the headers that prove where it comes from.
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
	// Log is told what an operator has to know: a subscription that was disabled, an alert that could not be sent.
	Log func(message string, about map[string]string)
	// Roots are the certificate authorities that receivers are checked against; the system's unless set.
	TLS *tls.Config
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
	From, To               time.Time // of the delivery's creation
	Before                 int64     // Seq of the last one of the page before; 0 begins at the newest
	Limit                  int       // 1 to 1000; 0 is 100
}
