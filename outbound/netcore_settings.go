package outbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// netcoreSettings is what only a Netcore webhook has. The page documents the label, the Test and the alerts with their
// frequency and addresses; the rest replaces what it leaves open.
type netcoreSettings struct {
	Label    string       `json:"label,omitempty"`    // the subscription's name when empty
	Panel    string       `json:"panel,omitempty"`    // whose events it gets; all when empty
	Channels []string     `json:"channels,omitempty"` // email, sms ...; all when empty
	Alert    netcoreAlert `json:"alert,omitzero"`

	// DisableAfter is how many answers from 500 up, without a success between them, disable the webhook: 1 unless set, 0
	// never disables. The page says that one does "on next batch".
	DisableAfter     *int `json:"disable_after,omitempty"`
	DisableOnTimeout bool `json:"disable_on_timeout,omitempty"` // a time-out counts as such an answer

	ASCII    bool   `json:"ascii,omitempty"`     // \uXXXX instead of UTF-8
	Tested   string `json:"tested,omitempty"`    // the URL that passed the Test call; another URL has to pass it anew
	SkipTest bool   `json:"skip_test,omitempty"` // may be active without the Test

	State netcoreState `json:"state,omitzero"` // kept by the server
}

// netcoreAlert is the check box with frequency and addresses in the webhook's form. The choices of the frequency are not
// documented (ours: every, hourly, daily; hourly when empty).
type netcoreAlert struct {
	On        bool     `json:"on,omitempty"`
	Frequency string   `json:"frequency,omitempty"`
	Emails    []string `json:"emails,omitempty"`
}

// wait is how long a failure waits for others to share its mail.
func (a netcoreAlert) wait() time.Duration {
	switch a.Frequency {
	case "every":
		return 0
	case "daily":
		return 24 * time.Hour
	}
	return time.Hour
}

// disableAfter is the count that disables; 0 never does.
func (c *netcoreSettings) disableAfter() int {
	if c.DisableAfter == nil {
		return 1
	}
	return *c.DisableAfter
}

// name is what a person knows the webhook by.
func (c *netcoreSettings) name(s *Subscription) string {
	switch {
	case c.Label != "":
		return c.Label
	case s.Name != "":
		return s.Name
	}
	return s.ID
}

// panel is the one that the Test call names.
func (c *netcoreSettings) panel() string {
	if c.Panel == "" {
		return netcorePanel
	}
	return c.Panel
}

// netcoreAddresses bounds the list of an alert (our default).
const netcoreAddresses = 20

// netcoreCheck looks at what is not the same for every provider.
func netcoreCheck(s *Subscription, ps *hookgate.Problems) {
	for i, native := range s.Events {
		if !slices.Contains(netcoreEvents(), native) {
			ps.Add("events["+strconv.Itoa(i)+"]", "use one of "+strings.Join(netcoreEvents(), ", "), "there is no event %q", native)
		}
	}
	netcoreCheckAuth(s, ps)
	c, ok := netcoreRead(s, ps)
	if !ok {
		return
	}
	for _, f := range []struct{ name, text string }{{"label", c.Label}, {"panel", c.Panel}} {
		if len(f.text) > 200 || mailControl(f.text) {
			ps.Add("settings."+f.name, "use at most 200 bytes on one line", "it is too long or has control characters")
		}
	}
	for i, channel := range c.Channels {
		if !slices.Contains(netcoreChannels(), channel) {
			ps.Add("settings.channels["+strconv.Itoa(i)+"]", "use one of "+strings.Join(netcoreChannels(), ", "),
				"there is no channel %q", channel)
		}
	}
	if c.disableAfter() < 0 {
		ps.Add("settings.disable_after", "use 0 for never, or the count of answers from 500 up", "it is negative")
	}
	c.Alert.check(ps)
	if s.Active && c.Tested != s.URL && !c.SkipTest {
		ps.Add("active", "set active to false, let the URL pass the Test call, then activate the webhook; or set settings.skip_test",
			"this URL has not passed the Test call, which has to be answered 200")
	}
}

func (a netcoreAlert) check(ps *hookgate.Problems) {
	switch a.Frequency {
	case "", "every", "hourly", "daily":
	default:
		ps.Add("settings.alert.frequency", "use every, hourly or daily", "there is no frequency %q", a.Frequency)
	}
	if a.On && len(a.Emails) == 0 {
		ps.Add("settings.alert.emails", "list at least one address, or turn the alert off", "an alert needs an address")
	}
	if len(a.Emails) > netcoreAddresses {
		ps.Add("settings.alert.emails", "use an address that stands for several people",
			"there are %d addresses, %d is the most", len(a.Emails), netcoreAddresses)
	}
	for i, text := range a.Emails {
		field := "settings.alert.emails[" + strconv.Itoa(i) + "]"
		if err := checkMailAddress(text); err != nil {
			ps.Add(field, "write the address alone, such as alerts@example.com", "%v", err)
		} else if slices.Contains(a.Emails[:i], text) {
			ps.Add(field, "name an address once", "the address is there twice")
		}
	}
}

// netcoreCheckAuth: there is Basic and nothing else, "API or token based authentication will not work" (doc).
func netcoreCheckAuth(s *Subscription, ps *hookgate.Problems) {
	if len(s.Auth) > 1 {
		ps.Add("auth", "keep one", "Netcore has one way to authenticate, and %d are given", len(s.Auth))
	}
	for i, auth := range s.Auth {
		field := "auth[" + strconv.Itoa(i) + "]"
		switch {
		case auth.Scheme != "basic":
		case auth.User == "" || strings.Contains(auth.User, ":"):
			ps.Add(field+".user", "set a user without a colon", "the user is empty or has a colon")
		case auth.Password == "":
			ps.Add(field+".password", "set a password", "the password is empty")
		}
	}
}

// netcoreRead decodes the settings strictly: a misspelt option must not be dropped in silence.
func netcoreRead(s *Subscription, ps *hookgate.Problems) (c netcoreSettings, ok bool) {
	if len(s.Settings) == 0 {
		return c, true
	}
	d := json.NewDecoder(bytes.NewReader(s.Settings))
	d.DisallowUnknownFields()
	err := d.Decode(&c)
	if err == nil && d.More() {
		err = errors.New("there is more than one object")
	}
	if err == nil {
		return c, true
	}
	field, message := "settings", strings.TrimPrefix(err.Error(), "json: ")
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		field, message = strings.TrimSuffix("settings."+wrong.Field, "."), "a "+wrong.Value+" does not fit here"
	}
	ps.Add(field, "the options are label, panel, channels, alert {on, frequency, emails}, disable_after, disable_on_timeout, "+
		"ascii and skip_test", "%s", message)
	return c, false
}
