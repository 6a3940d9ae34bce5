package hookgate_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/hookgate/hookgate"
)

func sample() *hookgate.Event {
	return &hookgate.Event{
		ID: "a4a411a63f1808f94f8a34563e66742d", Provider: "sprinklr", Source: "care", Type: "sprinklr.case.create",
		Subject: "c-1", EntityType: "case", Action: "created", Tenant: "t-1", NativeID: "n-1", Attempt: 1,
		Time: time.Date(2024, 5, 24, 14, 22, 40, 20_999_999, time.UTC), TimeSource: hookgate.TimeFromEvent,
		Received: time.Date(2024, 5, 24, 14, 22, 41, 0, time.FixedZone("x", 3600)), VerifiedBy: "hub-signature",
		KeyID: "env:PSK", PartitionKey: "t-1/case/c-1", RawSHA256: strings.Repeat("0", 64),
		ContentType: hookgate.JSON, Data: []byte("{\"a\" : 161.0,\n \"b\":\"x y\\\"\\\\\"}"),
	}
}

func TestEnvelopeIsReadByTheCloudEventsSDK(t *testing.T) {
	t.Parallel()
	xml := sample()
	xml.ContentType, xml.Data = hookgate.XML, []byte("<Event>\n\u05e9 &amp; \"q\" \\ \x01</Event>")
	raw := sample()
	raw.Data = []byte("{\"id\":\"a\xffb\"}")
	for name, e := range map[string]*hookgate.Event{"json": sample(), "xml": xml, "not utf-8": raw} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for form, envelope := range map[string][]byte{"structured": e.AppendEnvelope(nil), "line": e.AppendLine(nil)} {
				var ce cloudevents.Event
				if err := json.Unmarshal(envelope, &ce); err != nil {
					t.Fatalf("%s: %v\n%s", form, err, envelope)
				}
				if err := ce.Validate(); err != nil {
					t.Errorf("%s: %v", form, err)
				}
				if ce.ID() != e.ID || ce.Type() != e.Type || ce.Source() != "/hookgate/sprinklr/care" || ce.Subject() != e.Subject {
					t.Errorf("%s: read as %s", form, ce)
				}
				if got := ce.Time().Format(time.RFC3339Nano); got != "2024-05-24T14:22:40.02Z" {
					t.Errorf("%s: time %s, must be cut to milliseconds", form, got)
				}
				if ce.Extensions()["partitionkey"] != e.PartitionKey || ce.Extensions()["attempt"] != int32(1) {
					t.Errorf("%s: extensions %v", form, ce.Extensions())
				}
			}
		})
	}
}

func TestEnvelopeKeepsThePayload(t *testing.T) {
	t.Parallel()
	e := sample()
	if !bytes.Contains(e.AppendEnvelope(nil), append([]byte(`"data":`), e.Data...)) {
		t.Errorf("payload touched: %s", e.AppendEnvelope(nil))
	}
	line := e.AppendLine(nil)
	if bytes.ContainsAny(line, "\n\r") {
		t.Errorf("line is broken: %q", line)
	}
	if want := `"data":{"a":161.0,"b":"x y\"\\"}}`; !bytes.HasSuffix(line, []byte(want)) {
		t.Errorf("line ends in %q, want %q", line[len(line)-len(want):], want)
	}
	e.Data = []byte("{\"id\":\"\xff\"}")
	var got struct {
		Data string `json:"data_base64"`
	}
	if err := json.Unmarshal(e.AppendLine(nil), &got); err != nil {
		t.Fatal(err)
	}
	if b, _ := base64.StdEncoding.DecodeString(got.Data); !bytes.Equal(b, e.Data) {
		t.Errorf("data_base64 holds %q", b)
	}
}

func TestEnvelopeLeavesOutWhatHasNoValue(t *testing.T) {
	t.Parallel()
	e := sample()
	e.Subject, e.Tenant, e.NativeID, e.KeyID = "", "", "", ""
	for _, name := range []string{"subject", "entityid", "tenant", "nativeid", "keyid"} {
		if bytes.Contains(e.AppendEnvelope(nil), []byte(`"`+name+`"`)) {
			t.Errorf("%s is there without a value", name)
		}
	}
}

// FuzzEnvelope: whatever text an attribute or a payload holds, the envelope is JSON that says the same.
func FuzzEnvelope(f *testing.F) {
	f.Add("c-1", "x", []byte(`{"a":1}`))
	f.Add("a\r\nNats-Msg-Id: b", "\x00\u2028\ufffe", []byte("<Event>\xff</Event>"))
	f.Add(`"\`, "\x7f\xc2\x80", []byte("{\"a\":\n\"\\\"\"}"))
	f.Fuzz(func(t *testing.T, subject, tenant string, data []byte) {
		e := sample()
		e.Subject, e.Tenant, e.Data = subject, tenant, data
		if !json.Valid(data) {
			e.ContentType = hookgate.XML
		}
		e.Seal(&hookgate.Source{Name: "care", Provider: "sprinklr"}, &hookgate.Request{ReceivedAt: e.Received}, hookgate.Verdict{{Scheme: "none"}})
		for _, envelope := range [][]byte{e.AppendEnvelope(nil), e.AppendLine(nil)} {
			var ce cloudevents.Event
			if err := json.Unmarshal(envelope, &ce); err != nil {
				t.Fatalf("%v\n%q", err, envelope)
			}
			if err := ce.Validate(); err != nil {
				t.Fatal(err)
			}
			if ce.Subject() != e.Subject {
				t.Fatalf("subject %q came back as %q", e.Subject, ce.Subject())
			}
		}
		if bytes.ContainsAny(e.AppendLine(nil), "\n\r") {
			t.Fatal("line is broken")
		}
	})
}

func TestTimesAreCutToMilliseconds(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{
		time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2024, 2, 29, 9, 8, 7, 6_005_004, time.FixedZone("x", -5*3600-1800)), time.Date(12024, 1, 2, 3, 4, 5, 0, time.UTC),
		time.Date(7, 1, 2, 3, 4, 5, 60_000_000, time.UTC),
	} {
		e := sample()
		e.Time = at
		want := at.UTC().Format("2006-01-02T15:04:05.000Z")
		e.Attributes(func(name, value string) {
			if name == "time" && value != want {
				t.Errorf("%v is written as %s, want %s", at, value, want)
			}
		})
	}
}
