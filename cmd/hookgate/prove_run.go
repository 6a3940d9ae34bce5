package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/oracle"
	"github.com/hookgate/hookgate/outbound"
)

// How a proof sends, all ours: a provider waits longer between attempts, and nobody wants to wait for a proof.
const (
	provenRetry    = 250 * time.Millisecond
	provenAttempts = 1000
	provenTimeout  = 10 * time.Second
	provenBatch    = 5 // events in a request of a provider that sends several
	readEvery      = 200 * time.Millisecond
	settling       = 2 * time.Second // of a gateway that goes on running
)

// run makes the proof. The report is nil when nothing was sent; the error is what kept the run from being made as told.
func (p *proof) run(ctx context.Context) (*proofReport, error) {
	for _, note := range p.notes {
		fmt.Fprintln(p.main.Stderr, note)
	}
	killer := newKiller(p.Kills)
	if err := p.start(ctx, killer); err != nil {
		return nil, err
	}
	began := time.Now()
	failure := p.send(ctx, killer)
	seconds := time.Since(began).Seconds()
	last := context.WithoutCancel(ctx)
	if failure == nil {
		failure = p.complete(last)
	}
	if failure != nil {
		return nil, failure // whatever is missing may only be late
	}
	if p.gateway != nil {
		failure = p.gateway.stop() // it finishes what is under way
	} else {
		_ = pause(ctx, settling)
	}
	failure = errors.Join(failure, p.read(last))
	return p.report(killer, seconds, ctx.Err() != nil), failure
}

// start brings up what the run has of its own.
func (p *proof) start(ctx context.Context, k *killer) error {
	for _, of := range []*process{p.redis, p.gateway} {
		if of == nil {
			continue
		}
		if err := of.start(ctx); err != nil {
			return err
		}
		if slices.Contains(p.Kill, of.name) {
			k.add(of)
		}
	}
	if slices.Contains(p.Kill, "redis") && p.redis == nil {
		return exitError{exitUsage, errors.New("--kill redis: neither the journal nor a destination is on Redis")}
	}
	if p.Running != "" {
		for _, d := range p.destinations {
			if err := d.entries.skip(ctx); err != nil {
				return fmt.Errorf("destination %s: %w", d.Name, err)
			}
		}
	}
	return nil
}

// send sends and kills until it is enough, and returns when every delivery was acknowledged or given up.
func (p *proof) send(ctx context.Context, k *killer) error {
	enough := make(chan struct{})
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var senders sync.WaitGroup
	for i, s := range p.sources {
		e := p.emulation(s, i)
		e.Enough = enough
		senders.Go(func() {
			if _, err := e.Run(sending); err != nil {
				p.ledger.fail(fmt.Errorf("source %s: %w", s.Name, err))
			}
		})
	}
	err := p.untilEnough(ctx, k)
	close(enough)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		senders.Wait()
	}()
	if err != nil {
		cut()
	}
	select {
	case <-sent:
	case <-time.After(max(p.Wait, provenTimeout)):
		cut() // what is not acknowledged yet was not promised
		<-sent
	}
	select {
	case failure := <-p.ledger.failed:
		err = cmp.Or(err, failure)
	default:
	}
	return err
}

// untilEnough kills, shows progress, and returns when the time is over and all kills are made, or something has failed.
func (p *proof) untilEnough(ctx context.Context, k *killer) error {
	killing, stop := context.WithCancel(ctx)
	defer stop()
	killed := make(chan error, 1)
	go func() { killed <- k.run(killing) }()
	over := time.After(p.For)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	show := newProgress(p.main.Stderr, p.Progress)
	defer show.end()
	timeUp, allKilled := false, false
	finish := func(err error) error {
		stop()
		if !allKilled {
			err = cmp.Or(err, <-killed) // whoever was killed is up again
		}
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return finish(nil)
		case err := <-p.ledger.failed:
			return finish(err)
		case err := <-died(p.gateway):
			return finish(err)
		case err := <-died(p.redis):
			return finish(err)
		case err := <-killed:
			allKilled = true
			if err != nil || timeUp {
				return err
			}
		case <-over:
			timeUp = true
			if allKilled || p.Kills == 0 {
				return finish(nil)
			}
		case <-tick.C:
			show.tell(p.progress(k))
		}
	}
}

func died(of *process) <-chan error {
	if of == nil {
		return nil
	}
	return of.died
}

func (p *proof) progress(k *killer) string {
	requests, acknowledged, answers := p.ledger.sofar()
	line := fmt.Sprintf("sent %d, acknowledged %d", requests, acknowledged)
	for _, status := range slices.Sorted(maps.Keys(answers)) {
		if status != "200" {
			line += fmt.Sprintf(", answer %s: %d", status, answers[status])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.victims)) {
		line += fmt.Sprintf(", %s killed %d times", name, k.count(name))
	}
	return line
}

// emulation is the provider of a source.
func (p *proof) emulation(s *provenSource, number int) outbound.Emulation {
	rate := p.Rate / float64(len(p.sources))
	return outbound.Emulation{
		Provider: s.Provider, URL: p.base + s.Path, PublicURL: p.publicURL(s), Signing: s.signing, Signers: signers,
		Events: maxProven / len(p.sources) * provenBatch, Batch: provenBatch, Rate: rate, Concurrency: max(2, p.InFlight/len(p.sources)),
		Attempts: provenAttempts, RetryWait: provenRetry, Timeout: provenTimeout,
		Seed: rand.Uint64() | 1, Entities: max(1, int(rate)/160), // with 40 types each comes again within a quarter of a second
		Observe: func(x outbound.Exchange) { p.ledger.record(s, p.destinations, x) },
	}
}

// publicURL is what the provider was told, which Bird signs.
func (p *proof) publicURL(s *provenSource) string {
	if p.config.PublicURL == "" {
		return ""
	}
	return p.config.PublicURL + s.Path
}

// complete reads until everything that was acknowledged is there, or the patience is over.
func (p *proof) complete(ctx context.Context) error {
	deadline := time.Now().Add(p.Wait)
	missing := make(map[*provenDestination]map[string]bool)
	for _, d := range p.destinations {
		missing[d] = oracle.Promised(d.sent)
	}
	show := newProgress(p.main.Stderr, p.Progress)
	defer show.end()
	told := time.Now()
	for {
		from := make(map[*provenDestination]int)
		for _, d := range p.destinations {
			from[d] = len(d.delivered)
		}
		if err := p.read(ctx); err != nil {
			return err
		}
		left := 0
		for d, ids := range missing {
			for _, entry := range d.delivered[from[d]:] {
				delete(ids, entry.ID)
			}
			left += len(ids)
		}
		if left == 0 || time.Now().After(deadline) {
			return nil
		}
		select {
		case err := <-died(p.gateway):
			return err
		case <-time.After(readEvery):
		}
		if time.Since(told) >= time.Second {
			told = time.Now()
			show.tell(fmt.Sprintf("waiting for %d that were acknowledged", left))
		}
	}
}

// read takes in what the destinations have got.
func (p *proof) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(p.Wait, provenTimeout))
	defer cancel()
	for _, d := range p.destinations {
		got, err := d.entries.read(ctx)
		d.delivered = append(d.delivered, got...)
		if err != nil {
			return fmt.Errorf("destination %s cannot be read back: %w", d.Name, err)
		}
	}
	return nil
}

// clear ends and removes what the run made, and gives the folder where it is kept. What it left in the configured Redis
// goes in any case.
func (p *proof) clear(keep bool) (kept string) {
	if p.gateway != nil {
		p.gateway.kill()
	}
	for _, d := range p.destinations {
		_ = d.entries.close(p.Configured)
	}
	for _, r := range p.receivers {
		_ = r.close(false)
	}
	if p.Configured && p.instead.Prefix != "" {
		p.clearJournal()
	}
	if p.redis != nil {
		p.redis.kill()
	}
	if p.dir == "" {
		return ""
	}
	if keep {
		return p.dir
	}
	for range 50 { // a Redis that was killed may have left a child that still writes
		if os.RemoveAll(p.dir) == nil {
			return ""
		}
		_ = pause(context.Background(), 20*time.Millisecond)
	}
	return p.dir
}

// clearJournal removes the keys of the run's own journal from the configured Redis.
func (p *proof) clearJournal() {
	o, err := redis.ParseURL(string(p.config.Journal.URL.Reveal()))
	if err != nil {
		return
	}
	o.DisableIdentity = true
	client := redis.NewClient(o)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), p.Wait+provenTimeout)
	defer cancel()
	for at, more := uint64(0), true; more; more = at != 0 {
		var keys []string
		if keys, at, err = client.Scan(ctx, at, p.instead.Prefix+"*", streamPage).Result(); err == nil && len(keys) > 0 {
			err = client.Unlink(ctx, keys...).Err()
		}
		if err != nil {
			fmt.Fprintf(p.main.Stderr, "the keys that begin with %s could not be removed from the configured Redis: %v\n", p.instead.Prefix, err)
			return
		}
	}
}
