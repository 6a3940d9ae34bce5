package outbound

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
)

func TestSprinklrCheck(t *testing.T) {
	t.Parallel()
	filter := func(event, filters string) json.RawMessage {
		return json.RawMessage(`{"filters":[{"webhookType":"` + event + `","filters":[` + filters + `]}]}`)
	}
	const fine = `{"id":"ACCOUNT_TYPE","type":"ACCOUNT_TYPE","checkCondition":"IS","values":["TWITTER"]}`
	client := func(change func(*OAuth)) []Auth {
		o := &OAuth{Grant: "client_credentials", TokenURL: "https://id.example.com/token", ClientID: "cid", ClientSecret: "s", ClientAuth: "body"}
		change(o)
		return []Auth{{Scheme: "bearer", OAuth: o}}
	}
	headers := func(names ...string) map[string]string {
		m := map[string]string{}
		for _, n := range names {
			m[n] = "v"
		}
		return m
	}
	tests := []struct {
		name   string
		change func(*Subscription)
		fields []string // that have a problem
	}{
		{"as it is", func(*Subscription) {}, nil},
		{"every name", func(s *Subscription) {
			s.Events = slices.Clone(sprinklr().events)
			for _, e := range sprinklrTable {
				if e.constant != "" {
					s.Events = append(s.Events, e.constant)
				}
			}
		}, nil},
		{"no events", func(s *Subscription) { s.Events = nil }, []string{"events"}},
		{"unknown events", func(s *Subscription) { s.Events = []string{"CASE_CLOSED", "CASE_CREATED", "case.closed"} }, []string{"events[0]", "events[2]"}},

		{"a filter", func(s *Subscription) { s.Settings = filter("CASE_CREATED", fine) }, nil},
		{"a filter by wire type", func(s *Subscription) { s.Settings = filter("case.create", fine) }, nil},
		{"a filter of no event", func(s *Subscription) { s.Settings = filter("CASE_CLOSED", fine) }, []string{"settings.filters[0].webhookType"}},
		{"a filter of an event not asked for", func(s *Subscription) { s.Settings = filter("CASE_UPDATED", fine) }, []string{"settings.filters[0].webhookType"}},
		{"nothing to look at", func(s *Subscription) { s.Settings = filter("CASE_CREATED", `{"checkCondition":"IS","values":["a"]}`) }, []string{"settings.filters[0].filters[0].id"}},
		{"no such condition", func(s *Subscription) {
			s.Settings = filter("CASE_CREATED", fine+`,{"id":"A","checkCondition":"CONTAINS","values":["a"]}`)
		}, []string{"settings.filters[0].filters[1].checkCondition"}},
		{"no values", func(s *Subscription) {
			s.Settings = filter("CASE_CREATED", `{"id":"A","checkCondition":"IS_NOT","values":[]}`)
		}, []string{"settings.filters[0].filters[0].values"}},
		{"unknown settings", func(s *Subscription) { s.Settings = json.RawMessage(`{"proxy":true}`) }, []string{"settings"}},
		{"settings of another type", func(s *Subscription) { s.Settings = json.RawMessage(`{"verified":"yes"}`) }, []string{"settings"}},
		{"all settings", func(s *Subscription) {
			s.Settings = json.RawMessage(`{"description":"d","verified":true,"verified_url":"https://x.example.com","sign_verification":false}`)
		}, nil},

		{"a key of 256 bytes", func(s *Subscription) { s.Auth = []Auth{{Scheme: "hub-signature", Secret: strings.Repeat("é", 128)}} }, nil},
		{"a key of one byte", func(s *Subscription) { s.Auth = []Auth{{Scheme: "hub-signature", Secret: "k"}} }, nil},
		{"a key of 257 bytes", func(s *Subscription) { s.Auth = []Auth{{Scheme: "hub-signature", Secret: strings.Repeat("k", 257)}} }, []string{"auth[0].secret"}},
		{"a key that is no text", func(s *Subscription) { s.Auth = []Auth{{Scheme: "hub-signature", Secret: "\xff\xfe"}} }, []string{"auth[0].secret"}},
		{"no key", func(s *Subscription) { s.Auth = []Auth{{Scheme: "hub-signature"}} }, []string{"auth[0].secret"}},
		{"two keys", func(s *Subscription) {
			s.Auth = []Auth{{Scheme: "hub-signature", Secret: "a"}, {Scheme: "hub-signature", Secret: "b"}}
		}, []string{"auth[1].scheme"}},
		{"a key and Basic", func(s *Subscription) {
			s.Auth = []Auth{{Scheme: "hub-signature", Secret: "a"}, {Scheme: "basic", User: "u", Password: "p"}}
		}, nil},
		{"Basic and OAuth", func(s *Subscription) {
			s.Auth = append(client(func(*OAuth) {}), Auth{Scheme: "basic", User: "u", Password: "p"})
		}, []string{"auth[1].scheme"}},
		{"a user with a colon", func(s *Subscription) { s.Auth = []Auth{{Scheme: "basic", User: "u:v", Password: "p"}} }, []string{"auth[0].user"}},
		{"public", func(s *Subscription) { s.Auth = []Auth{{Scheme: "none"}} }, nil},
		{"public and not", func(s *Subscription) { s.Auth = []Auth{{Scheme: "none"}, {Scheme: "basic", User: "u"}} }, []string{"auth[0].scheme"}},
		{"another provider's scheme", func(s *Subscription) { s.Auth = []Auth{{Scheme: "bird-signature"}} }, []string{"auth[0].scheme"}},

		{"client credentials", func(s *Subscription) { s.Auth = client(func(*OAuth) {}) }, nil},
		{"password", func(s *Subscription) {
			s.Auth = client(func(o *OAuth) { o.Grant, o.Username, o.Password, o.ClientAuth = "password", "u", "p", "header" })
		}, nil},
		{"password without one", func(s *Subscription) { s.Auth = client(func(o *OAuth) { o.Grant = "password" }) }, []string{"auth[0].oauth.username"}},
		{"another grant", func(s *Subscription) { s.Auth = client(func(o *OAuth) { o.Grant = "code" }) }, []string{"auth[0].oauth.grant"}},
		{"another way", func(s *Subscription) { s.Auth = client(func(o *OAuth) { o.ClientAuth = "query" }) }, []string{"auth[0].oauth.client_auth"}},
		{"no client", func(s *Subscription) { s.Auth = client(func(o *OAuth) { o.ClientID = "" }) }, []string{"auth[0].oauth.client_id"}},
		{"no token URL", func(s *Subscription) { s.Auth = client(func(o *OAuth) { o.TokenURL = "/token" }) }, []string{"auth[0].oauth.token_url"}},
		{"no grant at all", func(s *Subscription) { s.Auth = []Auth{{Scheme: "bearer"}} }, []string{"auth[0].oauth"}},

		{"ten headers", func(s *Subscription) { s.Headers = headers("A", "B", "C", "D", "E", "F", "G", "H", "I", "J") }, nil},
		{"eleven headers", func(s *Subscription) { s.Headers = headers("A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K") }, []string{"headers"}},
		{"Host", func(s *Subscription) { s.Headers = headers("host") }, []string{"headers"}},
		{"Content-Type", func(s *Subscription) { s.Headers = headers("content-type") }, []string{"headers"}},
		{"Content-Anything", func(s *Subscription) { s.Headers = headers("Content-Anything") }, []string{"headers"}},
		{"X-Hub-Signature", func(s *Subscription) { s.Headers = headers("x-hub-signature") }, []string{"headers"}},
		{"Authorization", func(s *Subscription) { s.Headers = headers("AUTHORIZATION") }, []string{"headers"}},
		{"one header in two cases", func(s *Subscription) { s.Headers = headers("x-tenant", "X-Tenant") }, []string{"headers"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := &Subscription{URL: "https://hooks.example.com/a", Events: []string{"CASE_CREATED"}}
			tc.change(s)
			var ps hookgate.Problems
			sprinklr().check(s, &ps)
			var fields []string
			for _, p := range ps {
				fields = append(fields, p.Field)
				if p.Hint == "" {
					t.Errorf("%s has no way out", p.Field)
				}
			}
			if !slices.Equal(fields, tc.fields) {
				t.Errorf("problems %v, want %v", ps, tc.fields)
			}
		})
	}
}

func TestSprinklrCheck_WhereFiltersAreNotOffered(t *testing.T) {
	t.Parallel()
	refused := map[string]bool{"Activity": true, "Draft": true, "Campaign": true, "Comment": true, "User": true, "Thread Control": true}
	for _, e := range sprinklrTable {
		s := &Subscription{Events: []string{e.wire}}
		s.encode(sprinklrSettings{Filters: []sprinklrFiltered{{WebhookType: e.wire, Filters: []sprinklrFilter{{ID: "A", CheckCondition: "IS", Values: []string{"b"}}}}}})
		var ps hookgate.Problems
		sprinklr().check(s, &ps)
		if (len(ps) > 0) != refused[e.category] {
			t.Errorf("%s (%s): %v", e.wire, e.category, ps)
		}
	}
}

// A problem is shown to callers: it must not show what they keep secret.
func TestSprinklrCheck_KeepsSecrets(t *testing.T) {
	t.Parallel()
	const canary = "canary-7731"
	s := &Subscription{Auth: []Auth{
		{Scheme: "hub-signature", Secret: strings.Repeat(canary, 40)},
		{Scheme: "basic", User: "a:b", Password: canary},
		{Scheme: "bearer", OAuth: &OAuth{ClientSecret: canary, Password: canary}},
	}, Headers: map[string]string{"Host": canary}}
	var ps hookgate.Problems
	sprinklr().check(s, &ps)
	if len(ps) < 6 || strings.Contains(ps.Error(), canary) {
		t.Errorf("%d problems: %v", len(ps), ps)
	}
}
