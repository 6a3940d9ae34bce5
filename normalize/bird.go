package normalize

import (
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookgate/hookgate"
)

// bird reads the webhooks of Bird's Notifications API: {"service","event","payload"} (its pages say so). The native
// event is <service>.<event>.
type bird struct {
	event string // native event of a body without a service or an event
}

func newBird(o Options) hookgate.Reader { return bird{o.Event} }

// birdRequestID is the header that names a delivery; it is outside the signature.
const birdRequestID = "Messagebird-Request-Id"

// Normalize gives the one event of the body. Nothing in the body names the event itself: its payload is an entity whose
// status may be told many times. So a signed delivery is known by what is signed, the time and the body, which a retry
// repeats (seen by three receivers).
func (r bird) Normalize(req *hookgate.Request, verdict hookgate.Verdict) []*hookgate.Event {
	root, err := readObject(req.Body)
	if err != nil {
		return quarantine(req.Body, err)
	}
	service, event, payload := readBird(root)
	e := &hookgate.Event{Attempt: 1, ContentType: hookgate.JSON, Data: root.raw}
	if ids := req.Header[birdRequestID]; len(ids) == 1 {
		e.NativeID = ids[0]
	}
	signed := verdict.SignedTime()
	signedAt, inTime := epochSeconds(signed)
	if org := payload.organization; org.isString() {
		e.Tenant = org.text()
	}
	t, ok := payload.time()
	if !ok {
		t, ok = signedAt, inTime
	}
	setTime(e, t, ok)
	switch {
	case signed != "":
		sum := req.BodySHA256()
		e.Identity = given(
			hookgate.Field{Name: "timestamp", Value: signed},
			hookgate.Field{Name: "bodysha256", Value: hex.EncodeToString(sum[:])},
		)
		if e.TimeSource == hookgate.TimeFromEvent { // the digest covers the payload's time, too
			e.IdentityTime = e.Time.UnixMicro()
		}
	case e.NativeID != "" && utf8.ValidString(e.NativeID):
		// No time follows from this id: two copies under it need not have the same body.
		e.Identity = given(hookgate.Field{Name: "messagebird-request-id", Value: e.NativeID})
	default:
		digestIdentity(e)
	}
	r.classify(e, service.text(), event.text(), payload)
	return []*hookgate.Event{e}
}

// classify fills in what the taxonomy says of the event's name.
func (r bird) classify(e *hookgate.Event, service, event string, payload birdPayload) {
	native := service + "." + event
	if service == "" || event == "" {
		native = r.event
		if _, event, _ = strings.Cut(native, "."); event == "" {
			event = native
		}
	}
	e.Type = typeName("bird", native)
	k, ok := birdKind(native)
	if !ok {
		k = unlisted(event, birdSubject) // the service is a product and no entity
	}
	e.EntityType, e.Action = k.entity, k.action
	e.Subject = payload.id.text()
	if k.subject == birdInteraction {
		if message := payload.messageID.text(); message != "" {
			e.Subject = message
		}
	}
}

// birdKind finds a native event exactly, else with * for the channel, the middle one of three segments.
func birdKind(native string) (kind, bool) {
	k, ok := birdKinds[native]
	if ok {
		return k, true
	}
	service, event, _ := strings.Cut(native, ".")
	channel, action, _ := strings.Cut(event, ".")
	if channel == "" {
		return kind{}, false
	}
	k, ok = birdKinds[service+".*."+action]
	return k, ok
}

// birdPayload is where the members of the payload stand.
type birdPayload struct{ id, messageID, organization, lastStatusAt, updatedAt, createdAt value }

func readBird(root value) (service, event value, p birdPayload) {
	var payload value
	for name, v := range root.fields {
		switch string(name) {
		case "service":
			service = v
		case "event":
			event = v
		case "payload":
			payload = v
		}
	}
	for name, v := range payload.fields {
		switch string(name) {
		case "id":
			p.id = v
		case "messageId":
			p.messageID = v
		case "organizationId":
			p.organization = v
		case "lastStatusAt":
			p.lastStatusAt = v
		case "updatedAt":
			p.updatedAt = v
		case "createdAt":
			p.createdAt = v
		}
	}
	return service, event, p
}

// time is the first of the payload's times that is one.
func (p birdPayload) time() (t time.Time, ok bool) {
	for _, v := range [...]value{p.lastStatusAt, p.updatedAt, p.createdAt} {
		if t, ok = rfc3339(v.text()); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

const (
	birdSubject     = "payload.id"
	birdInteraction = "payload.messageId|payload.id" // an interaction is one with a message
)

// birdKinds lists the events of the provider's pages; * is one segment, for a channel that has no line of its own. All
// outbound events but those of sms and email, and the lines with *, are our reading; whatsapp.interaction was seen.
var birdKinds = map[string]kind{
	"channels.sms.inbound":               {"message", "received", birdSubject},
	"channels.whatsapp.inbound":          {"message", "received", birdSubject},
	"channels.email.inbound":             {"message", "received", birdSubject},
	"channels.line.inbound":              {"message", "received", birdSubject},
	"channels.instagram.inbound":         {"message", "received", birdSubject},
	"channels.facebook.inbound":          {"message", "received", birdSubject},
	"channels.viber.inbound":             {"message", "received", birdSubject},
	"channels.linkedin.inbound":          {"message", "received", birdSubject},
	"channels.tiktok.inbound":            {"message", "received", birdSubject},
	"channels.telegram.inbound":          {"message", "received", birdSubject},
	"channels.sms.outbound":              {"message", "updated", birdSubject},
	"channels.whatsapp.outbound":         {"message", "updated", birdSubject},
	"channels.email.outbound":            {"message", "updated", birdSubject},
	"channels.line.outbound":             {"message", "updated", birdSubject},
	"channels.instagram.outbound":        {"message", "updated", birdSubject},
	"channels.facebook.outbound":         {"message", "updated", birdSubject},
	"channels.viber.outbound":            {"message", "updated", birdSubject},
	"channels.linkedin.outbound":         {"message", "updated", birdSubject},
	"channels.tiktok.outbound":           {"message", "updated", birdSubject},
	"channels.telegram.outbound":         {"message", "updated", birdSubject},
	"channels.email.interaction":         {"message", "interacted", birdInteraction},
	"channels.whatsapp.interaction":      {"message", "interacted", birdInteraction},
	"channels.*.inbound":                 {"message", "received", birdSubject},
	"channels.*.outbound":                {"message", "updated", birdSubject},
	"channels.*.interaction":             {"message", "interacted", birdInteraction},
	"channels.voice.inbound":             {"call", "updated", birdSubject},
	"channels.voice.outbound":            {"call", "updated", birdSubject},
	"channels.channel.created":           {"channel", "created", birdSubject},
	"channels.channel.updated":           {"channel", "updated", birdSubject},
	"numbers.endpoint":                   {"number", "updated", birdSubject},
	"numbers.10dlc.brand":                {"brand", "updated", birdSubject},
	"numbers.10dlc.campaign":             {"campaign", "updated", birdSubject},
	"numbers.10dlc.vetting":              {"vetting", "updated", birdSubject},
	"numbers.tfn.verification":           {"verification", "updated", birdSubject},
	"conversations.conversation.created": {"conversation", "created", birdSubject},
	"conversations.conversation.updated": {"conversation", "updated", birdSubject},
	"conversations.conversation.deleted": {"conversation", "deleted", birdSubject},
}
