package forward

import (
	"math/rand/v2"
	"time"

	"github.com/hookgate/hookgate"
)

// The pauses of a whole destination, our defaults: short enough that one that comes back is noticed soon.
const (
	maxPause      = 5 * time.Second // between attempts while the destination is in trouble; one attempt costs next to nothing
	maxRetryAfter = time.Hour       // of what a target may ask for
)

// doubled is base * 2^n, at most limit.
func doubled(base, limit time.Duration, n int) time.Duration {
	for ; n > 0 && base < limit; n-- {
		base *= 2
	}
	return min(base, limit)
}

// refusedPause is how long an entry waits after its n-th attempt was refused: the schedule of the settings, 20 % more or
// less, so that what was refused together does not come back together.
func refusedPause(r hookgate.RetrySettings, n int) time.Duration {
	d := doubled(r.Backoff, r.MaxBackoff, n-1)
	return d - d/5 + rand.N(d/5*2+1)
}

// resumed is when an entry of an earlier run is due: as recorded, but not later than if it had been refused just now. The
// clock may have run ahead when that was written. What is returned goes by the monotonic clock.
func resumed(r hookgate.RetrySettings, at, now time.Time) time.Time {
	if wait := at.Sub(now); wait > 0 {
		return now.Add(min(wait, r.MaxBackoff/5*6))
	}
	return at
}

// troublePause is how long the destination is left alone after the n-th wave of trouble in a row: exponential with full
// jitter, but never shorter than the target asked for. One that says it is gone is asked at the slowest pace there is. The
// breaker's word needs no jitter: it lets one call through, whoever comes first.
func troublePause(r hookgate.RetrySettings, n int, t *Trouble) time.Duration {
	limit := min(r.MaxBackoff, maxPause)
	d := rand.N(doubled(min(r.Backoff, limit), limit, n-1) + 1)
	switch {
	case t.paced:
		d = 0
	case t.Pause:
		d = r.MaxBackoff
	}
	return max(d, min(t.RetryAfter, maxRetryAfter))
}
