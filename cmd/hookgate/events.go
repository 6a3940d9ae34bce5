package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hookgate/hookgate/admin"
)

// eventsCommand looks at what the journal of a running gateway holds.
type eventsCommand struct {
	List   eventsListCommand   `cmd:"" help:"List events, the newest first."`
	Show   eventsShowCommand   `cmd:"" help:"Show one event: its envelope, the copies that came, the request, and what became of it at each destination."`
	Replay eventsReplayCommand `cmd:"" help:"Send events again to a destination that is through with them."`
}

// selectionFlags say which events are meant, beside their ids.
type selectionFlags struct {
	From       string   `group:"Which events" placeholder:"TIME" help:"Received then or later: such as 2026-05-01T12:00:00Z, or so long ago, such as 2h."`
	To         string   `group:"Which events" placeholder:"TIME" help:"Received before then."`
	Source     []string `sep:"," group:"Which events" placeholder:"NAME" help:"Of one of these sources."`
	Type       []string `sep:"," group:"Which events" placeholder:"GLOB" help:"Of one of these types; * stands for any run of characters."`
	EntityType []string `name:"entitytype" sep:"," group:"Which events" placeholder:"NAME" help:"Of one of these entity types."`
	Provider   []string `sep:"," group:"Which events" placeholder:"NAME" help:"Of one of these providers."`
}

// members are those of the API's selection, with the ids.
func (f selectionFlags) members(ids []string) map[string]any {
	all := make(map[string]any)
	for name, list := range map[string][]string{"id": ids, "source": f.Source, "type": f.Type, "entitytype": f.EntityType, "provider": f.Provider} {
		if len(list) > 0 {
			all[name] = list
		}
	}
	for name, text := range map[string]string{"from": f.From, "to": f.To} {
		if text != "" {
			all[name] = text
		}
	}
	return all
}

type eventsListCommand struct {
	ID    []string `sep:"," group:"Which events" placeholder:"ID" help:"With one of these ids."`
	Limit int      `default:"50" group:"Output" help:"How many at most."`
	Data  bool     `group:"Output" help:"With --json: whole envelopes, data included."`
	selectionFlags
	adminFlags
}

func (eventsListCommand) Help() string {
	return `Such as, what came of two sources within the last hour:

    hookgate events list --config hookgate.yaml --source care,chat --from 1h`
}

// Run asks for one part of the list after the other: the server gives up early on a rare selection, and is asked on.
func (c eventsListCommand) Run(ctx context.Context, m *Main) error {
	client, err := c.client(m)
	if err != nil {
		return err
	}
	if c.Limit < 1 {
		return exitError{exitUsage, errors.New("--limit is 1 or more")}
	}
	query := make(url.Values)
	for name, value := range c.members(c.ID) {
		switch value := value.(type) {
		case []string:
			query[name] = value
		case string:
			query.Set(name, value)
		}
	}
	if c.Data {
		query.Set("data", "true")
	}
	lines := newEventList(m, c.JSON)
	for left, more := c.Limit, true; more && left > 0; {
		var list admin.EventList
		query.Set("limit", strconv.Itoa(min(left, 500)))
		if err := client.call(ctx, http.MethodGet, "/v1/events?"+query.Encode(), nil, &list); err != nil {
			return err
		}
		if _, err := lines.write(list.Events); err != nil {
			return err
		}
		if err := lines.table.end(); err != nil { // a rare selection takes its time, and people see what there is
			return err
		}
		left, more = left-len(list.Events), list.More
		query.Set("before", list.Next)
	}
	return lines.end("no event fits")
}

// newEventList is a list of envelopes. What cannot be read of one stays empty in its row.
func newEventList(m *Main, asJSON bool) *list[json.RawMessage] {
	return newList(m, asJSON, func(envelope json.RawMessage) []string {
		s := summarise(envelope)
		return []string{when(s.Received), s.ID, s.Source, s.Type, s.Subject}
	}, "received", "id", "source", "type", "subject")
}

type eventsShowCommand struct {
	ID string `arg:"" help:"The event's id."`
	adminFlags
}

func (eventsShowCommand) Help() string {
	return `The ids are in the lists, in the envelopes and in the gateway's log:

    hookgate events show 0f3b6d1c2a4e5f60718293a4b5c6d7e8 -c hookgate.yaml`
}

// Run shows all that is known of an event.
func (c eventsShowCommand) Run(ctx context.Context, m *Main) error {
	client, err := c.client(m)
	if err != nil {
		return err
	}
	var said json.RawMessage
	if err := client.call(ctx, http.MethodGet, "/v1/events/"+url.PathEscape(c.ID), nil, &said); err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintln(m.Stdout, string(said))
		return err
	}
	var r admin.EventRecord
	if err := json.Unmarshal(said, &r); err != nil {
		return err
	}
	return showRecord(m, &r)
}

func showRecord(m *Main, r *admin.EventRecord) error {
	t, data := newTable(m.Stdout), json.RawMessage(nil)
	for _, a := range members(r.Event) {
		if a.name == "data" || a.name == "data_base64" {
			data = a.value
			continue
		}
		t.row(a.name, a.text())
	}
	switch {
	case r.Quarantined:
		t.row("quarantined", "it could not be read; hookgate quarantine list shows it")
	case r.Event == nil:
		t.row("event", "no longer kept")
	}
	for _, d := range r.Destinations {
		t.row("destination "+d.Destination, described(d))
	}
	if r.Copies > 0 {
		t.row("copies", fmt.Sprintf("%d, known as such until %s", r.Copies, when(r.Remembered)))
	}
	for _, c := range r.History {
		conflict := ""
		if c.Conflict {
			conflict = ", with other content than the first"
		}
		t.row("copy", fmt.Sprintf("%s, attempt %d, %s%s", when(c.Received), c.Attempt, c.Class, conflict))
	}
	if q := r.Request; q != nil {
		from := ""
		if q.Remote != "" {
			from = " from " + q.Remote
		}
		t.row("request", fmt.Sprintf("%s %s%s, %d bytes, %s", q.Method, q.Target, from, q.Bytes, q.ID))
		for _, name := range slices.Sorted(maps.Keys(q.Header)) {
			for _, value := range q.Header[name] {
				t.row("header", name+": "+value)
			}
		}
	}
	if err := t.end(); err != nil || data == nil {
		return err
	}
	_, err := fmt.Fprintf(m.Stdout, "\n%s\n", readable(indented(data)))
	return err
}

// described is a delivery in words.
func described(d admin.Delivery) string {
	words := []string{d.State}
	switch {
	case d.State == admin.Parked && d.Attempts == 0:
		words = append(words, "behind an earlier event of its key")
	case d.State == admin.Unwanted:
		words = append(words, "its match or when leaves it out")
	}
	if d.Attempts > 0 {
		words = append(words, fmt.Sprintf("attempts %d", d.Attempts))
	}
	if !d.NextAt.IsZero() {
		words = append(words, "next at "+when(d.NextAt))
	}
	if d.Error != "" {
		words = append(words, d.Error)
	}
	return strings.Join(words, ", ")
}

// indented is data for people: JSON with its lines, text as it is.
func indented(data json.RawMessage) []byte {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return []byte(text)
	}
	var b bytes.Buffer
	if json.Indent(&b, data, "", "  ") != nil {
		return data
	}
	return b.Bytes()
}

type eventsReplayCommand struct {
	ID          []string `arg:"" optional:"" help:"Ids of events."`
	Destination string   `required:"" short:"d" placeholder:"NAME" help:"Who gets them again."`
	replayFlags
	selectionFlags
	adminFlags
}

func (eventsReplayCommand) Help() string {
	return `The events keep their ids and say replayed: a consumer drops what it has had. What is still to come to the destination anyway is left out. First see what it would be, then do it:

    hookgate events replay -d orders --from 2h --dry-run -c hookgate.yaml

    hookgate events replay -d orders --from 2h -c hookgate.yaml

The gateway does it; Ctrl-C stops it there. One that was stopped is simply begun again.`
}

// Run has the gateway send events again, and waits for the end.
func (c eventsReplayCommand) Run(ctx context.Context, m *Main) error {
	return c.follow(ctx, m, c.adminFlags, c.Destination, false, c.members(c.ID))
}
