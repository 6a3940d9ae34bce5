//go:build linux

package main

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

// TestAudit holds a stream against what was acknowledged: one is missing, one is there twice, one was never sent, and one was
// sent and not acknowledged.
func TestAudit(t *testing.T) {
	t.Parallel()
	server, err := startRedis(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer server.stop()
	s := openStream(server.address, streamName)
	defer s.close()
	put := func(number int, id string) {
		t.Helper()
		event := fmt.Sprintf(`{"specversion":"1.0","id":"x","subject":"6650a2af%0*d","receivedtime":"2026-11-01T12:00:00.100Z"}`, digits, number)
		if err := s.client.XAdd(t.Context(), &redis.XAddArgs{Stream: streamName, ID: id, Values: []string{"event", event}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	const noon = 1793534400_000 // 2026-11-01T12:00:00Z
	for i := range 2000 {       // more than one read
		if i != 7 {
			put(i, fmt.Sprintf("%d-%d", noon+100+min(i, 25), i))
		}
	}
	put(8, "1793534500000-0")
	put(2000, "1793534500000-1")
	put(2001, "1793534500000-2")
	acked := make([]bool, 2001)
	for i := range 2000 {
		acked[i] = true
	}
	if n, err := s.length(t.Context(), 2002); n != 2002 || err != nil {
		t.Fatalf("%d entries, %v", n, err)
	}
	got, err := s.audit(t.Context(), acked)
	if err != nil {
		t.Fatal(err)
	}
	if got.Lost != 1 || got.Doubled != 1 || got.Forged != 2 {
		t.Errorf("lost %d, doubled %d, forged %d; want 1, 1, 2", got.Lost, got.Doubled, got.Forged)
	}
	if half := got.delivery.ValueAtPercentile(50) / 1000; half != 25 {
		t.Errorf("half were delivered within %d ms, want 25", half)
	}
	for _, event := range []string{`{}`, `{"subject":"short"}`, fmt.Sprintf(`{"subject":"%0*d","receivedtime":"noon"}`, digits, 1)} {
		if err := s.client.Del(t.Context(), streamName).Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.client.XAdd(t.Context(), &redis.XAddArgs{Stream: streamName, Values: []string{"event", event}}).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.audit(t.Context(), acked); err == nil {
			t.Errorf("%s is taken for an event", event)
		}
	}
}
