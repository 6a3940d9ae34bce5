package middleware

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
)

// Answer is what a request came to, as its observers see it once it is answered.
type Answer struct {
	Request  *http.Request
	Report   *hookgate.Report
	Status   int
	Duration time.Duration
}

// Report is the outermost middleware: it gives the request its id and its report, and shows every observer the answer.
// The id is ours alone, for a sender's could be anything; it stands in the log line and with the stored request.
func Report(now func() time.Time, observers ...func(Answer)) Middleware {
	ids := newIDs()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := now()
			rw := writers.Get().(*reportWriter)
			defer writers.Put(rw)
			*rw = reportWriter{ResponseWriter: w}
			rw.report.RequestID = ids.next()
			next.ServeHTTP(rw, r)
			if rw.status == 0 {
				rw.status = http.StatusOK // the server says so for a handler that says nothing
			}
			a := Answer{Request: r, Report: &rw.report, Status: rw.status, Duration: now().Sub(start)}
			for _, observe := range observers {
				observe(a)
			}
		})
	}
}

// writers are used again: no report outlives its request.
var writers = sync.Pool{New: func() any { return new(reportWriter) }}

// reportWriter carries the report and remembers the status.
type reportWriter struct {
	http.ResponseWriter
	report hookgate.Report
	status int
}

func (w *reportWriter) Report() *hookgate.Report    { return &w.report }
func (w *reportWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *reportWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *reportWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// ids are unique among all processes by a random start, and cheap within one by counting.
type ids struct {
	start string
	count atomic.Uint64
}

func newIDs() *ids { return &ids{start: rand.Text()[:10] + "-"} }

func (i *ids) next() string { return i.start + strconv.FormatUint(i.count.Add(1), 36) }
