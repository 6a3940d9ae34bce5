package normalize

import (
	"bytes"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/hookgate/hookgate"
)

// declared reads the deliveries of a provider that is a declaration: one JSON object a request, or one in a field of a form.
type declared struct {
	name  string
	event string // of a body that names none
	idIn  string // the header whose value the scheme signs; empty where it signs none
	read  declaredPlaces
}

var _ hookgate.Replier = declared{}

func newDeclared(name string, o Options) (hookgate.Reader, error) {
	read, problems := compileRead(o.Declared)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return declared{name: name, event: o.Event, idIn: http.CanonicalHeaderKey(o.Declared.ID), read: read}, nil
}

// Normalize gives the one event of the request. What identifies it is in the body, or in the header whose value the scheme
// vouches for; any other header can be changed by whoever sends a copy, and so names no more than type, account and the like.
func (r declared) Normalize(req *hookgate.Request, verdict hookgate.Verdict) []*hookgate.Event {
	root, err := r.root(req.Body)
	if err != nil {
		return quarantine(req.Body, err)
	}
	at := delivery{req.Header, root}
	e := &hookgate.Event{
		Tenant: at.text(r.read.tenant), NativeID: at.text(r.read.nativeID), Subject: at.text(r.read.subject),
		Attempt: 1, ContentType: hookgate.JSON, Data: root.raw,
	}
	t, inBody, ok := at.time(r.read.time)
	setTime(e, t, ok)
	if id, ok := r.id(at, verdict); ok {
		e.Identity = []hookgate.Field{{Name: "id", Value: id}} // no time follows from it: copies need not have one body
	} else {
		digestIdentity(e)
		if !inBody {
			e.IdentityTime = 0 // a copy may come with another header
		}
	}
	r.classify(e, at)
	return []*hookgate.Event{e}
}

// Reply gives back the text by which a provider tests the address, where the declaration says so.
func (r declared) Reply(req *hookgate.Request) (contentType string, body []byte) {
	if len(r.read.reply) == 0 {
		return "", nil
	}
	root, err := r.root(req.Body)
	if err != nil {
		return "", nil
	}
	if text := (delivery{nil, root}).text(r.read.reply); text != "" {
		return "text/plain; charset=utf-8", []byte(text)
	}
	return "", nil
}

// root finds the object of the body. A form is told by its shape, as no Content-Type is trusted.
func (r declared) root(body []byte) (value, error) {
	if first := bytes.TrimLeft(body, " \t\r\n"); r.read.form == "" || len(first) > 0 && first[0] == '{' {
		return readObject(body)
	}
	text, err := formField(body, r.read.form)
	if err != nil {
		return value{}, err
	}
	return readObject(text)
}

// id is the first of the declared ids that is there. One that had to be mended in decoding, or stands in a header that the
// signature of this delivery did not cover, identifies nothing.
func (r declared) id(at delivery, verdict hookgate.Verdict) (string, bool) {
	for _, p := range r.read.id {
		if p.header != "" {
			if id := at.header(p.header); id != "" && p.header == r.idIn && id == verdict.SignedID() {
				return id, true
			}
			continue
		}
		v := at.body.at(p.path)
		if id := v.text(); id != "" {
			return id, v.clean()
		}
	}
	return "", false
}

// classify names the event by the rule for events that the taxonomy does not have.
func (r declared) classify(e *hookgate.Event, at delivery) {
	var names []string
	for _, alternatives := range r.read.event {
		// orders/create is a name of two segments as well.
		part := strings.ReplaceAll(at.text(alternatives), "/", ".")
		if part = strings.TrimFunc(part, func(r rune) bool { return r == '.' || unicode.IsSpace(r) }); part != "" {
			names = append(names, part)
		}
	}
	native := strings.Join(names, ".")
	if native == "" {
		native = r.event
	}
	e.Type = typeName(r.name, native)
	k := unlisted(native, "")
	e.EntityType, e.Action = k.entity, k.action
	if entity := strings.TrimSpace(at.text(r.read.entityType)); entity != "" {
		e.EntityType = strings.ToLower(entity)
	}
}

// delivery is where places are looked for.
type delivery struct {
	headers http.Header
	body    value
}

// text is the first value that is there.
func (d delivery) text(places []place) string {
	for _, p := range places {
		if t := d.at(p); t != "" {
			return t
		}
	}
	return ""
}

func (d delivery) at(p place) string {
	if p.header != "" {
		return d.header(p.header)
	}
	return d.body.at(p.path).text()
}

// header is a value of plain ASCII that is there once.
func (d delivery) header(name string) string {
	values := d.headers[name]
	if len(values) != 1 || strings.ContainsFunc(values[0], func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return ""
	}
	return values[0]
}

// time is the first of the places that holds a time, and whether that is the body.
func (d delivery) time(places []place) (t time.Time, inBody, ok bool) {
	for _, p := range places {
		if t, ok := anyTime(d.at(p)); ok {
			return t, p.header == "", true
		}
	}
	return time.Time{}, false, false
}

// anyTime reads RFC 3339, or Unix seconds, with or without a fraction, or milliseconds: no number is a time in this
// millennium as both.
func anyTime(text string) (time.Time, bool) {
	if t, ok := rfc3339(text); ok {
		return t, true
	}
	if t, ok := epochMillis(text); ok {
		return t, true
	}
	whole, fraction, _ := strings.Cut(text, ".")
	t, ok := epochSeconds(whole)
	if !ok || strings.ContainsFunc(fraction, func(r rune) bool { return r < '0' || r > '9' }) {
		return time.Time{}, false
	}
	millis, _ := number((fraction + "000")[:3])
	return t.Add(time.Duration(millis) * time.Millisecond), true
}
