package outbound

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

func TestNetcoreComplete(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for name, c := range map[string]struct {
		event Event
		want  string // the type, or the beginning of the error
	}{
		"type from the payload":   {Event{Payload: json.RawMessage(`{"channel":"WhatsApp","event":"Clicked"}`)}, "whatsapp.click"},
		"no event":                {Event{Payload: json.RawMessage(`{"channel":"custom_activity"}`)}, "custom_activity"},
		"another form":            {Event{Type: "Email.Opened", Payload: json.RawMessage(`{}`)}, "email.open"},
		"words nobody lists":      {Event{Payload: json.RawMessage(`{"channel":"email","event":"unsubscribe"}`)}, "email.unsubscribe"},
		"the given type wins":     {Event{Type: "sms.click", Payload: json.RawMessage(`{"channel":"email","event":"open"}`)}, "sms.click"},
		"no payload":              {Event{Type: "email.open"}, "payload: there is none"},
		"a list":                  {Event{Type: "email.open", Payload: json.RawMessage(`[{}]`)}, "payload: it is not one JSON object"},
		"null":                    {Event{Type: "email.open", Payload: json.RawMessage(`null`)}, "payload: it is not one JSON object"},
		"cut":                     {Event{Type: "email.open", Payload: json.RawMessage(`{"a":`)}, "payload: it is not one JSON object"},
		"not UTF-8":               {Event{Type: "email.open", Payload: json.RawMessage("{\"a\":\"\xff\"}")}, "payload: it is not one JSON object"},
		"no type at all":          {Event{Payload: json.RawMessage(`{"msgid":"1"}`)}, `type: "" is no event`},
		"channel that is no text": {Event{Payload: json.RawMessage(`{"channel":1,"event":"open"}`)}, `type: ".open" is no event`},
		"a type with a blank":     {Event{Type: "email open", Payload: json.RawMessage(`{}`)}, `type: "email open" is no event`},
		"three words":             {Event{Type: "email.open.twice", Payload: json.RawMessage(`{}`)}, `type: "email.open.twice" is no event`},
		"panel that is not UTF-8": {Event{Type: "email.open", Account: "\xff", Payload: json.RawMessage(`{}`)}, "account: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := c.event
			err := netcoreComplete(&e, now)
			switch {
			case strings.Contains(c.want, " "):
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("the error is %v, want %q", err, c.want)
				}
			case err != nil:
				t.Error(err)
			case e.Type != c.want || e.Account != "hookgate_demo" || !e.Time.Equal(now):
				t.Errorf("it became %s of panel %s at %v", e.Type, e.Account, e.Time)
			}
		})
	}
	kept := Event{Account: "shop", Time: now.Add(-time.Hour), Payload: json.RawMessage(`{"channel":"sms","event":"click"}`)}
	if err := netcoreComplete(&kept, now); err != nil || kept.Account != "shop" || !kept.Time.Equal(now.Add(-time.Hour)) {
		t.Errorf("what was given was changed: %+v, %v", kept, err)
	}
}

func TestNetcoreMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events   []string
		settings string
		want     string // of email.open, email.click, sms.click and custom_activity, which
	}{
		"all":              {nil, ``, "email.open email.click sms.click custom_activity"},
		"events":           {[]string{"email.open", "custom_activity"}, ``, "email.open custom_activity"},
		"channel":          {nil, `{"channels":["email"]}`, "email.open email.click"},
		"activity channel": {nil, `{"channels":["custom_activity","sms"]}`, "sms.click custom_activity"},
		"both":             {[]string{"email.click", "sms.click"}, `{"channels":["email"]}`, "email.click"},
		"panel":            {nil, `{"panel":"shop"}`, "email.open email.click sms.click custom_activity"},
		"another panel":    {nil, `{"panel":"Shop"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Subscription{Events: c.events, Settings: json.RawMessage(c.settings)}
			var got []string
			for _, native := range []string{"email.open", "email.click", "sms.click", "custom_activity"} {
				if netcoreMatch(s, &Event{Type: native, Account: "shop"}) {
					got = append(got, native)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("it wants %q, expected %q", got, c.want)
			}
		})
	}
}

func TestNetcoreCheck(t *testing.T) {
	t.Parallel()
	const u = "https://hooks.example.com/netcore"
	basic := []Auth{{Scheme: "basic", User: "hook", Password: "se:cret"}}
	for name, c := range map[string]struct {
		sub  Subscription
		want []string // the fields with a problem
	}{
		"least":        {Subscription{URL: u}, nil},
		"all settings": {Subscription{URL: u, Auth: basic, Events: []string{"email.open"}, Active: true, Settings: json.RawMessage(`{"label":"CRM","panel":"shop","channels":["email","custom_activity"],"alert":{"on":true,"frequency":"daily","emails":["a@example.com","b@example.com"]},"disable_after":3,"disable_on_timeout":true,"ascii":true,"tested":"` + u + `"}`)}, nil},
		"never":        {Subscription{URL: u, Settings: json.RawMessage(`{"disable_after":0}`)}, nil},
		"untested":     {Subscription{URL: u, Active: true}, []string{"active"}},
		"another URL tested": {Subscription{URL: u + "2", Active: true, Settings: json.RawMessage(`{"tested":"` + u + `"}`)},
			[]string{"active"}},
		"test left out": {Subscription{URL: u, Active: true, Settings: json.RawMessage(`{"skip_test":true}`)}, nil},
		"event":         {Subscription{URL: u, Events: []string{"email.open", "email.opened"}}, []string{"events[1]"}},
		"two":           {Subscription{URL: u, Auth: []Auth{basic[0], basic[0]}}, []string{"auth"}},
		"none":          {Subscription{URL: u, Auth: []Auth{{Scheme: "none"}}}, nil},
		"user with a colon": {Subscription{URL: u, Auth: []Auth{{Scheme: "basic", User: "a:b", Password: "c"}}},
			[]string{"auth[0].user"}},
		"no password":    {Subscription{URL: u, Auth: []Auth{{Scheme: "basic", User: "a"}}}, []string{"auth[0].password"}},
		"misspelt":       {Subscription{URL: u, Settings: json.RawMessage(`{"lable":"x"}`)}, []string{"settings"}},
		"wrong type":     {Subscription{URL: u, Settings: json.RawMessage(`{"alert":{"emails":"a@example.com"}}`)}, []string{"settings.alert.emails"}},
		"not an object":  {Subscription{URL: u, Settings: json.RawMessage(`[]`)}, []string{"settings"}},
		"two objects":    {Subscription{URL: u, Settings: json.RawMessage(`{} {}`)}, []string{"settings"}},
		"label, 2 lines": {Subscription{URL: u, Settings: json.RawMessage(`{"label":"a\nBcc: x"}`)}, []string{"settings.label"}},
		"long panel":     {Subscription{URL: u, Settings: json.RawMessage(`{"panel":"` + strings.Repeat("p", 201) + `"}`)}, []string{"settings.panel"}},
		"channel":        {Subscription{URL: u, Settings: json.RawMessage(`{"channels":["fax"]}`)}, []string{"settings.channels[0]"}},
		"negative count": {Subscription{URL: u, Settings: json.RawMessage(`{"disable_after":-1}`)}, []string{"settings.disable_after"}},
		"frequency":      {Subscription{URL: u, Settings: json.RawMessage(`{"alert":{"frequency":"weekly"}}`)}, []string{"settings.alert.frequency"}},
		"alert to nobody": {Subscription{URL: u, Settings: json.RawMessage(`{"alert":{"on":true}}`)},
			[]string{"settings.alert.emails"}},
		"addresses": {Subscription{URL: u, Settings: json.RawMessage(`{"alert":{"on":true,"emails":["a@example.com","b","C <c@example.com>","d@example.com\r\nBcc: e@example.com","a@example.com"]}}`)},
			[]string{"settings.alert.emails[1]", "settings.alert.emails[2]", "settings.alert.emails[3]", "settings.alert.emails[4]"}},
		"every problem at once": {Subscription{URL: u, Active: true, Events: []string{"x"}, Settings: json.RawMessage(`{"disable_after":-1}`)},
			[]string{"events[0]", "settings.disable_after", "active"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var problems hookgate.Problems
			netcoreCheck(&c.sub, &problems)
			var got []string
			for _, p := range problems {
				got = append(got, p.Field)
				if p.Hint == "" || strings.Contains(p.Error(), "se:cret") {
					t.Errorf("%v says no way out, or a secret", p)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the problems are %v, want fields %q", problems, c.want)
			}
		})
	}
}

func TestNetcoreDisable(t *testing.T) {
	t.Parallel()
	ok := Attempt{Status: 200}
	busy := Attempt{Status: 500, Error: "500"}
	refused := Attempt{Status: 404, Error: "404"}
	late := Attempt{Error: "time-out", Took: 10 * time.Second}
	reset := Attempt{Error: "connection reset", Took: time.Second}
	for name, c := range map[string]struct {
		settings string
		timeout  time.Duration
		attempts []Attempt
		disabled int // by the attempt, from 1; 0 never
	}{
		"one 500":                {``, 0, []Attempt{ok, busy}, 2},
		"503":                    {``, 0, []Attempt{{Status: 503, Error: "503"}}, 1},
		"499 and less":           {``, 0, []Attempt{{Status: 499, Error: "499"}, refused, {Status: 301, Error: "301"}}, 0},
		"time-out does not":      {``, 0, []Attempt{late, reset}, 0},
		"time-out does":          {`{"disable_on_timeout":true}`, 0, []Attempt{reset, late}, 2},
		"its own time-out":       {`{"disable_on_timeout":true}`, time.Second, []Attempt{{Error: "x", Took: time.Millisecond}, reset}, 2},
		"after three":            {`{"disable_after":3}`, 0, []Attempt{busy, busy, busy}, 3},
		"a success between":      {`{"disable_after":2}`, 0, []Attempt{busy, ok, busy}, 0},
		"another answer between": {`{"disable_after":2}`, 0, []Attempt{busy, refused, busy}, 3},
		"never":                  {`{"disable_after":0}`, 0, []Attempt{busy, busy, busy}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Subscription{Active: true, Timeout: c.timeout, Settings: json.RawMessage(c.settings)}
			disabled := 0
			for i, a := range c.attempts {
				netcoreObserve(s, &Delivery{}, &a, true)
				if !s.Active && disabled == 0 {
					disabled = i + 1
				}
			}
			if disabled != c.disabled {
				t.Errorf("attempt %d disabled it, want %d", disabled, c.disabled)
			}
		})
	}
}

// A delivery that is sent again by hand is not told twice, but its answer counts.
func TestNetcoreManualAttempts(t *testing.T) {
	t.Parallel()
	s := &Subscription{Active: true, Settings: json.RawMessage(`{"disable_after":2,"alert":{"on":true,"emails":["a@example.com"]}}`)}
	netcoreObserve(s, &Delivery{}, &Attempt{Status: 500, Error: "500"}, true)
	netcoreObserve(s, &Delivery{}, &Attempt{Status: 404, Error: "404", Manual: true}, true)
	if n := decode[netcoreSettings](s).State.Noted; n != 1 || !s.Active {
		t.Errorf("%d failures are noted, active is %v", n, s.Active)
	}
	netcoreObserve(s, &Delivery{}, &Attempt{Status: 500, Error: "500", Manual: true}, true)
	if n := decode[netcoreSettings](s).State.Noted; n != 2 || s.Active {
		t.Errorf("%d failures are noted, active is %v", n, s.Active)
	}
}

// Activated again, a webhook counts from the beginning.
func TestNetcoreCountsAnewOnceActivated(t *testing.T) {
	t.Parallel()
	s := &Subscription{Active: true, Settings: json.RawMessage(`{"disable_after":2}`)}
	busy := &Attempt{Status: 500, Error: "500"}
	netcoreObserve(s, &Delivery{}, busy, true)
	netcoreObserve(s, &Delivery{}, busy, true)
	s.Active = true
	netcoreObserve(s, &Delivery{}, busy, true)
	if !s.Active {
		t.Error("one 500 after it was activated disabled it, want two")
	}
}
