package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hookgate/hookgate"
)

// The bounds of what the console takes are not documented; these are ours.
const (
	sprinklrKeyBytes = 256
	sprinklrHeaders  = 10
)

// sprinklrCheck says what is wrong with a subscription, beside what is the same for every provider.
func sprinklrCheck(s *Subscription, ps *hookgate.Problems) {
	if len(s.Events) == 0 {
		ps.Add("events", "name events such as CASE_CREATED", "there are none")
	}
	for i, name := range s.Events {
		if _, ok := sprinklrFind(name); !ok {
			ps.Add(fmt.Sprintf("events[%d]", i), "webhook-types lists the constants; a wire type such as user.created is taken, too",
				"Sprinklr has no event %q", name)
		}
	}
	sprinklrCheckSettings(s, ps)
	sprinklrCheckAuth(s.Auth, ps)
	sprinklrCheckHeaders(s.Headers, ps)
}

func sprinklrCheckSettings(s *Subscription, ps *hookgate.Problems) {
	if len(s.Settings) == 0 {
		return
	}
	var st sprinklrSettings
	d := json.NewDecoder(bytes.NewReader(s.Settings))
	d.DisallowUnknownFields()
	if err := d.Decode(&st); err != nil {
		ps.Add("settings", "they are description, filters, verified, verified_url and sign_verification", "not readable: %v", err)
		return
	}
	for i, filtered := range st.Filters {
		at := fmt.Sprintf("settings.filters[%d]", i)
		event, ok := sprinklrFind(filtered.WebhookType)
		switch {
		case !ok:
			ps.Add(at+".webhookType", "webhook-types lists the constants", "Sprinklr has no event %q", filtered.WebhookType)
		case !event.filterable():
			ps.Add(at+".webhookType", "take the filter away", "Sprinklr offers no filters for %s events", event.category)
		case !slices.ContainsFunc(s.Events, func(name string) bool { return sprinklrSame(name, event.wire) }):
			ps.Add(at+".webhookType", "name it among the events, too", "the subscription has no event %q", filtered.WebhookType)
		}
		for j, f := range filtered.Filters {
			at := fmt.Sprintf("%s.filters[%d]", at, j)
			if f.ID == "" && f.Type == "" {
				ps.Add(at+".id", "name one such as ACCOUNT_TYPE", "there is no attribute")
			}
			if f.CheckCondition != sprinklrIs && f.CheckCondition != sprinklrIsNot {
				ps.Add(at+".checkCondition", "write IS or IS_NOT", "there is no condition %q", f.CheckCondition)
			}
			if len(f.Values) == 0 {
				ps.Add(at+".values", "give one at least", "there are none")
			}
		}
	}
}

// sprinklrCheckAuth allows a signature beside Basic or OAuth, as it is not documented that they exclude each other.
func sprinklrCheckAuth(auth []Auth, ps *hookgate.Problems) {
	seen := map[string]bool{}
	for i, a := range auth {
		at := fmt.Sprintf("auth[%d]", i)
		taken := a.Scheme
		switch a.Scheme {
		case "hub-signature":
			if a.Secret == "" || len(a.Secret) > sprinklrKeyBytes || !utf8.ValidString(a.Secret) {
				ps.Add(at+".secret", "shorten it, or leave the entry out to send unsigned", "the pre-shared key is not UTF-8 of 1 to %d bytes",
					sprinklrKeyBytes)
			}
		case "basic":
			taken = "Authorization"
			if a.User == "" || strings.Contains(a.User, ":") {
				ps.Add(at+".user", "use another name", "it is empty or has a colon, which would end it")
			}
		case "bearer":
			taken = "Authorization"
			sprinklrCheckBearer(at, a, ps)
		case "none":
			if len(auth) > 1 {
				ps.Add(at+".scheme", "leave it out", "none stands alone")
			}
		default:
			ps.Add(at+".scheme", "use hub-signature, basic, bearer or none", "Sprinklr has no scheme %q", a.Scheme)
		}
		if seen[taken] {
			ps.Add(at+".scheme", "keep one", "another entry proves the delivery in the same header")
		}
		seen[taken] = true
	}
}

// sprinklrCheckBearer holds what the console asks for: a grant, a token URL and a client.
func sprinklrCheckBearer(at string, a Auth, ps *hookgate.Problems) {
	o := a.OAuth
	if o == nil {
		if len(a.Keys) == 0 {
			ps.Add(at+".oauth", "say where tokens are fetched, or give a key to sign them with", "it is missing")
		}
		return
	}
	at += ".oauth"
	if u, err := url.Parse(o.TokenURL); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		ps.Add(at+".token_url", "write https://host/path", "it is not an http or https URL")
	}
	if o.ClientID == "" {
		ps.Add(at+".client_id", "take it from the authorization server", "it is missing")
	}
	switch o.ClientAuth {
	case "", "header", "body":
	default:
		ps.Add(at+".client_auth", "write header or body", "there is no way %q to send the client's secret", o.ClientAuth)
	}
	switch o.Grant {
	case "client_credentials":
	case "password":
		if o.Username == "" || o.Password == "" {
			ps.Add(at+".username", "give username and password", "the password grant needs both")
		}
	default:
		ps.Add(at+".grant", "write client_credentials or password", "Sprinklr has no grant %q", o.Grant)
	}
}

// sprinklrCheckHeaders refuses those that say something of the request itself or stand for the proof.
func sprinklrCheckHeaders(headers map[string]string, ps *hookgate.Problems) {
	if len(headers) > sprinklrHeaders {
		ps.Add("headers", "leave some out", "%d are more than %d", len(headers), sprinklrHeaders)
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case canonical == "Host", canonical == "X-Hub-Signature", canonical == "Authorization", strings.HasPrefix(canonical, "Content-"):
			ps.Add("headers", "use another name", "%s is not yours to set", canonical)
		case seen[canonical]:
			ps.Add("headers", "keep one", "%s is there twice, in different case", canonical)
		}
		seen[canonical] = true
	}
}

// sprinklrAdmit keeps a URL that has not been verified from being activated (its page says that it must be, before it
// works).
func sprinklrAdmit(_ context.Context, _ *Server, _, after *Subscription) error {
	if st := decode[sprinklrSettings](after); after.Active && !st.verified(after.URL) {
		return hookgate.Problems{{Field: "active", Message: "the URL has not been verified", Hint: "verify it first, or set settings.verified"}}
	}
	return nil
}
