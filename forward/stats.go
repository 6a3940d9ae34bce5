package forward

import "time"

// State says what a forwarder is doing.
type State string

// The states.
const (
	Starting   State = "starting"
	Running    State = "running"
	BackingOff State = "backing off" // the destination is in trouble; attempts go on
	Paused     State = "paused"      // the target says that it is gone: an operator has to look
	Stalled    State = "stalled"     // too much is parked, so nothing new is read
	Stopped    State = "stopped"
)

// Stats is what a forwarder has done since it was started, and what it is doing.
type Stats struct {
	State         State
	Delivered     uint64        // events confirmed
	Failed        uint64        // attempts of an event that were not confirmed
	Dead          uint64        // events that became dead letters
	InFlight      int           // events handed to the destination and not answered yet
	Waiting       int           // events read and not finished
	Parked        int           // events that others have passed
	Exposed       int           // events that a crash now could repeat; never above the window
	Cursor        int64         // everything up to here is confirmed, parked or not wanted, and recorded
	LastError     string        // holds no secret; empty before the first
	LastErrorAt   time.Time     // of LastError
	LastConfirmed time.Time     // zero before the first
	RetryAt       time.Time     // end of the pause while backing off or paused
	Lag           time.Duration // age of the oldest event that was read and is not finished; 0 without one
}

// Stats may be called at any time.
func (f *Forwarder) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	if s.State == "" {
		s.State = Starting
	}
	if !f.oldest.IsZero() {
		s.Lag = max(0, time.Since(f.oldest))
	}
	return s
}

// maxErrorText bounds what is kept of an error, in bytes.
const maxErrorText = 512

func errorText(err error) string {
	s := err.Error()
	if len(s) > maxErrorText {
		s = s[:maxErrorText]
	}
	return s
}

func (f *Forwarder) noteError(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.LastError, f.stats.LastErrorAt = errorText(err), time.Now()
}

func (f *Forwarder) finishStats() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.State, f.stats.InFlight = Stopped, 0
}

// show makes the engine's figures visible, and tells the observer of what an operator should hear.
func (e *engine) show(now time.Time) {
	before, after := e.update(now)
	if e.f.observe != nil && (before.State != after.State || before.Dead != after.Dead) {
		e.f.observe(after)
	}
}

func (e *engine) update(now time.Time) (before, after Stats) {
	f := e.f
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &f.stats
	before = *s
	switch {
	case e.paused:
		s.State = Paused
	case e.troubles > 0:
		s.State = BackingOff
	case e.room() <= 0:
		s.State = Stalled
	default:
		s.State = Running
	}
	s.RetryAt = time.Time{}
	if now.Before(e.resumeAt) {
		s.RetryAt = e.resumeAt
	}
	s.Delivered, s.Failed, s.Dead = e.delivered, e.failed, e.dead
	s.InFlight, s.Waiting, s.Parked, s.Exposed = e.flying, e.unfinished, e.parked, e.exposed
	s.Cursor, s.LastConfirmed = e.ledger.cursor, e.lastConfirmed
	f.oldest = time.Time{}
	if e.head < e.tail {
		f.oldest = e.at(e.head).entry.Event.Received
	}
	return before, *s
}
