package hookgate

// Kind is the one word for what became of an authenticated request, the value of the header Hookgate-Outcome.
type Kind string

// The kinds.
const (
	Probe      Kind = "probe"
	Accepted   Kind = "accepted"
	Duplicate  Kind = "duplicate"
	Quarantine Kind = "quarantined"
)

// Outcome is what Receive did.
type Outcome struct {
	Kind    Kind
	Verdict Verdict
	Events  []*Event
	Results []Result // one per event, in order
}

// only is the one event of a request, if it carries exactly one; parts that could not be read are no events.
func (o Outcome) only() (one *Event, ok bool) {
	for _, e := range o.Events {
		if e.Quarantine != "" {
			continue
		}
		if one != nil {
			return nil, false
		}
		one = e
	}
	return one, one != nil
}

// Class says how an event that comes again relates to what came before.
type Class string

// The classes. An event that is new is First, or Recovered when its first copy to arrive is not its first attempt.
const (
	First     Class = "first"
	Recovered Class = "recovered"
	Replay    Class = "replay" // an attempt that was here before
	Retry     Class = "retry"  // a higher attempt than any before
	Late      Class = "late"   // a lower attempt that was not here before
)

// Classes lists every class, for metrics that must exist before they happen.
func Classes() []Class { return []Class{First, Recovered, Replay, Retry, Late} }

// Result is what the journal did with one event.
type Result struct {
	Class Class
	Seq   int64 // where it stands in the journal; 0 where only its marker is left, or for a quarantined part
	// Conflict reports that a copy came with the attempt of an earlier one but with other content.
	Conflict bool
}

// New reports whether this copy is the one that is forwarded.
func (r Result) New() bool { return r.Class == First || r.Class == Recovered }

// kindOf sums up a request: accepted if any event is new, else quarantined if any part was, else duplicate.
func kindOf(events []*Event, results []Result) Kind {
	kind := Duplicate
	for i, e := range events {
		switch {
		case e.Quarantine != "":
			kind = Quarantine
		case results[i].New():
			return Accepted
		}
	}
	return kind
}
