package journal_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	// Some 2,000 steps of the model by default, 60,000 in a long run; -rapid.checks on the command line comes later and wins.
	if err := flag.Set("rapid.checks", strconv.Itoa(sized(64, 2000)/raceFactor)); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

type reader interface {
	Read(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error)
	Fetch(ctx context.Context, seqs []int64) ([]hookgate.Entry, error)
}

type recorder interface {
	Progress(ctx context.Context, destination string) (hookgate.Progress, error)
	Record(ctx context.Context, destination string, step hookgate.Step) error
}

// store is what the suite holds every journal to.
type store interface {
	hookgate.Journal
	reader
	recorder
	Close() error
}

// opener opens, and opens again, the journal that belongs to dir.
type opener func(t *testing.T, dir string, now func() time.Time) store

func TestSQLiteConforms(t *testing.T) {
	t.Parallel()
	conform(t, func(t *testing.T, dir string, now func() time.Time) store {
		t.Helper()
		j, err := journal.OpenSQLite(filepath.Join(dir, "a b?#%.db"), journal.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.Close() })
		return j
	})
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock stands still: windows end by the times that requests carry.
func clock() time.Time { return start }

// part is one event of a request in short.
type part struct {
	id         string
	attempt    int
	data       string
	quarantine string
}

// request makes what the pipeline hands over.
func request(at time.Time, parts ...part) (*hookgate.Request, []*hookgate.Event) {
	var body []byte
	offs := make([]int, len(parts))
	for i, p := range parts {
		body = append(body, '|')
		offs[i] = len(body)
		body = append(body, p.data...)
	}
	req := &hookgate.Request{
		ID: "r 1", Method: http.MethodPost, Target: "/hooks/care?team=a%20b:1", Body: body, ReceivedAt: at,
		Remote: netip.MustParseAddr("2001:db8::1"),
		Header: http.Header{"X-Odd": {"a\xff\u2028b", "", `back\slash: x`}, "Authorization": {"Bearer hush"}, "X-Sig": {"abc"}},
	}
	events := make([]*hookgate.Event, len(parts))
	src := &hookgate.Source{Name: "care", Provider: "sprinklr", Window: time.Hour}
	for i, p := range parts {
		events[i] = &hookgate.Event{
			Type: "sprinklr.case.updated", Subject: p.id, EntityType: "case", Action: "updated", Tenant: "t1", Attempt: max(p.attempt, 1),
			Identity: []hookgate.Field{{Name: "id", Value: p.id}}, ContentType: hookgate.JSON, Quarantine: p.quarantine,
			Data: body[offs[i] : offs[i]+len(p.data)], IdentityTime: start.UnixMicro(),
		}
		events[i].Seal(src, req, hookgate.Verdict{{Scheme: "hub-signature", KeyID: "k1"}})
	}
	return req, events
}

func accept(t *testing.T, j hookgate.Journal, at time.Time, parts ...part) []hookgate.Result {
	t.Helper()
	req, events := request(at, parts...)
	results, err := j.Accept(t.Context(), req, events)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func conform(t *testing.T, open opener) {
	fresh := func(t *testing.T) store { return open(t, t.TempDir(), clock) }

	conformAnywhere(t, func(t *testing.T, dir string, now func() time.Time) hookgate.Journal { return open(t, dir, now) })

	t.Run("Classes", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			name     string
			attempts []int
			want     []hookgate.Class
		}{
			{"replay", []int{1, 1, 1}, []hookgate.Class{hookgate.First, hookgate.Replay, hookgate.Replay}},
			{"retry", []int{1, 2, 3, 2}, []hookgate.Class{hookgate.First, hookgate.Retry, hookgate.Retry, hookgate.Replay}},
			{"recovered", []int{2, 1, 1, 2, 3}, []hookgate.Class{hookgate.Recovered, hookgate.Late, hookgate.Replay, hookgate.Replay, hookgate.Retry}},
			{"bytes", []int{8, 9, 16, 17, 8, 9, 16, 17, 10}, []hookgate.Class{hookgate.Recovered, hookgate.Retry, hookgate.Retry, hookgate.Retry,
				hookgate.Replay, hookgate.Replay, hookgate.Replay, hookgate.Replay, hookgate.Late}},
			{"huge", []int{1 << 40, 1, 1 << 40}, []hookgate.Class{hookgate.Recovered, hookgate.Late, hookgate.Replay}},
			{"many", []int{63, 64, 100, 64, 100, 63, 2}, []hookgate.Class{hookgate.Recovered, hookgate.Retry, hookgate.Retry, hookgate.Late, hookgate.Replay, hookgate.Replay, hookgate.Late}},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				j := fresh(t)
				for i, attempt := range c.attempts {
					if got := accept(t, j, start, part{id: "e", attempt: attempt})[0]; got.Class != c.want[i] || got.Seq != 1 {
						t.Errorf("copy %d, attempt %d: %+v, want %s at 1", i, attempt, got, c.want[i])
					}
				}
			})
		}
	})

	t.Run("R17_Batch", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		j := open(t, dir, clock)
		accept(t, j, start, part{id: "known", data: "k"})
		got := accept(t, j, start, part{id: "known", data: "k"}, part{id: "a", data: "aa"}, part{id: "bad", data: "<", quarantine: "not JSON"},
			part{id: "a", data: "aa"}, part{id: "b", data: "bbb"})
		want := []hookgate.Result{{Class: hookgate.Replay, Seq: 1}, {Class: hookgate.First, Seq: 2}, {Class: hookgate.First}, {Class: hookgate.Replay, Seq: 2}, {Class: hookgate.First, Seq: 3}}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("part %d: %+v, want %+v", i, got[i], want[i])
			}
		}
		if r := accept(t, j, start, part{id: "bad", data: "<", quarantine: "not JSON"})[0]; r.Class != hookgate.Replay || r.Seq != 0 {
			t.Errorf("the unreadable part again: %+v", r)
		}
		check := func(j store) {
			t.Helper()
			entries, err := j.Read(t.Context(), 1, 10)
			if err != nil || len(entries) != 2 || string(entries[0].Event.Data) != "aa" || string(entries[1].Event.Data) != "bbb" {
				t.Errorf("entries %+v, %v", entries, err)
			}
		}
		check(j)
		_ = j.Close()
		check(open(t, dir, clock))
	})

	t.Run("ReadBack", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		j := open(t, dir, clock)
		req, events := request(start.Add(123456*time.Microsecond), part{id: "x", attempt: 3, data: `{"a": "\u2028 ü"}`})
		own := *events[0]
		own.ID = strings.Repeat("0f", 16) + "-7"
		own.Data = []byte("not a part of the body\xff")
		if _, err := j.Accept(t.Context(), req, append(events, &own)); err != nil {
			t.Fatal(err)
		}
		_ = j.Close()
		j = open(t, dir, clock)
		entries, err := j.Fetch(t.Context(), []int64{2, 99, 1})
		if err != nil || len(entries) != 2 || entries[0].Seq != 2 || entries[1].Seq != 1 {
			t.Fatalf("%+v, %v", entries, err)
		}
		for i, e := range []*hookgate.Event{&own, events[0]} {
			if got, want := entries[i].Event.AppendEnvelope(nil), e.AppendEnvelope(nil); !bytes.Equal(got, want) {
				t.Errorf("read back\n%s\nwant\n%s", got, want)
			}
		}
	})

	t.Run("R14_WindowEdges", func(t *testing.T) {
		t.Parallel()
		j := fresh(t)
		accept(t, j, start, part{id: "e"})
		if r := accept(t, j, start.Add(time.Hour-time.Millisecond), part{id: "e"})[0]; r.New() {
			t.Errorf("just inside: %+v", r)
		}
		if r := accept(t, j, start.Add(time.Hour), part{id: "e", attempt: 2})[0]; r.Class != hookgate.Recovered || r.Seq != 2 {
			t.Errorf("at the end the event is new again: %+v", r)
		}
		if r := accept(t, j, start.Add(-time.Hour), part{id: "e", attempt: 2})[0]; r.Class != hookgate.Replay || r.Seq != 2 {
			t.Errorf("a clock set back: %+v", r)
		}
		if r := accept(t, j, start.Add(2*time.Hour-time.Millisecond), part{id: "e"})[0]; r.Class != hookgate.Late || r.Seq != 2 {
			t.Errorf("just inside the second one: %+v", r)
		}
		for want := int64(3); want < 6; want++ {
			req, events := request(start, part{id: "none"})
			events[0].Window = 0
			if r, err := j.Accept(t.Context(), req, events); err != nil || r[0] != (hookgate.Result{Class: hookgate.First, Seq: want}) {
				t.Errorf("without a window: %+v, %v, want first at %d", r, err, want)
			}
		}
	})

	t.Run("R16_DuplicateStorm", func(t *testing.T) {
		t.Parallel()
		const ids, copies = 100, 20
		j := fresh(t)
		var news [ids]atomic.Int32
		var wg sync.WaitGroup
		for c := range copies {
			wg.Go(func() {
				for i := range ids {
					req, events := request(start, part{id: strconv.Itoa((i + c*7) % ids), attempt: 1 + c%4})
					results, err := j.Accept(context.Background(), req, events)
					if err != nil {
						t.Error(err)
						return
					}
					if results[0].New() {
						news[(i+c*7)%ids].Add(1)
					}
				}
			})
		}
		wg.Wait()
		for i := range ids {
			if n := news[i].Load(); n != 1 {
				t.Errorf("event %d was new %d times", i, n)
			}
		}
		last := int64(0)
		for last < ids {
			entries, err := j.Read(t.Context(), last, 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Seq != last+1 {
					t.Fatalf("%d follows %d", e.Seq, last)
				}
				last = e.Seq
			}
		}
	})

	t.Run("ReadWaits", func(t *testing.T) {
		t.Parallel()
		j := fresh(t)
		got := make(chan error, 1)
		go func() {
			entries, err := j.Read(context.Background(), 0, 10)
			if err == nil && len(entries) != 1 {
				err = fmt.Errorf("%d entries", len(entries))
			}
			got <- err
		}()
		accept(t, j, start, part{id: "e"})
		if err := <-got; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := j.Read(ctx, 1, 10); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		go func() { _, err := j.Read(context.Background(), 1, 10); got <- err }()
		_ = j.Close()
		if err := <-got; hookgate.AsError(err).Code != hookgate.Unavailable {
			t.Errorf("closed: %v", err)
		}
		req, events := request(start, part{id: "late"})
		if _, err := j.Accept(t.Context(), req, events); hookgate.AsError(err).Code != hookgate.Unavailable {
			t.Errorf("accept after close: %v", err)
		}
	})

	t.Run("Progress", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		j := open(t, dir, clock)
		for i := range 10 {
			accept(t, j, start, part{id: strconv.Itoa(i)})
		}
		p, err := j.Progress(t.Context(), "new")
		if err != nil || p.Cursor != 10 || len(p.Parked) != 0 {
			t.Fatalf("a new destination begins at the end: %+v, %v", p, err)
		}
		for i := range 10 {
			accept(t, j, start, part{id: strconv.Itoa(10 + i)})
		}
		at := start.Add(time.Minute)
		waiting := hookgate.Parked{Seq: 12, Key: "t1/case/12", Attempts: 2, NextAt: at, Error: "refused"}
		record := func(step hookgate.Step) {
			t.Helper()
			if err := j.Record(t.Context(), "new", step); err != nil {
				t.Fatal(err)
			}
		}
		record(hookgate.Step{Cursor: 15, Park: []hookgate.Parked{{Seq: 11, Key: "k"}, waiting, {Seq: 13, Dead: true}}})
		record(hookgate.Step{Done: []int64{11}})
		record(hookgate.Step{Cursor: 14}) // never back
		check := func() {
			t.Helper()
			p, err := j.Progress(t.Context(), "new")
			if err != nil || p.Cursor != 15 || len(p.Parked) != 1 || p.Parked[0] != waiting {
				t.Errorf("%+v, %v", p, err)
			}
		}
		check()
		_ = j.Close()
		j = open(t, dir, clock)
		check()
		record(hookgate.Step{Park: []hookgate.Parked{{Seq: 13, Key: "again"}}})
		if p, _ := j.Progress(t.Context(), "new"); len(p.Parked) != 2 || p.Parked[1].Key != "again" {
			t.Errorf("a replayed dead letter waits again: %+v", p)
		}
		if err := j.Record(t.Context(), "stranger", hookgate.Step{Cursor: 1}); err == nil {
			t.Error("a destination nobody asked for was recorded")
		}
	})
}

// conformAnywhere is the part of the suite that does not depend on consecutive numbers.
func conformAnywhere(t *testing.T, open func(t *testing.T, dir string, now func() time.Time) hookgate.Journal) {
	fresh := func(t *testing.T) hookgate.Journal { return open(t, t.TempDir(), clock) }

	t.Run("D09_SameIDOtherContent", func(t *testing.T) {
		t.Parallel()
		j := fresh(t)
		accept(t, j, start, part{id: "e", data: "one"})
		if r := accept(t, j, start, part{id: "e", data: "one"})[0]; r.Conflict {
			t.Errorf("an equal copy: %+v", r)
		}
		if r := accept(t, j, start, part{id: "e", data: "two"})[0]; !r.Conflict || r.New() {
			t.Errorf("other content: %+v", r)
		}
		if r := accept(t, j, start, part{id: "e", attempt: 2, data: "three"})[0]; r.Conflict {
			t.Errorf("another attempt may have another content: %+v", r)
		}
	})

	t.Run("CallerGone", func(t *testing.T) {
		t.Parallel()
		j := fresh(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req, events := request(start, part{id: "e"})
		if _, err := j.Accept(ctx, req, events); err != nil && hookgate.AsError(err).Code != hookgate.Unavailable {
			t.Errorf("%v", err)
		}
		if r := accept(t, j, start, part{id: "e"})[0]; r.New() { // the commit went on without its caller
			t.Errorf("the retry: %+v", r)
		}
	})

	t.Run("WrongID", func(t *testing.T) {
		t.Parallel()
		j := fresh(t)
		for _, id := range []string{"", "e", strings.Repeat("g", 32), strings.Repeat("a", 33), strings.Repeat("a", 32) + "-", strings.Repeat("a", 32) + "-x"} {
			req, events := request(start, part{id: "good"}, part{id: "e"})
			events[1].ID = id
			if _, err := j.Accept(t.Context(), req, events); err == nil {
				t.Errorf("id %q was accepted", id)
			}
		}
		if r := accept(t, j, start, part{id: "good"})[0]; !r.New() {
			t.Errorf("its neighbour was: %+v", r)
		}
	})
}
