package outbound

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
)

func birdProblems(s *Subscription) string {
	var ps hookgate.Problems
	birdCheck(s, &ps)
	if len(ps) == 0 {
		return ""
	}
	return ps.Error()
}

func TestBirdURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url         string
		listed, any bool // accepted by the pattern, and with any_url
	}{
		{"https://example.com/webhook", true, true},
		{"https://example.com", true, true},
		{"https://example.com/", true, true},
		{"https://example.com:8443", true, true},
		{"https://example.com:8443/webhook?team=a%20b&x=1", true, true},
		{"https://a.b-c.example.com/a/b", true, true},
		{"https://EXAMPLE.Com/x", true, true},
		{"https://example.com?team=a", false, true},
		{"https://example.com:/x", false, true},
		{"https://example.com:80a/x", false, false},
		{"http://example.com/webhook", false, true},
		{"http://localhost:8080/webhook", false, true},
		{"https://localhost/webhook", false, true},
		{"https://127.0.0.1/webhook", false, true},
		{"http://127.0.0.1:9/", false, true},
		{"https://[::1]/webhook", false, true},
		{"https://example.c/webhook", false, true},
		{"https://example.123/webhook", false, true},
		{"https://exa_mple.com/webhook", false, true},
		{"https://user:pw@example.com/webhook", false, false},
		{"https://example.com/a b", false, false},
		{"https://example.com/a\n", false, false},
		{" https://example.com/a", false, false},
		{"https://example.com/%zz", false, false},
		{"HTTPS://example.com/a", false, true},
		{"ftp://example.com/a", false, false},
		{"https:///a", false, false},
		{"example.com/a", false, false},
		{"", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			t.Parallel()
			s := birdSub("channels.sms.inbound", birdSettings{})
			s.URL = tt.url
			if got := birdProblems(s); (got == "") != tt.listed {
				t.Errorf("by the pattern: %q", got)
			}
			s.encode(birdSettings{AnyURL: true})
			if got := birdProblems(s); (got == "") != tt.any {
				t.Errorf("with any_url: %q", got)
			}
		})
	}
}

func TestBirdCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		event  string
		change func(s *Subscription, b *birdSettings)
		want   string // part of the problem; "" is none
	}{
		{"plain", "channels.sms.inbound", nil, ""},
		{"channel that nobody printed", "channels.pigeon.outbound", nil, ""},
		{"comments on a channel", "channels.instagram.interaction", nil, ""},
		{"payments are free", "payments.anything.at.all", nil, ""},
		{"number", "numbers.endpoint", nil, ""},
		{"other number", "numbers.sms", nil, "not an event of the service numbers"},
		{"other conversation", "conversations.conversation.closed", nil, "not an event"},
		{"channel verb", "channels.sms.read", nil, "not an event"},
		{"deeper channel", "channels.sms.a.inbound", nil, "not an event"},
		{"other service", "emails.sms.inbound", nil, "not a service"},
		{"no event", "channels", nil, "not an event"},
		{"empty segment", "channels..inbound", nil, "not an event"},
		{"blank", "payments.a b", nil, "not an event"},
		{"any event", "emails.sms.read", func(_ *Subscription, b *birdSettings) { b.AnyEvent = true }, ""},
		{"no events", "", func(s *Subscription, _ *birdSettings) { s.Events = nil }, "exactly one"},
		{"two events", "", func(s *Subscription, _ *birdSettings) {
			s.Events = []string{"channels.sms.inbound", "channels.email.inbound"}
		}, "exactly one"},
		{"two events allowed", "", func(s *Subscription, b *birdSettings) {
			s.Events, b.AnyEvent = []string{"channels.sms.inbound", "channels.email.inbound"}, true
		}, ""},
		{"template text", "channels.sms.inbound", func(_ *Subscription, b *birdSettings) { b.Template = "text" }, ""},
		{"template twilio", "channels.sms.inbound", func(_ *Subscription, b *birdSettings) { b.Template = "twilio" }, ""},
		{"other template", "channels.sms.inbound", func(_ *Subscription, b *birdSettings) { b.Template = "xml" }, "neither text nor twilio"},
		{"unsigned", "channels.sms.inbound", func(s *Subscription, _ *birdSettings) { s.Auth = []Auth{{Scheme: "none"}} }, ""},
		{"key of 16", "channels.sms.inbound", func(s *Subscription, _ *birdSettings) {
			s.Auth = []Auth{{Scheme: "bird-signature", Secret: "secureSigningKey"}}
		}, ""},
		{"key of 15", "channels.sms.inbound", func(s *Subscription, _ *birdSettings) {
			s.Auth = []Auth{{Scheme: "bird-signature", Secret: "secureSigningKe"}}
		}, "fewer than 16 bytes"},
		{"blank key", "channels.sms.inbound", func(s *Subscription, _ *birdSettings) {
			s.Auth = []Auth{{Scheme: "bird-signature", Secret: strings.Repeat(" ", 20)}}
		}, "blank"},
		{"two keys", "channels.sms.inbound", func(s *Subscription, _ *birdSettings) {
			s.Auth = []Auth{{Scheme: "bird-signature", Secret: "secureSigningKey"}, {Scheme: "none"}}
		}, "2 entries"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, settings := birdSub(tt.event, birdSettings{}), birdSettings{}
			if tt.change != nil {
				tt.change(s, &settings)
			}
			s.encode(settings)
			if got := birdProblems(s); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("problems %q, want %q", got, tt.want)
			}
		})
	}
	s := birdSub("channels.sms.inbound", birdSettings{})
	for _, settings := range []string{`{"url":"x"}`, `[]`, `{"filters":"x"}`, `{"any_url":"yes"}`} {
		s.Settings = json.RawMessage(settings)
		if birdProblems(s) == "" {
			t.Errorf("settings %s are taken", settings)
		}
	}
}

func TestBirdFilters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		native string
		keys   []string // taken
	}{
		{"channels.sms.inbound", []string{"channelId"}},
		{"channels.sms.outbound", []string{"channelId", "messageStatus"}},
		{"channels.email.interaction", []string{"channelId", "interactionType"}},
		{"channels.voice.inbound", []string{"channelId", "status"}},
		{"channels.voice.outbound", []string{"channelId", "status"}},
		{"channels.channel.created", []string{"platformId", "channelStatus"}},
		{"channels.channel.updated", []string{"platformId", "channelStatus"}},
		{"numbers.endpoint", nil},
		{"numbers.tfn.verification", nil},
		{"conversations.conversation.updated", []string{"channelId", "messageStatus", "interactionType", "status", "platformId", "channelStatus", "other"}},
		{"payments.any", []string{"channelId", "messageStatus", "interactionType", "status", "platformId", "channelStatus", "other"}},
	}
	all := []string{"channelId", "messageStatus", "interactionType", "status", "platformId", "channelStatus", "other"}
	for _, tt := range tests {
		t.Run(tt.native, func(t *testing.T) {
			t.Parallel()
			for _, key := range all {
				got := birdProblems(birdSub(tt.native, birdSettings{Filters: []birdFilter{{key, "v"}}}))
				if want := slices.Contains(tt.keys, key); (got == "") != want {
					t.Errorf("%s: %q", key, got)
				}
				if got := birdProblems(birdSub(tt.native, birdSettings{AnyEvent: true, Filters: []birdFilter{{key, "v"}}})); got != "" {
					t.Errorf("%s with any_event: %q", key, got)
				}
			}
		})
	}
	lists := []struct {
		name    string
		filters []birdFilter
		ok      bool
	}{
		{"several statuses", []birdFilter{{"messageStatus", "read"}, {"messageStatus", "sent"}, {"channelId", "c"}}, true},
		{"second channel", []birdFilter{{"channelId", "c"}, {"messageStatus", "read"}, {"channelId", "d"}}, false},
		{"the same channel twice", []birdFilter{{"channelId", "c"}, {"channelId", "c"}}, false},
		{"no value", []birdFilter{{"channelId", ""}}, false},
		{"no key", []birdFilter{{"", "c"}}, false},
		{"too many", make([]birdFilter, birdMaxFilters+1), false},
	}
	for _, tt := range lists {
		if got := birdProblems(birdSub("channels.sms.outbound", birdSettings{Filters: tt.filters})); (got == "") != tt.ok {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
