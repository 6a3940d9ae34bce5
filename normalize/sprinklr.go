package normalize

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/hookgate/hookgate"
)

// sprinklr reads Sprinklr's webhooks: one JSON object a request, {"id","type","payload","eventTime",
// "subscriptionDetails":{"subscriptionId"}} (its pages say so). The payload is an object, or a bare text that is the id.
type sprinklr struct {
	event string // of a body without a type
}

var _ hookgate.Prober = sprinklr{}

func newSprinklr(o Options) hookgate.Reader { return sprinklr{o.Event} }

// Probe is the verification call: exactly the two bytes {} (its page says so; that it may come unsigned is our reading,
// as nothing is said of its headers). Anything longer, white space included, has to authenticate.
func (sprinklr) Probe(req *hookgate.Request) bool {
	return req.Method == http.MethodPost && string(req.Body) == "{}"
}

// Normalize gives the one event of the body. There is no attempt number and no zone: the time is in milliseconds.
func (r sprinklr) Normalize(req *hookgate.Request, _ hookgate.Verdict) []*hookgate.Event {
	root, err := readObject(req.Body)
	if err != nil {
		return quarantine(req.Body, err)
	}
	b := readSprinklr(root)
	switch string(b.typ.raw) {
	case "", "null", `""`:
		if b.data.isObject() { // the overview page prints one sample inside {"data": …}
			b = readSprinklr(b.data)
		}
	}
	id, typ := b.id.text(), b.typ.text()
	subscription := b.details.get("subscriptionId")
	e := &hookgate.Event{
		Tenant: subscription.text(), NativeID: id, Attempt: 1, ContentType: hookgate.JSON, Data: b.event.raw,
	}
	t, ok := epochMillis(b.time.text())
	setTime(e, t, ok)
	if e.Tenant != "" && id != "" && typ != "" && allClean(subscription, b.id, b.typ) {
		e.Identity = given(
			hookgate.Field{Name: "subscriptionId", Value: e.Tenant},
			hookgate.Field{Name: "id", Value: id},
			hookgate.Field{Name: "type", Value: typ},
		)
		e.IdentityTime = objectIDTime(id)
	} else {
		digestIdentity(e)
	}
	r.classify(e, typ, b.payload)
	return []*hookgate.Event{e}
}

// classify fills in what the taxonomy says of the event's name.
func (r sprinklr) classify(e *hookgate.Event, native string, payload value) {
	if native == "" {
		native = r.event
	}
	e.Type = typeName("sprinklr", native)
	k, ok := sprinklrKinds[native]
	if !ok {
		k = unlisted(native, "payload.id")
		if !payload.isObject() { // a text or a number is the id itself
			k.subject = "payload"
		}
	}
	e.EntityType, e.Action = k.entity, k.action
	if path, inside := strings.CutPrefix(k.subject, "payload."); inside {
		e.Subject = payload.at(path).text()
	} else {
		e.Subject = payload.text()
	}
}

// sprinklrBody is where the members of one event stand.
type sprinklrBody struct{ event, id, typ, payload, time, details, data value }

func readSprinklr(event value) sprinklrBody {
	b := sprinklrBody{event: event}
	for name, v := range event.fields {
		switch string(name) {
		case "id":
			b.id = v
		case "type":
			b.typ = v
		case "payload":
			b.payload = v
		case "eventTime":
			b.time = v
		case "subscriptionDetails":
			b.details = v
		case "data":
			b.data = v
		}
	}
	return b
}

// objectIDTime is the second in which a Mongo ObjectId was made, its first 4 bytes, with the counter in its last 3 bytes as
// the fraction, so that ids made one after the other stand in this order; 0 where id is none.
func objectIDTime(id string) int64 {
	if len(id) != 24 {
		return 0
	}
	for i := range len(id) {
		if _, ok := fromHex(id[i]); !ok {
			return 0
		}
	}
	second, err := strconv.ParseInt(id[:8], 16, 64)
	if err != nil || second < firstMilli/1000 {
		return 0
	}
	counter, err := strconv.ParseInt(id[18:], 16, 64)
	if err != nil {
		return 0
	}
	return second*1_000_000 + counter*1_000_000>>24
}

// sprinklrKinds lists the events by their name on the wire; tenses vary there, so nothing is derived. All are in the
// provider's pages but audience.activity.created, whose name is our reading of its constant.
var sprinklrKinds = map[string]kind{
	"case.create":                    {"case", "created", "payload.id"},
	"case.update":                    {"case", "updated", "payload.id"},
	"case.delete":                    {"case", "deleted", "payload.id"},
	"message.association.change":     {"case", "associated", "payload.uCase.id"},
	"message.created":                {"message", "received", "payload.messageId"},
	"message.updated":                {"message", "updated", "payload.messageId"},
	"message.deleted":                {"message", "deleted", "payload.universalMessageId"},
	"message.engagement.updated":     {"message", "engaged", "payload.channelMessageId"},
	"message.published":              {"message", "published", "payload.messageId"},
	"message.publish.failed":         {"message", "failed", "payload.postId"},
	"message.sent.for.approval":      {"message", "submitted", "payload.id"},
	"message.read":                   {"message", "read", "payload.messageId"},
	"message.delivered":              {"message", "delivered", "payload.messageId"},
	"post.trend.metrics.change":      {"message", "measured", "payload.postId"},
	"workflow.updated":               {"workflow", "updated", "payload.messageId"},
	"profile.created":                {"contact", "created", "payload.id"},
	"profile.updated":                {"contact", "updated", "payload.id"},
	"profile.deleted":                {"contact", "deleted", "payload"},
	"profiles.merged":                {"contact", "merged", "payload.retainedProfileId"},
	"audience.activity.created":      {"audience", "created", "payload.id"},
	"draft.created":                  {"draft", "created", "payload.id"},
	"draft.updated":                  {"draft", "updated", "payload.id"},
	"draft.scheduled":                {"draft", "scheduled", "payload.draftId"},
	"campaign.created":               {"campaign", "created", "payload.id"},
	"campaign.updated":               {"campaign", "updated", "payload.id"},
	"campaign.deleted":               {"campaign", "deleted", "payload"},
	"comment.created":                {"comment", "created", "payload.id"},
	"comment.updated":                {"comment", "updated", "payload.id"},
	"asset.created":                  {"asset", "created", "payload.id"},
	"asset.updated":                  {"asset", "updated", "payload.id"},
	"asset.deleted":                  {"asset", "deleted", "payload.id"},
	"task.create":                    {"task", "created", "payload.id"},
	"task.update":                    {"task", "updated", "payload.id"},
	"task.delete":                    {"task", "deleted", "payload"},
	"user.created":                   {"agent", "created", "payload.id"},
	"user.updated":                   {"agent", "updated", "payload.id"},
	"user.deleted":                   {"agent", "deleted", "payload"},
	"thread.control.updated":         {"thread", "transferred", "payload.entityId"},
	"recommendation.created":         {"recommendation", "created", "payload.recipientId"},
	"account.created":                {"channel", "created", "payload.id"},
	"account.updated":                {"channel", "updated", "payload.id"},
	"business.hours.created":         {"schedule", "created", "payload.id"},
	"business.hours.updated":         {"schedule", "updated", "payload.newBusinessHours.id"},
	"business.holidays.list.created": {"schedule", "created", "payload.id"},
	"business.holidays.list.updated": {"schedule", "updated", "payload.newBusinessHolidayList.id"},
	"survey.response.created":        {"survey", "submitted", "payload.responseId"},
	"voice.call.quality.event":       {"call", "measured", "payload.callId"},
}
