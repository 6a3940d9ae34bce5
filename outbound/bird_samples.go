package outbound

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
)

// birdEvents are the events of the taxonomy in its order. Where it has a pattern, a name that the pattern takes stands in:
// that of Apple's business chat, which the pages do not print, and sms.interaction.
func birdEvents() []string {
	return []string{
		"channels.sms.inbound", "channels.whatsapp.inbound", "channels.email.inbound", "channels.line.inbound",
		"channels.instagram.inbound", "channels.facebook.inbound", "channels.viber.inbound", "channels.linkedin.inbound",
		"channels.tiktok.inbound", "channels.telegram.inbound",
		"channels.sms.outbound", "channels.whatsapp.outbound", "channels.email.outbound", "channels.line.outbound",
		"channels.instagram.outbound", "channels.facebook.outbound", "channels.viber.outbound", "channels.linkedin.outbound",
		"channels.tiktok.outbound", "channels.telegram.outbound",
		"channels.email.interaction", "channels.whatsapp.interaction",
		"channels.applebusinesschat.inbound", "channels.applebusinesschat.outbound", "channels.sms.interaction",
		"channels.voice.inbound", "channels.voice.outbound",
		"channels.channel.created", "channels.channel.updated",
		"numbers.endpoint", "numbers.10dlc.brand", "numbers.10dlc.campaign", "numbers.10dlc.vetting", "numbers.tfn.verification",
		"conversations.conversation.created", "conversations.conversation.updated", "conversations.conversation.deleted",
	}
}

// birdMillis is how the pages write a time.
const birdMillis = "2006-01-02T15:04:05.000Z"

// birdMade makes up one event. Every choice comes from rng, so that a run can be repeated.
type birdMade struct {
	rng *rand.Rand
	at  time.Time // in UTC, whole milliseconds
}

// birdSample makes up an event with the members that the pages or public code show. What they leave open (numbers.endpoint,
// channel.*, 10dlc.campaign, 10dlc.vetting and the statuses of these, interaction details, identifier keys beside the
// phone number) is ours. A type that Bird does not have gets a payload with an id and times.
func birdSample(rng *rand.Rand, native string, at time.Time) Event {
	m := birdMade{rng: rng, at: at.UTC().Truncate(time.Millisecond)}
	service, event, _ := strings.Cut(native, ".")
	channel, kind, _ := strings.Cut(event, ".")
	var payload birdObject
	switch {
	case service == "numbers":
		payload = m.number(event)
	case service == "conversations":
		payload = m.conversation(kind)
	case service == "channels" && channel == "voice":
		payload = m.call()
	case service == "channels" && channel == "channel":
		payload = m.channel(kind)
	case service == "channels" && kind == "inbound":
		payload = m.inbound(channel)
	case service == "channels" && kind == "outbound":
		payload = m.outbound(channel)
	case service == "channels" && kind == "interaction":
		payload = m.interaction(channel)
	default:
		payload = birdObject{{"id", m.id()}, {"createdAt", m.time(0)}, {"updatedAt", m.time(0)}}
	}
	text, err := json.Marshal(payload)
	if err != nil {
		panic("outbound: a sample that is no JSON: " + err.Error()) // a mistake in this package, not of a caller's
	}
	id, _ := payload[0].value.(string)
	return Event{Type: native, ID: id, Account: birdOrganization, Time: m.at, Payload: birdText(text)}
}

// birdObject is a JSON object whose members keep their order.
type birdObject []birdPair

type birdPair struct {
	name  string
	value any
}

func (o birdObject) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, p := range o {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(p.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// id is a UUID v4 out of rng.
func (m birdMade) id() string {
	var u uuid.UUID
	for i := range u {
		u[i] = byte(m.rng.Uint32())
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u.String()
}

// time is some time before the event's own.
func (m birdMade) time(before time.Duration) string { return m.at.Add(-before).Format(birdMillis) }

func (m birdMade) one(of ...string) string { return of[m.rng.IntN(len(of))] }

func (m birdMade) phone() string { return fmt.Sprintf("+316000%05d", m.rng.IntN(100000)) }

// who is a person on a channel: the key of the identifier and its value.
func (m birdMade) who(channel string) (key, value string) {
	switch channel {
	case "sms", "whatsapp", "viber", "voice":
		return "phonenumber", m.phone()
	case "email":
		return "emailaddress", strings.ToLower(m.one("Noor", "Lars", "Aiko", "Tomasz")) + fmt.Sprint(m.rng.IntN(1000)) + "@example.com"
	}
	return channel + "id", fmt.Sprint(1<<53 + 1 + m.rng.Uint64N(1<<60)) // beyond what a float keeps
}

func (m birdMade) person() string {
	return m.one("Noor", "Lars", "Aiko", "Tomasz", "Zoë") + " " + m.one("Visser", "Lindqvist", "Mori", "Öztürk", "Peeters")
}
