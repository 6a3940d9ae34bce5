package outbound

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"strconv"

	"github.com/hookgate/hookgate"
)

// salesiqEnvelope has the members of a delivery in the order of the provider's sample of conversation.operator.replied;
// its samples differ in their order, and compact is our default.
type salesiqEnvelope struct {
	EntityType string          `json:"entity_type"`
	OrgID      string          `json:"org_id"`
	Event      string          `json:"event"`
	EntityID   string          `json:"entity_id"`
	Attempt    int             `json:"attempt"`
	Version    any             `json:"version"`
	AppID      any             `json:"app_id,omitempty"`
	Entity     json.RawMessage `json:"entity,omitempty"`
	EventTime  any             `json:"event_time"`
	Webhook    *salesiqRef     `json:"webhook,omitempty"`
}

type salesiqRef struct {
	ID string `json:"id"`
}

// writeSalesiq makes the request of an attempt. The attempt stands in the body and is signed with it, so that no two
// attempts are alike (doc); that event_time stays and manual attempts count on is our default.
func writeSalesiq(s *Subscription, d *Delivery, attempt int) (http.Header, []byte, error) {
	if len(d.Events) != 1 {
		return nil, nil, hookgate.Errorf(hookgate.InternalMistake, "salesiq sends one event a request, not %d", len(d.Events))
	}
	set, e := decode[salesiqSettings](s), &d.Events[0]
	version := strconv.FormatInt(set.version(), 10)
	eventTime := strconv.FormatInt(e.Time.UnixMilli(), 10)
	envelope := salesiqEnvelope{
		EntityType: e.Attributes["entity_type"],
		OrgID:      salesiqOrg(&set, e),
		Event:      e.Type,
		EntityID:   e.Attributes["entity_id"],
		Attempt:    attempt,
		Entity:     e.Payload, // none for a deletion
		EventTime:  eventTime,
	}
	app := e.Attributes["app_id"]
	if salesiqModule(e.Type) != salesiqData {
		app = "" // only the events of an app have one
	}
	if set.Profile == "live" {
		// What deliveries were seen with: a version that is a number, an app_id that is text, and the webhook's id.
		envelope.Version, envelope.Webhook = json.Number(version), &salesiqRef{s.ID}
		if app != "" {
			envelope.AppID = app
		}
	} else {
		envelope.Version = version
		if app != "" {
			envelope.AppID = json.Number(app)
		}
	}
	if set.timeIsNumber(e.Type) {
		envelope.EventTime = json.Number(eventTime)
	}
	body, err := salesiqJSON(envelope)
	if err != nil {
		return nil, nil, hookgate.Errorf(hookgate.InternalMistake, "salesiq cannot write %s: %w", e.Type, err)
	}
	contentType := "application/json"
	if set.Charset {
		contentType += ";charset=UTF-8"
	}
	return http.Header{"Content-Type": {contentType}}, body, nil
}

// timeIsNumber reports whether event_time goes without quotes. Of the provider's samples one has a number and all others
// text (doc); ours with the number is conversation.operator.replied. Live deliveries had text (seen).
func (set salesiqSettings) timeIsNumber(event string) bool {
	switch set.EventTime {
	case "number":
		return true
	case "text":
		return false
	}
	return set.Profile != "live" && event == "conversation.operator.replied"
}

// salesiqOrg is the event's account, else the portal's org_id, else one that is made up of the portal's name and stays
// the same.
func salesiqOrg(set *salesiqSettings, e *Event) string {
	switch {
	case e.Account != "":
		return e.Account
	case set.OrgID != "":
		return string(set.OrgID)
	}
	return salesiqMadeUp("org "+set.Portal, 11)
}

// salesiqMadeUp is a number of so many digits that belongs to a name.
func salesiqMadeUp(name string, digits int) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	text := "6" + strconv.FormatUint(h.Sum64()|1<<63, 10) // 2^63 and more has at least 19 digits
	return text[:digits]
}

// salesiqJSON is compact, with <, > and & as they are and without a line end.
func salesiqJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
