package normalize

import (
	"errors"

	"github.com/hookgate/hookgate"
)

// commbox reads CommBox: an element or object Event, or JSON with the root payload (its pages show all three), and our
// own form of SOAP around the first. It signs nothing, so that every field of the body may identify an event.
type commbox struct {
	event string // of a body that names none, such as Object.OnNew
}

var (
	_ hookgate.Reader  = commbox{}
	_ hookgate.Replier = commbox{}
)

func newCommbox(o Options) hookgate.Reader { return commbox{o.Event} }

// commboxKinds has the triggers that the provider's pages list; Tag.OnUpdate is our name for one that they do not name.
// Paths start below Event, and their first segment is the entity.
var commboxKinds = map[string]kind{
	"Object.OnNew":          {"conversation", "created", "Object.Id"},
	"Object.OnNewChild":     {"conversation", "replied", "Object.Id"},
	"Object.OnNewActivity":  {"conversation", "updated", "Object.Id"},
	"Object.OnUpdateTag":    {"conversation", "tagged", "Object.Id"},
	"User.OnNew":            {"contact", "created", "User.Id"},
	"User.OnUpdate":         {"contact", "updated", "User.Id"},
	"User.OnUpdateTag":      {"contact", "tagged", "User.Id"},
	"Satisfaction.OnSubmit": {"survey", "submitted", "Satisfaction.ObjectId"},
	"Form.OnSubmit":         {"form", "submitted", "Form.ObjectId"},
	"Chat.OnUserExit":       {"conversation", "exited", "Chat.Object.Id"},
	"Tag.OnAdd":             {"tag", "created", "Tag.tagId|Tag.Id"},
	"Tag.OnUpdate":          {"tag", "updated", "Tag.tagId|Tag.Id"},
}

var (
	errNoShape     = errors.New("the body starts neither with < nor with {")
	errNoEvent     = errors.New("the XML has no element Event")
	errEventForm   = errors.New("the member Event or payload is neither an object nor a list of objects")
	errEventNone   = errors.New("the member Event or payload is an empty list")
	errListElement = errors.New("the list element is no object")
)

// Normalize gives one event for each Event of the body. The first byte tells XML from JSON.
func (c commbox) Normalize(req *hookgate.Request, _ hookgate.Verdict) []*hookgate.Event {
	body := withoutMark(req.Body)
	var events []*hookgate.Event
	err := errNoShape
	switch {
	case len(body) == 0:
	case body[0] == '<':
		events, err = c.xml(body)
	case body[0] == '{':
		events, err = c.json(body)
	}
	if err != nil {
		return quarantine(req.Body, err)
	}
	return events
}

// Reply answers SOAP with an empty envelope of its own version (our default: nothing is documented).
func (commbox) Reply(req *hookgate.Request) (contentType string, body []byte) {
	v, ok := soapOf(req.Body)
	if !ok {
		return "", nil
	}
	return v.contentType, []byte(v.reply)
}

func (c commbox) xml(body []byte) ([]*hookgate.Event, error) {
	tokens := maxTokens
	parts, err := readXML(body, &tokens)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, errNoEvent
	}
	events := make([]*hookgate.Event, 0, len(parts))
	for _, p := range parts {
		if p.event == nil {
			p, err = readHeld(p.data, &tokens)
			if err != nil {
				events = append(events, hookgate.Quarantined(p.data, err.Error()))
				continue
			}
		}
		events = append(events, c.read(p.event, p.data, hookgate.XML))
	}
	return events, nil
}

// readHeld reads the event that stands as text in an element. It is decoded once: text in that event is only text.
func readHeld(data []byte, tokens *int) (xmlPart, error) {
	parts, err := readXML(data, tokens)
	if err != nil {
		return xmlPart{data: data}, err
	}
	return parts[0], nil // the root is Event, and nothing else can be the outermost
}

func (c commbox) json(body []byte) ([]*hookgate.Event, error) {
	root, err := parse(body)
	if err != nil {
		return nil, err
	}
	for _, name := range [...]string{"Event", "payload"} {
		v := root.get(name)
		switch {
		case !v.present() || v.isNull():
			continue
		case v.isObject():
			return []*hookgate.Event{c.read(object{v}, v.raw, hookgate.JSON)}, nil
		case !v.isArray():
			return nil, errEventForm
		}
		var events []*hookgate.Event
		for e := range v.each {
			if e.isObject() {
				events = append(events, c.read(object{e}, e.raw, hookgate.JSON))
			} else {
				events = append(events, hookgate.Quarantined(e.raw, errListElement.Error()))
			}
		}
		if events == nil {
			return nil, errEventNone
		}
		return events, nil
	}
	return []*hookgate.Event{c.read(object{root}, root.raw, hookgate.JSON)}, nil
}

// read makes the event of one Event. What is said twice is not decided here: it goes to quarantine.
func (c commbox) read(n node, data []byte, contentType string) *hookgate.Event {
	b := readCommbox(n, c.event)
	if b.twice != "" {
		return hookgate.Quarantined(data, "the event has more than one "+b.twice)
	}
	e := &hookgate.Event{
		Type: typeName("commbox", b.native), EntityType: b.kind.entity, Action: b.kind.action, Subject: b.subject.text,
		Tenant: b.brand.text, NativeID: b.requestID.text, Attempt: 1, ContentType: contentType, Data: data,
	}
	t, ok := commboxTime(b.date.text)
	setTime(e, t, ok)
	switch {
	case b.requestID.text != "" && b.requestID.clean:
		e.Identity = []hookgate.Field{{Name: "requestId", Value: b.requestID.text}}
	case b.identified():
		e.Identity = given(
			hookgate.Field{Name: "Brand", Value: b.brand.text},
			hookgate.Field{Name: "Subscription", Value: b.subscription.text},
			hookgate.Field{Name: "Name", Value: b.name.text},
			hookgate.Field{Name: "EntityId", Value: b.subject.text},
			hookgate.Field{Name: "ItemId", Value: b.itemID.text},
			hookgate.Field{Name: "Date", Value: b.date.text},
		)
		if ok {
			e.IdentityTime = t.UnixMicro()
		}
	default:
		digestIdentity(e)
	}
	return e
}
