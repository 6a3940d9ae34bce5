package normalize_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/normalize"
)

// jsonProviders are those whose request is one JSON object and one event.
var jsonProviders = []string{"sprinklr", "salesiq", "bird"}

func TestUnreadableBodiesAreQuarantined(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	for name, c := range map[string]struct{ body, reason string }{
		"B03 repeated name":           {`{"id":"a","id":"b"}`, "byte 10: a member name is repeated"},
		"B03 repeated by an escape":   {`{"type":"a","\u0074ype":"b"}`, "byte 12: a member name is repeated"},
		"B03 repeated deep inside":    {`{"payload":{"a":[{"x":1,"x":1}]}}`, "byte 24: a member name is repeated"},
		"B05 truncated":               {`{"id":"a","type":"ca`, "byte 20: the body ends inside a string"},
		"B05 trailing bytes":          {`{"id":"a"}x`, "byte 10: something follows the JSON value"},
		"B05 two values":              {`{"id":"a"}{"id":"b"}`, "byte 10: something follows the JSON value"},
		"B05 byte order mark":         {"\ufeff{}", "byte 0: no JSON value starts like this"},
		"B06 65 levels":               {deep(65), "byte 68: nested deeper than 64"},
		"B06 a million levels":        {deep(1_000_000), "byte 68: nested deeper than 64"},
		"B13 XML":                     {`<Event Name="x"/>`, "byte 0: no JSON value starts like this"},
		"B13 a form":                  {`data=%7B%7D`, "byte 0: no JSON value starts like this"},
		"a list":                      {`[{"id":"a"}]`, "the body is no JSON object"},
		"text":                        {`"{}"`, "the body is no JSON object"},
		"a number":                    {` 1 `, "the body is no JSON object"},
		"null":                        {`null`, "the body is no JSON object"},
		"empty":                       {``, "byte 0: the body ends where a value is expected"},
		"white space":                 {" \n", "byte 2: the body ends where a value is expected"},
		"the reason repeats no bytes": {`{"card":4111111111111111x}`, "byte 24: expected a comma or the end of the object"},
	} {
		for _, provider := range jsonProviders {
			e := one(t, provider, c.body)
			if e.Quarantine != c.reason || string(e.Data) != c.body || e.Identity[0].Name != "digest" || e.IdentityTime != 0 {
				t.Errorf("%s, %s: %q, identity %v", provider, name, e.Quarantine, identity(e))
			}
		}
	}
}

func TestReadableAtTheLimits(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"B06 64 levels":       `{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`,
		"B04 names by case":   `{"id":1,"ID":2,"Id":3}`,
		"B07 large numbers":   `{"a":[1e400,-0,9007199254740993,1.0,1E-4,161.0]}`,
		"B08 invalid UTF-8":   "{\"a\":\"\xff\"}",
		"B08 half a pair":     `{"a":"\ud800"}`,
		"empty but not exact": `{ }`,
		"HTML characters":     `{"a":"<&>/\u003c"}`,
	} {
		for _, provider := range jsonProviders {
			e := one(t, provider, " "+body+"\r\n")
			if e.Quarantine != "" || string(e.Data) != body || e.ContentType != hookgate.JSON {
				t.Errorf("%s, %s: %q, data %q, %s", provider, name, e.Quarantine, e.Data, e.ContentType)
			}
			is(t, e, "type", provider+".unknown")
			is(t, e, "attempt", "1")
		}
	}
}

// The Content-Type decides nothing: the shape of the body does.
func TestB13_ContentTypeIsNotRead(t *testing.T) {
	t.Parallel()
	for _, provider := range jsonProviders {
		want := one(t, provider, benchBodies[provider])
		for _, contentType := range []string{"", "text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
			req := request(benchBodies[provider])
			req.Header.Set("Content-Type", contentType)
			if got := seal(t, provider, "test", req, signedBy("none", "")); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %q changes the event", provider, contentType)
			}
		}
	}
}

// total checks what must hold for every body: exactly one event with an identity and data, the same at every reading,
// that can be sealed and written, and a request that is left as it was.
func total(t *testing.T, provider string, body []byte, stamp, id string) {
	t.Helper()
	r := reader(t, provider, normalize.Options{})
	req := request(string(body))
	if id != "" {
		req.Header.Set("messagebird-request-id", id)
	}
	verdict := signedBy("x", stamp)
	e := sealed(t, r, provider, "test", req, verdict)
	switch {
	case len(e.Identity) == 0:
		t.Fatal("no identity")
	case len(e.Data) == 0 && len(body) > 0:
		t.Fatal("no data")
	case !bytes.Contains(body, e.Data):
		t.Fatalf("data %q is no part of the body", e.Data)
	case e.Attempt < 1:
		t.Fatalf("attempt %d", e.Attempt)
	case e.IdentityTime != 0 && (e.IdentityTime < 946684800_000000 || e.IdentityTime > 253402300799_999999):
		t.Fatalf("identity time %d", e.IdentityTime)
	case e.Time.Year() < 2000 || e.Time.Year() > 9999 || e.Time.Nanosecond()%1_000_000 != 0:
		t.Fatalf("time %v", e.Time)
	}
	for _, f := range e.Identity {
		if f.Name == "" || f.Value == "" {
			t.Fatalf("identity %v", identity(e))
		}
	}
	if e.Quarantine == "" {
		if !strings.HasPrefix(e.Type, provider+".") || e.Data[0] != '{' || e.Data[len(e.Data)-1] != '}' {
			t.Fatalf("type %q, data %q", e.Type, e.Data)
		}
		if back, err := hookgate.ParseStored(e.AppendStored(nil, false), e.Received, e.Data); err != nil || !bytes.Equal(back.AppendEnvelope(nil), e.AppendEnvelope(nil)) {
			t.Fatalf("stored and read back: %v", err)
		}
	}
	if !bytes.Equal(req.Body, body) {
		t.Fatal("the body was changed")
	}
	if again := sealed(t, r, provider, "test", req, verdict); !reflect.DeepEqual(again, e) {
		t.Fatalf("read again it is another event: %+v, %+v", e, again)
	}
}

func FuzzSprinklr(f *testing.F) {
	for _, c := range pairs {
		f.Add([]byte(c.a))
	}
	f.Add([]byte(benchBodies["sprinklr"]))
	f.Add([]byte(`{"data":{"id":"6650a2b0c3d4e5f607182931","type":"case.create","payload":"1","eventTime":"1716560560020","subscriptionDetails":{"subscriptionId":"s"}}}`))
	f.Add([]byte(`{"type":"","data":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) { total(t, "sprinklr", body, "", "") })
}

func FuzzSalesiq(f *testing.F) {
	for _, c := range pairs {
		f.Add([]byte(c.a))
	}
	f.Add([]byte(benchBodies["salesiq"]))
	f.Add([]byte(salesiqBody))
	f.Fuzz(func(t *testing.T, body []byte) { total(t, "salesiq", body, "", "") })
}

func FuzzBird(f *testing.F) {
	f.Add([]byte(benchBodies["bird"]), "1719823259", "7f6b1f0a-0000-4000-8000-000000000001")
	f.Add([]byte(birdBody), "", "")
	f.Add([]byte(birdBody), "", "r\xff")
	f.Add([]byte(`{"service":".","event":".","payload":{"createdAt":"9999-12-31T23:59:59.9999-01:00"}}`), "99999999999999999999", "")
	f.Fuzz(func(t *testing.T, body []byte, stamp, id string) { total(t, "bird", body, stamp, id) })
}
