package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/oracle"
)

const (
	readEvery = 200 * time.Millisecond
	settling  = 2 * time.Second // of a gateway that goes on running
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
		_ = d.entries.close()
	}
	for _, r := range p.receivers {
		_ = r.close()
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
