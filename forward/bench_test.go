package forward_test

import (
	"context"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

type sink struct{}

func (sink) Publish(_ context.Context, batch []hookgate.Entry) []error {
	return make([]error, len(batch))
}
func (sink) Close() error { return nil }

func benchmark(b *testing.B, s hookgate.DestinationSettings, d forward.Destination, l forward.Limits, delay time.Duration) {
	benchmarkKeys(b, s, d, l, delay, 1000)
}

func benchmarkKeys(b *testing.B, s hookgate.DestinationSettings, d forward.Destination, l forward.Limits, delay time.Duration, keys int) {
	j := newJournal()
	j.delay = delay
	all := events(b.N, keys)
	for _, e := range all {
		e.Data = []byte(`{"text":"` + string(make900) + `"}`)
	}
	j.append(all...)
	f := forward.NewForwarder(s, d, j, j, forward.WithLimits(l))
	b.ReportAllocs()
	b.ResetTimer()
	stop := start(b, f)
	defer stop()
	eventually(b, "all settled", func() bool { return j.settled(s.Name, b.N) })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

var make900 = func() []byte {
	text := make([]byte, 880)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	return text
}()

func BenchmarkEngine(b *testing.B) {
	for name, l := range map[string]forward.Limits{"serial": forward.LimitsOf("redis-stream"), "keyed": forward.LimitsOf("http")} {
		b.Run(name, func(b *testing.B) { benchmark(b, settings("d"), sink{}, l, 0) })
	}
}

// BenchmarkShared is the same with the wrapper of many forwarders in between, of which one is running.
func BenchmarkShared(b *testing.B) {
	for name, l := range map[string]forward.Limits{"serial": forward.LimitsOf("redis-stream"), "keyed": forward.LimitsOf("http")} {
		b.Run(name, func(b *testing.B) {
			benchmark(b, settings("d"), shared(b, sink{}, settings("d"), l), l, 0)
		})
	}
}

// BenchmarkShards is sixteen forwarders over one destination.
func BenchmarkShards(b *testing.B) {
	const shards = 16
	l := forward.LimitsOf("redis-stream")
	sh := shared(b, sink{}, settings("d"), l)
	s := settings("d")
	s.Window = 1024
	journals := make([]*journal, shards)
	for i := range journals {
		journals[i] = newJournal()
		journals[i].append(events(b.N/shards+1, 100)...)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, j := range journals {
		stop := start(b, forward.NewForwarder(s, sh, j, j, forward.WithShards(shards)))
		defer stop()
	}
	for _, j := range journals {
		eventually(b, "all settled", func() bool { return j.settled(s.Name, b.N/shards+1) })
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkWhen is the engine with an expression that does not look at the payload, and one that has to parse it.
func BenchmarkWhen(b *testing.B) {
	for name, expression := range map[string]string{"attributes": `type.startsWith("salesiq.")`, "data": `data.text != ""`} {
		b.Run(name, func(b *testing.B) {
			s := settings("d")
			s.When = expression
			benchmark(b, s, sink{}, forward.LimitsOf("redis-stream"), 0)
		})
	}
}

func BenchmarkRedisStream(b *testing.B) {
	for name, delay := range map[string]time.Duration{"record at once": 0, "record 5ms": 5 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			s := hookgate.DestinationSettings{Name: "r", Type: "redis-stream", URL: literal(redisURL(b)), Stream: "bench", MaxLen: 10000}
			d, err := forward.New(s, forward.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			benchmark(b, s, d, forward.LimitsOf(s.Type), delay)
		})
	}
}
