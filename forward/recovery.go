package forward

import (
	"container/heap"
	"time"
)

// recoveredAfter is how many refusals without a confirmation between them make the destination suspect, and not the entries:
// our default.
const recoveredAfter = 16

// recovered has what is parked tried at once, when a destination confirms something after it had refused everything for a
// while: a target that answers 500 to each event was broken, and not the events, which would else wait for their own schedules.
// It happens once in max_backoff at most, so that a destination which takes little of what it is sent is not tried much more
// often than it would be anyway.
func (e *engine) recovered(now time.Time) {
	refused := e.refusedInRow
	e.refusedInRow = 0
	if refused < recoveredAfter || now.Before(e.hurriedAt.Add(e.f.settings.Retry.MaxBackoff)) {
		return
	}
	e.hurriedAt = now
	for _, l := range e.lanes {
		if len(l.parked) > 0 && l.due().After(now) {
			l.parked[0].NextAt = now // of the others none is tried before this one
		}
	}
	heap.Init(&e.due)
}
