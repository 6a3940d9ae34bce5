package outbound

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// salesiqAPI is the part of SalesIQ's REST API v2 that manages webhooks. Where the pages show no method or no answer, ours
// is told at the handler.
type salesiqAPI struct{ *Server }

// routeSalesiq adds the API under the documented paths. The scheme of Authorization was seen in public code.
func routeSalesiq(s *Server, r *mux.Router) {
	api := &salesiqAPI{s}
	v2 := r.PathPrefix("/api/v2/{screenname}/webhooks").Subrouter()
	v2.Use(s.closed("Zoho-oauthtoken", func(w http.ResponseWriter, r *http.Request) {
		api.refuse(w, r, salesiqError{http.StatusUnauthorized, "unauthorized", "send the token as Authorization: Zoho-oauthtoken <token>"})
	}))
	handle := func(method, path string, h salesiqHandler) {
		v2.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			answer, err := h(w, r)
			if err != nil {
				api.refuse(w, r, err)
				return
			}
			status := answer.status
			if status == 0 {
				status = http.StatusOK
			}
			reply(w, status, answer)
		}).Methods(method)
	}
	handle(http.MethodPost, "", api.create)
	handle(http.MethodGet, "", api.list)
	handle(http.MethodGet, "/{id}", api.read)
	handle(http.MethodPut, "/{id}", api.update)
	handle(http.MethodDelete, "/{id}", api.remove)
	handle(http.MethodPost, "/{id}/keys", api.createKey)
	handle(http.MethodDelete, "/{id}/keys/{key}", api.deleteKey)
	handle(http.MethodGet, "/{id}/executions", api.executions)
	handle(http.MethodPost, "/{id}/executions", api.retryMany)
	handle(http.MethodDelete, "/{id}/executions", api.deleteExecutions)
	handle(http.MethodPost, "/{id}/executions/{execution}", api.retryOne)
}

// salesiqHandler answers a request; an error is answered in our own form, because the provider's is not documented.
type salesiqHandler func(w http.ResponseWriter, r *http.Request) (salesiqAnswer, error)

// salesiqAnswer is what every answer stands in. Summaries are printed without sync_time, that of executions without url,
// too (doc).
type salesiqAnswer struct {
	status   int
	URL      string `json:"url,omitempty"`
	Object   string `json:"object"`
	Data     any    `json:"data"`
	SyncTime string `json:"sync_time,omitempty"`
}

func (api *salesiqAPI) answer(r *http.Request, object string, data any) salesiqAnswer {
	return salesiqAnswer{URL: salesiqPath(r), Object: object, Data: data, SyncTime: salesiqMillis(api.now())}
}

// salesiqPath is the path from /api/v2 on, wherever the API is mounted.
func salesiqPath(r *http.Request) string {
	path := r.URL.Path
	if i := strings.Index(path, "/api/v2/"); i > 0 {
		path = path[i:]
	}
	return path
}

type salesiqError struct {
	status  int
	code    string
	message string
}

func (e salesiqError) Error() string { return e.message }

// refuse answers an error. What is our own fault is told to the operator, not to the caller.
func (api *salesiqAPI) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var e salesiqError
	var problems hookgate.Problems
	switch {
	case errors.As(err, &e):
	case errors.As(err, &problems):
		said := make([]string, len(problems))
		for i, p := range problems {
			p.Field = strings.TrimPrefix(p.Field, "settings.")
			said[i] = p.Error()
		}
		e = salesiqError{http.StatusBadRequest, "invalid", strings.Join(said, "\n")}
	case errors.Is(err, ErrNotFound):
		e = salesiqError{http.StatusNotFound, "not_found", "the portal has no such webhook, key or execution"}
	default:
		api.note("a request to SalesIQ's API failed", map[string]string{"path": salesiqPath(r), "error": err.Error()})
		e = salesiqError{http.StatusServiceUnavailable, "unavailable", "it could not be done now; try again"}
	}
	reply(w, e.status, map[string]any{
		"url": salesiqPath(r), "object": "error", "error": map[string]string{"code": e.code, "message": e.message},
	})
}

func salesiqInvalid(message string) error {
	return salesiqError{http.StatusBadRequest, "invalid", message}
}

// portal is the screenname of the path.
func salesiqPortal(r *http.Request) string { return mux.Vars(r)["screenname"] }

// webhook finds the one of the path. Those of other portals are not there.
func (api *salesiqAPI) webhook(r *http.Request) (*Subscription, error) {
	sub, err := api.Get(r.Context(), "salesiq", mux.Vars(r)["id"])
	if err != nil {
		return nil, err
	}
	if decode[salesiqSettings](sub).Portal != salesiqPortal(r) {
		return nil, ErrNotFound
	}
	return sub, nil
}

// salesiqOfPortal lists a portal's webhooks in order of creation.
func salesiqOfPortal(s *Server, portal string) []*Subscription {
	return slices.DeleteFunc(s.all("salesiq"), func(sub *Subscription) bool { return decode[salesiqSettings](sub).Portal != portal })
}

// salesiqMostAdministration is how many administration webhooks a portal has at most (doc).
const salesiqMostAdministration = 3

// admitSalesiq holds a portal to its number of administration webhooks.
func admitSalesiq(_ context.Context, s *Server, before, after *Subscription) error {
	was, is := decode[salesiqSettings](before), decode[salesiqSettings](after)
	if is.kind() != salesiqAdministration || (was.kind() == is.kind() && was.Portal == is.Portal) {
		return nil
	}
	there := 0
	for _, sub := range salesiqOfPortal(s, is.Portal) {
		if sub.ID != after.ID && decode[salesiqSettings](sub).kind() == salesiqAdministration {
			there++
		}
	}
	if there < salesiqMostAdministration {
		return nil
	}
	return hookgate.Problems{{Field: "settings.type", Hint: "delete or change one of them",
		Message: "a portal has at most 3 administration webhooks"}}
}

// testSalesiq repeats the call of a create for a webhook that is there.
func testSalesiq(ctx context.Context, s *Server, id string) error {
	sub, err := s.Get(ctx, "salesiq", id)
	if err != nil {
		return err
	}
	return salesiqHead(ctx, s, sub)
}

// salesiqHead makes the HEAD request of a create or a change of the URL. It must be answered exactly 200 (doc); that it
// carries no signature is our default.
func salesiqHead(ctx context.Context, s *Server, sub *Subscription) error {
	probe := *sub
	probe.Auth, probe.Headers = nil, nil
	a := s.Call(ctx, &probe, http.MethodHead, nil, nil)
	switch {
	case a.Status == http.StatusOK:
		return nil
	case a.Status != 0:
		return salesiqError{http.StatusBadRequest, "url_not_verified",
			"HEAD " + sub.URL + " was answered " + strconv.Itoa(a.Status) + "; it must be answered exactly 200"}
	}
	return salesiqError{http.StatusBadRequest, "url_not_verified", "HEAD " + sub.URL + " got no answer: " + a.Error}
}
