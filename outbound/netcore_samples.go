package outbound

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// netcoreField is a member of an object whose order counts, and netcoreObject such an object.
type (
	netcoreField struct {
		name  string
		value any // nil, string, int, int64, float64, []string, netcoreObject, []netcoreObject
	}
	netcoreObject []netcoreField
)

// netcoreSample makes up an event with the members, in their order, that the page's samples have for its kind; the values
// are ours. An activity that the page lists without printing it has the form of its channel's sample.
func netcoreSample(rng *rand.Rand, native string, at time.Time) Event {
	channel, event, _ := strings.Cut(native, ".")
	m := newNetcoreMaker(rng, at)
	var o netcoreObject
	switch {
	case channel == "custom_activity":
		o = m.activity()
	case channel == "email" && rng.IntN(2) == 0:
		o = m.broadcast(event)
	default:
		o = m.journey(channel, event)
	}
	return Event{Type: native, Time: at, Payload: appendNetcoreValue(nil, o)}
}

// netcoreMaker holds one made-up contact and the moment, so that the members of a sample agree with each other.
type netcoreMaker struct {
	rng                         *rand.Rand
	name, email, mobile, city   string
	timestamp                   string
	ts                          int64
	message, journeyName, label string
}

func newNetcoreMaker(rng *rand.Rand, at time.Time) *netcoreMaker {
	m := &netcoreMaker{rng: rng}
	m.name = pickNetcore(rng, "Anouk", "Zoë", "Ravi", "Meera", "Søren", "आरव", "Ines", "Tomás")
	m.email = fmt.Sprintf("%s.%d@example.com", pickNetcore(rng, "anouk", "zoe", "ravi", "meera", "soren", "aarav"), 1+rng.IntN(9999))
	m.mobile = fmt.Sprintf("3160%07d", 1+rng.IntN(9999))
	m.city = pickNetcore(rng, "Pune", "Kochi", "Utrecht", "Århus", "Lisboa")
	m.message = strconv.Itoa(1000 + rng.IntN(900_000))
	m.journeyName = pickNetcore(rng, "Welcome series", "Basket left behind", "Monsoon offers – 20% off", "Points & rewards")
	m.label = pickNetcore(rng, "intake", "crm feed", "warehouse")
	// The local time of India and no zone: both forms give the same one in every sample of the page (doc); that it is
	// India's is our reading.
	local := at.In(time.FixedZone("Asia/Kolkata", 5*3600+1800))
	m.timestamp = local.Format("2006-01-02T15:04:05")
	m.ts, _ = strconv.ParseInt(local.Format("060102150405"), 10, 64)
	return m
}

// journey is the event of a message that a journey sent.
func (m *netcoreMaker) journey(channel, event string) netcoreObject {
	params := m.contact()
	switch {
	case channel == "email", channel == "whatsapp" && m.rng.IntN(2) == 0: // the page prints WhatsApp in both forms
		params = m.opened()
	case channel == "apn" || channel == "bpn":
		params = m.push()
	case channel == "rcs":
		params = m.rcs()
	}
	if channel == "whatsapp" && event == "click" {
		event = "clicked" // as the page has it, once with capitals
		if m.rng.IntN(2) == 0 {
			channel, event = "WhatsApp", "Clicked"
		}
	}
	return netcoreObject{
		{"channel", channel},
		{"event", event},
		{"custom_params", netcoreObject{{"Name", m.name}, {"Step", m.journeyName + " / " + strconv.Itoa(1+m.rng.IntN(5))}}},
		{"att_params", netcoreObject{{"MOBILE", m.mobile}, {"CITY", m.city}}},
		{"msgid", m.message},
		{"webhook_name", m.label},
		{"event_params", params},
		{"journey_name", m.journeyName},
	}
}

// broadcast is the event of an e-mail that went to a list. It says useragent where journeys say user_agent.
func (m *netcoreMaker) broadcast(event string) netcoreObject {
	panel := strconv.Itoa(10_000 + m.rng.IntN(80_000))
	user := fmt.Sprintf("%s-%s-%d", panel, m.message, 1+m.rng.IntN(99_999))
	return netcoreObject{
		{"webhook_name", m.label},
		{"msgid", m.message},
		{"channel", "email"},
		{"event_params", netcoreObject{
			{"ip_addr", m.address()},
			{"subject", pickNetcore(m.rng, "Your points this month", "Neu: 20 % für dich", "We kept your basket")},
			{"ts", m.ts},
			{"fromfield", "news@example.com"},
			{"camp_name", m.journeyName},
			{"useragent", m.agent()},
			{"tags", pickNetcore(m.rng, "", "spring", "members")},
			{"email", m.email},
			{"timestamp", m.timestamp},
			{"foreignkey", m.email},
		}},
		{"event", event},
		{"custom_params", netcoreObject{{"smartech_panel", panel}, {"userid", user}}},
		{"udt_params", netcoreObject{}},
	}
}

// activity is what a contact did on a site or in an app; it has no event. One in four has the form that was captured in
// 2021, without a timestamp.
func (m *netcoreMaker) activity() netcoreObject {
	id := int64(100_000 + m.rng.IntN(9_000_000))
	what := pickNetcore(m.rng, "Basket checkout", "Product viewed", "Wishlist – item added")
	custom, attributes := netcoreObject{{"Step", what}}, netcoreObject{{"MOBILE", m.mobile}}
	if m.rng.IntN(4) == 0 {
		return netcoreObject{
			{"webhook_name", m.label},
			{"msgid", "-1"},
			{"channel", "custom_activity"},
			{"event_params", netcoreObject{
				{"activity_source", "other"}, {"foreignkey", m.email}, {"identity", m.email},
				{"activity_name", what}, {"activity_id", id}, {"ts", m.ts},
			}},
			{"custom_params", custom},
			{"att_params", attributes},
			{"journey_name", m.journeyName},
		}
	}
	return netcoreObject{
		{"channel", "custom_activity"},
		{"custom_params", custom},
		{"att_params", attributes},
		{"msgid", strconv.FormatInt(id, 10)}, // the page's sample has the activity's id here
		{"webhook_name", m.label},
		{"payload_params", netcoreObject{{"items", []netcoreObject{{
			{"prqt_s", 1 + m.rng.IntN(5)},
			{"price_s", float64(100+m.rng.IntN(999_900)) / 100},
			{"dateofpurchase_sm", strings.Replace(m.timestamp, "T", " ", 1)},
		}}}}},
		{"event_params", netcoreObject{
			{"activity_source", "web"}, {"ts", m.ts}, {"activity_id", id}, {"timestamp", m.timestamp},
			{"foreignkey", m.email}, {"identity", m.email}, {"asset_name", "shop.example.com"},
			{"asset_id", fmt.Sprintf("%016x%016x", m.rng.Uint64(), m.rng.Uint64())},
			{"guid", fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", m.rng.Uint32(), m.rng.Uint32N(1<<16), m.rng.Uint32N(1<<12),
				m.rng.Uint32N(1<<12), m.rng.Uint64N(1<<48))},
		}},
		{"journey_name", m.journeyName},
	}
}

// contact is SMS, and WhatsApp in one of its two forms.
func (m *netcoreMaker) contact() netcoreObject {
	return netcoreObject{
		{"foreignkey", m.email}, {"timestamp", m.timestamp}, {"ts", m.ts}, {"name", m.journeyName}, {"mobile", m.mobile},
	}
}

func (m *netcoreMaker) opened() netcoreObject {
	return netcoreObject{
		{"ip_addr", m.address()}, {"foreignkey", m.email}, {"timestamp", m.timestamp}, {"ts", m.ts},
		{"user_agent", m.agent()}, {"name", nil}, {"mobile", m.mobile},
	}
}

func (m *netcoreMaker) push() netcoreObject {
	token := fmt.Sprintf("%016x%016x", m.rng.Uint64(), m.rng.Uint64())
	return netcoreObject{
		{"ip_addr", m.address()}, {"ts", m.ts}, {"user_agent", m.agent()}, {"name", nil}, {"token_id", nil},
		{"timestamp", m.timestamp}, {"foreignkey", m.email}, {"token", []string{token}},
	}
}

// rcs has its ts as text.
func (m *netcoreMaker) rcs() netcoreObject {
	return netcoreObject{
		{"timestamp", m.timestamp}, {"foreignkey", m.email}, {"ts", fmt.Sprintf("%012d", m.ts)}, {"url", nil},
		{"camp_name", m.journeyName}, {"linkid", "0"},
	}
}

func (m *netcoreMaker) address() string { return fmt.Sprintf("192.0.2.%d", 1+m.rng.IntN(254)) }

func (m *netcoreMaker) agent() string {
	return pickNetcore(m.rng,
		"Mozilla/5.0 (X11; Linux x86_64) ExampleBrowser/3.1", "ExampleMail/7.2 (Android 16; de-DE)", "ExampleApp/12 (iOS; \"beta\")")
}

func pickNetcore(rng *rand.Rand, from ...string) string { return from[rng.IntN(len(from))] }

// appendNetcoreValue writes a sample as the provider does: compact, in order.
func appendNetcoreValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendNetcoreText(b, v, false)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	case []string:
		return appendNetcoreList(b, v)
	case []netcoreObject:
		return appendNetcoreList(b, v)
	case netcoreObject:
		b = append(b, '{')
		for i, field := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendNetcoreText(b, field.name, false), ':')
			b = appendNetcoreValue(b, field.value)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

func appendNetcoreList[T any](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNetcoreValue(b, v)
	}
	return append(b, ']')
}
