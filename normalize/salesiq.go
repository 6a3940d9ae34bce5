package normalize

import "github.com/hookgate/hookgate"

// salesiq reads Zoho SalesIQ's webhooks: one JSON object a request. Its pages and live deliveries differ in whether
// app_id, version and event_time are numbers or text, so both are read alike.
type salesiq struct {
	event string // of a body without an event
}

func newSalesiq(o Options) hookgate.Reader { return salesiq{o.Event} }

// Normalize gives the one event of the body. The attempt is inside the body: every retry has other bytes and another
// signature, and only the identity fields stay.
func (r salesiq) Normalize(req *hookgate.Request, _ hookgate.Verdict) []*hookgate.Event {
	root, err := readObject(req.Body)
	if err != nil {
		return quarantine(req.Body, err)
	}
	b := readSalesiq(root)
	native, entityID, eventTime := b.event.text(), b.entityID.text(), b.time.text()
	e := &hookgate.Event{
		Tenant: b.org.text(), Attempt: attempt(b.attempt.text()), ContentType: hookgate.JSON, Data: root.raw,
	}
	t, ok := epochMillis(eventTime)
	setTime(e, t, ok)
	webhook, message := b.webhook.get("id"), b.entity.get("message", "msgid")
	if native != "" && entityID != "" && eventTime != "" &&
		allClean(webhook, b.org, b.app, b.event, b.entityID, b.time, message) {
		e.Identity = given(
			hookgate.Field{Name: "webhook.id", Value: webhook.text()},
			hookgate.Field{Name: "org_id", Value: e.Tenant},
			hookgate.Field{Name: "app_id", Value: b.app.text()},
			hookgate.Field{Name: "event", Value: native},
			hookgate.Field{Name: "entity_id", Value: entityID},
			hookgate.Field{Name: "event_time", Value: eventTime},
			hookgate.Field{Name: "entity.message.msgid", Value: message.text()},
		)
		if ok {
			e.IdentityTime = t.UnixMicro()
		}
	} else {
		digestIdentity(e)
	}
	if e.Subject = entityID; entityID == "" {
		e.Subject = b.entity.get("id").text()
	}
	if native == "" {
		native = r.event
	}
	e.Type = typeName("salesiq", native)
	k, listed := salesiqKinds[native]
	if !listed {
		k = unlisted(native, salesiqSubject)
	}
	e.EntityType, e.Action = k.entity, k.action
	return []*hookgate.Event{e}
}

// salesiqBody is where the members of the event stand.
type salesiqBody struct{ webhook, org, app, event, entityID, time, entity, attempt value }

func readSalesiq(event value) (b salesiqBody) {
	for name, v := range event.fields {
		switch string(name) {
		case "webhook":
			b.webhook = v
		case "org_id":
			b.org = v
		case "app_id":
			b.app = v
		case "event":
			b.event = v
		case "entity_id":
			b.entityID = v
		case "event_time":
			b.time = v
		case "entity":
			b.entity = v
		case "attempt":
			b.attempt = v
		}
	}
	return b
}

// salesiqSubject is where the id is: an operator.deleted has no entity, and a rating has no id in its own.
const salesiqSubject = "entity_id|entity.id"

// salesiqKinds lists the events of the provider's pages.
var salesiqKinds = map[string]kind{
	"conversation.created":              {"conversation", "created", salesiqSubject},
	"conversation.attender.updated":     {"conversation", "assigned", salesiqSubject},
	"conversation.missed":               {"conversation", "missed", salesiqSubject},
	"conversation.completed":            {"conversation", "completed", salesiqSubject},
	"conversation.rated":                {"conversation", "rated", salesiqSubject},
	"conversation.visitor.replied":      {"conversation", "replied", salesiqSubject},
	"conversation.operator.replied":     {"conversation", "replied", salesiqSubject},
	"conversation.transfer.initiated":   {"conversation", "initiated", salesiqSubject},
	"conversation.transfer.accepted":    {"conversation", "transferred", salesiqSubject},
	"conversation.transfer.rejected":    {"conversation", "rejected", salesiqSubject},
	"conversation.participants.added":   {"conversation", "joined", salesiqSubject},
	"conversation.participants.deleted": {"conversation", "left", salesiqSubject},
	"conversation.supervisor.added":     {"conversation", "supervised", salesiqSubject},
	"conversation.message.edited":       {"conversation", "edited", salesiqSubject},
	"conversation.message.deleted":      {"conversation", "redacted", salesiqSubject},
	"conversation.metrics":              {"conversation", "measured", salesiqSubject},
	"conversation.reopened":             {"conversation", "reopened", salesiqSubject},
	"conversation.ended":                {"conversation", "completed", salesiqSubject},
	"visitor.updated":                   {"visitor", "updated", salesiqSubject},
	"contact.tag.action":                {"contact", "tagged", salesiqSubject},
	"lead.tag.action":                   {"contact", "tagged", salesiqSubject},
	"department.created":                {"department", "created", salesiqSubject},
	"department.updated":                {"department", "updated", salesiqSubject},
	"department.deleted":                {"department", "deleted", salesiqSubject},
	"operator.created":                  {"agent", "created", salesiqSubject},
	"operator.updated":                  {"agent", "updated", salesiqSubject},
	"operator.deleted":                  {"agent", "deleted", salesiqSubject},
	"operator.departments.associated":   {"agent", "assigned", salesiqSubject},
	"operator.departments.dissociated":  {"agent", "unassigned", salesiqSubject},
	"brands.enabled":                    {"brand", "enabled", salesiqSubject},
	"brands.disabled":                   {"brand", "disabled", salesiqSubject},
	"tag.created":                       {"tag", "created", salesiqSubject},
	"tag.updated":                       {"tag", "updated", salesiqSubject},
	"tag.deleted":                       {"tag", "deleted", salesiqSubject},
}
