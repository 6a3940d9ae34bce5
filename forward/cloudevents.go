package forward

import (
	"net/http"

	"github.com/hookgate/hookgate"
)

// The values of mode.
const (
	modeStructured = "structured"
	modeBinary     = "binary"
)

const structuredType = "application/cloudevents+json"

// setBinary writes the event's attributes into the headers, as the CloudEvents HTTP binding 1.0.2 has it for the binary
// mode: datacontenttype becomes Content-Type, every other attribute ce-<name>.
func setBinary(h http.Header, e *hookgate.Event) {
	h["Ce-Specversion"] = []string{"1.0"}
	e.Attributes(func(name, value string) {
		if name == "datacontenttype" {
			h["Content-Type"] = []string{value}
			return
		}
		h[http.CanonicalHeaderKey("ce-"+name)] = []string{EncodeHeader(value)}
	})
}

// EncodeHeader percent-encodes an attribute for a header, by section 3.1.3.2 of the binding: everything that is not a
// printable ASCII character, and the space, the double quote and the percent sign. What comes out has no CR, LF or NUL.
func EncodeHeader(value string) string {
	plain := true
	for i := 0; i < len(value) && plain; i++ {
		plain = !encoded(value[i])
	}
	if plain {
		return value
	}
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(value)+16)
	for i := range len(value) {
		c := value[i]
		if encoded(c) {
			out = append(out, '%', hex[c>>4], hex[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

func encoded(c byte) bool { return c <= ' ' || c > '~' || c == '"' || c == '%' }
