package normalize

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds on one XML body, with those in an event's text counted in.
const (
	maxAttributes = 64      // of one element
	maxTokens     = 100_000 // of one request
)

var (
	errDoctype    = errors.New("the XML has a document type declaration or another <! directive")
	errXMLDepth   = errors.New("the XML is nested deeper than 64")
	errAttributes = errors.New("an XML element has more than 64 attributes")
	errAttrTwice  = errors.New("an XML element repeats an attribute")
	errTokens     = errors.New("the XML has more than 100,000 tokens")
	errJunk       = errors.New("something stands beside the XML root")
	errTwoRoots   = errors.New("the XML has a second root")
	errXMLDecl    = errors.New("an XML declaration stands inside the body")
	errXMLHead    = errors.New("the XML declaration names an encoding other than UTF-8, or a version other than 1.0")
)

// element is an XML element of an event. Only what a path of the taxonomy can lead to is kept.
type element struct {
	name  string // local: prefixes are the sender's choice
	attrs []xml.Attr
	kids  []*element
	text  []byte
	mixed bool // has elements inside, so that its text is no value
}

// xmlPart is one event of a body.
type xmlPart struct {
	data  []byte   // from <Event to </Event>
	event *element // nil when data is an element's text, which is read in its turn
}

// xmlWalk passes over a body once, token by token. encoding/xml is strict here: it expands nothing but the five
// predefined entities, fetches nothing and has no reader for another charset. What it lets pass (something beside the
// root, repeated attributes, a document type) is refused.
type xmlWalk struct {
	body   []byte
	dec    *xml.Decoder
	tokens *int // left for the whole request
	parts  []xmlPart

	depth  int
	rooted bool
	leaf   bool   // no element has begun or ended since the open one began
	text   []byte // of the leaf, outside of events

	start int64      // of the open event
	open  []*element // the open event and the elements open in it; nil for one that is not kept
	event int        // depth of the open event; 0 outside
}

// readXML finds the events of a body: each outermost element Event, at any depth and under any prefix, and the text of
// each element without elements inside that starts with <Event.
func readXML(body []byte, tokens *int) ([]xmlPart, error) {
	w := xmlWalk{body: body, dec: xml.NewDecoder(bytes.NewReader(body)), tokens: tokens}
	for {
		at := w.dec.InputOffset()
		token, err := w.dec.Token()
		switch {
		case err == io.EOF:
			return w.parts, nil
		case err != nil:
			return nil, xmlError(err)
		case *tokens == 0:
			return nil, errTokens
		}
		*tokens--
		if err := w.token(token, at); err != nil {
			return nil, err
		}
	}
}

// xmlError keeps the line and leaves out the decoder's text, which repeats what stands there.
func xmlError(err error) error {
	if e := new(xml.SyntaxError); errors.As(err, &e) {
		return fmt.Errorf("line %d: the XML is not well formed", e.Line)
	}
	return errXMLHead
}

func (w *xmlWalk) token(token xml.Token, at int64) error {
	switch t := token.(type) {
	case xml.StartElement:
		return w.begin(t, at)
	case xml.EndElement:
		w.end()
	case xml.CharData:
		switch {
		case w.depth == 0 && (w.body[at] == '<' || len(bytes.TrimSpace(t)) > 0):
			return errJunk
		case w.event > 0:
			if e := w.open[len(w.open)-1]; e != nil && keepsText(e.name, len(w.open)) {
				e.text = append(e.text, t...)
			}
		case w.leaf:
			w.text = append(w.text, t...)
		}
	case xml.ProcInst:
		if at > 0 && strings.EqualFold(t.Target, "xml") {
			return errXMLDecl
		}
	case xml.Directive:
		return errDoctype
	}
	return nil
}

func (w *xmlWalk) begin(t xml.StartElement, at int64) error {
	w.depth++
	switch {
	case w.depth > maxDepth:
		return errXMLDepth
	case w.depth == 1 && w.rooted:
		return errTwoRoots
	case len(t.Attr) > maxAttributes:
		return errAttributes
	}
	for i, a := range t.Attr {
		for _, b := range t.Attr[:i] {
			if a.Name == b.Name {
				return errAttrTwice
			}
		}
	}
	w.rooted = true
	switch {
	case w.event > 0:
		w.keep(t)
	case t.Name.Local == "Event":
		w.event, w.start, w.leaf = w.depth, at, false
		w.open = append(w.open[:0], &element{name: t.Name.Local, attrs: t.Attr})
	default:
		w.leaf, w.text = true, w.text[:0]
	}
	return nil
}

// keep adds an element of the open event to its parent, if a path can lead to it.
func (w *xmlWalk) keep(t xml.StartElement) {
	var e *element
	if parent := w.open[len(w.open)-1]; parent != nil {
		parent.mixed = true
		if len(w.open) == 1 || onPath(t.Name.Local) {
			e = &element{name: t.Name.Local, attrs: t.Attr}
			parent.kids = append(parent.kids, e)
		}
	}
	w.open = append(w.open, e)
}

func (w *xmlWalk) end() {
	switch {
	case w.event == w.depth:
		w.parts = append(w.parts, xmlPart{w.body[w.start:w.dec.InputOffset()], w.open[0]})
		w.event = 0
	case w.event > 0:
		w.open = w.open[:len(w.open)-1]
	case w.leaf:
		if text := bytes.TrimSpace(w.text); startsEvent(text) {
			w.parts = append(w.parts, xmlPart{data: bytes.Clone(text)})
		}
	}
	w.leaf = false
	w.depth--
}

// onPath lists the elements below an event's entity that identity, subject or time can lie in.
func onPath(name string) bool {
	switch name {
	case "Object", "Children", "Child", "Activities", "Activity":
		return true
	}
	return keepsText(name, 3)
}

// keepsText lists the elements whose text can be a value; open is how many elements are open down to it.
func keepsText(name string, open int) bool {
	switch name {
	case "Id", "id", "tagId", "ObjectId", "CreateDate", "requestId":
		return true
	case "Subscription", "Name", "Brand":
		return open == 2
	}
	return false
}

func startsEvent(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte("<Event"))
	return ok && len(rest) > 0 && (isSpace(rest[0]) || rest[0] == '>' || rest[0] == '/')
}

// texts gives every value of a name: attributes without a prefix, and elements with nothing but text inside. An empty
// one is no value, but an element that comes twice is two values whatever is in it.
func (e *element) texts(name string) (found []scalar) {
	for _, a := range e.attrs {
		if a.Name.Space == "" && a.Name.Local == name && a.Value != "" {
			found = append(found, scalar{a.Value, true})
		}
	}
	kids := 0
	for _, k := range e.kids {
		if k.name == name {
			kids++
		}
	}
	for _, k := range e.kids {
		switch {
		case k.name != name:
		case kids > 1 || (len(k.text) > 0 && !k.mixed):
			found = append(found, scalar{string(k.text), true})
		}
	}
	return found
}

func (e *element) nodes(name string) (found []node) {
	for _, k := range e.kids {
		if k.name == name {
			found = append(found, k)
		}
	}
	return found
}
