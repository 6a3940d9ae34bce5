package outbound

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// salesiqMaker makes up what the samples hold. All names, numbers and texts are invented; ids have 17 digits and so lie
// above 2^53, as the provider's own do.
type salesiqMaker struct {
	rng *rand.Rand
	at  time.Time
}

// sampleSalesiq makes up an event of one portal with three apps. The members of an entity are those of the provider's
// pages, with their oddities; where no payload is documented, they are our reading.
func sampleSalesiq(rng *rand.Rand, native string, at time.Time) Event {
	at = at.UTC().Truncate(time.Millisecond)
	m := &salesiqMaker{rng, at}
	e := Event{Type: native, Account: "60031977204", Time: at, Attributes: map[string]string{
		"entity_type": salesiqEntityType(native),
		"entity_id":   m.id(),
	}}
	if salesiqModule(native) == salesiqData {
		e.Attributes["app_id"] = m.pick("70318000000002051", "70318000000002067", "70318000000014009")
	}
	if salesiqBare(native) {
		return e
	}
	payload, err := salesiqJSON(m.entity(native, e.Attributes["entity_id"], e.Attributes["app_id"]))
	if err != nil {
		panic("outbound: a sample that is no JSON: " + err.Error()) // a mistake in this file, not of a caller's
	}
	e.Payload = payload
	return e
}

func (m *salesiqMaker) entity(native, id, app string) any {
	switch native {
	case "conversation.operator.replied", "conversation.visitor.replied":
		return m.reply(id, native == "conversation.visitor.replied")
	case "conversation.message.edited", "conversation.message.deleted":
		return m.message(id, native == "conversation.message.deleted")
	case "conversation.rated":
		return m.rating(id)
	case "visitor.updated":
		return m.visitorUpdated(id)
	case "contact.tag.action", "lead.tag.action":
		return m.tagged(id)
	}
	switch salesiqEntityType(native) {
	case "department":
		return m.department(id)
	case "operator":
		return m.operator(id)
	case "brands":
		return salesiqNamed{id, m.pick("Harbour Shop", "Harbour Outlet", "Harbour Business")}
	case "tag":
		return salesiqNamed{id, m.pick("wholesale", "returning", "callback")}
	}
	return m.chat(native, id, app)
}

type salesiqNamed struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// salesiqOwner is the operator who attends a conversation.
type salesiqOwner struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email_id"`
}

type salesiqVisitor struct {
	Email string `json:"email_id"`
	Phone string `json:"phone"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	ID    string `json:"id"`
}

type salesiqStatus struct {
	Code  []string `json:"status_code"`
	State []string `json:"state"`
	Label string   `json:"label"`
}

type salesiqChat struct {
	ID           string         `json:"id"`
	VisitorChat  string         `json:"visitor_conversation_id"`
	Reference    string         `json:"reference_id"`
	Opened       string         `json:"opened_time"`
	Attended     string         `json:"attended_time,omitempty"`
	Ended        string         `json:"end_time,omitempty"`
	Missed       string         `json:"missed_time,omitempty"`
	App          string         `json:"app_id"`
	Department   string         `json:"department_id"`
	Owner        *salesiqOwner  `json:"owner,omitempty"`
	Visitor      salesiqVisitor `json:"visitor"`
	Question     string         `json:"question"`
	Supervisors  []string       `json:"supervisors,omitempty"`
	Participants []string       `json:"participants,omitempty"`
	Status       string         `json:"status"`
	ChatStatus   salesiqStatus  `json:"chat_status"`
}

// chat is a conversation. Those of transfers, participants, supervisors, metrics and reopening are not documented; they
// have the members of the documented ones.
func (m *salesiqMaker) chat(native, id, app string) salesiqChat {
	owner := m.owner()
	opened := m.before(2 * time.Hour)
	c := salesiqChat{
		ID: id, VisitorChat: fmt.Sprintf("%016x%016x", m.rng.Uint64(), m.rng.Uint64()), Reference: strconv.Itoa(1 + m.rng.IntN(9999)),
		Opened: salesiqMillis(opened), App: app, Department: m.id(), Visitor: m.visitor(),
		Question: m.pick("Can I change the delivery address?", "Which sizes are left?", "Wo finde ich meine Rechnung?", "Is <express> possible & how much is it?"),
	}
	label := "Connected"
	switch native {
	case "conversation.created":
		label = "Live"
	case "conversation.missed":
		label, c.Missed = "Missed", salesiqMillis(m.at)
	case "conversation.completed", "conversation.metrics":
		label, c.Ended = "Closed", salesiqMillis(m.at)
	case "conversation.ended":
		label, c.Ended = "Ended", salesiqMillis(m.at)
	}
	if label != "Live" && label != "Missed" {
		c.Attended, c.Owner = salesiqMillis(opened.Add(time.Duration(m.rng.Int64N(int64(time.Minute))))), &owner
	}
	if strings.Contains(native, "participants") || m.rng.IntN(4) == 0 {
		c.Participants = []string{m.id()}
	}
	if strings.Contains(native, "supervisor") || m.rng.IntN(4) == 0 {
		c.Supervisors = []string{m.id()}
	}
	c.Status = label
	// Lists of one text, with the commas inside.
	c.ChatStatus = salesiqStatus{Code: []string{"1,2"}, State: []string{"1,2,3,4"}, Label: label}
	return c
}

type salesiqSender struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

type salesiqMessage struct {
	Sender salesiqSender   `json:"sender"`
	ID     string          `json:"msgid,omitempty"`
	Text   string          `json:"text,omitempty"`
	Meta   json.RawMessage `json:"meta,omitempty"`
	List   json.RawMessage `json:"list,omitempty"`
}

type salesiqReply struct {
	ID      string          `json:"id,omitempty"`
	Message salesiqMessage  `json:"message"`
	Visitor *salesiqVisitor `json:"visitor,omitempty"`
	Owner   *salesiqOwner   `json:"owner,omitempty"`
	Version int             `json:"version,omitempty"`
}

// reply is a message of a visitor, an operator or, one time in four, of a bot: that one has neither id nor text.
func (m *salesiqMaker) reply(id string, ofVisitor bool) salesiqReply {
	if !ofVisitor && m.rng.IntN(4) == 0 {
		return salesiqReply{Message: salesiqMessage{
			Sender: salesiqSender{"Harbour Bot", m.id()},
			Meta:   json.RawMessage(`{"card_data":{"type":"select"}}`),
			List:   json.RawMessage(`[{"id":"1","text":"Orders"},{"id":"2","text":"Returns"}]`),
		}}
	}
	owner, visitor := m.owner(), m.visitor()
	r := salesiqReply{ID: id, Visitor: &visitor, Owner: &owner, Version: 1, Message: salesiqMessage{ID: salesiqMillis(m.before(time.Second))}}
	if ofVisitor {
		// The id of a visitor who is not known yet starts with a dollar sign.
		r.Message.Sender = salesiqSender{visitor.Name, m.pick("$", "") + visitor.ID}
		r.Message.Text = m.pick("Thanks, that helps", "Het pakket is er nog niet", "<3 & bye", "これはいくらですか")
	} else {
		r.Message.Sender = salesiqSender{owner.Name, owner.ID}
		r.Message.Text = m.pick("One moment, I am looking it up", "Your parcel left our warehouse this morning", "Könnten Sie mir die Bestellnummer nennen?")
	}
	return r
}

// message is an edited or a deleted one, whose payload is not documented.
func (m *salesiqMaker) message(id string, deleted bool) salesiqReply {
	owner := m.owner()
	r := salesiqReply{ID: id, Owner: &owner, Message: salesiqMessage{Sender: salesiqSender{owner.Name, owner.ID}, ID: salesiqMillis(m.before(time.Hour))}}
	if !deleted {
		r.Message.Text = m.pick("It will arrive on Thursday", "Sorry, I meant order 4711")
	}
	return r
}

type salesiqRating struct {
	Rating   int            `json:"rating,omitempty"`
	Owner    salesiqOwner   `json:"owner"`
	Feedback string         `json:"feedback"`
	ID       string         `json:"id,omitempty"`
	Status   string         `json:"status,omitempty"`
	Visitor  salesiqVisitor `json:"visitor"`
}

// rating is a rating, which has no id of its own, or the feedback that follows it.
func (m *salesiqMaker) rating(id string) salesiqRating {
	r := salesiqRating{Owner: m.owner(), Visitor: m.visitor(), Feedback: m.pick("Solved in two minutes", "Had to ask twice", "Snel en vriendelijk")}
	if m.rng.IntN(2) == 0 {
		r.Rating = 1 + m.rng.IntN(5)
	} else {
		r.ID, r.Status = id, "Ended"
	}
	return r
}
