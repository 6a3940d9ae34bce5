package normalize_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/normalize"
)

// reading declares a provider that reads like this.
func reading(read hookgate.DeclaredRead) normalize.Options {
	return normalize.Options{Declared: &hookgate.Declaration{Name: "mine", ID: "X-Id", Signed: "{id}.{body}", Read: read}}
}

// readAll is a declaration that says everything one can say.
func readAll() hookgate.DeclaredRead {
	return hookgate.DeclaredRead{
		Event: []string{"type|kind", "header:X-Event"}, ID: []string{"header:X-Id", "data.id", "id"}, NativeID: []string{"header:X-Delivery", "id"},
		Time: []string{"at", "header:X-At"}, Subject: []string{"data.object.id", "data.ref"}, EntityType: []string{"data.object.kind"}, Tenant: []string{"account", "header:X-Account"},
		Form: "payload", Reply: []string{"challenge"},
	}
}

func declaredOne(t testing.TB, o normalize.Options, req *hookgate.Request, v hookgate.Verdict) *hookgate.Event {
	t.Helper()
	return sealed(t, reader(t, "mine", o), "mine", "test", req, v)
}

func TestDeclaredReading(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body    string
		headers []string
		want    map[string]string
	}{
		"all of it": {`{"id":"e1","type":"Order.Created","at":"2024-05-06T07:08:09.1234+02:00","account":7,"data":{"object":{"id":9007199254740993,"kind":"Order"}}}`,
			[]string{"X-Delivery", "d-1"}, map[string]string{
				"type": "mine.order.created", "entitytype": "order", "action": "created", "subject": "9007199254740993", "tenant": "7", "nativeid": "d-1",
				"time": "2024-05-06T05:08:09.123Z", "timesource": "event", "partitionkey": "7/order/9007199254740993", "provider": "mine",
			}},
		"second choices": {`{"id":"e1","kind":"ping","data":{"ref":"r","object":{"id":null}}}`, []string{"X-Event", "made/here/", "X-At", "1714979289", "X-Account", "acme"},
			map[string]string{"type": "mine.ping.made.here", "entitytype": "ping", "action": "here", "subject": "r", "tenant": "acme", "nativeid": "e1", "time": "2024-05-06T07:08:09.000Z"}},
		"nothing":               {`{}`, nil, map[string]string{"type": "mine.unknown", "entitytype": "unknown", "action": "unknown", "timesource": "received"}},
		"seconds":               {`{"at":1714979289}`, nil, map[string]string{"time": "2024-05-06T07:08:09.000Z"}},
		"seconds and fraction":  {`{"at":"1714979289.0125"}`, nil, map[string]string{"time": "2024-05-06T07:08:09.012Z"}},
		"milliseconds":          {`{"at":1714979289042}`, nil, map[string]string{"time": "2024-05-06T07:08:09.042Z"}},
		"no time":               {`{"at":"yesterday"}`, nil, map[string]string{"timesource": "received"}},
		"half a time":           {`{"at":"1714979289.1x"}`, nil, map[string]string{"timesource": "received"}},
		"no number":             {`{"at":-1714979289}`, nil, map[string]string{"timesource": "received"}},
		"blank names":           {`{"type":" ","data":{"object":{"kind":"\t"}}}`, []string{"X-Event", " . / "}, map[string]string{"type": "mine.unknown", "entitytype": "unknown"}},
		"a doubled header":      {`{}`, []string{"X-Event", "a", "X-Event", "b"}, map[string]string{"type": "mine.unknown"}},
		"a header of two words": {`{}`, []string{"X-Event", "Two Words"}, map[string]string{"type": "mine.two words"}},
		"a header with delete":  {`{}`, []string{"X-Event", "a\x7f"}, map[string]string{"type": "mine.unknown"}},
		"nines in a fraction":   {`{"at":1714979289.999}`, nil, map[string]string{"time": "2024-05-06T07:08:09.999Z"}},
		"a header beyond ASCII": {`{}`, []string{"X-Event", "caf\u00e9"}, map[string]string{"type": "mine.unknown"}},
		"values that are none":  {`{"type":{"a":1},"account":[1],"data":{"object":{"id":true}}}`, nil, map[string]string{"type": "mine.unknown"}},
		"other names":           {`{"Type":"a","TYPE":"b","data":{"Object":{"id":1}}}`, nil, map[string]string{"type": "mine.unknown"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			req := request(c.body)
			for i := 0; i < len(c.headers); i += 2 {
				req.Header.Add(c.headers[i], c.headers[i+1])
			}
			e := declaredOne(t, reading(readAll()), req, nil)
			for attribute, want := range c.want {
				is(t, e, attribute, want)
			}
			for _, attribute := range []string{"subject", "tenant", "nativeid"} {
				if c.want["provider"] == "" && c.want[attribute] == "" {
					is(t, e, attribute, "")
				}
			}
			if string(e.Data) != c.body || e.ContentType != hookgate.JSON || e.Attempt != 1 || e.Quarantine != "" {
				t.Errorf("%+v", e)
			}
		})
	}
}

// What the signature does not cover never decides whether an event is new.
func TestD02_DeclaredIdentity(t *testing.T) {
	t.Parallel()
	vouched := func(id string) hookgate.Verdict { return hookgate.Verdict{{Scheme: "hmac", SignedID: id}} }
	with := func(body string, headers ...string) *hookgate.Request {
		req := request(body)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Add(headers[i], headers[i+1])
		}
		return req
	}
	o := reading(readAll())
	for name, c := range map[string]struct {
		a, b   *hookgate.Request
		va, vb hookgate.Verdict
		same   bool
	}{
		"same body, another delivery header":          {with(`{"x":1}`, "X-Delivery", "1"), with(`{"x":1}`, "X-Delivery", "2"), nil, nil, true},
		"same body, another unsigned id":              {with(`{"x":1}`, "X-Id", "1"), with(`{"x":1}`, "X-Id", "2"), nil, nil, true},
		"same body, another event header":             {with(`{"x":1}`, "X-Event", "a"), with(`{"x":1}`, "X-Event", "b"), nil, nil, true},
		"same body, another time header":              {with(`{"x":1}`, "X-At", "1714979289"), with(`{"x":1}`, "X-At", "1714979290"), nil, nil, true},
		"same body, header not the one vouched for":   {with(`{"x":1}`, "X-Id", "1"), with(`{"x":1}`, "X-Id", "2"), vouched("3"), vouched("4"), true},
		"same unsigned id, another body":              {with(`{"x":1}`, "X-Id", "1"), with(`{"x":2}`, "X-Id", "1"), nil, nil, false},
		"same signed id":                              {with(`{"x":1}`, "X-Id", "1"), with(`{"x":2}`, "X-Id", "1"), vouched("1"), vouched("1"), true},
		"another signed id":                           {with(`{"x":1}`, "X-Id", "1"), with(`{"x":1}`, "X-Id", "2"), vouched("1"), vouched("2"), false},
		"same id in the body":                         {with(`{"id":1,"x":1}`), with(`{"x":2,"id":"1"}`, "X-Id", "9"), nil, nil, true},
		"another id in the body":                      {with(`{"id":1}`), with(`{"id":2}`), nil, nil, false},
		"the first id counts":                         {with(`{"id":1,"data":{"id":5}}`), with(`{"id":2,"data":{"id":5}}`), nil, nil, true},
		"D03 no id, other content":                    {with(`{"x":1}`), with(`{"x":2}`), nil, nil, false},
		"D03 null and empty are missing":              {with(`{"id":null,"x":1}`), with(`{"id":null,"x":2}`), nil, nil, false},
		"B08 two ids that decode alike are not alike": {with("{\"id\":\"a\xff\"}"), with("{\"id\":\"a\xfe\"}"), nil, nil, false},
		"B07 2^53 and 2^53+1":                         {with(`{"id":9007199254740992}`), with(`{"id":9007199254740993}`), nil, nil, false},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			a, b := declaredOne(t, o, c.a, c.va), declaredOne(t, o, c.b, c.vb)
			if (a.ID == b.ID) != c.same {
				t.Errorf("%v and %v: one event is %v, want %v", identity(a), identity(b), a.ID == b.ID, c.same)
			}
			if c.same && a.IdentityTime != b.IdentityTime {
				t.Errorf("two copies have the times %d and %d", a.IdentityTime, b.IdentityTime)
			}
		})
	}
}

func TestDeclaredForms(t *testing.T) {
	t.Parallel()
	o := reading(readAll())
	const object = `{"type":"a.b","id":"é+&="}`
	form := "token=x&payload=" + url.QueryEscape(object) + "&more=%25"
	e := declaredOne(t, o, request(form), nil)
	if string(e.Data) != object || e.Quarantine != "" {
		t.Errorf("data %q, %s", e.Data, e.Quarantine)
	}
	is(t, e, "type", "mine.a.b")
	if plain := declaredOne(t, o, request(object), nil); plain.ID != e.ID {
		t.Error("the same object in a form and without one are two events")
	}
	for body, reason := range map[string]string{
		"token=x&text=y":            "the form has no field of the name that is read",
		"payload=%7B%7D&payload=":   "the form names the field that is read twice",
		"payload=%7":                "the form has a broken percent escape",
		"payload=[]":                "the body is no JSON object",
		"payload=":                  "byte 0: the body ends where a value is expected",
		"":                          "the form has no field of the name that is read",
		"[{}]":                      "the form has no field of the name that is read",
		`{"id":"a","id":"b"}`:       "byte 10: a member name is repeated",
		"payload=%7B%22a%22%3A1%7D": "",
		" \n{}":                     "",
	} {
		if e := declaredOne(t, o, request(body), nil); e.Quarantine != reason {
			t.Errorf("%q: %q, want %q", body, e.Quarantine, reason)
		}
	}
	if e := declaredOne(t, reading(hookgate.DeclaredRead{}), request(form), nil); e.Quarantine == "" {
		t.Error("a form is read where none is declared")
	}
}

func TestDeclaredReply(t *testing.T) {
	t.Parallel()
	r := reader(t, "mine", reading(readAll())).(hookgate.Replier)
	for body, want := range map[string]string{`{"challenge":"abc<1>"}`: "abc<1>", `{"challenge":{"a":1}}`: "", `{}`: "", `x`: "", "payload=%7B%22challenge%22%3A%22c%22%7D": "c"} {
		if contentType, got := r.Reply(request(body)); string(got) != want || got != nil && contentType != "text/plain; charset=utf-8" {
			t.Errorf("%s is answered %q as %q", body, got, contentType)
		}
	}
	if _, body := reader(t, "mine", reading(hookgate.DeclaredRead{})).(hookgate.Replier).Reply(request(`{"challenge":"a"}`)); len(body) > 0 {
		t.Errorf("answered %q without being told so", body)
	}
}

func TestDeclaredReadsThatDoNotLoad(t *testing.T) {
	t.Parallel()
	type r = hookgate.DeclaredRead
	for name, c := range map[string]struct {
		read  r
		field string
		says  string
	}{
		"unsigned header":  {r{ID: []string{"id", "header:X-Delivery"}}, "read.id[1]", "does not cover this header"},
		"empty path":       {r{Subject: []string{""}}, "read.subject[0]", "not a path"},
		"empty segment":    {r{Tenant: []string{"a..b"}}, "read.tenant[0]", "not a path"},
		"index":            {r{Time: []string{"a[0].b"}}, "read.time[0]", "not a path"},
		"bar elsewhere":    {r{Time: []string{"a|b"}}, "read.time[0]", "not a path"},
		"empty choice":     {r{Event: []string{"a|"}}, "read.event[0]", "not a path"},
		"no header's name": {r{NativeID: []string{"header:"}}, "read.native_id[0]", "not the name of a header"},
		"header with dot":  {r{EntityType: []string{"header:a.b"}}, "read.entitytype[0]", "not the name of a header"},
		"reply by header":  {r{Reply: []string{"header:X-Id"}}, "read.reply[0]", "from what is signed"},
		"too many":         {r{Subject: slices.Repeat([]string{"a"}, 17)}, "read.subject", "17 places, and at most 16"},
		"too many parts":   {r{Event: slices.Repeat([]string{"a"}, 17)}, "read.event", "17 places, and at most 16"},
		"too long":         {r{ID: []string{strings.Repeat("a", 257)}}, "read.id[0]", "too long"},
		"long form":        {r{Form: strings.Repeat("a", 257)}, "read.form", "too long"},
		"window":           {r{Window: 366*24*time.Hour + 1}, "read.window", "longer than a year"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			o := reading(c.read)
			err := normalize.CheckDeclaration(*o.Declared)
			var problems hookgate.Problems
			if !errors.As(err, &problems) || !slices.ContainsFunc(problems, func(p hookgate.Problem) bool { return p.Field == c.field && strings.Contains(p.Error(), c.says) }) {
				t.Errorf("problems %v, want field %q with %q", err, c.field, c.says)
			}
			if reader, err := normalize.New("mine", o); err == nil {
				t.Errorf("and still there is a reader: %v", reader)
			}
		})
	}
	atLimits := r{
		Event: slices.Repeat([]string{"a"}, 16), Subject: slices.Repeat([]string{strings.Repeat("a", 256)}, 16), NativeID: []string{"header:azAZ09-_"},
		Form: strings.Repeat("a", 256), Window: 366 * 24 * time.Hour,
	}
	for _, read := range []r{readAll(), atLimits} {
		if err := normalize.CheckDeclaration(*reading(read).Declared); err != nil {
			t.Error(err)
		}
	}
	unsigned := reading(readAll()).Declared
	unsigned.ID = ""
	if err := normalize.CheckDeclaration(*unsigned); err == nil {
		t.Error("the id of a header that is not signed is taken")
	}
}

// The Content-Type decides nothing, nor does the event option where the body names its event.
func TestDeclaredOptions(t *testing.T) {
	t.Parallel()
	o := reading(readAll())
	o.Event = "Order.Made"
	is(t, declaredOne(t, o, request(`{}`), nil), "type", "mine.order.made")
	is(t, declaredOne(t, o, request(`{"type":"x"}`), nil), "type", "mine.x")
	req := request(`{"type":"x"}`)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	is(t, declaredOne(t, o, req, nil), "type", "mine.x")
}

// FuzzDeclared: any body and any header gives exactly one event that can be sealed and written, or a quarantined one; the
// same again for the same input; and a header that no signature covers never changes its id.
func FuzzDeclared(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"id":"e1","type":"Order.Created","at":1714979289,"data":{"object":{"id":1}}}`, `{"at":"1714979289.1"}`, `{"type":"/a//b/.","id":"\ud800"}`, "payload=%7B%7D", "payload={\"id\":1}&payload=2",
		"{\"id\":\"a\xff\"}", `{"challenge":"x"}`, "", "[", `{"at":"9999-12-31T23:59:59Z"}`,
	} {
		f.Add([]byte(body), "push", "id-1", "1714979289", "")
		f.Add([]byte(body), "", "", "", "id-1")
	}
	o := reading(readAll())
	f.Fuzz(func(t *testing.T, body []byte, event, id, at, signed string) {
		r := reader(t, "mine", o)
		read := func(headers http.Header) *hookgate.Event {
			req := &hookgate.Request{Method: http.MethodPost, Header: headers, Body: body, ReceivedAt: receivedAt}
			verdict := hookgate.Verdict{{Scheme: "hmac", SignedID: signed}}
			if _, reply := r.(hookgate.Replier).Reply(req); len(reply) > 0 && len(reply) > 3*len(body) {
				t.Fatalf("%d bytes are answered to %d", len(reply), len(body))
			}
			return sealed(t, r, "mine", "test", req, verdict)
		}
		headers := http.Header{"X-Event": {event}, "X-Id": {id}, "X-At": {at}}
		e, again := read(headers), read(headers)
		if e.ID != again.ID || len(e.Identity) == 0 || e.Identity[0].Value == "" || e.Attempt != 1 {
			t.Fatalf("%+v, then %+v", e, again)
		}
		other := read(http.Header{"X-Event": {event + "x"}, "X-Id": {id + "x"}, "X-At": {at + "1"}, "X-Delivery": {"new"}})
		covered := signed != "" && (id == signed || id+"x" == signed)
		if !covered && (other.ID != e.ID || other.IdentityTime != e.IdentityTime) {
			t.Fatalf("an unsigned header makes a new event: %v, %v", identity(e), identity(other))
		}
		if e.Quarantine != "" {
			if !bytes.Equal(e.Data, body) {
				t.Fatalf("quarantined without the body: %q", e.Data)
			}
			return
		}
		if e.Data[0] != '{' || !strings.HasPrefix(e.Type, "mine.") || e.EntityType == "" || e.Time.Year() < 2000 || e.Time.Year() > 9999 {
			t.Fatalf("type %q, entity type %q, time %v, data %q", e.Type, e.EntityType, e.Time, e.Data)
		}
		if back, err := hookgate.ParseStored(e.AppendStored(nil, false), e.Received, e.Data); err != nil || !bytes.Equal(back.AppendEnvelope(nil), e.AppendEnvelope(nil)) {
			t.Fatalf("stored and read again: %v", err)
		}
	})
}
