package hookgate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Where an event's time comes from, the values of the attribute timesource.
const (
	TimeFromEvent   = "event"        // the payload names it, zone and all
	TimeZoneAssumed = "zone-assumed" // the payload names it without a zone; the source's timezone was used
	TimeReceived    = "received"     // the payload names none that makes sense
)

// Content types of data.
const (
	JSON = "application/json"
	XML  = "application/xml"
)

// Field is one part of an event's identity.
type Field struct{ Name, Value string }

// Event is one thing that happened, as the envelope tells it. A reader fills the first group from the payload; Seal
// adds the rest from the source and the request.
type Event struct {
	Type        string  // <provider>.<native event>
	Subject     string  // id of the entity; also the attribute entityid
	EntityType  string  // common vocabulary
	Action      string  // common vocabulary
	Tenant      string  // the account it belongs to; empty where the payload names none
	NativeID    string  // the provider's own id of the event or delivery; empty where there is none
	Attempt     int     // the provider's number; 1 where it sends none
	Identity    []Field // fields that the signature covers; never empty
	ContentType string  // JSON or XML
	Data        []byte  // the provider's own bytes of this event
	Time        time.Time
	TimeSource  string // TimeFromEvent, TimeZoneAssumed or TimeReceived
	// IdentityTime is a time in Unix microseconds that follows from the identity fields alone, so that every copy of the
	// event has the same one; 0 where there is none. The journal sorts its markers by it.
	IdentityTime int64
	// Quarantine says why this part of the request could not be read; such an event is kept but never forwarded.
	Quarantine string

	ID           string
	Provider     string
	Source       string // the source's name
	Received     time.Time
	VerifiedBy   string
	KeyID        string
	PartitionKey string // <tenant>/<entitytype>/<entityid>
	RawSHA256    string // lower-case hex
	Window       time.Duration
	Replayed     bool // this delivery was asked for by an operator; never stored with the event
}

// Quarantined makes the event that stands for something unreadable: nothing authenticated is lost.
func Quarantined(part []byte, reason string) *Event {
	return &Event{Identity: DigestIdentity(part), Data: part, Attempt: 1, Quarantine: reason}
}

// DigestIdentity is the identity of an event that names none of its own: the digest of its own bytes.
func DigestIdentity(data []byte) []Field {
	sum := sha256.Sum256(data)
	return []Field{{"digest", hex.EncodeToString(sum[:])}}
}

// EventID hashes provider, source name and the identity fields, each with its length in front, so that no two
// different lists give the same input. It is the lower-case hex of the first 16 bytes of the SHA-256.
func EventID(provider, source string, identity []Field) string {
	buf := make([]byte, 0, 512)
	buf = appendSized(buf, provider)
	buf = appendSized(buf, source)
	for _, f := range identity {
		buf = appendSized(buf, f.Name)
		buf = appendSized(buf, f.Value)
	}
	sum := sha256.Sum256(buf)
	return hexText(sum[:16])
}

// hexText is hex.EncodeToString for at most a SHA-256, with one allocation less.
func hexText(b []byte) string {
	var room [2 * sha256.Size]byte
	return string(hex.AppendEncode(room[:0], b))
}

func appendSized(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(s)))
	return append(dst, s...)
}

// Seal completes an event that a reader made with what the source, the request and the verdict say. After it the event must
// not be changed.
func (e *Event) Seal(src *Source, req *Request, verdict Verdict) {
	identity := e.Identity
	if e.Quarantine != "" {
		// A quarantined part must not take the id of an event that can be read later from the same bytes.
		identity = append([]Field{{"quarantine", ""}}, identity...)
	}
	e.ID = EventID(src.Provider, src.Name, identity)
	if src.PerAttempt && e.Quarantine == "" {
		e.ID += "-" + strconv.Itoa(e.Attempt)
	}
	e.Provider, e.Source = src.Provider, src.Name
	e.Received = req.ReceivedAt.UTC()
	if e.TimeSource == "" || e.TimeSource == TimeReceived {
		e.Time, e.TimeSource = e.Received, TimeReceived
	}
	e.VerifiedBy, e.KeyID = verdict.Schemes(), verdict.KeyIDs()
	sum := req.BodySHA256()
	e.RawSHA256 = hexText(sum[:])
	e.Window = src.Window
	e.Subject, e.Tenant = plain(e.Subject), plain(e.Tenant)
	e.NativeID, e.Type = plain(e.NativeID), plain(e.Type)
	e.EntityType, e.Action = plain(e.EntityType), plain(e.Action)
	e.PartitionKey = e.partitionKey()
}

// partitionKey is what events must share to be kept in order.
func (e *Event) partitionKey() string { return e.Tenant + "/" + e.EntityType + "/" + e.Subject }

// maxAttribute bounds a text attribute, in bytes. The payload keeps the whole, and so does the identity.
const maxAttribute = 2048

func cut(s string) string {
	if len(s) <= maxAttribute {
		return s
	}
	return strings.ToValidUTF8(s[:maxAttribute], "")
}

// plain keeps what CloudEvents allows in a text attribute: control characters, with which a payload could write into
// the header of a queue, and broken UTF-8 become U+FFFD. Text that is blank is no value.
func plain(s string) string {
	if strings.TrimSpace(s) == "" {
		return ""
	}
	ok := true
	for i := 0; i < len(s) && ok; i++ {
		ok = s[i] >= 0x20 && s[i] < 0x7f
	}
	s = cut(s)
	if ok {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || (r >= 0x7f && r < 0xa0) || (r >= 0xfdd0 && r <= 0xfdef) || r&0xfffe == 0xfffe {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
