package outbound

import (
	"encoding/json"
	"time"
)

// Event is something that happened at the provider, before any subscription is looked at.
type Event struct {
	// Type is the provider's own name of the event, as its taxonomy has it: case.create, Object.OnNew, channels.sms.inbound,
	// email.open.
	Type string `json:"type"`
	// ID is the provider's own id of the event; made up when empty, where the provider has one.
	ID string `json:"id,omitempty"`
	// Account is whose event it is: SalesIQ's portal, CommBox's brand, Netcore's panel, Bird's organization.
	Account string `json:"account,omitempty"`
	// Time is when it happened; now when zero.
	Time time.Time `json:"time,omitzero"`
	// Payload is the provider's inner object as its pages print it: Sprinklr's payload, SalesIQ's entity, the element inside
	// CommBox's Event, one event object of Netcore, Bird's payload.
	Payload json.RawMessage `json:"payload,omitempty"`
	// Attributes are what a filter or an envelope needs beside the payload, such as SalesIQ's app_id and entity_id.
	Attributes map[string]string `json:"attributes,omitempty"`
}
