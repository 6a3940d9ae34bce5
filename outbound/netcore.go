package outbound

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookgate/hookgate"
)

// netcorePanel is the panel of an event whose account is not given (our default).
const netcorePanel = "hookgate_demo"

// netcore is Netcore CE (Smartech). Its page documents the form, Basic authentication and the Test call; it says nothing of
// time-outs, retries and the size of a batch, so those are our defaults. A receiver that fails "can lead to loss of
// information on the client side" (doc), which we read as no retries; Subscription.Retries can add some.
func netcore() provider {
	return provider{
		timeout:  10 * time.Second,
		retries:  nil,
		success:  func(status int) bool { return status/100 == 2 },
		schemes:  []string{"basic", "none"},
		batch:    100,
		flush:    time.Second,
		events:   netcoreEvents(),
		sample:   netcoreSample,
		complete: netcoreComplete,
		check:    netcoreCheck,
		test:     netcoreTest,
		match:    netcoreMatch,
		write:    netcoreWrite,
		observe:  netcoreObserve,
		chores:   netcoreAlerts,
	}
}

// netcoreEvents are the activities that the page lists for each channel, as <channel>.<event>, and custom_activity, which
// has no event.
func netcoreEvents() []string {
	return []string{
		"email.delivered", "email.open", "email.click", "email.bounce",
		"sms.delivered", "sms.click",
		"apn.delivered", "apn.click",
		"bpn.delivered", "bpn.click",
		"whatsapp.delivered", "whatsapp.open", "whatsapp.click", "whatsapp.failed",
		"rcs.delivered", "rcs.open", "rcs.click", "rcs.failed",
		"custom_activity",
	}
}

// netcoreChannels are the channels of these events, in their order.
func netcoreChannels() []string {
	var channels []string
	for _, native := range netcoreEvents() {
		if c := netcoreChannel(native); !slices.Contains(channels, c) {
			channels = append(channels, c)
		}
	}
	return channels
}

func netcoreChannel(native string) string {
	channel, _, _ := strings.Cut(native, ".")
	return channel
}

// netcoreNative gives the native event for the two words of a payload. Netcore writes click and clicked, WhatsApp and
// whatsapp (both doc); the other pairs of forms are our reading.
func netcoreNative(channel, event string) string {
	channel, event = strings.ToLower(channel), strings.ToLower(event)
	if event == "" {
		return channel
	}
	switch event {
	case "deliver":
		event = "delivered"
	case "opened":
		event = "open"
	case "clicked":
		event = "click"
	case "bounced":
		event = "bounce"
	case "fail":
		event = "failed"
	}
	return channel + "." + event
}

// netcoreComplete takes the type from the payload when it is not given, and a panel that is always the same. Words that no
// page lists are let through: subscriptions without a filter get them. The error is a hookgate.Problems.
func netcoreComplete(e *Event, now time.Time) error {
	var ps hookgate.Problems
	if e.Account == "" {
		e.Account = netcorePanel
	}
	if !utf8.ValidString(e.Account) {
		ps.Add("account", "save it as UTF-8", "the panel's name is not UTF-8")
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	var words struct{ Channel, Event any }
	const whole = "give one event object, without its panel, with channel, event and event_params"
	switch {
	case len(e.Payload) == 0:
		ps.Add("payload", whole, "there is none")
	case !utf8.Valid(e.Payload), !strings.HasPrefix(strings.TrimLeft(string(e.Payload), " \t\r\n"), "{"), json.Unmarshal(e.Payload, &words) != nil:
		ps.Add("payload", whole, "it is not one JSON object in UTF-8")
	default:
		channel, _ := words.Channel.(string)
		event, _ := words.Event.(string)
		if e.Type != "" {
			channel, event, _ = strings.Cut(e.Type, ".")
		}
		if e.Type = netcoreNative(channel, event); !netcoreWord(e.Type) {
			ps.Add("type", "write <channel>.<event>, such as email.open, or custom_activity", "%q is no event of Netcore", e.Type)
		}
	}
	return ps.Err()
}

// netcoreWord reports whether a native event has the form of one.
func netcoreWord(native string) bool {
	channel, event, dotted := strings.Cut(native, ".")
	plain := func(word string) bool {
		return word != "" && !strings.ContainsFunc(word, func(r rune) bool {
			return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		})
	}
	return len(native) <= 100 && plain(channel) && (!dotted || plain(event))
}

// netcoreMatch wants an event of the webhook's panel whose channel and activity were chosen; a list that is empty, and a
// panel that is not set, stand for all.
func netcoreMatch(s *Subscription, e *Event) bool {
	var wanted struct { // of the settings only what matters here: this runs for each event and subscription
		Panel    string   `json:"panel"`
		Channels []string `json:"channels"`
	}
	if len(s.Settings) > 0 {
		_ = json.Unmarshal(s.Settings, &wanted) // what was stored was checked
	}
	if wanted.Panel != "" && wanted.Panel != e.Account {
		return false
	}
	if len(wanted.Channels) > 0 && !slices.Contains(wanted.Channels, netcoreChannel(e.Type)) {
		return false
	}
	return len(s.Events) == 0 || slices.Contains(s.Events, e.Type)
}

// netcoreHeader has what the page documents, and so no User-Agent.
func netcoreHeader() http.Header {
	return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
}
