package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hookgate/hookgate/outbound"
)

// How a proof sends, all ours: a provider waits longer between attempts, and nobody wants to wait for a proof.
const (
	provenRetry    = 250 * time.Millisecond
	provenAttempts = 1000
	provenTimeout  = 10 * time.Second
	provenBatch    = 5 // events in a request of a provider that sends several
)

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
