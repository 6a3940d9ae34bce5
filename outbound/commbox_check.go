package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// commboxCheck holds a subscription to the console's form.
func commboxCheck(s *Subscription, ps *hookgate.Problems) {
	settings, ok := readCommboxSettings(s.Settings, ps)
	if s.Name == "" {
		ps.Add("name", "the console wants a name that no other subscription has", "it is missing")
	}
	checkCommboxURL("url", s.URL, settings.AllowHTTP, ps)
	checkCommboxAuth(s.Auth, settings.AllowHTTP, ps)
	if !ok {
		return
	}
	checkCommboxTriggers(s, settings, ps)
	checkCommboxShape(settings, ps)
	n := settings.Retries
	switch {
	case n == nil:
	case *n < 0 || *n > commboxMaxRetries:
		ps.Add("settings.retries", "give 0 to 5; they are five minutes apart", "%d retries cannot be chosen", *n)
	case !slices.ContainsFunc(s.Retries, commboxOwnWait):
		s.Retries = commboxWaits(*n)
	}
}

// commboxAdmit keeps names unique (doc). Two subscriptions that are made at the same moment can still share one.
func commboxAdmit(_ context.Context, s *Server, before, after *Subscription) error {
	if after.Name == before.Name {
		return nil
	}
	for _, other := range s.all("commbox") {
		if other.ID != after.ID && other.Name == after.Name {
			return commboxWrong("name", "choose one that was not used before", "there is a subscription %q", after.Name)
		}
	}
	return nil
}

// commboxOwnWait tells a wait that somebody set on purpose from those that check puts there.
func commboxOwnWait(wait time.Duration) bool { return wait != commboxRetryWait }

// readCommboxSettings is decode for what was not checked yet.
func readCommboxSettings(raw json.RawMessage, ps *hookgate.Problems) (settings commboxSettings, ok bool) {
	if len(raw) == 0 {
		return settings, true
	}
	in := json.NewDecoder(bytes.NewReader(raw))
	in.DisallowUnknownFields()
	err := in.Decode(&settings)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return settings, true
	case errors.Is(err, errCommboxActivity):
		ps.Add("settings.activity_types", "", "%v", err)
	case errors.As(err, &wrong):
		ps.Add(strings.TrimSuffix("settings."+wrong.Field, "."), "", "a %s cannot stand here", strings.Fields(wrong.Value)[0])
	default:
		ps.Add("settings", "", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return settings, false
}

func checkCommboxURL(field, text string, allowHTTP bool, ps *hookgate.Problems) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		ps.Add(field, "", "it is no URL that starts with https://") // not quoted: it may hold a secret
	case u.Scheme == "https", u.Scheme == "http" && allowHTTP:
	case u.Scheme == "http":
		ps.Add(field, "allow_http in settings stands for an older account", "it must start with https://")
	default:
		ps.Add(field, "", "it must start with https://")
	}
}

func checkCommboxTriggers(s *Subscription, settings commboxSettings, ps *hookgate.Problems) {
	all := commboxEvents()
	for _, native := range s.Events {
		if !slices.Contains(all, native) {
			ps.Add("events", "there are "+strings.Join(all, ", "), "commbox has no event %q", native)
		}
	}
	var entities []string
	triggers := map[string][]string{}
	for _, native := range all {
		entity, trigger, _ := strings.Cut(native, ".")
		if triggers[entity] == nil {
			entities = append(entities, entity)
		}
		triggers[entity] = append(triggers[entity], trigger)
	}
	of := triggers[settings.Entity]
	hint := "it has " + strings.Join(of, ", ")
	switch {
	case settings.Entity == "" && len(settings.Triggers) > 0:
		ps.Add("settings.entity", "name the entity of the triggers", "it is missing")
	case settings.Entity == "":
	case of == nil:
		ps.Add("settings.entity", "there are "+strings.Join(entities, ", "), "there is no entity %q", settings.Entity)
	case len(settings.Triggers) == 0:
		ps.Add("settings.triggers", hint, "%s needs one trigger at least", settings.Entity)
	}
	for _, trigger := range settings.Triggers {
		if of != nil && !slices.Contains(of, trigger) {
			ps.Add("settings.triggers", hint, "%s has no trigger %q", settings.Entity, trigger)
		}
	}
	for _, native := range s.Events {
		if settings.Entity != "" && !commboxWants(s, settings, native) {
			ps.Add("events", "leave events out, or entity and triggers", "%q is not among the triggers", native)
		}
	}
	if len(settings.ActivityTypes) > 0 && !commboxWants(s, settings, commboxNewActivity) {
		ps.Add("settings.activity_types", "add the trigger, or leave the types out", "only Object's OnNewActivity has activity types")
	}
}

func checkCommboxShape(s commboxSettings, ps *hookgate.Problems) {
	soap := s.Protocol == "soap"
	oneOf := func(field, value string, allowed ...string) {
		if value != "" && !slices.Contains(allowed, value) {
			ps.Add("settings."+field, "give "+strings.Join(allowed, " or "), "%q cannot be chosen", value)
		}
	}
	oneOf("protocol", s.Protocol, "rest", "soap")
	oneOf("root", s.Root, "Event", "payload")
	oneOf("soap_version", s.SOAPVersion, "1.1", "1.2")
	if soap {
		oneOf("format", s.Format, "xml")
	} else {
		oneOf("format", s.Format, "json", "xml")
	}
	only := func(field, where string, given, fits bool) {
		if given && !fits {
			ps.Add("settings."+field, "", "it goes with %s only", where)
		}
	}
	only("root", "JSON", s.Root == "payload", !soap && s.Format != "xml")
	only("soap_parameters", "the protocol soap", len(s.SOAPParameters) > 0, soap)
	only("soap_version", "the protocol soap", s.SOAPVersion != "", soap)
	for _, p := range s.SOAPParameters {
		switch {
		case p.Name == "Event":
			ps.Add("settings.soap_parameters", "rename it", "a parameter named Event would be taken for the event")
		case !isCommboxName(p.Name):
			ps.Add("settings.soap_parameters", "use ASCII letters, digits, -, _ and .", "%q is no XML name", p.Name)
		}
	}
	if s.TagUpdateName != "" && !isCommboxName(s.TagUpdateName) {
		ps.Add("settings.tag_update_name", "use ASCII letters and digits", "%q is no name of an event", s.TagUpdateName)
	}
}

// checkCommboxAuth allows one way to fill in the Authorization header, and a certificate beside it, which the console
// offers apart from the rest.
func checkCommboxAuth(auth []Auth, allowHTTP bool, ps *hookgate.Problems) {
	kinds := map[string]bool{}
	for i := range auth {
		a := &auth[i]
		kind := "authorization"
		switch a.Scheme {
		case "none":
		case "basic":
			checkCommboxBasic(a, ps)
		case "access-token":
			if a.Secret == "" {
				ps.Add("auth", "", "access-token needs a token")
			}
			if strings.ContainsFunc(a.Prefix+a.Secret, func(r rune) bool { return r < ' ' || r > '~' }) || strings.Contains(a.Prefix, " ") {
				ps.Add("auth", "use printable ASCII, without a space in the prefix", "the prefix or the token cannot stand in a header")
			}
		case "bearer":
			checkCommboxOAuth(a, allowHTTP, ps)
		case "client-certificate":
			kind = a.Scheme
			if _, err := tls.X509KeyPair([]byte(a.Certificate), []byte(a.CertificateKey)); err != nil {
				ps.Add("auth", "give both as PEM", "the client certificate and its key do not fit each other")
			}
		default:
			ps.Add("auth", "there are "+strings.Join(commbox().schemes, ", "), "commbox has no scheme %q", a.Scheme)
			continue
		}
		if kinds[kind] {
			ps.Add("auth", "choose one; a client certificate may go beside it", "a delivery has one %s", kind)
		}
		kinds[kind] = true
	}
}

func checkCommboxBasic(a *Auth, ps *hookgate.Problems) {
	if a.User == "" {
		ps.Add("auth", "", "basic needs a user")
	}
	if strings.Contains(a.User, ":") {
		ps.Add("auth", "what follows the first colon is the password", "the user of basic cannot hold a colon")
	}
}

// checkCommboxOAuth wants the fields of the console's two OAuth kinds. Tokens that we sign ourselves stand in for a token
// server that is not there.
func checkCommboxOAuth(a *Auth, allowHTTP bool, ps *hookgate.Problems) {
	o := a.OAuth
	if o == nil {
		if len(a.Keys) == 0 {
			ps.Add("auth", "give grant, URL, client id and client secret", "bearer needs OAuth 2.0 credentials")
		}
		return
	}
	if o.ClientAuth == "" {
		o.ClientAuth = "body" // ours
	}
	if o.Grant != "client_credentials" && o.Grant != "password" {
		ps.Add("auth", "give client_credentials or password", "%q is no grant of commbox", o.Grant)
	}
	if o.ClientAuth != "body" && o.ClientAuth != "header" {
		ps.Add("auth", "give body or header", "%q is no place for the client's id and secret", o.ClientAuth)
	}
	checkCommboxURL("auth", o.TokenURL, allowHTTP, ps)
	if o.ClientID == "" || o.ClientSecret == "" {
		ps.Add("auth", "", "bearer needs a client id and a client secret")
	}
	if o.Grant == "password" && (o.Username == "" || o.Password == "") {
		ps.Add("auth", "", "the password grant needs a username and a password")
	}
}
