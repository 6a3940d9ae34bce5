package outbound

import (
	"bytes"
	crand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/hookgate/hookgate"
)

// sprinklr sends one event a request as a JSON object and counts nothing but 200 within 10 s as success (its pages say
// so). A failed request passes through three queues with one try each; the waits between them are not documented, so that
// they are ours, and a subscription may override them. Nothing is ever deactivated by itself.
func sprinklr() provider {
	return provider{
		timeout: 10 * time.Second,
		retries: []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute},
		success: func(status int) bool { return status == http.StatusOK },
		schemes: []string{"hub-signature", "basic", "bearer", "none"},

		events:   sprinklrNatives(),
		sample:   sprinklrSample,
		entities: true, // the id alone tells them apart

		complete: sprinklrComplete,
		newID:    func() string { return sprinklrNewID(time.Now()) },
		check:    sprinklrCheck,
		admit:    sprinklrAdmit,
		test:     sprinklrVerify,
		match:    sprinklrMatch,
		write:    sprinklrWrite,
		routes:   sprinklrRoutes,
	}
}

// sprinklrSettings are what only Sprinklr's subscriptions have.
type sprinklrSettings struct {
	Description string             `json:"description,omitempty"`
	Filters     []sprinklrFiltered `json:"filters,omitempty"`

	// Verified is true once the URL has answered the verification call. VerifiedURL is the one that did: another is not
	// verified by it. It may be left out by who sets Verified himself.
	Verified    bool   `json:"verified,omitempty"`
	VerifiedURL string `json:"verified_url,omitempty"`
	// VerificationError is why the last verification call failed; the documented answer is a bare false.
	VerificationError string `json:"verification_error,omitempty"`
	// SignVerification makes the verification call prove itself as a delivery does. Whether the provider's does is not
	// documented; true unless set.
	SignVerification *bool `json:"sign_verification,omitempty"`
}

// verified reports whether url may be activated.
func (st *sprinklrSettings) verified(url string) bool {
	return st.Verified && (st.VerifiedURL == "" || st.VerifiedURL == url)
}

// sprinklrObjectID is an id in the form of a Mongo ObjectId: the second of at, then random bytes.
func sprinklrObjectID(at time.Time, random [8]byte) string {
	id := binary.BigEndian.AppendUint32(nil, uint32(at.Unix())) // it wraps in 2106, as the provider's must
	return hex.EncodeToString(append(id, random[:]...))
}

// sprinklrNewID makes up an id that is not used yet.
func sprinklrNewID(at time.Time) string {
	var random [8]byte
	_, _ = crand.Read(random[:]) // it never fails
	return sprinklrObjectID(at, random)
}

// sprinklrComplete turns a constant of the management API into the type on the wire, and makes up id and time. The first
// four bytes of the provider's ids are the second of the event.
func sprinklrComplete(e *Event, now time.Time) error {
	var ps hookgate.Problems
	event, ok := sprinklrFind(e.Type)
	if !ok {
		ps.Add("type", "use one such as case.create or CASE_CREATED", "Sprinklr has no event %q", e.Type)
	} else {
		e.Type = event.wire
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	switch {
	case e.ID == "":
		e.ID = sprinklrNewID(e.Time)
	case len(e.ID) > 256 || !utf8.ValidString(e.ID):
		ps.Add("id", "shorten it, or leave it out to have one made up", "it is not UTF-8 of at most 256 bytes")
	}
	payload := bytes.TrimSpace(e.Payload)
	switch {
	case len(payload) == 0:
		ps.Add("payload", "give what the provider's page of this event shows, or ask for a sample", "it is missing")
	case !json.Valid(payload) || !utf8.Valid(payload):
		ps.Add("payload", "write an object or a text", "it is not JSON in UTF-8")
	case payload[0] != '{' && payload[0] != '"':
		ps.Add("payload", "write an object or a text", "Sprinklr sends nothing else")
	}
	return ps.Err()
}

// sprinklrWrite makes the body: compact JSON in the order of members that the replay API shows, raw UTF-8, nothing escaped
// that need not be, numbers with the digits that they were given. It is the same for every attempt, as no attempt number
// is sent. No header but Content-Type is known of.
func sprinklrWrite(s *Subscription, d *Delivery, _ int) (http.Header, []byte, error) {
	if len(d.Events) != 1 {
		return nil, nil, fmt.Errorf("sprinklr sends one event a request, and this delivery has %d", len(d.Events))
	}
	body, err := sprinklrBody(s.ID, &d.Events[0])
	if err != nil {
		return nil, nil, err
	}
	return http.Header{"Content-Type": {"application/json"}}, body, nil
}

func sprinklrBody(subscription string, e *Event) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(e.Payload) + 200)
	b.WriteString(`{"id":`)
	sprinklrText(&b, e.ID)
	b.WriteString(`,"type":`)
	sprinklrText(&b, e.Type)
	b.WriteString(`,"payload":`)
	if err := json.Compact(&b, e.Payload); err != nil {
		return nil, errors.New("the payload of a stored event is not JSON")
	}
	b.WriteString(`,"eventTime":`)
	b.WriteString(strconv.FormatInt(e.Time.UnixMilli(), 10))
	b.WriteString(`,"subscriptionDetails":{"subscriptionId":`)
	sprinklrText(&b, subscription)
	b.WriteString(`}}`)
	return b.Bytes(), nil
}

// sprinklrText writes a JSON text without the escapes for HTML that Go adds by itself.
func sprinklrText(b *bytes.Buffer, text string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text and a buffer: neither can fail
	b.Truncate(b.Len() - 1)
}
