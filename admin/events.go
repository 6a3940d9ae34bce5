package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

// Events looks up what the journal holds. Both calls may take seconds, and end within a bound of their own.
type Events interface {
	// List gives events in the order asked for. It may end early where the selection fits few; then More is set.
	// ErrWrongPlace says that Place is none of a list's.
	List(ctx context.Context, q EventQuery) (EventList, error)
	// Show gives all that is known of one event. ErrUnknownEvent says that nothing is.
	Show(ctx context.Context, id string) (EventRecord, error)
}

// The answers of Events to what is not there.
var (
	ErrUnknownEvent = errors.New("no event of this id is in the journal: it was never accepted here, or the retention has taken it")
	ErrWrongPlace   = errors.New("before and after take what a list gave as next")
)

// EventQuery asks for a list.
type EventQuery struct {
	Selection
	Oldest bool   // the oldest first, which follow Place; else the newest first, which precede it
	Place  string // what an earlier list of this direction gave as Next; empty begins at that end of the journal
	Limit  int
	Data   bool // whole envelopes; else their attributes alone
}

// EventList is a part of the journal.
type EventList struct {
	Events []json.RawMessage `json:"events"` // envelopes, without data unless it was asked for
	Next   string            `json:"next"`   // where to go on in this direction
	More   bool              `json:"more"`   // whether something may be there now
}

// EventRecord is what is known of one event. What is no longer kept is left out.
type EventRecord struct {
	Event        json.RawMessage `json:"event,omitempty"`      // the envelope
	Copies       int64           `json:"copies,omitempty"`     // that came in, the first one included
	Remembered   time.Time       `json:"remembered,omitzero"`  // until when a copy counts as one
	History      []EventCopy     `json:"history,omitempty"`    // of the copies, the first 64 at most
	Quarantined  bool            `json:"quarantined,omitzero"` // a part that could not be read; it was never forwarded
	Request      *RequestHead    `json:"request,omitempty"`
	Destinations []Delivery      `json:"destinations,omitempty"`
}

// EventCopy is one time that the event came in.
type EventCopy struct {
	Received time.Time `json:"received"`
	Attempt  int       `json:"attempt"`
	Class    string    `json:"class"`
	Digest   string    `json:"digest"`            // the first 8 bytes of the SHA-256 of the payload, in hex
	Conflict bool      `json:"conflict,omitzero"` // the same attempt as the first copy, with other content
}

// RequestHead is the request that brought an event, without its body; credentials stand as [secret].
type RequestHead struct {
	ID     string      `json:"id"`
	Method string      `json:"method"`
	Target string      `json:"target"`
	Remote string      `json:"remote,omitempty"`
	Header http.Header `json:"header"`
	Bytes  int         `json:"bytes"` // of the body
}

// What has become of an event at a destination.
const (
	Delivered = "delivered" // confirmed, or passed: the journal does not tell what was there before the destination was
	Waiting   = "waiting"   // its turn has not come
	Parked    = "parked"    // it waits for another attempt, or for an earlier one of its key
	Dead      = "dead"      // a dead letter
	Unwanted  = "unwanted"  // the destination's own match or when leaves it out
)

// Delivery is what has become of an event at one destination.
type Delivery struct {
	Destination string    `json:"destination"`
	State       string    `json:"state"`
	Attempts    int       `json:"attempts,omitempty"`
	NextAt      time.Time `json:"next_at,omitzero"` // of the next attempt
	Error       string    `json:"error,omitempty"`  // of the last one
}

// eventParameters are those of the list of events.
var eventParameters = []string{"after", "before", "data", "entitytype", "from", "id", "limit", "provider", "source", "to", "type"}

func (o Options) listEvents(w http.ResponseWriter, r *http.Request) error {
	q, err := o.eventQuery(r)
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return nil
	}
	list, err := o.Events.List(r.Context(), q)
	if err != nil {
		return err
	}
	if list.Events == nil {
		list.Events = []json.RawMessage{}
	}
	return answer(w, list)
}

// eventQuery is strict: a filter with a slip in its name would show everything as if it fitted.
func (o Options) eventQuery(r *http.Request) (q EventQuery, err error) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains(eventParameters, name) {
			return q, fmt.Errorf("there is no parameter %q; there are %s", shortened(name), strings.Join(eventParameters, ", "))
		}
	}
	if query.Has("before") && query.Has("after") {
		return q, errors.New("give before, for what is older, or after, for what is newer, but not both")
	}
	if q.Limit, err = limit(query); err != nil {
		return q, err
	}
	switch query.Get("data") {
	case "", "false":
	case "true":
		q.Data = true
	default:
		return q, errors.New("data is true or false")
	}
	q.Oldest = query.Has("after")
	q.Place = query.Get("before") + query.Get("after")
	q.Selection, err = writtenQuery(query).selection(o.now())
	return q, err
}

func (o Options) showEvent(w http.ResponseWriter, r *http.Request) error {
	id := mux.Vars(r)["id"]
	if !eventID.MatchString(id) {
		complain(w, http.StatusBadRequest, fmt.Errorf("%q is not an event's id, which is 32 of 0-9 and a-f", shortened(id)))
		return nil
	}
	record, err := o.Events.Show(r.Context(), id)
	if err != nil {
		return err
	}
	return answer(w, record)
}

// now is the clock of times that are given as so long ago.
func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}
