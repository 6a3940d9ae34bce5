package normalize_test

import (
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/normalize"
)

// pairs is what two deliveries of one event, or of two, look like to the three providers that send one JSON object.
var pairs = map[string]struct {
	provider, a, b string
	same           bool
}{
	"D03 no id, other content":          {"sprinklr", `{"type":"case.update","payload":{"id":"1"}}`, `{"type":"case.update","payload":{"id":"2"}}`, false},
	"D03 no id, same content":           {"sprinklr", `{"type":"case.update","payload":{"id":"1"}}`, `{"type":"case.update","payload":{"id":"1"}}`, true},
	"D03 no event_time, other content":  {"salesiq", `{"event":"a.b","entity_id":"1","x":1}`, `{"event":"a.b","entity_id":"1","x":2}`, false},
	"D03 no object in it":               {"bird", `{}`, `{"a":{}}`, false},
	"D03 null and empty are missing":    {"salesiq", `{"event":"a.b","entity_id":"1","event_time":"2","org_id":null}`, `{"event":"a.b","entity_id":"1","event_time":"2","org_id":""}`, true},
	"D04 fields are not run together":   {"sprinklr", `{"id":"1","type":"23","subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":"12","type":"3","subscriptionDetails":{"subscriptionId":"s"}}`, false},
	"D04 nor with their names":          {"salesiq", `{"org_id":"o","event":"a.b","entity_id":"1","event_time":"2"}`, `{"app_id":"o","event":"a.b","entity_id":"1","event_time":"2"}`, false},
	"D04 the order of members is none":  {"sprinklr", `{"id":"1","type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, `{"subscriptionDetails":{"subscriptionId":"s"},"type":"t","id":"1"}`, true},
	"D05 salesiq: another attempt":      {"salesiq", `{"event":"a.b","entity_id":"1","event_time":"2","attempt":1}`, `{"event":"a.b","entity_id":"1","event_time":"2","attempt":2}`, true},
	"D05 salesiq: another time":         {"salesiq", `{"event":"a.b","entity_id":"1","event_time":"2","attempt":1}`, `{"event":"a.b","entity_id":"1","event_time":"3","attempt":1}`, false},
	"D05 salesiq: another message":      {"salesiq", `{"event":"a.b","entity_id":"1","event_time":"2","entity":{"message":{"msgid":1}}}`, `{"event":"a.b","entity_id":"1","event_time":"2","entity":{"message":{"msgid":2}}}`, false},
	"D05 salesiq: another webhook":      {"salesiq", `{"event":"a.b","entity_id":"1","event_time":"2","webhook":{"id":"1"}}`, `{"event":"a.b","entity_id":"1","event_time":"2","webhook":{"id":"2"}}`, false},
	"D05 sprinklr: another one":         {"sprinklr", `{"id":"1","type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":"2","type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, false},
	"D05 sprinklr: other subscription":  {"sprinklr", `{"id":"1","type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":"1","type":"t","subscriptionDetails":{"subscriptionId":"r"}}`, false},
	"D09 same id, other content":        {"sprinklr", `{"id":"1","type":"t","payload":1,"subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":"1","type":"t","payload":2,"subscriptionDetails":{"subscriptionId":"s"}}`, true},
	"B07 2^53 and 2^53+1":               {"sprinklr", `{"id":9007199254740992,"type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":9007199254740993,"type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, false},
	"B07 number and text alike":         {"sprinklr", `{"id":9007199254740993,"type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":"9007199254740993","type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, true},
	"B07 1 and 1.0":                     {"sprinklr", `{"id":1,"type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":1.0,"type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, false},
	"B07 0 and -0":                      {"sprinklr", `{"id":0,"type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":-0,"type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, false},
	"B07 1e400 and 1e401":               {"sprinklr", `{"id":1e400,"type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":1e401,"type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, false},
	"B08 two invalid bytes":             {"sprinklr", "{\"id\":\"a\xff\",\"type\":\"t\",\"subscriptionDetails\":{\"subscriptionId\":\"s\"}}", "{\"id\":\"a\xfe\",\"type\":\"t\",\"subscriptionDetails\":{\"subscriptionId\":\"s\"}}", false},
	"B08 an invalid byte and U+FFFD":    {"sprinklr", "{\"id\":\"a\xff\",\"type\":\"t\",\"subscriptionDetails\":{\"subscriptionId\":\"s\"}}", `{"id":"a\ufffd","type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, false},
	"B08 two halves of surrogate pairs": {"salesiq", `{"event":"a.b","entity_id":"\ud800","event_time":"2"}`, `{"event":"a.b","entity_id":"\ud801","event_time":"2"}`, false},
	"B04 names of another case":         {"sprinklr", `{"id":"1","ID":"2","type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, `{"id":"1","ID":"3","\u0131d":"4","type":"t","subscriptionDetails":{"subscriptionId":"s"}}`, true},
}

func TestIdentityOfPairs(t *testing.T) {
	t.Parallel()
	for name, c := range pairs {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			a, b := one(t, c.provider, c.a), one(t, c.provider, c.b)
			if (a.ID == b.ID) != c.same {
				t.Errorf("%v and %v: same event is %v, want %v", identity(a), identity(b), a.ID == b.ID, c.same)
			}
			if c.same && a.IdentityTime != b.IdentityTime {
				t.Errorf("two copies of one event have the times %d and %d", a.IdentityTime, b.IdentityTime)
			}
		})
	}
}

func TestD04_OneKeyEveryTime(t *testing.T) {
	t.Parallel()
	for provider, body := range benchBodies {
		want := one(t, provider, body).ID
		for range 1000 {
			if got := one(t, provider, body).ID; got != want {
				t.Fatalf("%s: %s, then %s", provider, want, got)
			}
		}
	}
}

func TestD10_SourceAndProviderArePartOfTheId(t *testing.T) {
	t.Parallel()
	const body = `{"id":"1","type":"t","subscriptionDetails":{"subscriptionId":"s"}}`
	a := seal(t, "sprinklr", "one", request(body), nil)
	b := seal(t, "sprinklr", "two", request(body), nil)
	c := seal(t, "bird", "one", request(body), nil)
	if a.ID == b.ID || a.ID == c.ID {
		t.Errorf("ids %s, %s, %s", a.ID, b.ID, c.ID)
	}
}

// A part that cannot be read must not take the id of an event that can be.
func TestQuarantinedIsAnotherEvent(t *testing.T) {
	t.Parallel()
	const body = `{"a":1}`
	event := one(t, "bird", body)
	kept := hookgate.Quarantined([]byte(body), "made for this test")
	kept.Seal(&hookgate.Source{Name: "test", Provider: "bird"}, request(body), nil)
	if event.ID == kept.ID {
		t.Error("both have one id")
	}
}

func TestWindowOfBirdSpansItsFreshness(t *testing.T) {
	t.Parallel()
	if normalize.Window("bird").Seconds() < 24*3600+300 {
		t.Error("D08: a copied delivery is fresh for longer than it is remembered")
	}
}
