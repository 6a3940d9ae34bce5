package outbound

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// commboxSample makes up an event of the brand acme with the members that the provider's pages show. Ids are text, some of
// them above 2^53.
func commboxSample(rng *rand.Rand, native string, at time.Time) Event {
	m := commboxMaker{rng: rng, at: at.UTC()}
	var id uuid.UUID
	for i := range id {
		id[i] = byte(rng.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return Event{Type: native, ID: id.String(), Account: "acme", Time: at, Payload: m.payload(native, id.String())}
}

// commboxMaker makes up the parts of an event.
type commboxMaker struct {
	rng *rand.Rand
	at  time.Time
}

func (m commboxMaker) payload(native, id string) json.RawMessage {
	switch native {
	case "Object.OnNew":
		return m.conversation()
	case "Object.OnNewChild":
		return m.object("Children", commboxObject("Child", m.child()))
	case commboxNewActivity:
		return m.object("Activities", commboxObject("Activity", m.activity(0)))
	case "Object.OnUpdateTag":
		return m.object("Tags", m.tags())
	case "User.OnNew":
		return m.user(true)
	case "User.OnUpdate":
		return m.user(false)
	case commboxUserTag:
		return m.taggedUser()
	case "Satisfaction.OnSubmit":
		score := m.rng.IntN(6)
		words := [...]string{"nobody ever called back", "slow, but friendly", "it could be quicker", "all right", "good advice", "solved within a minute"}
		return commboxObject("ObjectId", m.id(), "Score", strconv.Itoa(score*20), "Description", words[score])
	case "Form.OnSubmit":
		person := m.person()
		return commboxObject("ObjectId", m.id(), "FormUrl", "https://forms.example.com/f/"+m.id(),
			"Properties", commboxObject("field_0", person.first+" "+person.last, "field_1", person.email(), "order_number", m.small(99999)))
	case "Chat.OnUserExit":
		return commboxObject("User", commboxObject("id", m.id()), "Object", commboxObject("id", m.id()))
	case "Tag.OnAdd":
		return m.tag("OnAdd", id)
	case commboxTagUpdate:
		return m.tag("OnUpdate", id)
	}
	return nil
}

// id is above 2^53 as often as not.
func (m commboxMaker) id() string {
	if m.rng.IntN(2) == 0 {
		return strconv.FormatInt(9_007_199_254_740_993+m.rng.Int64N(1<<48), 10)
	}
	return strconv.FormatInt(100_000+m.rng.Int64N(1<<44), 10)
}

func (m commboxMaker) small(below int) string { return strconv.Itoa(1 + m.rng.IntN(below)) }

func (m commboxMaker) pick(words ...string) string { return words[m.rng.IntN(len(words))] }

type commboxPerson struct{ first, last string }

func (m commboxMaker) person() commboxPerson {
	return commboxPerson{m.pick("Robin", "Noor", "Tamar", "José", "Mila", "Ilan"), m.pick("Vermeer", "Okafor", "Shaked", "Núñez", "O'Hara", "Lind")}
}

func (p commboxPerson) email() string {
	return string(p.first[0]|0x20) + "." + string(p.last[0]|0x20) + "@example.com"
}

// phone has the country code without + or 00 (doc).
func (m commboxMaker) phone() string { return fmt.Sprintf("316%08d", m.rng.IntN(100)) }

func (m commboxMaker) message() string {
	return m.pick("Is my parcel on its way?", "שלום, אפשר לעזור?", "Thanks & see you <soon>", "I'd like to return \"order 77\"", "¿Tienen la talla 42? 👟")
}

// conversation is the Object of OnNew, whose StreamProviderType is a name, unlike an identity's.
func (m commboxMaker) conversation() json.RawMessage {
	stream, kind, from := m.stream(), "4", m.id()
	if stream.name == "Mail" {
		kind, from = "5", fmt.Sprintf("%x@mail.example.com", m.rng.Uint64())
	}
	text := m.message()
	return commboxObject("Id", m.id(), "StreamId", m.small(900), "SubStreamId", m.small(9), "Type", kind, "StatusID", "1",
		"CreateDate", m.at.Format(commboxObjectDate), "StreamProviderId", from, "StreamProviderType", stream.name,
		"Message", text, "Content", commboxObject("ruleLastMessageFromCustomer", true, "originUrl", "https://shop.example.com/help"),
		"ManagerId", "0", "Snippet", text, "User", m.user(true))
}

type commboxStream struct {
	name   string
	number int
}

func (m commboxMaker) stream() commboxStream {
	all := [...]commboxStream{{"Mail", 4}, {"Telephone", 5}, {"WhatsApp", 7}, {"Web", 8}, {"Telegram", 12}}
	return all[m.rng.IntN(len(all))]
}

func (m commboxMaker) object(member string, inner json.RawMessage) json.RawMessage {
	return commboxObject("Id", m.id(), "StreamId", m.small(900), "SubStreamId", "0", member, inner)
}

func (m commboxMaker) child() json.RawMessage {
	text := m.message()
	return commboxObject("Id", m.id(), "CreateDate", m.at.Format(commboxItemDate), "Type", "0", "StreamProviderId", m.id(),
		"StreamProviderType", m.stream().name, "Message", text, "ManagerId", "0",
		"Content", commboxObject("sessionId", 100+m.rng.IntN(900)), "Snippet", text, "User", m.user(true))
}

func (m commboxMaker) tags() json.RawMessage {
	return commboxObject("Tag", commboxObject("Id", m.small(9999), "Action", m.pick("Add", "Remove")))
}

// user is whole with an identity, or as OnUpdate shows it.
func (m commboxMaker) user(whole bool) json.RawMessage {
	p, phone := m.person(), m.phone()
	fields := []any{
		"Id", m.id(), "UniqueID", "", "Phone1", phone, "Phone2", "", "Email", p.email(), "FirstName", p.first, "LastName", p.last,
		"Gender", m.pick("M", "F"), "NumIdentities", m.small(3), "Locale", m.pick("nl_NL", "en_US", "he_IL"),
	}
	if !whole {
		return commboxObject(append(fields, "Remarks", m.pick("prefers e-mail", "moved to Utrecht", "speaks Spanish"), "Content", commboxObject())...)
	}
	fields = append(fields, "Birthday", fmt.Sprintf("19%02d-%02d-%02d", 50+m.rng.IntN(50), 1+m.rng.IntN(12), 1+m.rng.IntN(28)),
		"Remarks", "", "NumObjects", m.small(20), "Content", commboxObject(), "Identity", m.identity(p, phone))
	return commboxObject(fields...)
}

func (m commboxMaker) identity(p commboxPerson, phone string) json.RawMessage {
	return commboxObject("Id", m.id(), "StreamProviderId", phone, "StreamProviderType", strconv.Itoa(m.stream().number),
		"StreamProviderEmail", p.email(), "UserName", "", "FirstName", p.first, "LastName", p.last,
		"ThumbnailUrl", "//cdn.example.com/"+m.small(9999)+".png")
}

// taggedUser has its Content as text, because it is an attribute here.
func (m commboxMaker) taggedUser() json.RawMessage {
	p := m.person()
	return commboxObject("Id", m.id(), "Phone1", m.phone(), "Phone2", "", "UniqueID", "", "Email", p.email(), "FirstName", p.first,
		"LastName", p.last, "NumIdentities", "1", "Locale", "", "Remarks", "", "Content", "{}", "Tags", m.tags())
}

func (m commboxMaker) tag(name, requestID string) json.RawMessage {
	return commboxObject("eventName", name, "tagId", m.small(9999), "groupId", strconv.Itoa(m.rng.IntN(5)),
		"name", m.pick("Returns", "Press", "Wholesale", "At risk"), "isObject", m.rng.IntN(2) == 0, "isUser", m.rng.IntN(2) == 0,
		"type", m.small(3), "unit", "0", "unitValidationType", "0", "unitValidation", "", "defaultValue", "", "requestId", requestID)
}

// commboxObject is a JSON object of names and values in turn, in that order.
func commboxObject(pairs ...any) json.RawMessage {
	b := []byte{'{'}
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendCommboxText(b, fmt.Sprint(pairs[i])), ':')
		switch v := pairs[i+1].(type) {
		case json.RawMessage:
			b = append(b, v...)
		case string:
			b = appendCommboxText(b, v)
		default: // a number or a boolean, which print as JSON has them
			b = fmt.Append(b, v)
		}
	}
	return append(b, '}')
}
