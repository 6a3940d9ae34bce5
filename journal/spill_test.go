package journal_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
	"pgregory.net/rapid"
)

// fault is what a primary has for those who ask it.
type fault int32

const (
	well     fault = iota
	refusing       // Unavailable at once
	unready        // the same, and it says so beforehand
	hanging        // no answer until the fault is another
	losing         // it commits, and the answer is lost
	late           // like hanging, and the commit comes afterwards
	faults         // their number
)

// flaky is a primary with faults.
type flaky struct {
	inner  *journal.SQLite
	path   string
	poison atomic.Pointer[string] // the subject of events that are refused for themselves
	ghosts sync.WaitGroup         // commits that come late

	mu      sync.Mutex
	fault   fault
	changed chan struct{} // closed when the fault is another
}

func (f *flaky) set(to fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = to
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *flaky) state() (fault, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault, f.changed
}

var errAway = &hookgate.Error{Code: hookgate.Unavailable, Detail: "the primary is away", RetryAfter: time.Second}

func (f *flaky) Ready() error {
	if now, _ := f.state(); now == unready {
		return errAway
	}
	return f.inner.Ready()
}

func (f *flaky) Accept(ctx context.Context, req *hookgate.Request, events []*hookgate.Event) ([]hookgate.Result, error) {
	if p := f.poison.Load(); p != nil {
		for _, e := range events {
			if e.Subject == *p {
				return nil, errAway
			}
		}
	}
	now, changed := f.state()
	if now == hanging || now == late {
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	switch now {
	case refusing, unready, hanging:
		return nil, errAway
	case losing:
		_, _ = f.inner.Accept(context.Background(), req, events)
		return nil, errAway
	case late:
		f.ghosts.Go(func() { _, _ = f.inner.Accept(context.Background(), req, events) })
		return nil, errAway
	}
	return f.inner.Accept(ctx, req, events)
}

// newFlaky opens a primary for the length of a test.
func newFlaky(t *testing.T, dir string) *flaky {
	t.Helper()
	f := openFlaky(t, dir)
	t.Cleanup(f.close)
	return f
}

// openFlaky opens a primary. A kill takes nothing from the kernel's memory, so that the syncs can be saved here.
func openFlaky(t rapid.TB, dir string) *flaky {
	t.Helper()
	f := &flaky{path: filepath.Join(dir, "primary.db"), changed: make(chan struct{})}
	var err error
	if f.inner, err = journal.OpenTuned(f.path, journal.Options{Now: clock}, journal.Tuning{Synchronous: "NORMAL"}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *flaky) close() {
	f.ghosts.Wait()
	_ = f.inner.Close()
}

// warnings collects what operators are told.
type warnings struct {
	mu    sync.Mutex
	lines []string
}

func (w *warnings) add(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, text)
}

func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lines)
}

func (w *warnings) count(part string) (n int) {
	for _, l := range w.all() {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

// The two things that a spill says in its usual life.
const (
	begins = "are spilled to"
	ends   = "takes events again"
)

func quick() journal.SpillTuning {
	return journal.SpillTuning{Settle: time.Millisecond, BackOff: 20 * time.Millisecond, File: journal.Tuning{Synchronous: "NORMAL"}}
}

func spillOptions(p journal.Primary, w *warnings) journal.SpillOptions {
	return journal.SpillOptions{Now: clock, Warn: w.add, Connect: func(context.Context) (journal.Primary, error) { return p, nil }}
}

func openSpill(t *testing.T, path string, o journal.SpillOptions, tuning journal.SpillTuning) *journal.Spill {
	t.Helper()
	s, err := journal.OpenTunedSpill(t.Context(), path, o, tuning)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// handedOn waits until the primary has everything.
func handedOn(t *testing.T, s *journal.Spill) {
	t.Helper()
	eventually(t, "everything is handed on", func() bool {
		st := s.Stats(t.Context())
		return !st.Spilling && st.Waiting == 0
	})
}

// spillStore is a spill as the suite sees a journal: what is accepted is read from the primary.
type spillStore struct {
	*journal.Spill
	reader
	recorder
	primary *journal.SQLite
}

func (s spillStore) Close() error { return errors.Join(s.Spill.Close(), s.primary.Close()) }

func TestSpillConforms(t *testing.T) {
	t.Parallel()
	conform(t, func(t *testing.T, dir string, now func() time.Time) store {
		t.Helper()
		p := openAt(t, filepath.Join(dir, "primary.db"), journal.Options{Now: now})
		o := spillOptions(p, &warnings{})
		o.Now = now
		s := openSpill(t, filepath.Join(dir, "spill.db"), o, journal.SpillTuning{})
		return spillStore{s, p, p, p}
	})
}

// sent is a request as its sender remembers it.
type sent struct {
	id        string
	body      []byte
	envelopes [][]byte
	keys, ids []string
	parts     []string // ids of what could not be read
}

// keyed is one part of a request: an event of a key, or something that cannot be read.
type keyed struct {
	key, id    string
	attempt    int
	quarantine string
}

// letter makes a request and what must come out at the other end.
func letter(id string, parts ...keyed) (*hookgate.Request, []*hookgate.Event, sent) {
	req := &hookgate.Request{
		ID: id, Method: http.MethodPost, Target: "/hooks/care", ReceivedAt: start.Add(123456 * time.Microsecond),
		Remote: netip.MustParseAddr("192.0.2.7"), Header: http.Header{"X-Sig": {id}, "Authorization": {"Bearer hush"}},
	}
	offs := []int{}
	for _, p := range parts {
		offs = append(offs, len(req.Body))
		req.Body = fmt.Appendf(req.Body, `{"id":%q}`, p.id)
	}
	offs = append(offs, len(req.Body))
	said := sent{id: id, body: bytes.Clone(req.Body)}
	src := &hookgate.Source{Name: "care", Provider: "sprinklr", Window: time.Hour}
	var events []*hookgate.Event
	for i, p := range parts {
		e := &hookgate.Event{
			Type: "sprinklr.case.updated", Subject: p.key, EntityType: "case", Tenant: "t", Attempt: max(p.attempt, 1), Quarantine: p.quarantine,
			Identity: []hookgate.Field{{Name: "id", Value: p.id}}, ContentType: hookgate.JSON, Data: req.Body[offs[i]:offs[i+1]],
		}
		if len(p.id)%2 == 0 { // some have a time of their own, and it is a part of the marker's key
			e.IdentityTime = start.UnixMicro() + int64(len(p.id))
		}
		e.Seal(src, req, hookgate.Verdict{{Scheme: "hub-signature", KeyID: "k1"}})
		events = append(events, e)
		if p.quarantine != "" {
			said.parts = append(said.parts, e.ID)
			continue
		}
		said.envelopes = append(said.envelopes, e.AppendEnvelope(nil))
		said.keys, said.ids = append(said.keys, p.key), append(said.ids, e.ID)
	}
	return req, events, said
}

func send(t rapid.TB, j hookgate.Journal, id string, parts ...keyed) sent {
	t.Helper()
	req, events, said := letter(id, parts...)
	if _, err := j.Accept(context.Background(), req, events); err != nil {
		t.Errorf("request %s was refused: %v", id, err)
	}
	return said
}

// inspect is the oracle: all that was acknowledged is in the primary, once, whole and in order; and nothing else is.
func inspect(t rapid.TB, f *flaky, all []sent) {
	t.Helper()
	f.ghosts.Wait()
	owner, place := map[string]*sent{}, map[string]int64{}
	for i := range all {
		for _, id := range all[i].ids {
			owner[id] = &all[i]
		}
	}
	envelopes := map[string][]byte{}
	last := f.inner.Stats(context.Background()).Last
	for after := int64(0); after < last; {
		entries, err := f.inner.Read(context.Background(), after, 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			after = e.Seq
			from := owner[e.Event.ID]
			if from == nil {
				t.Fatalf("%d was never sent", e.Seq)
			}
			if before, twice := place[e.Event.ID]; twice {
				t.Errorf("an event of %s stands at %d and at %d", from.id, before, e.Seq)
			}
			place[e.Event.ID], envelopes[e.Event.ID] = e.Seq, e.Event.AppendEnvelope(nil)
			raw, ok, err := f.inner.RawRequest(context.Background(), e.Seq)
			if err != nil || !ok || raw.RequestID != from.id || !bytes.Equal(raw.Body, from.body) || raw.Header.Get("X-Sig") != from.id || raw.Header.Get("Authorization") != "[secret]" {
				t.Errorf("the request of %d: %+v %v %v, want that of %s", e.Seq, raw, ok, err, from.id)
			}
		}
	}
	newest := map[string]int64{}
	requests, parts := 0, map[string]bool{}
	for _, s := range all {
		if len(s.ids) > 0 {
			requests++
		}
		for i, id := range s.ids {
			switch at, ok := place[id]; {
			case !ok:
				t.Errorf("an event of %s is lost", s.id)
			case at < newest[s.keys[i]]:
				t.Errorf("key %s: an event of %s at %d was overtaken by the one at %d", s.keys[i], s.id, at, newest[s.keys[i]])
			case !bytes.Equal(envelopes[id], s.envelopes[i]):
				t.Errorf("%s came as\n%s\nwas\n%s", s.id, envelopes[id], s.envelopes[i])
			default:
				newest[s.keys[i]] = at
			}
		}
		for _, id := range s.parts {
			parts[id] = true
		}
	}
	db, err := sql.Open("sqlite", "file:"+f.path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var raws, kept, different int
	if err := db.QueryRow(`SELECT (SELECT count(raw_body) FROM events), count(*), count(DISTINCT head->>0) FROM quarantine`).Scan(&raws, &kept, &different); err != nil {
		t.Fatal(err)
	}
	if raws != requests {
		t.Errorf("%d raw requests are kept of %d", raws, requests)
	}
	if kept != len(parts) || different != len(parts) {
		t.Errorf("%d quarantined parts, %d different ones, of %d", kept, different, len(parts))
	}
}

// TestSpillTakesOver puts each fault between two times of health.
func TestSpillTakesOver(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{"refusing": refusing, "unready": unready, "hanging": hanging, "losing": losing, "late": late} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p, w := newFlaky(t, dir), &warnings{}
			s := openSpill(t, filepath.Join(dir, "spill.db"), spillOptions(p, w), quick())
			all := []sent{send(t, s, "before", keyed{key: "a", id: "a1"})}
			if s.Spilling() {
				t.Error("it spills although the primary is well")
			}
			p.set(f)
			for i := range 20 {
				n := strconv.Itoa(i)
				all = append(all, send(t, s, "one"+n, keyed{key: "a", id: "x" + n}),
					send(t, s, "many"+n, keyed{key: "a", id: "y" + n}, keyed{id: "q" + n, quarantine: "not JSON"}, keyed{key: "b", id: "z" + n}, keyed{id: "r" + n, quarantine: "cut off"}))
			}
			st := s.Stats(t.Context())
			if !st.Spilling || st.Since.IsZero() || st.Spilled != 100 || st.Waiting == 0 || st.LastError == "" || s.Ready() != nil {
				t.Errorf("%+v, %v", st, s.Ready())
			}
			p.set(well)
			handedOn(t, s)
			p.ghosts.Wait()
			all = append(all, send(t, s, "after", keyed{key: "a", id: "a2"}))
			inspect(t, p, all)
			st = s.Stats(t.Context())
			if (f == losing && st.Duplicates == 0) || (f != losing && f != late && st.Duplicates != 0) {
				t.Errorf("%d duplicates were found", st.Duplicates)
			}
			if st.HandedOn != 100 || st.Spilling || !st.Since.IsZero() || st.Aside != 0 {
				t.Errorf("%+v", st)
			}
			eventually(t, "as many ends as beginnings", func() bool { return w.count(begins) > 0 && w.count(ends) == w.count(begins) })
		})
	}
}

// TestSpillFlaps lets the primary fall and rise every few milliseconds, in every way, while many send: nobody is refused,
// and nothing is lost, doubled or out of order.
func TestSpillFlaps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, w := newFlaky(t, dir), &warnings{}
	s := openSpill(t, filepath.Join(dir, "spill.db"), spillOptions(p, w), quick())
	const senders, back = 12, 24 / raceFactor
	enough := make(chan struct{})
	var flapping, sending sync.WaitGroup
	flapping.Go(func() {
		tick := time.NewTimer(0)
		for {
			select {
			case <-enough:
				p.set(well)
				return
			case <-tick.C:
			}
			if now, _ := p.state(); now != well || rand.IntN(3) == 0 {
				p.set(well)
				tick.Reset(time.Duration(rand.IntN(60)) * time.Millisecond)
			} else {
				p.set(fault(1 + rand.IntN(int(faults)-1)))
				tick.Reset(time.Duration(rand.IntN(5)) * time.Millisecond)
			}
		}
	})
	said := make([][]sent, senders)
	for c := range senders {
		sending.Go(func() {
			for n := 0; n < 36/raceFactor || w.count(ends) < back; n++ {
				name := fmt.Sprintf("%d-%d", c, n)
				key := func() string { return fmt.Sprintf("%d/%d", c, rand.IntN(3)) }
				parts := []keyed{{key: key(), id: name}}
				if n%5 == 4 {
					for m := range rand.IntN(5) {
						parts = append(parts, keyed{key: key(), id: fmt.Sprint(name, "+", m)})
					}
				}
				if n%7 == 6 {
					parts = append(parts, keyed{id: name + "?", quarantine: "not JSON"})
				}
				said[c] = append(said[c], send(t, s, name, parts...))
				if n%4 == 3 { // the provider sends it again
					for i := range parts {
						parts[i].attempt = 2
					}
					send(t, s, name, parts...)
				}
			}
		})
	}
	sending.Wait()
	close(enough)
	flapping.Wait()
	handedOn(t, s)
	var all []sent
	for _, one := range said {
		all = append(all, one...)
	}
	inspect(t, p, all)
	st := s.Stats(t.Context())
	t.Logf("%d requests, %d times spilling, %d events spilled, %d duplicates found", len(all), w.count(begins), st.Spilled, st.Duplicates)
}

// TestSpillModel sends, repeats, breaks, heals, closes and kills in any order.
func TestSpillModel(t *testing.T) {
	t.Parallel()
	root, runs := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs%3 != 0 { // a run takes a tenth of a second, far more than the other models
			return
		}
		dir := filepath.Join(root, strconv.Itoa(runs))
		must(rt, os.Mkdir(dir, 0o700))
		p, w := openFlaky(rt, dir), &warnings{}
		defer p.close()
		path := filepath.Join(dir, "spill.db")
		open := func() *journal.Spill {
			tuning := quick()
			tuning.Primary = 20 * time.Millisecond
			s, err := journal.OpenTunedSpill(t.Context(), path, spillOptions(p, w), tuning)
			must(rt, err)
			return s
		}
		s := open()
		defer func() { _ = s.Close() }()
		var all []sent
		var letters [][]keyed
		deliver := func(rt *rapid.T, id string, parts []keyed) sent {
			req, events, said := letter(id, parts...)
			_, err := s.Accept(t.Context(), req, events)
			must(rt, err)
			return said
		}
		rt.Repeat(map[string]func(*rapid.T){
			"send": func(rt *rapid.T) {
				name := strconv.Itoa(len(all))
				parts := make([]keyed, rapid.IntRange(1, 4).Draw(rt, "parts"))
				for i := range parts {
					parts[i] = keyed{key: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "key"), id: fmt.Sprint(name, "+", i)}
					if rapid.IntRange(0, 5).Draw(rt, "readable") == 0 {
						parts[i].quarantine = "not JSON"
					}
				}
				all, letters = append(all, deliver(rt, name, parts)), append(letters, parts)
			},
			"again": func(rt *rapid.T) {
				if len(all) > 0 {
					i := rapid.IntRange(0, len(all)-1).Draw(rt, "which")
					deliver(rt, all[i].id, letters[i])
				}
			},
			"fault": func(rt *rapid.T) {
				p.set(fault(rapid.IntRange(0, int(faults)-1).Draw(rt, "fault")))
			},
			"well": func(*rapid.T) { p.set(well) },
			"wait": func(*rapid.T) {
				p.set(well)
				handedOn(t, s)
			},
			"reopen": func(rt *rapid.T) {
				must(rt, s.Close())
				s = open()
			},
			"kill": func(rt *rapid.T) { // what it leaves: the files as they are, the log with them
				path = copied(rt, path, filepath.Join(dir, fmt.Sprint("spill", rapid.IntRange(0, 1<<40).Draw(rt, "name"))))
				must(rt, s.Close())
				s = open()
			},
		})
		p.set(well)
		handedOn(t, s)
		inspect(rt, p, all)
	})
}

// copied makes a copy of a file in use and of the log beside it, as both are at one moment: as long as nothing of the log is
// folded into the file it only grows, and what it has lost at its end was not committed.
func copied(t rapid.TB, path, to string) string {
	t.Helper()
	read := func(suffix string) []byte {
		b, err := os.ReadFile(path + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return b
	}
	file, log := read(""), read("-wal")
	for again := read(""); !bytes.Equal(file, again); again = read("") {
		file, log = again, read("-wal")
	}
	if err := errors.Join(os.WriteFile(to, file, 0o600), os.WriteFile(to+"-wal", log, 0o600)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestSpillStartsAlone starts while the primary is away.
func TestSpillStartsAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, w := newFlaky(t, dir), &warnings{}
	var tries, connected atomic.Int32
	var there atomic.Bool
	o := spillOptions(p, w)
	o.Connect = func(context.Context) (journal.Primary, error) {
		tries.Add(1)
		if !there.Load() {
			return nil, errors.New("connection refused")
		}
		return p, nil
	}
	o.Connected = func(got journal.Primary) {
		if got == journal.Primary(p) {
			connected.Add(1)
		}
	}
	s := openSpill(t, filepath.Join(dir, "spill.db"), o, quick())
	var all []sent
	for i := range 5 {
		all = append(all, send(t, s, strconv.Itoa(i), keyed{key: "a", id: strconv.Itoa(i)}))
	}
	eventually(t, "three tries", func() bool { return tries.Load() >= 3 })
	if st := s.Stats(t.Context()); !st.Spilling || st.Waiting != 5 || st.LastError != "connection refused" || connected.Load() != 0 || s.Ready() != nil {
		t.Errorf("%+v", st)
	}
	there.Store(true)
	handedOn(t, s)
	inspect(t, p, all)
	eventually(t, "the end is told", func() bool { return w.count(ends) == 1 })
	if connected.Load() != 1 || w.count("not there at the start") != 1 {
		t.Errorf("connected %d times; it said %q", connected.Load(), w.all())
	}
}

// TestSpillClosesAlone closes, and opens again, while the primary was never there.
func TestSpillClosesAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "spill.db")
	o := journal.SpillOptions{Now: clock, Connect: func(ctx context.Context) (journal.Primary, error) {
		return nil, errors.New("connection refused")
	}}
	s := openSpill(t, path, o, quick())
	all := []sent{send(t, s, "1", keyed{key: "a", id: "1"}, keyed{id: "2", quarantine: "not JSON"})}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	req, events, _ := letter("late", keyed{key: "a", id: "3"})
	if _, err := s.Accept(t.Context(), req, events); hookgate.AsError(err).Code != hookgate.Unavailable {
		t.Errorf("after the close: %v", err)
	}
	if s.Ready() == nil {
		t.Error("ready after the close")
	}
	p, w := newFlaky(t, dir), &warnings{}
	s = openSpill(t, path, spillOptions(p, w), quick())
	handedOn(t, s)
	inspect(t, p, all)
	if w.count("spilled before the start") != 1 {
		t.Errorf("it said %q", w.all())
	}
}

// TestSpillKilledWhileHandingOn takes the file as a kill would leave it, in the middle.
func TestSpillKilledWhileHandingOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, w := newFlaky(t, dir), &warnings{}
	p.set(refusing)
	path := filepath.Join(dir, "spill.db")
	s := openSpill(t, path, spillOptions(p, w), quick())
	var sending sync.WaitGroup
	said := make([][]sent, 8)
	for c := range said {
		sending.Go(func() {
			for n := range 200 / raceFactor {
				name := fmt.Sprintf("%d-%d", c, n)
				said[c] = append(said[c], send(t, s, name, keyed{key: strconv.Itoa(c), id: name}, keyed{key: "of all", id: name + "all"})) // one lane for all
			}
		})
	}
	sending.Wait()
	p.set(well)
	eventually(t, "some are handed on", func() bool { return s.Stats(t.Context()).HandedOn > 20 })
	left := copied(t, path, filepath.Join(dir, "left.db"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSpill(t, left, spillOptions(p, w), quick())
	handedOn(t, s)
	var all []sent
	for _, one := range said {
		for i := range one { // the order of what all of them send at once is nobody's
			one[i].keys[1] = one[i].id
		}
		all = append(all, one...)
	}
	inspect(t, p, all)
	if st := s.Stats(t.Context()); st.Duplicates == 0 || st.HandedOn < st.Duplicates {
		t.Errorf("nothing was repeated: %+v", st)
	}
}

// TestSpillBothRefuse fills the local file while the primary is away.
func TestSpillBothRefuse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, w := newFlaky(t, dir), &warnings{}
	p.set(refusing)
	o := spillOptions(p, w)
	o.MaxSize = 1 << 20
	s := openSpill(t, filepath.Join(dir, "spill.db"), o, quick())
	var all []sent
	var refusal error
	eventually(t, "refused", func() bool {
		name := strconv.Itoa(len(all)) + strings.Repeat("x", 8000)
		req, events, said := letter(name, keyed{key: "a", id: name})
		if _, refusal = s.Accept(t.Context(), req, events); refusal == nil {
			all = append(all, said)
		}
		return refusal != nil
	})
	e := hookgate.AsError(refusal)
	if e.Code != hookgate.Unavailable || e.RetryAfter == 0 || e.Hint == "" || !strings.Contains(e.Detail, "the primary is away") || !strings.Contains(e.Detail, "no room") {
		t.Errorf("%v, again after %s", e, e.RetryAfter)
	}
	if s.Ready() == nil {
		t.Error("ready, though nobody takes anything")
	}
	p.set(well)
	handedOn(t, s)
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
	all = append(all, send(t, s, "last", keyed{key: "a", id: "last"}))
	inspect(t, p, all)
	p.set(refusing)
	eventually(t, "the file has room again", func() bool {
		req, events, _ := letter("once more", keyed{key: "a", id: "once more"})
		_, err := s.Accept(t.Context(), req, events)
		return err == nil
	})
}

// TestSpillSlowAnswer gives the primary its usual time: an answer comes although the primary has none.
func TestSpillSlowAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newFlaky(t, dir)
	s := openSpill(t, filepath.Join(dir, "spill.db"), spillOptions(p, &warnings{}), journal.SpillTuning{File: journal.Tuning{Synchronous: "NORMAL"}})
	p.set(hanging)
	all := []sent{send(t, s, "1", keyed{key: "a", id: "1"})}
	p.set(well)
	handedOn(t, s)
	inspect(t, p, all)
}

// TestSpillMistake does not spill what no journal takes, nor what its own sender has given up.
func TestSpillMistake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpill(t, filepath.Join(dir, "spill.db"), spillOptions(newFlaky(t, dir), &warnings{}), quick())
	req, events, _ := letter("1", keyed{key: "a", id: "1"})
	events[0].ID = "none"
	if _, err := s.Accept(t.Context(), req, events); hookgate.AsError(err).Code != hookgate.InternalMistake {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	req, events, _ = letter("2", keyed{key: "a", id: "2"})
	if _, err := s.Accept(gone, req, events); err != nil && hookgate.AsError(err).Code != hookgate.Unavailable {
		t.Errorf("%v", err)
	}
	if s.Spilling() {
		t.Error("it spills")
	}
}

// TestSpillFileIsItsOwn keeps a spill and a journal from opening each other's file.
func TestSpillFileIsItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newFlaky(t, dir)
	path := filepath.Join(dir, "journal.db")
	j := openAt(t, path, journal.Options{Now: clock})
	accept(t, j, start, part{id: "e"})
	_ = j.Close()
	if s, err := journal.NewSpill(t.Context(), path, spillOptions(p, &warnings{})); err == nil {
		_ = s.Close()
		t.Error("a journal was taken for a spill")
	} else if !strings.Contains(err.Error(), "give journal.spill a file of its own") {
		t.Error(err)
	}
	path = filepath.Join(dir, "spill.db")
	_ = openSpill(t, path, spillOptions(p, &warnings{}), quick()).Close()
	if j, err := journal.OpenSQLite(path, journal.Options{}); err == nil {
		_ = j.Close()
		t.Error("a spill was taken for a journal")
	} else if !strings.Contains(err.Error(), "use another file") {
		t.Error(err)
	}
}

// TestSpillRetention lets what was handed on go, and nothing else; and no number of the quarantine is used twice, or what
// is new there would be taken for handed on.
func TestSpillRetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, c := newFlaky(t, dir), newTimepiece()
	path := filepath.Join(dir, "spill.db")
	o := spillOptions(p, &warnings{})
	o.Now = c.Now
	s := openSpill(t, path, o, quick())
	kept := func() (n int) {
		for seq := range int64(20) {
			for _, of := range []func(context.Context, int64) (*journal.Raw, bool, error){s.Local().RawRequest, s.Local().QuarantinedRequest} {
				_, ok, err := of(t.Context(), seq)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					n++
				}
			}
		}
		return n
	}
	p.set(refusing)
	all := []sent{send(t, s, "1", keyed{key: "a", id: "1"}, keyed{id: "2", quarantine: "?"}, keyed{key: "a", id: "3"}, keyed{id: "4", quarantine: "?"})}
	c.advance(2 * time.Hour)
	_ = s.Close()
	s = openSpill(t, path, o, quick()) // and with it a pass of retention begins
	all = append(all, send(t, s, "5", keyed{key: "a", id: "5"}))
	if n := kept(); n != 5 {
		t.Errorf("%d of 5 are left before anything was handed on", n)
	}
	p.set(well)
	handedOn(t, s)
	eventually(t, "what was handed on is gone", func() bool { return kept() == 0 })
	_ = s.Close()
	p.set(refusing)
	s = openSpill(t, path, o, quick())
	all = append(all, send(t, s, "6", keyed{id: "6", quarantine: "?"}, keyed{key: "a", id: "7"}))
	p.set(well)
	handedOn(t, s)
	inspect(t, p, all)
}

// TestSpillAside has a request that the primary never takes: it does not keep all others waiting, and it is not lost.
func TestSpillAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, c, w := newFlaky(t, dir), newTimepiece(), &warnings{}
	path := filepath.Join(dir, "spill.db")
	o := spillOptions(p, w)
	o.Now = c.Now
	tuning := quick()
	tuning.Aside = 50 * time.Millisecond
	s := openSpill(t, path, o, tuning)
	bad := "bad"
	p.poison.Store(&bad)
	all := []sent{
		send(t, s, "good", keyed{key: "good", id: "1"}),
		send(t, s, "bad", keyed{key: "bad", id: "2"}, keyed{key: "worse", id: "3"}),
		send(t, s, "good again", keyed{key: "good", id: "4"}),
		send(t, s, "behind", keyed{key: "worse", id: "5"}),
	}
	n := 6
	eventually(t, "it is left out", func() bool { // others prove that it is not the primary
		n++
		all = append(all, send(t, s, strconv.Itoa(n), keyed{key: "good", id: strconv.Itoa(n)}))
		st := s.Stats(t.Context())
		return !st.Spilling && st.Aside == 2
	})
	if w.count(`"bad"`) != 1 {
		t.Errorf("it said %q", w.all())
	}
	c.advance(3 * time.Hour)
	eventually(t, "retention has come by", func() bool {
		_, there, err := s.Local().RawRequest(t.Context(), 4)
		return err == nil && !there
	})
	_ = s.Close()
	p.poison.Store(nil)
	s = openSpill(t, path, o, tuning)
	eventually(t, "it is handed on at the next start", func() bool { return s.Stats(t.Context()).Aside == 0 })
	for i := range all[1].keys { // it has lost its place
		all[1].keys[i] = "lost"
	}
	inspect(t, p, all)
}

// fainting goes away as soon as it is asked.
type fainting struct {
	*flaky
	asked atomic.Int32
}

func (f *fainting) Accept(context.Context, *hookgate.Request, []*hookgate.Event) ([]hookgate.Result, error) {
	f.asked.Add(1)
	f.set(unready)
	return nil, errAway
}

// TestSpillAsideWhileAway: what was set aside is not offered one after the other to a primary that has gone away.
func TestSpillAsideWhileAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newFlaky(t, dir)
	path := filepath.Join(dir, "spill.db")
	s := openSpill(t, path, spillOptions(p, &warnings{}), quick())
	p.set(refusing)
	var all []sent
	var step hookgate.Step
	for n := range int64(5) {
		id := strconv.FormatInt(n, 10)
		all = append(all, send(t, s, id, keyed{key: id, id: id}))
		step.Cursor, step.Park = n+1, append(step.Park, hookgate.Parked{Seq: n + 1})
	}
	if err := s.Local().Record(t.Context(), "spill/events", step); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	p.set(well)
	away := &fainting{flaky: p}
	s = openSpill(t, path, spillOptions(away, &warnings{}), quick())
	eventually(t, "the first is offered", func() bool { return away.asked.Load() > 0 })
	_ = s.Close() // when the retry is over
	if n := away.asked.Load(); n != 1 {
		t.Errorf("%d were offered", n)
	}
	p.set(well)
	s = openSpill(t, path, spillOptions(p, &warnings{}), quick())
	eventually(t, "all are handed on", func() bool { return s.Stats(t.Context()).Aside == 0 })
	inspect(t, p, all)
}

// TestSpillFailed passes on that the local disk has failed.
func TestSpillFailed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	local := filepath.Join(dir, "local")
	if err := os.Mkdir(local, 0o700); err != nil {
		t.Fatal(err)
	}
	d := shimmed(t, local)
	p := newFlaky(t, dir)
	tuning := quick()
	tuning.File = journal.Tuning{VFS: shimName}
	s := openSpill(t, filepath.Join(local, "spill.db"), spillOptions(p, &warnings{}), tuning)
	p.set(refusing)
	all := []sent{send(t, s, "1", keyed{key: "a", id: "1"})}
	d.arm(1, failSync)
	req, events, _ := letter("2", keyed{key: "a", id: "2"})
	if _, err := s.Accept(t.Context(), req, events); hookgate.AsError(err).Code != hookgate.Unavailable {
		t.Errorf("%v", err)
	}
	select {
	case <-s.Failed():
	case <-time.After(10 * time.Second):
		t.Fatal("nothing is said of the failure")
	}
	if s.Ready() == nil {
		t.Error("ready")
	}
	_ = s.Close()
	p.set(well)
	s = openSpill(t, filepath.Join(local, "spill.db"), spillOptions(p, &warnings{}), quick())
	handedOn(t, s)
	inspect(t, p, all)
}
