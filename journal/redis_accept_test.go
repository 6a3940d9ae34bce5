package journal_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// TestRedisClasses is the table of the suite that every journal is held to, in both forms of markers.
func TestRedisClasses(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	for _, compact := range []bool{false, true} {
		for _, c := range []struct {
			name     string
			attempts []int
			want     []hookgate.Class
		}{
			{"replay", []int{1, 1, 1}, []hookgate.Class{hookgate.First, hookgate.Replay, hookgate.Replay}},
			{"retry", []int{1, 2, 3, 2}, []hookgate.Class{hookgate.First, hookgate.Retry, hookgate.Retry, hookgate.Replay}},
			{"recovered", []int{2, 1, 1, 2, 3}, []hookgate.Class{hookgate.Recovered, hookgate.Late, hookgate.Replay, hookgate.Replay, hookgate.Retry}},
			{"many", []int{63, 64, 100, 64, 100, 63, 2}, []hookgate.Class{hookgate.Recovered, hookgate.Retry, hookgate.Retry, hookgate.Late, hookgate.Replay, hookgate.Replay, hookgate.Late}},
		} {
			t.Run(fmt.Sprintf("%s/compact=%t", c.name, compact), func(t *testing.T) {
				t.Parallel()
				j := openRedis(t, server.url(), journal.RedisOptions{Shards: 1, Prefix: t.Name(), Compact: compact})
				for i, attempt := range c.attempts {
					if got := accept(t, j, start, part{id: "e", attempt: attempt})[0]; got.Class != c.want[i] || got.Seq != 1 {
						t.Errorf("copy %d, attempt %d: %+v, want %s at 1", i, attempt, got, c.want[i])
					}
				}
			})
		}
	}
}

// BenchmarkRedisAccept has 256 callers hand in events of 900 bytes, on a server that syncs as its name says.
func BenchmarkRedisAccept(b *testing.B) {
	for _, fsync := range []string{"always", "everysec"} {
		for _, compact := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/compact=%t", fsync, compact), func(b *testing.B) { benchmarkRedis(b, 0, fsync, compact) })
		}
		b.Run(fsync+"/duplicates", func(b *testing.B) { benchmarkRedis(b, 100, fsync, false) })
	}
}

func benchmarkRedis(b *testing.B, distinct int64, fsync string, compact bool) {
	server := startRedis(b, "--appendfsync", fsync)
	j := openRedis(b, server.url(), journal.RedisOptions{Compact: compact})
	var n atomic.Int64
	src := &hookgate.Source{Name: "care", Provider: "sprinklr", Window: time.Hour}
	pad := strings.Repeat("x", 830)
	b.SetParallelism(128)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if distinct > 0 {
				i %= distinct
			}
			req, events := delivery(src, i, pad)
			events[0].PartitionKey = fmt.Sprint(i)
			if _, err := j.Accept(context.Background(), req, events); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-us/event")
}
