package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/hookgate/hookgate"
)

// birdURL is the pattern of the provider's page, with the port that a newer page allows before the path.
var birdURL = regexp.MustCompile(`^https://([a-zA-Z0-9-]+\.)+[a-zA-Z]{2,}(:[0-9]+)?(/[^\s]*)?$`)

const (
	birdSame   = 5  // subscriptions of one filter combination, as the provider's page says
	birdMinKey = 16 // bytes of a signing key; no verifier of ours takes a shorter one
	// birdMaxFilters bounds the list of filters; ours.
	birdMaxFilters = 100
)

// birdCheck says what is wrong with a subscription.
func birdCheck(s *Subscription, ps *hookgate.Problems) {
	var settings birdSettings
	if len(s.Settings) > 0 {
		d := json.NewDecoder(bytes.NewReader(s.Settings))
		d.DisallowUnknownFields()
		if err := d.Decode(&settings); err != nil {
			ps.Add("settings", "it takes organization, workspace, filters, template, any_url, any_event and echo_key", "is not what a subscription of Bird has")
			return
		}
	}
	birdCheckURL(s.URL, settings.AnyURL, ps)
	if len(s.Events) == 0 || (len(s.Events) > 1 && !settings.AnyEvent) {
		ps.Add("events", "make a subscription for each event, or set settings.any_event", "must name exactly one event; there are %d", len(s.Events))
	}
	for _, native := range s.Events {
		birdCheckEvent(native, settings.AnyEvent, ps)
	}
	birdCheckFilters(s.Events, settings, ps)
	if settings.Template != "" && settings.Template != "text" && settings.Template != "twilio" {
		ps.Add("settings.template", "", "is neither text nor twilio")
	}
	if len(s.Auth) > 1 {
		ps.Add("auth", "keep one; with none, deliveries are not signed", "has %d entries, and Bird signs with one key", len(s.Auth))
	}
	for _, auth := range s.Auth {
		if auth.Scheme == "bird-signature" && (len(auth.Secret) < birdMinKey || strings.TrimSpace(auth.Secret) == "") {
			ps.Add("auth", "make a longer one and give it to the receiver, too", "the signing key has fewer than %d bytes, or is blank", birdMinKey)
		}
	}
}

func birdCheckURL(text string, anyURL bool, ps *hookgate.Problems) {
	u, err := url.Parse(text)
	switch {
	case anyURL:
		blank := strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil || blank {
			ps.Add("url", "write http://host:port/path or https://host/path", "is not an http or https address")
		}
	case err != nil || !birdURL.MatchString(text):
		ps.Add("url", "write https://domain/path; the setting any_url of the plain API allows others for tests",
			"is not an https address of a domain, with or without a port; a query needs a path before it")
	}
}

// birdCheckEvent compares with the services and events of the provider's pages. Those of payments are not documented, and
// the names of channels are not all printed: both are free.
func birdCheckEvent(native string, anyEvent bool, ps *hookgate.Problems) {
	service, event, _ := strings.Cut(native, ".")
	parts := strings.Split(native, ".")
	if event == "" || slices.Contains(parts, "") || strings.ContainsFunc(native, func(r rune) bool { return r <= ' ' || r > '~' }) {
		ps.Add("events", "write <service>.<event>, such as channels.sms.inbound", "%q is not an event", native)
		return
	}
	if anyEvent || service == "payments" {
		return
	}
	if !slices.Contains([]string{"channels", "numbers", "conversations"}, service) {
		ps.Add("events", "use channels, numbers, payments or conversations", "%q is not a service of Bird", service)
		return
	}
	if birdListed(native) || (service == "channels" && len(parts) == 3 && slices.Contains([]string{"inbound", "outbound", "interaction"}, parts[2])) {
		return
	}
	ps.Add("events", "use an event of the provider's pages, or set settings.any_event through the plain API", "%q is not an event of the service %s", event, service)
}

func birdListed(native string) bool { return slices.Contains(birdEvents(), native) }

// birdKeys are the filter keys of an event; free means that the pages do not say.
func birdKeys(native string) (keys []string, free bool) {
	service, event, _ := strings.Cut(native, ".")
	switch {
	case service == "numbers":
		return nil, false
	case service != "channels":
		return nil, true
	case event == "channel.created" || event == "channel.updated":
		return []string{"platformId", "channelStatus"}, false
	case event == "voice.inbound" || event == "voice.outbound":
		return []string{"channelId", "status"}, false
	case strings.HasSuffix(event, ".interaction"):
		return []string{"channelId", "interactionType"}, false
	case strings.HasSuffix(event, ".outbound"):
		return []string{"channelId", "messageStatus"}, false
	}
	return []string{"channelId"}, false
}

func birdCheckFilters(events []string, settings birdSettings, ps *hookgate.Problems) {
	const field = "settings.filters"
	if len(settings.Filters) > birdMaxFilters {
		ps.Add(field, "", "are more than %d", birdMaxFilters)
		return
	}
	channels := 0
	for _, f := range settings.Filters {
		if f.Key == "" || f.Value == "" {
			ps.Add(field, `write {"key":"channelId","value":"..."}`, "a filter has no key or no value")
			continue
		}
		if f.Key == "channelId" {
			channels++
		}
		for _, native := range events {
			keys, free := birdKeys(native)
			if free || settings.AnyEvent || slices.Contains(keys, f.Key) {
				continue
			}
			hint := "the keys of this event are " + strings.Join(keys, " and ")
			if len(keys) == 0 {
				hint = "the service numbers takes no filters"
			}
			ps.Add(field, hint, "%s cannot be filtered by %q", native, f.Key)
		}
	}
	if channels > 1 {
		ps.Add(field, "make a subscription for each channel", "name channelId %d times, and one subscription takes only one", channels)
	}
}

// birdAdmit keeps to five subscriptions for one filter combination (the provider's page), active or not (ours).
func birdAdmit(_ context.Context, s *Server, before, after *Subscription) error {
	combination := birdCombination(after)
	if combination == birdCombination(before) {
		return nil
	}
	same := 0
	for _, other := range s.all("bird") {
		if other.ID != after.ID && birdCombination(other) == combination {
			same++
		}
	}
	if same >= birdSame {
		return birdProblem("settings.filters", "delete one of them, or filter differently",
			"there are %d subscriptions to this event with these filters, and no more are allowed", birdSame)
	}
	return nil
}
