package normalize

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// kind is what the taxonomy says of one native event. Each provider's file has its own map literal of them, named
// <provider>Kinds, with the native event as key; testdata/taxonomy.csv is compared with it both ways.
type kind struct {
	entity, action string
	subject        string // dotted paths from the event's root, separated by |: the first that is there
}

// unknown is the name, the entity type and the action of an event without any name.
const unknown = "unknown"

// typeName is the event's type. The name keeps its own words, in lower case, whether the taxonomy has it or not.
func typeName(provider, native string) string {
	if native == "" {
		native = unknown
	}
	return provider + "." + strings.ToLower(native)
}

// unlisted is the kind of an event that the taxonomy does not have: the first segment of its name is the entity type,
// the last one the action. Nothing is guessed beyond that.
func unlisted(native, subject string) kind {
	if native == "" {
		return kind{unknown, unknown, subject}
	}
	native = strings.ToLower(native)
	entity, _, _ := strings.Cut(native, ".")
	return kind{entity, native[strings.LastIndexByte(native, '.')+1:], subject}
}

// The times that count as such, in Unix milliseconds: from 2000-01-01 until the end of 9999. Anything else stands in a
// time field by mistake (Sprinklr's own sample of user.deleted has the user id there).
const (
	firstMilli = 946_684_800_000
	lastMilli  = 253_402_300_799_999
)

// epochMillis reads a time from the digits of Unix milliseconds; ok is false for anything else.
func epochMillis(digits string) (t time.Time, ok bool) {
	ms, ok := number(digits)
	if !ok || ms < firstMilli || ms > lastMilli {
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), true
}

// epochSeconds is epochMillis for Unix seconds.
func epochSeconds(digits string) (t time.Time, ok bool) {
	s, ok := number(digits)
	if !ok || s < firstMilli/1000 || s > lastMilli/1000 {
		return time.Time{}, false
	}
	return time.Unix(s, 0).UTC(), true
}

// rfc3339 reads a time in RFC 3339, cut to milliseconds. Parse alone also takes an hour of one digit and a comma before
// the fraction.
func rfc3339(text string) (t time.Time, ok bool) {
	if len(text) < len("2006-01-02T15:04:05Z") || text[13] != ':' || strings.IndexByte(text, ',') >= 0 {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, strings.ToUpper(text)) // t and z may be small
	if err != nil {
		return time.Time{}, false
	}
	return inRange(t)
}

// inRange cuts t to milliseconds in UTC; ok is false outside the years 2000 to 9999.
func inRange(t time.Time) (time.Time, bool) {
	if s := t.Unix(); s < firstMilli/1000 || s > lastMilli/1000 {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Millisecond), true
}

// number reads plain digits, without sign, point or exponent, that fit 63 bits.
func number(digits string) (int64, bool) {
	if digits == "" || !isDigit(digits[0]) { // ParseInt takes a sign
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// attempt reads the provider's attempt number: digits of a positive 32-bit number, else 1.
func attempt(digits string) int {
	if n, ok := number(digits); ok && n > 0 && n <= 1<<31-1 {
		return int(n)
	}
	return 1
}

// setTime gives the event the time that its payload names; without one Seal uses the time of receipt.
func setTime(e *hookgate.Event, t time.Time, ok bool) {
	if ok {
		e.Time, e.TimeSource = t, hookgate.TimeFromEvent
		return
	}
	e.TimeSource = hookgate.TimeReceived
}

// digestIdentity identifies the event by its own bytes, where the fields that it needs are absent or broken. Every copy
// has the same bytes and so the same time in them.
func digestIdentity(e *hookgate.Event) {
	e.Identity = hookgate.DigestIdentity(e.Data)
	if e.TimeSource == hookgate.TimeFromEvent {
		e.IdentityTime = e.Time.UnixMicro()
	}
}

// given keeps the identity fields that have a value: null, empty and missing are all absent, and an absent field is left
// out with its name.
func given(fields ...hookgate.Field) []hookgate.Field {
	return slices.DeleteFunc(fields, func(f hookgate.Field) bool { return f.Value == "" })
}

// allClean is value.clean over all the values that an identity rests on.
func allClean(values ...value) bool {
	for _, v := range values {
		if !v.clean() {
			return false
		}
	}
	return true
}

// errNoObject is the reason for a body that is JSON but not an event.
var errNoObject = errors.New("the body is no JSON object")

// readObject reads a body that must be one JSON object. The error's text is the quarantine reason.
func readObject(body []byte) (value, error) {
	v, err := parse(body)
	if err == nil && !v.isObject() {
		err = errNoObject
	}
	return v, err
}

// quarantine keeps a whole body that could not be read.
func quarantine(body []byte, err error) []*hookgate.Event {
	return []*hookgate.Event{hookgate.Quarantined(body, err.Error())}
}
