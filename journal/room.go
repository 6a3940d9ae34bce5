package journal

import (
	"time"

	"github.com/hookgate/hookgate"
)

// probeAfter is how long after a full disk the next try is allowed.
const probeAfter = time.Second

// full is called when a write has found no room although the watermark was not reached.
func (s *sweeper) full(err error) {
	s.fullUntil = time.Now().Add(probeAfter)
	s.w.j.refusal.Store(noRoomError("the disk is full: %w", err))
	s.pressure = true
}

// room refuses new events before the disk is full, while confirmations can still be written, and lets them in again when
// there is room. Pages that are free inside the file count as room.
func (s *sweeper) room() {
	j := s.w.j
	unused, err := s.w.db.number("PRAGMA freelist_count")
	if err != nil {
		s.w.trouble(err)
		return
	}
	pages, err := s.w.db.number("PRAGMA page_count")
	if err != nil {
		s.w.trouble(err)
		return
	}
	var refusal *hookgate.Error
	s.pressure = false
	if j.o.MinFree > 0 {
		free, total, err := j.t.space(s.w.folder())
		free += unused * s.pageSize
		if need := min(total/10, j.o.MinFree); err == nil && free < need {
			refusal = noRoomError("%d MiB are free, and %d must be", free>>20, need>>20)
			s.pressure = true
		}
	}
	if used := (pages - unused) * s.pageSize; j.o.MaxSize > 0 {
		s.pressure = s.pressure || used > j.o.MaxSize/10*9
		if used >= j.o.MaxSize {
			refusal = noRoomError("the journal has reached its size of %d MiB with events that are still to be delivered", j.o.MaxSize>>20)
		}
	}
	if refusal == nil && time.Now().Before(s.fullUntil) {
		s.pressure = true
		return
	}
	j.refusal.Store(refusal)
}

func noRoomError(format string, args ...any) *hookgate.Error {
	e := hookgate.Errorf(hookgate.Unavailable, "no room in the journal: "+format, args...)
	e.Hint = "free some disk, or shorten the retention"
	e.RetryAfter = retryLater
	return e
}
