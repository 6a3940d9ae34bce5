package outbound

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

// plainDelivery is a delivery as the plain API shows it.
type plainDelivery struct {
	Seq          int64          `json:"seq"`
	ID           string         `json:"id"`
	Provider     string         `json:"provider"`
	Subscription string         `json:"subscription"`
	Event        string         `json:"event"`
	State        State          `json:"state"`
	Attempts     int            `json:"attempts"`
	Manual       int            `json:"manual"`
	LastStatus   int            `json:"last_status,omitempty"`
	LastError    string         `json:"last_error,omitempty"`
	Created      time.Time      `json:"created"`
	NextAt       *time.Time     `json:"next_at,omitempty"`
	Events       []Event        `json:"events,omitempty"`
	History      []plainAttempt `json:"history,omitempty"`
}

type plainAttempt struct {
	Number   int       `json:"number"`
	At       time.Time `json:"at"`
	Took     duration  `json:"took"`
	Status   int       `json:"status,omitempty"`
	Error    string    `json:"error,omitempty"`
	Manual   bool      `json:"manual,omitempty"`
	Response string    `json:"response,omitempty"`
}

func plainOf(d *Delivery) plainDelivery {
	out := plainDelivery{
		Seq: d.Seq, ID: d.ID, Provider: d.Provider, Subscription: d.Subscription, Event: d.Event, State: d.State,
		Attempts: d.Attempts, Manual: d.Manual, LastStatus: d.LastStatus, LastError: d.LastError, Created: d.Created.UTC(),
	}
	if d.State == Waiting || d.State == Gathering {
		out.NextAt = some(d.NextAt)
	}
	return out
}

// maxSeq is the largest place in the log that a caller can name.
const maxSeq = 1<<63 - 1

func (s *Server) plainDeliveries(w http.ResponseWriter, r *http.Request) error {
	q := LogQuery{Provider: r.FormValue("provider"), Subscription: r.FormValue("subscription")}
	for _, state := range listed(r, "state") {
		switch state := State(state); state {
		case Gathering, Waiting, Delivered, Failed:
			q.States = append(q.States, state)
		default:
			return invalid{errors.New("state is gathering, waiting, delivered or failed")}
		}
	}
	q.Events = listed(r, "event")
	var err error
	if q.From, err = moment(r, "from"); err != nil {
		return err
	}
	if q.To, err = moment(r, "to"); err != nil {
		return err
	}
	if q.Before, err = number(r, "before", maxSeq); err != nil {
		return err
	}
	limit, err := number(r, "limit", 1000)
	if err != nil {
		return err
	}
	q.Limit = int(limit)
	found, err := s.Deliveries(r.Context(), q)
	if err != nil {
		return err
	}
	list := make([]plainDelivery, len(found))
	for i, d := range found {
		list[i] = plainOf(d)
	}
	reply(w, http.StatusOK, map[string]any{"deliveries": list})
	return nil
}

func listed(r *http.Request, name string) []string {
	text := r.FormValue(name)
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (s *Server) plainDelivery(w http.ResponseWriter, r *http.Request) error {
	d, attempts, err := s.Delivery(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	out := plainOf(d)
	out.Events = d.Events
	for _, a := range attempts {
		out.History = append(out.History, plainAttempt{a.Number, a.At.UTC(), duration(a.Took), a.Status, a.Error, a.Manual, strings.ToValidUTF8(string(a.Response), "\ufffd")})
	}
	reply(w, http.StatusOK, out)
	return nil
}

// maxManual is how often one delivery can be sent by hand through the plain API, our own bound.
const maxManual = 1000

// plainRetry orders one more attempt of failed deliveries.
func (s *Server) plainRetry(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		IDs []string `json:"ids"`
	}
	if err := readJSON(w, r, &in, true); err != nil {
		return invalid{err}
	}
	if len(in.IDs) == 0 || len(in.IDs) > 1000 {
		return invalid{errors.New("ids are 1 to 1000 ids of deliveries")}
	}
	skipped, err := s.Retry(r.Context(), in.IDs, maxManual)
	if err != nil {
		return err
	}
	if skipped == nil {
		skipped = []string{}
	}
	reply(w, http.StatusOK, map[string]any{"skipped": skipped})
	return nil
}

// duration is a time span as the plain API writes it, such as 10s.
type duration time.Duration

func (d duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

func (d *duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return errors.New("a time span is written as text, such as \"10s\"")
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("a time span is written with its unit, such as \"10s\" or \"5m\"")
	}
	*d = duration(span)
	return nil
}

// waits are the time spans of a schedule.
type waits []time.Duration

func (w waits) MarshalJSON() ([]byte, error) {
	list := make([]duration, len(w))
	for i, d := range w {
		list[i] = duration(d)
	}
	return json.Marshal(list)
}

func (w *waits) UnmarshalJSON(b []byte) error {
	var list []duration
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*w = make(waits, len(list))
	for i, d := range list {
		(*w)[i] = time.Duration(d)
	}
	return nil
}
