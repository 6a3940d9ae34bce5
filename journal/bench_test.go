package journal_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// BenchmarkAccept has many callers hand in events of 900 bytes with the headers of a usual delivery. cpu-us/event is all
// the process spends, making the events included.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 32, 128, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchmark(b, callers, 0) })
	}
	b.Run("callers=128/duplicates", func(b *testing.B) { benchmark(b, 128, 100) })
}

func benchmark(b *testing.B, callers, distinct int) {
	j, err := journal.OpenSQLite(filepath.Join(b.TempDir(), "j.db"), journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	var n atomic.Int64
	src := &hookgate.Source{Name: "care", Provider: "sprinklr", Window: time.Hour}
	pad := strings.Repeat("x", 830)
	b.SetParallelism(max(1, callers/2))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if distinct > 0 {
				i %= int64(distinct)
			}
			req, events := delivery(src, i, pad)
			if _, err := j.Accept(b.Context(), req, events); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-us/event")
}

// delivery is what the pipeline hands over: 100 events to a second of their own time.
func delivery(src *hookgate.Source, i int64, pad string) (*hookgate.Request, []*hookgate.Event) {
	body := []byte(`{"id":"case-` + strconv.FormatInt(i, 10) + `","type":"case.updated","payload":{"text":"` + pad + `"}}`)
	req := &hookgate.Request{
		ID: "r-1", Method: http.MethodPost, Target: "/hooks/care?team=a%20b", Body: body, ReceivedAt: time.Now(),
		Header: http.Header{
			"Content-Type": {"application/json"}, "User-Agent": {"sender/1.0"}, "Accept-Encoding": {"gzip"},
			"Content-Length": {"900"}, "X-Hub-Signature": {strings.Repeat("ab", 32)}, "X-Forwarded-For": {"192.0.2.1"},
		},
	}
	e := &hookgate.Event{
		Type: "sprinklr.case.updated", Subject: "123456", EntityType: "case", Action: "updated", Tenant: "t1",
		NativeID: "n-1", Attempt: 1, Identity: []hookgate.Field{{Name: "id", Value: fmt.Sprint(i)}},
		ContentType: hookgate.JSON, Data: body, IdentityTime: 1700000000_000000 + i*100,
	}
	e.Seal(src, req, hookgate.Verdict{})
	return req, []*hookgate.Event{e}
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail for our own process
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
