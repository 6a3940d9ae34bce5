package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/journal"
)

// TestSpillOverRedis kills a real Redis again and again under load: nobody is refused, and all is there once, in the order
// of its key.
func TestSpillOverRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	server.kill() // the start is without it, too
	var redis atomic.Pointer[journal.Redis]
	w := &warnings{}
	o := journal.SpillOptions{Warn: w.add, Now: clock, Connect: func(ctx context.Context) (journal.Primary, error) {
		r, err := journal.OpenRedis(ctx, server.url(), journal.RedisOptions{Shards: 4, Now: clock})
		if err != nil {
			return nil, err
		}
		redis.Store(r)
		return r, nil
	}}
	t.Cleanup(func() {
		if r := redis.Load(); r != nil {
			_ = r.Close()
		}
	})
	s := openSpill(t, filepath.Join(t.TempDir(), "spill.db"), o, journal.SpillTuning{File: journal.Tuning{Synchronous: "NORMAL"}})
	const senders = 8
	var sending sync.WaitGroup
	var rounds atomic.Int32
	t.Cleanup(func() { // where it has failed before
		rounds.Store(2)
		sending.Wait()
	})
	said := make([][]sent, senders)
	for c := range senders {
		sending.Go(func() {
			pace := time.NewTicker(20 * time.Millisecond) // slower than what a busy machine hands on
			defer pace.Stop()
			for n := 0; rounds.Load() < 2; n++ {
				name := fmt.Sprintf("%d-%d", c, n)
				parts := []keyed{{key: fmt.Sprint(c, "/", n%3), id: name}}
				if n%5 == 4 {
					parts = append(parts, keyed{key: fmt.Sprint(c, "/", (n+1)%3), id: name + "+"}, keyed{id: name + "?", quarantine: "not JSON"})
				}
				said[c] = append(said[c], send(t, s, name, parts...))
				<-pace.C
			}
		})
	}
	for range 2 {
		server.restart()
		eventually(t, "the way is direct", func() bool { return !s.Spilling() })
		server.kill()
		eventually(t, "it spills", s.Spilling)
		rounds.Add(1)
	}
	sending.Wait()
	server.restart()
	handedOn(t, s)
	place, envelopes := map[string][2]int64{}, map[string][]byte{}
	r := redis.Load()
	for _, shard := range r.Shards() {
		for after := int64(0); ; {
			entries, err := shard.Scan(t.Context(), after, 500)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) == 0 {
				break
			}
			for _, e := range entries {
				after = e.Seq
				if _, twice := place[e.Event.ID]; twice {
					t.Errorf("%s is there twice", e.Event.ID)
				}
				place[e.Event.ID], envelopes[e.Event.ID] = [2]int64{int64(shard.ID()), e.Seq}, e.Event.AppendEnvelope(nil)
			}
		}
	}
	events, parts := 0, 0
	newest := map[string][2]int64{}
	for _, one := range said {
		for _, m := range one {
			events, parts = events+len(m.ids), parts+len(m.parts)
			for i, id := range m.ids {
				at, ok := place[id]
				before, some := newest[m.keys[i]]
				switch {
				case !ok:
					t.Errorf("an event of %s is lost", m.id)
				case some && (before[0] != at[0] || before[1] > at[1]):
					t.Errorf("key %s: %s stands at %v, the one before it at %v", m.keys[i], m.id, at, before)
				case !bytes.Equal(envelopes[id], m.envelopes[i]):
					t.Errorf("%s came as\n%s\nwas\n%s", m.id, envelopes[id], m.envelopes[i])
				}
				newest[m.keys[i]] = at
			}
		}
	}
	if len(place) != events {
		t.Errorf("%d events are there of %d", len(place), events)
	}
	kept := 0
	for before := int64(0); ; {
		list, err := r.Quarantine(t.Context(), before, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		kept, before = kept+len(list), list[len(list)-1].Seq
	}
	if kept != parts {
		t.Errorf("%d quarantined parts are there of %d", kept, parts)
	}
	st := s.Stats(t.Context())
	t.Log(strconv.Itoa(events)+" events,", st.Spilled, "spilled,", st.Duplicates, "found again")
}
