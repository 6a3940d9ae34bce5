package outbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How a payload becomes an event. The payload is the entity's element as a JSON object, and its members keep their order:
//
//   - An object is an element, a list of objects or scalars is the same element several times.
//   - A scalar is text in both shapes: a number with its digits as they are, a boolean as True or False; null is nothing.
//   - In XML a scalar is an attribute. It is a child element where the provider's examples print one: Message, Content,
//     ManagerId, Snippet, Data, Score, Description, Properties, and all of Form; only in User.OnUpdateTag the user's Content
//     is an attribute.
//   - Content, Data and Properties hold JSON of their own. An object or list there keeps its types: in JSON it stands as it
//     is, as the provider's example of Content does, and in XML as compact JSON text.
//
// A value is one of text, document, members and list, by its kind.
type commboxValue struct {
	kind     commboxKind
	scalar   string
	document []byte // compact JSON
	members  []commboxMember
	list     []commboxValue
}

type commboxMember struct {
	name  string
	value commboxValue
}

type commboxKind int

const (
	commboxNothing commboxKind = iota
	commboxText
	commboxDocument
	commboxElement
	commboxList
)

// commboxDepth bounds how deep elements nest; the deepest of the provider has five.
const commboxDepth = 16

var (
	errCommboxMissing = errors.New("it is missing")
	errCommboxJSON    = errors.New("it is no JSON")
	errCommboxObject  = errors.New("it is no JSON object")
	errCommboxDeep    = fmt.Errorf("it nests deeper than %d elements", commboxDepth)
	errCommboxLists   = errors.New("a list inside a list has no form in XML")
)

// readCommboxEntity reads a payload. It refuses what XML could not hold: a name twice, a name that is no XML name, a list
// of lists.
func readCommboxEntity(payload json.RawMessage) (*commboxValue, error) {
	payload = bytes.TrimSpace(payload)
	switch {
	case len(payload) == 0:
		return nil, errCommboxMissing
	case !json.Valid(payload):
		return nil, errCommboxJSON
	case payload[0] != '{':
		return nil, errCommboxObject
	}
	v, err := readCommboxValue("", payload, commboxDepth)
	return &v, err
}

// readCommboxValue reads valid JSON without white space around it.
func readCommboxValue(name string, raw []byte, depth int) (v commboxValue, err error) {
	if depth < 0 {
		return v, errCommboxDeep
	}
	nested := raw[0] == '{' || raw[0] == '['
	switch {
	case nested && (name == "Content" || name == "Data" || name == "Properties"):
		var compact bytes.Buffer
		if err := json.Compact(&compact, bytes.ToValidUTF8(raw, []byte("\uFFFD"))); err != nil {
			return v, err
		}
		return commboxValue{kind: commboxDocument, document: compact.Bytes()}, nil
	case raw[0] == '{':
		return readCommboxElement(raw, depth)
	case raw[0] == '[':
		return readCommboxList(name, raw, depth)
	case raw[0] == '"':
		v.kind = commboxText
		return v, json.Unmarshal(raw, &v.scalar)
	case raw[0] == 'n':
		return v, nil
	case raw[0] == 't':
		return commboxValue{kind: commboxText, scalar: "True"}, nil
	case raw[0] == 'f':
		return commboxValue{kind: commboxText, scalar: "False"}, nil
	}
	return commboxValue{kind: commboxText, scalar: string(raw)}, nil
}

func readCommboxElement(raw []byte, depth int) (commboxValue, error) {
	v := commboxValue{kind: commboxElement}
	in := json.NewDecoder(bytes.NewReader(raw))
	if _, err := in.Token(); err != nil {
		return v, err
	}
	seen := map[string]bool{}
	for in.More() {
		token, err := in.Token()
		if err != nil {
			return v, err
		}
		name, _ := token.(string)
		if !isCommboxName(name) {
			return v, fmt.Errorf("the member name %q is no XML name in ASCII without a colon", name)
		}
		if seen[name] {
			return v, fmt.Errorf("the member %s is there twice", name)
		}
		seen[name] = true
		var inner json.RawMessage
		if err := in.Decode(&inner); err != nil {
			return v, err
		}
		m, err := readCommboxValue(name, inner, depth-1)
		if err != nil {
			return v, err
		}
		if m.kind != commboxNothing {
			v.members = append(v.members, commboxMember{name, m})
		}
	}
	return v, nil
}

func readCommboxList(name string, raw []byte, depth int) (commboxValue, error) {
	v := commboxValue{kind: commboxList}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return v, err
	}
	for _, raw := range items {
		item, err := readCommboxValue(name, raw, depth-1)
		if err != nil {
			return v, err
		}
		switch item.kind {
		case commboxList:
			return v, errCommboxLists
		case commboxNothing:
		default:
			v.list = append(v.list, item)
		}
	}
	return v, nil
}

// isCommboxName reports whether a name can be an element's and an attribute's. Those that begin with xml are reserved.
func isCommboxName(name string) bool {
	if len(name) >= 3 && strings.EqualFold(name[:3], "xml") {
		return false
	}
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '-' && c != '.' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}

// get finds a member; nil when it is not there.
func (v *commboxValue) get(name string) *commboxValue {
	for i := range v.members {
		if v.members[i].name == name {
			return &v.members[i].value
		}
	}
	return nil
}

// text is a member's text, empty when it has none.
func (v *commboxValue) text(name string) string {
	if m := v.get(name); m != nil && m.kind == commboxText {
		return m.scalar
	}
	return ""
}

// set puts text in a member, at the end unless it is there.
func (v *commboxValue) set(name, text string) {
	value := commboxValue{kind: commboxText, scalar: text}
	if m := v.get(name); m != nil {
		*m = value
		return
	}
	v.members = append(v.members, commboxMember{name, value})
}

// items are what an event of an entity is about: the children or activities, else the entity itself where the trigger has
// a date of its own.
func (v *commboxValue) items(native string) []*commboxValue {
	switch native {
	case "Object.OnNew":
		return []*commboxValue{v}
	case "Object.OnNewChild":
		return v.below("Children", "Child")
	case commboxNewActivity:
		return v.below("Activities", "Activity")
	}
	return nil
}

func (v *commboxValue) below(names ...string) []*commboxValue {
	found := []*commboxValue{v}
	for _, name := range names {
		var next []*commboxValue
		for _, at := range found {
			m := at.get(name)
			switch {
			case m == nil:
			case m.kind == commboxElement:
				next = append(next, m)
			case m.kind == commboxList:
				for i := range m.list {
					if m.list[i].kind == commboxElement {
						next = append(next, &m.list[i])
					}
				}
			}
		}
		found = next
	}
	return found
}

// The forms of CreateDate, in UTC: an Object's, and a Child's or Activity's (doc).
const (
	commboxObjectDate = "2006-01-02 15:04:05"
	commboxItemDate   = "02-01-2006 15:04:05"
)

// date gives items without a CreateDate the event's time, which has no other place, and reports whether there were any.
func (v *commboxValue) date(native string, at time.Time) (changed bool) {
	layout := commboxItemDate
	if native == "Object.OnNew" {
		layout = commboxObjectDate
	}
	for _, item := range v.items(native) {
		if item.get("CreateDate") == nil {
			item.set("CreateDate", at.UTC().Format(layout))
			changed = true
		}
	}
	return changed
}

// isCommboxID reports whether an event keeps the member when complete data is off: the Object's id, its stream's, the
// items' (ours). requestId is among them, as an id that a receiver tells the event by.
func isCommboxID(name string) bool {
	switch name {
	case "Id", "id", "StreamId", "SubStreamId", "ObjectId", "tagId", "requestId":
		return true
	}
	return false
}

// onlyIDs drops all other texts, documents, and elements that then have nothing left. CreateDate goes too: it is no id.
func (v *commboxValue) onlyIDs() {
	v.members = slices.DeleteFunc(v.members, func(m commboxMember) bool {
		return m.value.kind == commboxText && !isCommboxID(m.name)
	})
	for i := range v.members {
		v.members[i].value.onlyIDs()
	}
	for i := range v.list {
		v.list[i].onlyIDs()
	}
	v.list = slices.DeleteFunc(v.list, func(item commboxValue) bool { return item.kind != commboxElement || len(item.members) == 0 })
	v.members = slices.DeleteFunc(v.members, func(m commboxMember) bool {
		return m.value.kind != commboxText && len(m.value.members) == 0 && len(m.value.list) == 0
	})
}
