package outbound

import (
	"net/http"
	"time"
)

// State is what has become of a delivery.
type State string

// The states of a delivery.
const (
	Gathering State = "gathering" // a batch that is not full yet
	Waiting   State = "waiting"   // for its first or its next attempt
	Delivered State = "delivered"
	Failed    State = "failed" // given up; it can be sent again by hand
)

// Delivery is one request on its way to one subscription, over all its attempts.
type Delivery struct {
	Seq          int64  // its place in the log
	ID           string // a lower-case UUID; Bird's request id, SalesIQ's execution id
	Provider     string
	Subscription string
	Event        string // the native type of the first event
	Events       []Event
	State        State
	Attempts     int // made so far
	Manual       int // of these, ordered by hand
	LastStatus   int
	LastError    string
	Created      time.Time
	Updated      time.Time
	FirstAttempt time.Time // zero before it
	NextAt       time.Time // of the next attempt, while it waits
	// Frozen are the headers of the first attempt where the provider repeats them as they are.
	Frozen http.Header
}

// Attempt is one request of a delivery and what came of it.
type Attempt struct {
	Number   int // from 1
	At       time.Time
	Took     time.Duration
	Status   int    // 0 without an answer
	Error    string // why there was no answer, or why it counts as failed; empty after a success
	Response []byte // the first 4 KiB of the answer
	Manual   bool   // ordered by hand
}
