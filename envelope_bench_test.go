package hookgate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// BenchmarkEnvelope is what is made of an event of 900 bytes behind its reader: the seal, the head for the journal, the
// envelope for a destination and its form on one line, and the event again from what the journal has kept.
func BenchmarkEnvelope(b *testing.B) {
	src := &hookgate.Source{Name: "care", Provider: "sprinklr", Window: time.Hour}
	body := []byte(`{"id":"6650a401c3d4e5f607182940","type":"case.update","payload":{"id":"6650a2af","text":"` + strings.Repeat("lorem ", 135) + `"}}`)
	received := time.Date(2026, 11, 1, 12, 0, 0, 123_000_000, time.UTC)
	verdict := hookgate.Verdict{{Scheme: "hub-signature", KeyID: "env:SPRINKLR_PSK"}}
	made := func() (*hookgate.Request, *hookgate.Event) {
		return &hookgate.Request{ID: "r-1", Body: body, ReceivedAt: received}, &hookgate.Event{
			Type: "sprinklr.case.update", Subject: "6650a2af", EntityType: "case", Action: "updated", Tenant: "6650a1f2c3d4e5f607182930",
			NativeID: "6650a401c3d4e5f607182940", Attempt: 1, Time: received, TimeSource: hookgate.TimeFromEvent,
			Identity: []hookgate.Field{
				{Name: "subscriptionId", Value: "6650a1f2c3d4e5f607182930"}, {Name: "id", Value: "6650a401c3d4e5f607182940"}, {Name: "type", Value: "case.update"},
			},
			ContentType: hookgate.JSON, Data: body,
		}
	}
	req, sealed := made()
	sealed.Seal(src, req, verdict)
	stored := sealed.AppendStored(nil, true)
	room := make([]byte, 0, 4096)
	for _, step := range []struct {
		name string
		do   func() bool
	}{
		{"seal", func() bool {
			req, e := made()
			e.Seal(src, req, verdict)
			return e.ID == sealed.ID
		}},
		{"store", func() bool { return len(sealed.AppendStored(room, true)) == len(stored) }},
		{"restore", func() bool {
			e, err := hookgate.ParseStored(stored, received, body)
			return err == nil && e.ID == sealed.ID
		}},
		{"structured", func() bool { return len(sealed.AppendEnvelope(room)) > len(body) }},
		{"line", func() bool { return len(sealed.AppendLine(room)) > len(body) }},
	} {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if !step.do() {
					b.Fatal("something else came of it")
				}
			}
		})
	}
}
