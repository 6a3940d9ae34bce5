package outbound

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"
)

// Errors that a provider's API answers in its own form.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("there is one with this id already")
)

var errStub = errors.New("stub")

func New(o Options) (*Server, error)                 { return nil, errStub }
func (s *Server) Handler() http.Handler              { return nil }
func (s *Server) Run(ctx context.Context) error      { return errStub }
func (s *Server) Close() error                       { return errStub }
func (s *Server) now() time.Time                     { return time.Now() }

// Create stores a new subscription; its Provider and ID are set. ErrConflict if the id is taken.
func (s *Server) Create(ctx context.Context, sub *Subscription) error { return errStub }

// Get is ErrNotFound when there is none.
func (s *Server) Get(ctx context.Context, provider, id string) (*Subscription, error) { return nil, errStub }

// List is in order of creation; next is "" on the last page.
func (s *Server) List(ctx context.Context, provider string, p Page) (subs []*Subscription, next string, err error) {
	return nil, "", errStub
}

// Update changes a subscription atomically; an error of change leaves it as it was and is returned.
func (s *Server) Update(ctx context.Context, provider, id string, change func(*Subscription) error) (*Subscription, error) {
	return nil, errStub
}

// Delete removes a subscription and its deliveries that still wait.
func (s *Server) Delete(ctx context.Context, provider, id string) error { return errStub }

// Publish completes the event, matches it with the active subscriptions and stores a delivery for each (or adds to its
// open batch). On return they are durable; ids are the deliveries'.
func (s *Server) Publish(ctx context.Context, provider string, e Event) (ids []string, err error) { return nil, errStub }

// Deliveries lists the log, newest first.
func (s *Server) Deliveries(ctx context.Context, q LogQuery) ([]*Delivery, error) { return nil, errStub }

// Count counts what Deliveries would list without its limit.
func (s *Server) Count(ctx context.Context, q LogQuery) (int64, error) { return 0, errStub }

// Delivery gives one with its attempts in order. ErrNotFound when it is not in the log.
func (s *Server) Delivery(ctx context.Context, id string) (*Delivery, []Attempt, error) { return nil, nil, errStub }

// Retry orders one more attempt of failed deliveries, now. Those that are not there, not failed, or have had most manual
// attempts already are skipped.
func (s *Server) Retry(ctx context.Context, ids []string, most int) (skipped []string, err error) { return nil, errStub }

// Forget removes ended deliveries from the log.
func (s *Server) Forget(ctx context.Context, ids []string) error { return errStub }

// Call makes one request to a subscription's URL now, with its credentials, outside of the log and without retries: a
// set-up call. The attempt's error is set when there was no answer.
func (s *Server) Call(ctx context.Context, sub *Subscription, method string, header http.Header, body []byte) Attempt {
	return Attempt{}
}

// reply writes v as compact JSON, <>& unescaped.
func reply(w http.ResponseWriter, status int, v any) {}

// readJSON reads a JSON body of at most 1 MiB into v; strict refuses members that v does not have.
func readJSON(w http.ResponseWriter, r *http.Request, v any, strict bool) error { return errStub }

// closed lets only a caller through whose one Authorization header is scheme, a space and the server's token (all callers
// when there is none); others are answered by refuse. Constant time.
func (s *Server) closed(scheme string, refuse http.HandlerFunc) mux.MiddlewareFunc { return nil }
