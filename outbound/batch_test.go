package outbound

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func batches(_ *Options, p *provider) { p.batch, p.flush = 3, 10*time.Second }

// bodies are the events of each request.
func bodies(t *testing.T, rc *receiver) []string {
	t.Helper()
	var out []string
	for _, r := range rc.requests() {
		var body struct{ Events json.RawMessage }
		if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
			t.Fatal(err)
		}
		out = append(out, string(body.Events))
	}
	return out
}

// TestBatch demands that events share a request, which goes out when it is full, or when the first event has waited.
func TestBatch(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, nil)
	s := open(t, storePath(t), clock, batches)
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	ids := []string{publish(t, s, `0`), publish(t, s, `1`)}
	if d, _ := delivery(t, s, ids[0]); d.State != Gathering || len(d.Events) != 2 {
		t.Errorf("%+v", d)
	}
	for i := 2; i < 8; i++ {
		ids = append(ids, publish(t, s, fmt.Sprint(i)))
	}
	if ids[0] != ids[2] || ids[3] != ids[5] || ids[6] != ids[7] || ids[2] == ids[3] || ids[5] == ids[6] {
		t.Errorf("%q", ids)
	}
	settled(t, s, ids[0], 1)
	settled(t, s, ids[3], 1)
	if n := rc.count(); n != 2 {
		t.Errorf("%d requests", n)
	}
	due := clock.Now().Add(10 * time.Second)
	eventually(t, "the wait", func() bool { return clock.waitsFor(due) })
	clock.Advance(4 * time.Second)
	settled(t, s, ids[0], 1)
	if d, _ := delivery(t, s, ids[6]); d.State != Gathering {
		t.Errorf("%+v", d)
	}
	clock.Advance(6 * time.Second)
	settled(t, s, ids[6], 1)
	got := bodies(t, rc)
	if strings.Join(got, " ") != "[0,1,2] [3,4,5] [6,7]" && strings.Join(got, " ") != "[3,4,5] [0,1,2] [6,7]" {
		t.Errorf("%q", got)
	}
	if at := rc.requests()[2].At; !at.Equal(due) {
		t.Errorf("the last at %v", at)
	}
	clock.Advance(time.Hour)
	if n, err := s.Count(t.Context(), LogQuery{States: []State{Delivered}}); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// TestBatchRestart demands that an open batch is there after a restart, goes on gathering and keeps its time.
func TestBatchRestart(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, nil)
	path := storePath(t)
	s := open(t, path, clock, batches)
	subscribe(t, s, "a", rc.URL, nil)
	first := publish(t, s, `1`)
	due := clock.Now().Add(10 * time.Second)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clock.Advance(5 * time.Second)
	s = open(t, path, clock, batches)
	if again := publish(t, s, `2`); again != first {
		t.Errorf("%s is another batch than %s", again, first)
	}
	start(t, s)
	eventually(t, "the wait", func() bool { return clock.waitsFor(due) })
	clock.Advance(5 * time.Second)
	settled(t, s, first, 1)
	if got := bodies(t, rc); len(got) != 1 || got[0] != "[1,2]" {
		t.Errorf("%q", got)
	}
}

// TestBatchOfLargeEvents demands that a batch ends before it is too large for memory.
func TestBatchOfLargeEvents(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, func(_ *Options, p *provider) { p.batch, p.flush = 1000, time.Hour })
	subscribe(t, s, "a", "http://127.0.0.1:1/", nil)
	big := `"` + strings.Repeat("x", maxPayload-2) + `"`
	first := publish(t, s, big)
	for range 3 {
		if publish(t, s, big) != first {
			t.Error("it was full too early")
		}
	}
	if publish(t, s, `1`) == first {
		t.Error("it has become too large")
	}
	if d, _ := delivery(t, s, first); d.State != Waiting || len(d.Events) != 4 {
		t.Errorf("%s with %d events", d.State, len(d.Events))
	}
	if _, err := s.Publish(t.Context(), "bird", Event{Type: "x", Payload: json.RawMessage(big + " ")}); err == nil || !strings.Contains(err.Error(), "the limit is 1048576") {
		t.Errorf("an event that is too large: %v", err)
	}
	if _, err := s.Publish(t.Context(), "bird", Event{Type: "x", Payload: json.RawMessage(`{`)}); err == nil || !strings.Contains(err.Error(), "not JSON") {
		t.Errorf("a payload that is no JSON: %v", err)
	}
	if _, err := s.Publish(t.Context(), "nobody", Event{Type: "x"}); err == nil || !strings.Contains(err.Error(), `unknown provider "nobody"`) {
		t.Errorf("an unknown provider: %v", err)
	}
}

// TestFull demands a clear error when too many deliveries wait, and nothing half stored.
func TestFull(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, nil)
	for i := range 3 {
		subscribe(t, s, fmt.Sprint(i), "http://127.0.0.1:1/", nil)
	}
	if err := s.store.change(t.Context(), func(tx *tx) error { // as if they were there
		tx.job.count(1, countKey{1, stateNumber(Waiting)}, maxWaiting-5)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ids, err := s.Publish(t.Context(), "bird", Event{Type: "x"})
	if err != nil || len(ids) != 3 {
		t.Fatalf("%v, %v", ids, err)
	}
	if _, err := s.Publish(t.Context(), "bird", Event{Type: "x"}); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "100000 deliveries wait at most") {
		t.Fatalf("%v", err)
	}
	list, err := s.Deliveries(t.Context(), LogQuery{Provider: "bird"})
	if err != nil || len(list) != 3 {
		t.Errorf("%d are stored, %v", len(list), err)
	}
	if n, err := s.Count(t.Context(), LogQuery{Events: []string{"x"}}); n != 3 || err != nil {
		t.Errorf("%d are counted, %v", n, err)
	}
}

// TestBatchIsNotHurried demands that the time of a batch that was full before means nothing for its retries.
func TestBatchIsNotHurried(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	rc := newReceiver(t, clock, status(500))
	s := open(t, storePath(t), clock, func(o *Options, p *provider) {
		batches(o, p)
		o.Workers = 1 // in order: what is due first has been looked at when the next batch has been sent
	})
	start(t, s)
	subscribe(t, s, "a", rc.URL, nil)
	id := publish(t, s, `0`)
	eventually(t, "the wait for the batch", func() bool { return clock.waitsFor(clock.Now().Add(10 * time.Second)) })
	publish(t, s, `1`)
	publish(t, s, `2`)
	d := settled(t, s, id, 1)
	clock.Advance(10 * time.Second)
	publish(t, s, `3`)
	publish(t, s, `4`)
	settled(t, s, publish(t, s, `5`), 1)
	if n := rc.count(); n != 2 || !d.NextAt.Equal(clock.Now().Add(50*time.Second)) {
		t.Errorf("%d requests, the retry is due at %v", n, d.NextAt)
	}
	eventually(t, "the wait for the retry", func() bool { return clock.waitsFor(d.NextAt) })
	clock.Advance(50 * time.Second)
	settled(t, s, id, 2)
}
