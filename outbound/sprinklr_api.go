package outbound

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// sprinklrAPI is the management API. Each answer has the form that the page of its request shows: some wrap the object
// in data, some do not. The pages show no answer to a refused request; {"errors":[{"message"}]} is ours.
type sprinklrAPI struct {
	s       *Server
	cursors *sprinklrCursors
}

// sprinklrRoutes adds the API under /api/v2, with or without an environment before it, as in /prod2/api/v2.
func sprinklrRoutes(s *Server, r *mux.Router) {
	a := sprinklrAPI{s, newSprinklrCursors()}
	for _, base := range []string{"/api/v2", "/{env}/api/v2"} {
		r := r.PathPrefix(base).Subrouter()
		r.Use(s.closed("Bearer", func(w http.ResponseWriter, _ *http.Request) {
			sprinklrRefuse(w, http.StatusUnauthorized, "send the token as Authorization: Bearer <token>")
		}), sprinklrNeedsKey)

		const all = "/webhook-subscriptions"
		r.HandleFunc(all+"/webhook-types", a.types).Methods(http.MethodGet)
		r.HandleFunc(all+"/deactivate", a.deactivate).Methods(http.MethodPost)
		r.HandleFunc(all+"{slash:/?}", a.create).Methods(http.MethodPost)
		r.HandleFunc(all+"{slash:/?}", a.list).Methods(http.MethodGet)
		r.HandleFunc(all+"/{id}", a.read).Methods(http.MethodGet)
		r.HandleFunc(all+"/{id}", a.update).Methods(http.MethodPut)
		r.HandleFunc(all+"/{id}", a.remove).Methods(http.MethodDelete)
		r.HandleFunc(all+"/{id}/verify", a.verify).Methods(http.MethodPost)
		r.HandleFunc(all+"/{id}/activate", a.activate).Methods(http.MethodPost)
		r.HandleFunc(all+"/{id}/deactivate", a.deactivate).Methods(http.MethodPost)
		r.HandleFunc("/webhook-replay", a.replay).Methods(http.MethodPost)
		r.HandleFunc("/webhook-replay", a.replayOn).Methods(http.MethodGet)
	}
}

// sprinklrNeedsKey holds to the documented header with the API key. Its value is free: the token opens the API.
func sprinklrNeedsKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Key") == "" {
			sprinklrRefuse(w, http.StatusUnauthorized, "send an API key in the header Key")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sprinklrObject is a subscription as the API shows it.
type sprinklrObject struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Description   string   `json:"description"`
	Subscriptions []string `json:"subscriptions"`
	URL           string   `json:"url"`
	PreSharedKey  string   `json:"preSharedKey,omitempty"`
	Verified      bool     `json:"verified"`
	Active        bool     `json:"active"`
	LastSuccess   int64    `json:"lastSuccessTimestamp"`
	LastFailed    int64    `json:"lastFailedTimestamp"`
}

func newSprinklrObject(s *Subscription) sprinklrObject {
	st := decode[sprinklrSettings](s)
	o := sprinklrObject{
		ID: s.ID, Name: s.Name, Description: st.Description, Subscriptions: []string{}, URL: s.URL,
		Verified: st.verified(s.URL), Active: s.Active,
		LastSuccess: sprinklrMillis(s.LastSuccess), LastFailed: sprinklrMillis(s.LastFailure),
	}
	for _, name := range s.Events {
		if e, ok := sprinklrFind(name); ok && name == e.wire && e.constant != "" {
			name = e.constant
		}
		o.Subscriptions = append(o.Subscriptions, name)
	}
	for _, a := range s.Auth {
		if a.Scheme == "hub-signature" {
			o.PreSharedKey = a.Secret
		}
	}
	return o
}

// sprinklrMillis is 0 for a time that has not come.
func sprinklrMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// sprinklrData is the answer that wraps.
type sprinklrData struct {
	Data   any               `json:"data"`
	Errors []sprinklrMistake `json:"errors"`
}

type sprinklrMistake struct {
	Message string `json:"message"`
}

func sprinklrAnswer(w http.ResponseWriter, data any) {
	reply(w, http.StatusOK, sprinklrData{data, []sprinklrMistake{}})
}

func sprinklrRefuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, struct {
		Errors []sprinklrMistake `json:"errors"`
	}{[]sprinklrMistake{{message}}})
}

// failed answers an error. What is not the caller's mistake is told to the operator alone.
func (a sprinklrAPI) failed(w http.ResponseWriter, err error) {
	var problems hookgate.Problems
	switch {
	case errors.As(err, &problems):
		sprinklrRefuse(w, http.StatusBadRequest, problems.Error())
	case errors.Is(err, ErrNotFound):
		sprinklrRefuse(w, http.StatusNotFound, "there is no subscription with this id")
	case errors.Is(err, ErrFull):
		sprinklrRefuse(w, http.StatusServiceUnavailable, err.Error())
	default:
		a.s.note("a request to Sprinklr's management API failed", map[string]string{"error": err.Error()})
		sprinklrRefuse(w, http.StatusInternalServerError, "the request could not be carried out; try again")
	}
}

// body reads the request's JSON, and answers it when that fails. Unknown members are left alone, as the pages say nothing
// of refusing them.
func (a sprinklrAPI) body(w http.ResponseWriter, r *http.Request, v any) bool {
	err := readJSON(w, r, v, false)
	if err == nil {
		return true
	}
	mistake := hookgate.AsError(err)
	sprinklrRefuse(w, mistake.Code.Status(), mistake.Detail)
	return false
}

func (a sprinklrAPI) types(w http.ResponseWriter, _ *http.Request) {
	type kind struct {
		Type     string `json:"type"`
		Label    string `json:"label"`
		Category string `json:"category"`
	}
	var kinds []kind
	for _, e := range sprinklrTable {
		if e.constant != "" {
			kinds = append(kinds, kind{e.constant, e.label, e.category})
		}
	}
	sprinklrAnswer(w, kinds)
}

func (a sprinklrAPI) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name                  string             `json:"name"`
		Description           string             `json:"description"`
		Subscriptions         []string           `json:"subscriptions"`
		FilteredSubscriptions []sprinklrFiltered `json:"filteredSubscriptions"`
		URL                   string             `json:"url"`
		PreSharedKey          string             `json:"preSharedKey"`
	}
	if !a.body(w, r, &in) {
		return
	}
	sub := &Subscription{
		Provider: "sprinklr", ID: sprinklrNewID(a.s.now()), Name: in.Name, URL: in.URL, Events: sprinklrAdd(nil, in.Subscriptions),
	}
	sub.encode(sprinklrSettings{Description: in.Description, Filters: in.FilteredSubscriptions})
	if in.PreSharedKey != "" {
		sub.Auth = []Auth{{Scheme: "hub-signature", Secret: in.PreSharedKey}}
	}
	if err := a.checked(sub); err != nil {
		a.failed(w, err)
		return
	}
	if err := a.s.Create(r.Context(), sub); err != nil {
		a.failed(w, err)
		return
	}
	sprinklrAnswer(w, newSprinklrObject(sub))
}

func (a sprinklrAPI) checked(sub *Subscription) error {
	var ps hookgate.Problems
	sub.sound(a.s.providers["sprinklr"], &ps)
	sprinklrCheck(sub, &ps)
	return ps.Err()
}

// sprinklrAdd appends the events that are not there yet under any name.
func sprinklrAdd(have, more []string) []string {
	for _, name := range more {
		if !slices.ContainsFunc(have, func(h string) bool { return h == name || sprinklrSame(h, name) }) {
			have = append(have, name)
		}
	}
	return have
}

func (a sprinklrAPI) read(w http.ResponseWriter, r *http.Request) {
	sub, err := a.s.Get(r.Context(), "sprinklr", mux.Vars(r)["id"])
	if err != nil {
		a.failed(w, err)
		return
	}
	reply(w, http.StatusOK, newSprinklrObject(sub))
}

// list gives all: no paging is documented.
func (a sprinklrAPI) list(w http.ResponseWriter, _ *http.Request) {
	objects := []sprinklrObject{}
	for _, sub := range a.s.all("sprinklr") {
		objects = append(objects, newSprinklrObject(sub))
	}
	sprinklrAnswer(w, objects)
}

// update changes name, description and events, which is all that the page lists. The filters of an event go with it.
func (a sprinklrAPI) update(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name        *string  `json:"name"`
		Description *string  `json:"description"`
		Add         []string `json:"addSubscriptions"`
		Remove      []string `json:"removeSubscriptions"`
	}
	if !a.body(w, r, &in) {
		return
	}
	removed := func(name string) bool {
		return slices.ContainsFunc(in.Remove, func(gone string) bool { return gone == name || sprinklrSame(gone, name) })
	}
	a.change(w, r, mux.Vars(r)["id"], func(sub *Subscription) error {
		st := decode[sprinklrSettings](sub)
		if in.Name != nil {
			sub.Name = *in.Name
		}
		if in.Description != nil {
			st.Description = *in.Description
		}
		sub.Events = sprinklrAdd(slices.DeleteFunc(slices.Clone(sub.Events), removed), in.Add)
		st.Filters = slices.DeleteFunc(st.Filters, func(f sprinklrFiltered) bool {
			return removed(f.WebhookType) && !slices.ContainsFunc(sub.Events, func(e string) bool { return sprinklrSame(e, f.WebhookType) })
		})
		sub.encode(st)
		return a.checked(sub)
	})
}

func (a sprinklrAPI) remove(w http.ResponseWriter, r *http.Request) {
	if err := a.s.Delete(r.Context(), "sprinklr", mux.Vars(r)["id"]); err != nil {
		a.failed(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// change updates a subscription and answers its object, bare.
func (a sprinklrAPI) change(w http.ResponseWriter, r *http.Request, id string, do func(*Subscription) error) {
	sub, err := a.s.Update(r.Context(), "sprinklr", id, do)
	if err != nil {
		a.failed(w, err)
		return
	}
	reply(w, http.StatusOK, newSprinklrObject(sub))
}
