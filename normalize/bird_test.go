package normalize_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
)

const birdBody = `{"service":"channels","event":"sms.inbound","payload":{"id":"p","createdAt":"2024-07-01T08:00:01Z"}}`

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestBirdIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stamp, body  string
		ids          []string
		want, native string
		identityTime int64
	}{
		"signed":                      {"1719823259", birdBody, []string{"r"}, "timestamp 1719823259 bodysha256 " + digestOf(birdBody), "r", 1719820801},
		"signed, white space counts":  {"1719823259", " " + birdBody, []string{"r"}, "timestamp 1719823259 bodysha256 " + digestOf(" "+birdBody), "r", 1719820801},
		"signed without a request id": {"1719823259", birdBody, nil, "timestamp 1719823259 bodysha256 " + digestOf(birdBody), "", 1719820801},
		"signed with two":             {"1719823259", birdBody, []string{"r", "r"}, "timestamp 1719823259 bodysha256 " + digestOf(birdBody), "", 1719820801},
		"signed time of 1999":         {"946684799", birdBody, nil, "timestamp 946684799 bodysha256 " + digestOf(birdBody), "", 1719820801},
		"leading zero is signed text": {"01719823259", birdBody, nil, "timestamp 01719823259 bodysha256 " + digestOf(birdBody), "", 1719820801},
		"signed, no time in the body": {"1719823259", `{"a":1}`, nil, "timestamp 1719823259 bodysha256 " + digestOf(`{"a":1}`), "", 1719823259},
		"unsigned":                    {"", birdBody, []string{"r"}, "messagebird-request-id r", "r", 0},
		"unsigned without":            {"", " " + birdBody + "\n", nil, "digest " + digestOf(birdBody), "", 1719820801},
		"unsigned, empty":             {"", birdBody, []string{""}, "digest " + digestOf(birdBody), "", 1719820801},
		"unsigned with two":           {"", birdBody, []string{"r", "r"}, "digest " + digestOf(birdBody), "", 1719820801},
		"unsigned, invalid UTF-8":     {"", birdBody, []string{"r\xff"}, "digest " + digestOf(birdBody), "r\ufffd", 1719820801},
		"unsigned without a time":     {"", `{"a":1}`, nil, "digest " + digestOf(`{"a":1}`), "", 0},
	} {
		req := request(c.body)
		if c.ids != nil {
			req.Header["Messagebird-Request-Id"] = c.ids
		}
		// The time header alone proves nothing: only what the verdict says was signed counts.
		req.Header.Set("messagebird-request-timestamp", "1719999999")
		e := seal(t, "bird", "test", req, signedBy("bird-signature", c.stamp))
		if got := strings.Join(identity(e), " "); got != c.want || e.IdentityTime/1_000_000 != c.identityTime {
			t.Errorf("%s: identity %s at %d, want %s at %d", name, got, e.IdentityTime, c.want, c.identityTime)
		}
		if e.NativeID != c.native {
			t.Errorf("%s: nativeid %q, want %q", name, e.NativeID, c.native)
		}
	}
}

func TestBirdTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ payload, stamp, time, source string }{
		"lastStatusAt first":         {`"createdAt":"2024-07-01T08:00:01Z","updatedAt":"2024-07-01T08:00:02Z","lastStatusAt":"2024-07-01T08:00:03Z"`, "1719823259", "2024-07-01T08:00:03.000Z", hookgate.TimeFromEvent},
		"then updatedAt":             {`"createdAt":"2024-07-01T08:00:01Z","updatedAt":"2024-07-01T08:00:02Z"`, "1719823259", "2024-07-01T08:00:02.000Z", hookgate.TimeFromEvent},
		"then createdAt, cut":        {`"createdAt":"2024-07-01T10:00:01.9999+02:00"`, "1719823259", "2024-07-01T08:00:01.999Z", hookgate.TimeFromEvent},
		"nonsense is passed over":    {`"lastStatusAt":"0001-01-01T00:00:00Z","updatedAt":"","createdAt":"2024-07-01T08:00:01Z"`, "1719823259", "2024-07-01T08:00:01.000Z", hookgate.TimeFromEvent},
		"then the signed time":       {`"createdAt":1719820801`, "1719823259", "2024-07-01T08:40:59.000Z", hookgate.TimeFromEvent},
		"nothing":                    {`"createdAt":null`, "", "2024-07-01T09:00:00.000Z", hookgate.TimeReceived},
		"a signed time out of range": {`"createdAt":null`, "1", "2024-07-01T09:00:00.000Z", hookgate.TimeReceived},
	} {
		e := seal(t, "bird", "test", request(`{"service":"channels","event":"sms.inbound","payload":{`+c.payload+`}}`), signedBy("bird-signature", c.stamp))
		t.Run(name, func(t *testing.T) {
			is(t, e, "time", c.time)
			is(t, e, "timesource", c.source)
		})
	}
}

func TestBirdEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ members, typ, entity, action, subject string }{
		"listed":                       {`"service":"channels","event":"voice.inbound"`, "bird.channels.voice.inbound", "call", "updated", "p"},
		"channel that is not listed":   {`"service":"channels","event":"rcs.outbound"`, "bird.channels.rcs.outbound", "message", "updated", "p"},
		"its interaction":              {`"service":"channels","event":"RCS.interaction"`, "bird.channels.rcs.interaction", "message", "interacted", "m"},
		"* is one segment":             {`"service":"channels","event":"apple.chat.inbound"`, "bird.channels.apple.chat.inbound", "apple", "inbound", "p"},
		"and not an empty one":         {`"service":"channels","event":".inbound"`, "bird.channels..inbound", "", "inbound", "p"},
		"service of another product":   {`"service":"numbers","event":"sms.inbound"`, "bird.numbers.sms.inbound", "sms", "inbound", "p"},
		"unknown event":                {`"service":"payments","event":"Card.Charge.Failed"`, "bird.payments.card.charge.failed", "card", "failed", "p"},
		"unknown event of one segment": {`"service":"payments","event":"refund"`, "bird.payments.refund", "refund", "refund", "p"},
		"no service":                   {`"event":"sms.inbound"`, "bird.unknown", "unknown", "unknown", "p"},
		"no event":                     {`"service":"channels","event":null`, "bird.unknown", "unknown", "unknown", "p"},
	} {
		e := one(t, "bird", `{`+c.members+`,"payload":{"id":"p","messageId":"m","organizationId":"o"}}`)
		t.Run(name, func(t *testing.T) {
			is(t, e, "type", c.typ)
			is(t, e, "entitytype", c.entity)
			is(t, e, "action", c.action)
			is(t, e, "subject", c.subject)
			is(t, e, "tenant", "o")
		})
	}
	is(t, one(t, "bird", `{"service":"a","event":"b","payload":{"organizationId":12}}`), "tenant", "") // only text is one
}

// The tests of the vectors cover the signed pair; here are the headers that no signature covers.
func TestD02_BirdRequestIdIsNotSigned(t *testing.T) {
	t.Parallel()
	read := func(body, id string) string {
		req := request(body)
		req.Header.Set("messagebird-request-id", id)
		return seal(t, "bird", "test", req, signedBy("bird-signature", "1719823259")).ID
	}
	if read(birdBody, "a") != read(birdBody, "b") {
		t.Error("another request id makes the same signed content a new event")
	}
	if read(birdBody, "a") == read(strings.Replace(birdBody, `"p"`, `"q"`, 1), "a") {
		t.Error("other content under a known request id is a duplicate")
	}
}
