package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// wallClock is what a program takes for the time, in a zone that has summer time. It stands still until it is set.
type wallClock struct{ at atomic.Pointer[time.Time] }

func (c *wallClock) Now() time.Time { return *c.at.Load() }

func (c *wallClock) set(at time.Time) { c.at.Store(&at) }

// newYork gives the moments at which summer time begins and ends there.
func newYork(t *testing.T) (springAhead, fallBack time.Time) {
	t.Helper()
	zone := must(time.LoadLocation("America/New_York"))(t)
	return time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC).In(zone), time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC).In(zone)
}

// TestR14_ClockSteps: the clock jumps by a second to an hour, ahead and back, under a running program and while it is down,
// and summer time begins. Every event is accepted once and known from then on; all are forwarded once, in the order in which
// they were accepted.
func TestR14_ClockSteps(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ *redisServer, configure func(string) string) {
		out := filepath.Join(t.TempDir(), "events")
		config := withWindow(configure(fileAt(out)), "3h")
		springAhead, _ := newYork(t)
		clock := new(wallClock)
		clock.set(springAhead)
		begin := func() (*running, *sender) {
			r := serve(t, config, func(m *Main) { m.Env, m.Now = scenarioEnv, clock.Now })
			return r, newSender(t, r.Hooks)
		}
		r, s := begin()
		var order []string
		for n, offset := range []time.Duration{
			0, time.Second, -time.Second, time.Minute, -time.Minute, time.Hour, 0, -time.Hour, -time.Second,
			time.Hour, -time.Hour, 59 * time.Minute, -time.Millisecond, 0, time.Hour, -time.Hour,
		} {
			if n%5 == 4 {
				if code := r.stop(); code != exitDone {
					t.Errorf("ended with %d:\n%s", code, r.stderr)
				}
			}
			clock.set(springAhead.Add(offset))
			if n%5 == 4 {
				r, s = begin()
			}
			for copies := range n + 1 {
				if a := s.deliver(t.Context(), caseBody(copies, 3)); (a.outcome == "accepted") != (copies == n) || a.status != http.StatusOK {
					t.Errorf("the clock goes to %s: event %d of %d is answered %+v", offset, copies, n, a)
				} else if copies == n {
					order = append(order, a.eventID+" "+clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
				}
			}
		}
		eventually(t, "all are forwarded", func() (bool, string) { n := len(lines(t, out)); return n >= len(order), fmt.Sprint(n) })
		r.stop()
		var got []string
		for _, line := range lines(t, out) {
			_, received, _ := strings.Cut(line, `"receivedtime":"`)
			received, _, _ = strings.Cut(received, `"`)
			got = append(got, idOf([]byte(line))+" "+received)
		}
		if strings.Contains(config, "redis://") { // there the order is kept within a key only
			slices.Sort(got)
			slices.Sort(order)
		}
		if !slices.Equal(got, order) {
			t.Errorf("forwarded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(order, "\n"))
		}
		if strings.Contains(r.stderr.String(), "panic") {
			t.Error(r.stderr)
		}
	})
}

// withWindow has the source care remember its events that long.
func withWindow(config, window string) string {
	return strings.Replace(config, "provider: sprinklr\n", "provider: sprinklr\n    dedupe: {window: "+window+"}\n", 1)
}

// TestR14_WindowEdges: an event is known until the last millisecond of its window and new with the next one, also where the
// hour in between is left out or comes twice, and where the clock was set back meanwhile.
func TestR14_WindowEdges(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ *redisServer, configure func(string) string) {
		const window = 2 * time.Hour
		springAhead, fallBack := newYork(t)
		out := filepath.Join(t.TempDir(), "events")
		clock := new(wallClock)
		clock.set(springAhead)
		r := serve(t, withWindow(configure(fileAt(out)), window.String()), func(m *Main) { m.Env, m.Now = scenarioEnv, clock.Now })
		s := newSender(t, r.Hooks)
		accepted := 0
		for n, begin := range []time.Time{springAhead.Add(-6 * time.Hour), springAhead.Add(-time.Hour), fallBack.Add(-time.Hour), fallBack.Add(time.Hour)} {
			for _, step := range []struct {
				name    string
				at      time.Duration // after the first one
				outcome string
			}{
				{"the first", 0, "accepted"},
				{"a clock set back by an hour", -time.Hour, "duplicate"},
				{"the last millisecond", window - time.Millisecond, "duplicate"},
				{"the end", window, "accepted"},
				{"back inside the first window", window - time.Hour, "duplicate"},
				{"an hour after the end", window + time.Hour, "duplicate"},
				{"the last millisecond of the second window", 2*window - time.Millisecond, "duplicate"},
				{"just after the end of the second", 2*window + time.Millisecond, "accepted"},
			} {
				clock.set(begin.Add(step.at))
				if a := s.deliver(t.Context(), caseBody(n, 1)); a.outcome != step.outcome {
					t.Errorf("from %s, %s: %+v, want %s", begin, step.name, a, step.outcome)
				}
				if step.outcome == "accepted" {
					accepted++
				}
			}
		}
		eventually(t, "all are forwarded", func() (bool, string) { n := len(lines(t, out)); return n >= accepted, fmt.Sprint(n) })
		r.stop()
		if n := len(lines(t, out)); n != accepted {
			t.Errorf("%d forwarded, want %d", n, accepted)
		}
	})
}

// TestR14_LocalTimes: a provider that writes local times without a zone sends such as do not exist, or exist twice. They are
// events like others: taken, known when they come again, and given a time within an hour of what was meant.
func TestR14_LocalTimes(t *testing.T) {
	t.Parallel()
	springAhead, fallBack := newYork(t)
	out := filepath.Join(t.TempDir(), "events")
	config := strings.Replace(scenario(filepath.Join(t.TempDir(), "j.db"), fileAt(out)), "destinations:\n",
		"  - {name: mail, provider: netcore, timezone: America/New_York, auth: [{scheme: none}]}\ndestinations:\n", 1)
	clock := new(wallClock)
	r := serve(t, config, func(m *Main) { clock.set(fallBack); m.Env, m.Now = scenarioEnv, clock.Now })
	s := newSender(t, r.Hooks)
	want := 0
	for local, meant := range map[string]time.Time{
		"2026-03-08T01:59:59": springAhead.Add(-time.Second),
		"2026-03-08T02:30:00": springAhead, // left out
		"2026-03-08T03:00:00": springAhead,
		"2026-11-01T01:30:00": fallBack, // half an hour before it and half an hour after it
		"2026-11-01T02:00:00": fallBack.Add(time.Hour),
	} {
		body := batchOf(fmt.Sprintf(`{"channel":"sms","event":"delivered","event_params":{"mobile":"1","timestamp":%q}}`, local))
		for _, outcome := range []string{"accepted", "duplicate"} {
			if a := s.post(t.Context(), "/hooks/mail", body, ""); a.outcome != outcome {
				t.Errorf("%s: %+v, want %s", local, a, outcome)
			}
		}
		want++
		var at string
		eventually(t, "it is forwarded", func() (bool, string) {
			all := lines(t, out)
			if len(all) == want {
				_, at, _ = strings.Cut(all[want-1], `"time":"`)
				at, _, _ = strings.Cut(at, `"`)
			}
			return len(all) == want, fmt.Sprint(len(all))
		})
		if got, err := time.Parse(time.RFC3339, at); err != nil || got.Sub(meant).Abs() > time.Hour {
			t.Errorf("%s became %s (%v), which is not near %s", local, at, err, meant.UTC())
		}
	}
}
