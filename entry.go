package hookgate

import "time"

// Entry is an accepted event at its place in the journal. Sequence numbers rise by one and are never used again.
type Entry struct {
	Seq   int64
	Event *Event // shared between readers: never changed
}

// Progress is what the journal remembers of one destination: everything up to Cursor is confirmed or parked.
type Progress struct {
	Cursor int64
	Parked []Parked // waiting ones only, by Seq; the dead ones stay in the journal
}

// Parked is a delivery that could not be confirmed when its turn came and that others of other keys have passed.
type Parked struct {
	Seq      int64
	Key      string // partition key: entries of one key wait for each other
	Attempts int    // made so far; 0 when it only waits for an earlier one of its key
	NextAt   time.Time
	Error    string // of the last attempt; never holds a secret
	Dead     bool   // a dead letter: no attempt is made any more until it is replayed
	Replayed bool   // sent again because somebody asked for it; the envelope says so
}

// Step is what a destination's progress changed by; a journal records it as a whole or not at all.
type Step struct {
	Cursor int64    // the new cursor; 0 leaves it
	Park   []Parked // put or replaced, by Seq
	Done   []int64  // parked ones that are confirmed now
}
