package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/forward"
)

// snapshotTimeout bounds what a scrape may ask of the journal.
const snapshotTimeout = 2 * time.Second

// snapshot gathers what the gauges show.
func (p *program) snapshot(logDropped uint64) admin.Snapshot {
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	kept := p.journals.stats(ctx)
	s := admin.Snapshot{
		JournalReady: p.journals.ready() == nil,
		LastSequence: kept.Last,
		JournalBytes: kept.FileSize + kept.LogSize,
		JournalQueue: kept.Queue,
		JournalLost:  kept.Missing,
		JournalParts: p.targets.parts(),
		LogDropped:   logDropped,
	}
	if p.connections != nil {
		s.Connections, s.ConnectionsRefused = p.connections.Open(), p.connections.Refused()
	}
	if p.journals.spill != nil {
		spill := p.journals.spill.Stats(ctx)
		s.Spilling, s.SpillWaiting = spill.Spilling, spill.Waiting
	}
	running := p.targets.stats()
	for _, name := range slices.Sorted(maps.Keys(running)) {
		r, waits := running[name], kept.Destinations[name]
		s.Destinations = append(s.Destinations, admin.DestinationSnapshot{
			Name: name, Delivered: r.Delivered, Failed: r.Failed, DeadLetters: waits.DeadLetters, Parked: waits.Parked,
			Backlog: waits.Backlog, InFlight: int64(r.InFlight), Up: up(r.State), BreakerOpen: p.targets.breaker(name) == forward.BreakerOpen,
		})
	}
	if p.outbound != nil {
		s.Outbound = p.outbound.snapshot(ctx)
	}
	return s
}

// up holds also where this node has no part of the journal to forward: that is no trouble of the destination.
func up(s forward.State) bool { return s == forward.Running || s == "" }
