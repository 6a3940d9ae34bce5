package outbound

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// How long SalesIQ waits and how often it tries again: 5 s an execution and a minute between attempts, thrice, are on its
// pages (doc). That thrice means three attempts after the first is our reading; a subscription can set its own.
const (
	salesiqTimeout    = 5 * time.Second
	salesiqRetryAfter = time.Minute
)

// How long failed executions are kept, in milliseconds: a week to 60 days, and 60 days unless told (doc).
const (
	salesiqShortestKeep = int64(7 * 24 * time.Hour / time.Millisecond)
	salesiqLongestKeep  = int64(60 * 24 * time.Hour / time.Millisecond)
)

// The two modules of webhooks (doc).
const (
	salesiqData           = "data"
	salesiqAdministration = "administration"
)

// salesiq is Zoho SalesIQ: one JSON object a request, signed with RSA where the webhook is secured.
func salesiq() provider {
	return provider{
		timeout:  salesiqTimeout,
		retries:  []time.Duration{salesiqRetryAfter, salesiqRetryAfter, salesiqRetryAfter},
		success:  func(status int) bool { return status >= 100 && status < 300 },
		schemes:  []string{salesiqScheme, "none"},
		events:   salesiqEvents(),
		sample:   sampleSalesiq,
		entities: true, // the time tells them apart, in milliseconds
		complete: completeSalesiq,
		check:    checkSalesiq,
		newID:    newSalesiqID,
		admit:    admitSalesiq,
		test:     testSalesiq,
		match:    matchSalesiq,
		write:    writeSalesiq,
		keep:     keepSalesiq,
		routes:   routeSalesiq,
	}
}

// salesiqEvents are the events of the provider's pages.
func salesiqEvents() []string {
	return []string{
		"conversation.created", "conversation.attender.updated", "conversation.missed", "conversation.completed",
		"conversation.rated", "conversation.visitor.replied", "conversation.operator.replied",
		"conversation.transfer.initiated", "conversation.transfer.accepted", "conversation.transfer.rejected",
		"conversation.participants.added", "conversation.participants.deleted", "conversation.supervisor.added",
		"conversation.message.edited", "conversation.message.deleted", "conversation.metrics", "conversation.reopened",
		"conversation.ended", "visitor.updated", "contact.tag.action", "lead.tag.action",
		"department.created", "department.updated", "department.deleted",
		"operator.created", "operator.updated", "operator.deleted",
		"operator.departments.associated", "operator.departments.dissociated",
		"brands.enabled", "brands.disabled", "tag.created", "tag.updated", "tag.deleted",
	}
}

// salesiqModule is the kind of webhook that an event goes to. An event that no page names is one of an app.
func salesiqModule(event string) string {
	switch salesiqEntityType(event) {
	case "department", "operator", "brands", "tag":
		return salesiqAdministration
	}
	return salesiqData
}

// salesiqEntityType is the first segment of an event's name, which is our default where no sample of the provider's has
// the member.
func salesiqEntityType(event string) string {
	first, _, _ := strings.Cut(event, ".")
	return first
}

// salesiqBare reports whether an event comes without an entity: the deletion of a department, an operator or a tag. The
// pages say it of *.deleted and show the first two; that a message or a participant deleted from a conversation, whose
// payloads are not documented, leaves the conversation's entity in place is our reading.
func salesiqBare(event string) bool {
	return strings.HasSuffix(event, ".deleted") && strings.Count(event, ".") == 1
}

var salesiqEventName = regexp.MustCompile(`^[a-z0-9_]{1,40}(\.[a-z0-9_]{1,40}){1,5}$`)

// salesiqLongestID bounds an id; the provider's own have 11 to 20 digits.
const salesiqLongestID = 100

// completeSalesiq fills in the time, the entity's type and, from the payload, its id and its app.
func completeSalesiq(e *Event, now time.Time) error {
	var ps hookgate.Problems
	if !salesiqEventName.MatchString(e.Type) {
		ps.Add("type", "write it as in conversation.created", "%q is not the name of an event", e.Type)
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	entity, wrong := salesiqEntity(e)
	if wrong != nil {
		ps = append(ps, *wrong)
	}
	// The caller may keep its map and use it again.
	e.Attributes = maps.Clone(e.Attributes)
	if e.Attributes == nil {
		e.Attributes = make(map[string]string)
	}
	fill := func(name, value string) {
		if e.Attributes[name] == "" && value != "" {
			e.Attributes[name] = value
		}
	}
	fill("entity_type", salesiqEntityType(e.Type))
	fill("entity_id", string(entity.ID))
	if salesiqModule(e.Type) == salesiqData {
		fill("app_id", string(entity.AppID))
	}
	switch id := e.Attributes["entity_id"]; {
	case id == "":
		ps.Add("attributes.entity_id", "set it, or give the payload an id", "the id of what the event is about is missing")
	case len(id) > salesiqLongestID:
		ps.Add("attributes.entity_id", "the provider's own have 20 digits at most", "an id of %d bytes is too long", len(id))
	}
	if app := e.Attributes["app_id"]; app != "" && !salesiqNumber(app) {
		ps.Add("attributes.app_id", "such as 40526000000002040", "an app id is a number of at most 20 digits")
	}
	if salesiqBare(e.Type) {
		e.Payload = nil
	}
	return ps.Err()
}

// salesiqIdentity is what an entity tells of itself.
type salesiqIdentity struct {
	ID    salesiqDigits `json:"id"`
	AppID salesiqDigits `json:"app_id"`
}

func salesiqEntity(e *Event) (id salesiqIdentity, wrong *hookgate.Problem) {
	if len(e.Payload) == 0 && salesiqBare(e.Type) {
		return id, nil
	}
	var members map[string]json.RawMessage
	if len(e.Payload) == 0 || json.Unmarshal(e.Payload, &members) != nil || members == nil {
		return id, &hookgate.Problem{Field: "payload", Message: "the payload is not a JSON object",
			Hint: `give what stands in the envelope's entity, such as {"id":"8000000004009"}`}
	}
	if json.Unmarshal(e.Payload, &id) != nil {
		return id, &hookgate.Problem{Field: "payload", Message: "id and app_id of the payload are neither text nor number",
			Hint: `such as {"id":"8000000004009"}`}
	}
	return id, nil
}

// salesiqNumber reports whether text is a number that keeps its digits without quotes.
func salesiqNumber(text string) bool {
	if text == "" || len(text) > 20 || (text[0] == '0' && len(text) > 1) {
		return false
	}
	return strings.Trim(text, "0123456789") == ""
}

// salesiqDigits is an id, a time or a count: text at the provider, and a number of the same digits is the same value.
type salesiqDigits string

// UnmarshalJSON takes text and numbers, and keeps the digits of both.
func (d *salesiqDigits) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*d = salesiqDigits(text)
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(b, &number); err != nil {
		return err
	}
	*d = salesiqDigits(number)
	return nil
}

// int64 is false when the value is not a number or too large.
func (d salesiqDigits) int64() (int64, bool) {
	n, err := strconv.ParseInt(string(d), 10, 64)
	return n, err == nil && salesiqNumber(string(d))
}

// matchSalesiq looks at the portal, the module, the events and, for data, the apps. An empty list of events or apps takes
// all of them, which is our default. An event names its portal by the org_id (its account) or by the attribute screenname,
// and a webhook that does not know the one or the other takes the event.
func matchSalesiq(s *Subscription, e *Event) bool {
	set := decode[salesiqSettings](s)
	module := salesiqModule(e.Type)
	if module != set.kind() || (len(s.Events) > 0 && !slices.Contains(s.Events, e.Type)) {
		return false
	}
	if e.Account != "" && set.OrgID != "" && e.Account != string(set.OrgID) {
		return false
	}
	if portal := e.Attributes["screenname"]; portal != "" && set.Portal != "" && portal != set.Portal {
		return false
	}
	return module != salesiqData || len(set.AppIDs) == 0 || slices.Contains(set.AppIDs, salesiqDigits(e.Attributes["app_id"]))
}

// keepSalesiq is how long a failed execution can be listed and retried by hand.
func keepSalesiq(s *Subscription, state State) time.Duration {
	if state != Failed {
		return 0
	}
	return time.Duration(decode[salesiqSettings](s).expiry()) * time.Millisecond
}
