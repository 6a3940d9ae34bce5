package normalize

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// netcore reads Netcore CE (Smartech): a form whose field data is JSON, an object of panels with a list of events each
// (provider's page, and seen in public).
type netcore struct {
	zone  *time.Location
	event string
}

var _ hookgate.Reader = netcore{}

func newNetcore(o Options) hookgate.Reader {
	n := netcore{zone: o.Timezone, event: o.Event}
	if n.zone == nil {
		n.zone = time.FixedZone("Asia/Kolkata", 5*3600+1800) // without daylight saving since 1945
	}
	return n
}

// netcoreContact is the contact, as the payload names no id of the single message (our reading).
const netcoreContact = "event_params.foreignkey|event_params.identity|event_params.email|event_params.mobile"

// netcoreKinds has the activities that the provider's page lists for each channel.
var netcoreKinds = map[string]kind{
	"email.delivered":    {"email", "delivered", netcoreContact},
	"email.open":         {"email", "opened", netcoreContact},
	"email.click":        {"email", "clicked", netcoreContact},
	"email.bounce":       {"email", "bounced", netcoreContact},
	"sms.delivered":      {"sms", "delivered", netcoreContact},
	"sms.click":          {"sms", "clicked", netcoreContact},
	"apn.delivered":      {"push", "delivered", netcoreContact},
	"apn.click":          {"push", "clicked", netcoreContact},
	"bpn.delivered":      {"push", "delivered", netcoreContact},
	"bpn.click":          {"push", "clicked", netcoreContact},
	"whatsapp.delivered": {"whatsapp", "delivered", netcoreContact},
	"whatsapp.open":      {"whatsapp", "opened", netcoreContact},
	"whatsapp.click":     {"whatsapp", "clicked", netcoreContact},
	"whatsapp.failed":    {"whatsapp", "failed", netcoreContact},
	"rcs.delivered":      {"rcs", "delivered", netcoreContact},
	"rcs.open":           {"rcs", "opened", netcoreContact},
	"rcs.click":          {"rcs", "clicked", netcoreContact},
	"rcs.failed":         {"rcs", "failed", netcoreContact},
	"custom_activity":    {"activity", "performed", netcoreContact},
}

// netcoreChannels and netcoreWords serve a pair that the page does not list: each word is mapped on its own. The other
// spellings are our reading of the two that were seen on the wire, click and clicked.
var (
	netcoreChannels = map[string]string{
		"email": "email", "sms": "sms", "apn": "push", "bpn": "push", "whatsapp": "whatsapp", "rcs": "rcs",
		"custom_activity": "activity",
	}
	netcoreWords = map[string]struct{ word, action string }{
		"deliver": {"delivered", "delivered"}, "delivered": {"delivered", "delivered"},
		"open": {"open", "opened"}, "opened": {"open", "opened"},
		"click": {"click", "clicked"}, "clicked": {"click", "clicked"},
		"bounce": {"bounce", "bounced"}, "bounced": {"bounce", "bounced"},
		"fail": {"failed", "failed"}, "failed": {"failed", "failed"},
	}
)

var (
	errStillEncoded = errors.New("data is still percent-encoded after one decoding")
	errNoPanels     = errors.New("the root is no object of panels")
	errNoPanel      = errors.New("the root is an event without its panel")
	errManyElements = errors.New("the request has more than 20,000 elements")
)

// maxElements bounds what one request can become: an element of three bytes costs us two hundred times as much. The
// provider documents no batch size (our default).
const maxElements = 20_000

// Normalize gives one event for each element, in order. An empty batch gives none: it is the provider's set-up call.
func (n netcore) Normalize(req *hookgate.Request, _ hookgate.Verdict) []*hookgate.Event {
	b := netcoreBatch{reader: n}
	err := b.body(req.Body)
	if err == nil && len(b.events) > maxElements {
		err = errManyElements
	}
	if err != nil {
		return quarantine(req.Body, err)
	}
	return b.events
}

// netcoreBatch is one request while it is read.
type netcoreBatch struct {
	reader netcore
	events []*hookgate.Event
	seen   map[netcoreElement]int
}

// netcoreElement counts equal elements, so that two true events that look alike stay two.
type netcoreElement struct {
	panel  string
	digest [sha256.Size]byte
}

// body tells a form from JSON by the first byte. A JSON body may wrap the panels in data, as an object or as text.
func (b *netcoreBatch) body(raw []byte) error {
	text := withoutMark(raw)
	switch {
	case len(text) == 0:
		return nil
	case text[0] != '{' && text[0] != '[':
		data, err := formField(text, "data")
		if err != nil {
			return err
		}
		return b.text(data)
	}
	root, err := parse(text)
	if err != nil {
		return err
	}
	return b.root(root, true)
}

// text reads the decoded value of data. The page prints it in double quotes, and one captured sender keeps them.
func (b *netcoreBatch) text(data []byte) error {
	data = withoutMark(data)
	if n := len(data); n >= 2 && data[0] == '"' && data[n-1] == '"' {
		data = withoutMark(data[1 : n-1])
	}
	if len(data) == 0 {
		return nil
	}
	if data[0] == '%' {
		return errStillEncoded
	}
	root, err := parse(data)
	if err != nil {
		return err
	}
	return b.root(root, false)
}

// root reads the object of panels. Its members are read even beside a data that wraps others: nothing is dropped.
func (b *netcoreBatch) root(root value, wrapped bool) error {
	switch {
	case root.isArray():
		for range root.each {
			return errNoPanels
		}
		return nil
	case !root.isObject():
		return errNoPanels
	case root.get("channel").isString():
		return errNoPanel
	}
	for name, v := range root.members {
		var err error
		switch {
		case wrapped && name == "data" && v.isObject():
			err = b.root(v, false)
		case wrapped && name == "data" && v.isString():
			err = b.text([]byte(v.text()))
		default:
			b.panel(name, v)
		}
		if err != nil {
			b.quarantine(v, err.Error())
		}
	}
	return nil
}

func (b *netcoreBatch) panel(name string, v value) {
	switch {
	case v.isNull():
	case v.isObject():
		b.element(name, v)
	case v.isArray():
		for e := range v.each {
			switch {
			case len(b.events) > maxElements:
				return // Normalize gives them all up
			case e.isObject():
				b.element(name, e)
			default:
				b.quarantine(e, errListElement.Error())
			}
		}
	default:
		b.quarantine(v, "the panel holds neither a list nor an object")
	}
}

func (b *netcoreBatch) quarantine(v value, reason string) {
	b.events = append(b.events, hookgate.Quarantined(v.raw, reason))
}

func (b *netcoreBatch) element(panel string, v value) {
	e := &hookgate.Event{Attempt: 1, Tenant: panel, ContentType: hookgate.JSON, Data: v.raw}
	var channel, word string
	var params value
	for name, m := range v.fields {
		switch string(name) {
		case "channel":
			channel = strings.ToLower(m.text())
		case "event":
			word = strings.ToLower(m.text())
		case "event_params":
			params = m
		}
	}
	if channel == "" && word == "" {
		channel, word, _ = strings.Cut(strings.ToLower(b.reader.event), ".")
	}
	e.Type, e.EntityType, e.Action = netcoreName(channel, word)
	e.Subject = netcoreSubject(params)
	e.Time, e.TimeSource = b.reader.time(params)
	if e.TimeSource != hookgate.TimeReceived {
		e.IdentityTime = e.Time.UnixMicro()
	}
	e.Identity = b.identity(panel, v.raw)
	b.events = append(b.events, e)
}

// identity numbers the equal elements of the request: three alike are three, and the same three again are known.
func (b *netcoreBatch) identity(panel string, raw []byte) []hookgate.Field {
	key := netcoreElement{panel, sha256.Sum256(raw)}
	if b.seen == nil {
		b.seen = make(map[netcoreElement]int)
	}
	b.seen[key]++
	fields := make([]hookgate.Field, 0, 3)
	if panel != "" {
		fields = append(fields, hookgate.Field{Name: "panel", Value: panel})
	}
	return append(fields,
		hookgate.Field{Name: "digest", Value: hex.EncodeToString(key.digest[:])},
		hookgate.Field{Name: "ordinal", Value: strconv.Itoa(b.seen[key])})
}

// netcoreName is type, entity type and action of a channel and an event word in lower case, either of which may be
// missing.
func netcoreName(channel, word string) (name, entity, action string) {
	w, listed := netcoreWords[word]
	if !listed {
		w.word, w.action = word, word
	}
	native := channel
	if channel == "" || w.word != "" {
		native = strings.TrimPrefix(channel+"."+w.word, ".")
	}
	if k, ok := netcoreKinds[native]; ok {
		return typeName("netcore", native), k.entity, k.action
	}
	entity, listed = netcoreChannels[channel]
	if !listed {
		entity = channel
	}
	return typeName("netcore", native), orUnknown(entity), orUnknown(w.action)
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return s
}

func netcoreSubject(params value) string {
	for _, name := range [...]string{"foreignkey", "identity", "email", "mobile"} {
		if t := params.get(name).text(); t != "" {
			return t
		}
	}
	return ""
}

// time is timestamp, else ts. Both are local times of the panel; only a timestamp that names its zone needs no guess.
func (n netcore) time(params value) (time.Time, string) {
	if text := params.get("timestamp").text(); text != "" {
		if t, ok := n.local("2006-01-02T15:04:05", text); ok {
			return t, hookgate.TimeZoneAssumed
		}
		if t, ok := rfc3339(text); ok { // never the same text: the layout above has no place for a zone
			return t, hookgate.TimeFromEvent
		}
	}
	if text := params.get("ts").text(); len(text) == len("060102150405") {
		if t, ok := n.local("20060102150405", "20"+text); ok {
			return t, hookgate.TimeZoneAssumed
		}
	}
	return time.Time{}, hookgate.TimeReceived
}

func (n netcore) local(layout, text string) (time.Time, bool) {
	t, err := time.ParseInLocation(layout, text, n.zone)
	if err != nil {
		return time.Time{}, false
	}
	return inRange(t)
}

// withoutMark drops a UTF-8 byte order mark, and the white space of JSON and XML, around a body.
func withoutMark(body []byte) []byte {
	body = bytes.TrimLeft(body, " \t\r\n")
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	return bytes.Trim(body, " \t\r\n")
}
