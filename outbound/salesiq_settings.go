package outbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hookgate/hookgate"
)

// salesiqSettings is what a webhook has beside what every subscription has.
type salesiqSettings struct {
	// Portal is the screenname in the path of the management API.
	Portal  string          `json:"portal,omitempty"`
	Type    string          `json:"type,omitempty"` // data or administration; data when empty
	AppIDs  []salesiqDigits `json:"app_ids,omitempty"`
	Secured bool            `json:"secured,omitempty"`
	Version salesiqDigits   `json:"version,omitempty"` // 1 when empty
	// Expiry is how long failed executions are kept, in milliseconds; 60 days when empty.
	Expiry salesiqDigits `json:"expiry_time_for_executions_data,omitempty"`

	salesiqOptions
}

// salesiqOptions decide what the provider's pages leave open; every default is ours. A create or an update carries them in
// the member hookgate.
type salesiqOptions struct {
	// OrgID is the portal's org_id: events of another account pass the webhook by, and an event without an account carries
	// this one. Empty takes the events of every account.
	OrgID salesiqDigits `json:"org_id,omitempty"`
	// Profile is docs (as on the provider's pages; the default) or live (as seen in deliveries).
	Profile string `json:"profile,omitempty"`
	// EventTime is number or text; empty follows the profile.
	EventTime string `json:"event_time,omitempty"`
	// Charset adds ;charset=UTF-8 to the Content-Type.
	Charset bool `json:"charset,omitempty"`
	// KeyFormat is base64 (bare, of the SubjectPublicKeyInfo; the default) or pem.
	KeyFormat string `json:"key_format,omitempty"`
	// KeyOnSecured makes the first key as soon as a webhook is secured; true when it is not set.
	KeyOnSecured *bool `json:"key_on_secured,omitempty"`
	// CreatedStatus answers a create: 200 (the default) or 201.
	CreatedStatus int `json:"created_status,omitempty"`
	// AnyEvent accepts events that the pages do not name.
	AnyEvent bool `json:"any_event,omitempty"`
}

func (set salesiqSettings) kind() string {
	if set.Type == "" {
		return salesiqData
	}
	return set.Type
}

func (set salesiqSettings) version() int64 {
	if n, ok := set.Version.int64(); ok {
		return n
	}
	return 1
}

func (set salesiqSettings) expiry() int64 {
	if n, ok := set.Expiry.int64(); ok {
		return n
	}
	return salesiqLongestKeep
}

func (set salesiqSettings) keyOnSecured() bool { return set.KeyOnSecured == nil || *set.KeyOnSecured }

func (set salesiqSettings) createdStatus() int {
	if set.CreatedStatus == 0 {
		return 200
	}
	return set.CreatedStatus
}

// salesiqStrict reads JSON into v and refuses members that v does not have.
func salesiqStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the object")
	}
	return nil
}

// checkSalesiq holds a webhook to the documented bounds.
func checkSalesiq(s *Subscription, ps *hookgate.Problems) {
	var set salesiqSettings
	if len(s.Settings) > 0 {
		if err := salesiqStrict(s.Settings, &set); err != nil {
			ps.Add("settings", "", "the settings cannot be read: %v", err)
			return
		}
	}
	kind := set.kind()
	if kind != salesiqData && kind != salesiqAdministration {
		ps.Add("settings.type", "data or administration", "there is no type %q of webhooks", set.Type)
	}
	known := salesiqEvents()
	for i, event := range s.Events {
		field := fmt.Sprintf("events[%d]", i)
		switch listed := slices.Contains(known, event); {
		case !salesiqEventName.MatchString(event):
			ps.Add(field, "write it as in conversation.created", "%q is not the name of an event", event)
		case !listed && !set.AnyEvent:
			ps.Add(field, "set any_event to use a name of your own", "SalesIQ has no event %q", event)
		case salesiqModule(event) != kind:
			ps.Add(field, "choose the type "+salesiqModule(event), "%s is no event of %s webhooks", event, kind)
		}
	}
	if kind == salesiqAdministration && len(set.AppIDs) > 0 {
		ps.Add("settings.app_ids", "leave them out, or choose the type data", "administration webhooks have no apps")
	}
	for i, app := range set.AppIDs {
		if !salesiqNumber(string(app)) {
			ps.Add(fmt.Sprintf("settings.app_ids[%d]", i), "such as 19367000000002043", "an app id is a number of at most 20 digits")
		}
	}
	checkSalesiqNumbers(&set, ps)
	checkSalesiqOptions(&set.salesiqOptions, ps)
	checkSalesiqKeys(s, ps)
}

func checkSalesiqNumbers(set *salesiqSettings, ps *hookgate.Problems) {
	if n, ok := set.Version.int64(); set.Version != "" && (!ok || n < 1) {
		ps.Add("settings.version", "the provider's pages have 1", "the version is not a number from 1")
	}
	if n, ok := set.Expiry.int64(); set.Expiry != "" && (!ok || n < salesiqShortestKeep || n > salesiqLongestKeep) {
		ps.Add("settings.expiry_time_for_executions_data", fmt.Sprintf("%d to %d milliseconds", salesiqShortestKeep, salesiqLongestKeep),
			"failed executions are kept for a week to 60 days")
	}
}

func checkSalesiqOptions(o *salesiqOptions, ps *hookgate.Problems) {
	one := func(field, value string, of ...string) {
		if value != "" && !slices.Contains(of, value) {
			ps.Add("settings."+field, fmt.Sprintf("%s or %s", of[0], of[1]), "there is no %s %q", field, value)
		}
	}
	one("profile", o.Profile, "docs", "live")
	one("event_time", o.EventTime, "number", "text")
	one("key_format", o.KeyFormat, "base64", "pem")
	if o.OrgID != "" && !salesiqNumber(string(o.OrgID)) {
		ps.Add("settings.org_id", "such as 20011223", "an org_id is a number of at most 20 digits")
	}
	switch o.CreatedStatus {
	case 0, 200, 201:
	default:
		ps.Add("settings.created_status", "200 or 201", "a create cannot be answered %d", o.CreatedStatus)
	}
}
