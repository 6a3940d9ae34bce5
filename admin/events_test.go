package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

const knownID = "0f3b6d1c2a4e5f60718293a4b5c6d7e8"

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// shelf answers every list with itself, and knows one event.
type shelf struct {
	asked []admin.EventQuery
	list  admin.EventList
	err   error
}

func (s *shelf) List(_ context.Context, q admin.EventQuery) (admin.EventList, error) {
	s.asked = append(s.asked, q)
	return s.list, s.err
}

func (s *shelf) Show(_ context.Context, id string) (admin.EventRecord, error) {
	if id != knownID {
		return admin.EventRecord{}, admin.ErrUnknownEvent
	}
	return admin.EventRecord{Event: json.RawMessage(`{"id":"` + id + `"}`), Destinations: []admin.Delivery{{Destination: "events", State: admin.Waiting}}}, s.err
}

func withEvents(s *shelf) admin.Options {
	return options(func(o *admin.Options) { o.Events, o.Now = s, func() time.Time { return noon } })
}

func TestEvents_Filters(t *testing.T) {
	t.Parallel()
	plain := admin.EventQuery{Limit: 50}
	with := func(change func(*admin.EventQuery)) *admin.EventQuery {
		q := plain
		change(&q)
		return &q
	}
	long := url.Values{"id": strings.Split(strings.Repeat(knownID+" ", 1001), " ")[:1001]}.Encode()
	for name, c := range map[string]struct {
		query string
		want  *admin.EventQuery // nil where it is refused
		says  string
	}{
		"nothing":          {"", &plain, ""},
		"an id":            {"id=" + knownID, with(func(q *admin.EventQuery) { q.IDs = []string{knownID} }), ""},
		"id of an attempt": {"id=" + knownID + "-2", with(func(q *admin.EventQuery) { q.IDs = []string{knownID + "-2"} }), ""},
		"lists": {"source=a&source=b&type=x.*&entitytype=case&provider=bird", with(func(q *admin.EventQuery) {
			q.Match = hookgate.Match{Source: []string{"a", "b"}, Type: []string{"x.*"}, EntityType: []string{"case"}, Provider: []string{"bird"}}
		}), ""},
		"times": {"from=2026-05-01T10:00:00%2B02:00&to=2026-05-01T11:30:00.5Z", with(func(q *admin.EventQuery) {
			q.From, q.To = noon.Add(-4*time.Hour), noon.Add(-30*time.Minute+500*time.Millisecond)
		}), ""},
		"so long ago":     {"from=90m&to=0s", with(func(q *admin.EventQuery) { q.From, q.To = noon.Add(-90*time.Minute), noon }), ""},
		"going back":      {"before=17-4", with(func(q *admin.EventQuery) { q.Place = "17-4" }), ""},
		"going on":        {"after=17", with(func(q *admin.EventQuery) { q.Place, q.Oldest = "17", true }), ""},
		"from the oldest": {"after=", with(func(q *admin.EventQuery) { q.Oldest = true }), ""},
		"limit":           {"limit=500", with(func(q *admin.EventQuery) { q.Limit = 500 }), ""},
		"data":            {"data=true", with(func(q *admin.EventQuery) { q.Data = true }), ""},
		"no data":         {"data=false", &plain, ""},

		"a slip":             {"soruce=a", nil, `no parameter "soruce"; there are after, before, data`},
		"both directions":    {"before=1&after=1", nil, "not both"},
		"limit of 0":         {"limit=0", nil, "limit is from 1 to 500"},
		"limit above":        {"limit=501", nil, "limit is from 1 to 500"},
		"data of sorts":      {"data=yes", nil, "data is true or false"},
		"no id":              {"id=care", nil, `"care" is not an event's id`},
		"id in capitals":     {"id=" + strings.ToUpper(knownID), nil, "is not an event's id"},
		"empty id":           {"id=", nil, "is not an event's id"},
		"too many ids":       {long, nil, "1001 are too many"},
		"no time":            {"from=yesterday", nil, `from: "yesterday" is no time; write one such as 2026-05-01T12:00:00Z, or how long ago`},
		"a day":              {"to=2026-05-01", nil, "to: "},
		"in the future":      {"from=-5m", nil, "from: "},
		"turned round":       {"from=1h&to=2h", nil, "from is not before to"},
		"empty between":      {"from=1h&to=1h", nil, "from is not before to"},
		"an empty source":    {"source=", nil, "source: an empty one"},
		"too many types":     {strings.Repeat("type=a&", 101), nil, "type: 101 are too many"},
		"a long wrong value": {"from=" + strings.Repeat("x", 5000), nil, "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{}
			rec := ask(withEvents(s), http.MethodGet, "/v1/events?"+c.query, "Bearer "+token)
			if c.want == nil {
				var said map[string]string
				if err := json.Unmarshal(rec.Body.Bytes(), &said); err != nil || rec.Code != http.StatusBadRequest || !strings.Contains(said["error"], c.says) || len(said["error"]) > 400 || len(s.asked) > 0 {
					t.Errorf("%d %s, asked %v", rec.Code, rec.Body, s.asked)
				}
				return
			}
			if rec.Code != http.StatusOK || len(s.asked) != 1 || !same(s.asked[0], *c.want) {
				t.Errorf("%d %s: asked %+v, want %+v", rec.Code, rec.Body, s.asked, *c.want)
			}
		})
	}
}

// same compares queries, times by what they mean.
func same(a, b admin.EventQuery) bool {
	equal := a.From.Equal(b.From) && a.To.Equal(b.To)
	a.From, a.To, b.From, b.To = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return equal && reflect.DeepEqual(a, b)
}

func TestEvents_Answers(t *testing.T) {
	t.Parallel()
	list := admin.EventList{Events: []json.RawMessage{json.RawMessage(`{"id":"1"}`)}, Next: "9", More: true}
	for name, c := range map[string]struct {
		shelf  *shelf
		path   string
		status int
		body   string // in it
	}{
		"a list":         {&shelf{list: list}, "/v1/events", 200, `{"events":[{"id":"1"}],"next":"9","more":true}`},
		"an empty list":  {&shelf{}, "/v1/events", 200, `{"events":[],"next":"","more":false}`},
		"a wrong place":  {&shelf{err: fmt.Errorf("%w", admin.ErrWrongPlace)}, "/v1/events?before=x", 400, "what a list gave as next"},
		"a broken list":  {&shelf{err: errors.New("the disk is gone")}, "/v1/events", 503, "the disk is gone"},
		"an event":       {&shelf{}, "/v1/events/" + knownID, 200, `{"event":{"id":"` + knownID + `"},"destinations":[{"destination":"events","state":"waiting"}]}`},
		"unknown":        {&shelf{}, "/v1/events/" + strings.Repeat("0", 32), 404, "no event of this id"},
		"no id":          {&shelf{}, "/v1/events/latest", 400, "is not an event's id"},
		"a broken event": {&shelf{err: errors.New("the disk is gone")}, "/v1/events/" + knownID, 503, "the disk is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := ask(withEvents(c.shelf), http.MethodGet, c.path, "Bearer "+token)
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.body) || rec.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %s, want %d %s", rec.Code, rec.Body, c.status, c.body)
			}
		})
	}
}
