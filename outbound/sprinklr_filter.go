package outbound

import (
	"encoding/json"
	"slices"
	"strings"
)

// The conditions of a filter. IS is in the provider's samples; the name of "Is not" is not documented, and this is ours.
const (
	sprinklrIs    = "IS"
	sprinklrIsNot = "IS_NOT"
)

// sprinklrFiltered narrows one event of a subscription, in the form of the management API. All its filters must let an
// event through.
type sprinklrFiltered struct {
	WebhookType string           `json:"webhookType"`
	Filters     []sprinklrFilter `json:"filters"`
}

// sprinklrFilter compares one attribute with values, of which one is enough. In the provider's sample ID and Type are the
// same word.
type sprinklrFilter struct {
	ID             string   `json:"id"`
	Type           string   `json:"type"`
	CheckCondition string   `json:"checkCondition"`
	Values         []string `json:"values"`
}

// sprinklrMatch reports whether the subscription names the event and its filters let it through. How filters combine is
// not documented: all must agree, with one of their values each.
func sprinklrMatch(s *Subscription, e *Event) bool {
	if !slices.ContainsFunc(s.Events, func(name string) bool { return sprinklrSame(name, e.Type) }) {
		return false
	}
	if len(s.Settings) == 0 {
		return true
	}
	var payload sprinklrPayload
	for _, filtered := range decode[sprinklrSettings](s).Filters {
		if !sprinklrSame(filtered.WebhookType, e.Type) {
			continue
		}
		for _, f := range filtered.Filters {
			if payload == nil {
				payload = readSprinklrPayload(e.Payload)
			}
			if !f.lets(e, payload) {
				return false
			}
		}
	}
	return true
}

// lets compares without regard to case, as the provider's sample filters by Whatsapp_Business what its payloads call
// WHATSAPP_BUSINESS. An attribute that the event does not have is none of the values.
func (f sprinklrFilter) lets(e *Event, payload sprinklrPayload) bool {
	found := slices.ContainsFunc(f.attribute(e, payload), func(have string) bool {
		return slices.ContainsFunc(f.Values, func(want string) bool { return strings.EqualFold(have, want) })
	})
	return found == (f.CheckCondition == sprinklrIs)
}

// attribute is what the event says of itself, under the filter's id or else its type: in the attributes that it was
// triggered with, or in the payload.
func (f sprinklrFilter) attribute(e *Event, payload sprinklrPayload) []string {
	for _, name := range []string{f.ID, f.Type} {
		if name == "" {
			continue
		}
		if v, ok := e.Attributes[name]; ok {
			return []string{v}
		}
		if v := payload.attribute(name); len(v) > 0 {
			return v
		}
	}
	return nil
}

// sprinklrPayload are the members of an event's payload; it is empty, not nil, where that is a text.
type sprinklrPayload map[string]json.RawMessage

func readSprinklrPayload(raw []byte) sprinklrPayload {
	p := sprinklrPayload{}
	_ = json.Unmarshal(raw, &p) // a text has no members
	if p["uCase"] == nil {
		return p
	}
	inner := sprinklrPayload{} // message.association.change wraps the case that it is about
	_ = json.Unmarshal(p["uCase"], &inner)
	return inner
}

// attribute looks for a custom property of that name, and then for the member whose name is the attribute's in camel case:
// ACCOUNT_TYPE is accountType. The provider does not document what its attributes look at; this is the reading of which
// we can say what it finds.
func (p sprinklrPayload) attribute(name string) []string {
	var workflow struct {
		CustomProperties map[string]json.RawMessage `json:"customProperties"`
	}
	_ = json.Unmarshal(p["workflow"], &workflow)
	var own map[string]json.RawMessage
	_ = json.Unmarshal(p["customProperties"], &own)
	for _, raw := range []json.RawMessage{workflow.CustomProperties[name], own[name], p[sprinklrMember(name)]} {
		if v := sprinklrScalars(raw); len(v) > 0 {
			return v
		}
	}
	return nil
}

// sprinklrMember is the camel case of a name in capitals.
func sprinklrMember(name string) string {
	words := strings.Split(strings.ToLower(name), "_")
	for i, w := range words {
		if i > 0 && w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// sprinklrScalars are the texts, numbers and truth values of raw, which is one of them or a list; numbers keep their
// digits.
func sprinklrScalars(raw json.RawMessage) []string {
	if len(raw) == 0 {
		return nil
	}
	var list []json.RawMessage
	if raw[0] != '[' {
		list = []json.RawMessage{raw}
	} else if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var scalars []string
	for _, one := range list {
		var text string
		switch {
		case len(one) == 0 || one[0] == '{' || one[0] == '[' || one[0] == 'n':
		case one[0] != '"':
			scalars = append(scalars, string(one))
		case json.Unmarshal(one, &text) == nil:
			scalars = append(scalars, text)
		}
	}
	return scalars
}
