package outbound

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// netcoreWrite makes data= and the percent-encoded {"<panel>":[event,...]}, whose bytes are, as five of the seven encoded
// samples of the page have it,
//
//	"data=" + urllib.parse.quote(json.dumps(obj, separators=(",", ":"), ensure_ascii=False), safe="")
//
// of Python. Events of several panels are grouped, in the order in which the panels come up first.
func netcoreWrite(s *Subscription, d *Delivery, _ int) (http.Header, []byte, error) {
	ascii := decode[netcoreSettings](s).ASCII
	var panels []string
	lists := make(map[string][]byte)
	for i := range d.Events {
		e := &d.Events[i]
		if !json.Valid(e.Payload) {
			return nil, nil, fmt.Errorf("event %d of the batch has a payload that is not JSON", i+1)
		}
		list, known := lists[e.Account]
		if !known {
			panels = append(panels, e.Account)
			list = append(list, '[')
		} else {
			list = append(list, ',')
		}
		lists[e.Account] = appendNetcoreJSON(list, e.Payload, ascii)
	}
	text := []byte{'{'}
	for i, panel := range panels {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(appendNetcoreText(text, panel, ascii), ':')
		text = append(append(text, lists[panel]...), ']')
	}
	return netcoreHeader(), netcoreForm(append(text, '}')), nil
}

// netcoreProbe is the body of the Test call: an empty batch of the panel. The page does not print it (our default).
func netcoreProbe(panel string, ascii bool) []byte {
	text := appendNetcoreText([]byte{'{'}, panel, ascii)
	return netcoreForm(append(text, ":[]}"...))
}

// netcoreForm encodes as RFC 3986 has it: upper-case hex, unreserved characters as they are, a space as %20.
func netcoreForm(text []byte) []byte {
	const hex = "0123456789ABCDEF"
	body := make([]byte, 0, len("data=")+2*len(text))
	body = append(body, "data="...)
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			body = append(body, c)
		default:
			body = append(body, '%', hex[c>>4], hex[c&15])
		}
	}
	return body
}

// appendNetcoreJSON writes valid JSON anew: without white space, each string in its one spelling, everything else, numbers
// above all, with the characters it has.
func appendNetcoreJSON(b []byte, raw []byte, ascii bool) []byte {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case ' ', '\t', '\n', '\r':
		case '"':
			b = append(b, '"')
			for i++; i < len(raw) && raw[i] != '"'; {
				var n int
				b, n = appendNetcoreRune(b, raw[i:], ascii)
				i += n
			}
			b = append(b, '"')
		default:
			b = append(b, c)
		}
	}
	return b
}

// appendNetcoreText writes a Go string as JSON.
func appendNetcoreText(b []byte, text string, ascii bool) []byte {
	b = append(b, '"')
	for _, r := range text {
		b = escapeNetcore(b, r, ascii)
	}
	return append(b, '"')
}

// appendNetcoreRune writes the first character inside a JSON string, which may be an escape or a pair of them, and says how
// many bytes it took. Half of a pair has no UTF-8, so it keeps its escape.
func appendNetcoreRune(b []byte, raw []byte, ascii bool) ([]byte, int) {
	if raw[0] != '\\' || len(raw) < 2 {
		r, n := utf8.DecodeRune(raw)
		return escapeNetcore(b, r, ascii), n
	}
	switch raw[1] {
	case 'u':
		r := netcoreUnit(raw)
		if !utf16.IsSurrogate(r) {
			return escapeNetcore(b, r, ascii), min(6, len(raw))
		}
		if pair := utf16.DecodeRune(r, netcoreUnit(raw[6:])); pair != utf8.RuneError {
			return escapeNetcore(b, pair, ascii), 12
		}
		return unitNetcore(b, r), 6
	case 'b':
		return escapeNetcore(b, '\b', ascii), 2
	case 'f':
		return escapeNetcore(b, '\f', ascii), 2
	case 'n':
		return escapeNetcore(b, '\n', ascii), 2
	case 'r':
		return escapeNetcore(b, '\r', ascii), 2
	case 't':
		return escapeNetcore(b, '\t', ascii), 2
	}
	return escapeNetcore(b, rune(raw[1]), ascii), 2 // a quote, a backslash or a slash
}

// netcoreUnit reads the four digits of \uXXXX, or gives the replacement character when there is none.
func netcoreUnit(raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// escapeNetcore writes a character as Python's json does, with ensure_ascii when ascii is set.
func escapeNetcore(b []byte, r rune, ascii bool) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	switch {
	case r < ' ', ascii && r > '~' && r <= 0xFFFF:
		return unitNetcore(b, r)
	case ascii && r > 0xFFFF:
		high, low := utf16.EncodeRune(r)
		return unitNetcore(unitNetcore(b, high), low)
	}
	return utf8.AppendRune(b, r)
}

func unitNetcore(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
