package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// onBoth runs a scenario on each journal: make gives its configuration with the destinations, and server is the Redis that
// holds the journal, nil where none does. In a long run one follows the other, because figures are judged there.
func onBoth(t *testing.T, run func(t *testing.T, server *redisServer, configure func(destinations string) string)) {
	_, judged := long(0, 0)
	t.Run("sqlite", func(t *testing.T) {
		if !judged {
			t.Parallel()
		}
		file := filepath.Join(t.TempDir(), "j.db")
		run(t, nil, func(destinations string) string { return scenario(file, destinations) })
	})
	t.Run("redis", func(t *testing.T) {
		if !judged {
			t.Parallel()
		}
		server := startOwnRedis(t)
		run(t, server, func(destinations string) string { return onRedis(server.url, "", destinations) })
	})
}

// withMail adds a source whose deliveries carry any number of events.
func withMail(config string) string {
	config = strings.Replace(config, "destinations:\n", "  - {name: mail, provider: netcore, auth: [{scheme: none}], max_body: 4MiB}\ndestinations:\n", 1)
	return strings.Replace(config, `admin: {listen: "127.0.0.1:0"}`, `admin: {listen: "127.0.0.1:0", token: env:ADMIN}`, 1)
}

func mailEnv(name string) (string, bool) {
	if name == "ADMIN" {
		return adminToken, true
	}
	return scenarioEnv(name)
}

// mailKeys is over how many contacts the elements of batches are spread.
const mailKeys = 40

// element is one event of a batch.
func element(n int) string {
	return fmt.Sprintf(`{"channel":"sms","event":"delivered","event_params":{"mobile":"c-%d"},"n":%d}`, n%mailKeys, n)
}

func elements(from, to int) (all []string) {
	for n := from; n < to; n++ {
		all = append(all, element(n))
	}
	return all
}

func batchOf(parts ...string) string { return `{"shop":[` + strings.Join(parts, ",") + `]}` }

// taken posts a body until it is answered with anything but 503, which a machine that is busy with other tests may say, and
// tells whether it had to be sent again.
func (s *sender) taken(t *testing.T, path, body string) (a answer, again bool) {
	t.Helper()
	eventually(t, "the delivery is taken", func() (bool, string) {
		a = s.post(t.Context(), path, body, "")
		done := a.status != http.StatusServiceUnavailable && a.status != 0
		again = again || !done
		return done, fmt.Sprint(a)
	})
	return a, again
}

var numberOf = regexp.MustCompile(`"n":([0-9]+)`)

// byNumber counts the elements in a file, and fails where one stands before an earlier one of its contact.
func byNumber(t *testing.T, file string) map[int]int {
	t.Helper()
	times, last := make(map[int]int), make(map[int]int)
	for _, line := range lines(t, file) {
		m := numberOf.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("forwarded and never sent: %s", line)
		}
		n, _ := strconv.Atoi(m[1])
		if times[n]++; times[n] == 1 && n < last[n%mailKeys] {
			t.Fatalf("%d of contact %d comes after %d", n, n%mailKeys, last[n%mailKeys])
		}
		last[n%mailKeys] = max(last[n%mailKeys], n)
	}
	return times
}

// TestR17_Batches: of every batch exactly what is new is forwarded, once, whatever stands beside it.
func TestR17_Batches(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ *redisServer, configure func(string) string) {
		out := filepath.Join(t.TempDir(), "events")
		r := serve(t, withMail(configure(fileAt(out))), func(m *Main) { m.Env = mailEnv })
		s := newSender(t, r.Hooks)
		const many = 10_000 / raceFactor
		want, aside := make(map[int]int), 0
		for _, step := range []struct {
			name, body string
			outcome    string
			fresh      []int // numbers that this delivery brings
			aside      int   // new parts in quarantine
		}{
			{"all new", batchOf(elements(0, 4)...), "accepted", []int{0, 1, 2, 3}, 0},
			{"partly known", batchOf(element(2), element(10), element(0), element(11)), "accepted", []int{10, 11}, 0},
			{"all known, in another order and company", batchOf(element(11), element(3), element(10)), "duplicate", nil, 0},
			{"unreadable between readable", batchOf(element(20), `"no object"`, element(21)), "accepted", []int{20, 21}, 1},
			{"the same again", batchOf(element(20), `"no object"`, element(21)), "quarantined", nil, 0},
			{"unreadable beside known and new", batchOf(element(1), `17`, element(22), `[]`, element(20)), "accepted", []int{22}, 2},
			{"nothing readable", batchOf(`"neither"`, `"nor"`), "quarantined", nil, 2},
			{"three alike are three", batchOf(element(30), element(30), element(30)), "accepted", []int{30, 30, 30}, 0},
			{"and are known", batchOf(element(30), element(30), element(30)), "duplicate", nil, 0},
			{"a fourth is not", batchOf(element(30), element(30), element(30), element(30)), "accepted", []int{30}, 0},
			{"ten thousand, some of them known", batchOf(elements(0, many)...), "accepted", nil, 0},
			{"ten thousand again", batchOf(elements(0, many)...), "duplicate", nil, 0},
		} {
			a, again := s.taken(t, "/hooks/mail", step.body)
			if a.status != http.StatusOK || a.eventID != "" || (a.outcome != step.outcome && !again) {
				t.Errorf("%s: %+v, want 200 %s and no single id", step.name, a, step.outcome)
			}
			for _, n := range step.fresh {
				want[n]++
			}
			if strings.HasPrefix(step.name, "ten thousand") {
				for n := range many {
					want[n] = max(want[n], 1)
				}
			}
			aside += step.aside
			eventually(t, step.name, func() (bool, string) {
				got := byNumber(t, out)
				return maps.Equal(got, want), fmt.Sprintf("%d of %d numbers are there", len(got), len(want))
			})
			if _, page := r.ask(t, "/v1/quarantine", adminToken); strings.Count(page, `"reason"`) != aside {
				t.Errorf("%s: want %d parts in quarantine, there are %s", step.name, aside, page)
			}
		}
		r.stop()
		if got := byNumber(t, out); !maps.Equal(got, want) {
			t.Errorf("more was forwarded before the end")
		}
	})
}

// TestR17_BatchIsDurable: the process is killed the moment it has answered a batch of ten thousand. All of them are forwarded
// after that, and the batch is known.
func TestR17_BatchIsDurable(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ *redisServer, configure func(string) string) {
		const all, window = 10_000 / raceFactor, 64
		out := filepath.Join(t.TempDir(), "events")
		config := strings.Replace(withMail(configure(strings.Replace(fileAt(out), "}", fmt.Sprintf(", window: %d}", window), 1))), ", token: env:ADMIN", "", 1)
		body := batchOf(elements(0, all)...)
		c := startChild(t, config)
		a, again := newSender(t, c.hooks).taken(t, "/hooks/mail", body)
		c.kill()
		if a.outcome != "accepted" && !again {
			t.Fatalf("%+v", a)
		}
		c = startChild(t, config)
		eventually(t, "all are forwarded", func() (bool, string) {
			n := len(byNumber(t, out))
			return n == all, fmt.Sprint(n, c.stderr)
		})
		if a, _ := newSender(t, c.hooks).taken(t, "/hooks/mail", body); a.outcome != "duplicate" {
			t.Errorf("the batch again: %+v", a)
		}
		if n := len(lines(t, out)); n > all+window {
			t.Errorf("%d lines of %d events: more than the window of %d came twice", n, all, window)
		}
	})
}

// TestR17_AttemptsInFlight: the attempts of an event come while earlier ones have no answer yet. None is answered before the
// journal has the event, all are answered 200, and it is forwarded once. On Redis the writes are held up until all of them
// wait; for the file the journal's own tests hold up the sync.
func TestR17_AttemptsInFlight(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, server *redisServer, configure func(string) string) {
		const events, attempts = 30, 4
		out := filepath.Join(t.TempDir(), "events")
		r := serve(t, withMail(configure(fileAt(out))), func(m *Main) { m.Env = mailEnv })
		s := newSender(t, r.Hooks)
		s.taken(t, "/hooks/mail", batchOf(element(0))) // scripts are loaded
		if server != nil {
			must(server.client(t).Do(t.Context(), "CLIENT", "PAUSE", 20_000, "WRITE").Result())(t)
		}
		var answered atomic.Int64 // with anything
		type done struct {
			event int
			answer
			again bool
		}
		answers := make(chan done, events*attempts)
		for n := range events {
			for attempt := range attempts {
				go func() {
					body := strings.Replace(chatBody(n), `"attempt":1`, fmt.Sprintf(`"attempt":%d`, attempt+1), 1)
					d := done{event: n, answer: s.post(context.WithoutCancel(t.Context()), "/hooks/chat", body, "")}
					if d.status == http.StatusOK || d.status == http.StatusServiceUnavailable {
						answered.Add(1)
					}
					for tries := 0; d.status == http.StatusServiceUnavailable && tries < 100; tries++ {
						d.again, d.answer = true, s.post(context.WithoutCancel(t.Context()), "/hooks/chat", body, "")
					}
					answers <- d
				}()
			}
		}
		if server != nil {
			eventually(t, "all wait for the journal", func() (bool, string) {
				_, page := r.ask(t, "/metrics", adminToken)
				// One that is answered by now has been refused, after three seconds.
				return strings.Contains(page, fmt.Sprintf("\nhookgate_journal_queue %d\n", events*attempts)) || answered.Load() > 0, page
			})
			if n := len(answers); n > 0 {
				t.Errorf("%d were answered while nothing could be written", n)
			}
			must(server.client(t).Do(t.Context(), "CLIENT", "UNPAUSE").Result())(t)
		}
		accepted, again := make(map[int]int), 0
		for range events * attempts {
			d := <-answers
			if d.status != http.StatusOK {
				t.Errorf("event %d: %+v", d.event, d.answer)
			}
			if d.outcome == "accepted" {
				accepted[d.event]++
			}
			if d.again {
				again++
			}
		}
		for n := range events {
			if accepted[n] > 1 || (accepted[n] == 0 && again == 0) {
				t.Errorf("event %d was accepted %d times", n, accepted[n])
			}
		}
		eventually(t, "all are forwarded", func() (bool, string) {
			n := len(inFiles(t, out))
			return n == events+1, fmt.Sprint(n)
		})
		r.stop()
		if n := doubled(inFiles(t, out)); n > 0 {
			t.Errorf("%d were forwarded twice", n)
		}
		t.Logf("%d attempts, %d of them sent again after 503", events*attempts, again)
	})
}
