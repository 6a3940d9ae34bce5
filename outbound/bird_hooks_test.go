package outbound

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// TestBirdExplicitFilterWins publishes to a subscription without a filter, another with one, and a third elsewhere.
func TestBirdExplicitFilterWins(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	all, explicit, elsewhere := newBirdReceiver(t, h.clock, 200), newBirdReceiver(t, h.clock, 200), newBirdReceiver(t, h.clock, 200)
	h.birdDeliverTo(t, all.URL, "")
	stopped := h.birdDeliverTo(t, explicit.URL, "", birdFilter{"channelId", "c1"})
	other := h.birdDeliverTo(t, elsewhere.URL, "")
	if _, err := h.Update(t.Context(), "bird", other.ID, func(s *Subscription) error {
		settings := decode[birdSettings](s)
		settings.Workspace = "other"
		s.encode(settings)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	publish := func(channel string) {
		t.Helper()
		ids, err := h.Publish(t.Context(), "bird", Event{Type: "channels.sms.inbound", Payload: json.RawMessage(`{"channelId":"` + channel + `"}`)})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			h.ends(t, id, Delivered)
		}
	}
	counts := func() (n [3]int) {
		for i, r := range []*birdReceiver{all, explicit, elsewhere} {
			raw, _ := r.got()
			n[i] = len(raw)
		}
		return n
	}
	publish("c1")
	if got := counts(); got != [3]int{0, 1, 1} {
		t.Errorf("what the filter wants went to %v", got)
	}
	publish("c2")
	if got := counts(); got != [3]int{1, 1, 2} {
		t.Errorf("after what it does not want: %v", got)
	}
	if _, err := h.Update(t.Context(), "bird", stopped.ID, func(s *Subscription) error { s.Active = false; return nil }); err != nil {
		t.Fatal(err)
	}
	publish("c1")
	if got := counts(); got != [3]int{2, 1, 3} {
		t.Errorf("after the one with the filter was stopped: %v", got)
	}
}

// TestBirdUnsignedTime lets a delivery wait an hour for its first attempt, whose time then stands in every attempt.
func TestBirdUnsignedTime(t *testing.T) {
	t.Parallel()
	h := newIdleBirdHost(t)
	r := newBirdReceiver(t, h.clock, 500, 200)
	h.birdDeliverTo(t, r.URL, "")
	id := h.trigger(t)
	h.clock.set(h.clock.Now().Add(time.Hour))
	h.run(t)
	h.attempted(t, id, 1)
	h.clock.set(h.clock.Now().Add(10 * time.Second))
	h.ends(t, id, Delivered)
	raw, _ := r.got()
	for i := range raw {
		if !bytes.Contains(raw[i], []byte("\r\nmessagebird-request-timestamp: 1769857200\r\n")) {
			t.Errorf("request %d is\n%s", i+1, raw[i])
		}
	}
}
