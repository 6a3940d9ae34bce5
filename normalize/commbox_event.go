package normalize

import (
	"strings"
	"time"
)

// commboxEvent is what one Event says of itself.
type commboxEvent struct {
	native string // <Subscription>.<Name>, else the source's event; may be empty
	kind   kind

	subscription, name, brand, subject, date, itemID, requestID scalar

	item  string // what an event of this trigger is about: Child, Activity, or nothing but the Object
	items int
	twice string // the first name that stands there more than once where one value is needed
}

// commboxItems lists the triggers that have a date of their own, with the path to the item that they are about. An
// Object's CreateDate says nothing about any other trigger.
var commboxItems = map[string]struct{ group, item string }{
	"Object.OnNew":         {"", ""},
	"Object.OnNewChild":    {"Children", "Child"},
	"Object.OnNewActivity": {"Activities", "Activity"},
}

// readCommbox looks up everything once. A body that names no event takes the source's; its root then stands for the
// entity, unless it holds one by that name.
func readCommbox(n node, fallback string) (b commboxEvent) {
	b.subscription, b.name, b.brand = b.text(n, "Subscription"), b.text(n, "Name"), b.text(n, "Brand")
	b.native = fallback
	entityName, _, _ := strings.Cut(fallback, ".")
	named := b.subscription.text != "" && b.name.text != ""
	if named {
		b.native, entityName = b.subscription.text+"."+b.name.text, b.subscription.text
	}
	var listed bool
	if b.kind, listed = commboxKinds[b.native]; !listed {
		b.kind = unlisted(b.native, "Entity.Id")
		b.kind.entity, b.kind.action = orUnknown(b.kind.entity), orUnknown(b.kind.action) // a name may begin or end with a dot
	}
	var entity node
	if entityName != "" {
		if entity = b.node(n, entityName); entity == nil && !named {
			entity = n
		}
	}
	b.requestID = b.text(n, "requestId")
	if entity == nil {
		return b
	}
	b.subject = b.first(entity, b.kind.subject)
	b.requestID = b.either(b.requestID, b.text(entity, "requestId"))
	b.readItem(entity)
	return b
}

// readItem finds the date, and the item that it belongs to: of several, the first.
func (b *commboxEvent) readItem(entity node) {
	path, dated := commboxItems[b.native]
	if !dated {
		return
	}
	about := entity
	if b.item = path.item; b.item != "" {
		about = nil
		for _, group := range entity.nodes(path.group) {
			for _, item := range group.nodes(b.item) {
				if b.items++; b.items == 1 {
					about = item
				}
			}
		}
	}
	if about == nil {
		return
	}
	b.date = b.text(about, "CreateDate")
	b.date.text = strings.Join(strings.Fields(b.date.text), " ")
	if b.item != "" {
		b.itemID = b.text(about, "Id")
	}
}

// identified reports whether brand, names, ids and date are all there to identify the event, none of them broken.
func (b *commboxEvent) identified() bool {
	if _, dated := commboxItems[b.native]; !dated {
		return false
	}
	needed := []scalar{b.brand, b.subscription, b.name, b.subject, b.date}
	if b.item != "" {
		if b.items != 1 {
			return false
		}
		needed = append(needed, b.itemID)
	}
	for _, s := range needed {
		if s.text == "" || !s.clean {
			return false
		}
	}
	return true
}

// text is the one value of a name. Id may also be written id, as the provider's Chat events print it; no other name is
// compared without case.
func (b *commboxEvent) text(n node, name string) scalar {
	found := n.texts(name)
	if name == "Id" {
		found = append(found, n.texts("id")...)
	}
	if len(found) == 0 {
		return scalar{}
	}
	if len(found) > 1 {
		b.repeated(name)
	}
	return found[0]
}

func (b *commboxEvent) node(n node, name string) node {
	found := n.nodes(name)
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		b.repeated(name)
	}
	return found[0]
}

func (b *commboxEvent) repeated(name string) {
	if b.twice == "" {
		b.twice = name
	}
}

// either takes a requestId of the event or of its entity; two different ones are two.
func (b *commboxEvent) either(event, entity scalar) scalar {
	if event.text == "" {
		return entity
	}
	if entity.text != "" && entity != event {
		b.repeated("requestId")
	}
	return event
}

// first is the text at the first of several paths that has one; the first segment of each is the entity itself.
func (b *commboxEvent) first(entity node, paths string) scalar {
	for path := range strings.SplitSeq(paths, "|") {
		n := entity
		_, path, _ = strings.Cut(path, ".")
		for n != nil {
			segment, rest, more := strings.Cut(path, ".")
			if !more {
				if s := b.text(n, segment); s.text != "" {
					return s
				}
				break
			}
			n, path = b.node(n, segment), rest
		}
	}
	return scalar{}
}

// commboxTime reads the three forms that the provider's pages show: ISO, day first with dashes, month first with
// slashes. All are UTC, which the pages say of an object's times.
func commboxTime(text string) (time.Time, bool) {
	for _, layout := range [...]string{"2006-01-02 15:04:05", "02-01-2006 15:04:05", "01/02/2006 15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return inRange(t)
		}
	}
	return time.Time{}, false
}
