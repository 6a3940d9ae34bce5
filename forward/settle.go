package forward

import (
	"errors"
	"time"

	"github.com/hookgate/hookgate"
)

// fetchPause is how long parked entries wait when the journal could not give them: our default.
const fetchPause = time.Second

// settle takes in the answer of one call.
func (e *engine) settle(j *job, now time.Time) {
	e.active--
	e.flying -= len(j.items)
	for _, it := range j.items {
		if it.lane != nil {
			it.lane.busy--
		}
	}
	if j.lost != nil {
		e.f.noteError(j.lost)
		e.postpone(j, now.Add(fetchPause))
	} else {
		e.judge(j, now)
	}
	for _, it := range j.items {
		if it.lane != nil {
			e.settleLane(it.lane)
		}
	}
	for _, it := range j.items {
		if it.parked { // the others are freed when the cursor passes them
			e.free(it)
		}
	}
	e.pass()
	e.recycle(j)
}

// judge sorts the answers: confirmed, refused, or to be tried again.
func (e *engine) judge(j *job, now time.Time) {
	var worst *Trouble
	alive := false
	for i, it := range j.items {
		err := j.errs[i]
		var refusal *Refusal
		switch {
		case err == nil:
			alive = true
			e.confirm(it, now)
		case errors.Is(err, errGone), errors.Is(err, errQuarantined):
			e.failed++
			e.refuse(it, err, e.f.settings.Retry.Attempts, now)
		case errors.As(err, &refusal):
			alive = true
			e.failed++
			e.refuse(it, err, e.attempts(it)+1, now)
		case errors.Is(err, ErrHeld):
			e.putBack(it)
		default: // trouble, also where the destination has not said so
			trouble := asTrouble(err)
			if !trouble.untried {
				e.failed++
			}
			if trouble.Suspect && e.convicted(it.entry.Seq) {
				e.refuse(it, err, e.attempts(it)+1, now)
				continue
			}
			worst = worse(worst, trouble)
			e.putBack(it)
		}
	}
	switch {
	case worst != nil:
		e.backOff(j, worst, now)
		e.letOthersFirst(j)
	case alive && j.wave == e.wave:
		e.troubles, e.paused = 0, false
	}
}

// suspicion is what is held against an entry that may itself be what a target cannot take.
type suspicion struct {
	delivered uint64 // how many had been confirmed at its last attempt
	times     int    // attempts after which others were confirmed and it failed again
	wave      int64  // of its last attempt
}

// convictedAfter is how often an entry may fail so, while others get through, before it counts as refused: our default.
const convictedAfter = 3

// convicted notes one more failure of a suspect and reports whether it is the entry, and not the destination.
func (e *engine) convicted(seq int64) bool {
	s, known := e.suspects[seq]
	if known && e.delivered > s.delivered {
		s.times++
	}
	s.delivered, s.wave = e.delivered, e.wave
	e.suspects[seq] = s
	return s.times >= convictedAfter
}

// suspected finds what is held against an entry, unless something has been confirmed since its last attempt.
func (e *engine) suspected(seq int64) (suspicion, bool) {
	s, known := e.suspects[seq]
	return s, known && s.delivered == e.delivered
}

// suspectPause is how much longer than everything else a parked suspect waits: our default.
const suspectPause = 500 * time.Millisecond

// letOthersFirst puts the parked suspects of a call behind what else is due when the destination is tried again.
func (e *engine) letOthersFirst(j *job) {
	at := e.resumeAt.Add(suspectPause)
	for _, it := range j.items {
		if _, suspect := e.suspected(it.entry.Seq); !it.parked || !suspect {
			continue
		}
		if i, found := it.lane.find(it.entry.Seq); found && it.lane.parked[i].NextAt.Before(at) {
			it.lane.parked[i].NextAt = at
		}
	}
}

func (e *engine) confirm(it *item, now time.Time) {
	delete(e.suspects, it.entry.Seq)
	e.delivered++
	e.lastConfirmed = now
	e.recovered(now)
	if it.parked {
		e.unpark(it.lane, it.entry.Seq)
		e.ledger.finish(it.entry.Seq)
		return
	}
	e.leave(it)
}

// attempts is how often a parked entry has been refused; 0 for one of the ring.
func (e *engine) attempts(it *item) int {
	if it.parked {
		if i, found := it.lane.find(it.entry.Seq); found {
			return it.lane.parked[i].Attempts
		}
	}
	return 0
}

// refuse parks the entry until its next attempt, or buries it after the last.
func (e *engine) refuse(it *item, err error, attempts int, now time.Time) {
	e.f.noteError(err)
	e.refusedInRow++
	p := hookgate.Parked{Seq: it.entry.Seq, Attempts: attempts, Error: errorText(err), Replayed: it.replayed}
	p.Dead = attempts >= e.f.settings.Retry.Attempts
	if !p.Dead {
		p.NextAt = now.Add(refusedPause(e.f.settings.Retry, attempts))
	} else {
		delete(e.suspects, it.entry.Seq)
		e.dead++
	}
	if !it.parked {
		p.Key = it.entry.Event.PartitionKey
		if p.Dead {
			e.leave(it)
			e.ledger.park(p)
		} else {
			e.park(it, p)
		}
		return
	}
	p.Key = it.lane.key
	e.ledger.park(p)
	if p.Dead {
		e.unpark(it.lane, p.Seq)
		return
	}
	if i, found := it.lane.find(p.Seq); found {
		e.release(&it.lane.parked[i])
		it.lane.parked[i].Parked = p
	}
}

// turnAway makes a dead letter of an entry for which `when` has no answer. It takes no place and holds nothing up.
func (e *engine) turnAway(entry hookgate.Entry, reason error) {
	key := entry.Event.PartitionKey
	if l := e.laneOf(key, false); l != nil {
		if _, found := l.find(entry.Seq); found {
			return // read again after a restart, while a replay of it waits
		}
	}
	e.f.noteError(reason)
	e.dead++
	e.ledger.park(hookgate.Parked{Seq: entry.Seq, Key: key, Error: errorText(reason), Dead: true})
}

// putBack lets the entry wait for its next turn. It will be sent again with or without a crash, and so is not exposed.
func (e *engine) putBack(it *item) {
	e.exposed--
	if it.parked { // it stands in its queue still
		if i, found := it.lane.find(it.entry.Seq); found {
			it.lane.parked[i].exposed = false
		}
		return
	}
	it.exposed = false
	if l := e.laneOf(it.entry.Event.PartitionKey, false); l != nil && len(l.parked) > 0 {
		e.parkBehind(l, it)
		return
	}
	it.state = waiting
	e.scan = min(e.scan, it.pos)
}

// postpone lets the lanes of parked entries wait, in memory only.
func (e *engine) postpone(j *job, until time.Time) {
	for _, it := range j.items {
		e.putBack(it)
		if i, found := it.lane.find(it.entry.Seq); found {
			it.lane.parked[i].NextAt = until
		}
	}
}

// backOff leaves the whole destination alone for a while. All calls that were under way at once fail at once: they are
// one wave and lengthen the pause once.
func (e *engine) backOff(j *job, t *Trouble, now time.Time) {
	e.f.noteError(t.Err)
	if t.Pause {
		e.paused = true
	}
	if j.wave == e.wave {
		e.wave++
		e.troubles++
		e.resumeAt = now.Add(troublePause(e.f.settings.Retry, e.troubles, t))
	} else if t.Pause || t.RetryAfter > 0 {
		if at := now.Add(troublePause(e.f.settings.Retry, 1, t)); at.After(e.resumeAt) {
			e.resumeAt = at
		}
	}
}
