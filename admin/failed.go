package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"
)

// Failures are deliveries that failed authentication and are kept in memory, so that a mended secret can still prove them.
type Failures interface {
	// List gives those of a source, or of all where it is empty, the newest first, without their bodies.
	List(source string) []FailedDelivery
	// Show gives one with its body. ErrUnknownFailure says that it is not there.
	Show(id string) (FailedDelivery, error)
	// Verify judges deliveries again, as of their receipt, and accepts those that are proved now; no ids stands for all of a
	// source, no source for all. What is accepted is no longer kept.
	Verify(ctx context.Context, ids []string, source string) FailedAgain
}

// ErrUnknownFailure is an answer to an id that is not kept.
var ErrUnknownFailure = errors.New("no failed delivery of this id is kept: a source keeps as many as its quarantine_failed says, in memory, and newer ones push out older ones")

// FailedDelivery is a delivery that nothing proved. Credentials stand as [secret].
type FailedDelivery struct {
	ID        string      `json:"id"`
	Source    string      `json:"source"`
	Received  time.Time   `json:"received"`
	Remote    string      `json:"remote"`
	Reason    string      `json:"reason"`
	Detail    string      `json:"detail"`
	Diagnosis string      `json:"diagnosis,omitempty"` // a moment later than the rest
	Finding   string      `json:"finding,omitempty"`
	Hint      string      `json:"hint,omitempty"`
	Method    string      `json:"method"`
	Target    string      `json:"target"`
	Header    http.Header `json:"header"`
	Bytes     int         `json:"bytes"`
	Body      []byte      `json:"body_base64,omitempty"`
}

// FailedAgain is what came of judging deliveries again.
type FailedAgain struct {
	Tried       int              `json:"tried"`
	Accepted    int              `json:"accepted"`
	Duplicate   int              `json:"duplicate"`   // the provider had sent it again meanwhile
	Quarantined int              `json:"quarantined"` // proved, and unreadable
	Failing     []FailedDelivery `json:"failing"`     // still; without their bodies
}

func (o Options) listFailed(w http.ResponseWriter, r *http.Request) error {
	list := o.Failures.List(r.URL.Query().Get("source"))
	if list == nil {
		list = []FailedDelivery{}
	}
	return answer(w, map[string]any{"failed": list})
}

func (o Options) showFailed(w http.ResponseWriter, r *http.Request) error {
	failed, err := o.Failures.Show(mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	return answer(w, failed)
}

// verifyFailed takes ids, a source, or all in so many words.
func (o Options) verifyFailed(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		IDs    []string `json:"ids"`
		Source string   `json:"source"`
		All    bool     `json:"all"`
	}
	err := decode(r, &body, "ids, source and all")
	given := 0
	for _, is := range []bool{len(body.IDs) > 0, body.Source != "", body.All} {
		if is {
			given++
		}
	}
	if err == nil && given != 1 {
		err = errors.New(`give one of "ids":[...], "source":"NAME" and "all":true`)
	}
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return nil
	}
	return answer(w, o.Failures.Verify(r.Context(), body.IDs, body.Source))
}
