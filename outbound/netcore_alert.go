package outbound

import (
	"slices"
	"time"
)

// What an alert may hold and how often it is tried (our defaults).
const (
	netcoreKept       = 50          // failures that a mail lists; the older ones are counted
	netcoreAgain      = time.Minute // before the second attempt of a mail, doubled for each further one
	netcoreAgainAtEnd = time.Hour   // between attempts at most
)

// netcoreState is what the server keeps with the webhook: what counts towards disabling it, and the failures that the
// alerts have to tell. It is stored with the subscription and so survives a restart.
type netcoreState struct {
	Refused  int                        `json:"refused,omitempty"`  // answers that count, since the last success
	Noted    int64                      `json:"noted,omitempty"`    // number of the last failure
	Failures []netcoreFailure           `json:"failures,omitempty"` // the newest that some address was not told
	Told     map[string]netcoreRecorded `json:"told,omitempty"`     // by address
}

// netcoreFailure is a delivery that was given up, or the one whose answer disabled the webhook.
type netcoreFailure struct {
	Number   int64     `json:"number"` // from 1, without gaps
	At       time.Time `json:"at"`
	Delivery string    `json:"delivery"`
	Event    string    `json:"event"` // of the first of the batch
	Events   int       `json:"events"`
	Error    string    `json:"error"`
	Disabled bool      `json:"disabled,omitempty"`
}

// netcoreRecorded is how far the alerts to one address have come. Each address gets mails of its own, so that one that the
// mail server refuses holds up no other.
type netcoreRecorded struct {
	Number int64     `json:"number"`           // of the last failure that it was told
	Since  time.Time `json:"since,omitzero"`   // of the first that it was not; zero when it knows all
	Tries  int       `json:"tries,omitempty"`  // that failed since the last mail
	NextAt time.Time `json:"next_at,omitzero"` // not before, after one that failed
}

// netcoreObserve disables a webhook whose receiver answers from 500 up (doc; the threshold is ours) and notes what the
// alerts have to tell. An answer below 500 that is no success neither counts nor resets the count.
func netcoreObserve(s *Subscription, d *Delivery, a *Attempt, ended bool) {
	c := decode[netcoreSettings](s)
	if a.Error == "" {
		if c.State.Refused > 0 {
			c.State.Refused = 0
			s.encode(c)
		}
		return
	}
	disabled := false
	if a.Status >= 500 || c.DisableOnTimeout && netcoreTimedOut(s, a) {
		c.State.Refused++
		if most := c.disableAfter(); most > 0 && c.State.Refused >= most && s.Active {
			s.Active, disabled = false, true
			c.State.Refused = 0 // activated again, it starts anew
		}
	}
	if c.Alert.On && (ended && !a.Manual || disabled) {
		c.note(netcoreFailure{
			At: a.At, Delivery: d.ID, Event: d.Event, Events: len(d.Events),
			Error: mailLine(a.Error), Disabled: disabled,
		})
	}
	s.encode(c)
}

// netcoreTimedOut tells a time-out, of which the answer may have begun, from a connection that was refused or cut: it took
// all the time there was.
func netcoreTimedOut(s *Subscription, a *Attempt) bool {
	limit := s.Timeout
	if limit == 0 {
		limit = netcore().timeout
	}
	return a.Took >= limit
}

// note numbers a failure and keeps it for every address of the alert.
func (c *netcoreSettings) note(f netcoreFailure) {
	st := &c.State
	st.Noted++
	f.Number = st.Noted
	st.Failures = append(st.Failures, f)
	told := make(map[string]netcoreRecorded, len(c.Alert.Emails))
	for _, to := range c.Alert.Emails {
		r, known := st.Told[to]
		if !known {
			r.Number = f.Number - 1 // what was before the address came is not its
		}
		if r.Since.IsZero() {
			r.Since = f.At
		}
		told[to] = r
	}
	st.Told = told
	c.forget()
}

// forget drops the failures that every address was told, and the oldest when there are too many.
func (c *netcoreSettings) forget() {
	st := &c.State
	all := st.Noted
	for _, r := range st.Told {
		all = min(all, r.Number)
	}
	all = max(all, st.Noted-netcoreKept)
	st.Failures = slices.DeleteFunc(st.Failures, func(f netcoreFailure) bool { return f.Number <= all })
}

// due gives the addresses of the alert that have to be sent a mail now, in the order of the list.
func (c *netcoreSettings) due(now time.Time) []string {
	if !c.Alert.On {
		return nil
	}
	var due []string
	for _, to := range c.Alert.Emails {
		r := c.State.Told[to]
		if !r.Since.IsZero() && !now.Before(r.Since.Add(c.Alert.wait())) && !now.Before(r.NextAt) {
			due = append(due, to)
		}
	}
	return due
}

// stale reports whether something is kept for an alert that was turned off.
func (c *netcoreSettings) stale() bool {
	return !c.Alert.On && (len(c.State.Failures) > 0 || len(c.State.Told) > 0)
}

// untold gives what the next mail to an address lists, and how many older ones it can only count.
func (c *netcoreSettings) untold(to string) (failures []netcoreFailure, missed int64) {
	told := c.State.Told[to].Number
	for _, f := range c.State.Failures {
		if f.Number > told {
			failures = append(failures, f)
		}
	}
	if len(failures) == 0 {
		return nil, 0
	}
	missed = failures[0].Number - told - 1
	if c.Alert.Frequency == "every" {
		failures = failures[:1]
	}
	return failures, missed
}

// sent notes that an address was told of the failures up to a number.
func (c *netcoreSettings) sent(to string, number int64) {
	st := &c.State
	r, known := st.Told[to]
	if !known {
		return // taken off the list meanwhile
	}
	r = netcoreRecorded{Number: number}
	for _, f := range st.Failures {
		if f.Number > number {
			r.Since = f.At
			break
		}
	}
	st.Told[to] = r
	c.forget()
}

// postpone notes that a mail to an address failed.
func (c *netcoreSettings) postpone(to string, now time.Time) {
	r, known := c.State.Told[to]
	if !known {
		return
	}
	r.NextAt = now.Add(min(netcoreAgain<<min(r.Tries, 10), netcoreAgainAtEnd))
	r.Tries++
	c.State.Told[to] = r
}
