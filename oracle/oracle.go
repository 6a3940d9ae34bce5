// Package oracle says whether a gateway kept its promise. It holds what was sent, and how that was answered, against what a
// destination has, and it knows nothing of how either came about: whatever can write the two logs can be judged by it.
package oracle

import (
	"crypto/sha256"
	"time"
)

// Digest is the SHA-256 of what must arrive unchanged.
type Digest = [sha256.Size]byte

// Sent is one attempt of a sender to deliver one event, a line of the sender's log.
type Sent struct {
	ID       string // under which the event is forwarded
	Key      string // what events must share to be kept in order
	Attempt  int    // from 1
	Digest   Digest // of this attempt's content; of several attempts, any may be the one that is forwarded
	At       time.Time
	Status   int       // of the answer; 0 without one
	Answered time.Time // zero without one
}

// Acknowledged reports whether the answer promises that the event will be delivered.
func (s Sent) Acknowledged() bool { return s.Status >= 200 && s.Status < 300 }

// Delivered is one entry of a destination, a line of its log. The order of the lines is that of the destination.
type Delivered struct {
	ID     string // empty for an entry that is no event of ours
	Digest Digest
	At     time.Time // when the destination took it; zero where it does not tell
}

// Verdict counts what became of the events of a sender's log at one destination.
type Verdict struct {
	Sent         int `json:"sent"`         // different events
	Acknowledged int `json:"acknowledged"` // of these, how many were promised
	Delivered    int `json:"delivered"`    // of those sent, how many arrived at least once

	Lost       int `json:"lost"`         // acknowledged, and not there
	Wrong      int `json:"wrong"`        // entries with other content than any attempt had
	Forged     int `json:"forged"`       // entries that nobody sent
	Doubled    int `json:"doubled"`      // entries beyond the first of their event
	OutOfOrder int `json:"out_of_order"` // events that one of their key overtook
	// Compared is how many events the order could be told of: one of their key was acknowledged before they were sent, or
	// the other way round, and both arrived. What is under way at the same time may arrive in any order.
	Compared int `json:"compared"`

	// Examples are ids of what was found, by the names above, a few of each.
	Examples map[string][]string `json:"examples,omitempty"`
}

// Kept reports whether the promise was kept: nothing lost, nothing changed, nothing forged. Doubles are within it, as at
// most the window of a destination is sent again after a crash; order has exceptions, too, which the caller knows.
func (v *Verdict) Kept() bool { return v.Lost+v.Wrong+v.Forged == 0 }

// maxExamples bounds the ids of each kind that a verdict names.
const maxExamples = 5

func (v *Verdict) found(counter *int, kind, id string) {
	*counter++
	if v.Examples == nil {
		v.Examples = make(map[string][]string)
	}
	if len(v.Examples[kind]) < maxExamples {
		v.Examples[kind] = append(v.Examples[kind], id)
	}
}
