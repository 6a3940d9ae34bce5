package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/middleware"
	"github.com/hookgate/hookgate/verifiers"
)

// The bounds of what strangers can make the gateway do about their failures: our defaults.
const (
	explainedPerSecond = 5  // of a source
	waitingFailures    = 16 // explanations under way; more are left out
	keptFailures       = 1000
	keptOfSource       = 100
	keptBytes          = 32 << 20 // of bodies
)

// failures explains failed authentications to the operator, and keeps as many of them as the source says, so that they can be
// judged again once a secret is mended. The sender has long been answered.
type failures struct {
	log     zerolog.Logger
	gateway *hookgate.Gateway
	count   func(source, diagnosis string)
	entries atomic.Pointer[map[string][]hookgate.AuthSettings] // by source
	hidden  atomic.Pointer[hidden]
	budget  hookgate.Budget // of explanations
	waiting chan *failure
	done    chan struct{}
	ended   chan struct{}

	mu   sync.Mutex
	kept []*failure // the oldest first
	size int        // of their bodies
}

// failure is one failed delivery.
type failure struct {
	source *hookgate.Source
	req    *hookgate.Request
	err    *hookgate.Error
	found  verifiers.Explanation // the zero value until it is there; the lock's
	keep   bool
}

var (
	_ hookgate.Failures = (*failures)(nil)
	_ admin.Failures    = (*failures)(nil)
)

func newFailures(gateway *hookgate.Gateway, log zerolog.Logger, count func(source, diagnosis string)) *failures {
	f := &failures{
		gateway: gateway, log: log, count: count, budget: middleware.NewBudget(explainedPerSecond, time.Second),
		waiting: make(chan *failure, waitingFailures), done: make(chan struct{}), ended: make(chan struct{}),
	}
	f.set(nil)
	go f.run()
	return f
}

// set takes over the entries of a configuration.
func (f *failures) set(sources []configs.Source) {
	entries := make(map[string][]hookgate.AuthSettings, len(sources))
	for _, s := range sources {
		entries[s.Name] = s.Auth
	}
	f.entries.Store(&entries)
	secrets := newHidden(sources)
	f.hidden.Store(&secrets)
}

// stop ends the explanations.
func (f *failures) stop() {
	close(f.done)
	<-f.ended
}

// Failed is called while the sender still waits for his answer, and so leaves the work to run. What is to be kept is kept at
// once: strangers can fill the queue of explanations.
func (f *failures) Failed(src *hookgate.Source, req *hookgate.Request, err *hookgate.Error) {
	if err.Reason == hookgate.AddressDenied { // its body was not read, and the address says it all
		return
	}
	keep := false
	if src.KeepFailed != nil && len(req.Body) <= keptBytes {
		_, keep = src.KeepFailed.Take(src.Name)
	}
	if _, ok := f.budget.Take(src.Name); !ok && !keep {
		return
	}
	one := &failure{source: src, req: req, err: err, keep: keep}
	if keep {
		f.keepOne(one)
	}
	select {
	case f.waiting <- one:
	default: // the plain reason is on the request's own log line
	}
}

func (f *failures) run() {
	defer close(f.ended)
	for {
		select {
		case <-f.done:
			return
		case one := <-f.waiting:
			f.explain(one)
		}
	}
}

// explain finds out what is wrong and tells it.
func (f *failures) explain(one *failure) {
	all := *f.entries.Load()
	entries := all[one.source.Name]
	if one.err.Entry >= len(entries) { // a reload has changed them
		return
	}
	entry, others := entries[one.err.Entry], make(map[string]hookgate.AuthSettings)
	for name, theirs := range all {
		i := slices.IndexFunc(theirs, func(a hookgate.AuthSettings) bool { return a.Scheme == entry.Scheme })
		if i >= 0 && name != one.source.Name && len(others) < maxOtherSources {
			others[name] = theirs[i]
		}
	}
	req := *one.req // to itself: an operator may have it judged at the same time
	found := verifiers.Explain(entry, &req, req.ReceivedAt, one.err, others)
	f.mu.Lock()
	one.found = found
	f.mu.Unlock()
	f.count(one.source.Name, string(found.Diagnosis))
	f.log.Warn().Str("request", one.req.ID).Str("source", one.source.Name).Str("scheme", entry.Scheme).Str("reason", string(one.err.Reason)).
		Str("diagnosis", string(found.Diagnosis)).Str("finding", found.Detail).Str("hint", found.Hint).Bool("kept", one.keep).
		Msg("authentication failed")
}

// maxOtherSources bounds the search for a key among other sources.
const maxOtherSources = 50

// keepOne puts out the oldest ones where there is no room: first of its own source, then of all.
func (f *failures) keepOne(one *failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mine := func(k *failure) bool { return k.source.Name == one.source.Name }
	n := 0
	for _, k := range f.kept {
		if mine(k) {
			n++
		}
	}
	if n >= keptOfSource {
		f.remove(slices.IndexFunc(f.kept, mine))
	}
	for len(f.kept) > 0 && (len(f.kept) >= keptFailures || f.size+len(one.req.Body) > keptBytes) {
		f.remove(0)
	}
	f.kept = append(f.kept, one)
	f.size += len(one.req.Body)
}

func (f *failures) remove(i int) {
	f.size -= len(f.kept[i].req.Body)
	f.kept = slices.Delete(f.kept, i, i+1)
}

// List is the admin's.
func (f *failures) List(source string) (list []admin.FailedDelivery) {
	for _, k := range slices.Backward(f.chosen(nil, source)) {
		list = append(list, f.shown(k))
	}
	return list
}

// Show is the admin's.
func (f *failures) Show(id string) (admin.FailedDelivery, error) {
	found := f.chosen([]string{id}, "")
	if len(found) == 0 {
		return admin.FailedDelivery{}, admin.ErrUnknownFailure
	}
	d := f.shown(found[0])
	d.Body = found[0].req.Body
	return d, nil
}

// Verify is the admin's. It judges with the sources as they are now and the time of receipt, and what passes goes through the
// whole pipeline.
func (f *failures) Verify(ctx context.Context, ids []string, source string) admin.FailedAgain {
	again := admin.FailedAgain{Failing: []admin.FailedDelivery{}}
	for _, k := range f.chosen(ids, source) {
		again.Tried++
		if err := f.again(ctx, k, &again); err != nil {
			d := f.shown(k)
			e := hookgate.AsError(err)
			d.Reason, d.Detail = string(e.Code), e.Detail
			if e.Reason != "" {
				d.Reason = string(e.Reason)
			}
			again.Failing = append(again.Failing, d)
		}
	}
	return again
}

func (f *failures) again(ctx context.Context, k *failure, again *admin.FailedAgain) error {
	src, ok := f.gateway.Source(k.source.Path)
	if !ok || src.Name != k.source.Name {
		return hookgate.Errorf(hookgate.UnknownSource, "the source is not configured any more")
	}
	req := *k.req // to itself: another operator may have it judged at the same time
	// Receive judges by itself. It is asked only where that will go well, since it counts a failure as a stranger's.
	if _, err := hookgate.Authenticate(ctx, src.Verifiers, &req, req.ReceivedAt); err != nil {
		return err
	}
	outcome, err := f.gateway.Receive(ctx, src, &req)
	if err != nil {
		return err
	}
	switch outcome.Kind {
	case hookgate.Duplicate:
		again.Duplicate++
	case hookgate.Quarantine:
		again.Quarantined++
	case hookgate.Accepted, hookgate.Probe:
		again.Accepted++
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.kept, k); i >= 0 {
		f.remove(i)
	}
	return nil
}

// chosen are the kept ones of some ids or of a source, the oldest first.
func (f *failures) chosen(ids []string, source string) (chosen []*failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.kept {
		if (len(ids) == 0 || slices.Contains(ids, k.req.ID)) && (source == "" || source == k.source.Name) {
			chosen = append(chosen, k)
		}
	}
	return chosen
}

// shown is what an operator may see of it.
func (f *failures) shown(k *failure) admin.FailedDelivery {
	ours := *f.hidden.Load()
	f.mu.Lock()
	found := k.found
	f.mu.Unlock()
	return admin.FailedDelivery{
		ID: k.req.ID, Source: k.source.Name, Received: k.req.ReceivedAt.UTC(), Remote: k.req.Remote.String(),
		Reason: string(k.err.Reason), Detail: k.err.Detail, Diagnosis: string(found.Diagnosis), Finding: found.Detail, Hint: found.Hint,
		Method: k.req.Method, Target: ours.text(k.req.Target), Header: ours.header(k.req.Header), Bytes: len(k.req.Body),
	}
}
