package outbound

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"
)

// sprinklrSample makes up an event: the template of its payload with values drawn from rng. Values of one name are the same
// all over the payload, so that a message's id holds the message's channel and time.
func sprinklrSample(rng *rand.Rand, native string, at time.Time) Event {
	if e, ok := sprinklrFind(native); ok {
		native = e.wire
	}
	at = at.Truncate(time.Millisecond)
	v := sprinklrValues{rng: rng, at: at, drawn: map[string]string{}}
	e := Event{Type: native, ID: v.get("oid.event"), Time: at}
	template, ok := sprinklrCaseTemplates[native]
	if !ok {
		template = sprinklrOtherTemplates[native]
	}
	var payload bytes.Buffer
	if json.Compact(&payload, []byte(os.Expand(template, v.get))) == nil { // else there is no sample of it
		e.Payload = payload.Bytes()
	}
	if channel, ok := v.drawn["channel"]; ok {
		e.Attributes = map[string]string{"ACCOUNT_TYPE": channel} // the filter of the provider's page, for cases as well
	}
	return e
}

// sprinklrValues draws the values of one sample. A name is a kind, and after a dot what tells two values of it apart.
type sprinklrValues struct {
	rng   *rand.Rand
	at    time.Time
	drawn map[string]string
}

func (v sprinklrValues) get(name string) string {
	value, ok := v.drawn[name]
	if !ok {
		kind, _, _ := strings.Cut(name, ".")
		value = v.draw(kind)
		v.drawn[name] = value
	}
	return value
}

// sprinklrWords are the values that are words. They may stand inside a JSON text as they are.
var sprinklrWords = map[string][]string{
	"channel":    {"TWITTER", "FACEBOOK", "INSTAGRAM", "WHATSAPP_BUSINESS"},
	"first":      {"Robin", "Noor", "Jules", "Mika", "Sasha", "Zoë", "Íris", "Kwame"},
	"last":       {"Example", "Vermeer", "O’Hara", "Østergård", "Tanaka", "Müller"},
	"company":    {"Lumen & Oak", "Harbour Tiles", "Café Zuid", "Northwind Cycles"},
	"text":       {"Is my parcel <b>7781</b> on its way?", "Thanks a lot, that worked 🙂", "¿Cuándo abre la tienda?", "The app says \\\"try later\\\" since noon", "see https://example.com/a?b=1&c=2"},
	"subject":    {"Order 7781 is late", "Refund for tiles", "Cannot sign in", "Question about opening hours"},
	"title":      {"Spring launch", "Answer to a customer", "Shop opening in Zuid", "Weekly digest"},
	"note":       {"Called back, waiting for the invoice.", "Please check the photo first.", "Looks good to me.", "Customer prefers e-mail."},
	"failure":    {"The channel refused the picture: too large", "The account is no longer connected"},
	"status":     {"New", "Assigned", "Waiting for customer", "Geschlossen"},
	"priority":   {"Low", "Medium", "High"},
	"language":   {"en", "nl", "es", "de"},
	"country":    {"NL", "ES", "DE", "PT"},
	"zone":       {"Europe/Amsterdam", "Europe/Madrid", "Asia/Tokyo"},
	"sentiment":  {"1", "0", "-1"},
	"direction":  {"INBOUND", "OUTBOUND"},
	"brand":      {"true", "false"},
	"assettype":  {"PHOTO", "VIDEO", "LINK"},
	"taskstatus": {"AVAILABLE", "IN_PROGRESS", "COMPLETED"},
}

// draw makes a new value. An unknown kind gives nothing.
func (v sprinklrValues) draw(kind string) string {
	if words := sprinklrWords[kind]; words != nil {
		return words[v.rng.IntN(len(words))]
	}
	between := func(low, high int64) string { return strconv.FormatInt(low+v.rng.Int64N(high-low), 10) }
	ago := func(low, high time.Duration) time.Time {
		return v.at.Add(-low - time.Duration(v.rng.Int64N(int64(high-low))))
	}
	millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	switch kind {
	case "oid":
		var random [8]byte
		for i := range random {
			random[i] = byte(v.rng.Uint32())
		}
		return sprinklrObjectID(v.at, random)
	case "now":
		return millis(v.at)
	case "after": // the provider's event times may precede those inside
		return millis(v.at.Add(time.Duration(v.rng.IntN(900)) * time.Millisecond))
	case "recent":
		return millis(ago(50*time.Millisecond, 3*time.Second))
	case "earlier":
		return millis(ago(time.Minute, time.Hour))
	case "created":
		return millis(ago(24*time.Hour, 30*24*time.Hour))
	case "due":
		return millis(ago(-14*24*time.Hour, -24*time.Hour))
	case "end": // after what is due
		return millis(ago(-30*24*time.Hour, -15*24*time.Hour))
	case "stamp": // the form of an account's createdTime
		return ago(24*time.Hour, 300*24*time.Hour).UTC().Format(time.DateTime)
	case "iso":
		return ago(time.Hour, 24*time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
	case "day":
		return ago(-90*24*time.Hour, -24*time.Hour).UTC().Format(time.DateOnly)
	case "small":
		return between(1, 10)
	case "count":
		return between(1, 5000)
	case "double":
		return between(1, 5000) + ".0"
	case "delay": // milliseconds
		return between(4, 240) + ".0"
	case "mos":
		return fmt.Sprintf("%d.%03d", 3+v.rng.IntN(2), 1+v.rng.IntN(400))
	case "fraction":
		return fmt.Sprintf("0.%03d", 1+v.rng.IntN(99))
	case "user":
		return between(100000, 999999)
	case "account":
		return between(1000000, 1999999)
	case "minus": // sourceId may be negative
		return "-" + between(1, 99)
	case "casenumber":
		return between(41000000, 41999999)
	case "id10": // posts, drafts
		return between(3000000000, 9999999999)
	case "id15":
		return between(600000000000000, 609999999999999)
	case "big": // a channel's own id, above 2^53
		return between(1795000000000000001, 1799999999999999999)
	case "campaign":
		return between(4700, 4799) + "_" + between(1, 999)
	case "phone":
		return "316000000" + fmt.Sprintf("%02d", v.rng.IntN(100))
	case "version":
		return between(1, 12)
	}
	return ""
}
