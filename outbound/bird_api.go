package outbound

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// birdAPI is the documented webhook-subscriptions API. Form and statuses of its errors, beside 404, are not documented and
// ours: {"code","message"}.
type birdAPI struct {
	server *Server
}

// birdRoutes serves both path forms of the pages, which were documented at different dates.
func birdRoutes(s *Server, r *mux.Router) {
	a := birdAPI{server: s}
	for _, base := range []string{
		"/organizations/{organization}/workspaces/{workspace}/webhook-subscriptions",
		"/workspaces/{workspace}/webhook-subscriptions",
	} {
		sub := r.NewRoute().Subrouter()
		sub.Use(s.closed("AccessKey", func(w http.ResponseWriter, _ *http.Request) {
			birdError(w, http.StatusUnauthorized, "unauthorized", "send Authorization: AccessKey and the token")
		}))
		a.handle(sub, base, map[string]birdHandler{http.MethodPost: a.create, http.MethodGet: a.list})
		a.handle(sub, base+"/{id}", map[string]birdHandler{http.MethodGet: a.get, http.MethodPatch: a.change, http.MethodDelete: a.remove})
		a.handle(sub, base+"/{id}/logs", map[string]birdHandler{http.MethodGet: a.logs})
		a.handle(sub, base+"/{id}/logs/details", map[string]birdHandler{http.MethodGet: a.details})
	}
}

type birdHandler func(w http.ResponseWriter, r *http.Request) error

func (a birdAPI) handle(r *mux.Router, path string, methods map[string]birdHandler) {
	r.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		h, ok := methods[r.Method]
		if !ok {
			birdError(w, http.StatusMethodNotAllowed, "method_not_allowed", r.Method+" is not served here")
			return
		}
		if err := h(w, r); err != nil {
			a.fail(w, err)
		}
	})
}

// birdInvalid is a request that does not say what is needed; its text says what.
type birdInvalid string

func (i birdInvalid) Error() string { return string(i) }

// birdFull is the sixth subscription of a filter combination.
type birdFull struct{ error }

func (a birdAPI) fail(w http.ResponseWriter, err error) {
	var bad birdInvalid
	var full birdFull
	var problems hookgate.Problems
	switch {
	case errors.As(err, &full):
		birdError(w, http.StatusConflict, "limit_reached", full.Error())
	case errors.As(err, &problems):
		birdError(w, http.StatusBadRequest, "invalid_request", birdWords(problems))
	case errors.As(err, &bad):
		birdError(w, http.StatusBadRequest, "invalid_request", bad.Error())
	case errors.Is(err, ErrNotFound):
		birdError(w, http.StatusNotFound, "not_found", "this workspace has no such webhook subscription or delivery")
	default:
		a.server.note("a request to Bird's API failed", map[string]string{"error": err.Error()})
		birdError(w, http.StatusServiceUnavailable, "unavailable", "it could not be done now; try again")
	}
}

func birdError(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{code, message})
}

// birdWords puts problems under the names that this API has for the fields.
func birdWords(ps hookgate.Problems) string {
	names := strings.NewReplacer("settings.filters", "eventFilters", "settings.template", "template", "auth", "signingKey", "events", "event")
	texts := make([]string, len(ps))
	for i, p := range ps {
		p.Field = names.Replace(p.Field)
		texts[i] = p.Error()
	}
	return strings.Join(texts, "; ")
}

// birdWebhook is a subscription as the API shows it.
type birdWebhook struct {
	ID             string       `json:"id"`
	OrganizationID string       `json:"organizationId"`
	WorkspaceID    string       `json:"workspaceId"`
	Service        string       `json:"service"`
	Event          string       `json:"event"`
	EventFilters   []birdFilter `json:"eventFilters"`
	Template       string       `json:"template,omitempty"`
	URL            string       `json:"url"`
	SigningKey     string       `json:"signingKey,omitempty"`
	Status         string       `json:"status"`
	CreatedAt      string       `json:"createdAt"`
	UpdatedAt      string       `json:"updatedAt"`
}

// birdShow leaves the signing key out unless created or told to echo it: the pages show it in every answer, a field report
// says that it is not returned.
func birdShow(s *Subscription, created bool) birdWebhook {
	settings := decode[birdSettings](s)
	out := birdWebhook{
		ID: s.ID, OrganizationID: settings.Organization, WorkspaceID: settings.Workspace,
		EventFilters: append([]birdFilter{}, settings.Filters...), Template: settings.Template, URL: s.URL, Status: "inactive",
		CreatedAt: birdStamp(s.Created), UpdatedAt: birdStamp(s.Updated),
	}
	if out.OrganizationID == "" {
		out.OrganizationID = birdOrganization
	}
	if len(s.Events) > 0 {
		out.Service, out.Event, _ = strings.Cut(s.Events[0], ".")
	}
	if s.Active {
		out.Status = "active"
	}
	if created || settings.EchoKey {
		out.SigningKey = birdKey(s)
	}
	return out
}

func birdStamp(t time.Time) string { return t.UTC().Format(birdMillis) }

func birdKey(s *Subscription) string {
	for _, auth := range s.Auth {
		if auth.Scheme == "bird-signature" {
			return auth.Secret
		}
	}
	return ""
}

// own finds a subscription below the path's workspace. One of another workspace, or under another organization, is not there.
func (a birdAPI) own(r *http.Request) (*Subscription, error) {
	sub, err := a.server.Get(r.Context(), "bird", mux.Vars(r)["id"])
	if err != nil {
		return nil, err
	}
	if !birdOwns(r, sub) {
		return nil, ErrNotFound
	}
	return sub, nil
}

func birdOwns(r *http.Request, s *Subscription) bool {
	settings, vars := decode[birdSettings](s), mux.Vars(r)
	organization := settings.Organization
	if organization == "" {
		organization = birdOrganization
	}
	return settings.Workspace == vars["workspace"] && (vars["organization"] == "" || vars["organization"] == organization)
}

// create makes an active subscription. Its id is a UUID v4, as on the pages.
func (a birdAPI) create(w http.ResponseWriter, r *http.Request) error {
	var in birdCreate
	if err := readJSON(w, r, &in, true); err != nil {
		return birdUnread(err)
	}
	sub := &Subscription{Provider: "bird", ID: uuid.NewString(), Active: true}
	if err := in.into(sub, mux.Vars(r)); err != nil {
		return err
	}
	a.server.admission.Lock()
	defer a.server.admission.Unlock()
	if err := a.admit(r, &Subscription{}, sub); err != nil {
		return err
	}
	if err := a.server.Create(r.Context(), sub); err != nil {
		return err
	}
	reply(w, http.StatusCreated, birdShow(sub, true))
	return nil
}

func (a birdAPI) admit(r *http.Request, before, after *Subscription) error {
	err := birdAdmit(r.Context(), a.server, before, after)
	var problems hookgate.Problems
	if errors.As(err, &problems) {
		return birdFull{birdInvalid(birdWords(problems))}
	}
	return err
}

func (a birdAPI) get(w http.ResponseWriter, r *http.Request) error {
	sub, err := a.own(r)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, birdShow(sub, false))
	return nil
}

// change takes at least one of the members that can change. null takes a template, a signing key or the filters away (ours).
func (a birdAPI) change(w http.ResponseWriter, r *http.Request) error {
	var in birdChange
	if err := readJSON(w, r, &in, true); err != nil {
		return birdUnread(err)
	}
	if in.empty() {
		return birdInvalid("give at least one of url, template, signingKey, status and eventFilters")
	}
	a.server.admission.Lock()
	defer a.server.admission.Unlock()
	before, err := a.own(r)
	if err != nil {
		return err
	}
	after := *before
	if err := in.into(&after); err != nil {
		return err
	}
	if err := a.admit(r, before, &after); err != nil {
		return err
	}
	sub, err := a.server.Update(r.Context(), "bird", before.ID, in.into)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, birdShow(sub, false))
	return nil
}

// remove answers 204, which is ours: the call was seen in public code, its answer is not documented.
func (a birdAPI) remove(w http.ResponseWriter, r *http.Request) error {
	sub, err := a.own(r)
	if err != nil {
		return err
	}
	if err := a.server.Delete(r.Context(), "bird", sub.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
