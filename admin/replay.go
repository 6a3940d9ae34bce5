package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

// Replays sends events again that a destination is through with.
type Replays interface {
	// Begin starts a replay and returns; of a dry run it waits a few seconds for the end. ErrUnknownDestination says that
	// there is none of this name, ErrReplayRuns that one is under way to it.
	Begin(ctx context.Context, order ReplayOrder) (Replay, error)
	// List gives those that run and the last ones that have ended, the newest first.
	List() []Replay
	// Stop ends one and says how far it came; one that has ended stays as it is. ErrUnknownReplay says that there is none
	// of this id.
	Stop(ctx context.Context, id string) (Replay, error)
}

// The answers of Replays to what cannot be done.
var (
	ErrUnknownReplay = errors.New("no replay of this id is known; a restart forgets them, and what one had not sent is sent by beginning it again")
	ErrReplayRuns    = errors.New("a replay to this destination is under way; wait for its end, or stop it")
)

// ReplayOrder says what is sent again, to whom and how fast.
type ReplayOrder struct {
	Destination string
	DeadLetters bool // of the destination's dead letters; else of what it has passed in the journal
	Selection
	Rate   int // events a second
	DryRun bool
}

// The rate of a replay, in events a second.
const (
	defaultRate = 100
	maxRate     = 10_000
)

// What a replay is doing.
const (
	ReplayRunning = "running"
	ReplayDone    = "done"
	ReplayStopped = "stopped" // by an operator, or by the end of the program
	ReplayFailed  = "failed"
)

// Replay is how far one is.
type Replay struct {
	ID          string            `json:"id"`
	Destination string            `json:"destination"`
	DeadLetters bool              `json:"dead_letters"`
	DryRun      bool              `json:"dry_run"`
	Rate        int               `json:"rate"`
	State       string            `json:"state"`
	Scanned     int64             `json:"scanned"`  // events that were looked at
	Matched     int64             `json:"matched"`  // of those, what is to be sent
	Sent        int64             `json:"sent"`     // of those, what the destination's forwarding has surely taken over
	Waiting     int64             `json:"waiting"`  // in the selection, and left out because they are still to come anyway
	Unwanted    int64             `json:"unwanted"` // in the selection, and left out by the destination's own match or when
	Gone        int64             `json:"gone"`     // dead letters whose events the retention has taken
	Started     time.Time         `json:"started"`
	Ended       time.Time         `json:"ended,omitzero"`
	Error       string            `json:"error,omitempty"`
	First       []json.RawMessage `json:"first,omitempty"` // the attributes of the first ones that matched
}

// replayBody is what can be said of every replay.
type replayBody struct {
	written
	All    bool `json:"all"`
	Rate   *int `json:"rate"`
	DryRun bool `json:"dry_run"`
}

const replayNames = selectionNames + ", all, rate and dry_run"

// order reads the body. Sending everything again has to be said in so many words: it must not come of an empty one.
func (b replayBody) order(destination string, dead bool, now time.Time) (ReplayOrder, error) {
	o := ReplayOrder{Destination: destination, DeadLetters: dead, Rate: defaultRate, DryRun: b.DryRun}
	var err error
	if o.Selection, err = b.selection(now); err != nil {
		return o, err
	}
	switch everything := o.Everything(); {
	case everything && !b.All:
		return o, errors.New(`nothing says which events; give some of ` + selectionNames + `, or "all":true`)
	case b.All && !everything:
		return o, errors.New(`"all":true is given and a selection, too; leave one of them out`)
	}
	if b.Rate != nil {
		if o.Rate = *b.Rate; o.Rate < 1 || o.Rate > maxRate {
			return o, fmt.Errorf("rate is from 1 to %d events a second", maxRate)
		}
	}
	return o, nil
}

func (o Options) beginReplay(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		replayBody
		Destination string `json:"destination"`
		DeadLetters bool   `json:"dead_letters"`
	}
	if err := decode(r, &body, "destination, dead_letters, "+replayNames); err != nil {
		complain(w, http.StatusBadRequest, err)
		return nil
	}
	if body.Destination == "" {
		complain(w, http.StatusBadRequest, errors.New("destination is missing: the name of the one that gets the events again"))
		return nil
	}
	return o.begin(w, r, body.replayBody, body.Destination, body.DeadLetters)
}

func (o Options) begin(w http.ResponseWriter, r *http.Request, body replayBody, destination string, dead bool) error {
	order, err := body.order(destination, dead, o.now())
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return nil
	}
	replay, err := o.Replays.Begin(r.Context(), order)
	if err != nil {
		return err
	}
	if replay.DryRun && replay.State != ReplayRunning {
		return answer(w, replay)
	}
	w.Header().Set("Location", "/v1/replays/"+replay.ID)
	return answerAs(w, http.StatusAccepted, replay)
}

func (o Options) listReplays(w http.ResponseWriter, _ *http.Request) error {
	list := o.Replays.List()
	if list == nil {
		list = []Replay{}
	}
	return answer(w, map[string]any{"replays": list})
}

func (o Options) showReplay(w http.ResponseWriter, r *http.Request) error {
	for _, replay := range o.Replays.List() {
		if replay.ID == mux.Vars(r)["id"] {
			return answer(w, replay)
		}
	}
	return ErrUnknownReplay
}

func (o Options) stopReplay(w http.ResponseWriter, r *http.Request) error {
	replay, err := o.Replays.Stop(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	return answer(w, replay)
}

// replayDeadLetters takes the places of dead letters, which are sent again at once, or a selection of them, which makes a
// replay as any other.
func (o Options) replayDeadLetters(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		replayBody
		Seqs []int64 `json:"seqs"`
	}
	err := decode(r, &body, "seqs, or "+replayNames)
	destination := mux.Vars(r)["destination"]
	switch given := body.All || body.DryRun || body.Rate != nil || !body.empty(); {
	case err != nil:
	case body.Seqs == nil:
		return o.begin(w, r, body.replayBody, destination, true)
	case given:
		err = errors.New("give seqs alone, or a selection without them")
	case len(body.Seqs) == 0 || len(body.Seqs) > maxReplay:
		err = fmt.Errorf(`send {"seqs":[...]} with 1 to %d sequence numbers of dead letters, or {"all":true}`, maxReplay)
	default:
		n, err := o.Operator.Replay(r.Context(), destination, body.Seqs)
		if err != nil {
			return err
		}
		return answer(w, map[string]int{"replayed": n})
	}
	complain(w, http.StatusBadRequest, err)
	return nil
}

func (w written) empty() bool {
	return len(w.ID)+len(w.Source)+len(w.Type)+len(w.EntityType)+len(w.Provider) == 0 && w.From == "" && w.To == ""
}

const maxBody = 1 << 20

// decode reads the one JSON object of a body. A member that is not known is refused: an order that is half understood
// would send something else.
func decode(r *http.Request, into any, names string) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("the body broke off: %w", err)
	}
	if len(body) > maxBody {
		return fmt.Errorf("the body is larger than %d bytes", maxBody)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err = decoder.Decode(into); err == nil {
		if _, err = decoder.Token(); err == io.EOF {
			return nil
		}
		err = errors.New("something follows the object")
	}
	if err == io.EOF {
		err = errors.New("the body is empty")
	}
	return fmt.Errorf("%s; send a JSON object with some of %s", strings.TrimPrefix(err.Error(), "json: "), names)
}
