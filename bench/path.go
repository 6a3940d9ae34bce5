//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/forward"
	"github.com/hookgate/hookgate/journal"
	"github.com/hookgate/hookgate/middleware"
	"github.com/hookgate/hookgate/normalize"
)

// path is the way of an event through the program, in this process and without its network, so that each step can be
// measured for itself.
type path struct {
	source  *hookgate.Source
	gateway *hookgate.Gateway
	handler http.Handler // what the listener of the providers serves
	events  []*hookgate.Request
	end     func() error
}

// steps are what can be measured, each for the n-th event.
var steps = map[string]func(p *path, n int) error{
	"verify":    (*path).verify,
	"normalise": (*path).normalise,
	"envelope":  (*path).envelope,
	"receive":   (*path).receive,
}

// whole is every step, the journal on SQLite and the forwarding of what it holds included.
const whole = "whole"

func stepNames() []string { return append(slices.Sorted(maps.Keys(steps)), whole) }

// newPath makes a path with so many signed events; where dir is given there is a journal.
func newPath(events int, dir string) (*path, error) {
	provider, err := newProvider("hub-signature", nil)
	if err != nil {
		return nil, err
	}
	reader, err := normalize.New(provider.name, normalize.Options{})
	if err != nil {
		return nil, err
	}
	p := &path{
		source: &hookgate.Source{
			Name: "bench", Provider: provider.name, Path: "/hooks/bench", Verifiers: []hookgate.Verifier{provider.signer},
			Reader: reader, Window: 7 * 24 * time.Hour, MaxBody: 1 << 20,
		},
		end: func() error { return nil },
	}
	for i := range events {
		req, err := provider.sign(delivery{p.source.Path, provider.body(i, 900)})
		if err != nil {
			return nil, err
		}
		p.events = append(p.events, req)
	}
	p.gateway = &hookgate.Gateway{Journal: forgetful{}, Now: time.Now, Seats: make(chan struct{}, 4096)}
	p.gateway.SetSources([]*hookgate.Source{p.source})
	metrics := admin.NewMetrics(func() admin.Snapshot { return admin.Snapshot{} }, nil)
	p.handler = middleware.Chain(p.gateway,
		middleware.Report(time.Now, middleware.AccessLog(zerolog.New(io.Discard)), func(a middleware.Answer) { metrics.Observe(a.Report, a.Duration) }),
		middleware.Recover)
	if dir != "" {
		err = p.open(dir)
	}
	return p, err
}

// open puts a journal behind the path, and a destination behind that.
func (p *path) open(dir string) error {
	const name = "lines"
	j, err := journal.OpenSQLite(filepath.Join(dir, "hookgate.db"), journal.Options{Destinations: []string{name}})
	if err != nil {
		return err
	}
	p.gateway.Journal = j
	s := hookgate.DestinationSettings{Name: name, Type: "stdout"}
	var lines counter
	d, err := forward.New(s, forward.Options{Stdout: &lines})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- forward.NewForwarder(s, d, j, j).Run(ctx) }()
	p.end = func() error {
		for lines.n.Load() < int64(len(p.events)) && len(ended) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-ended; err != nil {
			return err
		}
		return j.Close()
	}
	return nil
}

// counter counts lines.
type counter struct{ n atomic.Int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n.Add(int64(bytes.Count(b, []byte{'\n'})))
	return len(b), nil
}

// forgetful is a journal that keeps nothing.
type forgetful struct{}

func (forgetful) Accept(_ context.Context, _ *hookgate.Request, events []*hookgate.Event) ([]hookgate.Result, error) {
	results := make([]hookgate.Result, len(events))
	for i := range results {
		results[i] = hookgate.Result{Class: hookgate.First, Seq: 1}
	}
	return results, nil
}

// event is the n-th one; there are as many as were made, in turn. The digest of its body is not known yet.
func (p *path) event(n int) *hookgate.Request {
	e := p.events[n%len(p.events)]
	return &hookgate.Request{ID: "r-1", Method: e.Method, Target: e.Target, Header: e.Header, Body: e.Body, ReceivedAt: e.ReceivedAt}
}

func (p *path) verify(n int) error {
	req := p.event(n)
	_, err := p.source.Verifiers[0].Verify(req, req.ReceivedAt)
	return err
}

func (p *path) normalise(n int) error {
	if events := p.source.Reader.Normalize(p.event(n), nil); len(events) != 1 || events[0].Quarantine != "" {
		return fmt.Errorf("event %d is not read", n)
	}
	return nil
}

// envelope seals an event and writes it once for the journal and once for a destination.
func (p *path) envelope(n int) error {
	req := p.event(n)
	e := &hookgate.Event{
		Type: "sprinklr.case.update", Subject: "6650a2af000000000001", EntityType: "case", Action: "updated", Tenant: "6650a1f2c3d4e5f607182930",
		NativeID: "6a05f4005eedbeef01000001", Attempt: 1, Time: req.ReceivedAt, TimeSource: hookgate.TimeFromEvent,
		Identity:    []hookgate.Field{{Name: "subscriptionId", Value: "6650a1f2c3d4e5f607182930"}, {Name: "id", Value: strconv.Itoa(n)}},
		ContentType: hookgate.JSON, Data: req.Body,
	}
	e.Seal(p.source, req, hookgate.Verdict{{Scheme: "hub-signature", KeyID: "env:SECRET"}})
	if b := e.AppendEnvelope(e.AppendStored(nil, false)); len(b) < len(e.Data) {
		return fmt.Errorf("the envelope of event %d is too short", n)
	}
	return nil
}

// receive sends one through the handler, and demands a 200.
func (p *path) receive(n int) error {
	e := p.events[n%len(p.events)]
	r := &http.Request{
		Method: e.Method, URL: &url.URL{Path: e.Target}, RequestURI: e.Target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: e.Header, Body: io.NopCloser(bytes.NewReader(e.Body)), ContentLength: int64(len(e.Body)), Host: "hooks.example.com", RemoteAddr: "192.0.2.1:1234",
	}
	w := answer{header: make(http.Header, 4)}
	p.handler.ServeHTTP(&w, r)
	if w.status != http.StatusOK {
		return fmt.Errorf("event %d is answered %d", n, w.status)
	}
	return nil
}

// answer is as little of a ResponseWriter as will do.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

// wave is how many requests are under way at once where there is a journal: they share a commit.
const wave = 64

// receiveAll sends the first n events through handler, journal and forwarder.
func (p *path) receiveAll(n int) error {
	var failed atomic.Pointer[error]
	for from := 0; from < n; from += wave {
		var group sync.WaitGroup
		for i := from; i < min(from+wave, n); i++ {
			group.Go(func() {
				if err := p.receive(i); err != nil {
					failed.Store(&err)
				}
			})
		}
		group.Wait()
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

type pathCommand struct {
	Step     string `arg:""`
	Events   int    `default:"1000"`
	Prepared int    `default:"3000"`
}

// Run goes the path in this process and prints nothing: somebody counts what it does.
func (c *pathCommand) Run() error {
	if c.Step == whole {
		return c.whole()
	}
	step, ok := steps[c.Step]
	if !ok {
		return fmt.Errorf("no step is called %s; there are %s", c.Step, strings.Join(stepNames(), ", "))
	}
	p, err := newPath(c.Prepared, "")
	if err != nil {
		return err
	}
	for n := range c.Events {
		if err := step(p, n); err != nil {
			return err
		}
	}
	return nil
}

func (c *pathCommand) whole() error {
	dir, err := os.MkdirTemp("", "hookgate-path-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := newPath(c.Prepared, dir)
	if err != nil {
		return err
	}
	p.events = p.events[:min(c.Events, len(p.events))]
	if err := p.receiveAll(len(p.events)); err != nil {
		return err
	}
	return p.end()
}
