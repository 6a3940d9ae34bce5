package forward_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

// TestRecoveredAfterRefusingAll: a target that refuses each event by itself is mended. What it has refused is due an hour
// later; with the first event that it confirms all of it is tried at once, in order of its keys.
func TestRecoveredAfterRefusingAll(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		broken := true
		d.judge = func(hookgate.Entry, int) error {
			if broken {
				return &forward.Refusal{Err: errors.New("500")}
			}
			return nil
		}
		s := settings("d")
		s.Retry = hookgate.RetrySettings{Attempts: 12, Backoff: time.Hour, MaxBackoff: 10 * time.Hour}
		f := forward.NewForwarder(s, d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		j.append(events(100, 20)...)
		pass(time.Minute)
		if st := f.Stats(); st.Parked != 100 || st.Delivered != 0 {
			t.Fatalf("stats %+v", st)
		}
		d.set(func(*fake) { broken = false })
		j.append(&hookgate.Event{ID: "new", PartitionKey: "a key of its own", Data: []byte("{}")})
		pass(time.Second)
		if st := f.Stats(); st.Parked != 0 || st.Delivered != 101 {
			t.Errorf("stats %+v", st)
		}
		checkOrder(t, d.entries())
	})
}

// TestRecoveryIsNoSchedule: a destination that takes little of what it is sent is not tried at every confirmation, so that the
// attempts of what it refuses last as long as they should.
func TestRecoveryIsNoSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		attempts := map[int64]int{}
		d.judge = func(e hookgate.Entry, _ int) error {
			if e.Event.PartitionKey == "good" {
				return nil
			}
			attempts[e.Seq]++
			return &forward.Refusal{Err: errors.New("never")}
		}
		s := settings("d")
		s.Retry = hookgate.RetrySettings{Attempts: 12, Backoff: 5 * time.Minute, MaxBackoff: 5 * time.Minute}
		f := forward.NewForwarder(s, d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		defer stop()
		for range 120 { // ten minutes
			j.append(events(20, 20)...)
			j.append(&hookgate.Event{ID: "new", PartitionKey: "good", Data: []byte("{}")})
			pass(5 * time.Second)
		}
		if st := f.Stats(); st.Delivered != 120 || st.Dead > 0 {
			t.Errorf("stats %+v", st)
		}
		// At once, after five minutes by its schedule, after ten; and twice for a recovery.
		if n := attempts[1]; n > 5 {
			t.Errorf("%d attempts in ten minutes", n)
		}
	})
}
