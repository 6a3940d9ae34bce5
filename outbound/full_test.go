package outbound

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// room sets how many pages the file may have; 0 is as many as it has now.
func room(t *testing.T, s *Server, pages int) {
	t.Helper()
	if err := s.store.change(t.Context(), func(tx *tx) error {
		rows, err := tx.query(fmt.Sprintf("PRAGMA max_page_count=%d", max(1, pages))) // SQLite takes the present size at least
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	}); err != nil {
		t.Error(err)
	}
}

// TestNoRoom demands that a full disk costs nothing that was acknowledged, and that an outcome waits until there is room:
// the request it belongs to is not made again.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	var s *Server
	var notes atomic.Int32
	rc := newReceiver(t, clock, func(n int, w http.ResponseWriter, _ *http.Request) {
		room(t, s, 0)
		_, _ = w.Write([]byte(strings.Repeat("x", 4096)))
	})
	s = open(t, storePath(t), clock, func(o *Options, _ *provider) {
		o.Log = func(m string, _ map[string]string) {
			if m == "an attempt's outcome is held up by the store" {
				notes.Add(1)
			}
		}
	})
	subscribe(t, s, "a", rc.URL, nil)
	room(t, s, 100)
	stored := 0
	for range 200 {
		if _, err := s.Publish(t.Context(), "bird", Event{Type: "sms.inbound", Payload: []byte(`"` + strings.Repeat("x", 5000) + `"`)}); err != nil {
			if !strings.Contains(err.Error(), "full") {
				t.Errorf("%v", err)
			}
			break
		}
		stored++
	}
	if stored == 200 || stored == 0 {
		t.Fatalf("there was room for %d", stored)
	}
	check := func(want int) {
		t.Helper()
		list, err := s.Deliveries(t.Context(), LogQuery{Limit: 1000})
		if err != nil || len(list) != want {
			t.Errorf("%d are listed, not %d, %v", len(list), want, err)
		}
		if n, err := s.Count(t.Context(), LogQuery{}); err != nil || n != int64(want) {
			t.Errorf("%d are counted, not %d, %v", n, want, err)
		}
	}
	check(stored)
	room(t, s, 1<<20)
	publish(t, s, `1`)
	check(stored + 1)
	if err := s.Delete(t.Context(), "bird", "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.store.change(t.Context(), func(tx *tx) error { // no room that was left by the deleted
		_, err := tx.exec("INSERT INTO payloads SELECT 1 << 40, 'x', zeroblob(freelist_count * 4096) FROM pragma_freelist_count")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	subscribe(t, s, "a", rc.URL, nil)
	id := publish(t, s, `2`)
	start(t, s)
	eventually(t, "the outcome is held up", func() bool { return notes.Load() > 0 })
	room(t, s, 1<<20)
	clock.Advance(time.Second)
	if d := settled(t, s, id, 1); d.State != Delivered || rc.count() != 1 {
		t.Errorf("%+v after %d requests", d, rc.count())
	}
}
