package journal_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
	"pgregory.net/rapid"
)

// modelEvent is what the model remembers of an event.
type modelEvent struct {
	seq     int64
	expires time.Time
	highest int
	seen    map[int]bool
}

// model is the journal as a map.
type model struct {
	events  map[string]*modelEvent
	payload []string // of every sequence number, from 1
	cursor  int64
	parked  map[int64]hookgate.Parked
}

func (m *model) accept(at time.Time, p part) hookgate.Result {
	p.attempt = max(p.attempt, 1)
	e, ok := m.events[p.id]
	if !ok || !at.Before(e.expires) {
		m.payload = append(m.payload, p.data)
		e = &modelEvent{seq: int64(len(m.payload)), expires: at.Add(time.Hour), highest: p.attempt, seen: map[int]bool{p.attempt: true}}
		m.events[p.id] = e
		if p.attempt > 1 {
			return hookgate.Result{Class: hookgate.Recovered, Seq: e.seq}
		}
		return hookgate.Result{Class: hookgate.First, Seq: e.seq}
	}
	class := hookgate.Late
	switch {
	case e.seen[p.attempt]:
		class = hookgate.Replay
	case p.attempt > e.highest:
		class = hookgate.Retry
	}
	e.seen[p.attempt], e.highest = true, max(e.highest, p.attempt)
	return hookgate.Result{Class: class, Seq: e.seq}
}

// TestR22_Model accepts, repeats, lets windows end, records and opens again, closed or crashed, beside a map.
func TestR22_Model(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	checkModel(t, math.MaxInt, func(rt *rapid.T, run int, now func() time.Time) life {
		dir := filepath.Join(root, strconv.Itoa(run))
		must(rt, os.Mkdir(dir, 0o700))
		path := filepath.Join(dir, "j.db")
		return life{
			open: func() store {
				// A kill takes nothing from the kernel's memory, so that the syncs can be saved here.
				j, err := journal.OpenTuned(path, journal.Options{Now: now, Destinations: []string{"d"}}, journal.Tuning{Synchronous: "NORMAL"})
				must(rt, err)
				return j
			},
			crash: func(rt *rapid.T, j store) { // what a kill leaves: the files as they are, the log with them
				next := filepath.Join(dir, strconv.Itoa(rapid.IntRange(0, 1<<40).Draw(rt, "name")))
				for _, suffix := range []string{"", "-wal"} {
					b, err := os.ReadFile(path + suffix)
					if err != nil && !os.IsNotExist(err) {
						rt.Fatal(err)
					}
					must(rt, os.WriteFile(next+suffix, b, 0o600))
				}
				must(rt, j.Close())
				path = next
			},
		}
	})
}

// TestR22_RedisModel is the same on Redis, where the server is what crashes; fewer runs, because that takes longer.
func TestR22_RedisModel(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	checkModel(t, 4/raceFactor, func(_ *rapid.T, run int, now func() time.Time) life {
		return life{
			open: func() store {
				return openStore(t, server.url(), journal.RedisOptions{Prefix: strconv.Itoa(run), Now: now, Destinations: []string{"d"}, Compact: run%2 == 0})
			},
			crash: func(rt *rapid.T, j store) {
				must(rt, j.Close())
				server.kill()
				server.restart()
			},
		}
	})
}

// life is a journal that can be opened again: after a close, or after a crash, which closes it in its own way.
type life struct {
	open  func() store
	crash func(rt *rapid.T, j store)
}

func checkModel(t *testing.T, most int, begin func(rt *rapid.T, run int, now func() time.Time) life) {
	t.Helper()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs > most {
			return
		}
		c := newTimepiece()
		l := begin(rt, runs, c.Now)
		j := l.open()
		defer func() { _ = j.Close() }()
		m := &model{events: map[string]*modelEvent{}, parked: map[int64]hookgate.Parked{}}
		rt.Repeat(map[string]func(*rapid.T){
			"accept": func(rt *rapid.T) {
				parts := make([]part, rapid.IntRange(1, 4).Draw(rt, "parts"))
				for i := range parts {
					parts[i] = part{id: rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(rt, "id"), attempt: rapid.IntRange(1, 4).Draw(rt, "attempt")}
					parts[i].data = parts[i].id + strconv.Itoa(len(m.payload)+i)
				}
				req, events := request(c.Now(), parts...)
				got, err := j.Accept(t.Context(), req, events)
				must(rt, err)
				for i, p := range parts {
					want := m.accept(c.Now(), p)
					got[i].Conflict = false
					if got[i] != want {
						rt.Fatalf("part %d %+v: %+v, want %+v", i, p, got[i], want)
					}
				}
			},
			"time": func(rt *rapid.T) {
				c.advance(time.Duration(rapid.SampledFrom([]int{1, 1_799_999, 1_800_000, 3_599_999, 3_600_000}).Draw(rt, "ms")) * time.Millisecond)
			},
			"record": func(rt *rapid.T) {
				step := hookgate.Step{Cursor: rapid.Int64Range(0, int64(len(m.payload))).Draw(rt, "cursor")}
				if rapid.Bool().Draw(rt, "park") {
					p := hookgate.Parked{Seq: rapid.Int64Range(1, 5).Draw(rt, "seq"), Key: "k", Attempts: rapid.IntRange(0, 3).Draw(rt, "attempts"), Dead: rapid.Bool().Draw(rt, "dead")}
					step.Park = []hookgate.Parked{p}
					m.parked[p.Seq] = p
				} else {
					seq := rapid.Int64Range(1, 5).Draw(rt, "done")
					step.Done = []int64{seq}
					delete(m.parked, seq)
				}
				m.cursor = max(m.cursor, step.Cursor)
				must(rt, j.Record(t.Context(), "d", step))
			},
			"reopen": func(*rapid.T) {
				must(rt, j.Close())
				j = l.open()
			},
			"crash": func(rt *rapid.T) {
				l.crash(rt, j)
				j = l.open()
			},
			"": func(rt *rapid.T) {
				for last := 0; last < len(m.payload); {
					entries, err := j.Read(t.Context(), int64(last), 3)
					must(rt, err)
					for _, e := range entries {
						last++
						if e.Seq != int64(last) || string(e.Event.Data) != m.payload[last-1] {
							rt.Fatalf("entry %d: %q, want %d: %q", e.Seq, e.Event.Data, last, m.payload[last-1])
						}
					}
				}
				p, err := j.Progress(t.Context(), "d")
				must(rt, err)
				waiting := 0
				for _, k := range m.parked {
					if !k.Dead {
						waiting++
					}
				}
				if p.Cursor != m.cursor || len(p.Parked) != waiting {
					rt.Fatalf("progress %+v, want %d and %d parked", p, m.cursor, waiting)
				}
				for _, k := range p.Parked {
					if m.parked[k.Seq] != k {
						rt.Fatalf("parked %+v, want %+v", k, m.parked[k.Seq])
					}
				}
			},
		})
	})
}

func must(rt *rapid.T, err error) {
	rt.Helper()
	if err != nil {
		rt.Fatal(fmt.Sprint(err))
	}
}
