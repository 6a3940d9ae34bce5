package admin

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// Selection says which events are meant: those that fit everything that is given.
type Selection struct {
	IDs      []string
	From, To time.Time      // of receivedtime, From included and To not; the zero time leaves that side open
	Match    hookgate.Match // as a destination's
}

// Everything reports whether nothing is given, so that all events are meant.
func (s Selection) Everything() bool {
	m := s.Match
	return len(s.IDs)+len(m.Provider)+len(m.Source)+len(m.Type)+len(m.EntityType) == 0 && s.From.IsZero() && s.To.IsZero()
}

// The bounds of a selection: every event that is looked at is compared with all of it.
const (
	maxIDs   = 1000
	maxNames = 100 // in each other list
)

var eventID = regexp.MustCompile(`^[0-9a-f]{32}(-[0-9]+)?$`)

// written is a selection as it comes: in JSON, or in the query of a list, with the same names.
type written struct {
	ID         []string `json:"id"`
	From       string   `json:"from"`
	To         string   `json:"to"`
	Source     []string `json:"source"`
	Type       []string `json:"type"`
	EntityType []string `json:"entitytype"`
	Provider   []string `json:"provider"`
}

// selectionNames are the members of written, for hints.
const selectionNames = "id, from, to, source, type, entitytype and provider"

func writtenQuery(q url.Values) written {
	return written{
		ID: q["id"], From: q.Get("from"), To: q.Get("to"),
		Source: q["source"], Type: q["type"], EntityType: q["entitytype"], Provider: q["provider"],
	}
}

// selection reads it. Times may be given as so long before now.
func (w written) selection(now time.Time) (s Selection, err error) {
	if len(w.ID) > maxIDs {
		return s, fmt.Errorf("id: %d are too many, at most %d can be asked for at once; say what they have in common instead", len(w.ID), maxIDs)
	}
	for _, id := range w.ID {
		if !eventID.MatchString(id) {
			return s, fmt.Errorf("id: %q is not an event's id, which is 32 of 0-9 and a-f", shortened(id))
		}
	}
	for name, list := range map[string][]string{"source": w.Source, "type": w.Type, "entitytype": w.EntityType, "provider": w.Provider} {
		if len(list) > maxNames {
			return s, fmt.Errorf("%s: %d are too many, at most %d can be asked for at once", name, len(list), maxNames)
		}
		if slices.Contains(list, "") {
			return s, fmt.Errorf("%s: an empty one fits nothing; leave it out", name)
		}
	}
	if s.From, err = moment("from", w.From, now); err != nil {
		return s, err
	}
	if s.To, err = moment("to", w.To, now); err != nil {
		return s, err
	}
	if !s.From.IsZero() && !s.To.IsZero() && !s.From.Before(s.To) {
		return s, errors.New("from is not before to, so that nothing lies between them")
	}
	s.IDs = w.ID
	s.Match = hookgate.Match{Provider: w.Provider, Source: w.Source, Type: w.Type, EntityType: w.EntityType}
	return s, nil
}

// moment reads a time, or how long ago it was.
func moment(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.IsZero() {
		return time.Time{}, fmt.Errorf("%s: %q is no time; write one such as 2026-05-01T12:00:00Z, or how long ago, such as 90m or 48h", name, shortened(text))
	}
	return at, nil
}

// shortened keeps what is quoted back short.
func shortened(text string) string {
	if len(text) <= 64 {
		return text
	}
	return strings.ToValidUTF8(text[:64], "") + "…"
}
