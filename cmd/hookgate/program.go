package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/issuer"
	"github.com/hookgate/hookgate/middleware"
	"github.com/hookgate/hookgate/verifiers"
)

// grace is how long a stop waits for requests and deliveries under way.
const grace = 30 * time.Second

// program is one running gateway: the journal, what fills it and what follows it.
type program struct {
	main     *Main
	config   *configs.Config
	log      zerolog.Logger
	journals *journals
	gateway  *hookgate.Gateway
	parties  *verifiers.Parties // whom the sources ask about tokens
	metrics  *admin.Metrics
	tokens   *issuer.Endpoint
	targets  *targets
	replays  *replays
	failures *failures
	unshare  func() <-chan struct{} // ends the forwarding of this node's parts; nil before it has begun

	clients      *middleware.Clients
	connections  *middleware.Connections // at hooks
	hooks, admin *server
	outbound     *outboundSide // nil where there is none

	handshakes *handshakes                    // nil where the hooks listener speaks no TLS
	loaded     atomic.Pointer[configs.Config] // the configuration that was taken over last
	end        context.CancelFunc             // of what runs beside the listeners
	beside     sync.WaitGroup
}

// start opens the journal, starts the destinations and binds the listeners, in this order, so that the first delivery
// finds everything in place. Nothing is left behind when it fails.
func start(m *Main, c *configs.Config, log zerolog.Logger, buffer *lineBuffer, stdout io.Writer) (_ *program, err error) {
	ending, end := context.WithCancel(context.Background())
	p := &program{main: m, config: c, log: log, clients: new(middleware.Clients), end: end}
	defer func() {
		if err != nil {
			_ = p.stop() // the first error is the one to tell
		}
	}()
	p.parties = verifiers.NewParties(m.Now, p.issuerAway)
	p.handshakes = newHandshakes(c, ending.Done())
	built, err := p.build(c)
	if err != nil {
		return nil, err
	}
	if p.journals, err = openJournals(m, c, log); err != nil {
		return nil, err
	}
	if err = p.startDestinations(stdout); err != nil {
		return nil, err
	}
	p.makeGateway(buffer)
	p.takeOver(built)
	if err = p.listenForHooks(); err != nil {
		return nil, err
	}
	if err = p.listenForOperators(); err != nil {
		return nil, err
	}
	if p.outbound, err = startOutbound(m, c.Outbound, log); err != nil {
		return nil, err
	}
	p.obtainCertificates(ending)
	return p, nil
}

// startDestinations begins to forward what is in the journal.
func (p *program) startDestinations(stdout io.Writer) error {
	p.targets = newTargets(p.journals, p.log, stdout, p.main.Now)
	if err := p.targets.set(p.config); err != nil {
		return err
	}
	p.share()
	p.replays = newReplays(p.journals.parts(p.targets), p.targets.receivers, p.main.Now)
	return nil
}

// makeGateway makes the pipeline, which has no sources yet, and what looks at it.
func (p *program) makeGateway(buffer *lineBuffer) {
	limits := p.config.Limits
	p.gateway = &hookgate.Gateway{
		Journal: p.journals.Journal, Now: p.main.Now, Clients: p.clients,
		Strangers: budget(limits.Strangers), Seats: make(chan struct{}, limits.InFlight),
	}
	p.metrics = admin.NewMetrics(func() admin.Snapshot { return p.snapshot(buffer.Dropped()) }, p.firstProof)
	p.failures = newFailures(p.gateway, p.log, p.metrics.Diagnosed)
	p.gateway.Failures = p.failures
	p.tokens = newTokens(p.gateway, limits.Strangers)
}

// listenForHooks binds the listener of the providers.
func (p *program) listenForHooks() (err error) {
	count := func(a middleware.Answer) { p.metrics.Observe(a.Report, a.Duration) }
	if p.hooks, err = listen(p.config.Listen, "listen", middleware.Chain(router(p.gateway, p.tokens),
		middleware.Report(p.main.Now, middleware.AccessLog(p.log), count),
		middleware.Recover,
		p.handshakes.reconnect,
	), p.log); err != nil {
		return err
	}
	limits := p.config.Limits
	p.connections = middleware.LimitConnections(p.hooks.listener, limits.Connections, limits.PerAddress, p.clients.Trusts)
	p.hooks.listener = p.connections
	p.hooks.speak(p.handshakes, p.log)
	return nil
}

// listenForOperators binds the listener of the operator's side.
func (p *program) listenForOperators() (err error) {
	own := p.config.Admin
	p.admin, err = listen(own.Listen, "admin.listen", admin.Handler(admin.Options{
		Token: own.Token, Listen: own.Listen, Hosts: own.Hosts, Guessing: p.guessing, Audit: p.audit, Now: p.main.Now,
		Metrics: p.metrics.Handler(), Keys: p.targets.signing.keySet,
		Operator: operator{p.journals, p.targets}, Replays: p.replays, Failures: p.failures,
		Events: inspector{parts: p.journals.parts(p.targets), receivers: p.targets.receivers, history: p.journals.history},
		Checks: []admin.Check{{Name: "journal", Ready: p.journals.ready, About: p.journals.durability}},
	}), p.log)
	return err
}

// obtainCertificates asks an authority for certificates where one is configured; it asks again until the listener serves.
func (p *program) obtainCertificates(ending context.Context) {
	if p.handshakes != nil && p.handshakes.issuer != nil {
		p.beside.Go(func() { p.handshakes.obtain(ending, p.config.TLS.ACME.Domains, p.main.Now, p.log) })
	}
}

// share begins to forward this node's parts of the journal.
func (p *program) share() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.journals.share(ctx, p.targets.take)
	}()
	p.unshare = func() <-chan struct{} {
		cancel()
		return ended
	}
}

// firstProof tells when a key comes into use: while keys are exchanged, the moment from which the provider has the new one.
func (p *program) firstProof(source string, proof hookgate.Proof) {
	p.log.Info().Str("source", source).Str("scheme", proof.Scheme).Str("keyid", proof.KeyID).Msg("first delivery proved by this key since the start")
}

// issuerAway logs that a token could not be asked about.
func (p *program) issuerAway(err error) {
	p.log.Warn().Err(err).Msg("an issuer cannot be asked; what it told before serves")
}

// audit logs what an operator did.
func (p *program) audit(a admin.Act) {
	p.log.Info().Str("remote", a.Remote).Str("method", a.Method).Str("path", a.Path).Str("order", a.Order).Int("status", a.Status).Msg("operator")
}

// guessing logs that somebody guesses at the admin token.
func (p *program) guessing(address string) {
	p.log.Warn().Str("remote", address).Msg("many wrong admin tokens from this address; more of them are answered slowly")
}

// run serves until ctx ends or something gives up, lets quiesce end what could still change the program, and then stops in
// order: no more requests, answers to those under way, deliveries under way, the journal. What has been answered 200 is in
// the journal, so nothing can be lost here.
func (p *program) run(ctx context.Context, quiesce func()) error {
	failed := make(chan error, 4)
	servers := []*server{p.hooks, p.admin}
	addresses := Addresses{Hooks: p.hooks.addr(), Admin: p.admin.addr()}
	if p.outbound != nil {
		servers = append(servers, p.outbound.http)
		addresses.Outbound = p.outbound.http.addr()
	}
	for _, s := range servers {
		go func() { failed <- s.serve() }()
	}
	p.log.Info().Str("listen", addresses.Hooks).Str("admin", addresses.Admin).Str("outbound", addresses.Outbound).Int("sources", len(p.config.Sources)).
		Int("destinations", len(p.config.Destinations)).Msg("taking deliveries")
	if p.main.Started != nil {
		p.main.Started(addresses)
	}
	var err error
	select {
	case <-ctx.Done():
		p.log.Info().Msg("stopping")
	case err = <-failed:
	case err = <-p.outboundFailed():
	case <-p.journals.failed():
		err = exitError{exitJournal, fmt.Errorf("the journal failed and nothing has been acknowledged since: %w", p.journals.ready())}
		p.log.Error().Err(err).Msg("stopping")
	}
	quiesce()
	return errors.Join(err, p.stop())
}

// outboundFailed tells of a store that failed under the outbound side; never where there is none.
func (p *program) outboundFailed() <-chan error {
	if p.outbound == nil {
		return nil
	}
	return p.outbound.failed
}

// stop ends whatever has been started, in the order of run.
func (p *program) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	p.end()
	var errs []error
	if p.hooks != nil {
		errs = append(errs, p.hooks.stop(ctx))
	}
	if p.parties != nil {
		p.parties.Close()
	}
	if p.outbound != nil {
		errs = append(errs, p.outbound.stop(ctx))
	}
	if p.replays != nil {
		p.replays.stop()
	}
	if p.unshare != nil {
		select {
		case <-p.unshare():
		case <-ctx.Done(): // the targets name those that do not stop
		}
	}
	if p.targets != nil {
		errs = append(errs, p.targets.stop(ctx))
	}
	if p.admin != nil {
		errs = append(errs, p.admin.stop(ctx))
	}
	if p.failures != nil {
		p.failures.stop()
	}
	if p.journals != nil {
		errs = append(errs, p.journals.close())
	}
	waitFor(ctx, &p.beside) // the last, for an authority can keep the library that asks it waiting for minutes
	return errors.Join(errs...)
}

// waitFor waits until all of a group have ended, within ctx.
func waitFor(ctx context.Context, group *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		group.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// router sends every path but those of the token endpoint to the gateway. Both know theirs themselves: paths change while
// it serves, and a router is not rebuilt while it serves. The settings keep mux from answering a POST with a redirect.
func router(gateway http.Handler, tokens *issuer.Endpoint) http.Handler {
	r := mux.NewRouter().SkipClean(true).StrictSlash(false).UseEncodedPath()
	r.MatcherFunc(func(r *http.Request, _ *mux.RouteMatch) bool { return tokens.Serves(r.URL.EscapedPath()) }).Handler(tokens)
	r.PathPrefix("/").Handler(gateway)
	r.NotFoundHandler = gateway // what does not start with a slash, such as OPTIONS *
	return r
}

// server is one listener and what answers on it.
type server struct {
	http     *http.Server
	listener net.Listener
}

// listen binds now, so that a taken address is an error of the start.
func listen(address, option string, h http.Handler, log zerolog.Logger) (*server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; choose another address or stop what listens there", option, err)
	}
	return &server{listener: l, http: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 3 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    12 << 10, // net/http adds 4 KiB to it
		ErrorLog:          stdlog.New(log.Level(zerolog.WarnLevel), "", 0),

		DisableGeneralOptionsHandler: true, // OPTIONS * is a path that no source has
	}}, nil
}

func (s *server) addr() string { return s.listener.Addr().String() }

func (s *server) serve() error {
	serve := s.http.Serve
	if s.http.TLSConfig != nil {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// stop lets requests under way finish within ctx. A server that was bound but never served has only its listener.
func (s *server) stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	_ = s.listener.Close() // closed already, if it served
	return err
}
