package outbound

import (
	"fmt"
	"time"
)

// span is how long ago the thing was made; what is new was made now.
func (m birdMade) span(fresh bool) time.Duration {
	if fresh {
		return 0
	}
	return time.Duration(1+m.rng.IntN(90*24*3600)) * time.Second
}

// channel has the members that the filters platformId and channelStatus need.
func (m birdMade) channel(kind string) birdObject {
	platform := m.one("sms", "whatsapp", "email", "telegram")
	status := m.one("active", "inactive", "pending")
	return birdObject{
		{"id", m.id()},
		{"workspaceId", m.id()},
		{"platformId", platform},
		{"name", "Example " + platform},
		{"status", status},
		{"createdAt", m.time(m.span(kind == "created"))},
		{"updatedAt", m.time(0)},
	}
}

// number is an event of the service numbers. workspaceId is a list in those of 10dlc.
func (m birdMade) number(event string) birdObject {
	o := birdObject{{"id", m.id()}, {"organizationId", birdOrganization}}
	switch event {
	case "10dlc.brand":
		o = append(o,
			birdPair{"workspaceId", []string{m.id(), m.id()}},
			birdPair{"status", m.one("PENDING", "VERIFIED", "UNVERIFIED")},
			birdPair{"entityType", m.one("PRIVATE_PROFIT", "PUBLIC_PROFIT", "NON_PROFIT")},
			birdPair{"displayName", m.one("Example Shop", "Café & Zonen", "Sample Parcels")},
		)
	case "10dlc.campaign":
		o = append(o,
			birdPair{"workspaceId", []string{m.id()}},
			birdPair{"brandId", m.id()},
			birdPair{"status", m.one("PENDING", "ACTIVE", "REJECTED")},
			birdPair{"useCase", m.one("MARKETING", "CUSTOMER_CARE", "2FA")},
		)
	case "10dlc.vetting":
		o = append(o,
			birdPair{"workspaceId", []string{m.id()}},
			birdPair{"brandId", m.id()},
			birdPair{"status", m.one("PENDING", "COMPLETED", "FAILED")},
			birdPair{"score", m.rng.IntN(101)},
		)
	case "tfn.verification":
		return append(o, m.tollFree()...)
	default:
		o = append(o,
			birdPair{"workspaceId", m.id()},
			birdPair{"number", m.phone()},
			birdPair{"status", m.one("active", "pending", "inactive")},
		)
	}
	return append(o, birdPair{"createdAt", m.time(m.span(false))}, birdPair{"updatedAt", m.time(0)})
}

// tollFree is the verification of a toll-free number; one that was rejected says why.
func (m birdMade) tollFree() birdObject {
	status := m.one("verified", "rejected", "pending")
	o := birdObject{
		{"workspaceId", m.id()},
		{"phoneNumbers", []string{fmt.Sprintf("+1800555%04d", m.rng.IntN(10000))}},
		{"verificationRequestId", "VR-" + fmt.Sprint(1+m.rng.IntN(100000))},
		{"status", status},
	}
	if status == "rejected" {
		again := m.rng.IntN(2) == 0
		message := "No further request is possible."
		if again {
			message = "Correct the website and send the request again."
		}
		o = append(o, birdPair{"statusMessage", birdObject{
			{"statusCode", 400 + m.rng.IntN(100)},
			{"declineReasonDescription", m.one("the website cannot be opened", "consent of the recipients is not shown")},
			{"resubmitAllowed", again},
			{"message", message},
		}})
	}
	return append(o,
		birdPair{"testMode", m.rng.IntN(2) == 0},
		birdPair{"createdAt", m.time(m.span(false))},
		birdPair{"updatedAt", m.time(0)},
	)
}

// conversation has the documented members; an update may also have the shape that was seen, with the last message.
func (m birdMade) conversation(kind string) birdObject {
	if kind == "updated" && m.rng.IntN(2) == 0 {
		phone := m.phone()
		return birdObject{
			{"id", m.id()},
			{"channelId", m.id()},
			{"lastMessage", birdObject{
				{"id", m.id()},
				{"direction", m.one("outbound", "inbound")},
				{"status", m.one("sent", "delivered", "read")},
				{"sender", birdObject{{"type", m.one("flow", "user")}}},
				{"recipients", []birdObject{{{"identifierValue", phone}}}},
			}},
			{"featuredParticipants", []birdObject{{{"type", "contact"}, {"contact", birdObject{{"identifierValue", phone}}}}}},
		}
	}
	status := m.one("active", "closed")
	switch kind {
	case "created":
		status = "active"
	case "deleted":
		status = "deleted"
	}
	first := m.participant()
	active := 1 + m.rng.IntN(4)
	return birdObject{
		{"id", m.id()},
		{"name", m.one("Return of order 1042", "Question about size", "Levering & montage")},
		{"description", ""},
		{"status", status},
		{"visibility", m.one("public", "private")},
		{"accessibility", m.one("open", "invite-only")},
		{"featuredParticipants", []birdObject{first}},
		{"activeParticipantCount", active},
		{"pendingParticipantCount", m.rng.IntN(2)},
		{"initiatingParticipant", first},
	}
}

func (m birdMade) participant() birdObject {
	name, phone := m.person(), m.phone()
	return birdObject{
		{"id", m.id()},
		{"type", "contact"},
		{"status", "active"},
		{"displayName", name},
		{"avatarUrl", "https://media.example.com/avatars/" + m.id() + ".png"},
		{"contact", birdObject{{"id", m.id()}, {"identifierKey", "phonenumber"}, {"identifierValue", phone}}},
	}
}
