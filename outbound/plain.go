package outbound

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// plainRoutes adds our own API: what triggers events, what a provider offers in its console only, and the log. It is the
// same for every provider and documented in docs/outbound.md.
func (s *Server) plainRoutes(r *mux.Router) {
	v1 := r.PathPrefix("/v1").Subrouter()
	v1.Use(s.closed("Bearer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		plainError(w, http.StatusUnauthorized, "unauthorized", "send the token of outbound.token as Authorization: Bearer <token>", nil)
	}))
	handle := func(method, path string, h func(w http.ResponseWriter, r *http.Request) error) {
		v1.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.plainFailure(w, err)
			}
		}).Methods(method)
	}
	of := func(method, path string, h func(w http.ResponseWriter, r *http.Request, name string, p provider) error) {
		handle(method, "/subscriptions/{provider}"+path, func(w http.ResponseWriter, r *http.Request) error {
			name := mux.Vars(r)["provider"]
			p, ok := s.providers[name]
			if !ok {
				return unknownProvider(name)
			}
			return h(w, r, name, p)
		})
	}
	handle(http.MethodGet, "/providers", s.plainProviders)
	handle(http.MethodPost, "/events", s.plainPublish)
	of(http.MethodGet, "", s.plainList)
	of(http.MethodPost, "", s.plainCreate)
	of(http.MethodGet, "/{id}", s.plainGet)
	of(http.MethodPatch, "/{id}", s.plainChange)
	of(http.MethodDelete, "/{id}", s.plainDelete)
	of(http.MethodPost, "/{id}/test", s.plainTest)
	handle(http.MethodGet, "/deliveries", s.plainDeliveries)
	handle(http.MethodGet, "/deliveries/{id}", s.plainDelivery)
	handle(http.MethodPost, "/deliveries/retry", s.plainRetry)
}

// The plain API's errors beside those of the store.
type (
	unknownProvider string
	invalid         struct{ err error }
)

func (p unknownProvider) Error() string { return "there is no provider " + strconv.Quote(string(p)) }
func (i invalid) Error() string         { return i.err.Error() }
func (i invalid) Unwrap() error         { return i.err }

// plainFailure answers an error. What is not the caller's fault is told to the operator, too.
func (s *Server) plainFailure(w http.ResponseWriter, err error) {
	var problems hookgate.Problems
	var bad invalid
	var unknown unknownProvider
	switch {
	case errors.As(err, &problems):
		plainError(w, http.StatusUnprocessableEntity, "invalid", "the subscription is not valid", problems)
	case errors.Is(err, ErrConflict):
		plainError(w, http.StatusConflict, "conflict", err.Error(), nil)
	case errors.As(err, &bad):
		plainError(w, http.StatusBadRequest, "invalid", err.Error(), nil)
	case errors.As(err, &unknown), errors.Is(err, ErrNotFound):
		plainError(w, http.StatusNotFound, "not_found", err.Error(), nil)
	case errors.Is(err, ErrFull):
		w.Header().Set("Retry-After", "60")
		plainError(w, http.StatusServiceUnavailable, "full", err.Error(), nil)
	default:
		s.note("a request to the outbound API failed", map[string]string{"error": err.Error()})
		plainError(w, http.StatusServiceUnavailable, "unavailable", "it could not be done now; try again", nil)
	}
}

func plainError(w http.ResponseWriter, status int, code, message string, problems hookgate.Problems) {
	type problem struct {
		Field   string `json:"field"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
	}
	answer := struct {
		Code     string    `json:"code"`
		Message  string    `json:"message"`
		Problems []problem `json:"problems,omitempty"`
	}{Code: code, Message: message}
	for _, p := range problems {
		answer.Problems = append(answer.Problems, problem{p.Field, p.Message, p.Hint})
	}
	reply(w, status, answer)
}

func (s *Server) plainProviders(w http.ResponseWriter, _ *http.Request) error {
	type facts struct {
		Provider string   `json:"provider"`
		Events   []string `json:"events"`
		Schemes  []string `json:"schemes"`
		Timeout  duration `json:"timeout"`
		Retries  waits    `json:"retries"`
	}
	list := []facts{}
	for _, name := range Providers() {
		p := s.providers[name]
		list = append(list, facts{name, p.events, p.schemes, duration(p.timeout), waits(p.retries)})
	}
	reply(w, http.StatusOK, map[string]any{"providers": list})
	return nil
}

// plainPublish triggers an event: the caller's own, or a made-up one of the given type.
func (s *Server) plainPublish(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Provider string `json:"provider"`
		Event
		Sample bool   `json:"sample"` // make up what a real one would hold
		Seed   uint64 `json:"seed"`   // the same seed makes the same sample
	}
	if err := readJSON(w, r, &in, true); err != nil {
		return invalid{err}
	}
	p, ok := s.providers[in.Provider]
	if !ok {
		return invalid{unknownProvider(in.Provider)}
	}
	e := in.Event
	if in.Sample {
		if !slices.Contains(p.events, e.Type) {
			return invalid{errors.New("there is no sample of " + strconv.Quote(e.Type) + "; GET /v1/providers lists the events")}
		}
		at := e.Time
		if at.IsZero() {
			at = s.now()
		}
		seed := in.Seed
		if seed == 0 {
			seed = rand.Uint64()
		}
		e = p.sample(rand.New(rand.NewPCG(seed, 0)), e.Type, at)
	}
	ids, err := s.Publish(r.Context(), in.Provider, e)
	if err != nil {
		return err
	}
	if ids == nil {
		ids = []string{}
	}
	reply(w, http.StatusAccepted, map[string]any{"deliveries": ids})
	return nil
}

func (s *Server) plainList(w http.ResponseWriter, r *http.Request, name string, p provider) error {
	limit, err := number(r, "limit", 1000)
	if err != nil {
		return err
	}
	subs, next, err := s.List(r.Context(), name, Page{After: r.FormValue("after"), Limit: int(limit)})
	if err != nil {
		return err
	}
	list := make([]plainSubscription, len(subs))
	for i, sub := range subs {
		list[i] = p.plain(sub)
	}
	reply(w, http.StatusOK, map[string]any{"subscriptions": list, "next": next})
	return nil
}

func (s *Server) plainCreate(w http.ResponseWriter, r *http.Request, name string, p provider) error {
	var in plainSubscription
	if err := readJSON(w, r, &in, true); err != nil {
		return invalid{err}
	}
	sub := &Subscription{Provider: name, ID: uuid.NewString()}
	if p.newID != nil {
		sub.ID = p.newID()
	}
	s.admission.Lock()
	defer s.admission.Unlock()
	if err := s.take(r, sub, &in, p); err != nil {
		return err
	}
	if err := s.Create(r.Context(), sub); err != nil {
		return err
	}
	reply(w, http.StatusCreated, p.plain(sub))
	return nil
}

func (s *Server) plainGet(w http.ResponseWriter, r *http.Request, name string, p provider) error {
	sub, err := s.Get(r.Context(), name, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, p.plain(sub))
	return nil
}

// plainChange replaces the members that are given and leaves the others.
func (s *Server) plainChange(w http.ResponseWriter, r *http.Request, name string, p provider) error {
	var in plainSubscription
	if err := readJSON(w, r, &in, true); err != nil {
		return invalid{err}
	}
	s.admission.Lock()
	defer s.admission.Unlock()
	sub, err := s.Update(r.Context(), name, mux.Vars(r)["id"], func(sub *Subscription) error { return s.take(r, sub, &in, p) })
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, p.plain(sub))
	return nil
}

func (s *Server) plainDelete(w http.ResponseWriter, r *http.Request, name string, _ provider) error {
	if err := s.Delete(r.Context(), name, mux.Vars(r)["id"]); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// plainTest makes the provider's set-up call now.
func (s *Server) plainTest(w http.ResponseWriter, r *http.Request, name string, p provider) error {
	if p.test == nil {
		return invalid{errors.New(name + " makes no set-up call")}
	}
	if err := p.test(r.Context(), s, mux.Vars(r)["id"]); err != nil {
		if errors.Is(err, ErrNotFound) {
			return err
		}
		reply(w, http.StatusOK, map[string]any{"passed": false, "error": err.Error()})
		return nil
	}
	reply(w, http.StatusOK, map[string]any{"passed": true})
	return nil
}

// number reads a number of the query, 0 where there is none.
func number(r *http.Request, name string, most int64) (int64, error) {
	text := r.FormValue(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > most {
		return 0, invalid{errors.New(name + " is a number from 1 to " + strconv.FormatInt(most, 10))}
	}
	return n, nil
}

// moment reads a time of the query.
func moment(r *http.Request, name string) (time.Time, error) {
	text := r.FormValue(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, invalid{errors.New(name + " is a time such as 2026-01-31T10:00:00Z")}
	}
	return t, nil
}
