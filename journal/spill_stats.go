package journal

import (
	"context"
	"time"
)

// SpillStats is a snapshot for metrics and for the operator. What is counted is counted since the start.
type SpillStats struct {
	Spilling   bool      // new events go to the local file
	Since      time.Time // when that began, or the program started with it; zero when they do not
	Waiting    int64     // events and quarantined parts that are still to be handed on, at most
	Aside      int64     // events that the primary refuses although it takes others; they are kept and tried again
	Spilled    int64     // events and quarantined parts taken by the local file
	HandedOn   int64     // those that the primary has answered for
	Duplicates int64     // of these, what the primary had already
	LastError  string    // the last refusal by the primary; empty without one
	LastAt     time.Time // when that was
	Local      Stats     // of the local file, whose only destination is the primary
}

// Spilling reports whether new events go to the local file.
func (s *Spill) Spilling() bool {
	way, _ := s.gate.state()
	return way != direct
}

// Stats reads memory and two short tables of the local file.
func (s *Spill) Stats(ctx context.Context) SpillStats {
	way, since := s.gate.state()
	st := SpillStats{
		Spilling: way != direct, Since: since, Local: s.local.Stats(ctx),
		Spilled: s.spilled.Load(), HandedOn: s.drained.Load(), Duplicates: s.duplicates.Load(),
	}
	if at, err := s.lastRefusal(); err != nil {
		st.LastError, st.LastAt = err.Error(), at
	}
	events := st.Local.Destinations[spillEvents]
	st.Aside = events.Parked
	st.Waiting = events.Backlog - events.Parked + s.local.partsWaiting(ctx)
	st.Local.Destinations = map[string]DestinationStats{"primary": events}
	return st
}

// partsWaiting counts what of the quarantine is still to be handed on; 0 where the file cannot tell.
func (j *SQLite) partsWaiting(ctx context.Context) int64 {
	var last int64
	if j.readers.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM quarantine`).Scan(&last) != nil {
		return 0
	}
	return last - j.handedOn(last)
}
