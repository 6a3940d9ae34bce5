package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"
)

// Operator is what the pages about unreadable parts and given-up events need. Every list is in order and holds at most
// limit entries; what follows is asked for by the last sequence number seen.
type Operator interface {
	// Quarantined lists parts from the newest on, below the place before; 0 begins at the newest.
	Quarantined(ctx context.Context, before int64, limit int) ([]QuarantinedPart, error)
	// DeadLetters lists a destination's dead letters above the place after. ErrUnknownDestination says that there is none
	// of this name.
	DeadLetters(ctx context.Context, destination string, after int64, limit int) ([]DeadLetter, error)
	// Replay gives dead letters another full schedule of attempts, and says how many of those named there were.
	Replay(ctx context.Context, destination string, seqs []int64) (int, error)
}

// ErrUnknownDestination is an Operator's answer to a name that is not configured.
var ErrUnknownDestination = errors.New("no destination of this name is configured")

// QuarantinedPart is an authenticated part of a request that could not be read.
type QuarantinedPart struct {
	Seq      int64     `json:"seq"` // its place in the quarantine
	Source   string    `json:"source"`
	Provider string    `json:"provider"`
	Received time.Time `json:"received"`
	Reason   string    `json:"reason"`
	Verified string    `json:"verifiedby"`
	Part     []byte    `json:"part_base64"` // the bytes themselves may be anything
}

// DeadLetter is an event that a destination did not take.
type DeadLetter struct {
	Seq      int64           `json:"seq"`
	Attempts int             `json:"attempts"`
	Error    string          `json:"error"`
	Event    json.RawMessage `json:"event"` // the envelope
}

const (
	defaultLimit = 50
	maxLimit     = 500
	maxReplay    = 10_000 // sequence numbers in one request
)

// operate adds the routes. They show what customers wrote, so they need the token even where the other pages are open.
func (o Options) operate(router *mux.Router) {
	guarded := func(page func(http.ResponseWriter, *http.Request) error) http.Handler {
		return o.closed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(o.Token.Reveal()) == 0 {
				complain(w, http.StatusForbidden, errors.New("set admin.token: without one nobody sees events here"))
				return
			}
			if err := page(w, r); errors.Is(err, ErrUnknownDestination) {
				complain(w, http.StatusNotFound, err)
			} else if err != nil {
				complain(w, http.StatusServiceUnavailable, err)
			}
		}))
	}
	router.Handle("/v1/quarantine", guarded(o.quarantine)).Methods(http.MethodGet)
	router.Handle("/v1/dead-letters/{destination}", guarded(o.deadLetters)).Methods(http.MethodGet)
	router.Handle("/v1/dead-letters/{destination}/replay", guarded(o.replay)).Methods(http.MethodPost)
}

func (o Options) quarantine(w http.ResponseWriter, r *http.Request) error {
	before, limit, err := page(r, "before")
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return nil
	}
	parts, err := o.Operator.Quarantined(r.Context(), before, limit)
	if err != nil {
		return err
	}
	return answer(w, map[string]any{"quarantined": parts})
}

func (o Options) deadLetters(w http.ResponseWriter, r *http.Request) error {
	after, limit, err := page(r, "after")
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return nil
	}
	letters, err := o.Operator.DeadLetters(r.Context(), mux.Vars(r)["destination"], after, limit)
	if err != nil {
		return err
	}
	return answer(w, map[string]any{"dead_letters": letters})
}

func (o Options) replay(w http.ResponseWriter, r *http.Request) error {
	var asked struct {
		Seqs []int64 `json:"seqs"`
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil || len(asked.Seqs) == 0 || len(asked.Seqs) > maxReplay {
		complain(w, http.StatusBadRequest, fmt.Errorf(`send {"seqs":[...]} with 1 to %d sequence numbers of dead letters`, maxReplay))
		return nil
	}
	n, err := o.Operator.Replay(r.Context(), mux.Vars(r)["destination"], asked.Seqs)
	if err != nil {
		return err
	}
	return answer(w, map[string]int{"replayed": n})
}

// page reads where a list goes on and how much is wanted.
func page(r *http.Request, from string) (place int64, limit int, err error) {
	limit = defaultLimit
	query := r.URL.Query()
	if text := query.Get(from); text != "" {
		if place, err = strconv.ParseInt(text, 10, 64); err != nil || place < 0 {
			return 0, 0, fmt.Errorf("%s is a sequence number", from)
		}
	}
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxLimit {
			return 0, 0, fmt.Errorf("limit is from 1 to %d", maxLimit)
		}
	}
	return place, limit, nil
}

func answer(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n'))
	return nil
}

func complain(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}
