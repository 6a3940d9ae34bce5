package outbound

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
)

// Signing is a scheme with what it signs by. Private is zero but for schemes with key pairs.
type Signing struct {
	hookgate.AuthSettings
	Private hookgate.Secret
}

// Emulation is one run in which we are a provider: it makes up events and delivers them to one address. It keeps nothing.
type Emulation struct {
	Provider string
	URL      string // http or https, where to
	// PublicURL is the address that the receiver was registered under, which Bird signs; URL unless set. One without a path
	// has that of URL.
	PublicURL string
	Types     []string // native events, in turn; empty is all that the provider has
	// Settings are those of a subscription of the provider, as JSON; empty is its own way.
	Settings json.RawMessage

	Signing []Signing // all are applied; empty proves nothing
	Next    []Signing // instead, from Faults.RotateAt on
	Signers func(entry hookgate.AuthSettings, private hookgate.Secret) (Signer, error)

	Events      int           // how many are made; must be above 0
	Batch       int           // events in a request, for a provider that sends several; 0 is the provider's number
	Rate        float64       // requests a second, by the schedule and not by the answers; 0 is as fast as they are answered
	Concurrency int           // requests under way at most, those that are slow on purpose not counted; 0 is 16
	Attempts    int           // how often a delivery is sent until it succeeds; 0 is once
	RetryWait   time.Duration // between attempts; 0 is 1 s
	Timeout     time.Duration // of one attempt; 0 is the provider's
	Faults      Faults

	// Seed decides everything that is random. The same seed and the same Start give the same requests, and with a
	// concurrency of 1 in the same order.
	Seed uint64
	// Start is when the first event happens; the others follow by the rate, or a microsecond apart. When it is set, it is
	// also what signing goes by. Unset, events begin at the clock's time and are signed when they are sent.
	Start time.Time
	Clock Clock // the real one unless set

	// Entities is how many different things the events of each type are about, so that their order can be told; 0 is a new
	// one for each event. Only sprinklr and salesiq have it: events of the others would not differ enough to be two.
	Entities int

	// Progress is told about once a second how far the run is; nil is not. It is called by one goroutine at a time.
	Progress func(EmulationReport)
	// Observe is told of every request when its answer is there, or that there is none; nil is not. Several goroutines call it.
	Observe func(Exchange)
	// Enough ends the run when it is closed, as far as new deliveries go: what was sent gets all its attempts; nil never does.
	Enough <-chan struct{}
}

// Exchange is one request as it went out, and what came of it. Header and body are shared and must not be changed.
type Exchange struct {
	Target   string // path and query
	Header   http.Header
	Body     []byte
	Attempt  int // from 1
	At       time.Time
	Answered time.Time
	Took     time.Duration // since it was due
	Status   int           // 0 without an answer
}

// Schemes lists the schemes that a provider's deliveries can prove themselves by, the usual one first; nil for a provider
// that is not known.
func Schemes(provider string) []string { return providers()[provider].schemes }

const (
	defaultConcurrency = 16
	defaultRetryWait   = time.Second
	// farewell is how long requests under way may go on after the run was told to end.
	farewell = time.Second
	// maxAside bounds what is slow on purpose or waits for its next attempt, and so holds memory, beside the workers.
	maxAside = 1024
)

// Run makes the run, or as much of it as there is until ctx ends; the report says which. What is wrong with the settings is
// a hookgate.Problems with the names of the command's flags, and nothing was sent then. Any other error says why a delivery
// could not be made, and the report what was sent before it.
func (e Emulation) Run(ctx context.Context) (EmulationReport, error) {
	p, known := providers()[e.Provider]
	if !known {
		return EmulationReport{}, noSuchProvider(e.Provider)
	}
	return e.run(ctx, p)
}

func (e Emulation) run(ctx context.Context, p provider) (EmulationReport, error) {
	r, err := e.prepare(p)
	if err != nil {
		return EmulationReport{}, err
	}
	defer r.transport.CloseIdleConnections()
	taking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.fail = stop
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	r.sending = sending
	r.tally.began = r.clock.Now()
	var helpers sync.WaitGroup
	over := make(chan struct{})
	helpers.Go(func() { r.cutAfter(taking, over, cut) })
	if e.Progress != nil {
		helpers.Go(func() { r.report(over, e.Progress) })
	}

	var workers sync.WaitGroup
	workers.Go(func() { r.produce(taking) })
	for range r.Concurrency {
		workers.Go(func() { r.work(taking) })
	}
	workers.Wait()
	r.asides.Wait()
	r.tally.finish(r.clock.Now(), ctx.Err() != nil)
	close(over)
	helpers.Wait()
	report := r.tally.report(r.clock.Now())
	if cause := context.Cause(taking); ctx.Err() == nil && cause != nil {
		return report, cause
	}
	return report, nil
}

// emulator is a run under way.
type emulator struct {
	Emulation
	provider  provider
	sub       *Subscription
	url       *url.URL
	target    string // path and query, as signed
	signers   []Signer
	next      []Signer
	clock     Clock
	fixed     bool // Start was set
	transport *http.Transport
	tally     *tally
	sending   context.Context // ends a moment after the run was told to
	fail      context.CancelCauseFunc

	ready  chan shot     // in order, prepared ahead
	seats  chan struct{} // of requests under way
	aside  chan struct{} // of deliveries that wait beside the workers
	asides sync.WaitGroup
}

// cutAfter ends requests under way a moment after the run was told to end.
func (r *emulator) cutAfter(taking context.Context, over <-chan struct{}, cut func()) {
	select {
	case <-over:
		return
	case <-taking.Done():
	}
	select {
	case <-over:
	case <-r.clock.After(farewell):
		cut()
	}
}

func (r *emulator) report(over <-chan struct{}, tell func(EmulationReport)) {
	for {
		select {
		case <-over:
			return
		case <-r.clock.After(time.Second):
			tell(r.tally.report(r.clock.Now()))
		}
	}
}

// happens is when the n-th delivery's events happen, from 0.
func (r *emulator) happens(n int) time.Time {
	if r.Rate == 0 {
		return r.Start.Add(time.Duration(n) * time.Microsecond)
	}
	return r.Start.Add(slotOffset(n, r.Rate))
}

// slotOffset is where the n-th request stands in the schedule of a rate.
func slotOffset(n int, rate float64) time.Duration {
	return time.Duration(float64(n) / rate * float64(time.Second))
}
