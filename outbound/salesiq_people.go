package outbound

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func (m *salesiqMaker) pick(of ...string) string { return of[m.rng.IntN(len(of))] }

// id belongs to the samples' one portal, like all of its ids.
func (m *salesiqMaker) id() string { return fmt.Sprintf("70318%012d", m.rng.Int64N(1e12)) }

// before is a time in the span before the event.
func (m *salesiqMaker) before(span time.Duration) time.Time {
	return m.at.Add(-time.Duration(m.rng.Int64N(int64(span)))).Truncate(time.Millisecond)
}

func (m *salesiqMaker) owner() salesiqOwner {
	name := m.pick("Mirthe", "Tobias", "Anouk", "Jelle")
	return salesiqOwner{m.id(), name, strings.ToLower(name) + "@example.com"}
}

func (m *salesiqMaker) visitor() salesiqVisitor {
	name := m.pick("Femke", "Lars", "Yuna", "Bastian")
	return salesiqVisitor{
		Email: strings.ToLower(name) + "@example.org", Phone: m.phone(), Name: name,
		Type: m.pick("contact", "lead", "lead ", "visitor"), // with the space as the provider sends it at times
		ID:   m.id(),
	}
}

func (m *salesiqMaker) phone() string { return fmt.Sprintf("+316%08d", 1+m.rng.IntN(99)) }

type salesiqModifier struct {
	Type  string `json:"type"`
	Email string `json:"email_id"`
	Name  string `json:"name"`
	ID    string `json:"id"`
}

type salesiqLead struct {
	ID string `json:"id"`
}

type salesiqUpdated struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	FirstName string          `json:"first_name"`
	LastName  string          `json:"last_name"`
	Email     string          `json:"email_id,omitempty"`
	Phone     string          `json:"phone,omitempty"`
	Lead      *salesiqLead    `json:"lead,omitempty"`
	Modifier  salesiqModifier `json:"modifier"`
}

// visitorUpdated is one of the three documented cases: a lead, a contact, or a lead that became a contact.
func (m *salesiqMaker) visitorUpdated(id string) salesiqUpdated {
	owner := m.owner()
	u := salesiqUpdated{
		ID: id, Type: m.pick("lead", "lead "), FirstName: m.pick("Femke", "Lars", "Yuna", "Bastian"), LastName: m.pick("Duin", "Holt", "Sommer"),
		Modifier: salesiqModifier{"operator", owner.Email, owner.Name, owner.ID},
	}
	if which := m.rng.IntN(3); which > 0 {
		u.Type, u.Email, u.Phone = "contact", strings.ToLower(u.FirstName)+"@example.org", m.phone()
		if which == 2 {
			u.Lead = &salesiqLead{m.id()}
		}
	}
	return u
}

type salesiqTagged struct {
	ID   string         `json:"id"`
	Tags []salesiqNamed `json:"tags"`
}

// tagged is a contact or a lead with its tags; what SalesIQ sends is not documented.
func (m *salesiqMaker) tagged(id string) salesiqTagged {
	return salesiqTagged{id, []salesiqNamed{{m.id(), m.pick("wholesale", "returning", "callback")}}}
}

type salesiqEmails struct {
	From       string `json:"from_address"`
	Transcript string `json:"transcript_enabled"`
}

type salesiqDepartment struct {
	Enabled     string        `json:"is_enabled"`
	Created     string        `json:"created_time"`
	Modified    string        `json:"modified_time"`
	Operators   []string      `json:"operators"`
	System      string        `json:"is_system_generated"`
	Name        string        `json:"name"`
	Public      string        `json:"is_public"`
	Emails      salesiqEmails `json:"email_configurations"`
	Description string        `json:"description"`
	ID          string        `json:"id"`
	DisplayName string        `json:"display_name"`
	CreatedBy   string        `json:"created_by"`
}

// department has its booleans as text, unlike an operator. What stands inside email_configurations is not documented.
func (m *salesiqMaker) department(id string) salesiqDepartment {
	name := m.pick("Returns", "Orders", "Invoices")
	truth := func() string { return strconv.FormatBool(m.rng.IntN(4) > 0) }
	return salesiqDepartment{
		Enabled: truth(), Created: salesiqMillis(m.before(90 * 24 * time.Hour)), Modified: salesiqMillis(m.at), Operators: []string{m.id(), m.id()},
		System: "false", Name: name, Public: truth(), Emails: salesiqEmails{strings.ToLower(name) + "@example.com", truth()},
		Description: "Everything about " + strings.ToLower(name), ID: id, DisplayName: name, CreatedBy: m.id(),
	}
}

type salesiqOperator struct {
	Email        string   `json:"email_id"`
	AccessLevels []string `json:"access_levels"`
	Role         string   `json:"role"`
	Signature    string   `json:"signature"`
	ChatEnabled  bool     `json:"chat_enabled"`
	Type         string   `json:"type"`
	Confirmed    bool     `json:"confirmed"`
	Enabled      bool     `json:"enabled"`
	Modified     string   `json:"modified_time"`
	ID           string   `json:"id"`
	Departments  []string `json:"departments"`
	Owner        bool     `json:"owner"`
	MostChats    string   `json:"maximum_concurrent_chat"`
	NickName     string   `json:"nick_name"`
	Status       string   `json:"status"`
}

func (m *salesiqMaker) operator(id string) salesiqOperator {
	owner := m.owner()
	return salesiqOperator{
		Email: owner.Email, AccessLevels: []string{"chat", "tracking"}, Role: m.pick("Administrator", "Supervisor", "Associate"),
		Signature: fmt.Sprintf("%016x", m.rng.Uint64()), ChatEnabled: m.rng.IntN(4) > 0, Type: "Salesiq User", Confirmed: m.rng.IntN(2) > 0,
		Enabled: true, Modified: salesiqMillis(m.at), ID: id, Departments: []string{m.id()}, Owner: false,
		MostChats: m.pick("none", "3", "5"), NickName: owner.Name, Status: m.pick("Available", "Busy"),
	}
}
