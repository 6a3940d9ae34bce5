package outbound

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// planted is a delivery of a log that a test has made up.
type planted struct {
	seq                         int64
	provider, sub, event, state string
	created                     time.Time
}

// plant fills a log with n deliveries through the store's own statements: five providers, some subscriptions and events
// each, all states, one a second, with a clock that is set back by two hours at some point.
func plant(t testing.TB, s *Server, n int) []planted {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	all := make([]planted, 0, n)
	payload := json.RawMessage(`{"text":"` + strings.Repeat("lorem ", 40) + `"}`)
	for len(all) < n {
		if err := s.store.change(context.Background(), func(tx *tx) error {
			for range min(1000, n-len(all)) {
				provider := Providers()[random.IntN(5)]
				p := planted{provider: provider, sub: fmt.Sprint(provider, random.IntN(20)), event: fmt.Sprint("event.", random.IntN(12)), created: at}
				state := Delivered
				switch k := random.IntN(100); {
				case k < 2:
					state = Failed
				case k < 3:
					state = Waiting
				case len(all)%5000 == 1:
					state, p.event = Gathering, "event.rare"
				}
				p.state = string(state)
				key := tx.key(word{provider, subscriptionWord, p.sub})
				if err := tx.insert(key, uuid.New(), provider, &Event{Type: p.event, Payload: payload}, state, at, at); err != nil {
					return err
				}
				p.seq = tx.st.lastSeq
				if state == Delivered || state == Failed {
					if _, err := tx.exec("UPDATE deliveries SET ended = ?, keep = ?, attempts = 1 WHERE seq = ?", at.UnixMilli(), map[State]int64{Failed: 86_400_000}[state], p.seq); err != nil {
						return err
					}
					if _, err := tx.exec("INSERT INTO attempts VALUES (?, ?, 1000, 200, 0, '', ?)", part(p.seq, 1), at.UnixMilli(), []byte("ok")); err != nil {
						return err
					}
				}
				all = append(all, p)
				if at = at.Add(time.Second); len(all) == n/2 {
					at = at.Add(-time.Duration(n/6) * time.Second)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// wanted filters as a query says.
func wanted(all []planted, q LogQuery) []planted {
	var out []planted
	for _, p := range slices.Backward(all) {
		if (q.Provider == "" || q.Provider == p.provider) && (q.Subscription == "" || q.Subscription == p.sub) &&
			(len(q.States) == 0 || slices.Contains(q.States, State(p.state))) && (len(q.Events) == 0 || slices.Contains(q.Events, p.event)) &&
			(q.From.IsZero() || !p.created.Before(q.From)) && (q.To.IsZero() || p.created.Before(q.To)) && (q.Before == 0 || p.seq < q.Before) {
			out = append(out, p)
		}
	}
	return out
}

func queries(random *rand.Rand, all []planted) LogQuery {
	pick := func() planted { return all[random.IntN(len(all))] }
	var q LogQuery
	if random.IntN(2) == 0 {
		q.Provider = pick().provider
	}
	if random.IntN(2) == 0 {
		q.Subscription = pick().sub
	}
	for range random.IntN(3) {
		q.States = append(q.States, allStates()[random.IntN(4)])
	}
	for range random.IntN(4) {
		q.Events = append(q.Events, pick().event)
	}
	if random.IntN(3) == 0 {
		q.Events = append(q.Events, "event.rare", "event.unknown")
	}
	if random.IntN(2) == 0 {
		q.From = pick().created.Add(time.Duration(random.IntN(3)) * 500 * time.Microsecond)
	}
	if random.IntN(2) == 0 {
		q.To = pick().created.Add(time.Duration(random.IntN(3)) * 500 * time.Microsecond)
	}
	if random.IntN(3) == 0 {
		q.Before = pick().seq
	}
	if random.IntN(2) == 0 {
		q.Limit = 1 + random.IntN(1000)
	}
	q.Bare = random.IntN(2) == 0
	return q
}

// TestLogQueries compares random queries with a filter over all there is, and demands that each is answered by an index.
func TestLogQueries(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, nil)
	all := plant(t, s, 6_000)
	random := rand.New(rand.NewPCG(3, 4))
	nonempty := 0
	for i := range 60 {
		q := queries(random, all)
		want := wanted(all, q)
		if len(want) > 0 {
			nonempty++
		}
		if n, err := s.Count(t.Context(), q); err != nil || n != int64(len(want)) {
			t.Fatalf("query %d %+v: counts %d, not %d, %v", i, q, n, len(want), err)
		}
		want = want[:min(len(want), bounded(q.Limit))]
		got, err := s.Deliveries(t.Context(), q)
		if err != nil || len(got) != len(want) {
			t.Fatalf("query %d %+v: %d, not %d, %v", i, q, len(got), len(want), err)
		}
		for j, d := range got {
			w := want[j]
			if d.Seq != w.seq || d.Provider != w.provider || d.Subscription != w.sub || d.Event != w.event || string(d.State) != w.state || !d.Created.Equal(w.created) || (len(d.Events) == 0) != q.Bare {
				t.Fatalf("query %d %+v: at %d is %+v, not %+v", i, q, j, d, w)
			}
		}
		checkPlans(t, s, q)
	}
	if nonempty < 15 {
		t.Errorf("only %d queries found anything", nonempty)
	}
	if _, err := s.Deliveries(t.Context(), LogQuery{States: []State{"lost"}}); err == nil || !strings.Contains(err.Error(), `unknown state "lost"`) {
		t.Errorf("%v", err)
	}
	d, _, err := s.Delivery(t.Context(), uuid.NewString())
	if d != nil || !errors.Is(err, ErrNotFound) {
		t.Errorf("%v, %v", d, err)
	}
}

// checkPlans demands of every statement of a query that it looks things up and never reads along or sorts.
func checkPlans(t *testing.T, s *Server, q LogQuery) {
	t.Helper()
	branches, err := s.store.branches(q)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range s.store.bounds(q) {
		for _, b := range branches {
			query, args := b.sql("count(*)", part, q)
			checkPlan(t, s.store.reader, query, args...)
			query, args = b.sql("seq", part, q)
			checkPlan(t, s.store.reader, query+" ORDER BY seq DESC LIMIT ?", append(args, 100)...)
		}
	}
}

func checkPlan(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	rows, err := db.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	steps := 0
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps++
		if !strings.HasPrefix(step, "SEARCH ") || strings.Contains(step, "TEMP B-TREE") {
			t.Errorf("%s\n%s", query, step)
		}
		if strings.Contains(query, "count(*)") && !strings.Contains(query, "created") && !strings.Contains(step, "COVERING INDEX") && !strings.Contains(step, "PRIMARY KEY") {
			t.Errorf("%s\nreads rows: %s", query, step)
		}
	}
	if err := rows.Err(); err != nil || steps == 0 {
		t.Errorf("%s: %d steps, %v", query, steps, err)
	}
}

// TestPlans demands the same of the engine's own statements.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, nil)
	plant(t, s, 2000)
	for query, args := range map[string][]any{
		`SELECT ` + columns + ` FROM deliveries WHERE seq = ?`:                                                                                        {1},
		`SELECT ` + columns + ` FROM deliveries WHERE id = ?`:                                                                                         {[]byte("x")},
		`SELECT ` + columns + ` FROM deliveries INDEXED BY by_subscription WHERE subscription = ? AND state = 1 ORDER BY seq DESC LIMIT 1`:            {1},
		"SELECT seq, subscription, event, state FROM deliveries INDEXED BY by_end WHERE ended > 0 AND keep = ? AND ended <= ? ORDER BY ended LIMIT ?": {0, 1, 10},
		"SELECT keep FROM deliveries INDEXED BY by_end WHERE ended > 0 AND keep > ? ORDER BY keep LIMIT 1":                                            {0},
		"SELECT seq, subscription, event, state FROM deliveries INDEXED BY by_subscription WHERE subscription = ? AND state = ? LIMIT ?":              {1, 1, 1},
		"SELECT seq, subscription, event, state FROM deliveries WHERE id = ? AND ended > 0":                                                           {[]byte("x")},
		"SELECT seq, subscription, next_at FROM deliveries INDEXED BY by_provider WHERE provider = ? AND state = ?":                                   {1, 1},
		"SELECT seq FROM deliveries INDEXED BY by_provider WHERE provider = ? AND state = ? AND running > 0":                                          {1, 2},
		"SELECT event, payload FROM payloads WHERE id BETWEEN ? AND ? ORDER BY id":                                                                    {1, 2},
		"SELECT id, at, took, status, manual, error, response FROM attempts WHERE id BETWEEN ? AND ? ORDER BY id":                                     {1, 2},
		"DELETE FROM payloads WHERE id BETWEEN ? AND ?":                                                                                               {1, 2},
		"UPDATE deliveries SET running = 0, ordered = 0, status = ?, error = ?, updated = ?, next_at = ? WHERE seq = ?":                               {1, "", 1, 1, 1},
	} {
		checkPlan(t, s.store.reader, query, args...)
	}
}

// TestRetention demands that what has been in the log long enough goes, by the server's retention or the provider's own,
// that the rest stays, and that no transaction removes more than a chunk.
func TestRetention(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := open(t, storePath(t), clock, func(o *Options, _ *provider) { o.Retention = 30 * time.Minute })
	all := plant(t, s, 4_500) // a second apart; the failed ones are kept for a day
	end := all[len(all)-1].created
	largest := 0
	s.store.committed = func(c *changes) {
		removed := 0
		for _, counts := range c.counts {
			for _, n := range counts {
				removed -= int(n)
			}
		}
		largest = max(largest, removed)
	}
	if err := s.sweep(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	var want []planted
	for _, p := range all {
		if p.state == string(Waiting) || p.state == string(Gathering) || p.state == string(Failed) || p.created.After(end.Add(-30*time.Minute)) {
			want = append(want, p)
		}
	}
	check := func() {
		t.Helper()
		if n, err := s.Count(t.Context(), LogQuery{}); n != int64(len(want)) || err != nil {
			t.Errorf("%d are left, not %d, %v", n, len(want), err)
		}
		for table, most := range map[string]int{"payloads": len(want), "attempts": len(want), "deliveries": len(want)} {
			var n int
			if err := s.store.reader.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n > most || (table != "attempts" && n < most) {
				t.Errorf("%d of %s, not %d, %v", n, table, most, err)
			}
		}
		for _, state := range allStates() {
			q := LogQuery{States: []State{state}, From: all[0].created}
			if n, err := s.Count(t.Context(), q); n != int64(len(wanted(want, q))) || err != nil {
				t.Errorf("%d are %s, not %d, %v", n, state, len(wanted(want, q)), err)
			}
		}
	}
	check()
	if largest > chunk || largest < chunk/2 {
		t.Errorf("a transaction removed %d", largest)
	}
	if err := s.sweep(t.Context(), end.Add(26*time.Hour)); err != nil {
		t.Fatal(err)
	}
	want = slices.DeleteFunc(want, func(p planted) bool { return p.state == string(Delivered) || p.state == string(Failed) })
	check()
	s.options.Retention = 0
	if err := s.sweep(t.Context(), end.Add(1000*time.Hour)); err != nil {
		t.Fatal(err)
	}
	check()
}

// TestRetentionRuns demands that the server keeps to it by itself, and to a provider's own time.
func TestRetentionRuns(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(500)
		}
	})
	s := open(t, storePath(t), clock, func(o *Options, p *provider) {
		o.Retention, p.retries = time.Hour, nil
		p.keep = func(sub *Subscription, state State) time.Duration {
			if state == Failed {
				return 3 * time.Hour
			}
			return 0
		}
	})
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	failed := publish(t, s, `1`)
	settled(t, s, failed, 1)
	delivered := publish(t, s, `2`)
	settled(t, s, delivered, 1)
	gone := func(id string) bool {
		_, _, err := s.Delivery(t.Context(), id)
		return errors.Is(err, ErrNotFound)
	}
	clock.Advance(59 * time.Minute)
	eventually(t, "the next sweep is planned", func() bool { return clock.waitsFor(clock.Now().Add(time.Minute)) })
	if gone(delivered) {
		t.Error("it went too early")
	}
	clock.Advance(time.Minute)
	eventually(t, "it goes", func() bool { return gone(delivered) })
	eventually(t, "the next sweep is planned", func() bool { return clock.waitsFor(clock.Now().Add(time.Minute)) })
	if gone(failed) {
		t.Error("the failed one went with it")
	}
	clock.Advance(2 * time.Hour)
	eventually(t, "the failed one goes", func() bool { return gone(failed) })
}

func TestForget(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 3 {
			w.WriteHeader(500)
		}
	})
	s := open(t, storePath(t), clock, nil)
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	var ids []string
	for i := range 3 {
		ids = append(ids, publish(t, s, fmt.Sprint(i)))
		settled(t, s, ids[i], 1)
	}
	if err := s.Forget(t.Context(), []string{ids[0], ids[2], "nothing", uuid.NewString()}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, true} { // the last one still waits
		if _, _, err := s.Delivery(t.Context(), ids[i]); (err == nil) != want {
			t.Errorf("delivery %d: %v", i, err)
		}
	}
	if n, err := s.Count(t.Context(), LogQuery{Subscription: "a"}); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// TestNamesAreCleared demands that names of what is gone from the log do not stay for ever, and others do.
func TestNamesAreCleared(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	s := open(t, path, nil, nil)
	subscribe(t, s, "gone", "http://127.0.0.1:1/", nil)
	publish(t, s, `1`)
	subscribe(t, s, "kept", "http://127.0.0.1:1/", nil)
	if _, err := s.Publish(t.Context(), "bird", Event{Type: "other"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "bird", "gone"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, nil, nil)
	var words []string
	for _, w := range s.store.memory.names {
		words = append(words, w.text)
	}
	slices.Sort(words)
	if got := strings.Join(words, " "); got != "bird kept other" {
		t.Errorf("%q are kept", got)
	}
	if list, err := s.Deliveries(t.Context(), LogQuery{Subscription: "kept", Provider: "bird"}); err != nil || len(list) != 1 || list[0].Event != "other" {
		t.Errorf("%v, %v", list, err)
	}
}

// TestWindow demands that the beginning of a query's time is in it and its end is not, in parts of a millisecond, too.
func TestWindow(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(5000)
	for _, c := range []struct {
		from, to        time.Time
		wantFrom, until int64
	}{
		{at, at, 5000, 4999},
		{at.Add(time.Nanosecond), at.Add(time.Nanosecond), 5001, 5000},
		{at.Add(-time.Nanosecond), at.Add(-time.Nanosecond), 5000, 4999},
		{time.Time{}, time.Time{}, 0, endOfTime},
	} {
		if from, until := window(LogQuery{From: c.from, To: c.to}); from != c.wantFrom || until != c.until {
			t.Errorf("%v to %v is %d to %d, not %d to %d", c.from, c.to, from, until, c.wantFrom, c.until)
		}
	}
}
