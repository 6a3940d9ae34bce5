package outbound

import (
	"fmt"
	"time"
)

// inbound is a message that came in. The members of sms are on the pages; those that whatsapp adds were seen.
func (m birdMade) inbound(channel string) birdObject {
	key, value := m.who(channel)
	connector := birdObject{{"id", m.id()}}
	if channel == "whatsapp" {
		connector = append(connector, birdPair{"identifierValue", ""})
	}
	o := birdObject{
		{"id", m.id()},
		{"channelId", m.id()},
		{"sender", birdObject{{"contact", birdObject{{"id", m.id()}, {"identifierKey", key}, {"identifierValue", value}}}}},
		{"receiver", birdObject{{"connector", connector}}},
		{"body", m.body()},
	}
	if channel == "whatsapp" {
		o = append(o,
			birdPair{"meta", birdObject{{"extraInformation", birdObject{{"timestamp", fmt.Sprint(m.at.Unix())}}}}},
			birdPair{"reference", ""},
		)
	}
	o = append(o,
		birdPair{"parts", m.parts(channel)},
		birdPair{"status", "delivered"},
	)
	if channel == "whatsapp" {
		o = append(o, birdPair{"reason", ""})
	}
	return append(o,
		birdPair{"direction", "incoming"},
		birdPair{"lastStatusAt", m.time(0)},
		birdPair{"createdAt", m.time(0)},
		birdPair{"updatedAt", m.time(0)},
	)
}

// outbound is a change of an outgoing message's status. Four statuses are on the pages, the others were seen.
func (m birdMade) outbound(channel string) birdObject {
	key, value := m.who(channel)
	status := m.one("accepted", "sent", "delivered", "sending_failed", "delivery_failed", "rejected", "read", "failed", "pending", "queued")
	reason, details := "", ""
	switch status {
	case "sending_failed", "delivery_failed", "rejected", "failed":
		reason = m.one("the number is not in service", "the recipient has opted out", "the carrier gave no answer")
		details = "error " + fmt.Sprint(100+m.rng.IntN(900)) + ": " + reason
	}
	o := birdObject{
		{"id", m.id()},
		{"channelId", m.id()},
		{"sender", birdObject{{"connector", birdObject{
			{"id", m.id()}, {"identifierValue", m.one("EXAMPLE", "+31600000001")}, {"annotations", birdObject{{"name", "Example Shop"}}},
		}}}},
		{"receiver", birdObject{{"contacts", []birdObject{{{"identifierKey", key}, {"identifierValue", value}}}}}},
		{"body", m.body()},
		{"reference", "order-" + fmt.Sprint(1000+m.rng.IntN(9000))},
		{"parts", m.parts(channel)},
		{"status", status},
		{"reason", reason},
		{"direction", "outgoing"},
	}
	if m.rng.IntN(3) == 0 {
		o = append(o, birdPair{"template", birdObject{
			{"projectId", m.id()}, {"version", m.id()}, {"locale", m.one("en", "nl", "pt-BR")},
			{"variables", birdObject{{"name", m.person()}}},
		}})
	}
	return append(o,
		birdPair{"details", details},
		birdPair{"lastStatusAt", m.time(0)},
		birdPair{"createdAt", m.time(time.Duration(1+m.rng.IntN(60000)) * time.Millisecond)},
		birdPair{"updatedAt", m.time(0)},
	)
}

func (m birdMade) parts(channel string) []birdObject {
	reference := fmt.Sprintf("%08x", m.rng.Uint32())
	if channel == "whatsapp" {
		reference = fmt.Sprintf("wamid.%016X", m.rng.Uint64())
	}
	return []birdObject{{{"platformReference", reference}}}
}

// body is one of the three types that were seen.
func (m birdMade) body() birdObject {
	media := "https://media.example.com/" + m.id()
	switch m.rng.IntN(4) {
	case 0:
		return birdObject{{"type", "image"}, {"image", birdObject{{"images", []birdObject{
			{{"mediaUrl", media}, {"contentType", m.one("image/jpeg", "image/png")}},
		}}}}}
	case 1:
		return birdObject{{"type", "file"}, {"file", birdObject{{"files", []birdObject{
			{{"mediaUrl", media}, {"contentType", "application/pdf"}, {"filename", "factuur " + fmt.Sprint(m.rng.IntN(10000)) + ".pdf"}},
		}}}}}
	case 2:
		return birdObject{{"type", "text"}, {"text", birdObject{
			{"text", "Is Saturday <10:00> still fine & free?"},
			{"actions", []birdObject{{{"type", "postback"}, {"postback", birdObject{{"payload", m.one("yes", "no")}}}}}},
		}}}
	}
	return birdObject{{"type", "text"}, {"text", birdObject{
		{"text", m.one("Where is my parcel?", "Olá, já chegou ☕", "Thank you, \"all\" is well", "Größe M, bitte")},
	}}}
}

// interaction has the members of the API's own interaction object; the event itself is not documented.
func (m birdMade) interaction(channel string) birdObject {
	key, value := m.who(channel)
	kinds := []string{"opened", "clicked"}
	if channel == "email" {
		kinds = append(kinds, "reported-as-spam")
	}
	kind := m.one(kinds...)
	details := birdObject{}
	if kind == "clicked" {
		details = append(details, birdPair{"url", "https://shop.example.com/sale?from=" + channel + "&item=" + fmt.Sprint(m.rng.IntN(1000))})
	}
	return birdObject{
		{"id", m.id()},
		{"messageId", m.id()},
		{"channelId", m.id()},
		{"platformId", channel},
		{"type", kind},
		{"receiver", birdObject{{"contacts", []birdObject{{{"identifierKey", key}, {"identifierValue", value}}}}}},
		{"details", details},
	}
}

// call has what was seen of a call, and the channel that it can be filtered by.
func (m birdMade) call() birdObject {
	return birdObject{
		{"id", m.id()},
		{"channelId", m.id()},
		{"from", m.phone()},
		{"status", m.one("starting", "ringing", "ongoing", "completed", "no-answer", "busy", "failed")},
	}
}
