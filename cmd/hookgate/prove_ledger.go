package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/oracle"
	"github.com/hookgate/hookgate/outbound"
)

// ledger is the sender's log while it is written, and what is counted beside it.
type ledger struct {
	failed chan error // what makes the run pointless; has room for one

	mu           sync.Mutex
	requests     int
	again        int // requests after the first of a delivery
	acknowledged int // requests
	refused      int // requests that were answered as a mistake of the sender
	unreadable   int // events of ours that the gateway keeps in quarantine
	answers      map[string]int
	latencies    *hdrhistogram.Histogram // microseconds
}

const maxProvenLatency = time.Minute

// noAnswer is what a request without one is counted under.
const noAnswer = "none"

// hopeless is how many deliveries may be refused before the first is taken.
const hopeless = 20

func newLedger() *ledger {
	return &ledger{failed: make(chan error, 1), answers: make(map[string]int), latencies: hdrhistogram.New(1, maxProvenLatency.Microseconds(), 3)}
}

func (l *ledger) fail(err error) {
	select {
	case l.failed <- err:
	default: // the first one is the one to tell
	}
}

// record enters a request: for each destination the events that it is to get of it.
func (l *ledger) record(s *provenSource, destinations []*provenDestination, x outbound.Exchange) {
	events, err := expected(s.reads, x.Target, x.Header, x.Body, x.At)
	if err != nil {
		l.fail(fmt.Errorf("source %s would not take what was sent to it: %w", s.Name, err))
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(x)
	if l.acknowledged == 0 && l.refused >= hopeless {
		l.fail(fmt.Errorf("the first %d deliveries were answered %d at %s; see that the gateway there has this configuration", hopeless, x.Status, x.Target))
	}
	for _, e := range events {
		if e.Quarantine != "" {
			l.unreadable++
			continue
		}
		for _, d := range destinations {
			if d.wants(e) {
				d.sent = append(d.sent, sentOf(e, x.Attempt, x.At, x.Status, x.Answered))
			}
		}
	}
}

func (l *ledger) count(x outbound.Exchange) {
	l.requests++
	if x.Attempt > 1 {
		l.again++
	}
	answer := noAnswer
	if x.Status != 0 {
		answer = strconv.Itoa(x.Status)
		_ = l.latencies.RecordValue(min(x.Took, maxProvenLatency).Microseconds()) // in range
	}
	l.answers[answer]++
	switch {
	case x.Status >= 200 && x.Status < 300:
		l.acknowledged++
	case x.Status >= 400 && x.Status < 500 && x.Status != http.StatusTooManyRequests:
		l.refused++
	}
}

// sofar is a copy of the counts.
func (l *ledger) sofar() (requests, acknowledged int, answers map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests, l.acknowledged, maps.Clone(l.answers)
}

// expected are the events that a source makes of a request.
func expected(src *hookgate.Source, target string, header http.Header, body []byte, at time.Time) ([]*hookgate.Event, error) {
	req := &hookgate.Request{Method: http.MethodPost, Target: target, Header: make(http.Header, len(header)), Body: body, ReceivedAt: at}
	for name, values := range header { // a provider may write the names in lower case
		for _, value := range values {
			req.Header.Add(name, value)
		}
	}
	verdict, err := hookgate.Authenticate(context.Background(), src.Verifiers, req, at)
	if err != nil {
		return nil, err
	}
	events := src.Reader.Normalize(req, verdict)
	for _, e := range events {
		e.Seal(src, req, verdict)
	}
	return events, nil
}

// sentOf is the line of the sender's log for an event of a request.
func sentOf(e *hookgate.Event, attempt int, at time.Time, status int, answered time.Time) oracle.Sent {
	s := oracle.Sent{
		ID: e.ID, Key: e.PartitionKey, Attempt: attempt, At: at, Status: status,
		Digest: oracle.DigestOf(e.RawSHA256, e.ContentType, e.Data),
	}
	if status != 0 {
		s.Answered = answered
	}
	return s
}
