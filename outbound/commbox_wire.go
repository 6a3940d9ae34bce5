package outbound

import (
	"bytes"
	"encoding/json"
	"net/http"
	"unicode/utf8"
)

// commboxEvent is one event before it has a shape.
type commboxEvent struct {
	native, subscription, name, brand string
	entity                            *commboxValue
}

// The content types are ours: none is documented.
const (
	commboxTypeJSON   = "application/json; charset=utf-8"
	commboxTypeXML    = "text/xml; charset=utf-8" // and that of SOAP 1.1
	commboxTypeSOAP12 = "application/soap+xml; charset=utf-8"
)

const (
	commboxSOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
	commboxSOAP12 = "http://www.w3.org/2003/05/soap-envelope"
)

// shape writes the event as the settings say. The form of SOAP is ours: parameters as elements before the event, no
// operation around them, an empty SOAPAction.
func (w commboxEvent) shape(s commboxSettings) (http.Header, []byte) {
	header := http.Header{"Content-Type": {commboxTypeXML}}
	switch {
	case s.Protocol == "soap":
		namespace := commboxSOAP11
		if s.SOAPVersion == "1.2" {
			namespace = commboxSOAP12
			header.Set("Content-Type", commboxTypeSOAP12)
		} else {
			header["SOAPAction"] = []string{`""`} // spelt as SOAP has it, which Set would not keep
		}
		return header, w.appendSOAP(nil, namespace, s.SOAPParameters)
	case s.Format == "xml":
		return header, w.appendXML(nil)
	}
	header.Set("Content-Type", commboxTypeJSON)
	if s.Root == "payload" {
		b := w.entity.appendJSON([]byte(`{"payload":`))
		return header, append(b, '}')
	}
	return header, w.appendJSON(nil)
}

func (w commboxEvent) appendJSON(b []byte) []byte {
	b = appendCommboxText(append(b, `{"Event":{"Subscription":`...), w.subscription)
	b = appendCommboxText(append(b, `,"Name":`...), w.name)
	if w.brand != "" {
		b = appendCommboxText(append(b, `,"Brand":`...), w.brand)
	}
	b = append(appendCommboxText(append(b, ','), w.subscription), ':')
	return append(w.entity.appendJSON(b), "}}"...)
}

func (v *commboxValue) appendJSON(b []byte) []byte {
	switch v.kind {
	case commboxText:
		return appendCommboxText(b, v.scalar)
	case commboxDocument:
		return append(b, v.document...)
	case commboxList:
		b = append(b, '[')
		for i := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = v.list[i].appendJSON(b)
		}
		return append(b, ']')
	}
	b = append(b, '{')
	for i := range v.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendCommboxText(b, v.members[i].name), ':')
		b = v.members[i].value.appendJSON(b)
	}
	return append(b, '}')
}

// appendCommboxText writes a JSON string, with <>& as they are. JSON can hold every character.
func appendCommboxText(b []byte, text string) []byte {
	var room bytes.Buffer
	out := json.NewEncoder(&room)
	out.SetEscapeHTML(false)
	_ = out.Encode(text) // a string into memory: it cannot fail
	return append(b, bytes.TrimSuffix(room.Bytes(), []byte("\n"))...)
}

func (w commboxEvent) appendSOAP(b []byte, namespace string, parameters []commboxParameter) []byte {
	b = append(b, `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="`+namespace+`"><soap:Body>`...)
	for _, p := range parameters {
		b = append(b, "<"+p.Name+">"...)
		b = appendCommboxEscaped(b, p.Value, false)
		b = append(b, "</"+p.Name+">"...)
	}
	return append(w.appendXML(b), "</soap:Body></soap:Envelope>"...)
}

// appendXML writes the event without a declaration, a namespace or white space between elements.
func (w commboxEvent) appendXML(b []byte) []byte {
	b = appendCommboxAttribute(append(b, "<Event"...), "Subscription", w.subscription)
	b = appendCommboxAttribute(b, "Name", w.name)
	if w.brand != "" {
		b = appendCommboxAttribute(b, "Brand", w.brand)
	}
	return append(w.appendElement(append(b, '>'), w.subscription, w.entity), "</Event>"...)
}

// isChild reports whether a member of an element is an element of its own rather than an attribute.
func (w commboxEvent) isChild(element string, m *commboxMember) bool {
	switch {
	case m.value.kind == commboxElement || m.value.kind == commboxList || element == "Form":
		return true
	case m.name == "Content":
		return w.native != commboxUserTag || element != "User"
	}
	switch m.name {
	case "Message", "ManagerId", "Snippet", "Data", "Score", "Description", "Properties":
		return true
	}
	return false
}

func (w commboxEvent) appendElement(b []byte, name string, v *commboxValue) []byte {
	if v.kind == commboxList {
		for i := range v.list {
			b = w.appendElement(b, name, &v.list[i])
		}
		return b
	}
	b = append(append(b, '<'), name...)
	for i := range v.members {
		if m := &v.members[i]; !w.isChild(name, m) {
			b = appendCommboxAttribute(b, m.name, m.value.held())
		}
	}
	start := len(b)
	b = append(b, '>')
	b = appendCommboxEscaped(b, v.held(), false)
	for i := range v.members {
		if m := &v.members[i]; w.isChild(name, m) {
			b = w.appendElement(b, m.name, &m.value)
		}
	}
	if len(b) == start+1 {
		return append(b[:start], " />"...) // as the provider prints elements without content
	}
	return append(b, "</"+name+">"...)
}

// held is what a scalar or a JSON document is as text.
func (v *commboxValue) held() string {
	if v.kind == commboxDocument {
		return string(v.document)
	}
	return v.scalar
}

func appendCommboxAttribute(b []byte, name, value string) []byte {
	b = append(append(b, ' '), name...)
	b = appendCommboxEscaped(append(b, `="`...), value, true)
	return append(b, '"')
}

// appendCommboxEscaped writes text so that a parser gives it back as it was. What XML 1.0 cannot hold in any way (control
// characters but tab, line feed and carriage return, U+FFFE, U+FFFF, broken UTF-8) becomes U+FFFD. Quotes stay as they are
// in an element's text, as in the provider's examples; line ends and tabs are escaped where a parser would change them.
func appendCommboxEscaped(b []byte, text string, attribute bool) []byte {
	for _, r := range text { // broken UTF-8 comes as U+FFFD
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...) // so that ]]> cannot stand in text
		case r == '\r':
			b = append(b, "&#xD;"...)
		case attribute && r == '"':
			b = append(b, "&quot;"...)
		case attribute && r == '\n':
			b = append(b, "&#xA;"...)
		case attribute && r == '\t':
			b = append(b, "&#x9;"...)
		case r < ' ' && r != '\n' && r != '\t', r == '\uFFFE', r == '\uFFFF':
			b = utf8.AppendRune(b, utf8.RuneError)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
