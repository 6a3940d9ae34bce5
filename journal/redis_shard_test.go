package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// TestRedisEntryForms writes entries as the contract has them, past Accept, and demands the events back.
func TestRedisEntryForms(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	j := openStore(t, server.url(), journal.RedisOptions{Prefix: "p"})
	_, events := request(start, part{id: "a", data: "one"})
	e := events[0]
	head := string(e.AppendStored(nil, false))
	received := start.UnixMilli()
	add := func(fields ...any) {
		server.do(append([]any{"XADD", "p:{0}:log", "0-*"}, fields...)...)
	}
	add("r", received, "h", head, "q", "x", "b", "|one|", "o", 1, "l", 3)
	add("h", head, "d", "one", "r", received, "w", "0/token") // several of a request; the order of fields is nobody's business
	add("r", received, "h", head, "q", "x", "b", "|one|", "d", "one")
	entries, err := j.Read(t.Context(), 0, 10)
	for err == nil && len(entries) < 3 {
		var more []hookgate.Entry
		more, err = j.Read(t.Context(), int64(len(entries)), 10)
		entries = append(entries, more...)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range entries {
		if want := e.AppendEnvelope(nil); got.Seq != int64(i+1) || !bytes.Equal(got.Event.AppendEnvelope(nil), want) {
			t.Errorf("entry %d: %s, want %s", got.Seq, got.Event.AppendEnvelope(nil), want)
		}
	}
	add("r", received, "h", head, "q", "x", "b", "|one|", "o", 1, "l", 3)
	for i, c := range []struct {
		want   string
		fields []any
	}{
		{"field r is not a number", []any{"h", head, "d", "one"}},
		{"stored event", []any{"r", received, "d", "one"}},
		{"stored event", []any{"r", received, "h", "[1]", "d", "one"}},
		{"outside the body", []any{"r", received, "h", head, "q", "", "b", "one", "o", 1, "l", 3}},
		{"outside the body", []any{"r", received, "h", head, "q", "", "b", "one", "o", -1, "l", 3}},
		{"outside the body", []any{"r", received, "h", head, "q", "", "b", "one", "o", "9223372036854775807", "l", "9223372036854775807"}},
		{"field l is not a number", []any{"r", received, "h", head, "q", "", "b", "one", "o", 1}},
	} {
		add(c.fields...)
		place := int64(4 + i)
		// It is told, and not passed over: somebody has to see to it.
		if _, err := j.Read(t.Context(), place, 10); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), fmt.Sprintf("entry 0-%d", place+1)) {
			t.Errorf("%v: %v, want %q", c.fields, err, c.want)
		}
		if _, err := j.shard.Scan(t.Context(), place, 10); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("scan: %v, want %q", err, c.want)
		}
		if _, err := j.Fetch(t.Context(), []int64{1, place + 1}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("fetch: %v, want %q", err, c.want)
		}
	}
	if entries, err := j.Read(t.Context(), 3, 10); err != nil || len(entries) != 1 {
		t.Errorf("what stands before a broken entry: %d, %v", len(entries), err)
	}
}

// TestRedisReadsInOrder has readers of different speed and start read everything, from memory and from the stream, past
// what was taken away, with small entries and large ones.
func TestRedisReadsInOrder(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "no")
	j := openStore(t, server.url(), journal.RedisOptions{Prefix: "p", AllowLoss: true})
	const events = 3000
	size := func(i int) int {
		if i%100 == 99 {
			return 300_000 // more than fits into one conversation, with its neighbours
		}
		return i % 7
	}
	var readers sync.WaitGroup
	read := func(limit int) {
		last := int64(0)
		for last < events {
			entries, err := j.Read(t.Context(), last, limit)
			if err != nil {
				t.Error(err)
				return
			}
			if len(entries) > limit {
				t.Errorf("%d entries, limit %d", len(entries), limit)
			}
			for _, e := range entries {
				if e.Seq != last+1 || len(e.Event.Data) != size(int(e.Seq-1)) {
					t.Errorf("%d with %d bytes follows %d", e.Seq, len(e.Event.Data), last)
					return
				}
				last = e.Seq
			}
		}
	}
	for _, limit := range []int{1, 1000} {
		readers.Go(func() { read(limit) })
	}
	payload := strings.Repeat("x", 300_000)
	for i := range events { // one after the other, so that numbers tell the sizes
		accept(t, j, start, part{id: strconv.Itoa(i), data: payload[:size(i)]})
	}
	readers.Wait()
	read(64) // from the beginning, which memory no longer has

	numbers := []int64{3000, 1, 100, 100, 2999, 4000, 1500}
	entries, err := j.Fetch(t.Context(), numbers)
	if got := places(entries); err != nil || !slices.Equal(got, []int64{3000, 1, 100, 100, 2999, 1500}) {
		t.Errorf("fetch %v, %v", got, err)
	}
	client := server.client()
	client.XDel(t.Context(), "p:{0}:log", "0-2500", "0-2501")
	client.XTrimMinID(t.Context(), "p:{0}:log", "0-2000")
	_ = j.Close()
	j = openStore(t, server.url(), journal.RedisOptions{Prefix: "p", AllowLoss: true})
	var got []int64
	for last := int64(0); last < events; {
		entries, err := j.Read(t.Context(), last, 500)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, places(entries)...)
		last = got[len(got)-1]
	}
	if len(got) != 999 || got[0] != 2000 || !slices.IsSorted(got) {
		t.Errorf("%d from %d", len(got), got[0])
	}
	scanned := int64(0)
	for last := int64(-5); ; {
		entries, err := j.shard.Scan(t.Context(), last, 5000)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		scanned += int64(len(entries))
		last = entries[len(entries)-1].Seq
	}
	if scanned != 999 {
		t.Errorf("%d scanned", scanned)
	}
	_, made := request(start, part{id: "gap"})
	for _, id := range []string{"0-5000", "0-6000"} { // numbers that follow nothing
		server.do("XADD", "p:{0}:log", id, "r", start.UnixMilli(), "h", string(made[0].AppendStored(nil, false)), "d", id)
	}
	for after, want := range map[int64]int64{3000: 5000, 5000: 6000, 5998: 6000, 5999: 6000} {
		if entries, err := j.Read(t.Context(), after, 1); err != nil || !slices.Equal(places(entries), []int64{want}) {
			t.Errorf("after %d: %v, %v", after, places(entries), err)
		}
	}
	if entries, err := j.Fetch(t.Context(), []int64{5999, 5000}); err != nil || !slices.Equal(places(entries), []int64{5000}) {
		t.Errorf("%v, %v", places(entries), err)
	}
	_ = j.Close()
	if _, err := j.Read(context.Background(), 0, 1); hookgate.AsError(err).Code != hookgate.Unavailable || j.Ready() == nil {
		t.Errorf("closed: %v, %v", err, j.Ready())
	}
}

func places(entries []hookgate.Entry) []int64 {
	var list []int64
	for _, e := range entries {
		list = append(list, e.Seq)
	}
	return list
}

// TestRedisNeedsTheShard: who does not hold it can neither read on nor record.
func TestRedisNeedsTheShard(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	r := openRedis(t, server.url(), journal.RedisOptions{Prefix: "p", Shards: 2, Destinations: []string{"d"}})
	s := r.Shards()[0]
	if _, err := s.Read(t.Context(), 0, 1); err == nil || !strings.Contains(err.Error(), "shard 0 of the journal is not held") {
		t.Errorf("read: %v", err)
	}
	if err := s.Record(t.Context(), "d", hookgate.Step{Cursor: 1}); err == nil || !strings.Contains(err.Error(), "shard 0 of the journal is not held") {
		t.Errorf("record: %v", err)
	}
	if p, err := s.Progress(t.Context(), "d"); err != nil || p.Cursor != 0 {
		t.Errorf("progress is for all to see: %+v %v", p, err)
	}
	w := share(t, r, nil)
	eventually(t, "both are held", func() bool { return len(w.holding()) == 2 })
	waiting := make(chan error, 1)
	go func() { _, err := s.Read(context.Background(), 0, 1); waiting <- err }()
	w.end()
	if err := <-waiting; hookgate.AsError(err).Code != hookgate.Unavailable {
		t.Errorf("a reader when the shard is given up: %v", err)
	}
}

// TestRedisReplays: what was asked for waits until the holder's record says that it has it, and survives a dead letter.
func TestRedisReplays(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	j := openStore(t, server.url(), journal.RedisOptions{Prefix: "p", Destinations: []string{"d", "other"}})
	for i := range 5 {
		accept(t, j, start, part{id: strconv.Itoa(i)})
	}
	record := func(step hookgate.Step) {
		t.Helper()
		if err := j.Record(t.Context(), "d", step); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(numbers ...int64) {
		t.Helper()
		var list []hookgate.Parked
		for _, n := range numbers {
			list = append(list, hookgate.Parked{Seq: n, Key: "k", Error: "ü\"<\u2028"})
		}
		if err := j.shard.Ask(t.Context(), "d", list); err != nil {
			t.Fatal(err)
		}
	}
	asked := func(limit int) string {
		t.Helper()
		list, err := j.shard.Asked(t.Context(), "d", limit)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, p := range list {
			if !p.Replayed || p.Key != "k" || p.Error != "ü\"<\u2028" {
				t.Errorf("%+v", p)
			}
			text += fmt.Sprint(p.Seq, " ")
		}
		return text
	}
	record(hookgate.Step{Cursor: 5, Park: []hookgate.Parked{{Seq: 2, Dead: true, Error: "no"}, {Seq: 3, Dead: true}}})
	ask(4, 2, 3, 1)
	ask(4)
	if got := asked(10); got != "1 2 3 4 " {
		t.Errorf("asked: %s", got)
	}
	if got := asked(2); got != "1 2 " {
		t.Errorf("the first two: %s", got)
	}
	record(hookgate.Step{Park: []hookgate.Parked{{Seq: 2, Key: "k", Replayed: true}, {Seq: 3, Key: "other"}}})
	record(hookgate.Step{Done: []int64{4}}) // taken over and delivered within one step
	if got := asked(10); got != "1 3 " {
		t.Errorf("after a record: %s", got)
	}
	p, err := j.Progress(t.Context(), "d")
	if err != nil || len(p.Parked) != 2 || !p.Parked[0].Replayed || p.Parked[1].Replayed {
		t.Errorf("%+v, %v", p, err)
	}
	if list, err := j.DeadLetters(t.Context(), "d", 0, 10); err != nil || len(list) != 0 {
		t.Errorf("dead letters that wait again: %+v, %v", list, err)
	}
	record(hookgate.Step{Park: []hookgate.Parked{{Seq: 2, Dead: true, Replayed: true}}})
	if list, err := j.DeadLetters(t.Context(), "d", 0, 10); err != nil || len(list) != 1 || list[0] != (hookgate.Parked{Seq: 2, Dead: true, Replayed: true}) {
		t.Errorf("dead again: %+v, %v", list, err)
	}
	if err := j.shard.Ask(t.Context(), "stranger", nil); err == nil {
		t.Error("a destination that nobody has was asked")
	}
	many := make([]hookgate.Parked, 9_999)
	for i := range many {
		many[i].Seq = int64(i + 10)
	}
	if err := j.shard.Ask(t.Context(), "d", many); !errors.Is(err, journal.ErrNoRoom) || hookgate.AsError(err).Hint == "" {
		t.Errorf("too many: %v", err)
	}
	if got := asked(10); got != "1 3 " {
		t.Errorf("a refusal left something: %s", got)
	}
	if list, err := j.shard.Asked(t.Context(), "other", 10); err != nil || len(list) != 0 {
		t.Errorf("another destination's: %+v, %v", list, err)
	}
}

// TestRedisOperator looks at a journal of several shards as a whole.
func TestRedisOperator(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	for _, compact := range []bool{false, true} {
		t.Run("compact="+strconv.FormatBool(compact), func(t *testing.T) {
			t.Parallel()
			r := openRedis(t, server.url(), journal.RedisOptions{Prefix: strconv.FormatBool(compact), Shards: 4, Compact: compact, Destinations: []string{"d", "idle"}})
			w := share(t, r, nil)
			eventually(t, "all are held", func() bool { return len(w.holding()) == 4 })
			var numbers []int64
			for i := range 40 {
				parts := []part{{id: fmt.Sprint("e", i), data: fmt.Sprint("data", i)}, {id: fmt.Sprint("q", i), data: "<", quarantine: "not JSON"}}
				if i%2 == 0 {
					parts = parts[:1] // a request of one event keeps itself, others stand aside
				}
				numbers = append(numbers, accept(t, r, start.Add(time.Duration(i)*time.Second), parts...)[0].Seq)
			}
			testOperator(t, r, numbers)
		})
	}
}

func testOperator(t *testing.T, r *journal.Redis, numbers []int64) {
	t.Helper()
	entries, err := r.Fetch(t.Context(), append([]int64{0, -3, 1 << 50}, numbers...))
	if err != nil || !slices.Equal(places(entries), numbers) {
		t.Fatalf("%v, %v, want %v", places(entries), err, numbers)
	}
	for i, e := range entries {
		if string(e.Event.Data) != fmt.Sprint("data", i) {
			t.Errorf("%d: %s", e.Seq, e.Event.Data)
		}
		s, n := r.Place(e.Seq)
		if own, err := s.Scan(t.Context(), n-1, 1); err != nil || len(own) != 1 || s.Number(own[0].Seq) != e.Seq {
			t.Errorf("place of %d: %v, %v", e.Seq, own, err)
		}
		raw, ok, err := r.RawRequest(t.Context(), e.Seq)
		if err != nil || !ok || raw.RequestID != "r 1" || !strings.HasPrefix(string(raw.Body), "|data") {
			t.Errorf("raw of %d: %+v %v %v", e.Seq, raw, ok, err)
		}
	}
	for _, number := range []int64{0, -1, 1 << 50} {
		if raw, ok, err := r.RawRequest(t.Context(), number); ok || err != nil {
			t.Errorf("raw of %d: %+v %v", number, raw, err)
		}
	}

	// Dead letters, page by page.
	var want []int64
	for i, number := range numbers {
		s, n := r.Place(number)
		if err := s.Record(t.Context(), "d", hookgate.Step{Cursor: n, Park: []hookgate.Parked{{Seq: n, Key: "k", Dead: i%3 == 0}}}); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			want = append(want, number)
		}
	}
	slices.Sort(want)
	var got []int64
	for after := int64(0); ; {
		list, err := r.DeadLetters(t.Context(), "d", after, 3)
		if err != nil || len(list) > 3 {
			t.Fatalf("%d, %v", len(list), err)
		}
		if len(list) == 0 {
			break
		}
		for _, p := range list {
			got = append(got, p.Seq)
			if !p.Dead || p.Key != "k" {
				t.Errorf("%+v", p)
			}
		}
		after = list[len(list)-1].Seq
	}
	if !slices.Equal(got, want) {
		t.Errorf("dead letters %v, want %v", got, want)
	}
	if list, err := r.DeadLetters(t.Context(), "nobody", 0, 3); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}

	// The quarantine, page by page, from the highest place down.
	seen := map[int64]bool{}
	for before, last := int64(0), int64(1<<60); ; {
		list, err := r.Quarantine(t.Context(), before, 3)
		if err != nil || len(list) > 3 {
			t.Fatalf("%d, %v", len(list), err)
		}
		if len(list) == 0 {
			break
		}
		for _, q := range list {
			if q.Seq >= last || q.Reason != "not JSON" || string(q.Event.Data) != "<" || q.Received.Before(start) {
				t.Errorf("%+v after %d", q, last)
			}
			last, seen[q.Seq] = q.Seq, true
			if raw, ok, err := r.QuarantinedRequest(t.Context(), q.Seq); err != nil || !ok || !strings.HasSuffix(string(raw.Body), "|<") {
				t.Errorf("raw of %d in quarantine: %+v %v %v", q.Seq, raw, ok, err)
			}
		}
		before = last
	}
	if len(seen) != 20 {
		t.Errorf("%d in quarantine, want 20", len(seen))
	}

	// An event's copies.
	accept(t, r, start.Add(time.Minute), part{id: "e7", data: "data7", attempt: 2})
	accept(t, r, start.Add(2*time.Minute), part{id: "e7", data: "other", attempt: 1})
	h, ok, err := r.History(t.Context(), entries[7].Event.ID)
	if err != nil || !ok || h.Seq != numbers[7] || h.Copies != 3 || len(h.Attempts) != 3 || !h.Expires.Equal(start.Add(time.Hour+7*time.Second)) {
		t.Fatalf("%+v %v %v", h, ok, err)
	}
	first, second, third := h.Attempts[0], h.Attempts[1], h.Attempts[2]
	if first.Class != hookgate.First || first.Conflict || !first.Received.Equal(start.Add(7*time.Second)) || second.Class != hookgate.Retry ||
		second.Attempt != 2 || second.Digest != first.Digest || third.Class != hookgate.Replay || !third.Conflict || third.Digest == first.Digest || !third.Received.Equal(start.Add(2*time.Minute)) {
		t.Errorf("%+v", h.Attempts)
	}
	if _, ok, err := r.History(t.Context(), strings.Repeat("0", 32)); ok || err != nil {
		t.Errorf("history of nothing: %v %v", ok, err)
	}
	if _, _, err := r.History(t.Context(), "x"); err == nil {
		t.Error("history of no id")
	}

	eventually(t, "the figures", func() bool {
		s := r.Stats(t.Context())
		d := s.Destinations["d"]
		return s.Last == 40 && s.Oldest == numbers[0] && s.OldestTime.Equal(start) && s.Quarantined == 20 && s.Conflicts == 1 &&
			s.Classes[hookgate.First] == 40 && s.Classes[hookgate.Retry] == 1 &&
			d == journal.DestinationStats{Backlog: 26, Parked: 26, DeadLetters: 14} && s.Destinations["idle"].Backlog == 40
	})
}
