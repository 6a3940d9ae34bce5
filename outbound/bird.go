package outbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/hookgate/hookgate"
)

// The headers of a delivery; the signer adds the signature. The names are on the provider's page about verifying a
// subscription, their case and the content type are ours.
const (
	birdRequestID   = "Messagebird-Request-Id"
	birdRequestTime = "Messagebird-Request-Timestamp"
	birdSignature   = "Messagebird-Signature"
)

// birdOrganization is whose event it is when nobody says so: an organization of our own making.
const birdOrganization = "5f0f6d0a-6c1e-4a57-9d3e-2b8c71a4e0d6"

// birdFailures is how long a failed delivery stays in the logs (the provider's page says so).
const birdFailures = 7 * 24 * time.Hour

// birdSettings is what only a subscription of Bird has. The last three are ours, and only the plain API sets them.
type birdSettings struct {
	Organization string       `json:"organization,omitempty"`
	Workspace    string       `json:"workspace,omitempty"`
	Filters      []birdFilter `json:"filters,omitempty"`
	Template     string       `json:"template,omitempty"` // carried, never interpreted: its meaning is not documented
	AnyURL       bool         `json:"any_url,omitempty"`  // http and hosts without a domain, for tests and private use
	// AnyEvent takes several events, and events and filter keys that the provider's pages do not list.
	AnyEvent bool `json:"any_event,omitempty"`
	// EchoKey shows the signingKey in every answer, as the provider's pages print it, and not on creation alone.
	EchoKey bool `json:"echo_key,omitempty"`
}

type birdFilter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// bird is the Notifications API of Bird, formerly MessageBird. That a retry repeats the first timestamp and signature was
// seen by three receivers; time-out, header case and the exact schedule are ours.
func bird() provider {
	return provider{
		timeout:      10 * time.Second,
		retries:      birdRetries(),
		success:      func(status int) bool { return status >= 200 && status <= 299 },
		schemes:      []string{"bird-signature", "none"},
		frozen:       true,
		lowerHeaders: true,
		events:       birdEvents(),
		sample:       birdSample,
		complete:     birdComplete,
		check:        birdCheck,
		newID:        uuid.NewString,
		admit:        birdAdmit,
		match:        birdMatch,
		among:        birdAmong,
		write:        birdWrite,
		keep: func(_ *Subscription, state State) time.Duration {
			if state == Failed {
				return birdFailures
			}
			return 0
		},
		routes: birdRoutes,
	}
}

// birdRetries are the waits of a delivery. The page says "at increasing intervals, for a period of 8 hours"; the steps are
// ours, and lead to 37 requests.
func birdRetries() []time.Duration {
	waits := []time.Duration{
		10 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute,
	}
	var total time.Duration
	for _, wait := range waits {
		total += wait
	}
	for total += 15 * time.Minute; total <= 8*time.Hour; total += 15 * time.Minute {
		waits = append(waits, 15*time.Minute)
	}
	return waits
}

// birdComplete gives a triggered event its organization and its payload an id, and refuses what could not be written.
func birdComplete(e *Event, now time.Time) error {
	service, event, found := strings.Cut(e.Type, ".")
	if !found || service == "" || event == "" || !utf8.ValidString(e.Type) {
		return birdProblem("type", "write <service>.<event>, such as channels.sms.inbound", "%q is not an event", e.Type)
	}
	if len(bytes.TrimSpace(e.Payload)) == 0 {
		e.Payload = json.RawMessage("{}")
	}
	if !utf8.Valid(e.Payload) {
		return birdProblem("payload", "send JSON, which is always UTF-8", "is not UTF-8")
	}
	var payload map[string]json.RawMessage
	if err := json.Unmarshal(e.Payload, &payload); err != nil || payload == nil {
		return birdProblem("payload", "send what stands under payload in the body, without service and event", "is not a JSON object")
	}
	if id, ok := birdValue(payload["id"]); ok {
		if e.ID == "" {
			e.ID = id
		}
	} else {
		if e.ID == "" {
			e.ID = uuid.NewString()
		}
		payload["id"], _ = json.Marshal(e.ID)
		e.Payload = birdFirst("id", payload["id"], e.Payload, len(payload) > 1)
	}
	if e.Account == "" {
		e.Account = birdOrganization
		if organization, ok := birdValue(payload["organizationId"]); ok {
			e.Account = organization
		}
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	return nil
}

func birdProblem(field, hint, format string, args ...any) error {
	var ps hookgate.Problems
	ps.Add(field, hint, format, args...)
	return ps
}

// birdFirst writes a member in front of those that an object has; an older null or empty one of its name goes.
func birdFirst(name string, value, object json.RawMessage, others bool) json.RawMessage {
	var kept bytes.Buffer
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			break
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			break
		}
		if key != name {
			text, _ := json.Marshal(key)
			kept.WriteByte(',')
			kept.Write(text)
			kept.WriteByte(':')
			kept.Write(v)
		}
	}
	first, _ := json.Marshal(name)
	out := slices.Concat([]byte("{"), first, []byte(":"), value)
	if others {
		out = append(out, kept.Bytes()...)
	}
	return append(out, '}')
}

// birdWrite makes {"service","event","payload"} in that order (the provider's pages). The time is that of the first attempt
// in every one of them; where the delivery is signed, the signer writes the same.
func birdWrite(_ *Subscription, d *Delivery, _ int) (http.Header, []byte, error) {
	if len(d.Events) != 1 {
		return nil, nil, errors.New("a delivery of Bird holds exactly one event, not " + strconv.Itoa(len(d.Events)))
	}
	e := d.Events[0]
	service, event, _ := strings.Cut(e.Type, ".")
	body, err := json.Marshal(struct {
		Service string          `json:"service"`
		Event   string          `json:"event"`
		Payload json.RawMessage `json:"payload"`
	}{service, event, e.Payload})
	if err != nil {
		return nil, nil, errors.New("the payload of " + e.Type + " is not JSON: " + err.Error())
	}
	first := d.FirstAttempt
	if first.IsZero() {
		first = d.Created
	}
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set(birdRequestID, d.ID)
	header.Set(birdRequestTime, strconv.FormatInt(first.Unix(), 10))
	return header, birdText(body), nil
}
