package forward

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hookgate/hookgate"
)

// placeholders are the words that may stand in braces in a subject or a routing key, and what of the event they mean.
var placeholders = map[string]func(e *hookgate.Event) string{
	"provider":   func(e *hookgate.Event) string { return e.Provider },
	"source":     func(e *hookgate.Event) string { return e.Source },
	"type":       func(e *hookgate.Event) string { return e.Type },
	"entitytype": func(e *hookgate.Event) string { return e.EntityType },
	"action":     func(e *hookgate.Event) string { return e.Action },
}

// template is a text with placeholders, read once when the destination is opened.
type template struct {
	text  string // as it was written
	parts []part // none where the text has no placeholder
}

// part is a piece of literal text and the placeholder behind it; the last one may have none.
type part struct {
	literal string
	value   func(e *hookgate.Event) string
	dots    bool // of the value stay: a type is a path of words
}

// parseTemplate reads {provider}, {source}, {type}, {entitytype} and {action}.
func parseTemplate(text string) (*template, error) {
	t := &template{text: text}
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return nil, errors.New("has a } without a { before it")
		}
		if !found {
			if len(t.parts) > 0 {
				t.parts = append(t.parts, part{literal: literal})
			}
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("has a { without a } behind it")
		}
		value, known := placeholders[name]
		if !known {
			return nil, fmt.Errorf("has the unknown placeholder {%s}", name)
		}
		t.parts = append(t.parts, part{literal: literal, value: value, dots: name == "type"})
		rest = behind
	}
	return t, nil
}

// fixed reports whether the text is the same for every event.
func (t *template) fixed() bool { return len(t.parts) == 0 }

// literals gives the text with x in the place of every value, to be checked by the rules of the queue.
func (t *template) literals() string {
	if t.fixed() {
		return t.text
	}
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.literal)
		if p.value != nil {
			b.WriteByte('x')
		}
	}
	return b.String()
}

// expand puts the event's own words in. Letters, digits, - and _ of ASCII stay and everything else becomes _, so that a
// payload can add no level and no wildcard; the dots of the type stay. What is empty becomes _ too.
func (t *template) expand(e *hookgate.Event) string {
	if t.fixed() {
		return t.text
	}
	dst := make([]byte, 0, 128)
	for _, p := range t.parts {
		dst = append(dst, p.literal...)
		if p.value != nil {
			dst = appendWords(dst, p.value(e), p.dots)
		}
	}
	return string(dst)
}

// appendWords writes a value of words that are not empty.
func appendWords(dst []byte, value string, dots bool) []byte {
	start := len(dst)
	for _, r := range value {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			dst = append(dst, byte(r))
		case r == '.' && dots:
			if len(dst) == start {
				dst = append(dst, '_')
			}
			dst = append(dst, '.')
			start = len(dst)
		default:
			dst = append(dst, '_')
		}
	}
	if len(dst) == start {
		dst = append(dst, '_')
	}
	return dst
}
