package outbound

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The worked example: the body, a public key, and the signature that its private half, which is not here, made of it.
const (
	salesiqWorked    = `{"entity_type":"conversation","org_id":"20011223","event":"conversation.operator.replied","entity_id":"8000000004009","attempt":1,"version":"1","app_id":8000000000047,"entity":{"id":"8000000004009","message":{"sender":{"name":"Robin","id":"8000000000005"},"msgid":"1716560000251","text":"Hello, your parcel is on its way"}},"event_time":1716560000268}`
	salesiqWorkedKey = `MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsYheDGIHyDdjHu21H/Ek+ub3DVTn6Fnw4NZLsIf7MlxJBQBriQzxyoyD7hAsh5x1icZJ4T5nWdt1p++TYqvsAVYj/Z/yWV/ojlUBme7iTPbsjIcKqujwJYENuYVGUUGSucBL1Bxa48WvGNJP/PRIJWjoyDhv/yOUNle6t75KOifwWzautcNrYhmRWZ+EbXqRQoEg5NQweorX/aBOt6BoMm4CuV7eFz2PELPDFKYyCj7+EP/9vjB2zlNuy2MT+Jofo2f6i+yIXtuZdSIyCXPL2m6K0SofCCz7YGioU0PJfOrujoOBWTmqFrDfi5+7hyLjAq2qB0fVMFZXlFH8vfJzdQIDAQAB`
	salesiqWorkedSig = `OEgXfelWkzsR+PaSKFyaO3sLDPuoEtaZGTEXPsDA2gSKOkvEbGOnhEx9Y5Ga9ijaHwcT2jpJX+HIdwqAUibji7jDJIOfSEsiglox/mct/PZM7sOhA53BmxDpDKsSuyTbIjZZ2u6fTNJrbs2cMpM36/8vVZCpLxIDugfeLixtS1Gz/kobLSpB9HrPrTzQI3Wbygsy1ozSBnWH0ESNxBGoZ96NLx3V71+iVeJV62jvTGGveOVmFoL52Vgzua5UUJn0C2puMMDib6RBRF/qfcjsXlSGPlZZ2MHgfHihlSK5S+bPi/ZllZ63RkmNV/fLggAhfneMbnZr2IOd0KPo9ISP7Q==`
)

// salesiqWorkedEvent is the example's event as it is triggered, with white space that must not go out.
func salesiqWorkedEvent(t *testing.T) Event {
	t.Helper()
	e := Event{
		Type: "conversation.operator.replied", Account: "20011223", Time: time.UnixMilli(1716560000268),
		Payload: json.RawMessage(`{ "id": "8000000004009", "message": {"sender":{"name":"Robin","id":"8000000000005"},
			"msgid":"1716560000251", "text":"Hello, your parcel is on its way"} }`),
		Attributes: map[string]string{"app_id": "8000000000047"},
	}
	if err := completeSalesiq(&e, time.Now()); err != nil {
		t.Fatal(err)
	}
	return e
}

func salesiqWritten(t *testing.T, settings string, e Event, attempt int) (contentType, body string) {
	t.Helper()
	s := &Subscription{Provider: "salesiq", ID: "19367000000120011", Settings: json.RawMessage(settings)}
	h, b, err := salesiq().write(s, &Delivery{Events: []Event{e}}, attempt)
	if err != nil {
		t.Fatal(err)
	}
	if len(h) != 1 {
		t.Errorf("headers %v, want the Content-Type alone", h)
	}
	return h.Get("Content-Type"), string(b)
}

// opensslVerifies asks openssl whether signature was made of body by the private half of key, which is PEM or bare base64.
func opensslVerifies(t *testing.T, key, signature string, body []byte) bool {
	t.Helper()
	if !strings.HasPrefix(key, "-----BEGIN") {
		der, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		key = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"key": []byte(key), "signature": raw, "body": body} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature", "body")
	c.Dir = dir
	out, err := c.CombinedOutput()
	verified := strings.TrimSpace(string(out)) == "Verified OK"
	if verified != (err == nil) || (err != nil && !strings.Contains(string(out), "erification")) {
		t.Fatalf("openssl: %v: %s", err, out)
	}
	return verified
}

func TestSalesiqWorkedExample(t *testing.T) {
	t.Parallel()
	contentType, body := salesiqWritten(t, `{"profile":"docs"}`, salesiqWorkedEvent(t), 1)
	if contentType != "application/json" {
		t.Errorf("Content-Type %q", contentType)
	}
	if body != salesiqWorked || len(body) != 351 {
		t.Errorf("%d bytes, want 351:\n%s\nwant\n%s", len(body), body, salesiqWorked)
	}
	if !opensslVerifies(t, salesiqWorkedKey, salesiqWorkedSig, []byte(body)) {
		t.Error("the example's signature does not fit the body")
	}
	if opensslVerifies(t, salesiqWorkedKey, salesiqWorkedSig, []byte(strings.Replace(body, `"attempt":1`, `"attempt":2`, 1))) {
		t.Error("the example's signature fits another attempt")
	}
}

func TestSalesiqProfiles(t *testing.T) {
	t.Parallel()
	live := strings.NewReplacer(`"version":"1"`, `"version":1`, `"app_id":8000000000047`, `"app_id":"8000000000047"`,
		`"event_time":1716560000268}`, `"event_time":"1716560000268","webhook":{"id":"19367000000120011"}}`).Replace(salesiqWorked)
	text := strings.Replace(salesiqWorked, `1716560000268}`, `"1716560000268"}`, 1)
	created := strings.ReplaceAll(text, "conversation.operator.replied", "conversation.created")
	for _, c := range []struct{ name, settings, event, contentType, want string }{
		{"docs is the default", ``, "", "application/json", salesiqWorked},
		{"live", `{"profile":"live"}`, "", "application/json", live},
		{"live with a number", `{"profile":"live","event_time":"number"}`, "", "application/json", strings.Replace(live, `"1716560000268"`, `1716560000268`, 1)},
		{"the other samples have a text", `{}`, "conversation.created", "application/json", created},
		{"number everywhere", `{"event_time":"number"}`, "conversation.created", "application/json", strings.Replace(created, `"1716560000268"`, `1716560000268`, 1)},
		{"text everywhere", `{"event_time":"text"}`, "", "application/json", text},
		{"charset", `{"charset":true}`, "", "application/json;charset=UTF-8", salesiqWorked},
		{"version", `{"version":2}`, "", "application/json", strings.Replace(salesiqWorked, `"version":"1"`, `"version":"2"`, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := salesiqWorkedEvent(t)
			if c.event != "" {
				e.Type = c.event
			}
			contentType, body := salesiqWritten(t, c.settings, e, 1)
			if contentType != c.contentType || body != c.want {
				t.Errorf("%s\n%s\nwant %s\n%s", contentType, body, c.contentType, c.want)
			}
		})
	}
}

func TestSalesiqAttemptIsAllThatChanges(t *testing.T) {
	t.Parallel()
	e := salesiqWorkedEvent(t)
	for _, attempt := range []string{"1", "2", "3", "4", "5", "103"} {
		var n int
		if err := json.Unmarshal([]byte(attempt), &n); err != nil {
			t.Fatal(err)
		}
		if _, body := salesiqWritten(t, ``, e, n); body != strings.Replace(salesiqWorked, `"attempt":1`, `"attempt":`+attempt, 1) {
			t.Errorf("attempt %s: %s", attempt, body)
		}
	}
}

func TestSalesiqEnvelope(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1716560000268)
	for _, c := range []struct {
		name, settings string
		event          Event
		want           string
	}{
		{"a deletion has neither entity nor app", ``,
			Event{Type: "operator.deleted", Account: "7", Payload: json.RawMessage(`{"id":"115000000029087","app_id":"5"}`)},
			`{"entity_type":"operator","org_id":"7","event":"operator.deleted","entity_id":"115000000029087","attempt":1,"version":"1","event_time":"1716560000268"}`},
		{"a deletion by its id alone", ``,
			Event{Type: "tag.deleted", Account: "7", Attributes: map[string]string{"entity_id": "9"}},
			`{"entity_type":"tag","org_id":"7","event":"tag.deleted","entity_id":"9","attempt":1,"version":"1","event_time":"1716560000268"}`},
		{"a deleted message is an event of its conversation", ``,
			Event{Type: "conversation.message.deleted", Account: "7", Payload: json.RawMessage(`{"id":"9","message":{"msgid":"1"}}`)},
			`{"entity_type":"conversation","org_id":"7","event":"conversation.message.deleted","entity_id":"9","attempt":1,"version":"1","entity":{"id":"9","message":{"msgid":"1"}},"event_time":"1716560000268"}`},
		{"digits above 2^53 and characters stay", ``,
			Event{Type: "visitor.updated", Account: "7", Payload: json.RawMessage(`{"id":18446744073709551615,"app_id":40526000000002041,"x":"<&>\u2028é","n":1.50}`)},
			`{"entity_type":"visitor","org_id":"7","event":"visitor.updated","entity_id":"18446744073709551615","attempt":1,"version":"1","app_id":40526000000002041,"entity":{"id":18446744073709551615,"app_id":40526000000002041,"x":"<&>\u2028é","n":1.50},"event_time":"1716560000268"}`},
		{"attributes go before the payload", ``,
			Event{Type: "conversation.rated", Account: "7", Payload: json.RawMessage(`{"id":"1","app_id":"2","rating":4}`),
				Attributes: map[string]string{"entity_id": "3", "entity_type": "Bot", "app_id": "4"}},
			`{"entity_type":"Bot","org_id":"7","event":"conversation.rated","entity_id":"3","attempt":1,"version":"1","app_id":4,"entity":{"id":"1","app_id":"2","rating":4},"event_time":"1716560000268"}`},
		{"the portal's org_id where the event has no account", `{"org_id":"20011223"}`,
			Event{Type: "tag.created", Payload: json.RawMessage(`{"id":"9"}`)},
			`{"entity_type":"tag","org_id":"20011223","event":"tag.created","entity_id":"9","attempt":1,"version":"1","entity":{"id":"9"},"event_time":"1716560000268"}`},
		{"an event that no page names", ``,
			Event{Type: "bot.card.opened", Account: "7", Payload: json.RawMessage(`{"id":"9"}`)},
			`{"entity_type":"bot","org_id":"7","event":"bot.card.opened","entity_id":"9","attempt":1,"version":"1","entity":{"id":"9"},"event_time":"1716560000268"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := completeSalesiq(&c.event, at); err != nil {
				t.Fatal(err)
			}
			if _, body := salesiqWritten(t, c.settings, c.event, 1); body != c.want {
				t.Errorf("\n%s\nwant\n%s", body, c.want)
			}
		})
	}
}

func TestSalesiqMadeUpOrgStays(t *testing.T) {
	t.Parallel()
	a := salesiqOrg(&salesiqSettings{Portal: "harbour"}, &Event{})
	if a != salesiqOrg(&salesiqSettings{Portal: "harbour"}, &Event{}) || a == salesiqOrg(&salesiqSettings{Portal: "dock"}, &Event{}) || !salesiqNumber(a) {
		t.Errorf("org_id %q is no number of the portal's own", a)
	}
}

func TestSalesiqCompleteRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		event Event
		want  string
	}{
		{"no type", Event{Payload: json.RawMessage(`{"id":"1"}`)}, "is not the name of an event"},
		{"a name with blanks", Event{Type: "conversation. created", Payload: json.RawMessage(`{"id":"1"}`)}, "is not the name of an event"},
		{"no payload", Event{Type: "conversation.created"}, "the payload is not a JSON object"},
		{"a list", Event{Type: "conversation.created", Payload: json.RawMessage(`[]`)}, "the payload is not a JSON object"},
		{"null", Event{Type: "conversation.created", Payload: json.RawMessage(`null`)}, "the payload is not a JSON object"},
		{"half an object", Event{Type: "conversation.created", Payload: json.RawMessage(`{"id":`)}, "the payload is not a JSON object"},
		{"an id that is an object", Event{Type: "conversation.created", Payload: json.RawMessage(`{"id":{}}`)}, "neither text nor number"},
		{"no id", Event{Type: "conversation.created", Payload: json.RawMessage(`{}`)}, "the id of what the event is about is missing"},
		{"a deletion of nothing", Event{Type: "operator.deleted"}, "the id of what the event is about is missing"},
		{"an endless id", Event{Type: "conversation.created", Payload: json.RawMessage(`{"id":"` + strings.Repeat("9", 101) + `"}`)}, "too long"},
		{"an app that is no number", Event{Type: "conversation.created", Payload: json.RawMessage(`{"id":"1","app_id":"shop"}`)}, "an app id is a number"},
		{"an app with a fraction", Event{Type: "conversation.created", Payload: json.RawMessage(`{"id":"1","app_id":1.5}`)}, "an app id is a number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := completeSalesiq(&c.event, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	t.Run("the caller's attributes stay as they are", func(t *testing.T) {
		t.Parallel()
		given := map[string]string{}
		e := Event{Type: "tag.created", Payload: json.RawMessage(`{"id":"1"}`), Attributes: given}
		if err := completeSalesiq(&e, time.Now()); err != nil || len(given) != 0 {
			t.Errorf("%v, %v", err, given)
		}
	})
}

// FuzzSalesiqEnvelope: whatever is triggered is refused, or goes out as one JSON object with the payload's own tokens.
func FuzzSalesiqEnvelope(f *testing.F) {
	f.Add("conversation.created", `{"id":"8000000004009","app_id":40526000000002041}`, "20011223", "", "", true)
	f.Add("operator.deleted", `{"id":115000000029087}`, "", "", "", false)
	f.Add("visitor.updated", `{"id":"<&>\u2028"}`, "\xff", "1e3", "\x00\"", true)
	f.Fuzz(func(t *testing.T, native, payload, account, app, id string, live bool) {
		e := Event{Type: native, Account: account, Payload: json.RawMessage(payload), Attributes: map[string]string{"app_id": app, "entity_id": id}}
		if completeSalesiq(&e, time.UnixMilli(1)) != nil {
			return
		}
		settings := `{}`
		if live {
			settings = `{"profile":"live"}`
		}
		_, body := salesiqWritten(t, settings, e, 1)
		var envelope struct{ Entity json.RawMessage }
		if err := json.Unmarshal([]byte(body), &envelope); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		var sent bytes.Buffer
		if len(e.Payload) > 0 {
			if err := json.Compact(&sent, e.Payload); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(envelope.Entity, sent.Bytes()) {
			t.Errorf("entity %s, want %s", envelope.Entity, sent.Bytes())
		}
	})
}
