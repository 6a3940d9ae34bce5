package outbound

import (
	"encoding/json"
	"testing"
)

func TestSprinklrMatch(t *testing.T) {
	t.Parallel()
	is := func(attribute string, values ...string) sprinklrFilter {
		return sprinklrFilter{ID: attribute, Type: attribute, CheckCondition: "IS", Values: values}
	}
	isNot := func(attribute string, values ...string) sprinklrFilter {
		return sprinklrFilter{ID: attribute, Type: attribute, CheckCondition: "IS_NOT", Values: values}
	}
	const payload = `{"id":"1","status":"New","caseNumber":9007199254740993,"accountTypes":["TWITTER","FACEBOOK"],"open":true,"nothing":null,
		"workflow":{"customProperties":{"5cc9a7cf":["gold","vip"]}},"customProperties":{"market":["NL"]},"contact":{"id":"7"}}`
	attributes := map[string]string{"ACCOUNT_TYPE": "WHATSAPP_BUSINESS", "EMPTY": ""}
	tests := []struct {
		name    string
		events  []string
		filters []sprinklrFilter
		event   string // case.create unless given
		payload string
		want    bool
	}{
		{name: "by constant", events: []string{"CASE_CREATED"}, want: true},
		{name: "by wire type", events: []string{"case.create"}, want: true},
		{name: "another event", events: []string{"CASE_UPDATED", "case.delete"}},
		{name: "no events", events: nil},
		{name: "an unknown name", events: []string{"CASE_CLOSED"}},
		{name: "console only", events: []string{"user.created"}, event: "user.created", want: true},
		{name: "the other spelling", events: []string{"AUDIENCE_ACTIVITY"}, event: "audience.activity.created", want: true},
		{name: "tense of profiles.merged", events: []string{"PROFILES_MERGED"}, event: "profiles.merged", want: true},

		{name: "the page's filter, in any case", filters: []sprinklrFilter{is("ACCOUNT_TYPE", "Whatsapp_Business")}, want: true},
		{name: "is another", filters: []sprinklrFilter{is("ACCOUNT_TYPE", "TWITTER")}},
		{name: "is not another", filters: []sprinklrFilter{isNot("ACCOUNT_TYPE", "TWITTER")}, want: true},
		{name: "is not itself", filters: []sprinklrFilter{isNot("ACCOUNT_TYPE", "Whatsapp_Business")}},
		{name: "one of the values", filters: []sprinklrFilter{is("ACCOUNT_TYPE", "TWITTER", "WHATSAPP_BUSINESS")}, want: true},
		{name: "none of the values", filters: []sprinklrFilter{isNot("ACCOUNT_TYPE", "TWITTER", "WHATSAPP_BUSINESS")}},
		{name: "both filters", filters: []sprinklrFilter{is("ACCOUNT_TYPE", "WHATSAPP_BUSINESS"), is("STATUS", "New")}, want: true},
		{name: "one of two filters", filters: []sprinklrFilter{is("ACCOUNT_TYPE", "WHATSAPP_BUSINESS"), is("STATUS", "Closed")}},
		{name: "the other of two filters", filters: []sprinklrFilter{is("ACCOUNT_TYPE", "TWITTER"), is("STATUS", "New")}},
		{name: "by type where the id finds nothing", filters: []sprinklrFilter{{ID: "f1", Type: "STATUS", CheckCondition: "IS", Values: []string{"New"}}}, want: true},

		{name: "member of the payload", filters: []sprinklrFilter{is("STATUS", "new")}, want: true},
		{name: "a number above 2^53", filters: []sprinklrFilter{is("CASE_NUMBER", "9007199254740993")}, want: true},
		{name: "its neighbour", filters: []sprinklrFilter{is("CASE_NUMBER", "9007199254740992")}},
		{name: "a truth value", filters: []sprinklrFilter{is("OPEN", "true")}, want: true},
		{name: "in a list", filters: []sprinklrFilter{is("ACCOUNT_TYPES", "FACEBOOK")}, want: true},
		{name: "not in a list", filters: []sprinklrFilter{isNot("ACCOUNT_TYPES", "FACEBOOK")}},
		{name: "custom property of the workflow", filters: []sprinklrFilter{is("5cc9a7cf", "vip")}, want: true},
		{name: "custom property", filters: []sprinklrFilter{is("market", "NL")}, want: true},
		{name: "an object has no value", filters: []sprinklrFilter{is("CONTACT", "7")}},
		{name: "an attribute that is not there is nothing", filters: []sprinklrFilter{is("QUEUE", "1")}},
		{name: "an attribute that is not there is not it", filters: []sprinklrFilter{isNot("QUEUE", "1")}, want: true},
		{name: "null is nothing", filters: []sprinklrFilter{isNot("NOTHING", "null")}, want: true},
		{name: "an empty attribute", filters: []sprinklrFilter{is("EMPTY", "")}, want: true},

		{name: "the case inside", events: []string{"MESSAGE_ASSOCIATION_CHANGE"}, event: "message.association.change", payload: `{"uCase":{"priority":"High"}}`,
			filters: []sprinklrFilter{is("PRIORITY", "High")}, want: true},
		{name: "a bare text", events: []string{"TASK_DELETE"}, event: "task.delete", payload: `"5f91"`, filters: []sprinklrFilter{is("STATUS", "New")}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := &Event{Type: "case.create", Payload: json.RawMessage(payload), Attributes: attributes}
			if tc.event != "" {
				e.Type = tc.event
			}
			if tc.payload != "" {
				e.Payload = json.RawMessage(tc.payload)
			}
			s := &Subscription{Events: tc.events}
			if tc.events == nil && tc.filters != nil {
				s.Events = []string{"CASE_CREATED"}
			}
			if tc.filters != nil {
				s.encode(sprinklrSettings{Filters: []sprinklrFiltered{
					{WebhookType: "MESSAGE_CREATED", Filters: []sprinklrFilter{is("STATUS", "never")}}, // of another event
					{WebhookType: s.Events[0], Filters: tc.filters},
				}})
			}
			if got := sprinklr().match(s, e); got != tc.want {
				t.Errorf("match is %v", got)
			}
		})
	}
}
