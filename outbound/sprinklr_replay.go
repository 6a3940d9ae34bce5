package outbound

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// The bounds of a page are not documented. The size of the provider's sample is what we take when none is given.
const (
	sprinklrPage      = 10
	sprinklrPageMost  = 1000
	sprinklrPageBytes = 8 << 20 // a page of large events ends early
	sprinklrChunk     = 100     // read from the log at once
	sprinklrCursorsIn = 1000    // remembered; the oldest is forgotten
)

// sprinklrWanted is what a chain of pages lists, and how far it is.
type sprinklrWanted struct {
	subscription string
	from, to     time.Time // the first included, the second not
	size         int
	before       int64 // Seq of the last event of the page before
}

// sprinklrCursors remembers what each cursor continues, because a cursor has room for 12 bytes only. It is not stored: a
// restart ends all chains, and the caller begins anew.
type sprinklrCursors struct {
	mu     sync.Mutex
	wanted map[string]sprinklrWanted
	order  []string
}

func newSprinklrCursors() *sprinklrCursors {
	return &sprinklrCursors{wanted: map[string]sprinklrWanted{}}
}

// put gives the cursor of the next page. It stays good for reading that page again.
func (c *sprinklrCursors) put(w sprinklrWanted) string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // it never fails
	cursor := hex.EncodeToString(random[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.order) == sprinklrCursorsIn {
		delete(c.wanted, c.order[0])
		c.order = c.order[1:]
	}
	c.wanted[cursor] = w
	c.order = append(c.order, cursor)
	return cursor
}

func (c *sprinklrCursors) get(cursor string) (sprinklrWanted, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.wanted[cursor]
	return w, ok
}

// replay lists the events of a subscription that were sent, or are to be, as they were in the log between two times, both
// included. What statuses selects is not documented: they are held to the two words of the page and select nothing.
func (a sprinklrAPI) replay(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Subscription string      `json:"subscriptionId"`
		Start        json.Number `json:"startTime"` // text in the sample; a number is taken, too
		End          json.Number `json:"endTime"`
		Size         *int        `json:"size"`
		Statuses     []string    `json:"statuses"`
	}
	if !a.body(w, r, &in) {
		return
	}
	wanted := sprinklrWanted{subscription: in.Subscription, size: sprinklrPage}
	var fits bool
	if wanted.from, wanted.to, fits = sprinklrRange(in.Start, in.End); !fits {
		sprinklrRefuse(w, http.StatusBadRequest, "startTime and endTime are not epoch milliseconds, the earlier one first")
		return
	}
	if in.Size != nil {
		wanted.size = *in.Size
	}
	if wanted.size < 1 || wanted.size > sprinklrPageMost {
		sprinklrRefuse(w, http.StatusBadRequest, "size is not 1 to 1000")
		return
	}
	for _, status := range in.Statuses {
		if status != "ACTIVE" && status != "INACTIVE" {
			sprinklrRefuse(w, http.StatusBadRequest, "statuses are ACTIVE and INACTIVE")
			return
		}
	}
	a.page(w, r, wanted)
}

// sprinklrRange reads both ends, between the years 1970 and 9999. The last millisecond belongs to the range.
func sprinklrRange(start, end json.Number) (from, to time.Time, ok bool) {
	const last = 253402300799999
	f, errFrom := start.Int64()
	t, errTo := end.Int64()
	if errFrom != nil || errTo != nil || f < 0 || t > last || f > t {
		return from, to, false
	}
	return time.UnixMilli(f), time.UnixMilli(t + 1), true
}

// replayOn gives the next page of a chain.
func (a sprinklrAPI) replayOn(w http.ResponseWriter, r *http.Request) {
	wanted, ok := a.cursors.get(r.URL.Query().Get("cursor"))
	if !ok {
		sprinklrRefuse(w, http.StatusNotFound, "this cursor is not, or no longer, known: begin again with a POST")
		return
	}
	a.page(w, r, wanted)
}

// page answers one page, newest first: the order is not documented. The last one has an empty cursor.
func (a sprinklrAPI) page(w http.ResponseWriter, r *http.Request, wanted sprinklrWanted) {
	if _, err := a.s.Get(r.Context(), "sprinklr", wanted.subscription); err != nil {
		a.failed(w, err)
		return
	}
	var out struct {
		Results []string `json:"results"`
		Cursor  string   `json:"cursor"`
	}
	out.Results = []string{}
	more := func(limit int) ([]*Delivery, error) {
		return a.s.Deliveries(r.Context(), LogQuery{
			Provider: "sprinklr", Subscription: wanted.subscription, From: wanted.from, To: wanted.to, Before: wanted.before, Limit: limit,
		})
	}
	for bytes := 0; len(out.Results) < wanted.size && bytes < sprinklrPageBytes; {
		limit := min(wanted.size-len(out.Results), sprinklrChunk)
		deliveries, err := more(limit)
		if err != nil {
			a.failed(w, err)
			return
		}
		full := len(deliveries) == limit
		for _, d := range deliveries {
			_, body, err := sprinklrWrite(&Subscription{ID: d.Subscription}, d, 1)
			if err != nil {
				a.failed(w, err)
				return
			}
			out.Results = append(out.Results, string(body))
			bytes += len(body)
			wanted.before = d.Seq
			if bytes >= sprinklrPageBytes {
				full = true
				break
			}
		}
		if !full {
			sprinklrAnswer(w, out)
			return
		}
	}
	next, err := more(1)
	if err != nil {
		a.failed(w, err)
		return
	}
	if len(next) > 0 {
		out.Cursor = a.cursors.put(wanted)
	}
	sprinklrAnswer(w, out)
}
