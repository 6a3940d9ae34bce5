package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/journal"
)

// remembering is an inspector whose journal remembers some events by id, in its second part.
func remembering(fakes []*fakePart, known map[string]int64) inspector {
	i := inspector{receivers: func() []receiver {
		return []receiver{{"events", everything}, {"odd", func(e *hookgate.Event) bool { return e.Source == "chat" }}}
	}}
	for _, f := range fakes {
		i.parts = append(i.parts, f.part())
	}
	i.history = func(ctx context.Context, id string) (journal.History, int, bool, error) {
		seq, ok := known[id]
		if !ok || ctx.Err() != nil {
			return journal.History{}, 0, false, ctx.Err()
		}
		return journal.History{Seq: seq, Copies: 2, Expires: time.UnixMilli(1000), Attempts: []journal.Attempt{
			{Attempt: 1, Class: hookgate.First, Digest: "ab"}, {Attempt: 2, Class: hookgate.Retry, Digest: "cd", Conflict: true},
		}}, len(fakes) - 1, true, nil
	}
	return i
}

func TestInspect_Show(t *testing.T) {
	t.Parallel()
	start := time.Now().Add(-time.Hour)
	one, two := &fakePart{}, filled(9, start)
	for i := range two.entries { // ids of their own
		one.entries = append(one.entries, hookgate.Entry{Seq: int64(i + 1), Event: fakeEvent(int64(i+101), start)})
	}
	one.progress = hookgate.Progress{Cursor: 4, Parked: []hookgate.Parked{{Seq: 2, Attempts: 3, NextAt: start, Error: "refused"}, {Seq: 3}}}
	one.dead = []hookgate.Parked{{Seq: 1, Attempts: 12, Error: "gone", Dead: true}}
	id := func(n int64) string { return fakeEvent(n, start).ID }
	i := remembering([]*fakePart{one, two}, map[string]int64{id(5): 5, id(7): 77, "quarantined": 0})
	i.parts[1].raw = func(_ context.Context, seq int64) (*journal.Raw, bool, error) {
		return &journal.Raw{RequestID: fmt.Sprint("q", seq), Method: "POST", Target: "/hooks/care", Remote: netip.MustParseAddr("192.0.2.1"), Header: http.Header{"A": {"b"}}, Body: make([]byte, 12)}, true, nil
	}
	both := func(events, odd admin.Delivery) []admin.Delivery {
		events.Destination, odd.Destination = "events", "odd"
		return []admin.Delivery{events, odd}
	}
	state := func(s string) admin.Delivery { return admin.Delivery{State: s} }
	dead := admin.Delivery{State: admin.Dead, Attempts: 12, Error: "gone"}
	parked := admin.Delivery{State: admin.Parked, Attempts: 3, NextAt: start, Error: "refused"}
	for name, c := range map[string]struct {
		id           string
		destinations []admin.Delivery
		copies       int64
		event        bool
		request      bool
		quarantined  bool
	}{
		"delivered, remembered":  {id(5), both(state(admin.Delivered), state(admin.Delivered)), 2, true, true, false},
		"delivered, forgotten":   {id(6), both(state(admin.Delivered), state(admin.Unwanted)), 0, true, true, false},
		"in another part":        {id(104), both(state(admin.Delivered), state(admin.Unwanted)), 0, true, false, false},
		"dead":                   {id(101), both(dead, dead), 0, true, false, false}, // the fake knows no destinations
		"parked":                 {id(102), both(parked, parked), 0, true, false, false},
		"behind its key":         {id(103), both(state(admin.Parked), state(admin.Parked)), 0, true, false, false},
		"waiting":                {id(105), both(state(admin.Waiting), state(admin.Waiting)), 0, true, false, false},
		"remembered but removed": {id(7), nil, 2, false, false, false},
		"quarantined":            {"quarantined", nil, 2, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := i.Show(t.Context(), c.id)
			if err != nil || !reflect.DeepEqual(r.Destinations, c.destinations) || r.Copies != c.copies || (r.Event != nil) != c.event || (r.Request != nil) != c.request || r.Quarantined != c.quarantined {
				t.Errorf("%v: %+v, want %+v", err, r, c)
			}
			if c.event && !strings.Contains(string(r.Event), `"id":"`+c.id+`"`) {
				t.Errorf("the event is %s", r.Event)
			}
			if c.copies > 0 && (len(r.History) != 2 || r.History[1] != (admin.EventCopy{Attempt: 2, Class: "retry", Digest: "cd", Conflict: true})) {
				t.Errorf("the copies are %+v", r.History)
			}
		})
	}
	if r, err := i.Show(t.Context(), id(5)); err != nil || !reflect.DeepEqual(r.Request, &admin.RequestHead{ID: "q5", Method: "POST", Target: "/hooks/care", Remote: "192.0.2.1", Header: http.Header{"A": {"b"}}, Bytes: 12}) {
		t.Errorf("the request is %+v, %v", r.Request, err)
	}
	if _, err := i.Show(t.Context(), id(999)); !errors.Is(err, admin.ErrUnknownEvent) {
		t.Errorf("an unknown one: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := i.Show(ended, id(5)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller has gone: %v", err)
	}
}

// TestInspect_Bounds: an answer comes before the listener gives up on it, whatever the journal takes.
func TestInspect_Bounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := filled(100_000, time.Now().Add(-48*time.Hour))
		i := remembering([]*fakePart{f}, nil)
		i.parts[0].scan = func(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
			<-time.After(50 * time.Millisecond)
			return f.scan(ctx, after, limit)
		}
		rare := admin.EventQuery{Limit: 50, Selection: admin.Selection{IDs: []string{fakeEvent(1, time.Time{}).ID}}}
		began, found, rounds := time.Now(), 0, 0
		for more := true; more; rounds++ {
			asked := time.Now()
			list, err := i.List(t.Context(), rare)
			if took := time.Since(asked); err != nil || took > 8*time.Second {
				t.Fatalf("%v after %s", err, took)
			}
			found, more, rare.Place = found+len(list.Events), list.More, list.Next
		}
		if found != 1 || rounds < 3 {
			t.Errorf("%d found in %d rounds and %s", found, rounds, time.Since(began))
		}
		for name, history := range map[string]func(ctx context.Context, id string) (journal.History, int, bool, error){
			"nothing remembered": i.history,
			"slow to remember": func(ctx context.Context, _ string) (journal.History, int, bool, error) {
				<-ctx.Done()
				return journal.History{}, 0, false, ctx.Err()
			},
		} {
			i.history = history
			asked := time.Now()
			_, err := i.Show(t.Context(), fakeEvent(1, time.Time{}).ID)
			if took := time.Since(asked); err == nil || !strings.Contains(err.Error(), "list of events") || took > 9*time.Second {
				t.Errorf("%s: %v after %s", name, err, took)
			}
			asked = time.Now()
			r, err := i.Show(t.Context(), fakeEvent(99_990, time.Time{}).ID)
			if took := time.Since(asked); err != nil || r.Event == nil || took > 9*time.Second {
				t.Errorf("%s, a new event: %v after %s", name, err, took)
			}
		}
	})
}

// TestInspect_LargeLists: however many are asked for, an answer holds little at a time, and says that there is more.
func TestInspect_LargeLists(t *testing.T) {
	t.Parallel()
	f := filled(40, time.Now().Add(-time.Hour))
	large := bytes.Repeat([]byte("x"), 1<<20)
	for _, e := range f.entries {
		e.Event.ContentType, e.Event.Data = "text/plain", large
	}
	i := remembering([]*fakePart{f}, nil)
	q, found := admin.EventQuery{Limit: 40, Data: true}, 0
	for more := true; more; {
		list, err := i.List(t.Context(), q)
		if err != nil || len(list.Events) > 17 {
			t.Fatalf("%v, %d of a megabyte each", err, len(list.Events))
		}
		found, more, q.Place = found+len(list.Events), list.More, list.Next
	}
	if found != 40 {
		t.Errorf("%d found", found)
	}
}

// TestInspect_List: attributes alone unless the data are asked for, and no more than asked for.
func TestInspect_List(t *testing.T) {
	t.Parallel()
	i := remembering([]*fakePart{filled(5, time.Now().Add(-time.Hour))}, nil)
	for _, data := range []bool{false, true} {
		list, err := i.List(t.Context(), admin.EventQuery{Limit: 2, Data: data})
		if err != nil || len(list.Events) != 2 || !list.More || list.Next != "4" {
			t.Fatalf("%v, %+v", err, list)
		}
		var e map[string]any
		if err := json.Unmarshal(list.Events[0], &e); err != nil || e["id"] != fakeEvent(5, time.Time{}).ID || e["attempt"] != 1.0 || (e["data"] != nil) != data || e["datacontenttype"] != hookgate.JSON {
			t.Errorf("%v, %s", err, list.Events[0])
		}
	}
	if list, err := i.List(t.Context(), admin.EventQuery{Limit: 50}); err != nil || len(list.Events) != 5 || list.More {
		t.Errorf("%v, %+v", err, list)
	}
}
