package hookgate

import (
	"encoding/base64"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// timeText is RFC 3339 in UTC with exactly three decimals; the rest is cut, not rounded. Format would read its layout anew
// for every event, which costs as much as all the other attributes. Years beyond four digits are left to it.
func timeText(t time.Time) string {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.Format("2006-01-02T15:04:05.000Z")
	}
	hour, minute, second := t.Clock()
	text := []byte("0000-00-00T00:00:00.000Z")
	digits := func(end, n int) {
		for ; n > 0; n /= 10 {
			end--
			text[end] = byte('0' + n%10)
		}
	}
	digits(4, year)
	digits(7, int(month))
	digits(10, day)
	digits(13, hour)
	digits(16, minute)
	digits(19, second)
	digits(23, t.Nanosecond()/int(time.Millisecond))
	return string(text)
}

// AppendEnvelope writes the event as a CloudEvents 1.0 structured-mode JSON object. The payload goes in untouched; bytes
// that are not UTF-8 cannot stand in JSON and go to data_base64.
func (e *Event) AppendEnvelope(dst []byte) []byte { return e.appendWith(dst, false) }

// AppendLine writes the same object as one line, without the line break at its end: white space between the JSON tokens
// of the payload is left out where it would break the line.
func (e *Event) AppendLine(dst []byte) []byte { return e.appendWith(dst, true) }

// AppendAttributes writes the same object without payload and signature.
func (e *Event) AppendAttributes(dst []byte) []byte { return append(e.appendMembers(dst), '}') }

// AppendSigned writes one of the two forms with the text that sign makes of it as its second attribute, signature. Whoever
// cuts exactly that attribute out again has the bytes that were signed. No sign, or an empty text, leaves it out.
func (e *Event) AppendSigned(dst []byte, oneLine bool, sign func(envelope []byte) string) []byte {
	start := len(dst)
	dst = e.appendWith(dst, oneLine)
	if sign == nil {
		return dst
	}
	text := sign(dst[start:])
	if text == "" {
		return dst
	}
	return slices.Insert(dst, start+len(envelopeStart), []byte(`,"signature":"`+text+`"`)...)
}

// envelopeStart begins every envelope. The signature comes behind it, so that nothing in a payload can be taken for it.
const envelopeStart = `{"specversion":"1.0"`

func (e *Event) appendWith(dst []byte, oneLine bool) []byte {
	dst = e.appendMembers(dst)
	switch {
	case !utf8.Valid(e.Data):
		dst = append(dst, `,"data_base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, e.Data)
		dst = append(dst, '"')
	case e.ContentType != JSON:
		dst = append(dst, `,"data":`...)
		dst = appendString(dst, string(e.Data))
	case oneLine:
		dst = append(dst, `,"data":`...)
		dst = appendCompact(dst, e.Data)
	default:
		dst = append(dst, `,"data":`...)
		dst = append(dst, e.Data...)
	}
	return append(dst, '}')
}

func (e *Event) appendMembers(dst []byte) []byte {
	dst = append(dst, envelopeStart...)
	e.Attributes(func(name, value string) {
		dst = append(dst, ',', '"')
		dst = append(dst, name...)
		dst = append(dst, '"', ':')
		if name == "attempt" || name == "replayed" { // a number and a boolean; all others are text
			dst = append(dst, value...)
			return
		}
		dst = appendString(dst, value)
	})
	return dst
}

// Attributes calls yield with every attribute that has a value, in the envelope's order, specversion left out.
func (e *Event) Attributes(yield func(name, value string)) {
	some := func(name, value string) {
		if value != "" {
			yield(name, value)
		}
	}
	some("id", e.ID)
	yield("source", "/hookgate/"+e.Provider+"/"+e.Source)
	some("type", e.Type)
	some("subject", e.Subject)
	yield("time", timeText(e.Time))
	some("datacontenttype", e.ContentType)
	some("provider", e.Provider)
	some("tenant", e.Tenant)
	some("entitytype", e.EntityType)
	some("entityid", e.Subject)
	some("action", e.Action)
	yield("attempt", strconv.Itoa(e.Attempt))
	some("nativeid", e.NativeID)
	yield("receivedtime", timeText(e.Received))
	some("timesource", e.TimeSource)
	some("verifiedby", e.VerifiedBy)
	some("keyid", e.KeyID)
	some("partitionkey", e.PartitionKey)
	some("rawsha256", e.RawSHA256)
	if e.Replayed {
		yield("replayed", "true")
	}
}

// appendString writes s as a JSON string. It must be our own: the standard encoder goes through reflection and escapes
// <, > and &, and this runs for every attribute of every event.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		start = i + 1
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendCompact drops the white space between the tokens of src, which must be valid JSON.
func appendCompact(dst, src []byte) []byte {
	inText := false
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch {
		case inText && c == '\\':
			dst = append(dst, c, src[i+1])
			i++
			continue
		case c == '"':
			inText = !inText
		case !inText && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
