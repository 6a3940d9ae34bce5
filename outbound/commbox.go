package outbound

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookgate/hookgate"
)

const (
	commboxTimeout    = 30 * time.Second // ours: it is not documented
	commboxRetryWait  = 5 * time.Minute  // doc
	commboxRetries    = 3                // doc: the console's default
	commboxMaxRetries = 5                // doc
)

// commbox is CommBox. It signs nothing, so that a delivery proves itself by its Authorization header or its client
// certificate, and it documents no management API: the console, and so our plain API, is the only way (doc). Its list of
// failed events is the log's failed deliveries, with error, status, time and payload of every attempt.
func commbox() provider {
	return provider{
		timeout:  commboxTimeout,
		retries:  commboxWaits(commboxRetries),
		success:  func(status int) bool { return status >= 200 && status <= 299 }, // ours
		schemes:  []string{"basic", "access-token", "bearer", "client-certificate", "none"},
		events:   commboxEvents(),
		sample:   commboxSample,
		complete: commboxComplete,
		check:    commboxCheck,
		admit:    commboxAdmit,
		match:    commboxMatch,
		write:    commboxWrite,

		hideSettings: hideCommbox,
		keepHidden:   keepCommbox,
	}
}

// commboxWaits is the wait before each of n retries, which follow the first request (ours: whether it counts among them
// is not documented).
func commboxWaits(n int) []time.Duration { return slices.Repeat([]time.Duration{commboxRetryWait}, n) }

// commboxEvents are the triggers as <entity>.<name>. The last one's name is ours: the page has an update trigger of tags
// without naming it.
func commboxEvents() []string {
	return []string{
		"Object.OnNew", "Object.OnNewChild", commboxNewActivity, "Object.OnUpdateTag", "User.OnNew", "User.OnUpdate",
		commboxUserTag, "Satisfaction.OnSubmit", "Form.OnSubmit", "Chat.OnUserExit", "Tag.OnAdd", commboxTagUpdate,
	}
}

const (
	commboxNewActivity = "Object.OnNewActivity"
	commboxUserTag     = "User.OnUpdateTag"
	commboxTagUpdate   = "Tag.OnUpdate"
)

// commboxSettings is the console's form, and below it a switch for each point that the pages leave open. Content-Type and
// SOAPAction are open, too: Subscription.Headers replaces them.
type commboxSettings struct {
	// Entity and Triggers are what the subscription is for: one entity and at least one of its triggers (doc). Without an
	// entity Subscription.Events decides: it may name events of several entities, as if it were one subscription an
	// entity, and empty it means all (ours).
	Entity   string   `json:"entity,omitempty"`
	Triggers []string `json:"triggers,omitempty"` // such as OnNew
	// ActivityTypes narrows OnNewActivity, by number or by name; empty takes all.
	ActivityTypes []commboxActivityType `json:"activity_types,omitempty"`
	// IncludeCompleteData sends all fields, which is also what its absence means, because the provider's examples are
	// whole. False leaves nothing but ids, so that an event has no date and receivers identify it by its digest. (ours)
	IncludeCompleteData *bool `json:"include_complete_data,omitempty"`
	// Protocol is rest (the default) or soap, Format what rest carries: json (the default) or xml.
	Protocol       string             `json:"protocol,omitempty"`
	Format         string             `json:"format,omitempty"`
	SOAPParameters []commboxParameter `json:"soap_parameters,omitempty"`
	// Retries is 0 to 5, five minutes apart; 3 when it is left out. Check turns it into Subscription.Retries, unless that
	// already holds waits that the console cannot make.
	Retries *int `json:"retries,omitempty"`

	RequestID     bool   `json:"request_id,omitempty"`      // give the entity a requestId, the event's id, where it has none
	AllowHTTP     bool   `json:"allow_http,omitempty"`      // an older reference only recommends https://
	Root          string `json:"root,omitempty"`            // of JSON: Event (the default) or payload; both are on the pages
	SOAPVersion   string `json:"soap_version,omitempty"`    // 1.1 (the default) or 1.2
	TagUpdateName string `json:"tag_update_name,omitempty"` // the wire's name of Tag.OnUpdate
}

// commboxParameter is a SOAP message parameter: an element before the event. The value may be a secret.
type commboxParameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (c commboxSettings) complete() bool {
	return c.IncludeCompleteData == nil || *c.IncludeCompleteData
}

// commboxActivityType is the number of an activity type; JSON may also give its name.
type commboxActivityType int

// commboxActivityNames are the types from 1 on, as the provider spells them (doc).
func commboxActivityNames() []string {
	return []string{
		"Remark", "StatusChange", "Forward", "ForwardReply", "StreamChange", "AssignChange", "UpdateObjectTag", "FollowUp",
		"UpdateObjectIntent", "Attachment", "RuleExecuted", "Custom", "UpdateObjectPublicity", "Debug",
		"InvalidExtensionFile", "InvalidFileSize", "DisallowedFileUpload", "inactivityLogout", "ParticipantChange",
		"TargetStreamChange", "ConversationSummary", "LogError", "RedactChild",
	}
}

var errCommboxActivity = errors.New("an activity type is a number from 1 to 23 or its name, such as StatusChange")

// UnmarshalJSON takes 2, "2" and "StatusChange".
func (t *commboxActivityType) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	names := commboxActivityNames()
	if i := slices.Index(names, text); i >= 0 {
		*t = commboxActivityType(i + 1)
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > len(names) {
		return errCommboxActivity
	}
	*t = commboxActivityType(n)
	return nil
}

// commboxMatch looks at the trigger, and for OnNewActivity at the activities' types: one that is wanted is enough.
func commboxMatch(s *Subscription, e *Event) bool {
	settings := decode[commboxSettings](s)
	if !commboxWants(s, settings, e.Type) {
		return false
	}
	if e.Type != commboxNewActivity || len(settings.ActivityTypes) == 0 {
		return true
	}
	entity, err := readCommboxEntity(e.Payload)
	if err != nil {
		return false
	}
	for _, activity := range entity.items(e.Type) {
		n, err := strconv.Atoi(activity.text("Type"))
		if err == nil && slices.Contains(settings.ActivityTypes, commboxActivityType(n)) {
			return true
		}
	}
	return false
}

func commboxWants(s *Subscription, settings commboxSettings, native string) bool {
	if settings.Entity == "" {
		return len(s.Events) == 0 || slices.Contains(s.Events, native)
	}
	entity, trigger, _ := strings.Cut(native, ".")
	return entity == settings.Entity && slices.Contains(settings.Triggers, trigger)
}

// commboxComplete makes sure that the payload can be written in every shape, and gives the event its id and its date. An
// event without an account goes out without Brand, as the provider's first example does.
func commboxComplete(e *Event, now time.Time) error {
	if !slices.Contains(commboxEvents(), e.Type) {
		return commboxWrong("type", "it has "+strings.Join(commboxEvents(), ", "), "commbox has no event %q", e.Type)
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	entity, err := readCommboxEntity(e.Payload)
	if err != nil {
		return commboxWrong("payload", "give what stands inside the entity's element as a JSON object", "%v", err)
	}
	name, _, _ := strings.Cut(e.Type, ".")
	if len(entity.members) == 1 && entity.members[0].name == name {
		return commboxWrong("payload", "give what is inside it", "%s is the wrapper", name)
	}
	if e.ID == "" {
		e.ID = entity.text("requestId")
	}
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	if entity.date(e.Type, e.Time) {
		e.Payload = json.RawMessage(entity.appendJSON(nil))
	}
	return nil
}

func commboxWrong(field, hint, format string, args ...any) error {
	var ps hookgate.Problems
	ps.Add(field, hint, format, args...)
	return ps
}

// commboxWrite makes a request in the subscription's shape.
func commboxWrite(s *Subscription, d *Delivery, _ int) (http.Header, []byte, error) {
	if len(d.Events) == 0 {
		return nil, nil, hookgate.Errorf(hookgate.InternalMistake, "commbox: the delivery has no event")
	}
	e := &d.Events[0]
	settings := decode[commboxSettings](s)
	entity, err := readCommboxEntity(e.Payload)
	if err != nil {
		return nil, nil, hookgate.Errorf(hookgate.Malformed, "commbox: payload of %s: %w", e.Type, err)
	}
	if !settings.complete() {
		entity.onlyIDs()
	}
	if settings.RequestID && e.ID != "" && entity.text("requestId") == "" {
		entity.set("requestId", e.ID)
	}
	w := commboxEvent{native: e.Type, brand: e.Account, entity: entity}
	w.subscription, w.name, _ = strings.Cut(e.Type, ".")
	if e.Type == commboxTagUpdate && settings.TagUpdateName != "" {
		w.name = settings.TagUpdateName
	}
	header, body := w.shape(settings)
	return header, body, nil
}
