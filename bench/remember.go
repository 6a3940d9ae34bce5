//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// remember measures a journal that holds more and more events. The same file grows, so that ten million are written once;
// each run is beside one on a new file, because making it takes minutes in which the machine may change.
func (c *growthCommand) remember(s *setup) (grown, error) {
	signed, err := newProvider("hub-signature", s.keys)
	if err != nil {
		return grown{}, err
	}
	g := grown{axis: axis{Name: "remembered", Title: "Remembered events", X: "events in the journal",
		Said: "They are of the six days before, received a moment ago, so that none of their windows has ended. The ratio is to a new journal in the same round."}}
	path := filepath.Join(s.dir, "remembered.db")
	defer os.Remove(path)
	usual := trial{provider: signed, sources: 1, streams: 1, size: 900, batch: 1, events: c.Events}
	held := 0
	for _, n := range c.Remembered {
		if held, err = fill(path, held, n); err != nil {
			return g, err
		}
		var found []point
		var ratios []float64
		for round := range c.Rounds {
			fresh, err := s.try(usual)
			if err != nil {
				return g, err
			}
			t := usual
			t.journal, t.first = path, round*c.Events+held
			p, err := s.try(t)
			if err != nil {
				return g, err
			}
			fmt.Printf("remembered %d, round %d: %.1f us of the gateway an event, %.0f events/s, %.2f of those on a new journal, started in %.0f ms\n",
				n, round+1, p.cpu, p.rate, p.rate/fresh.rate, p.ready)
			found, ratios = append(found, p), append(ratios, p.rate/fresh.rate)
		}
		held += c.Rounds * c.Events
		point := newGrownPoint(n, c.Events, found)
		ratio := spreadOf(ratios)
		point.Ratio = &ratio
		g.Points = append(g.Points, point)
	}
	return g, nil
}

// A journal is filled by so many requests at once, which share a commit, of so many events each.
const (
	fillers = 4
	batchOf = 1000
)

// fill brings a journal that holds held events to n, by the journal's own package, and says how many it holds then.
func fill(path string, held, n int) (int, error) {
	if n <= held {
		return held, nil
	}
	j, err := journal.OpenSQLite(path, journal.Options{})
	if err != nil {
		return held, err
	}
	began, told := time.Now(), time.Now()
	src := &hookgate.Source{Name: sourceName(0), Provider: "sprinklr", Window: 7 * 24 * time.Hour}
	for held < n && err == nil {
		failed := make([]error, fillers)
		var group sync.WaitGroup
		for i := range fillers {
			first, size := held, min(batchOf, n-held)
			group.Go(func() { failed[i] = put(j, src, first, size, n) })
			held += size
		}
		group.Wait()
		err = errors.Join(failed...)
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			fmt.Printf("%d of %d events remembered after %s\n", held, n, time.Since(began).Round(time.Second))
		}
	}
	return held, errors.Join(err, j.Close())
}

// put hands a request to the journal, again where that was too slow to answer: what it has taken then is a duplicate.
func put(j *journal.SQLite, src *hookgate.Source, first, size, of int) (err error) {
	if size == 0 {
		return nil
	}
	for range 10 {
		req, events := remembered(src, first, size, of)
		if _, err = j.Accept(context.Background(), req, events); err == nil {
			return nil
		}
	}
	return err
}

// remembered is a request of small events from the six days before the measured ones. of is how many there will be.
func remembered(src *hookgate.Source, first, size, of int) (*hookgate.Request, []*hookgate.Event) {
	req := &hookgate.Request{
		ID: "fill", Method: http.MethodPost, Target: "/hooks/" + src.Name, ReceivedAt: time.Now(), Header: http.Header{"Content-Type": {"application/json"}},
	}
	var ends []int
	for i := range size {
		req.Body = fmt.Appendf(req.Body, `{"n":%d}`, first+i)
		ends = append(ends, len(req.Body))
	}
	events := make([]*hookgate.Event, size)
	start := 0
	for i, end := range ends {
		n := first + i
		at := epoch.Add(-6*24*time.Hour + time.Duration(float64(n)/float64(of)*float64(6*24*time.Hour)))
		id := fmt.Sprintf("%08x5eedbeef02%06x", at.Unix(), n&0xffffff)
		e := &hookgate.Event{
			Type: "sprinklr.case.update", Subject: fmt.Sprintf("6650a2af%0*d", digits, n), EntityType: "case", Action: "updated",
			Tenant: "6650a1f2c3d4e5f607182930", NativeID: id, Attempt: 1, Time: at, TimeSource: hookgate.TimeFromEvent,
			Identity:    []hookgate.Field{{Name: "subscriptionId", Value: "6650a1f2c3d4e5f607182930"}, {Name: "id", Value: id}, {Name: "n", Value: fmt.Sprint(n)}},
			ContentType: hookgate.JSON, Data: req.Body[start:end], IdentityTime: at.UnixMicro(),
		}
		e.Seal(src, req, nil)
		events[i] = e
		start = end
	}
	return req, events
}
