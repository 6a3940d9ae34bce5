package outbound

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hookgate/hookgate"
)

func TestBirdSchedule(t *testing.T) {
	t.Parallel()
	p := bird()
	if len(p.retries) != 36 {
		t.Fatalf("%d retries, which with the first request make %d requests and not 37", len(p.retries), len(p.retries)+1)
	}
	var total time.Duration
	for _, wait := range p.retries {
		total += wait
	}
	if total > 8*time.Hour || total+15*time.Minute <= 8*time.Hour {
		t.Errorf("the last attempt is made after %s", total)
	}
	begin := []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 15 * time.Minute}
	if !slices.Equal(p.retries[:8], begin) {
		t.Errorf("begins with %v", p.retries[:8])
	}
	for status, want := range map[int]bool{199: false, 200: true, 204: true, 299: true, 300: false, 301: false, 410: false, 500: false} {
		if p.success(status) != want {
			t.Errorf("success of %d is %v", status, !want)
		}
	}
	if p.timeout != 10*time.Second || !p.frozen || !p.lowerHeaders || p.schemes[0] != "bird-signature" {
		t.Errorf("facts: %v %v %v %v", p.timeout, p.frozen, p.lowerHeaders, p.schemes)
	}
	if p.keep(nil, Failed) != 7*24*time.Hour || p.keep(nil, Delivered) != 0 {
		t.Errorf("keeps failures %s, successes %s", p.keep(nil, Failed), p.keep(nil, Delivered))
	}
}

func TestBirdWrite(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, native, payload, want string }{
		{"order and compactness", "channels.sms.inbound", "{ \"b\" : 1,\n \"a\" : [ ] }", `{"service":"channels","event":"sms.inbound","payload":{"b":1,"a":[]}}`},
		{"event with dots", "numbers.10dlc.brand", `{}`, `{"service":"numbers","event":"10dlc.brand","payload":{}}`},
		{"angle brackets and ampersand", "payments.x", `{"t":"<a> & <b>"}`, `{"service":"payments","event":"x","payload":{"t":"<a> & <b>"}}`},
		{"the same, escaped by a store", "payments.x", `{"t":"\u003ca\u003e \u0026"}`, `{"service":"payments","event":"x","payload":{"t":"<a> &"}}`},
		{"UTF-8", "payments.x", `{"t":"Ol\u00e1 \u2603 ☃ \ud83d\ude00 \u2028"}`, `{"service":"payments","event":"x","payload":{"t":"Olá ☃ ☃ 😀 ` + "\u2028" + `"}}`},
		{"what must stay escaped", "payments.x", `{"t":"\u0022 \u005c \u0009 \n \\u003c \/ \ud83d \ud83dx"}`, `{"service":"payments","event":"x","payload":{"t":"\u0022 \u005c \u0009 \n \\u003c \/ \ud83d \ud83dx"}}`},
		{"numbers keep their digits", "payments.x", `{"n":9007199254740993,"f":1.10e+2}`, `{"service":"payments","event":"x","payload":{"n":9007199254740993,"f":1.10e+2}}`},
	}
	first := time.Date(2026, 1, 31, 10, 0, 0, 999e6, time.UTC)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &Delivery{ID: "0a6f9f4e-3c1f-4b4e-9a55-7d1c5b0e2f10", FirstAttempt: first, Events: []Event{{Type: tt.native, Payload: json.RawMessage(tt.payload)}}}
			header, body, err := birdWrite(&Subscription{}, d, 1)
			if err != nil {
				t.Fatal(err)
			}
			if string(body) != tt.want {
				t.Errorf("body %s\nwant %s", body, tt.want)
			}
			want := http.Header{"Content-Type": {"application/json"}, "Messagebird-Request-Id": {d.ID}, "Messagebird-Request-Timestamp": {"1769853600"}}
			if !maps.EqualFunc(header, want, slices.Equal) {
				t.Errorf("header %v", header)
			}
			_, again, err := birdWrite(&Subscription{}, d, 37)
			if err != nil || string(again) != string(body) {
				t.Errorf("attempt 37 has other bytes: %s, %v", again, err)
			}
		})
	}
	for name, events := range map[string][]Event{"none": nil, "two": {{}, {}}, "no JSON": {{Type: "channels.sms.inbound", Payload: json.RawMessage("{")}}} {
		if _, _, err := birdWrite(&Subscription{}, &Delivery{Events: events}, 1); err == nil {
			t.Errorf("%s: written without an error", name)
		}
	}
}

func TestBirdComplete(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	tests := []struct {
		name, id, payload, account   string
		wantID, wantPayload, wantOrg string
	}{
		{"nothing is changed", "", `{"x":1,"id":"m1","organizationId":"o1"}`, "o2", "m1", `{"x":1,"id":"m1","organizationId":"o1"}`, "o2"},
		{"organization of the payload", "", `{"id":"m1","organizationId":"o1"}`, "", "m1", `{"id":"m1","organizationId":"o1"}`, "o1"},
		{"made-up organization", "e1", `{"id":"m1"}`, "", "e1", `{"id":"m1"}`, birdOrganization},
		{"id of the event", "e1", `{"x":9007199254740993,"y":{"id":"z"}}`, "", "e1", `{"id":"e1","x":9007199254740993,"y":{"id":"z"}}`, birdOrganization},
		{"id instead of null", "e1", `{"x":"a","id":null}`, "", "e1", `{"id":"e1","x":"a"}`, birdOrganization},
		{"no payload", "e1", ``, "", "e1", `{"id":"e1"}`, birdOrganization},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := Event{Type: "channels.sms.inbound", ID: tt.id, Account: tt.account, Payload: json.RawMessage(tt.payload)}
			if err := birdComplete(&e, now); err != nil {
				t.Fatal(err)
			}
			if e.ID != tt.wantID || string(e.Payload) != tt.wantPayload || e.Account != tt.wantOrg || !e.Time.Equal(now) {
				t.Errorf("id %q, payload %s, account %q, time %s", e.ID, e.Payload, e.Account, e.Time)
			}
		})
	}
	made := Event{Type: "channels.sms.inbound", Payload: json.RawMessage(`{}`)}
	if err := birdComplete(&made, now); err != nil {
		t.Fatal(err)
	}
	if id, err := uuid.Parse(made.ID); err != nil || id.Version() != 4 || string(made.Payload) != `{"id":"`+made.ID+`"}` {
		t.Errorf("made-up id %q in %s", made.ID, made.Payload)
	}
	for name, e := range map[string]Event{
		"no service":    {Type: "inbound", Payload: json.RawMessage(`{}`)},
		"empty service": {Type: ".inbound", Payload: json.RawMessage(`{}`)},
		"no event":      {Type: "channels.", Payload: json.RawMessage(`{}`)},
		"list":          {Type: "channels.sms.inbound", Payload: json.RawMessage(`[]`)},
		"null":          {Type: "channels.sms.inbound", Payload: json.RawMessage(`null`)},
		"broken":        {Type: "channels.sms.inbound", Payload: json.RawMessage(`{"a":`)},
		"not UTF-8":     {Type: "channels.sms.inbound", Payload: json.RawMessage("{\"a\":\"\xff\"}")},
	} {
		var problems hookgate.Problems
		if err := birdComplete(&e, now); !errors.As(err, &problems) {
			t.Errorf("%s: taken as %s: %v", name, e.Payload, err)
		}
	}
}

func birdSub(native string, settings birdSettings) *Subscription {
	s := &Subscription{Provider: "bird", ID: uuid.NewString(), URL: "https://example.com/webhook", Events: []string{native}, Active: true}
	s.encode(settings)
	return s
}

func TestBirdMatch(t *testing.T) {
	t.Parallel()
	filters := func(pairs ...string) birdSettings {
		var s birdSettings
		for i := 0; i < len(pairs); i += 2 {
			s.Filters = append(s.Filters, birdFilter{pairs[i], pairs[i+1]})
		}
		return s
	}
	const outbound = `{"id":"m1","channelId":"c1","status":"delivered"}`
	const interaction = `{"id":"i1","channelId":"c1","type":"opened","status":"x"}`
	tests := []struct {
		name, native string
		settings     birdSettings
		event        Event
		want         bool
	}{
		{"same event", "channels.sms.outbound", filters(), Event{Type: "channels.sms.outbound"}, true},
		{"other event", "channels.sms.outbound", filters(), Event{Type: "channels.sms.inbound"}, false},
		{"other service", "channels.sms.outbound", filters(), Event{Type: "payments.sms.outbound"}, false},
		{"case counts", "channels.sms.outbound", filters(), Event{Type: "channels.SMS.outbound"}, false},
		{"no pattern", "channels.*.outbound", filters(), Event{Type: "channels.sms.outbound"}, false},
		{"channel", "channels.sms.outbound", filters("channelId", "c1"), Event{Payload: json.RawMessage(outbound)}, true},
		{"other channel", "channels.sms.outbound", filters("channelId", "c2"), Event{Payload: json.RawMessage(outbound)}, false},
		{"both keys", "channels.sms.outbound", filters("channelId", "c1", "messageStatus", "delivered"), Event{Payload: json.RawMessage(outbound)}, true},
		{"one key of two", "channels.sms.outbound", filters("channelId", "c1", "messageStatus", "read"), Event{Payload: json.RawMessage(outbound)}, false},
		{"the other key of two", "channels.sms.outbound", filters("channelId", "c2", "messageStatus", "delivered"), Event{Payload: json.RawMessage(outbound)}, false},
		{"any value of a key", "channels.sms.outbound", filters("messageStatus", "read", "channelId", "c1", "messageStatus", "delivered"), Event{Payload: json.RawMessage(outbound)}, true},
		{"no value of a key", "channels.sms.outbound", filters("messageStatus", "read", "messageStatus", "sent"), Event{Payload: json.RawMessage(outbound)}, false},
		{"missing member", "channels.sms.outbound", filters("channelId", "c1"), Event{Payload: json.RawMessage(`{}`)}, false},
		{"null member", "channels.sms.outbound", filters("channelId", "null"), Event{Payload: json.RawMessage(`{"channelId":null}`)}, false},
		{"not an object", "channels.sms.outbound", filters("channelId", "c1"), Event{Payload: json.RawMessage(`[]`)}, false},
		{"interaction type", "channels.email.interaction", filters("interactionType", "opened"), Event{Payload: json.RawMessage(interaction)}, true},
		{"other interaction type", "channels.email.interaction", filters("interactionType", "clicked"), Event{Payload: json.RawMessage(interaction)}, false},
		{"call status", "channels.voice.inbound", filters("status", "busy", "status", "failed"), Event{Payload: json.RawMessage(`{"status":"failed"}`)}, true},
		{"other call status", "channels.voice.inbound", filters("status", "busy"), Event{Payload: json.RawMessage(`{"status":"failed"}`)}, false},
		{"platform and channel status", "channels.channel.updated", filters("platformId", "sms", "channelStatus", "active"), Event{Payload: json.RawMessage(`{"platformId":"sms","status":"active"}`)}, true},
		{"other platform", "channels.channel.updated", filters("platformId", "sms"), Event{Payload: json.RawMessage(`{"platformId":"email"}`)}, false},
		{"free key, number beyond 2^53", "conversations.conversation.updated", filters("n", "9007199254740993"), Event{Payload: json.RawMessage(`{"n":9007199254740993}`)}, true},
		{"number next to it", "conversations.conversation.updated", filters("n", "9007199254740992"), Event{Payload: json.RawMessage(`{"n":9007199254740993}`)}, false},
		{"own organization", "channels.sms.outbound", birdSettings{Organization: "o1"}, Event{Account: "o1"}, true},
		{"other organization", "channels.sms.outbound", birdSettings{Organization: "o1"}, Event{Account: "o2"}, false},
		{"made-up organization of the event", "channels.sms.outbound", birdSettings{Organization: "o1"}, Event{Account: birdOrganization}, true},
		{"subscription without an organization", "channels.sms.outbound", birdSettings{}, Event{Account: "o1"}, true},
		{"own workspace", "channels.sms.outbound", birdSettings{Workspace: "w1"}, Event{Attributes: map[string]string{"workspace": "w1"}}, true},
		{"other workspace", "channels.sms.outbound", birdSettings{Workspace: "w1"}, Event{Attributes: map[string]string{"workspace": "w2"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.event.Type == "" {
				tt.event.Type = tt.native
			}
			if got := birdMatch(birdSub(tt.native, tt.settings), &tt.event); got != tt.want {
				t.Errorf("match is %v", got)
			}
		})
	}
}

func TestBirdAmong(t *testing.T) {
	t.Parallel()
	in := func(workspace string, filters ...birdFilter) *Subscription {
		return birdSub("channels.sms.outbound", birdSettings{Workspace: workspace, Filters: filters})
	}
	open, explicit, elsewhere := in("w1"), in("w1", birdFilter{"channelId", "c1"}), in("w2")
	same := func(name string, got, want []*Subscription) {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d subscriptions of %d", name, len(got), len(want))
		}
	}
	same("no filter anywhere", birdAmong([]*Subscription{open, elsewhere}), []*Subscription{open, elsewhere})
	same("explicit filter", birdAmong([]*Subscription{open, explicit, elsewhere}), []*Subscription{explicit, elsewhere})
	same("alone", birdAmong([]*Subscription{explicit}), []*Subscription{explicit})
}

func TestBirdCombination(t *testing.T) {
	t.Parallel()
	a, b := birdFilter{"channelId", "c1"}, birdFilter{"messageStatus", "read"}
	of := func(native, workspace string, filters ...birdFilter) string {
		return birdCombination(birdSub(native, birdSettings{Workspace: workspace, Filters: filters, Template: "text"}))
	}
	base := of("channels.sms.outbound", "w", a, b)
	if of("channels.sms.outbound", "w", b, a, a) != base {
		t.Error("order or repetition makes another combination")
	}
	for name, other := range map[string]string{
		"fewer filters": of("channels.sms.outbound", "w", a), "event": of("channels.email.outbound", "w", a, b), "workspace": of("channels.sms.outbound", "v", a, b),
	} {
		if other == base {
			t.Errorf("another %s is the same combination", name)
		}
	}
}

func TestBirdErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	s := birdSub("channels.sms.inbound", birdSettings{})
	s.Auth = []Auth{{Scheme: "bird-signature", Secret: "hunter2hunter2"}}
	if text := birdProblems(s); text == "" || strings.Contains(text, "hunter2") {
		t.Errorf("problems are %q", text)
	}
}
