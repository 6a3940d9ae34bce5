package outbound

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// provider is what one provider does its own way. Functions that are nil have nothing to do.
type provider struct {
	timeout time.Duration   // of one attempt
	retries []time.Duration // the wait before each attempt after the first
	success func(status int) bool
	schemes []string // that it can use; the first is what emulate takes unless told

	// frozen: a retry repeats the headers of the first attempt, time and signature included.
	frozen bool
	// lowerHeaders: header names go out in lower case.
	lowerHeaders bool
	// batch is how many events share a request at most, and flush how long the first of them waits; 0 is one event a request.
	batch int
	flush time.Duration

	// events are the native events that sample knows, in the taxonomy's order.
	events []string
	// sample makes up a realistic event. The same state of rng and the same time give the same event.
	sample func(rng *rand.Rand, native string, at time.Time) Event
	// entities: two samples are different events if they differ in nothing but id and time.
	entities bool

	// complete fills in what a triggered event leaves out, or says what is wrong with it.
	complete func(e *Event, now time.Time) error
	// check says what is wrong with a subscription, under the names that the plain API uses.
	check func(s *Subscription, ps *hookgate.Problems)
	// newID makes up the id of a subscription in the provider's form; a UUID where it is nil.
	newID func() string
	// admit judges a change that the rest of the store has a say in, such as a limit of how many there may be.
	admit func(ctx context.Context, s *Server, before, after *Subscription) error
	// test makes the provider's set-up call and notes that it passed; nil where there is none. The error says why it did not.
	test func(ctx context.Context, s *Server, id string) error
	// hideSettings shows the settings without their secrets, each as [secret], and keepHidden puts back what it hid where after
	// has it in a changed subscription; both nil where there are none.
	hideSettings func(s *Subscription) json.RawMessage
	keepHidden   func(before, after *Subscription)
	// match reports whether a subscription wants an event.
	match func(s *Subscription, e *Event) bool
	// among takes from the subscriptions that match those that an event goes to, where one has a say in what another gets.
	// It changes none of them.
	among func(matched []*Subscription) []*Subscription
	// write makes the request of an attempt: headers without the proof, and the body. It is pure: the same delivery and
	// attempt give the same bytes.
	write func(s *Subscription, d *Delivery, attempt int) (http.Header, []byte, error)
	// observe changes the subscription by what came of an attempt; ended tells that there will be no further one.
	observe func(s *Subscription, d *Delivery, a *Attempt, ended bool)
	// keep is how long a delivery stays in the log after its end; 0 is the server's own retention.
	keep func(s *Subscription, state State) time.Duration
	// routes adds the documented management API.
	routes func(s *Server, r *mux.Router)
	// chores is called about once a second while the server runs, for alerts and the like. It returns soon when ctx ends.
	chores func(ctx context.Context, s *Server, now time.Time) error
}

// providers is the registry, by name. It is a function, because a provider's routes lead to the server, which knows the
// providers.
func providers() map[string]provider {
	return map[string]provider{
		"bird":     bird(),
		"commbox":  commbox(),
		"netcore":  netcore(),
		"salesiq":  salesiq(),
		"sprinklr": sprinklr(),
	}
}

// Providers lists the names in alphabetical order.
func Providers() []string { return slices.Sorted(maps.Keys(providers())) }
