package outbound

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// BenchmarkLog asks a log of two million deliveries, or of as many as HOOKGATE_TEST_LOG says, all that can be asked.
func BenchmarkLog(b *testing.B) {
	n := 2_000_000
	if text := os.Getenv("HOOKGATE_TEST_LOG"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	path := storePath(b)
	s := open(b, path, nil, nil)
	began := time.Now()
	all := plant(b, s, n)
	b.Logf("%d planted in %v", n, time.Since(began).Round(time.Second))
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	began = time.Now()
	s = open(b, path, nil, nil)
	b.Logf("opened in %v, %d MiB", time.Since(began).Round(time.Millisecond), info.Size()>>20)
	middle, old, hour := all[n/2], all[n/10].created, time.Hour
	for _, c := range []struct {
		name string
		q    LogQuery
	}{
		{"all", LogQuery{}},
		{"provider", LogQuery{Provider: middle.provider}},
		{"subscription", LogQuery{Provider: middle.provider, Subscription: middle.sub}},
		{"failed of a subscription", LogQuery{Provider: middle.provider, Subscription: middle.sub, States: []State{Failed}}},
		{"failed of all", LogQuery{States: []State{Failed}}},
		{"event of a subscription", LogQuery{Provider: middle.provider, Subscription: middle.sub, Events: []string{middle.event}}},
		{"rare event", LogQuery{Events: []string{"event.rare"}}},
		{"an old hour", LogQuery{From: old, To: old.Add(hour)}},
		{"an old hour of a subscription", LogQuery{Provider: middle.provider, Subscription: middle.sub, From: old, To: old.Add(hour)}},
		{"an old hour of a rare event", LogQuery{Events: []string{"event.rare"}, From: old, To: old.Add(hour)}},
		{"a page in the middle", LogQuery{Provider: middle.provider, Before: middle.seq}},
	} {
		b.Run("list/"+strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Deliveries(b.Context(), c.q); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("count/"+strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Count(b.Context(), c.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	list, err := s.Deliveries(b.Context(), LogQuery{Before: middle.seq, Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("id", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, _, err := s.Delivery(b.Context(), list[i%len(list)].ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("publish", func(b *testing.B) {
		subscribe(b, s, uuid.NewString(), "http://127.0.0.1:1/", nil)
		for b.Loop() {
			publish(b, s, `1`)
		}
	})
	b.Run("chunk of retention", func(b *testing.B) {
		for b.Loop() {
			if err := s.store.change(b.Context(), func(t *tx) error {
				_, err := t.remove("SELECT seq, subscription, event, state FROM deliveries INDEXED BY by_end WHERE ended > 0 AND keep = ? AND ended <= ? ORDER BY ended LIMIT ?", 0, old.UnixMilli(), chunk)
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDelivery publishes and delivers to a receiver on the loopback, all attempts recorded.
func BenchmarkDelivery(b *testing.B) {
	for _, subs := range []int{1, 16} {
		b.Run(fmt.Sprintf("%d subscriptions", subs), func(b *testing.B) {
			rc := newReceiver(b, nil, nil)
			rc.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})
			s := open(b, storePath(b), nil, func(_ *Options, p *provider) {
				p.match = func(sub *Subscription, e *Event) bool { return sub.ID == e.Account }
			})
			for i := range subs {
				subscribe(b, s, strconv.Itoa(i), rc.URL, nil)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			payload := json.RawMessage(`{"text":"` + strings.Repeat("lorem ", 100) + `"}`)
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range 16 {
				wg.Go(func() {
					for i := w; i < b.N; i += 16 {
						if _, err := s.Publish(b.Context(), "bird", Event{Type: "sms.inbound", Account: strconv.Itoa(i % subs), Payload: payload}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			eventually(b, "all delivered", func() bool {
				n, err := s.Count(b.Context(), LogQuery{States: []State{Delivered}})
				return err == nil && n == int64(b.N)
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}
