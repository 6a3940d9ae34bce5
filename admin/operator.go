package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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

// answerWithin bounds the work on a page, since the listener gives up on an answer after ten seconds.
const answerWithin = 9 * time.Second

const (
	defaultLimit = 50
	maxLimit     = 500
	maxReplay    = 10_000 // sequence numbers in one request
)

// operate adds the routes. They show what customers wrote, so they need the token even where the other pages are open.
func (o Options) operate(router *mux.Router) {
	guarded := func(page func(http.ResponseWriter, *http.Request) error) http.Handler {
		return o.closed(o.audited(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(o.Token.Reveal()) == 0 {
				complain(w, http.StatusForbidden, errors.New("set admin.token: without one nobody sees events here"))
				return
			}
			ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
			defer cancel()
			err := page(w, r.WithContext(ctx))
			if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				err = fmt.Errorf("not done within %s, or only in part; ask for less at once: %w", answerWithin, err)
			}
			if err != nil {
				complain(w, statusOf(err), err)
			}
		})))
	}
	router.Handle("/v1/quarantine", guarded(o.quarantine)).Methods(http.MethodGet)
	router.Handle("/v1/dead-letters/{destination}", guarded(o.deadLetters)).Methods(http.MethodGet)
	router.Handle("/v1/dead-letters/{destination}/replay", guarded(o.replayDeadLetters)).Methods(http.MethodPost)
	router.Handle("/v1/failed", guarded(o.listFailed)).Methods(http.MethodGet)
	router.Handle("/v1/failed/verify", guarded(o.verifyFailed)).Methods(http.MethodPost)
	router.Handle("/v1/failed/{id}", guarded(o.showFailed)).Methods(http.MethodGet)
	router.Handle("/v1/events", guarded(o.listEvents)).Methods(http.MethodGet)
	router.Handle("/v1/events/{id}", guarded(o.showEvent)).Methods(http.MethodGet)
	router.Handle("/v1/replays", guarded(o.beginReplay)).Methods(http.MethodPost)
	router.Handle("/v1/replays", guarded(o.listReplays)).Methods(http.MethodGet)
	router.Handle("/v1/replays/{id}", guarded(o.showReplay)).Methods(http.MethodGet)
	router.Handle("/v1/replays/{id}", guarded(o.stopReplay)).Methods(http.MethodDelete)
}

// statuses are the answers to what an operator asked for in vain; anything else is a fault of ours.
var statuses = map[error]int{
	ErrUnknownDestination: http.StatusNotFound,
	ErrUnknownEvent:       http.StatusNotFound,
	ErrUnknownReplay:      http.StatusNotFound,
	ErrUnknownFailure:     http.StatusNotFound,
	ErrWrongPlace:         http.StatusBadRequest,
	ErrReplayRuns:         http.StatusConflict,
}

func statusOf(err error) int {
	for known, status := range statuses {
		if errors.Is(err, known) {
			return status
		}
	}
	return http.StatusServiceUnavailable
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

// page reads where a list goes on and how much is wanted.
func page(r *http.Request, from string) (place int64, most int, err error) {
	query := r.URL.Query()
	if text := query.Get(from); text != "" {
		if place, err = strconv.ParseInt(text, 10, 64); err != nil || place < 0 {
			return 0, 0, fmt.Errorf("%s is a sequence number", from)
		}
	}
	most, err = limit(query)
	return place, most, err
}

func limit(query url.Values) (int, error) {
	text := query.Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, fmt.Errorf("limit is from 1 to %d", maxLimit)
	}
	return n, nil
}

func answer(w http.ResponseWriter, v any) error { return answerAs(w, http.StatusOK, v) }

func answerAs(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
	return nil
}

func complain(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}
