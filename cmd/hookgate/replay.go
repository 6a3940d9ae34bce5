package main

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// The bounds of a replay that are no settings: our defaults.
const (
	scanPage   = 256 // events that are looked at in one read
	maxChunk   = 500 // events that are handed over at once
	shownFirst = 10  // of what matched
)

// replay is one of the operator's. It looks through every part of the journal once, for the order within it is that of
// acceptance and not of the time that is selected by.
type replay struct {
	order  admin.ReplayOrder
	fits   func(*hookgate.Event) bool
	to     receiver
	pace   pace
	now    func() time.Time
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	state admin.Replay
}

func newReplay(order admin.ReplayOrder, to receiver, now func() time.Time, cancel context.CancelFunc) *replay {
	return &replay{
		order: order, fits: chosen(order.Selection), to: to, pace: pace{rate: order.Rate}, now: now, cancel: cancel, done: make(chan struct{}),
		state: admin.Replay{
			ID: strings.ToLower(rand.Text()[:12]), Destination: order.Destination, DeadLetters: order.DeadLetters,
			DryRun: order.DryRun, Rate: order.Rate, State: admin.ReplayRunning, Started: now().UTC(),
		},
	}
}

// status is how far it is now.
func (j *replay) status() admin.Replay {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.state
	s.First = slices.Clone(s.First)
	return s
}

func (j *replay) count(change func(*admin.Replay)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.state)
}

func (j *replay) end(ctx context.Context, err error) {
	j.count(func(s *admin.Replay) {
		s.Ended = j.now().UTC()
		switch {
		case err == nil:
			s.State = admin.ReplayDone
		case ctx.Err() != nil:
			s.State = admin.ReplayStopped
		default:
			s.State, s.Error = admin.ReplayFailed, err.Error()
		}
	})
	j.cancel()
}

func (j *replay) run(ctx context.Context, parts []part) error {
	look := j.journal
	if j.order.DeadLetters {
		look = j.deadLetters
	}
	for _, p := range parts {
		if err := look(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// journal sends what the destination had passed of a part when the replay came to it. What was still to come then is
// counted, as far as it had been accepted before the replay began: the journal may grow faster than it is read.
func (j *replay) journal(ctx context.Context, p part) error {
	progress, err := p.standing.Progress(ctx, j.to.name)
	if err != nil {
		return err
	}
	coming := make(map[int64]bool, len(progress.Parked))
	for _, parked := range progress.Parked {
		coming[parked.Seq] = true
	}
	began := j.status().Started
	for after := int64(0); ; {
		at := time.Now()
		entries, err := p.scan(ctx, after, scanPage)
		if err != nil || len(entries) == 0 {
			return err
		}
		after = entries[len(entries)-1].Seq
		last := slices.IndexFunc(entries, func(e hookgate.Entry) bool { return e.Seq > progress.Cursor && e.Event.Received.After(began) })
		if last >= 0 {
			entries = entries[:last]
		}
		chosen := j.choose(entries, func(e hookgate.Entry) bool { return e.Seq > progress.Cursor || coming[e.Seq] })
		took := time.Since(at)
		if err := j.send(ctx, p, chosen); err != nil || last >= 0 {
			return err
		}
		// Deliveries come first: looking takes half of a processor at most.
		if err := pause(ctx, took); err != nil {
			return err
		}
	}
}

// deadLetters sends the dead letters of a part.
func (j *replay) deadLetters(ctx context.Context, p part) error {
	for after := int64(0); ; {
		dead, err := p.standing.DeadLetters(ctx, j.to.name, after, scanPage)
		if err != nil || len(dead) == 0 {
			return err
		}
		var chosen []hookgate.Parked
		for _, d := range dead {
			after = d.Seq
			e, ok, err := at(ctx, p, d.Seq)
			if err != nil {
				return err
			}
			if !ok {
				j.count(func(s *admin.Replay) { s.Scanned++; s.Gone++ })
				continue
			}
			// One by one: a page of payloads could be hundreds of megabytes.
			chosen = append(chosen, j.choose([]hookgate.Entry{e}, func(hookgate.Entry) bool { return false })...)
		}
		if err := j.send(ctx, p, chosen); err != nil {
			return err
		}
	}
}

// choose counts the entries and gives those that are to be sent.
func (j *replay) choose(entries []hookgate.Entry, coming func(hookgate.Entry) bool) (chosen []hookgate.Parked) {
	for _, e := range entries {
		fits := j.fits(e.Event)
		j.count(func(s *admin.Replay) {
			s.Scanned++
			switch {
			case !fits:
			case !j.order.DeadLetters && !j.to.wants(e.Event):
				s.Unwanted++
			case coming(e):
				s.Waiting++
			default:
				s.Matched++
				chosen = append(chosen, hookgate.Parked{Seq: e.Seq, Key: e.Event.PartitionKey, Replayed: true})
				if len(s.First) < shownFirst {
					s.First = append(s.First, e.Event.AppendAttributes(nil))
				}
			}
		})
	}
	return chosen
}

// send hands over what was chosen, a chunk at a time, about ten a second.
func (j *replay) send(ctx context.Context, p part, chosen []hookgate.Parked) error {
	if j.order.DryRun {
		return ctx.Err()
	}
	for chunk := range slices.Chunk(chosen, min(max(j.order.Rate/10, 1), maxChunk)) {
		if err := j.pace.wait(ctx, len(chunk)); err != nil {
			return err
		}
		if err := p.hand(ctx, j.to.name, chunk); err != nil {
			return err
		}
		j.count(func(s *admin.Replay) { s.Sent += int64(len(chunk)) })
	}
	return ctx.Err()
}

// pace lets things through at a rate a second. Time that was lost is not made up for by a burst.
type pace struct {
	rate int
	next time.Time
}

// wait returns when the turn of n has come.
func (p *pace) wait(ctx context.Context, n int) error {
	if err := pause(ctx, time.Until(p.next)); err != nil {
		return err
	}
	if now := time.Now(); now.After(p.next) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	return nil
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
