//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/redis/go-redis/v9"
)

// stream is the Redis stream that a gateway forwards to.
type stream struct {
	client *redis.Client
	name   string
}

func openStream(address, name string) *stream {
	return &stream{client: redis.NewClient(&redis.Options{Addr: address, DisableIdentity: true}), name: name}
}

func (s *stream) close() { _ = s.client.Close() }

// patience is how long a stream may stand still while entries are missing. What is missing then is lost.
const patience = 10 * time.Second

// length waits until the stream holds n entries, or until none have come for a while, and says how many there are.
func (s *stream) length(ctx context.Context, n int64) (int64, error) {
	var last int64
	for changed := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		length, err := s.client.XLen(ctx, s.name).Result()
		if err != nil {
			return 0, err
		}
		if length >= n || time.Since(changed) > patience {
			return length, nil
		}
		if length != last {
			last, changed = length, time.Now()
		}
	}
}

// tally is what the stream held, beside what was acknowledged.
type tally struct {
	Lost    int `json:"lost"`    // acknowledged and not there
	Doubled int `json:"doubled"` // there more often than once
	Forged  int `json:"forged"`  // there, and never acknowledged
	// From the gateway's receipt of the request until the stream had the event, in microseconds; both clocks are this
	// machine's, and both count milliseconds.
	delivery *hdrhistogram.Histogram
}

// audit reads the whole stream. acked says for each event's number whether it was answered 200.
func (s *stream) audit(ctx context.Context, acked []bool) (tally, error) {
	t := tally{delivery: newHistogram()}
	seen := make([]uint8, len(acked))
	for from := "-"; ; {
		entries, err := s.client.XRangeN(ctx, s.name, from, "+", 1000).Result()
		if err != nil {
			return t, err
		}
		for _, e := range entries {
			event, _ := e.Values["event"].(string)
			i, waited, err := entry(e.ID, []byte(event))
			if err != nil {
				return t, err
			}
			if i >= len(acked) || !acked[i] {
				t.Forged++
				continue
			}
			seen[i] = min(seen[i], 254) + 1
			_ = t.delivery.RecordValue(max(waited.Microseconds(), 1)) // above a minute nothing is recorded, and the goal is missed anyway
		}
		if len(entries) < 1000 {
			break
		}
		from = "(" + entries[len(entries)-1].ID
	}
	for i, n := range seen {
		switch {
		case n > 1:
			t.Doubled++
		case n == 0 && acked[i]:
			t.Lost++
		}
	}
	return t, nil
}

// entry gives the number of an entry's event, and how long the event was under way.
func entry(id string, event []byte) (number int, waited time.Duration, err error) {
	before, _, _ := strings.Cut(id, "-")
	put, err := strconv.ParseInt(before, 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("entry %s: %w", id, err)
	}
	subject, received := attribute(event, "subject"), attribute(event, "receivedtime")
	if len(subject) < digits {
		return 0, 0, fmt.Errorf("entry %s: no subject with a number in %.300q", id, event)
	}
	number, wrong := strconv.Atoi(string(subject[len(subject)-digits:]))
	at, unreadable := time.Parse(time.RFC3339Nano, string(received))
	if err := errors.Join(wrong, unreadable); err != nil {
		return 0, 0, fmt.Errorf("entry %s: %w", id, err)
	}
	return number, time.UnixMilli(put).Sub(at), nil
}

// attribute finds a plain text in the envelope, whose attributes stand before the payload.
func attribute(event []byte, name string) []byte {
	_, rest, _ := bytes.Cut(event, []byte(`"`+name+`":"`))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return value
}
