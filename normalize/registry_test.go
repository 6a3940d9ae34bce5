package normalize_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/normalize"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	windows := map[string]time.Duration{
		"bird": 48 * time.Hour, "commbox": 30 * time.Minute, "netcore": time.Hour, "salesiq": 7 * 24 * time.Hour, "sprinklr": 7 * 24 * time.Hour,
	}
	if want := []string{"bird", "commbox", "netcore", "salesiq", "sprinklr"}; !slices.Equal(normalize.Names(), want) {
		t.Errorf("names %v, want %v", normalize.Names(), want)
	}
	for _, name := range normalize.Names() {
		if reader(t, name, normalize.Options{}) == nil {
			t.Errorf("%s has no reader", name)
		}
		if got := normalize.Window(name); got != windows[name] {
			t.Errorf("%s: window %v, want %v", name, got, windows[name])
		}
	}
	r, err := normalize.New("Sprinklr", normalize.Options{})
	if r != nil || err == nil || !strings.Contains(err.Error(), "one of bird, commbox, netcore, salesiq, sprinklr") {
		t.Errorf("New of an unknown provider: %v, %v", r, err)
	}
	if normalize.Window("none") != 0 {
		t.Error("an unknown provider has a window")
	}
}

func TestEventOptionNamesWhatHasNoName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ provider, body, event, typ, entity, action string }{
		{"sprinklr", `{"id":"1","payload":{"id":"9"}}`, "case.create", "sprinklr.case.create", "case", "created"},
		{"sprinklr", `{"id":"1","payload":"9"}`, "Custom.Thing.Made", "sprinklr.custom.thing.made", "custom", "made"},
		{"sprinklr", `{"id":"1","type":"case.update","payload":{"id":"9"}}`, "case.create", "sprinklr.case.update", "case", "updated"},
		{"sprinklr", `{"id":"1","payload":"9"}`, "", "sprinklr.unknown", "unknown", "unknown"},
		{"salesiq", `{"entity_id":"9","event_time":"1716560000268"}`, "operator.deleted", "salesiq.operator.deleted", "agent", "deleted"},
		{"salesiq", `{"entity_id":"9"}`, "", "salesiq.unknown", "unknown", "unknown"},
		{"bird", `{"payload":{"id":"9"}}`, "channels.sms.inbound", "bird.channels.sms.inbound", "message", "received"},
		{"bird", `{"service":"payments","payload":{"id":"9"}}`, "payments.card.charged", "bird.payments.card.charged", "card", "charged"},
		{"bird", `{"event":"sms.inbound","payload":{"id":"9"}}`, "plain", "bird.plain", "plain", "plain"},
		{"bird", `{"event":"sms.inbound","payload":{"id":"9"}}`, "", "bird.unknown", "unknown", "unknown"},
	} {
		e := sealed(t, reader(t, c.provider, normalize.Options{Event: c.event}), c.provider, "test", request(c.body), nil)
		is(t, e, "type", c.typ)
		is(t, e, "entitytype", c.entity)
		is(t, e, "action", c.action)
		is(t, e, "subject", "9")
		// The name is ours and not in the body, so it identifies nothing.
		if c.event != "" && !strings.Contains(c.body, `"type"`) && e.Identity[0].Name != "digest" {
			t.Errorf("%s: identity %v", c.body, identity(e))
		}
	}
}

func TestProbesAreSprinklrsAlone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"salesiq", "bird"} {
		if _, ok := reader(t, name, normalize.Options{}).(hookgate.Prober); ok {
			t.Errorf("%s answers unsigned bodies", name)
		}
	}
	p := reader(t, "sprinklr", normalize.Options{}).(hookgate.Prober)
	for body, want := range map[string]bool{`{}`: true, `{ }`: false, ` {}`: false, "{}\n": false, ``: false, `[]`: false, `{"a":1}`: false, `{}{}`: false} {
		if got := p.Probe(request(body)); got != want {
			t.Errorf("Probe(%q) is %v", body, got)
		}
	}
}
