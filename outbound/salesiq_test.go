package outbound

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

func TestSalesiqFacts(t *testing.T) {
	t.Parallel()
	p := salesiq()
	if p.timeout != 5*time.Second || !slices.Equal(p.retries, []time.Duration{time.Minute, time.Minute, time.Minute}) {
		t.Errorf("timeout %s, retries %v", p.timeout, p.retries)
	}
	if !slices.Equal(p.schemes, []string{"siq-signature", "none"}) {
		t.Errorf("schemes %v", p.schemes)
	}
	for status, want := range map[int]bool{0: false, 200: true, 201: true, 204: true, 226: true, 299: true, 300: false, 301: false, 304: false, 400: false, 410: false, 500: false} {
		if p.success(status) != want {
			t.Errorf("%d: success %t", status, !want)
		}
	}
	if p.frozen || p.lowerHeaders || p.batch != 0 || p.observe != nil {
		t.Error("every attempt is written anew, one event a request, and nothing is disabled")
	}
}

func TestSalesiqKeepsFailedExecutions(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]time.Duration{
		``: 60 * 24 * time.Hour,
		`{"expiry_time_for_executions_data":"604800000"}`: 7 * 24 * time.Hour,
		`{"expiry_time_for_executions_data":864000000}`:   10 * 24 * time.Hour,
	} {
		s := &Subscription{Settings: json.RawMessage(settings)}
		if got := keepSalesiq(s, Failed); got != want {
			t.Errorf("%s: %s, want %s", settings, got, want)
		}
		if got := keepSalesiq(s, Delivered); got != 0 {
			t.Errorf("%s: delivered ones have a time of their own: %s", settings, got)
		}
	}
}

func TestSalesiqMatch(t *testing.T) {
	t.Parallel()
	event := func(native, app, account, portal string) Event {
		return Event{Type: native, Account: account, Attributes: map[string]string{"app_id": app, "screenname": portal}}
	}
	created := event("conversation.created", "7", "20011223", "")
	for _, c := range []struct {
		name     string
		settings string
		events   []string
		event    Event
		want     bool
	}{
		{"all of data", ``, nil, created, true},
		{"the event", ``, []string{"conversation.missed", "conversation.created"}, created, true},
		{"another event", ``, []string{"conversation.missed"}, created, false},
		{"the app", `{"app_ids":["6","7"]}`, nil, created, true},
		{"the app as a number", `{"app_ids":[7]}`, nil, created, true},
		{"another app", `{"app_ids":["6"]}`, nil, created, false},
		{"no app", `{"app_ids":["6"]}`, nil, event("conversation.created", "", "", ""), false},
		{"above 2^53 every digit counts", `{"app_ids":[40526000000002041]}`, nil, event("conversation.created", "40526000000002040", "", ""), false},
		{"a portal's event to data", ``, nil, event("operator.created", "", "", ""), false},
		{"an app's event to administration", `{"type":"administration"}`, nil, created, false},
		{"department", `{"type":"administration"}`, nil, event("department.updated", "", "", ""), true},
		{"operator", `{"type":"administration"}`, nil, event("operator.departments.associated", "", "", ""), true},
		{"brands", `{"type":"administration"}`, nil, event("brands.enabled", "", "", ""), true},
		{"tag", `{"type":"administration"}`, nil, event("tag.deleted", "", "", ""), true},
		{"contact", ``, nil, event("contact.tag.action", "", "", ""), true},
		{"the account", `{"org_id":"20011223"}`, nil, created, true},
		{"the account as a number", `{"org_id":20011223}`, nil, created, true},
		{"another account", `{"org_id":"20011224"}`, nil, created, false},
		{"no account", `{"org_id":"20011223"}`, nil, event("conversation.created", "7", "", ""), true},
		{"the portal", `{"portal":"harbour"}`, nil, event("conversation.created", "7", "", "harbour"), true},
		{"another portal", `{"portal":"harbour"}`, nil, event("conversation.created", "7", "", "dock"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := matchSalesiq(&Subscription{Settings: json.RawMessage(c.settings), Events: c.events}, &c.event); got != c.want {
				t.Errorf("%t, want %t", got, c.want)
			}
		})
	}
}

func TestSalesiqCheck(t *testing.T) {
	t.Parallel()
	key, err := newSalesiqKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		settings string
		events   []string
		auth     []Auth
		field    string // of the problem; empty for none
		want     string
	}{
		{name: "nothing set"},
		{name: "everything set", settings: `{"portal":"harbour","type":"data","app_ids":["19367000000002043"],"secured":true,"version":1,"expiry_time_for_executions_data":"5184000000","org_id":"1","profile":"live","event_time":"text","charset":true,"key_format":"pem","key_on_secured":false,"created_status":201}`,
			events: []string{"conversation.created"}, auth: []Auth{{Scheme: "siq-signature", Keys: []Key{key, key}}}},
		{name: "an unknown setting", settings: `{"app_id":"1"}`, field: "settings", want: "app_id"},
		{name: "an unknown type", settings: `{"type":"portal"}`, field: "settings.type", want: "no type"},
		{name: "an unknown event", events: []string{"conversation.creatd"}, field: "events[0]", want: "no event"},
		{name: "an own event", settings: `{"any_event":true}`, events: []string{"conversation.creatd"}},
		{name: "no event's name", settings: `{"any_event":true}`, events: []string{"conversation.created", "Created"}, field: "events[1]", want: "not the name"},
		{name: "a portal's event for data", events: []string{"tag.created"}, field: "events[0]", want: "no event of data webhooks"},
		{name: "an app's event for administration", settings: `{"type":"administration"}`, events: []string{"visitor.updated"}, field: "events[0]", want: "no event of administration webhooks"},
		{name: "apps of administration", settings: `{"type":"administration","app_ids":["1"]}`, field: "settings.app_ids", want: "no apps"},
		{name: "an app by name", settings: `{"app_ids":["1","shop"]}`, field: "settings.app_ids[1]", want: "number"},
		{name: "a version of 0", settings: `{"version":0}`, field: "settings.version", want: "from 1"},
		{name: "under a week", settings: `{"expiry_time_for_executions_data":"604799999"}`, field: "settings.expiry_time_for_executions_data", want: "a week to 60 days"},
		{name: "a week", settings: `{"expiry_time_for_executions_data":"604800000"}`},
		{name: "60 days", settings: `{"expiry_time_for_executions_data":"5184000000"}`},
		{name: "over 60 days", settings: `{"expiry_time_for_executions_data":"5184000001"}`, field: "settings.expiry_time_for_executions_data", want: "a week to 60 days"},
		{name: "more than any number", settings: `{"expiry_time_for_executions_data":"99999999999999999999"}`, field: "settings.expiry_time_for_executions_data", want: "a week to 60 days"},
		{name: "an unknown profile", settings: `{"profile":"real"}`, field: "settings.profile", want: "no profile"},
		{name: "an org_id by name", settings: `{"org_id":"harbour"}`, field: "settings.org_id", want: "number"},
		{name: "an unknown status", settings: `{"created_status":204}`, field: "settings.created_status", want: "204"},
		{name: "a signature without a key", auth: []Auth{{Scheme: "siq-signature"}}, field: "auth[0].keys", want: "none is given"},
		{name: "none without a key", auth: []Auth{{Scheme: "none"}}},
		{name: "three keys", auth: []Auth{{Scheme: "siq-signature", Keys: []Key{key, key, key}}}, field: "auth[0].keys", want: "at most 2"},
		{name: "a key that is none", auth: []Auth{{Scheme: "siq-signature", Keys: []Key{{Private: "canary-5f1e"}}}}, field: "auth[0].keys[0]", want: "not PEM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var ps hookgate.Problems
			checkSalesiq(&Subscription{Settings: json.RawMessage(c.settings), Events: c.events, Auth: c.auth}, &ps)
			if c.field == "" {
				if len(ps) > 0 {
					t.Errorf("unexpected: %v", ps)
				}
				return
			}
			if len(ps) != 1 || ps[0].Field != c.field || !strings.Contains(ps[0].Message, c.want) {
				t.Errorf("%v, want %s: %s", ps, c.field, c.want)
			}
			if strings.Contains(ps.Error(), "canary") {
				t.Errorf("the error holds the key: %v", ps)
			}
		})
	}
}

func TestSalesiqKeysKeepTheirOrder(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1566676375915)
	keys := addSalesiqKey(nil, Key{Private: "a"}, now)
	keys = addSalesiqKey(keys, Key{Private: "b"}, now) // within the same millisecond
	s := &Subscription{Auth: []Auth{{Scheme: "siq-signature", Keys: []Key{keys[1], keys[0]}}}}
	got := salesiqKeys(s)
	if got[0].Private != "a" || got[0].ID != "1566676375915" || got[1].ID != "1566676375916" || got[1].Created.UnixMilli() != 1566676375916 {
		t.Errorf("%+v", got)
	}
	setSalesiqKeys(s, false, got)
	if len(s.Auth) != 1 || s.Auth[0].Scheme != "none" || len(salesiqKeys(s)) != 2 {
		t.Errorf("an unsecured webhook keeps its keys and signs nothing: %+v", s.Auth)
	}
	setSalesiqKeys(s, true, nil)
	if s.Auth[0].Scheme != "none" {
		t.Error("nothing can sign without a key")
	}
}
