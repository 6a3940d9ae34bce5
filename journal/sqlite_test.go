package journal_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// timepiece is a clock that tests move.
type timepiece struct{ ms atomic.Int64 }

func newTimepiece() *timepiece {
	c := &timepiece{}
	c.ms.Store(start.UnixMilli())
	return c
}

func (c *timepiece) Now() time.Time          { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *timepiece) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func openAt(t *testing.T, path string, o journal.Options) *journal.SQLite {
	t.Helper()
	j, err := journal.OpenSQLite(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// byHand runs statements as an operator with a shell would.
func byHand(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		prepare    func(t *testing.T, path string) string
	}{
		{"no folder", "make the folder first", func(_ *testing.T, path string) string { return filepath.Join(path, "deep", "j.db") }},
		{"no path", "no path", func(*testing.T, string) string { return "" }},
		{"newer format", "written by a newer Hookgate", func(t *testing.T, path string) string {
			byHand(t, path, "PRAGMA user_version=99")
			return path
		}},
		{"another program's", "another program", func(t *testing.T, path string) string {
			byHand(t, path, "CREATE TABLE x(y)")
			return path
		}},
		{"no database", "file is not a database", func(t *testing.T, path string) string {
			if err := os.WriteFile(path, bytes.Repeat([]byte("text "), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}},
		{"in use", "is in use", func(t *testing.T, path string) string {
			openAt(t, path, journal.Options{})
			return path
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := c.prepare(t, filepath.Join(t.TempDir(), "j.db"))
			j, err := journal.OpenSQLite(path, journal.Options{})
			if err == nil {
				_ = j.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestRawRequest demands the request back byte for byte, credentials aside, for each event of it.
func TestRawRequest(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.db")
	j := openAt(t, path, journal.Options{Now: clock})
	req, events := request(start, part{id: "a", data: "\x00\xff one"}, part{id: "q", data: "<", quarantine: "not JSON"}, part{id: "b", data: "two"}, part{id: "r", data: "{", quarantine: "cut off"})
	if _, err := j.Accept(t.Context(), req, events); err != nil {
		t.Fatal(err)
	}
	check := func(raw *journal.Raw, ok bool, err error) {
		t.Helper()
		if err != nil || !ok {
			t.Fatalf("%v %v", ok, err)
		}
		if raw.RequestID != req.ID || raw.Method != req.Method || raw.Target != req.Target || raw.Remote != req.Remote || !bytes.Equal(raw.Body, req.Body) {
			t.Errorf("%+v", raw)
		}
		if got, want := fmt.Sprint(raw.Header), fmt.Sprint(journal.StoredHeader(req)); got != want {
			t.Errorf("header %q, want %q", got, want)
		}
	}
	for seq := range int64(2) {
		check(j.RawRequest(t.Context(), seq+1))
		check(j.QuarantinedRequest(t.Context(), seq+1))
	}
	if _, ok, err := j.RawRequest(t.Context(), 3); ok || err != nil {
		t.Errorf("no such event: %v %v", ok, err)
	}
	list, err := j.Quarantine(t.Context(), 0, 10)
	if err != nil || len(list) != 2 || list[0].Reason != "cut off" || string(list[0].Event.Data) != "{" || list[1].Event.ID != events[1].ID {
		t.Errorf("%+v, %v", list, err)
	}
	_ = j.Close()
	for _, name := range []string{path, path + "-wal"} {
		if b, _ := os.ReadFile(name); bytes.Contains(b, []byte("hush")) {
			t.Errorf("%s holds a credential", name)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	j := openAt(t, filepath.Join(t.TempDir(), "j.db"), journal.Options{Now: clock})
	_, events := request(start, part{id: "e"})
	accept(t, j, start, part{id: "other"})
	accept(t, j, start, part{id: "e", attempt: 2, data: "x"})
	accept(t, j, start.Add(time.Second), part{id: "e", attempt: 1})
	for range 99 {
		accept(t, j, start.Add(time.Minute), part{id: "e", attempt: 2, data: "y"})
	}
	h, ok, err := j.History(t.Context(), events[0].ID)
	if err != nil || !ok || h.Seq != 2 || h.Copies != 101 || len(h.Attempts) != 64 || !h.Expires.Equal(start.Add(time.Hour)) {
		t.Fatalf("%+v %v %v", h, ok, err)
	}
	if a := h.Attempts[1]; a.Class != hookgate.Late || a.Attempt != 1 || !a.Received.Equal(start.Add(time.Second)) || a.Conflict {
		t.Errorf("%+v", a)
	}
	if a := h.Attempts[2]; a.Class != hookgate.Replay || !a.Conflict || a.Digest == h.Attempts[0].Digest {
		t.Errorf("%+v", a)
	}
	if _, ok, err := j.History(t.Context(), strings.Repeat("0", 32)); ok || err != nil {
		t.Errorf("unknown: %v %v", ok, err)
	}
	s := j.Stats(t.Context())
	if s.Conflicts != 99 || s.Classes[hookgate.Recovered] != 1 || s.Classes[hookgate.Replay] != 99 || s.Classes[hookgate.Late] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestCulpritAlone lets one request's own statement fail in a batch with others.
func TestCulpritAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.db")
	j := openAt(t, path, journal.Options{Now: clock, Destinations: []string{"d"}})
	byHand(t, path, `CREATE TRIGGER boom BEFORE INSERT ON events WHEN new.head LIKE '%boom%' BEGIN SELECT RAISE(ABORT, 'boom'); END`)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			id := strconv.Itoa(i)
			if i%20 == 7 {
				id = "boom" + id
			}
			req, events := request(start, part{id: "pair" + id}, part{id: id})
			_, err := j.Accept(context.Background(), req, events)
			if (err != nil) != (i%20 == 7) {
				t.Errorf("%s: %v", id, err)
			}
			if i%20 == 3 {
				if err := j.Record(context.Background(), "d", hookgate.Step{Park: []hookgate.Parked{{Seq: int64(i)}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Ready(); err != nil {
		t.Error(err)
	}
	if s := j.Stats(t.Context()); s.Last != 380 || s.Destinations["d"].Parked != 10 {
		t.Errorf("%+v", s)
	}
	for last := int64(0); last < 380; {
		entries, err := j.Read(t.Context(), last, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if last++; e.Seq != last {
				t.Fatalf("%d where %d should be", e.Seq, last)
			}
		}
	}
}

// TestR05_DiskFull runs into the file's limit, and out of it when retention has made room.
func TestR05_DiskFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.db")
	j, err := journal.OpenTuned(path, journal.Options{Now: clock, Destinations: []string{"d"}}, journal.Tuning{MaxPages: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	pad := strings.Repeat("x", 5000)
	kept := map[int64]string{}
	for i := 0; ; i++ {
		id := strconv.Itoa(i)
		req, events := request(start, part{id: id, data: id + pad})
		results, err := j.Accept(t.Context(), req, events)
		if err != nil {
			if e := hookgate.AsError(err); e.Code != hookgate.Unavailable || e.RetryAfter == 0 {
				t.Errorf("%v", err)
			}
			break
		}
		kept[results[0].Seq] = id
	}
	if j.Ready() == nil {
		t.Error("ready, though the disk is full")
	}
	select {
	case <-j.Failed():
		t.Fatal("a full disk is not the end")
	default:
	}
	for seq, id := range kept {
		entries, err := j.Fetch(t.Context(), []int64{seq})
		if err != nil || len(entries) != 1 || !strings.HasPrefix(string(entries[0].Event.Data), id) {
			t.Fatalf("%d: %v", seq, err)
		}
	}
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: int64(len(kept))}); err != nil { // draining goes on
		t.Fatal(err)
	}
	eventually(t, "accepts again", func() bool {
		req, events := request(start, part{id: "late", data: pad})
		_, err := j.Accept(t.Context(), req, events)
		return err == nil
	})
	if err := j.Ready(); err != nil {
		t.Error(err)
	}
}

// TestR05_Watermark demands 503 while there is still room for confirmations, and 200 when there is room again.
func TestR05_Watermark(t *testing.T) {
	t.Parallel()
	var free atomic.Int64
	free.Store(1 << 30)
	j, err := journal.OpenTuned(filepath.Join(t.TempDir(), "j.db"), journal.Options{Now: clock, Destinations: []string{"d"}},
		journal.Tuning{Space: func(string) (int64, int64, error) { return free.Load(), 100 << 30, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	accept(t, j, start, part{id: "a"})
	free.Store(200 << 20)
	eventually(t, "unready", func() bool { return j.Ready() != nil })
	req, events := request(start, part{id: "b"})
	if _, err := j.Accept(t.Context(), req, events); hookgate.AsError(err).Code != hookgate.Unavailable {
		t.Errorf("%v", err)
	}
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: 1}); err != nil {
		t.Error(err)
	}
	free.Store(300 << 20)
	eventually(t, "ready again", func() bool { return j.Ready() == nil })
	if r := accept(t, j, start, part{id: "b"})[0]; r.Class != hookgate.First {
		t.Errorf("what was refused left a mark: %+v", r)
	}
}

// TestRetention demands that nothing goes before its time, before its deliveries, or with a request that is still needed.
func TestRetention(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.db")
	c := newTimepiece()
	o := journal.Options{Now: c.Now, Retention: 24 * time.Hour, Destinations: []string{"fast", "slow"}}
	j := openAt(t, path, o)
	if _, err := j.Progress(t.Context(), "gone"); err != nil { // not configured: holds up nothing
		t.Fatal(err)
	}
	record := func(name string, step hookgate.Step) {
		t.Helper()
		if err := j.Record(t.Context(), name, step); err != nil {
			t.Fatal(err)
		}
	}
	there := func(seq int64) bool {
		_, ok, err := j.RawRequest(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	accept(t, j, c.Now(), part{id: "q", quarantine: "?"})
	for i := range 300 { // 1 to 600, two to a request
		accept(t, j, c.Now(), part{id: fmt.Sprint("a", i), data: "x"}, part{id: fmt.Sprint("b", i), data: "y"})
	}
	record("fast", hookgate.Step{Cursor: 600})
	record("slow", hookgate.Step{Cursor: 401, Park: []hookgate.Parked{{Seq: 200, Key: "waits"}, {Seq: 300, Dead: true}}})
	record("gone", hookgate.Step{Park: []hookgate.Parked{{Seq: 100}}})
	c.advance(23 * time.Hour)
	accept(t, j, c.Now(), part{id: "young"}) // 601
	if !there(1) {
		t.Error("1 went before its time")
	}
	c.advance(2 * time.Hour)
	eventually(t, "1 to 401 are gone", func() bool { return !there(1) && !there(100) && !there(400) && !there(300) })
	for _, seq := range []int64{199, 200, 401, 402, 403, 600, 601} {
		// 199 holds the raw request of 200, which waits; 401 that of 402, which is not delivered to slow.
		if !there(seq) {
			t.Errorf("%d is gone", seq)
		}
	}
	if raw, _, _ := j.RawRequest(t.Context(), 200); string(raw.Body) != "|x|y" {
		t.Errorf("the request of 200: %q", raw.Body)
	}
	eventually(t, "the quarantine is empty", func() bool {
		list, err := j.Quarantine(t.Context(), 0, 10)
		return err == nil && len(list) == 0
	})
	if list, err := j.DeadLetters(t.Context(), "slow", 0, 10); err != nil || len(list) != 0 {
		t.Errorf("the dead letter outlived its event: %+v %v", list, err)
	}
	record("slow", hookgate.Step{Cursor: 601, Done: []int64{200}})
	record("fast", hookgate.Step{Cursor: 601})
	c.advance(24 * time.Hour)
	_ = j.Close()
	j = openAt(t, path, o)
	eventually(t, "all is gone", func() bool { return !there(200) && !there(601) })
	_ = j.Close()
	j = openAt(t, path, o)
	if r := accept(t, j, c.Now(), part{id: "next"})[0]; r.Seq != 602 {
		t.Errorf("the sequence went back to %d", r.Seq)
	}
}

// TestRetentionBySize keeps the file below its bound as long as deliveries go on, and refuses when they do not.
func TestRetentionBySize(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	j := openAt(t, filepath.Join(t.TempDir(), "j.db"), journal.Options{Now: clock, MaxSize: size, Destinations: []string{"d"}})
	pad := strings.Repeat("x", 8000)
	last := int64(0)
	send := func() error {
		req, events := request(start, part{id: strconv.FormatInt(last, 10), data: pad})
		results, err := j.Accept(t.Context(), req, events)
		if err == nil {
			last = results[0].Seq
		}
		return err
	}
	eventually(t, "refused", func() bool { return send() != nil })
	reached := last
	if entries, err := j.Fetch(t.Context(), []int64{1}); err != nil || len(entries) != 1 {
		t.Errorf("an undelivered event went: %v", err)
	}
	if err := j.Record(t.Context(), "d", hookgate.Step{Cursor: last, Park: []hookgate.Parked{{Seq: 2}, {Seq: 3, Dead: true}}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "accepted again", func() bool { return send() == nil })
	if last != reached+1 {
		t.Errorf("%d follows %d", last, reached)
	}
	for _, seq := range []int64{2, 3} { // one waits, and a dead letter stays for its time
		if _, ok, err := j.RawRequest(t.Context(), seq); !ok || err != nil {
			t.Errorf("%d: %v %v", seq, ok, err)
		}
	}
}

// TestMarkersOutliveEvents demands that a duplicate is known after its first copy was deleted, and forgotten when its
// window is over.
func TestMarkersOutliveEvents(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.db")
	c := newTimepiece()
	o := journal.Options{Now: c.Now, Retention: time.Minute}
	j := openAt(t, path, o)
	accept(t, j, c.Now(), part{id: "e"})
	accept(t, j, c.Now(), part{id: "e"})
	c.advance(30 * time.Minute)
	eventually(t, "the event is gone", func() bool {
		_, ok, err := j.RawRequest(t.Context(), 1)
		return err == nil && !ok
	})
	if r := accept(t, j, c.Now(), part{id: "e"})[0]; r.Class != hookgate.Replay || r.Seq != 0 {
		t.Errorf("%+v", r)
	}
	_, events := request(start, part{id: "e"})
	c.advance(40 * time.Minute)
	_ = j.Close()
	j = openAt(t, path, o) // a pass over the markers begins
	eventually(t, "the marker is gone", func() bool {
		_, ok, err := j.History(t.Context(), events[0].ID)
		return err == nil && !ok
	})
	if r := accept(t, j, c.Now(), part{id: "e"})[0]; r.Class != hookgate.First || r.Seq != 2 {
		t.Errorf("%+v", r)
	}
}

// TestR06_RottenLog damages the log of a killed journal: the loss is noticed at the start, and no number is given twice.
func TestR06_RottenLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "j.db")
	j := openAt(t, path, journal.Options{Now: clock})
	for i := range 20 {
		accept(t, j, start, part{id: strconv.Itoa(i)})
	}
	eventually(t, "the mark is written", func() bool {
		b, _ := os.ReadFile(path + ".lock")
		return strings.TrimSpace(string(b)) == fmt.Sprintf("%020d", 20)
	})
	copied := filepath.Join(t.TempDir(), "j.db")
	for _, suffix := range []string{"", "-wal", ".lock"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if suffix == "-wal" {
			b[len(b)/2] ^= 1
		}
		if err := os.WriteFile(copied+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := openAt(t, copied, journal.Options{Now: clock})
	if s := k.Stats(t.Context()); s.Missing == 0 || s.Last != 20 {
		t.Errorf("missing %d, last %d", s.Missing, s.Last)
	}
	if r := accept(t, k, start, part{id: "new"})[0]; r.Seq != 21 {
		t.Errorf("%+v", r)
	}
	entries, err := k.Read(t.Context(), 19, 10)
	if err != nil || len(entries) != 1 || entries[0].Seq != 21 {
		t.Errorf("%+v, %v", entries, err)
	}
}

func TestNobodyElseMayReadTheFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.db")
	j, err := journal.OpenSQLite(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", filepath.Base(path+suffix), mode)
		}
	}
}
